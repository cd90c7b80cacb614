/*
 * What was found to end the process is known to whoever takes the same log, and
 * stays known when the store goes back to before it was found.
 */
#include "store/culprits.h"
#include "store/decisions.h"
#include "store/generations.h"
#include "tests/lib/check.h"
#include "tests/lib/store_rig.h"

#define POISON 7 /* its offset */

static void check_ok(int rc, const struct fault *fault)
{
	if (rc != 0)
		fail_msg("%d: %s", rc, fault->text);
}

static void take_as(struct store_rig *rig, int64_t offset, enum reason reason)
{
	const struct store_rig_event event = {.offset = offset,
		.record_s = offset,
		.key = 1 + (unsigned)offset,
		.content = (uint64_t)offset,
		.id = offset % 5,
		.count = 10,
		.reason = reason};
	(void)store_rig_take(rig, &event);
}

static void take(struct store_rig *rig, int64_t first, int64_t end)
{
	for (int64_t offset = first; offset < end; offset++)
		take_as(rig, offset, REASON_NONE);
}

/* Beside the live one, g2 of the first records: what a backup would be. */
static void make_older(
	struct store_rig *rig, int64_t records, enum reason of_the_first)
{
	struct fault fault = {0};
	const struct store_build build = {.origin = "the log"};
	struct store *live = rig->store;
	check_ok(store_build(&rig->store, &rig->options, &build, &fault),
		&fault);
	if (records > 0)
		take_as(rig, 0, of_the_first);
	take(rig, 1, records);
	check_ok(store_complete(rig->store, &fault), &fault);
	store_close(rig->store);
	rig->store = live;
}

static int64_t switch_to(struct store_rig *rig, const char *generation)
{
	struct fault fault = {0};
	struct handover handover;
	const struct store_switch to = {
		.generation = generation, .handover = &handover};
	check_ok(store_switch(&rig->store, &to, &fault), &fault);
	assert_string_equal(handover.missed, "");
	return handover.culprits;
}

static bool knows(
	const struct store_rig *rig, int64_t offset, uint32_t incarnation)
{
	const struct log log = {
		.id = 1, .topic = "alpha", .incarnation = incarnation};
	const struct record record = {.log = &log, .offset = offset};
	return store_convicted(rig->store, &record);
}

static void check_knows_poison_alone(const struct store_rig *rig)
{
	assert_true(knows(rig, POISON, 0));
	assert_false(knows(rig, POISON + 1, 0));
	/* What another log holds there is another record. */
	assert_false(knows(rig, POISON, 1));
}

static void take_with_poison(struct store_rig *rig)
{
	take(rig, 0, POISON);
	take_as(rig, POISON, REASON_CRASH_LOOP);
	take(rig, POISON + 1, 10);
}

static void a_record_that_comes_again_is_known(void **state)
{
	struct store_rig *rig = *state;
	take_with_poison(rig);
	assert_false(knows(rig, POISON, 0)); /* it is a letter */
	make_older(rig, 4, REASON_NONE);
	assert_int_equal(switch_to(rig, "g2"), 1);
	check_knows_poison_alone(rig);
	store_rig_close(rig);
	store_rig_open(rig);
	check_knows_poison_alone(rig);
}

/* As of a backup from before its partition was there. */
static void so_is_one_of_a_partition_that_the_older_one_does_not_have(
	void **state)
{
	struct store_rig *rig = *state;
	take_with_poison(rig);
	make_older(rig, 0, REASON_NONE);
	assert_int_equal(switch_to(rig, "g2"), 1);
	check_knows_poison_alone(rig);
}

static void so_is_one_that_comes_again_twice(void **state)
{
	struct store_rig *rig = *state;
	take_with_poison(rig);
	make_older(rig, 4, REASON_NONE);
	assert_int_equal(switch_to(rig, "g2"), 1);
	make_older(rig, 2, REASON_NONE);
	assert_int_equal(switch_to(rig, "g3"), 1);
	check_knows_poison_alone(rig);
}

static void one_that_was_taken_up_meanwhile_is_known_no_more(void **state)
{
	struct store_rig *rig = *state;
	take_with_poison(rig);
	make_older(rig, 4, REASON_NONE);
	(void)switch_to(rig, "g2");
	take(rig, 4, 10); /* by a version that can: no letter is left of it */
	make_older(rig, 2, REASON_NONE);
	assert_int_equal(switch_to(rig, "g3"), 0);
	assert_false(knows(rig, POISON, 0));
}

/* The older one was left when it waited there. */
static void not_even_where_the_older_one_knew_it(void **state)
{
	struct store_rig *rig = *state;
	take_with_poison(rig);
	make_older(rig, 4, REASON_NONE);
	(void)switch_to(rig, "g2");
	make_older(rig, 2, REASON_NONE);
	(void)switch_to(rig, "g3");
	take(rig, 2, 10);
	assert_int_equal(switch_to(rig, "g2"), 0);
	assert_false(knows(rig, POISON, 0));
}

static void one_that_both_have_taken_is_a_letter_in_both(void **state)
{
	struct store_rig *rig = *state;
	take_as(rig, 0, REASON_CRASH_LOOP);
	make_older(rig, 4, REASON_CRASH_LOOP);
	assert_int_equal(switch_to(rig, "g2"), 0);
	assert_false(knows(rig, 0, 0));
}

/* It was parked for want of a view, and ended the process when it was tried
 * again. */
static void a_letter_that_both_have_is_left_alone_in_both(void **state)
{
	struct store_rig *rig = *state;
	take_as(rig, 0, REASON_CRASH_LOOP);
	make_older(rig, 4, REASON_UNKNOWN_VIEW);
	assert_int_equal(switch_to(rig, "g2"), 1);
	assert_int_equal(store_rig_ask(rig, "SELECT count(*) FROM _parked"
					    " WHERE reason = 'crash_loop'"),
		1);
}

/* Its partition was paused when it was found. */
static void one_that_was_found_and_waits_is_known(void **state)
{
	struct store_rig *rig = *state;
	const struct crash crash = {.alone_log = 1,
		.alone_offset = POISON,
		.alone_ends = CRASH_ALONE_ENDS};
	take(rig, 0, POISON);
	assert_int_equal(crash_write(rig->store->db, &crash, NULL), 0);
	make_older(rig, 4, REASON_NONE);
	assert_int_equal(switch_to(rig, "g2"), 1);
	check_knows_poison_alone(rig);
}

/* A rebuild stands exactly where the live one stands. */
static void a_rebuild_knows_what_waits(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	const struct store_build build = {.origin = "the log"};
	const struct store_switch to = {.generation = "g3", .exactly = true};
	take_with_poison(rig);
	make_older(rig, 4, REASON_NONE);
	(void)switch_to(rig, "g2");
	struct store *live = rig->store;
	check_ok(store_build(&rig->store, &rig->options, &build, &fault),
		&fault);
	take(rig, 0, 4);
	check_ok(store_carry(rig->store, NULL, &fault), &fault);
	check_ok(store_complete(rig->store, &fault), &fault);
	store_close(rig->store);
	rig->store = live;
	check_ok(store_switch(&rig->store, &to, &fault), &fault);
	check_knows_poison_alone(rig);
}

static void readers_know_what_waits(void **state)
{
	struct store_rig *rig = *state;
	struct culprits culprits = CULPRITS_INIT;
	struct reader *reader = NULL;
	const struct log log = {.topic = "alpha", .incarnation = 3};
	const struct record record = {.log = &log, .offset = POISON};
	take_with_poison(rig);
	make_older(rig, 4, REASON_NONE);
	(void)switch_to(rig, "g2");
	assert_int_equal(
		reader_open(&reader, rig->directory.path, 1000, NULL), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(culprits_read(&culprits, reader, NULL), 0);
	assert_int_equal(culprits.count, 1);
	/* Whoever builds another generation counts logs anew. */
	assert_true(culprits_hold(&culprits, &record));
	culprits_finish(&culprits);
	reader_close(reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(a_record_that_comes_again_is_known),
		WITH_STORE(
			so_is_one_of_a_partition_that_the_older_one_does_not_have),
		WITH_STORE(so_is_one_that_comes_again_twice),
		WITH_STORE(one_that_was_taken_up_meanwhile_is_known_no_more),
		WITH_STORE(not_even_where_the_older_one_knew_it),
		WITH_STORE(one_that_both_have_taken_is_a_letter_in_both),
		WITH_STORE(a_letter_that_both_have_is_left_alone_in_both),
		WITH_STORE(one_that_was_found_and_waits_is_known),
		WITH_STORE(a_rebuild_knows_what_waits),
		WITH_STORE(readers_know_what_waits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
