/*
 * What a reader tells of the whole store: letters by their reasons, what
 * operators decided, and what takes no records because of it.
 */
#include "store/decisions.h"
#include "store/reader.h"
#include "tests/lib/check.h"
#include "tests/lib/store_rig.h"

#include <stdio.h>
#include <string.h>

#define LISTED 1000 /* pairs of reason and view; the rest by reason alone */

static void check_ok(int rc, const struct fault *fault)
{
	if (rc != 0)
		fail_msg("%d: %s", rc, fault->text);
}

static struct reader_status status_of(struct store_rig *rig)
{
	struct fault fault = {0};
	struct reader *reader = NULL;
	struct reader_status status;
	check_ok(reader_open(&reader, rig->directory.path, 0, &fault), &fault);
	check_ok(reader_summary(reader, &rig->arena, &status, &fault), &fault);
	reader_close(reader);
	return status;
}

/* A record that is dead or parked for `reason`, as of a view of that name. */
static void take(struct store_rig *rig, int64_t offset, enum reason reason,
	const char *view)
{
	struct fault fault = {0};
	const struct store_rig_event event = {
		.offset = offset, .id = 1, .reason = reason};
	struct store_record record = store_rig_record(rig, &event);
	record.decoded.updates[0].view_name = slice_of(view);
	const struct store_batch batch = {
		.records = &record, .record_count = 1};
	check_ok(store_apply(rig->store, &batch, NULL, &fault), &fault);
}

static void check_reason(const struct reader_reason_status *one,
	enum reason reason, const char *view, int64_t dead, int64_t parked)
{
	assert_int_equal(one->reason, reason);
	assert_string_equal(one->view, view);
	assert_int_equal(one->dead, dead);
	assert_int_equal(one->parked, parked);
}

/* Those of one number by the reasons' names, then the views'. */
static void most_letters_come_first(void **state)
{
	struct store_rig *rig = *state;
	static const struct {
		enum reason reason;
		const char *view;
	} letters[] = {{REASON_UNKNOWN_VIEW, "new"}, {REASON_OVERFLOW, "pair"},
		{REASON_TYPE_MISMATCH, "pair"}, {REASON_OVERFLOW, "account"},
		{REASON_TYPE_MISMATCH, "account"}, {REASON_UNKNOWN_VIEW, "new"},
		{REASON_TYPE_MISMATCH, "account"},
		{REASON_TYPE_MISMATCH, "account"}};
	for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++)
		take(rig, (int64_t)i, letters[i].reason, letters[i].view);
	const struct reader_status status = status_of(rig);
	const struct reader_reason_status *one = status.reasons;
	assert_int_equal(status.reason_count, 5);
	check_reason(&one[0], REASON_TYPE_MISMATCH, "account", 3, 0);
	check_reason(&one[1], REASON_UNKNOWN_VIEW, "new", 0, 2);
	check_reason(&one[2], REASON_OVERFLOW, "account", 1, 0);
	check_reason(&one[3], REASON_OVERFLOW, "pair", 1, 0);
	check_reason(&one[4], REASON_TYPE_MISMATCH, "pair", 1, 0);
}

/* Strangers can name views without end. */
static void views_beyond_those_listed_are_counted_together(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	static struct store_record records[LISTED + 7];
	for (int i = 0; i < LISTED + 7; i++) {
		const struct store_rig_event event = {.offset = i,
			.id = 1,
			.reason = i == LISTED + 3 ? REASON_OVERFLOW
						  : REASON_UNKNOWN_VIEW};
		records[i] = store_rig_record(rig, &event);
		records[i].decoded.updates[0].view_name =
			slice_of(arena_print(&rig->arena, "view_%04d", i));
	}
	const struct store_batch batch = {
		.records = records, .record_count = LISTED + 7};
	check_ok(store_apply(rig->store, &batch, NULL, &fault), &fault);
	const struct reader_status status = status_of(rig);
	assert_int_equal(status.reason_count, LISTED + 1);
	check_reason(&status.reasons[0], REASON_UNKNOWN_VIEW, "*", 0, 7);
	int64_t parked = 0, dead = 0;
	for (size_t i = 0; i < status.reason_count; i++) {
		parked += status.reasons[i].parked;
		dead += status.reasons[i].dead;
	}
	assert_int_equal(parked, LISTED + 6);
	assert_int_equal(dead, 1);
}

static struct decision decision(const char *what, int64_t at_us)
{
	return (struct decision){.at_us = at_us,
		.who = "ada",
		.what = what,
		.target = "account",
		.because = "it has to be"};
}

static void holds_are_listed_by_their_targets(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	const struct decision first = decision("hold", 11);
	const struct decision second = decision("hold", 12);
	check_ok(store_hold(
			 rig->store, "pair", NULL, CHOICE_FAIL, &first, &fault),
		&fault);
	check_ok(store_hold(rig->store, "account", "label", CHOICE_DEFAULT,
			 &second, &fault),
		&fault);
	const struct reader_status status = status_of(rig);
	assert_int_equal(status.hold_count, 2);
	assert_string_equal(status.holds[0].target, "account:label");
	assert_string_equal(status.holds[0].choice, "default");
	assert_string_equal(status.holds[0].because, "it has to be");
	assert_int_equal(status.holds[0].since_us, 12);
	assert_string_equal(status.holds[1].target, "pair");
	assert_string_equal(status.holds[1].choice, "fail");
}

static void the_newest_decisions_are_in_the_status_and_all_on_record(
	void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct reader *reader = NULL;
	const struct reader_decision *all = NULL;
	size_t count = 0;
	const int64_t made = READER_DECISIONS_MAX + 3;
	for (int64_t i = 1; i <= made; i++) {
		const struct decision one = decision("load", i);
		check_ok(store_decide(rig->store, &one, &fault), &fault);
	}
	const struct reader_status status = status_of(rig);
	assert_int_equal(status.decision_count, READER_DECISIONS_MAX);
	assert_int_equal(status.decisions[0].at_us, made);
	assert_string_equal(status.decisions[0].who, "ada");
	assert_string_equal(status.decisions[0].what, "load");
	assert_int_equal(status.decisions[READER_DECISIONS_MAX - 1].at_us, 4);
	check_ok(reader_open(&reader, rig->directory.path, 0, &fault), &fault);
	check_ok(reader_decisions(reader, &rig->arena, &all, &count, &fault),
		&fault);
	reader_close(reader);
	assert_int_equal(count, made);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(all[i].at_us, i + 1);
}

static void stop(
	struct store_rig *rig, const struct log *log, const char *reason)
{
	struct fault fault = {0};
	const struct store_stop stop = {.log = log,
		.reason = reason,
		.detail = "for a test",
		.since_us = 5,
		.log_start = 0};
	check_ok(store_stop_partition(rig->store, &stop, NULL, &fault), &fault);
}

static bool all_stopped(struct store_rig *rig)
{
	struct fault fault = {0};
	struct reader *reader = NULL;
	bool all = false;
	check_ok(reader_open(&reader, rig->directory.path, 0, &fault), &fault);
	check_ok(reader_all_stopped(reader, &all, &fault), &fault);
	reader_close(reader);
	return all;
}

static void what_takes_no_records_is_told_with_its_log(void **state)
{
	struct store_rig *rig = *state;
	assert_false(all_stopped(rig));
	const struct log *first = &store_rig_partition(rig, 0)->log;
	const struct log *second = &store_rig_partition(rig, 1)->log;
	assert_false(all_stopped(rig));
	stop(rig, second, STOP_PAUSED);
	assert_false(all_stopped(rig));
	stop(rig, first, STOP_CHANGED);
	assert_true(all_stopped(rig));
	struct fault fault = {0};
	struct reader *reader = NULL;
	struct reader_status status;
	check_ok(reader_open(&reader, rig->directory.path, 0, &fault), &fault);
	check_ok(reader_status(reader, &rig->arena, &status, &fault), &fault);
	assert_int_equal(status.stop_count, 2);
	assert_int_equal(status.stops[0].log->partition, 0);
	assert_string_equal(status.stops[0].log->topic, "alpha");
	assert_string_equal(status.stops[0].reason, STOP_CHANGED);
	assert_int_equal(status.stops[1].log->partition, 1);
	assert_string_equal(status.stops[1].detail, "for a test");
	assert_int_equal(status.stops[1].since_us, 5);
	reader_close(reader);
}

/* An older log of a partition takes no records anyway. */
static void only_the_newest_log_of_a_partition_counts(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	const struct decision one = decision("new log", 1);
	const struct log *log = &store_rig_partition(rig, 0)->log;
	stop(rig, log, STOP_CHANGED);
	check_ok(store_new_log(rig->store, log, &one, &fault), &fault);
	assert_false(all_stopped(rig));
	stop(rig, &store_rig_partition(rig, 0)->log, STOP_PAUSED);
	assert_true(all_stopped(rig));
}

/* A row that can't be right is damage, and nobody's status. */
static void a_damaged_row_is_told_and_not_shown(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct reader *reader = NULL;
	struct reader_status status;
	const struct decision one = decision("hold", 11);
	check_ok(
		store_hold(rig->store, "pair", NULL, CHOICE_FAIL, &one, &fault),
		&fault);
	check_ok(reader_open(&reader, rig->directory.path, 0, &fault), &fault);
	store_rig_tamper(rig, "UPDATE _hold SET because = 'nothing'");
	assert_int_equal(reader_summary(reader, &rig->arena, &status, &fault),
		FAULT_CORRUPT);
	assert_non_null(strstr(fault.text, "table _hold"));
	reader_close(reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(most_letters_come_first),
		WITH_STORE(views_beyond_those_listed_are_counted_together),
		WITH_STORE(holds_are_listed_by_their_targets),
		WITH_STORE(
			the_newest_decisions_are_in_the_status_and_all_on_record),
		WITH_STORE(what_takes_no_records_is_told_with_its_log),
		WITH_STORE(only_the_newest_log_of_a_partition_counts),
		WITH_STORE(a_damaged_row_is_told_and_not_shown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
