/*
 * What a generation takes over from a live one that is not like it: logs that
 * were made anew, letters that came apart, records with headers.
 */
#include "store/decisions.h"
#include "store/generations.h"
#include "store/reader.h"
#include "store/verify.h"
#include "tests/lib/check.h"
#include "tests/lib/store_rig.h"

#include <stdio.h>
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

static struct store_rig_event event(int64_t offset, enum reason reason)
{
	return (struct store_rig_event){.offset = offset,
		.record_s = offset,
		.key = 1 + (unsigned)offset,
		.content = (uint64_t)offset,
		.id = 7,
		.count = 1,
		.reason = reason};
}

static void take(struct store_rig *rig, int64_t offset, enum reason reason)
{
	const struct store_rig_event one = event(offset, reason);
	(void)store_rig_take(rig, &one);
}

/* Of the log that took the first one's place: other events. */
static void take_anew(struct store_rig *rig, int64_t offset, enum reason reason)
{
	struct store_rig_event one = event(offset, reason);
	one.key += 100;
	(void)store_rig_take(rig, &one);
}

/* A closed store's file, made by SQL from outside. */
static struct directory copy_of(struct store_rig *rig)
{
	char sql[DIRECTORY_PATH_MAX + 32];
	struct directory copy =
		directory_entry(&rig->directory, "backups/copy.db");
	(void)snprintf(sql, sizeof sql, "VACUUM INTO '%s'", copy.path);
	store_rig_tamper(rig, sql);
	return copy;
}

/* rig->store is g2 from here on, which returns the live one. */
static struct store *begin_build(struct store_rig *rig, const char *base)
{
	struct fault fault = {0};
	struct store *live = rig->store;
	const struct store_build build = {.base = base, .origin = "a test"};
	check_ok(store_build(&rig->store, &rig->options, &build, &fault),
		&fault);
	return live;
}

static struct carried carry(struct store_rig *rig)
{
	struct fault fault = {0};
	struct carried carried = {0};
	check_ok(store_carry(rig->store, &carried, &fault), &fault);
	return carried;
}

static void end_build(struct store_rig *rig, struct store *live)
{
	struct fault fault = {0};
	const struct store_switch to = {.generation = "g2", .exactly = true};
	check_ok(store_complete(rig->store, &fault), &fault);
	store_close(rig->store);
	rig->store = live;
	check_ok(store_switch(&rig->store, &to, &fault), &fault);
}

static void expect_whole(struct store_rig *rig)
{
	struct fault fault = {0};
	struct reader *reader = NULL;
	struct verify_report report;
	check_ok(reader_open(&reader, rig->directory.path, 0, &fault), &fault);
	check_ok(reader_verify(reader, &rig->arena, &report, &fault), &fault);
	if (report.problem_count > 0)
		fail_msg("%s", report.problems[0]);
	reader_close(reader);
}

static int64_t count(struct store_rig *rig, const char *rows)
{
	char sql[160];
	(void)snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", rows);
	return store_rig_ask(rig, sql);
}

static void stop(struct store_rig *rig, const struct log *log,
	const char *reason, int64_t log_start)
{
	struct fault fault = {0};
	const struct store_stop made = {.log = log,
		.reason = reason,
		.detail = "for a test",
		.log_start = log_start};
	check_ok(store_stop_partition(rig->store, &made, NULL, &fault), &fault);
}

/* The log of partition 0 is another one from here on. */
static void make_log_anew(struct store_rig *rig)
{
	struct fault fault = {0};
	const struct log *log = &store_rig_partition(rig, 0)->log;
	stop(rig, log, STOP_CHANGED, 0);
	check_ok(store_new_log(rig->store, log, &decision, &fault), &fault);
}

/* From a base, which has both logs: letters of either are the same ones. */
static void letters_of_an_older_log_are_found_in_what_a_base_brought(
	void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	const int64_t seen = 1;
	take(rig, 0, REASON_TYPE_MISMATCH);
	make_log_anew(rig);
	take_anew(rig, 0, REASON_TYPE_MISMATCH);
	const struct directory base = copy_of(rig);
	assert_int_equal(
		store_acknowledge(rig->store, &seen, 1, &decision, &fault), 1);
	struct store *live = begin_build(rig, base.path);
	const struct carried carried = carry(rig);
	assert_int_equal(carried.letters, 2);
	assert_int_equal(carried.copied, 0);
	end_build(rig, live);
	assert_int_equal(count(rig, "_dead"), 2);
	assert_int_equal(
		count(rig, "_dead WHERE id = 1 AND acknowledged IS NOT NULL"),
		1);
	expect_whole(rig);
}

/* Its first log is the live one's newest, whatever its number there. */
static void the_newest_log_is_the_first_of_one_built_from_it(void **state)
{
	struct store_rig *rig = *state;
	take(rig, 0, REASON_TYPE_MISMATCH);
	take(rig, 1, REASON_TYPE_MISMATCH);
	make_log_anew(rig);
	take_anew(rig, 0, REASON_NONE);
	take_anew(rig, 1, REASON_OVERFLOW);
	stop(rig, &store_rig_partition(rig, 0)->log, STOP_PAUSED, -1);
	struct store *live = begin_build(rig, NULL);
	take_anew(rig, 0, REASON_NONE);
	take_anew(rig, 1, REASON_OVERFLOW);
	const struct carried carried = carry(rig);
	assert_int_equal(carried.letters, 1);
	assert_int_equal(carried.stops, 1);
	end_build(rig, live);
	/* letter 3 of the live one */
	assert_int_equal(count(rig, "_dead WHERE id = 3"), 1);
	assert_int_equal(count(rig, "_dead"), 1);
	expect_whole(rig);
}

static void stops_that_are_found_anew_are_not_taken_over(void **state)
{
	struct store_rig *rig = *state;
	const struct store_rig_event other = {.partition = 1, .id = 1};
	take(rig, 0, REASON_NONE);
	(void)store_rig_take(rig, &other);
	stop(rig, &store_rig_partition(rig, 0)->log, STOP_LOST, 5);
	stop(rig, &store_rig_partition(rig, 1)->log, STOP_PAUSED, -1);
	struct store *live = begin_build(rig, NULL);
	take(rig, 0, REASON_NONE);
	/* partition 1 was never taken here */
	assert_int_equal(carry(rig).stops, 0);
	store_close(rig->store);
	rig->store = live;
}

/* From behind it: the log no longer holds the first record. */
static void take_from_behind(struct store_rig *rig)
{
	struct fault fault = {0};
	const struct store_partition *partition = NULL;
	check_ok(store_partition(rig->store, "alpha", 0, 1, &partition, &fault),
		&fault);
	take(rig, 1, REASON_NONE);
}

static void parked_letters_that_the_log_lost_are_copied(void **state)
{
	struct store_rig *rig = *state;
	take(rig, 0, REASON_UNKNOWN_VIEW);
	take(rig, 1, REASON_NONE);
	struct store *live = begin_build(rig, NULL);
	take_from_behind(rig);
	assert_int_equal(carry(rig).copied, 1);
	assert_int_equal(carry(rig).copied, 0); /* once */
	end_build(rig, live);
	assert_int_equal(count(rig, "_parked"), 1);
	assert_int_equal(store_rig_partition(rig, 0)
				 ->accounts.dispositions[DISPOSITION_PARKED],
		1);
	expect_whole(rig);
}

/* A record as it came: key, headers with and without a value. */
static void headers_are_copied_as_they_came(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct letter_whole whole;
	const struct header headers[] = {
		{.name = slice_of("trace"), .value = slice_of("a\x01z")},
		{.name = slice_of("empty"), .value = slice_of("")},
		{.name = slice_of("null")}};
	const struct store_rig_event one = event(0, REASON_TYPE_MISMATCH);
	struct store_record record = store_rig_record(rig, &one);
	record.record.key = slice_of("the key");
	record.record.headers = headers;
	record.record.header_count = 3;
	const struct store_batch batch = {
		.records = &record, .record_count = 1};
	check_ok(store_apply(rig->store, &batch, NULL, &fault), &fault);
	take(rig, 1, REASON_NONE);
	struct store *live = begin_build(rig, NULL);
	take_from_behind(rig);
	assert_int_equal(carry(rig).copied, 1);
	end_build(rig, live);
	assert_int_equal(store_letter(rig->store, LETTER_DEAD, 1, &rig->arena,
				 &whole, &fault),
		1);
	assert_true(slice_equal(whole.record.key, slice_of("the key")));
	assert_int_equal(whole.record.header_count, 3);
	for (size_t i = 0; i < 3; i++) {
		const struct header *header = &whole.record.headers[i];
		assert_true(slice_equal(header->name, headers[i].name));
		assert_true(slice_equal(header->value, headers[i].value));
	}
	assert_null(whole.record.headers[2].value.data);
	assert_non_null(whole.record.headers[1].value.data);
	expect_whole(rig);
}

static void tries_and_times_of_parked_letters_are_the_live_ones(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct letter_whole whole;
	struct retry_verdict verdict;
	take(rig, 0, REASON_UNKNOWN_VIEW);
	assert_int_equal(store_letter(rig->store, LETTER_PARKED, 1, &rig->arena,
				 &whole, &fault),
		1);
	const struct store_rig_event still = event(0, REASON_UNKNOWN_VIEW);
	struct store_record record = store_rig_record(rig, &still);
	const struct store_retry retry = {.letter = &whole.letter,
		.record = &record,
		.update = record.decoded.updates,
		.due_us = STORE_RIG_TIME_US + 77};
	const struct store_retry_options options = {.attempts_max = 5};
	check_ok(store_retry(rig->store, &retry, 1, &options, &verdict, &fault),
		&fault);
	assert_int_equal(verdict.fate, RETRY_PARKED);
	struct store *live = begin_build(rig, NULL);
	take(rig, 0, REASON_UNKNOWN_VIEW);
	assert_int_equal(carry(rig).letters, 1);
	end_build(rig, live);
	assert_int_equal(store_letter(rig->store, LETTER_PARKED, 1, &rig->arena,
				 &whole, &fault),
		1);
	assert_int_equal(whole.letter.due_us, STORE_RIG_TIME_US + 77);
	assert_int_equal(whole.letter.attempts, 1);
}

/* Copies of one event: the live one's letter is of the first, this one's of
 * the second, since here the other partition came first. */
static void letters_of_copies_are_one_letter(void **state)
{
	struct store_rig *rig = *state;
	struct store_rig_event first = event(0, REASON_TYPE_MISMATCH);
	struct store_rig_event second = first;
	second.partition = 1;
	(void)store_rig_take(rig, &first);
	(void)store_rig_take(rig, &second);
	take(rig, 1, REASON_TYPE_MISMATCH);
	struct store *live = begin_build(rig, NULL);
	(void)store_rig_take(rig, &second);
	(void)store_rig_take(rig, &first);
	take(rig, 1, REASON_TYPE_MISMATCH);
	const struct carried carried = carry(rig);
	assert_int_equal(carried.letters, 2);
	assert_int_equal(carried.copied, 0);
	end_build(rig, live);
	assert_int_equal(count(rig, "_dead"), 2);
	assert_int_equal(count(rig, "_dead d JOIN _key k ON k.key = d.key"
				    " AND k.letter = d.id"),
		2);
	expect_whole(rig);
}

/* Letters that only this one has get ids that none had. */
static void letters_that_only_one_has_stay_apart(void **state)
{
	struct store_rig *rig = *state;
	take(rig, 0, REASON_TYPE_MISMATCH);
	take(rig, 1, REASON_NONE);
	struct store *live = begin_build(rig, NULL);
	take(rig, 0, REASON_NONE);
	take(rig, 1, REASON_TYPE_MISMATCH); /* under another decoder */
	const struct carried carried = carry(rig);
	assert_int_equal(carried.letters, 0);
	end_build(rig, live);
	assert_int_equal(count(rig, "_dead WHERE id = 2"), 1);
	assert_int_equal(count(rig, "_dead"), 1);
	expect_whole(rig);
}

static void many_letters_keep_their_ids(void **state)
{
	struct store_rig *rig = *state;
	for (int64_t offset = 0; offset < 150; offset++)
		take(rig, offset, REASON_TYPE_MISMATCH);
	struct store *live = begin_build(rig, NULL);
	for (int64_t offset = 0; offset < 150; offset++)
		take(rig, offset, REASON_TYPE_MISMATCH);
	assert_int_equal(carry(rig).letters, 150);
	end_build(rig, live);
	assert_int_equal(count(rig, "_dead d JOIN _record r ON r.id = d.record"
				    " WHERE d.id = r.offset + 1"),
		150);
}

/* What the log lost, and the live one can't give. */
static void letters_that_can_not_be_read_stay_behind_and_are_counted(
	void **state)
{
	struct store_rig *rig = *state;
	take(rig, 0, REASON_TYPE_MISMATCH);
	take(rig, 1, REASON_NONE);
	store_rig_tamper(rig, "UPDATE _dead SET detail = detail || '!'");
	struct store *live = begin_build(rig, NULL);
	take_from_behind(rig);
	const struct carried carried = carry(rig);
	assert_int_equal(carried.damaged, 1);
	assert_int_equal(carried.copied + carried.letters, 0);
	store_close(rig->store);
	rig->store = live;
}

/* Nor one whose record is damaged. */
static void letters_of_damaged_records_stay_behind_and_are_counted(void **state)
{
	struct store_rig *rig = *state;
	take(rig, 0, REASON_TYPE_MISMATCH);
	take(rig, 1, REASON_NONE);
	store_rig_tamper(rig, "UPDATE _record SET value = x'00'");
	struct store *live = begin_build(rig, NULL);
	take_from_behind(rig);
	const struct carried carried = carry(rig);
	assert_int_equal(carried.damaged, 1);
	assert_int_equal(carried.copied + carried.letters, 0);
	store_close(rig->store);
	rig->store = live;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(
			letters_of_an_older_log_are_found_in_what_a_base_brought),
		WITH_STORE(the_newest_log_is_the_first_of_one_built_from_it),
		WITH_STORE(stops_that_are_found_anew_are_not_taken_over),
		WITH_STORE(parked_letters_that_the_log_lost_are_copied),
		WITH_STORE(headers_are_copied_as_they_came),
		WITH_STORE(tries_and_times_of_parked_letters_are_the_live_ones),
		WITH_STORE(letters_of_copies_are_one_letter),
		WITH_STORE(letters_that_only_one_has_stay_apart),
		WITH_STORE(many_letters_keep_their_ids),
		WITH_STORE(
			letters_that_can_not_be_read_stay_behind_and_are_counted),
		WITH_STORE(
			letters_of_damaged_records_stay_behind_and_are_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
