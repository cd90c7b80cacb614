/*
 * Deletes that nobody needs to remember, forgotten in a generation being built:
 * what is gone then, what stays, and that rows and digest are those of a log
 * that never had them.
 */
#include "store/generations.h"
#include "store/reader.h"
#include "store/verify.h"
#include "tests/lib/check.h"
#include "tests/lib/store_rig.h"

#define AT_US(second) (STORE_RIG_TIME_US + (second)*SECOND_US)

static void check_ok(int rc, const struct fault *fault)
{
	if (rc != 0)
		fail_msg("%d: %s", rc, fault == NULL ? "" : fault->text);
}

/* At `second`, of entity `id`; a count of 0: a delete. */
struct step {
	int64_t second, id, count;
};

static void take(struct store_rig *rig, int64_t offset, const struct step *step)
{
	struct fault fault = {0};
	const struct store_rig_event event = {.offset = offset,
		.record_s = step->second,
		.key = 1 + (unsigned)offset,
		.content = (uint64_t)offset,
		.id = step->id,
		.count = step->count};
	struct store_record record = store_rig_record(rig, &event);
	if (step->count == 0) {
		record.decoded.updates[0].operation = OPERATION_DELETE;
		record.decoded.updates[0].assignment_count = 0;
	}
	const struct store_batch batch = {
		.records = &record, .record_count = 1};
	check_ok(store_apply(rig->store, &batch, NULL, &fault), &fault);
}

/* The generation g2, of that log, in the live one's stead. */
static struct store *build(
	struct store_rig *rig, const struct step *steps, size_t count)
{
	struct fault fault = {0};
	struct store *live = rig->store;
	const struct store_build build = {.origin = "the log"};
	check_ok(store_build(&rig->store, &rig->options, &build, &fault),
		&fault);
	for (size_t i = 0; i < count; i++)
		take(rig, (int64_t)i, &steps[i]);
	return live;
}

static int64_t forget(struct store_rig *rig, int64_t before_second)
{
	struct fault fault = {0};
	int64_t forgotten = -1;
	check_ok(store_forget_deletes(
			 rig->store, AT_US(before_second), &forgotten, &fault),
		&fault);
	return forgotten;
}

static void check_whole(struct store_rig *rig, const char *generation)
{
	struct fault fault = {0};
	struct reader *reader = NULL;
	struct verify_report report;
	check_ok(reader_open_generation(
			 &reader, rig->directory.path, generation, 0, &fault),
		&fault);
	check_ok(reader_verify(reader, &rig->arena, &report, &fault), &fault);
	if (report.problem_count > 0)
		fail_msg("%s", report.problems[0]);
	assert_true(digest_equal(report.digest, store_digest(rig->store)));
	reader_close(reader);
}

/* 1 is away since second 10, 2 since 30; 3 was away, and is back; 4 never was.
 */
static const struct step steps[] = {{5, 1, 1}, {6, 3, 2}, {10, 1, 0},
	{11, 3, 0}, {12, 3, 5}, {13, 4, 7}, {20, 2, 3}, {30, 2, 0}};
#define STEPS (sizeof steps / sizeof steps[0])

static int64_t deleted(const struct store_rig *rig)
{
	return rig->store->views[0].totals.deleted;
}

static void deletes_before_a_time_are_forgotten_and_later_ones_kept(
	void **state)
{
	struct store_rig *rig = *state;
	struct store *live = build(rig, steps, STEPS);
	assert_int_equal(deleted(rig), 2);
	assert_int_equal(forget(rig, 30), 2); /* of 1, and of 3 */
	assert_int_equal(deleted(rig), 1);
	check_whole(rig, "g2");
	/* an older event counts again for 1 and 3, and not for 2 */
	static const struct step older[] = {{7, 1, 1}, {7, 3, 1}, {7, 2, 1}};
	for (size_t i = 0; i < 3; i++)
		take(rig, (int64_t)(STEPS + i), &older[i]);
	const struct store_accounts *accounts =
		&store_rig_partition(rig, 0)->accounts;
	/* all of the log, without the one that is older than 2's delete */
	assert_int_equal(
		accounts->dispositions[DISPOSITION_APPLIED], STEPS + 2);
	assert_int_equal(accounts->dispositions[DISPOSITION_SUPERSEDED], 1);
	check_whole(rig, "g2");
	store_close(rig->store);
	rig->store = live;
}

/* The digest is that of the log without what is forgotten. */
static void what_is_left_is_what_a_log_without_them_gives(void **state)
{
	struct store_rig *rig = *state;
	static const struct step rest[] = {{12, 3, 5}, {13, 4, 7}};
	struct store *live = build(rig, steps, STEPS);
	assert_int_equal(forget(rig, 31), 3);
	struct digest digest = store_digest(rig->store);
	store_close(rig->store);
	rig->store = live;
	take(rig, 0, &rest[0]);
	take(rig, 1, &rest[1]);
	assert_true(digest_equal(digest, store_digest(rig->store)));
}

static void once_more_is_as_if_only_once(void **state)
{
	struct store_rig *rig = *state;
	struct store *live = build(rig, steps, STEPS);
	assert_int_equal(forget(rig, 31), 3);
	struct digest digest = store_digest(rig->store);
	assert_int_equal(forget(rig, 31), 0);
	/* an earlier time does not unsay the later one */
	assert_int_equal(forget(rig, 5), 0);
	assert_true(digest_equal(digest, store_digest(rig->store)));
	int64_t before_us = 0;
	check_ok(sql_integer(rig->store->db,
			 "SELECT value FROM _meta WHERE name ="
			 " 'forgotten_before'",
			 &before_us, NULL),
		NULL);
	assert_int_equal(before_us, AT_US(31));
	store_close(rig->store);
	rig->store = live;
}

static void nothing_is_forgotten_where_nothing_was_deleted(void **state)
{
	struct store_rig *rig = *state;
	struct store *live = build(rig, &steps[4], 2);
	struct digest digest = store_digest(rig->store);
	assert_int_equal(forget(rig, 100), 0);
	assert_true(digest_equal(digest, store_digest(rig->store)));
	store_close(rig->store);
	rig->store = live;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(
			deletes_before_a_time_are_forgotten_and_later_ones_kept),
		WITH_STORE(what_is_left_is_what_a_log_without_them_gives),
		WITH_STORE(once_more_is_as_if_only_once),
		WITH_STORE(nothing_is_forgotten_where_nothing_was_deleted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
