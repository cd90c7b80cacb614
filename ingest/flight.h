/*
 * A batch in flight: records as they were polled, then decoded, then applied.
 *
 * Owns copies of the records' bytes, so the source may forget them.
 */
#ifndef HOLDFAST_INGEST_FLIGHT_H
#define HOLDFAST_INGEST_FLIGHT_H

#include "ingest/source.h"
#include "schema/arena.h"
#include "store/store.h"

struct flight {
	struct arena arena;
	struct store_record *records; /* records[0..record_capacity) */
	size_t record_count, record_capacity;
	size_t keep_bytes; /* of memory, from batch to batch */
	struct store_mark *marks;
	size_t mark_count, mark_capacity;
	size_t updates_most; /* its records hold no more updates */
	int64_t opened_us;   /* monotonic; when the first thing came */
	int64_t due_us;	     /* wall clock: what it parks is tried then */
	bool to_the_brim;    /* as store_batch's */

	/* filled while it goes through the stages */
	int outcome; /* of store_apply(), or a fault's code */
	struct fault fault;
	struct store_tally tally;
	int64_t decode_us, apply_us;
};

/* For so many records. Beyond `keep_bytes` memory is given back with each
 * batch: one of rare size leaves nothing behind. Errors: FAULT_OOM. */
int flight_init(struct flight *flight, size_t records, size_t keep_bytes,
	struct fault *fault);
void flight_finish(struct flight *flight);

/* Empty it for the next batch. */
void flight_reset(struct flight *flight);

bool flight_is_empty(const struct flight *flight);

/* Copy a record in; there must be room. Errors: FAULT_OOM. */
int flight_add_record(struct flight *flight, const struct record *record,
	struct fault *fault);

/* Note that a partition was read to its end. Errors: FAULT_OOM. */
int flight_add_mark(struct flight *flight, const struct store_mark *mark,
	struct fault *fault);

/* What store_apply() takes; borrowed from `flight`. */
struct store_batch flight_batch(const struct flight *flight);

#endif
