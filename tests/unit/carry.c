/*
 * What a generation built from the log takes over from the live one: what
 * people decided, and letters under the ids by which people know them.
 */
#include "store/decisions.h"
#include "store/generations.h"
#include "store/reader.h"
#include "store/verify.h"
#include "tests/lib/check.h"
#include "tests/lib/store_rig.h"

#include <string.h>

static const struct decision decision = {.at_us = STORE_RIG_TIME_US,
	.who = "ada",
	.what = "a test",
	.target = "account",
	.because = "it has to be"};

static const struct store_switch to_g2 = {.generation = "g2",
	.exactly = true,
	.decision = &decision};

static void check_ok(int rc, const struct fault *fault)
{
	if (rc != 0)
		fail_msg("%d: %s", rc, fault->text);
}

/* Every third event of a partition is a dead letter, each with its key. */
static void take_one(struct store_rig *rig, int32_t partition, int64_t offset)
{
	const struct store_rig_event event = {.partition = partition,
		.offset = offset,
		.record_s = offset,
		.key = 1 + (unsigned)(100 * partition + offset),
		.content = (uint64_t)offset,
		.id = offset % 5,
		.count = 10,
		.reason = offset % 3 == 0 ? REASON_TYPE_MISMATCH : REASON_NONE};
	(void)store_rig_take(rig, &event);
}

static void take(
	struct store_rig *rig, int32_t partition, int64_t first, int64_t end)
{
	for (int64_t offset = first; offset < end; offset++)
		take_one(rig, partition, offset);
}

/* The live one took partition 0 first, this one takes partition 1 first. */
static struct store *begin_build(struct store_rig *rig, int64_t log_start)
{
	struct fault fault = {0};
	const struct store_partition *partition = NULL;
	struct store *live = rig->store;
	const struct store_build build = {.origin = "the log"};
	check_ok(store_build(&rig->store, &rig->options, &build, &fault),
		&fault);
	for (int32_t number = 1; number >= 0; number--)
		check_ok(store_partition(rig->store, "alpha", number, log_start,
				 &partition, &fault),
			&fault);
	for (int32_t number = 1; number >= 0; number--)
		take(rig, number, log_start, 9);
	return live;
}

static void end_build(struct store_rig *rig, struct store *live)
{
	struct fault fault = {0};
	check_ok(store_carry(rig->store, NULL, &fault), &fault);
	check_ok(store_complete(rig->store, &fault), &fault);
	store_close(rig->store);
	rig->store = live;
}

static void take_live(struct store_rig *rig)
{
	take(rig, 0, 0, 9);
	take(rig, 1, 0, 9);
}

static void turn(struct store_rig *rig)
{
	struct fault fault = {0};
	check_ok(store_switch(&rig->store, &to_g2, &fault), &fault);
	assert_string_equal(store_generation(rig->store), "g2");
}

static void rebuild(struct store_rig *rig, int64_t log_start)
{
	struct store *live = begin_build(rig, log_start);
	end_build(rig, live);
	turn(rig);
}

static void expect_whole(struct store_rig *rig)
{
	struct fault fault = {0};
	struct reader *reader = NULL;
	struct verify_report report;
	check_ok(reader_open(&reader, rig->directory.path, 1000, &fault),
		&fault);
	check_ok(reader_verify(reader, &rig->arena, &report, &fault), &fault);
	if (report.problem_count > 0)
		fail_msg("%s", report.problems[0]);
	reader_close(reader);
}

/* Letters by hand: dead ones are at offsets 0, 3 and 6 of each partition, and
 * the live one numbered those of partition 0 first. */
static void expect_ids(const struct store_rig *rig)
{
	assert_int_equal(
		store_rig_ask(rig,
			"SELECT count(*) FROM _dead d JOIN _record r"
			" ON r.id = d.record JOIN _partition p ON p.id = r.log"
			" WHERE d.id = 3 * p.partition + r.offset / 3 + 1"),
		6);
	assert_int_equal(store_rig_ask(rig, "SELECT count(*) FROM _dead"), 6);
	/* and each key knows its letter */
	assert_int_equal(
		store_rig_ask(rig, "SELECT count(*) FROM _dead d JOIN _key k"
				   " ON k.key = d.key AND k.letter = d.id"),
		6);
}

static void letters_have_the_ids_by_which_people_know_them(void **state)
{
	struct store_rig *rig = *state;
	take_live(rig);
	expect_ids(rig);
	rebuild(rig, 0);
	expect_ids(rig);
	expect_whole(rig);
}

static void a_letter_can_be_retried_under_its_id(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct letter_whole whole;
	struct retry_verdict verdict;
	take_live(rig);
	rebuild(rig, 0);
	assert_int_equal(store_letter(rig->store, LETTER_DEAD, 5, &rig->arena,
				 &whole, &fault),
		1);
	assert_int_equal(whole.record.log->partition, 1);
	assert_int_equal(whole.record.offset, 3);
	const struct store_rig_event healed = {.partition = 1,
		.offset = 3,
		.record_s = 3,
		.key = 104,
		.content = 3,
		.id = 3,
		.count = 10};
	struct store_record record = store_rig_record(rig, &healed);
	const struct store_retry retry = {.letter = &whole.letter,
		.record = &record,
		.update = record.decoded.updates};
	const struct store_retry_options options = {.attempts_max = 5};
	check_ok(store_retry(rig->store, &retry, 1, &options, &verdict, &fault),
		&fault);
	assert_int_equal(verdict.fate, RETRY_APPLIED);
	assert_int_equal(store_rig_ask(rig,
				 "SELECT count(*) FROM _key WHERE state ="
				 " 'taken' AND offset = 3 AND letter IS NULL"),
		1);
	expect_whole(rig);
}

static void what_was_seen_stays_seen_and_what_left_stays_away(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct letter_whole whole;
	struct retry_verdict verdict;
	const int64_t seen[] = {2, 4};
	take_live(rig);
	assert_int_equal(
		store_acknowledge(rig->store, seen, 2, &decision, &fault), 2);
	assert_int_equal(store_letter(rig->store, LETTER_DEAD, 4, &rig->arena,
				 &whole, &fault),
		1);
	const struct store_record record = {
		.record = whole.record, .decoded = {0}};
	const struct store_retry leaves = {
		.letter = &whole.letter, .record = &record};
	const struct store_retry_options options = {.clear = true};
	check_ok(
		store_retry(rig->store, &leaves, 1, &options, &verdict, &fault),
		&fault);
	assert_int_equal(verdict.fate, RETRY_CLEARED);
	rebuild(rig, 0);
	assert_int_equal(
		store_rig_ask(rig, "SELECT count(*) * 100 + min(id) FROM _dead"
				   " WHERE acknowledged IS NOT NULL"),
		102);
	assert_int_equal(
		store_rig_ask(rig, "SELECT sum(id) FROM _dead"), 21 - 4);
	assert_int_equal(
		store_rig_ask(rig, "SELECT cleared FROM _partition WHERE"
				   " partition = 1"),
		1);
	expect_whole(rig);
}

/* Taken up by hand, healed; or let go. Letters by id, as the live one numbers
 * them. */
static void settle_by_hand(struct store_rig *rig, int64_t id, bool let_go)
{
	struct fault fault = {0};
	struct letter_whole whole;
	struct retry_verdict verdict;
	const struct decision asked = {.at_us = STORE_RIG_TIME_US,
		.who = "ada",
		.what = DECISION_RETRIED,
		.target = "dead",
		.because = ""};
	assert_int_equal(store_letter(rig->store, LETTER_DEAD, id, &rig->arena,
				 &whole, &fault),
		1);
	const int64_t offset = whole.record.offset;
	const struct store_rig_event healed = {.offset = offset,
		.record_s = offset,
		.key = 1 + (unsigned)offset,
		.content = (uint64_t)offset,
		.id = offset % 5,
		.count = 10};
	struct store_record record = store_rig_record(rig, &healed);
	if (let_go)
		record = (struct store_record){.record = whole.record};
	const struct store_retry retry = {.letter = &whole.letter,
		.record = &record,
		.update = let_go ? NULL : record.decoded.updates};
	const struct store_retry_options options = {.attempts_max = 5,
		.clear = let_go,
		.decision = let_go ? NULL : &asked};
	check_ok(store_retry(rig->store, &retry, 1, &options, &verdict, &fault),
		&fault);
	assert_int_equal(verdict.fate, let_go ? RETRY_CLEARED : RETRY_APPLIED);
}

static void see(struct store_rig *rig, int64_t id)
{
	struct fault fault = {0};
	assert_int_equal(
		store_acknowledge(rig->store, &id, 1, &decision, &fault), 1);
}

/* Offsets 0 and 3 of partition 0: what the first of them changed is not in the
 * log, and so it is a letter again. */
static void what_was_taken_up_does_not_go_for_what_was_let_go(void **state)
{
	struct store_rig *rig = *state;
	take_live(rig);
	settle_by_hand(rig, 1, false);
	see(rig, 2);
	settle_by_hand(rig, 2, true);
	rebuild(rig, 0);
	assert_int_equal(
		store_rig_ask(rig,
			"SELECT count(*) FROM _dead d JOIN _record r"
			" ON r.id = d.record JOIN _partition p ON p.id = r.log"
			" WHERE p.partition = 0 AND r.offset IN (0, 3)"),
		2);
	assert_int_equal(
		store_rig_ask(rig, "SELECT sum(cleared) FROM _partition"), 0);
	expect_whole(rig);
}

static void what_was_let_go_stays_away_where_all_of_it_was(void **state)
{
	struct store_rig *rig = *state;
	take_live(rig);
	settle_by_hand(rig, 1, false);
	for (int64_t id = 4; id <= 5; id++) {
		see(rig, id);
		settle_by_hand(rig, id, true);
	}
	rebuild(rig, 0);
	assert_int_equal(
		store_rig_ask(rig, "SELECT count(*) * 10 + (SELECT cleared FROM"
				   " _partition WHERE partition = 1) FROM"
				   " _dead"),
		42);
	expect_whole(rig);
}

static void the_export_goes_on_where_it_was(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	take_live(rig);
	check_ok(store_note_export(rig->store, 4, &fault), &fault);
	rebuild(rig, 0);
	assert_int_equal(
		store_rig_ask(rig, "SELECT value FROM _meta WHERE name ="
				   " 'exported_dead'"),
		4);
	take(rig, 0, 9, 10);
	assert_int_equal(store_rig_ask(rig, "SELECT max(id) FROM _dead"), 7);
}

static void letters_that_the_log_lost_are_copied(void **state)
{
	struct store_rig *rig = *state;
	take_live(rig);
	rebuild(rig, 4);
	/* offsets 0 and 3 of both partitions were out of reach */
	assert_int_equal(
		store_rig_ask(rig, "SELECT count(*) FROM _dead d JOIN _record r"
				   " ON r.id = d.record WHERE r.offset < 4"),
		4);
	assert_int_equal(store_rig_ask(rig, "SELECT sum(id) FROM _dead"), 21);
	expect_whole(rig);
}

static void pause_partition(struct store_rig *rig, int32_t number)
{
	struct fault fault = {0};
	const struct store_stop stop = {
		.log = &store_rig_partition(rig, number)->log,
		.reason = STOP_PAUSED,
		.detail = "paused: a test",
		.since_us = STORE_RIG_TIME_US,
		.log_start = LOG_START_UNKNOWN};
	check_ok(store_stop_partition(rig->store, &stop, &decision, &fault),
		&fault);
}

static void decisions_holds_and_stops_go_on(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	take_live(rig);
	check_ok(store_hold(rig->store, "account", "count", CHOICE_FAIL,
			 &decision, &fault),
		&fault);
	pause_partition(rig, 1);
	rebuild(rig, 0);
	/* the two, and the switch itself */
	assert_int_equal(
		store_rig_ask(rig, "SELECT count(*) FROM _decision"), 3);
	assert_int_equal(
		store_rig_ask(rig, "SELECT count(*) FROM _hold WHERE target ="
				   " 'account:count' AND choice = 'fail'"),
		1);
	/* ids of logs differ, what is stopped does not */
	assert_int_equal(store_rig_ask(rig,
				 "SELECT partition FROM _stop s JOIN _partition"
				 " p ON p.id = s.log WHERE reason = 'paused'"),
		1);
	expect_whole(rig);
}

static void what_is_decided_meanwhile_is_not_lost(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	take_live(rig);
	struct store *live = begin_build(rig, 0);
	end_build(rig, live);
	check_ok(store_hold(rig->store, "account", NULL, CHOICE_DEFAULT,
			 &decision, &fault),
		&fault);
	assert_int_equal(
		store_switch(&rig->store, &to_g2, &fault), FAULT_REFUSED);
	const struct store_build again = {.generation = "g2"};
	check_ok(store_build(&rig->store, &rig->options, &again, &fault),
		&fault);
	end_build(rig, live);
	turn(rig);
	assert_int_equal(store_rig_ask(rig, "SELECT count(*) FROM _hold"), 1);
}

static void twice_is_as_once(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	take_live(rig);
	pause_partition(rig, 0);
	struct store *live = begin_build(rig, 4);
	check_ok(store_carry(rig->store, NULL, &fault), &fault);
	end_build(rig, live);
	turn(rig);
	assert_int_equal(store_rig_ask(rig, "SELECT sum(id) FROM _dead"), 21);
	assert_int_equal(store_rig_ask(rig, "SELECT count(*) FROM _stop"), 1);
	expect_whole(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(letters_have_the_ids_by_which_people_know_them),
		WITH_STORE(a_letter_can_be_retried_under_its_id),
		WITH_STORE(what_was_seen_stays_seen_and_what_left_stays_away),
		WITH_STORE(what_was_taken_up_does_not_go_for_what_was_let_go),
		WITH_STORE(what_was_let_go_stays_away_where_all_of_it_was),
		WITH_STORE(the_export_goes_on_where_it_was),
		WITH_STORE(letters_that_the_log_lost_are_copied),
		WITH_STORE(decisions_holds_and_stops_go_on),
		WITH_STORE(what_is_decided_meanwhile_is_not_lost),
		WITH_STORE(twice_is_as_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
