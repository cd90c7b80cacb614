/*
 * Records that ended the process, as whoever else takes the same log learns of
 * them: by the letters of a generation, of the newest log alone.
 */
#include "store/culprits.h"
#include "store/decisions.h"
#include "tests/lib/check.h"
#include "tests/lib/store_rig.h"

#include <string.h>

static void check_ok(int rc, const struct fault *fault)
{
	if (rc != 0)
		fail_msg("%d: %s", rc, fault->text);
}

/* A record that is put away unseen, dead or parked. */
static void put_away(struct store_rig *rig, int32_t partition, int64_t offset,
	enum reason reason, bool parks)
{
	struct fault fault = {0};
	struct update update = {
		.reason = reason, .parks = parks, .detail = "for a test"};
	const struct store_rig_event event = {
		.partition = partition, .offset = offset, .id = 1};
	struct store_record record = store_rig_record(rig, &event);
	record.decoded =
		(struct decoded){record.record.timestamp_us, &update, 1};
	const struct store_batch batch = {
		.records = &record, .record_count = 1};
	check_ok(store_apply(rig->store, &batch, NULL, &fault), &fault);
}

static void read_all(struct store_rig *rig, struct culprits *culprits)
{
	struct fault fault = {0};
	struct reader *reader = NULL;
	check_ok(reader_open(&reader, rig->directory.path, 0, &fault), &fault);
	check_ok(culprits_read(culprits, reader, &fault), &fault);
	reader_close(reader);
}

static bool hold(const struct culprits *culprits, const char *topic,
	int32_t partition, int64_t offset)
{
	const struct log log = {.topic = topic, .partition = partition};
	const struct record record = {.log = &log, .offset = offset};
	return culprits_hold(culprits, &record);
}

static void only_what_ended_the_process_is_held(void **state)
{
	struct store_rig *rig = *state;
	struct culprits culprits = CULPRITS_INIT;
	put_away(rig, 0, 0, REASON_BAD_JSON, false);
	put_away(rig, 0, 1, REASON_CRASH_LOOP, true);
	put_away(rig, 0, 2, REASON_UNKNOWN_VIEW, true);
	put_away(rig, 1, 2, REASON_CRASH_LOOP, false);
	read_all(rig, &culprits);
	assert_int_equal(culprits.count, 2);
	assert_true(hold(&culprits, "alpha", 0, 1));
	assert_true(hold(&culprits, "alpha", 1, 2));
	assert_false(hold(&culprits, "alpha", 0, 0));
	assert_false(hold(&culprits, "alpha", 0, 2));
	assert_false(hold(&culprits, "alpha", 1, 1));
	assert_false(hold(&culprits, "beta", 0, 1));
	culprits_finish(&culprits);
	assert_false(hold(&culprits, "alpha", 0, 1));
}

static void what_came_since_is_added_once(void **state)
{
	struct store_rig *rig = *state;
	struct culprits culprits = CULPRITS_INIT;
	for (int64_t offset = 0; offset < 20; offset++)
		put_away(rig, 0, offset, REASON_CRASH_LOOP, true);
	read_all(rig, &culprits);
	read_all(rig, &culprits);
	assert_int_equal(culprits.count, 20);
	put_away(rig, 0, 20, REASON_CRASH_LOOP, true);
	read_all(rig, &culprits);
	assert_int_equal(culprits.count, 21);
	for (int64_t offset = 0; offset < 21; offset++)
		assert_true(hold(&culprits, "alpha", 0, offset));
	culprits_finish(&culprits);
}

/* The same offset of another log is another record. */
static void what_another_log_held_says_nothing(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct culprits culprits = CULPRITS_INIT;
	const struct decision decision = {1, "ada", "new log", "alpha:0", ""};
	put_away(rig, 0, 0, REASON_CRASH_LOOP, true);
	const struct log *log = &store_rig_partition(rig, 0)->log;
	const struct store_stop stop = {.log = log,
		.reason = STOP_CHANGED,
		.detail = "for a test",
		.log_start = 0};
	check_ok(store_stop_partition(rig->store, &stop, NULL, &fault), &fault);
	check_ok(store_new_log(rig->store, log, &decision, &fault), &fault);
	read_all(rig, &culprits);
	assert_int_equal(culprits.count, 0);
	culprits_finish(&culprits);
}

static void letters_that_can_not_be_read_are_told(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct reader *reader = NULL;
	struct culprits culprits = CULPRITS_INIT;
	put_away(rig, 0, 0, REASON_CRASH_LOOP, true);
	store_rig_tamper(rig, "UPDATE _parked SET detail = 'nothing'");
	check_ok(reader_open(&reader, rig->directory.path, 0, &fault), &fault);
	assert_int_equal(
		culprits_read(&culprits, reader, &fault), FAULT_CORRUPT);
	assert_non_null(strstr(fault.text, "table _parked"));
	assert_int_equal(culprits.count, 0);
	/* and it is not forgotten meanwhile */
	store_rig_tamper(rig, "UPDATE _parked SET detail = 'for a test'");
	check_ok(culprits_read(&culprits, reader, &fault), &fault);
	assert_true(hold(&culprits, "alpha", 0, 0));
	store_rig_tamper(rig, "DROP TABLE _parked");
	assert_true(culprits_read(&culprits, reader, &fault) < 0);
	reader_close(reader);
	culprits_finish(&culprits);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(only_what_ended_the_process_is_held),
		WITH_STORE(what_came_since_is_added_once),
		WITH_STORE(what_another_log_held_says_nothing),
		WITH_STORE(letters_that_can_not_be_read_are_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
