/*
 * The store, as its readers see it: lookups and the truth about the pipeline,
 * each from one snapshot.
 *
 * Read-only and safe beside a live writer in another process. Each row's
 * checksum is checked on each read: a damaged value is never returned. Nor is
 * any of what a look at the whole file found to be damaged (store/damage.h).
 *
 * Threads: a reader belongs to one thread; open as many as you like.
 */
#ifndef HOLDFAST_STORE_READER_H
#define HOLDFAST_STORE_READER_H

#include "schema/arena.h"
#include "schema/fault.h"
#include "schema/row.h"
#include "store/damage.h"
#include "store/store.h"

struct reader; /* opaque */

/*
 * Open the store in directory `path`. On success the caller owns *out, on
 * failure it is NULL. Errors: FAULT_REFUSED (no store, foreign, newer),
 * FAULT_CORRUPT, FAULT_IO, FAULT_BUSY, FAULT_OOM.
 */
int reader_open(struct reader **out, const char *path, uint32_t busy_timeout_ms,
	struct fault *fault);
void reader_close(struct reader *reader); /* NULL is allowed */

/* Another generation than the live one, "g2". Errors: as reader_open();
 * FAULT_USAGE (no name of a generation). */
int reader_open_generation(struct reader **out, const char *path,
	const char *generation, uint32_t busy_timeout_ms, struct fault *fault);

/*
 * Open a backup of a store: the file `path`, which nobody writes. Its answers
 * are those of the moment it was made; its generation is "g1@NAME", and no
 * value is fresh. Errors: FAULT_CORRUPT (no backup, or not whole),
 * FAULT_REFUSED (foreign, newer), FAULT_IO, FAULT_OOM.
 */
int reader_open_backup(
	struct reader **out, const char *path, struct fault *fault);

/*
 * Open the newest backup of the store in directory `path` that can be opened.
 * 1: there is none, *out is NULL. Errors: FAULT_IO, FAULT_OOM.
 */
int reader_open_newest_backup(
	struct reader **out, const char *path, struct fault *fault);

/* Wall clock: the moment that a backup holds; TIMESTAMP_NONE of the live one.
 */
int64_t reader_backup_made_us(const struct reader *reader);

/* What was found wrong with the live file, as of now or DAMAGE_LOOK_US before;
 * nothing of a backup. Borrowed until the next call on the reader. A look at
 * memory, or two system calls. */
const struct damage *reader_damage(struct reader *reader);

const struct schema *reader_schema(const struct reader *reader);
const char *reader_store_id(const struct reader *reader);
const char *reader_generation(const struct reader *reader);

/* Does this reader read the store's live generation? Not where the link names
 * another one, or the file was replaced or removed: then open another reader.
 * Two system calls, none of them SQLite's: once a second is often enough. */
bool reader_is_current(const struct reader *reader);

/* Did another generation take this one's place? Then the newest snapshot says
 * so: it is sealed, and the link leads elsewhere. Asked before each answer, no
 * answer is older than one before it. Costs a lookup's snapshot, which the
 * lookup goes on with (reader_keep), and two system calls where it is sealed.
 * Likewise where its schema was changed: then every other function is
 * FAULT_BUSY until another reader is opened. False also where nobody can tell.
 */
bool reader_has_moved(struct reader *reader);

/* The same question in two halves, for who asks after the answer: was the
 * newest snapshot's generation sealed? Then reader_is_current() says whether to
 * ask another reader again. A look at memory. */
bool reader_saw_seal(const struct reader *reader);
/* Was its schema another one? Then another reader is to be asked. */
bool reader_saw_change(const struct reader *reader);
/* Both together: is another reader to be asked? */
bool reader_was_left(const struct reader *reader);

/*
 * For a reader that answers many lookups: keep a lookup's snapshot for the
 * next, which goes on with it exactly as long as it is the newest. Answers are
 * the same, at half the price. A kept snapshot holds the writer's WAL back
 * while nobody asks, so its owner calls reader_rest() when there was no lookup
 * for READER_REST_US. Off at first.
 */
#define READER_REST_US 20000 /* the WAL of so much ingest is a few MiB */
void reader_keep(struct reader *reader, bool keep);
void reader_rest(struct reader *reader);
/* The same for one that is no longer the newest: no lookup goes on with it. A
 * look at memory. True: one is kept. */
bool reader_rest_if_old(struct reader *reader);

/*
 * What differs after each batch that became durable, in whatever process; and
 * equal means that nothing did. A look at the WAL's index, no row is read.
 * Errors: as reader_get().
 */
int reader_data_version(
	struct reader *reader, uint32_t *out, struct fault *fault);

/*
 * Look `entity`[0..view->key_count) up. 1: found, *row is in `arena`.
 * 0: not there (or deleted; then row->has_floor).
 * Errors: FAULT_CORRUPT (also where damage is remembered that concerns the
 * view), FAULT_IO, FAULT_BUSY, FAULT_OOM.
 */
int reader_get(struct reader *reader, const struct view *view,
	const struct value *entity, struct arena *arena, struct row *row,
	struct fault *fault);

struct reader_view_status {
	const char *name;
	int64_t rows, deleted;
	int64_t as_of_us; /* TIMESTAMP_NONE: what feeds it was never read */
	struct digest digest;
};

struct reader_reason_status {
	enum reason reason;
	const char *view; /* "" when the record itself is at fault; "*": others
			     than those listed */
	int64_t dead, parked;
};

/* A partition that takes no records. */
struct reader_stop {
	const struct log *log;
	const char *reason, *detail; /* store/decisions.h, struct store_stop */
	int64_t since_us;	     /* wall clock */
};

/* What an operator holds back. */
struct reader_hold {
	const char *target; /* "card" or "card:spend" */
	const char *choice; /* "default" or "fail" */
	const char *because;
	int64_t since_us;
};

/* The search for a record that ends the process (store/store.h). */
struct reader_search {
	int64_t batch_records; /* a batch holds no more; 0: there is none */
	int64_t ends;	       /* unclean ends so far */
	const struct log *log; /* where the last was; NULL: nobody knows */
	int64_t offset;
	int64_t alone_ends; /* of them with the record there as the only one */
};

/* The newest first, of so many. */
#define READER_DECISIONS_MAX 10
struct reader_decision {
	int64_t at_us;
	const char *who, *what, *target, *before, *after, *because;
};

/* What the store remembers of its backups: 0, and "", for what never was. */
struct reader_backups {
	const char *name; /* of the newest good one */
	int64_t made_us;  /* wall clock: of the moment it holds */
	int64_t took_us, bytes;
	const char *failed_why; /* the newest failure */
	int64_t failed_us;	/* wall clock: begun */
	int64_t failures;
};

#define KEYS_UNCOUNTED (-1)
#define READER_RECENT_KEYS 10000
#define READER_RATE_KEYS 1000 /* fewer are no rate */
/* A row of the table with its share of the page, and its place in memory, which
 * is half to fully used. */
#define READER_KEY_BYTES 96

struct reader_status {
	const struct store_partition *partitions;
	size_t partition_count;
	const struct reader_view_status *views;
	size_t view_count;
	const struct reader_reason_status *reasons;
	size_t reason_count;
	const struct reader_stop *stops; /* in the partitions' order */
	size_t stop_count;
	const struct reader_hold *holds; /* by target */
	size_t hold_count;
	const struct reader_decision *decisions;
	size_t decision_count;
	struct reader_search search;
	int64_t keys; /* held by the key window's table; or KEYS_UNCOUNTED */
	/* The newest of them, at most READER_RECENT_KEYS, and the record time
	 * between the oldest and the newest of these. */
	int64_t recent_keys, recent_us;
	int64_t file_bytes, wal_bytes;
	int64_t ballast_bytes; /* 0: none is there */
	int64_t owner_epoch;
	struct reader_backups backups;
	struct digest digest; /* of all views */
};

/* How many keys a whole key window holds at the rate of the recent ones, by
 * record time. 0: too few came to say. */
int64_t reader_window_need(
	const struct reader_status *status, int64_t key_window_us);

/* Takes no partition any records, because each is stopped? Then nothing is
 * stored, though ingest may be well. False where there is none yet.
 * Errors: as reader_get(). */
int reader_all_stopped(struct reader *reader, bool *out, struct fault *fault);

/* All of it from one snapshot, in `arena`; logs are borrowed from the reader.
 * Errors: as reader_get(). */
int reader_status(struct reader *reader, struct arena *arena,
	struct reader_status *out, struct fault *fault);

/* The same without what takes a walk through the keys: out->keys is
 * KEYS_UNCOUNTED. */
int reader_summary(struct reader *reader, struct arena *arena,
	struct reader_status *out, struct fault *fault);

/* Every decision, the oldest first, in `arena`. Errors: as reader_get(). */
int reader_decisions(struct reader *reader, struct arena *arena,
	const struct reader_decision **out, size_t *count, struct fault *fault);

#endif
