/*
 * The store, as its one writer sees it: rows, keys, offsets, parked updates,
 * dead letters, counters and digest, advanced together, one batch a
 * transaction.
 *
 * A batch is there entirely, durably, or not at all. After a crash the store
 * says for each partition where to go on (`next_offset`); whatever is
 * delivered again from below that fence changes nothing. No SQLite type shows
 * here: tests/lib/twin.c implements this header in memory.
 *
 * Threads: a store belongs to one thread at a time. One writer a directory,
 * held by a lock on the directory itself; readers (store/reader.h) are any
 * number, in any process. Times are microseconds since the Unix epoch.
 * Source: design sections 4 to 6.
 */
#ifndef HOLDFAST_STORE_STORE_H
#define HOLDFAST_STORE_STORE_H

#include "schema/decode.h"
#include "schema/digest.h"
#include "schema/disposition.h"
#include "schema/fault.h"
#include "schema/record.h"
#include "schema/schema.h"
#include "schema/trail.h"
#include "schema/update.h"
#include "store/letter.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store; /* opaque */
struct decision;

#define STORE_BATCH_RECORDS_MAX 20000 /* a batch may hold so many records */
#define STORE_NAME_MAX 64	      /* ids of stores, clusters, topics */
#define STORE_NO_END (-1)

struct store_options {
	const char *path;	     /* the directory; made if it is missing */
	const struct schema *schema; /* of a new store, borrowed during the
					call; an existing one keeps its own.
					NULL: the store must exist */
	int64_t key_window_us;
	uint64_t key_window_keys;      /* the newest so many stay anyway */
	uint64_t key_window_max_bytes; /* memory and table together */
	uint64_t wal_max_bytes;	       /* begun anew beyond */
	uint64_t cache_bytes;	       /* pages kept in memory by the writer */
	uint64_t ballast_bytes;	  /* given up when the disk is full; 0: none */
	int64_t reader_max_us;	  /* readers that hold the WAL beyond its limit
				     longer make ingest wait */
	uint32_t busy_timeout_ms; /* wait for a foreign lock */
	bool keys_later;  /* the key window's memory is built when it is asked
			     for, by store_load_keys() or the first batch */
	bool damaged_too; /* to turn away from the live generation, although
			     damage of it is remembered */
	bool beside_readers; /* this process may have the file open already, for
				reading: nothing of it is opened by hand */
};

/* Every default, in one place (design sections 6 and 11). */
struct store_options store_options_default(void);

/* What became of all that a partition held below next_offset (promise P1):
 * first_offset + taken + gaps + lost = next_offset, and
 * updates = the sum of dispositions. */
struct store_accounts {
	int64_t first_offset, next_offset;
	int64_t taken;	 /* records */
	int64_t gaps;	 /* offsets the log does not hold */
	int64_t lost;	 /* offsets given up by `resume --accept-gap` */
	int64_t skipped; /* records without an update; part of taken */
	int64_t updates; /* of taken records */
	int64_t dispositions[DISPOSITION_COUNT];
	int64_t late_deletes;	  /* part of applied */
	int64_t ignored_features; /* members no view has */
	int64_t redelivered;	  /* records from below the fence */
	int64_t cleared;	  /* dead, and their letters left the store */
};

struct store_partition {
	struct log log;
	struct store_accounts accounts;
	int64_t record_time_us; /* largest record timestamp taken, or
				   TIMESTAMP_NONE */
	int64_t as_of_us;	/* all up to here is taken, or TIMESTAMP_NONE */
	/* Wall clock: when its end was last reached, or it was first noted; 0:
	 * nobody said. And where that end was: what came since is behind. */
	int64_t at_end_us;
	int64_t end_offset; /* STORE_NO_END: it never was */
	struct trail trail;
	char cluster_id[STORE_NAME_MAX]; /* "" while unknown */
};

/*
 * Open the directory for writing: take its lock, check whose file it is before
 * any write, recover, raise the owner epoch durably, rebuild the key window's
 * memory, unless `keys_later`. On success the caller owns *out; on failure *out
 * is NULL. Errors: FAULT_LOCKED (second writer), FAULT_REFUSED (foreign or
 * newer store, damaged link), FAULT_CORRUPT (also where damage is remembered,
 * store/damage.h), FAULT_IO, FAULT_FULL, FAULT_BUSY, FAULT_OOM, FAULT_USAGE (no
 * store there and no schema given).
 */
int store_open(struct store **out, const struct store_options *options,
	struct fault *fault);

/*
 * Build the key window's memory after `keys_later`, by `rows` keys at most, so
 * that the caller may look up meanwhile. 0: it is whole. 1: there may be more.
 * Until then store_window() counts what is there.
 * Errors: FAULT_IO, FAULT_BUSY, FAULT_CORRUPT, FAULT_OOM.
 */
int store_load_keys(struct store *store, size_t rows, struct fault *fault);

/* Was damage of its file found since (store/damage.h)? Then nothing more is to
 * be taken into it. Two system calls. Errors: FAULT_CORRUPT: it was. */
int store_check_damage(const struct store *store, struct fault *fault);

/* The same of the live generation of the store in directory `path`, whoever
 * owns it. 0 also where there is none. */
int store_check_live_damage(const char *path, struct fault *fault);

/*
 * Empty the WAL into the file, before a store_close() whose failure must be
 * told; else that does it unseen. Not where readers hold it up (they are waited
 * for, 1 s), nor beside another owner, nor after a write failed. What was
 * durable stays so in the WAL. The store may only be closed then. NULL is
 * allowed.
 * Errors: FAULT_IO, FAULT_FENCED, FAULT_CORRUPT, FAULT_OOM.
 */
int store_leave(struct store *store, struct fault *fault);

/* Give up the lock and free. NULL is allowed. Never fails. */
void store_close(struct store *store);

/* Borrowed, valid until store_close(). */
const struct schema *store_schema(const struct store *store);
const char *store_id(const struct store *store); /* 16 hex digits */
const unsigned char *store_secret(const struct store *store); /* [16] */

/*
 * The newest incarnation of a partition: found, or made with first_offset =
 * next_offset = log_start, durably. *out is borrowed until store_close() and
 * tells the truth as of the last durable batch.
 * Errors: FAULT_IO, FAULT_FULL, FAULT_BUSY, FAULT_CORRUPT, FAULT_OOM.
 */
int store_partition(struct store *store, const char *topic, int32_t partition,
	int64_t log_start, const struct store_partition **out,
	struct fault *fault);

/* A partition as a source announced it: what store_partition() is asked. */
struct store_announced {
	const char *topic; /* borrowed during the call */
	int32_t partition;
	int64_t log_start;
	const char *cluster_id; /* where its log lives now; borrowed; NULL or
				   "": nobody says */
	int64_t now_us;		/* wall clock; 0: nobody says */
	const struct store_partition *stored; /* set: as *out there */
};

/* The same for announced[0..count), each of another partition, in one
 * transaction, which remembers where they live; none where nothing is new. On
 * failure nothing is noted. Errors: as store_partition(). */
int store_partitions(struct store *store, struct store_announced *announced,
	size_t count, struct fault *fault);

/* All that there are, older incarnations too: index 0..count-1. Borrowed as
 * above. */
size_t store_partition_count(const struct store *store);
const struct store_partition *store_partition_at(
	const struct store *store, size_t index);

/* A stopped partition counts as at its end for the key window. */
void store_stopped(struct store *store, const struct log *log, bool stopped);

/*
 * A record that ends the process again and again (design section 8). A run that
 * ended uncleanly left the note that it was under way (store/run_note.h). Two
 * such ends in a row of runs that took up records of a partition and got none
 * of them in: from then on a batch holds half as many records, and half of that
 * after each further unclean end. Where it is one record, nothing else is in
 * flight and it is noted before anybody looks into it, until its commit. Noted
 * so at CRASH_ALONE_ENDS ends in a row it is to be parked unseen: once might be
 * a SIGKILL that had nothing to do with it, three times can't. The search is
 * over when that record was taken, or when all partitions that had records in
 * flight at the unclean end are beyond what could have been, or at their end.
 */
#define CRASH_ENDS 2	   /* unclean ends before anything is suspected */
#define CRASH_ALONE_ENDS 3 /* and before a record is found guilty */
#define CRASH_FLIGHTS 3	   /* batches are in flight at once, at most */

struct store_suspicion {
	size_t batch_records; /* STORE_BATCH_RECORDS_MAX: nothing is suspected;
				 1: a record at a time */
	int64_t ends;	      /* unclean ends so far */
	/* Where the last one was, or the record that was noted alone at the
	 * last `alone_ends` ends. NULL while nothing is suspected. */
	const struct log *log;
	int64_t offset;
	int64_t alone_ends;
	bool guilty; /* the record at `offset` is to be parked unseen */
	/* The parked letter that was found to end the process, and made a
	 * crash_loop by this start; 0: none. */
	int64_t guilty_letter;
};

/* What is suspected since the start; no other thread is in the store. */
struct store_suspicion store_suspicion(const struct store *store);

/* Did `record` end the process before the store went back to older data? It is
 * to be parked unseen. Any thread. */
bool store_convicted(const struct store *store, const struct record *record);

/* How many records a batch may hold, which grows when a search is over. Any
 * thread may ask at any time. */
size_t store_batch_records(const struct store *store);

/* Records of `log` are taken up in this run: once each, before the first is
 * looked into. Also while another thread applies. Errors: FAULT_IO, FAULT_FULL.
 */
int store_feeds(
	struct store *store, const struct log *log, struct fault *fault);

/* `record` is the only one in flight, and nobody has looked into it yet: noted
 * until it is about to be durable. Errors: FAULT_IO, FAULT_FULL. */
int store_alone(
	struct store *store, const struct record *record, struct fault *fault);

/* `count` parked letters, `letter` the first, are about to be tried again while
 * no record is in flight: noted until it is said of 0. One that was noted alone
 * at CRASH_ALONE_ENDS unclean ends in a row is made a crash_loop by the next
 * start, and not tried again unasked. Errors: FAULT_IO, FAULT_FULL. */
int store_retries(struct store *store, uint32_t count, int64_t letter,
	struct fault *fault);

/* Did a run end in that? Then they are taken up one by one, until it is said
 * that all were tried. What keeps that from being written is tried again then.
 * Errors: FAULT_IO, FAULT_FENCED. */
bool store_retries_alone(const struct store *store);
int store_retries_over(struct store *store, struct fault *fault);

struct store_record {
	struct record record; /* record.log is of store_partition() */
	struct decoded decoded;
};

/* How far a partition was read beyond its last record of the batch. */
struct store_mark {
	const struct log *log;
	int64_t next_offset; /* the end's position: the rest are gaps */
	int64_t as_of_us;    /* the wall clock when the end was reported */
	/* Its log may go on there: then it is not at its end, and copies that
	 * it may bring find their keys. */
	bool goes_on;
};

struct store_batch {
	const struct store_record *records; /* order of arrival */
	size_t record_count;		    /* <= STORE_BATCH_RECORDS_MAX */
	const struct store_mark *marks;	    /* come after the records */
	size_t mark_count;
	int64_t due_us;	  /* wall clock: when what is parked is tried first;
			     0: at once */
	bool to_the_brim; /* nobody is further behind: may use the room that
			     STORE_WINDOW_KEPT keeps */
	/* Who had it taken (store/decisions.h), noted with it; NULL: nobody. */
	const struct decision *decision;
};

struct store_tally {
	int64_t records, skipped, redelivered;
	int64_t dispositions[DISPOSITION_COUNT];
	int64_t letter_bytes[2]; /* more, as store_letter_bytes() counts */
	int64_t commit_us;	 /* of the durable commit alone */
};

enum store_outcome {
	STORE_DURABLE = 0,
	/* The commit failed and nobody can say whether it is there: memory was
	 * thrown away and read again from the file. Take up each partition at
	 * its next_offset. The fault says why. */
	STORE_OUTCOME_UNKNOWN = 1,
	/* The key window is at its bytes: nothing was changed. */
	STORE_WINDOW_FULL = 2
};

/* One part in so many of key_window_max_bytes is kept for the partitions that
 * are furthest behind: keys go when these come on, and to come on they need
 * room. */
#define STORE_WINDOW_KEPT 8

/*
 * Apply a batch in one transaction: records below their partition's
 * next_offset are counted and skipped; each update gets exactly one
 * disposition, the one it had if records were taken one by one in order; keys,
 * dead letters, parked updates, counters, digest and offsets follow.
 * On any result but STORE_DURABLE and STORE_OUTCOME_UNKNOWN nothing changed.
 * While the WAL is beyond its limit, and a reader held it there for longer than
 * reader_max_us, it is FAULT_BUSY, naming the reader's process.
 * When the disk is full the ballast is given up; then it is FAULT_FULL until
 * there is room to make it again.
 * Nothing is kept of `batch`. `tally` may be NULL.
 * Errors: FAULT_FENCED (another owner), FAULT_FULL, FAULT_BUSY (try again),
 * FAULT_IO (exit and start clean), FAULT_CORRUPT, FAULT_OOM.
 */
int store_apply(struct store *store, const struct store_batch *batch,
	struct store_tally *tally, struct fault *fault);

/* The key window as of the last durable batch. */
struct store_window {
	int64_t keys;
	uint64_t bytes, max_bytes; /* memory and table together */
};
struct store_window store_window(const struct store *store);

/* Was the partition read to its end, and nothing taken since? As of the last
 * durable batch of this process. */
bool store_at_end(const struct store *store, const struct log *log);

/*
 * Read a letter and its record, in `arena`. 1: found. 0: there is none (any
 * more). Errors: FAULT_CORRUPT, FAULT_IO, FAULT_OOM.
 */
int store_letter(struct store *store, enum letter_kind kind, int64_t id,
	struct arena *arena, struct letter_whole *out, struct fault *fault);

/* What the dead letters, or the parked updates, of a partition keep in the
 * file: each record's key, value and headers, and what rows take beside. Looked
 * up, not counted. As of the last durable batch. */
int64_t store_letter_bytes(const struct store *store, const struct log *log,
	enum letter_kind kind);

/* Parked letters whose time has come (those without a time too), in log order:
 * ids[0..result), at most `max`. Those of a crash loop never are due, since
 * they would end the process again: a person takes them up.
 * Errors: as store_letter(). */
int store_due(struct store *store, int64_t now_us, int64_t *ids, int max,
	struct fault *fault);

/* When the next one of them is due; INT64_MAX: there is none.
 * Errors: as store_letter(). */
int store_next_due(struct store *store, int64_t *out_us, struct fault *fault);

/* Dead letters that may leave: acknowledged before `before_us`, or with an id
 * up to `exported_id`. ids[0..result), at most `max`. Errors: as
 * store_letter(). */
int store_clearable(struct store *store, int64_t before_us, int64_t exported_id,
	int64_t *ids, int max, struct fault *fault);

/* A letter of store_letter(), and its update as it is decoded now; NULL: its
 * record has no such update any more. */
struct store_retry {
	const struct letter *letter;
	const struct store_record *record;
	const struct update *update;
	/* The letter stands for a whole record that could not be decoded and
	 * now is: this is another of its updates, counted from now on. These
	 * come before the letter's own. */
	bool further;
	int64_t due_us; /* when it is tried again if it stays parked */
};

struct store_retry_options {
	bool dry_run;	      /* say what would happen, change nothing */
	bool force;	      /* also where another event took its key */
	bool clear;	      /* dead ones leave, unapplied, and are counted */
	int64_t attempts_max; /* then it is dead */
	/* Who asked (store/decisions.h): noted in the same transaction. NULL:
	 * nobody did. */
	const struct decision *decision;
};

enum retry_fate {
	RETRY_APPLIED,
	RETRY_SUPERSEDED,
	RETRY_DUPLICATE, /* its event was taken meanwhile */
	RETRY_OVERTAKEN, /* the producer's correction was: refused */
	RETRY_DEAD,	 /* still, or from now on, broken */
	RETRY_PARKED,	 /* not yet */
	RETRY_CLEARED	 /* it left */
};

struct retry_verdict {
	enum retry_fate fate;
	enum reason reason; /* of what is dead or parked */
};

/*
 * Take up letters in one transaction, in this order, each at the version it
 * has by its record: as if it had come in time. Its key, counters, digest and
 * offsets follow as in store_apply(); a letter that is settled leaves.
 * verdicts[0..count) say what happened, or would happen.
 * Results and errors: store_apply().
 */
int store_retry(struct store *store, const struct store_retry *retries,
	size_t count, const struct store_retry_options *options,
	struct retry_verdict *verdicts, struct fault *fault);

/* Copy what the WAL holds into the file as far as readers allow; between
 * batches: rarely while there is a backlog, often and little when `caught_up`.
 * Returns 0. Errors: FAULT_IO, FAULT_FULL, FAULT_CORRUPT. */
int store_checkpoint(struct store *store, bool caught_up, struct fault *fault);

/* The sum over all views, as of the last durable batch. */
struct digest store_digest(const struct store *store);

/* The same of one view, which there is. */
struct digest store_view_digest(const struct store *store, const char *view);

#endif
