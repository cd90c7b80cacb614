/*
 * Which part of the log is read again: a topic, a partition, from and to. What
 * `replay` and `why --log` have in common.
 */
#ifndef HOLDFAST_INGEST_COMMAND_REPLAY_RANGE_H
#define HOLDFAST_INGEST_COMMAND_REPLAY_RANGE_H

#include "ingest/command/reading.h"
#include "ingest/replay.h"

struct replay_range {
	char topic[256];   /* Kafka's names are 249 long at most; "": all */
	int32_t partition; /* -1: all */
	int64_t from_offset, to_offset;
	int64_t from_us, to_us;
};

/* Texts as the command line has them; NULL: beginning, end. */
struct replay_bounds {
	const char *from, *to;
};

/* `target` is "TOPIC" or "TOPIC:PARTITION"; NULL: every topic. Errors:
 * FAULT_USAGE (no such topic; offsets of more than one partition). */
int replay_range_parse(struct replay_range *out, const char *target,
	const struct replay_bounds *bounds, const struct reading *reading,
	struct fault *fault);

/* The log's range as a source, owned by the caller. Errors: sources_open(). */
int replay_range_open(struct source **out, const struct replay_range *range,
	const struct reading *reading, struct fault *fault);

/* Bounds, decoder and key window as configured. */
void replay_range_options(const struct replay_range *range,
	const struct reading *reading, struct replay_options *out);

#endif
