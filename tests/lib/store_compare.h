/*
 * The real store against its twin: after the same batches both must say the
 * same. Each function fails the test with what differs.
 */
#ifndef HOLDFAST_TESTS_STORE_COMPARE_H
#define HOLDFAST_TESTS_STORE_COMPARE_H

#include "store/reader.h"
#include "tests/lib/twin.h"

void compare_tallies(
	const struct store_tally *real, const struct store_tally *twin);

/* Accounts, times and both ends of the trail. */
void compare_partitions(
	const struct store_partition *real, const struct store_partition *twin);

void compare_digests(struct digest real, struct digest twin);

struct compare_file_options {
	const char *path;   /* the store's directory */
	bool keys_are_kept; /* every key must be there: none was let go */
};

/* What the file in `path` holds, as a reader finds it: every row, letter and
 * key; and verify has nothing to complain of. Returns how many keys it has. */
int64_t compare_file(
	const struct twin *twin, const struct compare_file_options *options);

#endif
