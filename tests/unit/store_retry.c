/* Letters taken up again: as if they had come in time, or refused. */
#include "store/reader.h"
#include "store/verify.h"
#include "tests/lib/check.h"
#include "tests/lib/store_rig.h"

#include <string.h>

enum { COUNT, LABEL }; /* features of `account` */

/* A letter that was read, and what its update would be now. */
struct retrial {
	struct letter letter;
	struct store_record record;
	struct update *update;
};

/* When what stays parked is tried again. */
#define DUE_US STORE_RIG_TIME_US

static struct store_retry_options options = {.attempts_max = 3};

static int64_t letters_in(const struct store_rig *rig, const char *table)
{
	char sql[64];
	snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", table);
	return store_rig_ask(rig, sql);
}

/* The letter, and the update of `event` without its fault. */
static struct retrial read_letter(struct store_rig *rig, enum letter_kind kind,
	int64_t id, const struct store_rig_event *event)
{
	struct fault fault = {0};
	struct retrial retrial = {0};
	struct store_rig_event now = *event;
	now.reason = REASON_NONE;
	struct letter_whole whole;
	if (store_letter(rig->store, kind, id, &rig->arena, &whole, &fault) !=
		1)
		fail_msg("letter %d: %s", (int)id, fault.text);
	retrial.letter = whole.letter;
	retrial.record.record = whole.record;
	struct store_record decoded = store_rig_record(rig, &now);
	retrial.record.decoded = decoded.decoded;
	retrial.update = decoded.decoded.updates;
	return retrial;
}

static enum retry_fate retry(struct store_rig *rig,
	const struct retrial *retrial, const struct store_retry_options *how)
{
	struct fault fault = {0};
	struct retry_verdict verdict = {.fate = RETRY_PARKED};
	struct store_retry one = {.letter = &retrial->letter,
		.record = &retrial->record,
		.update = retrial->update,
		.due_us = DUE_US};
	int rc = store_retry(rig->store, &one, 1, how, &verdict, &fault);
	if (rc != STORE_DURABLE)
		fail_msg("%d: %s", rc, fault.text);
	return verdict.fate;
}

static void expect_whole(struct store_rig *rig)
{
	struct fault fault = {0};
	struct reader *reader = NULL;
	struct verify_report report;
	assert_int_equal(
		reader_open(&reader, rig->directory.path, 0, &fault), 0);
	assert_int_equal(
		reader_verify(reader, &rig->arena, &report, &fault), 0);
	if (report.problem_count > 0)
		fail_msg("%s", report.problems[0]);
	assert_true(digest_equal(report.digest, store_digest(rig->store)));
	reader_close(reader);
}

static const struct store_accounts *accounts(struct store_rig *rig)
{
	return &store_rig_partition(rig, 0)->accounts;
}

/* What the digest is when these come one after the other, all good. */
static struct digest digest_of(
	const struct store_rig_event *events, size_t count)
{
	void *state = NULL;
	store_rig_setup(&state);
	struct store_rig *rig = state;
	for (size_t i = 0; i < count; i++) {
		struct store_rig_event event = events[i];
		event.reason = REASON_NONE;
		event.offset = (int64_t)i;
		store_rig_take(rig, &event);
	}
	struct digest digest = store_digest(rig->store);
	store_rig_teardown(&state);
	return digest;
}

static const struct store_rig_event broken[] = {
	{.offset = 0, .record_s = 1, .key = 1, .id = 1, .count = 5},
	{.offset = 1,
		.record_s = 2,
		.key = 2,
		.id = 1,
		.count = 7,
		.reason = REASON_UNKNOWN_VIEW},
	{.offset = 2,
		.record_s = 3,
		.key = 3,
		.id = 1,
		.count = 9,
		.reason = REASON_TYPE_MISMATCH},
	{.offset = 3, .record_s = 4, .key = 4, .id = 1, .count = 11},
};

static void take_broken(struct store_rig *rig)
{
	for (size_t i = 0; i < 4; i++)
		store_rig_take(rig, &broken[i]);
}

static void retried_letters_are_as_if_they_had_come_in_time(void **state)
{
	struct store_rig *rig = *state;
	take_broken(rig);
	assert_int_equal(letters_in(rig, "_record"), 2);
	struct retrial parked = read_letter(rig, LETTER_PARKED, 1, &broken[1]);
	assert_int_equal(parked.letter.reason, REASON_UNKNOWN_VIEW);
	assert_int_equal(parked.record.record.offset, 1);
	assert_int_equal(retry(rig, &parked, &options), RETRY_APPLIED);
	struct retrial dead = read_letter(rig, LETTER_DEAD, 1, &broken[2]);
	assert_int_equal(retry(rig, &dead, &options), RETRY_APPLIED);
	assert_true(
		digest_equal(store_digest(rig->store), digest_of(broken, 4)));
	assert_int_equal(letters_in(rig, "_dead"), 0);
	assert_int_equal(letters_in(rig, "_parked"), 0);
	assert_int_equal(letters_in(rig, "_record"), 0);
	assert_int_equal(accounts(rig)->dispositions[DISPOSITION_APPLIED], 4);
	assert_int_equal(accounts(rig)->dispositions[DISPOSITION_DEAD], 0);
	assert_int_equal(accounts(rig)->dispositions[DISPOSITION_PARKED], 0);
	expect_whole(rig);
}

static void what_was_overtaken_by_newer_values_is_superseded(void **state)
{
	struct store_rig *rig = *state;
	take_broken(rig);
	struct store_rig_event newer = {
		.offset = 4, .record_s = 9, .key = 9, .id = 1};
	struct store_record record = store_rig_record(rig, &newer);
	struct store_batch batch = {.records = &record, .record_count = 1};
	struct fault fault = {0};
	record.decoded.updates[0].assignments[0].feature = LABEL;
	record.decoded.updates[0].assignments[0].value.as.bytes =
		slice_of("new");
	assert_int_equal(store_apply(rig->store, &batch, NULL, &fault), 0);
	struct retrial dead = read_letter(rig, LETTER_DEAD, 1, &broken[2]);
	dead.update->assignments[0].feature = LABEL;
	dead.update->assignments[0].value.as.bytes = slice_of("old");
	struct digest before = store_digest(rig->store);
	assert_int_equal(retry(rig, &dead, &options), RETRY_SUPERSEDED);
	assert_true(digest_equal(before, store_digest(rig->store)));
	assert_int_equal(
		accounts(rig)->dispositions[DISPOSITION_SUPERSEDED], 1);
	expect_whole(rig);
}

static void a_dry_run_says_what_would_happen_and_changes_nothing(void **state)
{
	struct store_rig *rig = *state;
	struct store_retry_options dry = options;
	dry.dry_run = true;
	take_broken(rig);
	struct digest before = store_digest(rig->store);
	struct retrial dead = read_letter(rig, LETTER_DEAD, 1, &broken[2]);
	for (int i = 0; i < 3; i++)
		assert_int_equal(retry(rig, &dead, &dry), RETRY_APPLIED);
	assert_true(digest_equal(before, store_digest(rig->store)));
	assert_int_equal(letters_in(rig, "_dead"), 1);
	expect_whole(rig);
	assert_int_equal(retry(rig, &dead, &options), RETRY_APPLIED);
	expect_whole(rig);
}

static void its_key_is_taken_from_then_on(void **state)
{
	struct store_rig *rig = *state;
	take_broken(rig);
	struct store_rig_event copy = broken[2];
	copy.offset = 4;
	copy.reason = REASON_NONE;
	struct store_tally tally = store_rig_take(rig, &copy);
	assert_int_equal(tally.dispositions[DISPOSITION_DUPLICATE], 1);
	struct retrial dead = read_letter(rig, LETTER_DEAD, 1, &broken[2]);
	assert_int_equal(retry(rig, &dead, &options), RETRY_APPLIED);
	copy.offset = 5;
	tally = store_rig_take(rig, &copy);
	assert_int_equal(tally.dispositions[DISPOSITION_DUPLICATE], 1);
	store_rig_close(rig);
	store_rig_open(rig);
	copy.offset = 6;
	tally = store_rig_take(rig, &copy);
	assert_int_equal(tally.dispositions[DISPOSITION_DUPLICATE], 1);
	expect_whole(rig);
}

static void one_that_a_correction_overtook_is_refused(void **state)
{
	struct store_rig *rig = *state;
	take_broken(rig);
	struct store_rig_event correction = broken[2];
	correction.offset = 4;
	correction.content = 99;
	correction.reason = REASON_NONE;
	store_rig_take(rig, &correction);
	struct digest before = store_digest(rig->store);
	struct retrial dead = read_letter(rig, LETTER_DEAD, 1, &broken[2]);
	assert_int_equal(dead.letter.state, LETTER_OVERTAKEN);
	assert_int_equal(retry(rig, &dead, &options), RETRY_OVERTAKEN);
	assert_true(digest_equal(before, store_digest(rig->store)));
	assert_int_equal(letters_in(rig, "_dead"), 1);
	expect_whole(rig);
}

static void a_reused_key_needs_force(void **state)
{
	struct store_rig *rig = *state;
	struct store_retry_options force = options;
	force.force = true;
	static const struct store_rig_event events[] = {
		{.offset = 0, .record_s = 1, .key = 1, .id = 1, .count = 5},
		{.offset = 1,
			.record_s = 2,
			.key = 1,
			.content = 8,
			.id = 1,
			.count = 7},
	};
	store_rig_take(rig, &events[0]);
	store_rig_take(rig, &events[1]);
	struct retrial dead = read_letter(rig, LETTER_DEAD, 1, &events[1]);
	assert_int_equal(dead.letter.reason, REASON_KEY_REUSED);
	assert_int_equal(retry(rig, &dead, &options), RETRY_DEAD);
	assert_int_equal(letters_in(rig, "_dead"), 1);
	assert_int_equal(retry(rig, &dead, &force), RETRY_APPLIED);
	assert_int_equal(store_rig_ask(rig, "SELECT count FROM account"), 12);
	struct store_rig_event copy = events[0];
	copy.offset = 2;
	struct store_tally tally = store_rig_take(rig, &copy);
	assert_int_equal(tally.dispositions[DISPOSITION_DUPLICATE], 1);
	expect_whole(rig);
}

/* By no key that the window may have let go meanwhile. */
static void a_reused_key_stays_one_that_needs_force(void **state)
{
	struct store_rig *rig = *state;
	struct store_retry_options force = options;
	force.force = true;
	static const struct store_rig_event events[] = {
		{.offset = 0, .record_s = 1, .key = 1, .id = 1, .count = 5},
		{.offset = 1,
			.record_s = 2,
			.key = 1,
			.content = 8,
			.id = 1,
			.count = INT64_MAX},
	};
	store_rig_take(rig, &events[0]);
	store_rig_take(rig, &events[1]);
	struct retrial dead = read_letter(rig, LETTER_DEAD, 1, &events[1]);
	assert_int_equal(retry(rig, &dead, &force), RETRY_DEAD);
	dead = read_letter(rig, LETTER_DEAD, 1, &events[1]);
	assert_int_equal(dead.letter.reason, REASON_KEY_REUSED);
	assert_int_equal(
		store_rig_ask(rig, "SELECT detail LIKE '%; by force: overflow:"
				   " feature \"count\"%' FROM _dead"),
		1);
	expect_whole(rig);
	store_rig_tamper(rig, "DELETE FROM _key");
	store_rig_close(rig);
	store_rig_open(rig);
	dead = read_letter(rig, LETTER_DEAD, 1, &events[1]);
	assert_int_equal(retry(rig, &dead, &options), RETRY_DEAD);
	assert_int_equal(store_rig_ask(rig, "SELECT count(*) FROM _key"), 0);
}

static void forced_and_of_no_view_it_stays_dead(void **state)
{
	struct store_rig *rig = *state;
	struct store_retry_options force = options;
	force.force = true;
	static const struct store_rig_event events[] = {
		{.offset = 0, .record_s = 1, .key = 1, .id = 1, .count = 5},
		{.offset = 1,
			.record_s = 2,
			.key = 1,
			.content = 8,
			.reason = REASON_UNKNOWN_VIEW},
	};
	store_rig_take(rig, &events[0]);
	store_rig_take(rig, &events[1]);
	struct retrial dead = read_letter(rig, LETTER_DEAD, 1, &events[1]);
	dead.update->reason = REASON_UNKNOWN_VIEW;
	dead.update->parks = true;
	dead.update->view = NULL;
	assert_int_equal(retry(rig, &dead, &force), RETRY_DEAD);
	assert_int_equal(letters_in(rig, "_parked"), 0);
	dead = read_letter(rig, LETTER_DEAD, 1, &events[1]);
	assert_int_equal(dead.letter.reason, REASON_KEY_REUSED);
	expect_whole(rig);
}

static void what_is_still_broken_keeps_its_letter(void **state)
{
	struct store_rig *rig = *state;
	take_broken(rig);
	struct retrial dead = read_letter(rig, LETTER_DEAD, 1, &broken[2]);
	dead.update->reason = REASON_OUT_OF_BOUNDS;
	dead.update->detail = "beyond maximum";
	assert_int_equal(retry(rig, &dead, &options), RETRY_DEAD);
	dead = read_letter(rig, LETTER_DEAD, 1, &broken[2]);
	assert_int_equal(dead.letter.reason, REASON_OUT_OF_BOUNDS);
	assert_true(
		slice_equal(dead.letter.detail, slice_of("beyond maximum")));
	assert_int_equal(retry(rig, &dead, &options), RETRY_APPLIED);
	expect_whole(rig);
}

static void a_letters_id_is_never_given_again(void **state)
{
	struct store_rig *rig = *state;
	const struct store_retry_options clear = {
		.attempts_max = 3, .clear = true};
	take_broken(rig);
	struct retrial dead = read_letter(rig, LETTER_DEAD, 1, &broken[2]);
	assert_int_equal(retry(rig, &dead, &clear), RETRY_CLEARED);
	struct retrial parked = read_letter(rig, LETTER_PARKED, 1, &broken[1]);
	assert_int_equal(retry(rig, &parked, &options), RETRY_APPLIED);
	store_rig_close(rig);
	store_rig_open(rig);
	for (int64_t offset = 4; offset < 6; offset++) {
		struct store_rig_event event = broken[offset - 3];
		event.offset = offset;
		event.key += 10;
		store_rig_take(rig, &event);
	}
	assert_int_equal(store_rig_ask(rig, "SELECT id FROM _dead"), 2);
	assert_int_equal(store_rig_ask(rig, "SELECT id FROM _parked"), 2);
	expect_whole(rig);
}

static struct retrial still_parked(struct store_rig *rig, bool has_update)
{
	struct retrial parked = read_letter(rig, LETTER_PARKED, 1, &broken[1]);
	parked.update->reason = REASON_UNKNOWN_VIEW;
	parked.update->parks = true;
	parked.update->view = NULL;
	if (!has_update)
		parked.update = NULL;
	return parked;
}

static void parked_too_often_it_is_dead(void **state)
{
	struct store_rig *rig = *state;
	take_broken(rig);
	for (int64_t attempt = 1; attempt < 3; attempt++) {
		/* also where its record has no such update any more */
		struct retrial parked = still_parked(rig, attempt == 1);
		assert_int_equal(retry(rig, &parked, &options), RETRY_PARKED);
		parked = still_parked(rig, true);
		assert_int_equal(parked.letter.attempts, attempt);
		assert_true(parked.letter.due_us == DUE_US);
		struct store_rig_event copy = broken[1];
		copy.offset = 3 + attempt;
		copy.reason = REASON_NONE;
		struct store_tally tally = store_rig_take(rig, &copy);
		assert_int_equal(tally.dispositions[DISPOSITION_DUPLICATE], 1);
		expect_whole(rig);
	}
	struct retrial parked = still_parked(rig, false);
	assert_int_equal(retry(rig, &parked, &options), RETRY_DEAD);
	assert_int_equal(letters_in(rig, "_parked"), 0);
	assert_int_equal(letters_in(rig, "_dead"), 2);
	assert_int_equal(letters_in(rig, "_record"), 2);
	expect_whole(rig);
	struct retrial dead = read_letter(rig, LETTER_DEAD, 2, &broken[1]);
	assert_int_equal(retry(rig, &dead, &options), RETRY_APPLIED);
	expect_whole(rig);
}

static void a_delete_behind_newer_contributions_is_refused(void **state)
{
	struct store_rig *rig = *state;
	take_broken(rig);
	struct digest before = store_digest(rig->store);
	struct retrial dead = read_letter(rig, LETTER_DEAD, 1, &broken[2]);
	dead.update->operation = OPERATION_DELETE;
	dead.update->assignment_count = 0;
	assert_int_equal(retry(rig, &dead, &options), RETRY_DEAD);
	assert_true(digest_equal(before, store_digest(rig->store)));
	dead = read_letter(rig, LETTER_DEAD, 1, &broken[2]);
	assert_int_equal(dead.letter.reason, REASON_LATE_DELETE);
	assert_int_equal(accounts(rig)->late_deletes, 0);
	expect_whole(rig);
}

static void what_is_due_comes_in_log_order(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	static const struct store_rig_event events[] = {
		{.partition = 1, .offset = 0, .reason = REASON_UNKNOWN_VIEW},
		{.partition = 0, .offset = 0, .reason = REASON_UNKNOWN_VIEW},
		{.partition = 0, .offset = 1, .reason = REASON_UNKNOWN_VIEW},
	};
	for (size_t i = 0; i < 3; i++)
		store_rig_take(rig, &events[i]);
	int64_t ids[4];
	assert_int_equal(store_due(rig->store, 0, ids, 4, &fault), 3);
	assert_int_equal(ids[0], 2);
	assert_int_equal(ids[1], 3);
	assert_int_equal(ids[2], 1);
	assert_int_equal(store_due(rig->store, 0, ids, 2, &fault), 2);
	struct retrial parked = read_letter(rig, LETTER_PARKED, 3, &events[2]);
	parked.update->reason = REASON_UNKNOWN_VIEW;
	parked.update->parks = true;
	parked.update->view = NULL;
	assert_int_equal(retry(rig, &parked, &options), RETRY_PARKED);
	assert_int_equal(store_due(rig->store, DUE_US - 1, ids, 4, &fault), 2);
	assert_int_equal(store_due(rig->store, DUE_US, ids, 4, &fault), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(retried_letters_are_as_if_they_had_come_in_time),
		WITH_STORE(what_was_overtaken_by_newer_values_is_superseded),
		WITH_STORE(
			a_dry_run_says_what_would_happen_and_changes_nothing),
		WITH_STORE(its_key_is_taken_from_then_on),
		WITH_STORE(one_that_a_correction_overtook_is_refused),
		WITH_STORE(a_reused_key_needs_force),
		WITH_STORE(a_reused_key_stays_one_that_needs_force),
		WITH_STORE(forced_and_of_no_view_it_stays_dead),
		WITH_STORE(what_is_still_broken_keeps_its_letter),
		WITH_STORE(a_letters_id_is_never_given_again),
		WITH_STORE(parked_too_often_it_is_dead),
		WITH_STORE(a_delete_behind_newer_contributions_is_refused),
		WITH_STORE(what_is_due_comes_in_log_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
