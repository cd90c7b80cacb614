/* A source that ends at a moment: of each partition what came before. */
#include "ingest/until_source.h"
#include "tests/lib/check.h"
#include "tests/lib/script_source.h"

#include <stdlib.h>

#define UNTIL_US SCRIPT_TIME_US

struct rig {
	struct script_clock clock;
	struct script_source script;
	struct source *until;
	struct log logs[2]; /* of partitions 0 and 1 */
	int found;	    /* calls */
	int32_t refused;    /* -1: none */
	const char *cluster_id;
};

static int found(
	void *payload, const struct source_event *event, struct fault *fault)
{
	struct rig *rig = payload;
	rig->found++;
	return event->partition == rig->refused
		       ? fault_set(fault, FAULT_REFUSED, "not this one")
		       : 0;
}

static void know(void *payload, struct source_position *position)
{
	struct rig *rig = payload;
	position->cluster_id = rig->cluster_id;
}

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof *rig);
	struct fault fault = {0};
	assert_non_null(rig);
	script_follow(&rig->script, &rig->clock);
	rig->refused = -1;
	rig->cluster_id = "where it was";
	rig->logs[0] = (struct log){.id = 1, .topic = "alpha", .partition = 0};
	rig->logs[1] = (struct log){.id = 2, .topic = "alpha", .partition = 1};
	const struct until_options options = {.until_us = UNTIL_US,
		.found = found,
		.know = know,
		.log_payload = rig};
	assert_int_equal(until_source_open(&rig->until, &rig->script.source,
				 &options, &fault),
		0);
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;
	source_close(rig->until);
	free(rig);
	return 0;
}

static void begin(struct rig *rig, int partition, int64_t offset)
{
	script_begin(rig->until, &rig->logs[partition], offset);
}

/* A record so long behind the moment. */
static void record(struct rig *rig, int32_t partition, int64_t behind_us)
{
	script_record_time(&rig->script, UNTIL_US + behind_us);
	script_record(&rig->script, partition, "{}");
}

static int next(struct rig *rig, struct source_event *event)
{
	return script_next(rig->until, event);
}

static void expect_record(struct rig *rig, int32_t partition, int64_t offset)
{
	struct source_event event;
	assert_int_equal(next(rig, &event), SOURCE_RECORD);
	assert_ptr_equal(event.record.log, &rig->logs[partition]);
	assert_int_equal(event.record.offset, offset);
}

static void expect_end(struct rig *rig, int32_t partition, int64_t next_offset)
{
	struct source_event event;
	assert_int_equal(next(rig, &event), SOURCE_END);
	assert_ptr_equal(event.log, &rig->logs[partition]);
	assert_int_equal(event.next_offset, next_offset);
}

static void expect_nothing(struct rig *rig)
{
	struct source_event event;
	assert_int_equal(next(rig, &event), SOURCE_IDLE);
}

static void pause_partition(struct rig *rig, int partition, bool pause)
{
	struct fault fault = {0};
	assert_int_equal(
		source_pause(rig->until, &rig->logs[partition], pause, &fault),
		0);
}

static void the_first_later_record_is_the_end(void **state)
{
	struct rig *rig = *state;
	struct source_event event;
	record(rig, 0, -1);
	record(rig, 0, 0);
	record(rig, 0, 1);
	record(rig, 0, -1); /* was at the moment not there yet */
	begin(rig, 0, 0);
	expect_record(rig, 0, 0);
	expect_record(rig, 0, 1);
	assert_int_equal(next(rig, &event), SOURCE_END);
	assert_int_equal(event.next_offset, 2);
	assert_int_equal(event.as_of_us, UNTIL_US);
	expect_nothing(rig);
	assert_true(rig->script.partitions[0].paused);
}

static void each_partition_has_its_own(void **state)
{
	struct rig *rig = *state;
	record(rig, 0, 5);
	record(rig, 1, -5);
	record(rig, 0, -4);
	record(rig, 1, 3);
	begin(rig, 0, 0);
	begin(rig, 1, 0);
	expect_end(rig, 0, 0);
	expect_record(rig, 1, 0);
	expect_end(rig, 1, 1);
	expect_nothing(rig);
}

static void a_log_that_ends_before_ends_where_it_does(void **state)
{
	struct rig *rig = *state;
	record(rig, 0, -1);
	script_end(&rig->script, 0);
	record(rig, 0, -1);
	begin(rig, 0, 0);
	expect_record(rig, 0, 0);
	expect_end(rig, 0, 1);
	expect_record(rig, 0, 1);
}

static void started_anew_it_gives_the_same_again(void **state)
{
	struct rig *rig = *state;
	record(rig, 0, -2);
	record(rig, 0, -1);
	record(rig, 0, 1);
	begin(rig, 0, 0);
	expect_record(rig, 0, 0);
	expect_record(rig, 0, 1);
	expect_end(rig, 0, 2);
	begin(rig, 0, 1);
	expect_record(rig, 0, 1);
	expect_end(rig, 0, 2);
	expect_nothing(rig);
}

static void who_is_held_back_at_the_end_is_not_let_go_by_others(void **state)
{
	struct rig *rig = *state;
	record(rig, 0, 1);
	record(rig, 0, 2);
	begin(rig, 0, 0);
	expect_end(rig, 0, 0);
	pause_partition(rig, 0, true);
	pause_partition(rig, 0, false);
	assert_true(rig->script.partitions[0].paused);
	expect_nothing(rig);
}

static void held_back_it_gives_nothing_until_it_may(void **state)
{
	struct rig *rig = *state;
	record(rig, 0, -1);
	begin(rig, 0, 0);
	pause_partition(rig, 0, true);
	expect_nothing(rig);
	begin(rig, 0, 0);
	expect_nothing(rig);
	pause_partition(rig, 0, false);
	expect_record(rig, 0, 0);
}

static void each_partition_is_looked_at_before_it_is_taken(void **state)
{
	struct rig *rig = *state;
	struct source_event event;
	struct fault fault = {0};
	script_announce(&rig->script, 0);
	script_announce(&rig->script, 1);
	rig->refused = 1;
	assert_int_equal(next(rig, &event), SOURCE_PARTITION);
	assert_int_equal(rig->found, 1);
	assert_int_equal(
		source_poll(rig->until, &event, 1, &fault), FAULT_REFUSED);
	assert_string_equal(fault.text, "not this one");
}

static void a_log_is_started_with_what_it_is_known_by(void **state)
{
	struct rig *rig = *state;
	begin(rig, 1, 0);
	assert_string_equal(
		rig->script.partitions[1].cluster_id, rig->cluster_id);
}

static void nothing_is_committed(void **state)
{
	struct rig *rig = *state;
	source_commit(rig->until, &rig->logs[0], 1);
	assert_int_equal(rig->script.partitions[0].commits, 0);
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RIG(the_first_later_record_is_the_end),
		WITH_RIG(each_partition_has_its_own),
		WITH_RIG(a_log_that_ends_before_ends_where_it_does),
		WITH_RIG(started_anew_it_gives_the_same_again),
		WITH_RIG(who_is_held_back_at_the_end_is_not_let_go_by_others),
		WITH_RIG(held_back_it_gives_nothing_until_it_may),
		WITH_RIG(each_partition_is_looked_at_before_it_is_taken),
		WITH_RIG(a_log_is_started_with_what_it_is_known_by),
		WITH_RIG(nothing_is_committed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
