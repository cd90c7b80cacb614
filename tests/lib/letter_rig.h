/*
 * A real store whose events fare as a test wants: applied, dead or parked, and
 * good when their records are read again.
 */
#ifndef HOLDFAST_TESTS_LETTER_RIG_H
#define HOLDFAST_TESTS_LETTER_RIG_H

#include "tests/lib/event_store.h"

struct event {
	int id, at_s, who, n;
	bool gone;
};

/* How a record fares when it comes. */
enum fare { GOOD, SKEWED, TOO_LONG, PARKED, FARES };

/* cmocka's: *state is a struct event_store with views `sums` and `plain` and
 * the topic `alpha`; a record has an update for each. */
int letter_rig_setup(void **state);
int letter_rig_teardown(void **state);
#define WITH_LETTERS(test)                                                     \
	cmocka_unit_test_setup_teardown(                                       \
		test, letter_rig_setup, letter_rig_teardown)

/* Each fails the test if it can't. */
void letter_rig_reopen(struct event_store *store);
const struct store_partition *letter_rig_partition(struct event_store *store);

/* The next record of the partition. What it parks is due at once. */
void letter_rig_take(
	struct event_store *store, const struct event *event, enum fare fare);

/* Verify finds nothing wrong. */
void letter_rig_expect_whole(struct event_store *store);

#endif
