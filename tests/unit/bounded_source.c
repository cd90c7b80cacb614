/* A source that another generation's progress bounds: never a record beyond. */
#include "ingest/bounded_source.h"
#include "tests/lib/check.h"
#include "tests/lib/script_source.h"

#include <stdlib.h>
#include <string.h>

#define AS_OF_US (SCRIPT_TIME_US + 5)

struct rig {
	struct script_clock clock;
	struct script_source script;
	struct bounded_source *bounded;
	struct log log;
};

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof *rig);
	struct fault fault = {0};
	assert_non_null(rig);
	script_follow(&rig->script, &rig->clock);
	rig->log = (struct log){.topic = "alpha", .partition = 0};
	assert_int_equal(
		bounded_source_open(&rig->bounded, &rig->script.source, &fault),
		0);
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;
	source_close(bounded_source_of(rig->bounded));
	free(rig);
	return 0;
}

static void begin(struct rig *rig, int64_t offset)
{
	script_begin(bounded_source_of(rig->bounded), &rig->log, offset);
}

static void limit(struct rig *rig, int64_t next_offset)
{
	struct fault fault = {0};
	const struct source_limit limit = {.topic = "alpha",
		.partition = 0,
		.next_offset = next_offset,
		.as_of_us = AS_OF_US};
	assert_int_equal(bounded_source_limit(rig->bounded, &limit, &fault), 0);
}

static void records(struct rig *rig, int count)
{
	static const char *const values[] = {
		"zero", "one", "two", "three", "four"};
	for (int i = 0; i < count; i++)
		script_record(&rig->script, 0, values[i]);
}

static int next(struct rig *rig, struct source_event *event)
{
	return script_next(bounded_source_of(rig->bounded), event);
}

static void expect_record(struct rig *rig, int64_t offset, const char *value)
{
	struct source_event event;
	assert_int_equal(next(rig, &event), SOURCE_RECORD);
	assert_int_equal(event.record.offset, offset);
	assert_int_equal(event.record.value.length, strlen(value));
	assert_memory_equal(event.record.value.data, value, strlen(value));
}

static void expect_told(
	struct rig *rig, enum source_outcome outcome, int64_t next_offset)
{
	struct source_event event;
	assert_int_equal(next(rig, &event), outcome);
	assert_int_equal(event.next_offset, next_offset);
	assert_ptr_equal(event.log, &rig->log);
}

static void expect_end(struct rig *rig, int64_t next_offset)
{
	expect_told(rig, SOURCE_END, next_offset);
}

static void expect_limit(struct rig *rig, int64_t next_offset)
{
	expect_told(rig, SOURCE_LIMIT, next_offset);
}

static void expect_nothing(struct rig *rig)
{
	struct source_event event;
	assert_int_equal(next(rig, &event), SOURCE_IDLE);
}

static void what_lies_beyond_the_limit_does_not_come(void **state)
{
	struct rig *rig = *state;
	records(rig, 5);
	begin(rig, 0);
	limit(rig, 2);
	expect_record(rig, 0, "zero");
	expect_record(rig, 1, "one");
	expect_limit(rig, 2);
	expect_nothing(rig);
	assert_true(rig->script.partitions[0].paused);
}

static void it_comes_when_the_limit_is_raised(void **state)
{
	struct rig *rig = *state;
	records(rig, 5);
	begin(rig, 0);
	limit(rig, 1);
	expect_record(rig, 0, "zero");
	expect_limit(rig, 1);
	limit(rig, 3);
	expect_record(rig, 1, "one");
	expect_record(rig, 2, "two");
	expect_limit(rig, 3);
	expect_nothing(rig);
}

static void without_a_limit_nothing_comes(void **state)
{
	struct rig *rig = *state;
	records(rig, 2);
	begin(rig, 0);
	expect_nothing(rig);
	limit(rig, 1);
	expect_record(rig, 0, "zero");
	expect_limit(rig, 1);
}

static void a_limit_is_never_lowered(void **state)
{
	struct rig *rig = *state;
	records(rig, 2);
	begin(rig, 0);
	limit(rig, 2);
	limit(rig, 1);
	expect_record(rig, 0, "zero");
	expect_record(rig, 1, "one");
}

static void a_limit_behind_a_gap_is_reached(void **state)
{
	struct rig *rig = *state;
	records(rig, 2);
	script_gap(&rig->script, 0, 3);
	script_record(&rig->script, 0, "five");
	begin(rig, 0);
	limit(rig, 5);
	expect_record(rig, 0, "zero");
	expect_record(rig, 1, "one");
	expect_limit(rig, 5);
	limit(rig, 6);
	expect_record(rig, 5, "five");
}

static void a_limit_where_the_log_ends_is_its_end(void **state)
{
	struct rig *rig = *state;
	records(rig, 2);
	script_end(&rig->script, 0);
	begin(rig, 0);
	limit(rig, 2);
	expect_record(rig, 0, "zero");
	expect_record(rig, 1, "one");
	expect_end(rig, 2);
	expect_nothing(rig);
}

static void who_starts_at_the_logs_end_is_told_so(void **state)
{
	struct rig *rig = *state;
	limit(rig, 2);
	records(rig, 2);
	begin(rig, 2);
	expect_nothing(rig);
	script_end(&rig->script, 0);
	expect_end(rig, 2);
}

/* Nobody takes what lies beyond until somebody decides so. */
static void the_limit_of_a_stopped_partition_is_its_end(void **state)
{
	struct rig *rig = *state;
	struct fault fault = {0};
	struct source_limit stopped = {.topic = "alpha",
		.next_offset = 1,
		.as_of_us = AS_OF_US,
		.stopped = true};
	records(rig, 3);
	begin(rig, 0);
	limit(rig, 1);
	expect_record(rig, 0, "zero");
	expect_limit(rig, 1);
	assert_int_equal(
		bounded_source_limit(rig->bounded, &stopped, &fault), 0);
	expect_end(rig, 1);
	expect_nothing(rig);
	stopped.next_offset = 2;
	assert_int_equal(
		bounded_source_limit(rig->bounded, &stopped, &fault), 0);
	expect_record(rig, 1, "one");
	expect_end(rig, 2);
	limit(rig, 3);
	expect_record(rig, 2, "two");
}

static void an_end_before_the_limit_is_told_as_it_is(void **state)
{
	struct rig *rig = *state;
	records(rig, 2);
	script_end(&rig->script, 0);
	begin(rig, 0);
	limit(rig, 9);
	expect_record(rig, 0, "zero");
	expect_record(rig, 1, "one");
	expect_end(rig, 2);
}

/* Markers of transactions lie behind the last record: the live one is beyond
 * them when its own source says so, perhaps after ours has said it. */
static void an_end_beyond_the_limit_is_told_when_that_comes_there(void **state)
{
	struct rig *rig = *state;
	records(rig, 2);
	script_gap(&rig->script, 0, 2);
	script_end(&rig->script, 0);
	begin(rig, 0);
	limit(rig, 2);
	expect_record(rig, 0, "zero");
	expect_record(rig, 1, "one");
	expect_limit(rig, 2);
	expect_nothing(rig);
	limit(rig, 4);
	expect_end(rig, 4);
	expect_nothing(rig);
}

static void where_it_stands_at_its_limit_it_says_nothing(void **state)
{
	struct rig *rig = *state;
	limit(rig, 2);
	records(rig, 3);
	begin(rig, 2);
	expect_nothing(rig);
	limit(rig, 3);
	expect_record(rig, 2, "two");
}

static void what_waits_does_not_come_while_it_is_held_back(void **state)
{
	struct rig *rig = *state;
	struct fault fault = {0};
	struct source *source = bounded_source_of(rig->bounded);
	records(rig, 3);
	begin(rig, 0);
	limit(rig, 1);
	expect_record(rig, 0, "zero");
	expect_limit(rig, 1);
	assert_int_equal(source_pause(source, &rig->log, true, &fault), 0);
	limit(rig, 3);
	expect_nothing(rig);
	assert_int_equal(source_pause(source, &rig->log, false, &fault), 0);
	expect_record(rig, 1, "one");
	expect_record(rig, 2, "two");
}

static void started_anew_it_gives_what_it_kept_once(void **state)
{
	struct rig *rig = *state;
	records(rig, 3);
	begin(rig, 0);
	limit(rig, 1);
	expect_record(rig, 0, "zero");
	expect_limit(rig, 1); /* and keeps the next */
	begin(rig, 0);
	limit(rig, 3);
	expect_record(rig, 0, "zero");
	expect_record(rig, 1, "one");
	expect_record(rig, 2, "two");
}

static void it_says_how_much_is_left(void **state)
{
	struct rig *rig = *state;
	records(rig, 5);
	assert_int_equal(bounded_source_left(rig->bounded), 0);
	begin(rig, 0);
	limit(rig, 4);
	assert_int_equal(bounded_source_left(rig->bounded), 4);
	expect_record(rig, 0, "zero");
	assert_int_equal(bounded_source_left(rig->bounded), 3);
	for (int i = 0; i < 3; i++) {
		struct source_event event;
		assert_int_equal(next(rig, &event), SOURCE_RECORD);
	}
	expect_limit(rig, 4);
	assert_int_equal(bounded_source_left(rig->bounded), 0);
	limit(rig, INT64_MAX);
	assert_int_equal(bounded_source_left(rig->bounded), INT64_MAX);
	expect_record(rig, 4, "four");
	script_end(&rig->script, 0);
	expect_end(rig, 5);
	assert_int_equal(bounded_source_left(rig->bounded), 0);
	script_record(&rig->script, 0, "five");
	expect_record(rig, 5, "five");
	assert_int_equal(bounded_source_left(rig->bounded), 0);
}

static void started_anew_it_stays_held_back(void **state)
{
	struct rig *rig = *state;
	struct fault fault = {0};
	struct source *source = bounded_source_of(rig->bounded);
	records(rig, 2);
	begin(rig, 0);
	limit(rig, 2);
	assert_int_equal(source_pause(source, &rig->log, true, &fault), 0);
	begin(rig, 0);
	expect_nothing(rig);
	assert_int_equal(source_pause(source, &rig->log, false, &fault), 0);
	expect_record(rig, 0, "zero");
}

static void nothing_is_committed(void **state)
{
	struct rig *rig = *state;
	source_commit(bounded_source_of(rig->bounded), &rig->log, 1);
	assert_int_equal(rig->script.partitions[0].commits, 0);
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RIG(what_lies_beyond_the_limit_does_not_come),
		WITH_RIG(it_comes_when_the_limit_is_raised),
		WITH_RIG(without_a_limit_nothing_comes),
		WITH_RIG(a_limit_is_never_lowered),
		WITH_RIG(a_limit_behind_a_gap_is_reached),
		WITH_RIG(a_limit_where_the_log_ends_is_its_end),
		WITH_RIG(who_starts_at_the_logs_end_is_told_so),
		WITH_RIG(the_limit_of_a_stopped_partition_is_its_end),
		WITH_RIG(an_end_before_the_limit_is_told_as_it_is),
		WITH_RIG(an_end_beyond_the_limit_is_told_when_that_comes_there),
		WITH_RIG(where_it_stands_at_its_limit_it_says_nothing),
		WITH_RIG(what_waits_does_not_come_while_it_is_held_back),
		WITH_RIG(started_anew_it_gives_what_it_kept_once),
		WITH_RIG(it_says_how_much_is_left),
		WITH_RIG(started_anew_it_stays_held_back),
		WITH_RIG(nothing_is_committed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
