/*
 * The trace of an update: what this store holds of a record that its log
 * brings again.
 *
 * Reads beside a live writer, in snapshots that the caller keeps short, and
 * changes nothing. Memory: 16 to 48 bytes for each key the store holds, as in
 * the writer's key window, read when the trace is opened.
 *
 * Threads: as the reader. Source: design section 9, replay.
 */
#ifndef HOLDFAST_STORE_TRACE_H
#define HOLDFAST_STORE_TRACE_H

#include "schema/proof.h"
#include "store/reader.h"

struct trace; /* opaque */

struct trace_options {
	int64_t key_window_us; /* as the writer has them */
	uint64_t key_window_keys;
};

/* `reader` is borrowed until trace_close(). On success the caller owns *out, on
 * failure it is NULL. Errors: as reader_get(). */
int trace_open(struct trace **out, struct reader *reader,
	const struct trace_options *options, struct fault *fault);
void trace_close(struct trace *trace); /* NULL is allowed */

/* The store's own, for decoding: [SECRET_BYTES], borrowed. */
const unsigned char *trace_secret(const struct trace *trace);

/* One snapshot from here to trace_end(), which may come twice. Errors: as
 * reader_get(). */
int trace_begin(struct trace *trace, struct fault *fault);
void trace_end(struct trace *trace);

/* The newest incarnation of a partition as of the snapshot, or NULL. Borrowed:
 * the log until trace_close(), the rest until trace_begin(). */
const struct store_partition *trace_partition(
	const struct trace *trace, const char *topic, int32_t partition);

/*
 * Look a record of one of trace_partition()'s logs up, within a snapshot,
 * before it is decoded. 1: it is parked for ending the process, and must not
 * be decoded here either. Errors: FAULT_CORRUPT (a table of the store's own),
 * FAULT_IO, FAULT_BUSY, FAULT_OOM.
 */
int trace_record(
	struct trace *trace, const struct record *record, struct fault *fault);

/*
 * Judge an update of the record last looked up, decoded under the reader's
 * schema; in the log's order. Bytes are in `arena`. A damaged row is no error,
 * but missing. Errors: as trace_record().
 */
int trace_update(struct trace *trace, const struct store_record *record,
	const struct update *update, struct arena *arena, struct proof *out,
	struct fault *fault);

/* The update last judged was not what a cleared letter explains: that one is
 * free for another. */
void trace_give_cleared_back(struct trace *trace);

/* How many letters that left the store explained updates so far, and under
 * which keys these came. */
struct trace_spent {
	int64_t letters;
	uint64_t *keys; /* 64 bits of each: keys[0..count) */
	size_t count;
};

/* For who goes on later; the caller frees out->keys, in any case.
 * Errors: FAULT_OOM. */
int trace_spent(const struct trace *trace, struct trace_spent *out,
	struct fault *fault);

/* Go on with it, before the first update is judged. Errors: FAULT_OOM. */
int trace_spend(struct trace *trace, const struct trace_spent *spent,
	struct fault *fault);

/* Was a record of one of trace_partition()'s logs taken before the schema was
 * last changed in place? */
bool trace_predates_schema(
	const struct trace *trace, const struct record *record);

/* The schemas before the present one, the last first; NULL: there are no more.
 * Borrowed until trace_close(). */
const struct schema *trace_schema_before(
	const struct trace *trace, size_t index);

/* What the key window says of an update that set something. */
struct trace_key {
	struct version version; /* given */
	const char *state;	/* "taken", "parked", "dead"; NULL: its key is
				   not held any more */
	int64_t record_time_us; /* of its record */
};

/* Fill in keys[0..count): a walk through all keys held, in short snapshots of
 * its own. Errors: as trace_record(). */
int trace_find_keys(struct trace *trace, struct trace_key *keys, size_t count,
	struct fault *fault);

#endif
