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
};

/* Check everything; what is wrong is in *out, in `arena`.
 * Errors: as reader_get(), for what keeps it from looking. */
int reader_verify(struct reader *reader, struct arena *arena,
	struct verify_report *out, struct fault *fault);

#endif
