/*
 * Replay: a range of the log is read again, and of each update it is said what
 * the store holds of it. Nothing is changed, in the store or in Kafka.
 *
 * Reads beside a live writer, in snapshots of REPLAY_SNAPSHOT_US. Records go
 * through the decoder that the pipeline has, one at a time; memory is what
 * store/trace.h says, and a record. Source: design section 9.
 */
#ifndef HOLDFAST_INGEST_REPLAY_H
#define HOLDFAST_INGEST_REPLAY_H

#include "ingest/clock.h"
#include "ingest/source.h"
#include "schema/decode.h"
#include "store/trace.h"

#include <stdatomic.h>

#define REPLAY_SNAPSHOT_US 20000   /* the WAL of so much ingest is a few MiB */
#define REPLAY_PARTITIONS_MAX 4096 /* of all topics */

struct replay_tally {
	int64_t records, skipped; /* skipped: without an update */
	int64_t updates;
	int64_t answers[PROOF_ANSWER_COUNT];
};

/* Where a partition goes on. */
struct replay_place {
	char *topic; /* owned */
	int32_t partition;
	int64_t next_offset;
};

struct replay_update {
	const struct store_record *record;
	const struct update *update; /* NULL: not decoded, since it was parked
					for ending the process */
	struct proof proof;
};

struct replay_options {
	struct source *source;	/* until its end; borrowed */
	struct reader *reader;	/* borrowed */
	struct decoder decoder; /* schema and secret are the reader's */
	struct trace_options trace;
	struct clock *clock;
	/* Offsets of each partition, [from, to); and record timestamps. */
	int64_t from_offset, to_offset;
	int64_t from_us, to_us;
	bool one_partition;		   /* is all there is: over with that */
	const struct replay_place *places; /* places[0..place_count): further */
	size_t place_count;
	const atomic_bool *stop;
	/* All may be NULL. Is something to be said of this update? */
	bool (*wants)(void *payload, const struct update *update);
	void (*told)(void *payload, const struct replay_update *update);
	/* Between snapshots: so many offsets of those the store has taken. */
	void (*progress)(void *payload, int64_t done, int64_t total);
	void (*notice)(void *payload, const char *text);
	void *payload;
};

/* Everything there is. */
struct replay_options replay_options_default(void);

struct replay; /* opaque */

/* Where an earlier replay of the same range was interrupted: its counts, and
 * which letters that left the store explain something already. */
struct replay_before {
	struct replay_tally tally;
	struct trace_spent spent;
};

/* On success the caller owns *out, on failure it is NULL. `options` is copied;
 * `before` is borrowed during the call, NULL: it begins with nothing.
 * Errors: trace_open(). */
int replay_open(struct replay **out, const struct replay_options *options,
	const struct replay_before *before, struct fault *fault);
void replay_close(struct replay *replay); /* NULL is allowed */

enum replay_outcome {
	REPLAY_DONE = 0,
	REPLAY_STOPPED = 1, /* by `stop` */
	REPLAY_PARTLY = 2   /* a partition could not be read, and was told of */
};

/* Read to the end of the range. Errors: those of source_poll(), trace_update(),
 * FAULT_OOM. */
int replay_run(struct replay *replay, struct fault *fault);

const struct replay_tally *replay_tally(const struct replay *replay);

/* As trace_spent(). */
int replay_spent(const struct replay *replay, struct trace_spent *out,
	struct fault *fault);

/* Partitions that were read from: places[0..*count), borrowed. */
const struct replay_place *replay_places(
	const struct replay *replay, size_t *count);

#endif
