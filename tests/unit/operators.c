/* What operators ask for in vain: each is told why, and nothing is on the
 * record. */
#include "store/decisions.h"
#include "tests/lib/check.h"
#include "tests/lib/store_rig.h"

#include <string.h>

static const struct decision decision = {.at_us = STORE_RIG_TIME_US,
	.who = "ada",
	.what = "a test",
	.target = "account",
	.because = "it has to be"};

static void check_ok(int rc, const struct fault *fault)
{
	if (rc != 0)
		fail_msg("%d: %s", rc, fault->text);
}

static void check_refused(int rc, const struct fault *fault, const char *why)
{
	assert_int_equal(rc, FAULT_USAGE);
	if (strstr(fault->text, why) == NULL)
		fail_msg("\"%s\" is not in: %s", why, fault->text);
}

static int64_t decisions(struct store_rig *rig)
{
	return store_rig_ask(rig, "SELECT count(*) FROM _decision");
}

static const struct log *stop(
	struct store_rig *rig, const char *reason, int64_t log_start)
{
	struct fault fault = {0};
	const struct log *log = &store_rig_partition(rig, 0)->log;
	const struct store_stop made = {.log = log,
		.reason = reason,
		.detail = "for a test",
		.log_start = log_start};
	check_ok(store_stop_partition(rig->store, &made, NULL, &fault), &fault);
	return log;
}

static void take(struct store_rig *rig, int64_t offset, enum reason reason)
{
	const struct store_rig_event event = {
		.offset = offset, .id = 7, .count = 1, .reason = reason};
	(void)store_rig_take(rig, &event);
}

static void holds_are_on_what_there_is(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	check_refused(store_hold(rig->store, "accounts", NULL, CHOICE_FAIL,
			      &decision, &fault),
		&fault,
		"there is no view accounts: `holdfast status` lists them");
	check_refused(store_hold(rig->store, "account", "counts", CHOICE_FAIL,
			      &decision, &fault),
		&fault, "view account has no feature counts");
	check_refused(store_release(rig->store, "account", "counts", &decision,
			      &fault),
		&fault, "view account has no feature counts");
	check_refused(
		store_release(rig->store, "accounts", NULL, &decision, &fault),
		&fault, "there is no view accounts");
	assert_int_equal(decisions(rig), 0);
}

static void what_is_not_held_or_stopped_can_not_be_ended(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	const struct log *log = &store_rig_partition(rig, 0)->log;
	assert_int_equal(
		store_release(rig->store, "account", NULL, &decision, &fault),
		1);
	assert_int_equal(
		store_resume_partition(rig->store, log, &decision, &fault), 1);
	assert_int_equal(
		store_accept_gap(rig->store, log, &decision, &fault), 1);
	assert_int_equal(store_new_log(rig->store, log, &decision, &fault), 1);
	assert_int_equal(decisions(rig), 0);
	assert_int_equal(store_partition_count(rig->store), 1);
}

/* Each of the two ends what it is for, and nothing else. */
static void gaps_and_new_logs_end_what_they_are_for(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	const struct log *log = stop(rig, STOP_CHANGED, 5);
	assert_int_equal(
		store_accept_gap(rig->store, log, &decision, &fault), 1);
	(void)stop(rig, STOP_LOST, 5);
	assert_int_equal(store_new_log(rig->store, log, &decision, &fault), 1);
	(void)stop(rig, STOP_PAUSED, 5);
	assert_int_equal(
		store_accept_gap(rig->store, log, &decision, &fault), 1);
	assert_int_equal(store_new_log(rig->store, log, &decision, &fault), 1);
	assert_int_equal(decisions(rig), 0);
	assert_int_equal(store_rig_partition(rig, 0)->accounts.next_offset, 0);
}

static void nobody_goes_on_where_a_log_starts_unknown(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	const struct log *log = stop(rig, STOP_LOST, LOG_START_UNKNOWN);
	assert_int_equal(
		store_accept_gap(rig->store, log, &decision, &fault), 1);
	(void)stop(rig, STOP_CHANGED, LOG_START_UNKNOWN);
	assert_int_equal(store_new_log(rig->store, log, &decision, &fault), 1);
	assert_int_equal(decisions(rig), 0);
}

/* A log that starts where we are, or before, has no gap. */
static void no_offset_goes_back_over_a_gap(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	for (int64_t offset = 0; offset < 3; offset++)
		take(rig, offset, REASON_NONE);
	for (int64_t start = 2; start <= 3; start++) {
		const struct log *log = stop(rig, STOP_LOST, start);
		assert_int_equal(
			store_accept_gap(rig->store, log, &decision, &fault),
			1);
	}
	const struct store_accounts *accounts =
		&store_rig_partition(rig, 0)->accounts;
	assert_int_equal(accounts->next_offset, 3);
	assert_int_equal(accounts->lost, 0);
	const struct log *log = stop(rig, STOP_LOST, 9);
	check_ok(store_accept_gap(rig->store, log, &decision, &fault), &fault);
	assert_int_equal(accounts->next_offset, 9);
	assert_int_equal(accounts->lost, 6);
	assert_int_equal(decisions(rig), 1);
	assert_int_equal(
		store_rig_ask(rig, "SELECT before = '3' AND after = '9' FROM"
				   " _decision"),
		1);
}

static void the_export_does_not_pass_letters_to_come(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	take(rig, 0, REASON_TYPE_MISMATCH);
	take(rig, 1, REASON_TYPE_MISMATCH);
	check_refused(store_note_export(rig->store, 3, &fault), &fault,
		"no dead letter had the id 3 so far");
	check_ok(store_note_export(rig->store, 2, &fault), &fault);
	/* nor does it go back */
	check_ok(store_note_export(rig->store, 1, &fault), &fault);
	assert_int_equal(
		store_rig_ask(rig, "SELECT value FROM _meta WHERE name ="
				   " 'exported_dead'"),
		2);
}

static void letters_that_are_gone_are_left_out(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	const int64_t ids[] = {7, 1, 9};
	take(rig, 0, REASON_TYPE_MISMATCH);
	assert_int_equal(
		store_acknowledge(rig->store, ids, 3, &decision, &fault), 1);
	assert_int_equal(
		store_acknowledge(rig->store, ids, 1, &decision, &fault), 0);
	store_rig_tamper(rig, "UPDATE _dead SET detail = 'nothing'");
	assert_int_equal(
		store_acknowledge(rig->store, ids, 3, &decision, &fault),
		FAULT_CORRUPT);
	assert_non_null(strstr(fault.text, "table _dead"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(holds_are_on_what_there_is),
		WITH_STORE(what_is_not_held_or_stopped_can_not_be_ended),
		WITH_STORE(gaps_and_new_logs_end_what_they_are_for),
		WITH_STORE(nobody_goes_on_where_a_log_starts_unknown),
		WITH_STORE(no_offset_goes_back_over_a_gap),
		WITH_STORE(the_export_does_not_pass_letters_to_come),
		WITH_STORE(letters_that_are_gone_are_left_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
