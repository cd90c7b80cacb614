/*
 * The trail: how a partition's log is recognised again.
 *
 * The last record taken and up to 15 older ones at growing distances, each
 * with offset, timestamp and checksum. A re-created, truncated or foreign log
 * differs in one of them. The oldest ever noted stays. Source: design section
 * 6, log identity.
 */
#ifndef HOLDFAST_SCHEMA_TRAIL_H
#define HOLDFAST_SCHEMA_TRAIL_H

#include "schema/fault.h"
#include "schema/record.h"

#include <stddef.h>
#include <stdint.h>

#define TRAIL_LENGTH 16

struct footprint {
	int64_t offset;
	int64_t next_offset; /* behind the record: how a file finds its end */
	int64_t timestamp_us;
	uint64_t checksum; /* checksum_record(key, value) */
};

struct trail {
	struct footprint steps[TRAIL_LENGTH]; /* newest first */
	size_t count;
};

/* The footprint of a record. */
struct footprint trail_footprint(const struct record *record);

/* Note a newer record (offset beyond the newest step's, which is asserted);
 * when full, the step that is least missed leaves: never newest or oldest. */
void trail_note(struct trail *trail, const struct footprint *step);

/* Stored form: fixed-width little-endian; out[0..TRAIL_BYTES]. */
#define TRAIL_STEP_BYTES 32
#define TRAIL_BYTES (TRAIL_LENGTH * TRAIL_STEP_BYTES)
size_t trail_encode(const struct trail *trail, unsigned char *out);
/* Errors: FAULT_CORRUPT. */
int trail_decode(struct trail *trail, struct slice bytes, struct fault *fault);

#endif
