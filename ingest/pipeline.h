/*
 * The pipeline: polls a source, decodes, applies, and commits to the source
 * what is durable. Knows neither SQLite nor Kafka.
 *
 * Three batches are in flight at most: one being polled, one being decoded, one
 * being applied. A batch closes when it is full, when it is `batch_age_us` old,
 * or, if nothing is in flight behind it, after `linger_us`: batches grow with
 * the backlog and stay small when caught up.
 *
 * A partition that the store says is stopped (store/decisions.h) takes no
 * records: it is not started, or held back at the source, and the others go on.
 * What the source finds wrong with a log is noted there, judged anew at each
 * start, and leaves when records come again.
 *
 * While the key window is full the partitions ahead of the slowest wait, in
 * record time; one that nobody is behind stops, `key_window_full`, and the
 * others go on. What was in flight is taken again. Both end by themselves.
 *
 * Threads: pipeline_run() polls on the caller's thread; with `threads` it
 * decodes and applies on two of its own, else all in turn on the caller's. The
 * store must not be touched by anybody else meanwhile.
 */
#ifndef HOLDFAST_INGEST_PIPELINE_H
#define HOLDFAST_INGEST_PIPELINE_H

#include "ingest/clock.h"
#include "ingest/source.h"
#include "schema/decode.h"
#include "store/store.h"

#include <stdatomic.h>

struct pipeline_options {
	struct source *source;
	struct store *store;
	struct decoder decoder; /* limits; schema and secret: the store's */
	struct clock *clock;
	bool threads;
	/* Go on when the source stopped every partition: one that is resumed is
	 * taken up again. Else that ends the run. */
	bool stays;
	uint32_t linger_us;	 /* wait for company when caught up */
	uint32_t batch_age_us;	 /* a batch closes at this age */
	size_t batch_records;	 /* at so many records */
	size_t batch_bytes;	 /* or so many bytes of records */
	const atomic_bool *stop; /* set by a signal: finish and return */
	/* Told of notices and stopped partitions, on the caller's thread. */
	void (*notice)(void *payload, const char *text);
	/* Told of each batch that is durable. NULL: not. */
	void (*landed)(void *payload, const struct store_tally *tally);
	/* Did this record end another process? Then nobody looks into it: it is
	 * parked as crash_loop. Asked of each record, on the thread that
	 * decodes: cheap. NULL: none did. */
	bool (*convicted)(void *payload, const struct record *record);
	/* Is there something to do with the store besides batches? Asked each
	 * turn: cheap. NULL: never. */
	bool (*wants)(void *payload);
	/* Then do it, in about a second: on the caller's thread, with nothing
	 * in flight, so that the store may be touched. Whatever it stopped or
	 * resumed (store/decisions.h) is so when it returns. Returns 0, or
	 * PIPELINE_LEAVE: the store is another one now, or is gone, and the
	 * pipeline ends without touching it. A fault ends the pipeline. */
	int (*attend)(void *payload, struct fault *fault);
	void *payload;
};

/* Defaults of design section 11: 3 ms, 1 s, 20,000 records, 64 MiB. Source,
 * store, clock and stop are left to the caller. */
struct pipeline_options pipeline_options_default(void);

struct pipeline_result {
	struct store_tally tally; /* of this run */
	int64_t batches;
	int64_t stopped_partitions;		/* by the source */
	int64_t decode_us, apply_us, commit_us; /* where time went */
};

#define PIPELINE_LEAVE 1

/*
 * Run until `stop` is set (what was polled is finished first), the source is
 * done (`until_end`), or the source stopped every partition, unless `stays`.
 * `result` may be NULL. Returns 0, or PIPELINE_LEAVE when `attend` said so.
 * Errors: FAULT_LOG when the source stopped partitions, or is done and some
 * take no records, since they are stopped in the store (the text names them and
 * the command to run), but not where it was told to stop; faults of source and
 * store that waiting does not heal.
 */
int pipeline_run(const struct pipeline_options *options,
	struct pipeline_result *result, struct fault *fault);

#endif
