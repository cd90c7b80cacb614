/*
 * The search for a record that ends the process: what unclean ends tell, kept
 * in `_start` and `_crash`. Its rules: store/store.h, struct store_suspicion.
 */
#ifndef HOLDFAST_STORE_SUSPECT_H
#define HOLDFAST_STORE_SUSPECT_H

#include "store/culprits.h"
#include "store/run_note.h"
#include "store/sql.h"

#include <stdatomic.h>

struct store;
struct partitions;

/* Where the last run began in a partition. */
struct start {
	int64_t next_offset;
	int64_t ends;  /* unclean ends there, in a row */
	int64_t until; /* suspected until so many records are taken; 0: not */
};

/* The row of `_crash`; all 0: nothing ever happened. */
struct crash {
	int64_t epoch;	       /* whose end was counted last */
	int64_t ends;	       /* of this search */
	int64_t batch_records; /* 0: there is no search */
	int64_t log, offset;   /* where the last end was; 0: nowhere */
	int64_t alone_log, alone_offset; /* noted alone; log 0: none */
	int64_t alone_ends;		 /* so often in a row */
	/* Ends in a row while parked letters were tried again, the last time
	 * this one; 0: several. */
	int64_t letter, letter_ends;
};

struct suspect {
	struct run_note note;
	struct crash crash;
	struct start *starts; /* starts[0..start_count) by log id - 1 */
	size_t start_count;   /* partitions there were at the start */
	atomic_size_t batch_records;
	int64_t guilty_letter; /* found at this start; 0: none */
	struct culprits known; /* by a generation that was live before */
};

#define SUSPECT_INIT                                                           \
	{                                                                      \
		.note = RUN_NOTE_INIT, .known = CULPRITS_INIT                  \
	}

/* A start: judge what the last run left, durably, then note this run.
 * Errors: as store_begin(), store_commit(); FAULT_OOM. */
int suspect_open(struct store *store, struct fault *fault);

/* An orderly end. */
void suspect_finish(struct suspect *suspect);

/* A batch is durable: is the search over? What keeps that from being written
 * is no fault of the batch: it is looked at again after the next.
 * Errors: FAULT_IO, FAULT_FENCED. */
int suspect_review(struct store *store, struct fault *fault);

/* suspect_rows.c: the two tables. */

/* The row, or zeros. Errors: as sql_find_row(). */
int crash_read(sqlite3 *db, struct crash *out, struct fault *fault);
int crash_write(sqlite3 *db, const struct crash *crash, struct fault *fault);

/* starts[0..count) by log id - 1; those without a row stay as they are.
 * Errors: as sql_read_row(). */
int starts_read(
	sqlite3 *db, struct start *starts, size_t count, struct fault *fault);
int starts_write(sqlite3 *db, const struct start *starts, size_t count,
	struct fault *fault);

#endif
