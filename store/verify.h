/*
 * Verification: does the store hold what it says it holds?
 *
 * In one read transaction, beside a live writer if there is one: SQLite's
 * integrity check, every row's checksum, the accounts of every partition
 * (promise P1), dead letters and parked updates against their counters, and
 * one digest a view, recomputed from the rows.
 */
#ifndef HOLDFAST_STORE_VERIFY_H
#define HOLDFAST_STORE_VERIFY_H

#include "store/reader.h"

#define VERIFY_PROBLEMS_MAX 100 /* the first so many are named, all counted */

struct verify_report {
	const struct reader_view_status *views; /* digests recomputed */
	size_t view_count;
	struct digest digest;
	int64_t rows; /* checked, of all tables */
	const char *problems[VERIFY_PROBLEMS_MAX];
	int64_t problem_count; /* 0: the store is good */
	struct damage damage;  /* what that concerns; by nobody, at no time */
	/* What was remembered before the look. */
	bool was_noted;
	int64_t noted_at_us;
};

/* Check everything; what is wrong is in *out, in `arena`. `fault` is not NULL.
 * Errors: as reader_get(), for what keeps it from looking. */
int reader_verify(struct reader *reader, struct arena *arena,
	struct verify_report *out, struct fault *fault);

#define VERIFY_NOTED 1
#define VERIFY_CLEARED 2

/*
 * Remember what `report` says of the reader's file (store/damage.h), found by
 * `by` at `at_us` (wall clock). VERIFY_NOTED: no lookup that it concerns is
 * answered from that file any more, in any process: so long this waits.
 * VERIFY_CLEARED: nothing was wrong, and what was remembered before the look
 * is not any more. 0: there was nothing, neither now nor then; or it is a
 * backup. Errors: FAULT_REFUSED (this user may not write there), as
 * damage_write().
 */
int reader_remember(struct reader *reader, const struct verify_report *report,
	const char *by, int64_t at_us, struct fault *fault);

/*
 * The same of a live generation that can't even be opened: FAULT_CORRUPT, as
 * `why` says. It concerns all lookups. VERIFY_NOTED. Errors: as
 * reader_remember(), layout_find().
 */
int store_remember_unreadable(const char *path, const struct fault *why,
	const char *by, int64_t at_us, struct fault *fault);

/*
 * Look at all of the live generation of the store in directory `path`, for
 * somebody who met damage, and remember what is found. VERIFY_NOTED or 0.
 * `fault` is not NULL.
 * Errors: those of reader_open() but FAULT_CORRUPT, reader_verify() and
 * reader_remember().
 */
int store_examine(
	const char *path, const char *by, int64_t at_us, struct fault *fault);

#endif
