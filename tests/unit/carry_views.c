/*
 * A rebuild of one view alone: rows and letters of the others become the live
 * generation's, and the accounts follow. `pair` is rebuilt here, `account` is
 * what somebody changed by hand in the live one, or what the log has otherwise.
 */
#include "store/decisions.h"
#include "store/generations.h"
#include "store/reader.h"
#include "store/verify.h"
#include "tests/lib/check.h"
#include "tests/lib/store_rig.h"

#include <string.h>

#define LOADED "load:0123456789abcdef"

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

struct event {
	int64_t offset, id, count;
	uint64_t content;
	const char *topic; /* NULL: the rig's */
	int32_t partition;
	unsigned key; /* 0: one of its own */
	enum reason reason;
	enum operation operation;
};

static void take(struct store_rig *rig, const struct event *event)
{
	struct fault fault = {0};
	const struct store_rig_event plain = {.partition = event->partition,
		.offset = event->offset,
		.record_s = event->offset,
		.key = event->key != 0
			       ? event->key
			       : 1000 + (unsigned)(100 * event->partition +
						   event->offset),
		.content = event->content,
		.id = event->id,
		.count = event->count,
		.reason = event->reason};
	struct store_record record = store_rig_record(rig, &plain);
	struct update *update = record.decoded.updates;
	update->operation = event->operation;
	if (event->operation == OPERATION_DELETE)
		update->assignment_count = 0;
	if (event->topic != NULL) {
		const struct store_partition *partition = NULL;
		check_ok(store_partition(rig->store, event->topic, 0, 0,
				 &partition, &fault),
			&fault);
		record.record.log = &partition->log;
		update->has_key = false;
	}
	struct store_batch batch = {.records = &record, .record_count = 1};
	check_ok(store_apply(rig->store, &batch, NULL, &fault), &fault);
}

/* Both generations, one after the other: partition 1 comes first in the built
 * one, so that logs have other ids there. */
struct script {
	const struct event *live, *built;
	size_t live_count, built_count;
};

static struct store *build(struct store_rig *rig, const struct script *script)
{
	struct fault fault = {0};
	struct store *live = rig->store;
	const struct store_partition *partition = NULL;
	const struct store_build what = {.origin = "the log"};
	for (size_t i = 0; i < script->live_count; i++)
		take(rig, &script->live[i]);
	check_ok(
		store_build(&rig->store, &rig->options, &what, &fault), &fault);
	for (int32_t number = 1; number >= 0; number--)
		check_ok(store_partition(rig->store, "alpha", number, 0,
				 &partition, &fault),
			&fault);
	for (size_t i = 0; i < script->built_count; i++)
		take(rig, &script->built[i]);
	return live;
}

/* What is live then holds what store_carry_others() made of it. */
static struct carried rebuild(
	struct store_rig *rig, const struct script *script, const char *view)
{
	static const struct store_switch to_g2 = {
		.generation = "g2", .exactly = true, .decision = &decision};
	struct fault fault = {0};
	struct carried carried, again;
	struct store *live = build(rig, script);
	check_ok(
		store_carry_others(rig->store, view, &carried, &fault), &fault);
	check_ok(store_carry_others(rig->store, view, &again, &fault), &fault);
	assert_int_equal(again.rows + again.settled + again.copied, 0);
	check_ok(store_complete(rig->store, &fault), &fault);
	store_close(rig->store);
	rig->store = live;
	check_ok(store_switch(&rig->store, &to_g2, &fault), &fault);
	return carried;
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

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SCRIPT(one, other)                                                     \
	((struct script){one, other, COUNT(one), COUNT(other)})

/* One entity is the same, one has another value, one is in one of them only,
 * one is deleted in one of them only. */
static const struct event live_rows[] = {
	{.offset = 0, .id = 1, .count = 10},
	{.offset = 1, .id = 2, .count = 20},
	{.partition = 1, .offset = 0, .id = 3, .count = 30},
	{.offset = 2, .id = 5, .operation = OPERATION_DELETE},
};
static const struct event built_rows[] = {
	{.offset = 0, .id = 1, .count = 10},
	{.offset = 1, .id = 2, .count = 21},
	{.partition = 1, .offset = 0, .id = 4, .count = 40},
	{.offset = 2, .id = 6, .operation = OPERATION_DELETE},
};

static void rows_of_other_views_are_the_live_ones(void **state)
{
	struct store_rig *rig = *state;
	const struct script script = SCRIPT(live_rows, built_rows);
	/* 2, 3 and 5 come, 4 and 6 go */
	assert_int_equal(rebuild(rig, &script, "pair").rows, 5);
	assert_int_equal(
		store_rig_ask(rig, "SELECT sum(id * 100 + count) FROM account"),
		110 + 220 + 330);
	assert_int_equal(
		store_rig_ask(rig, "SELECT sum(id) FROM _deleted_account"), 5);
	/* under the id that the log has here: 3 came in partition 1 */
	assert_int_equal(
		store_rig_ask(rig, "SELECT p.partition FROM account a JOIN"
				   " _partition p ON p.id = a._log"
				   " WHERE a.id = 3"),
		1);
	expect_whole(rig);
}

static void the_view_itself_is_as_it_was_built(void **state)
{
	struct store_rig *rig = *state;
	const struct script script = SCRIPT(live_rows, built_rows);
	assert_int_equal(rebuild(rig, &script, "account").rows, 0);
	assert_int_equal(
		store_rig_ask(rig, "SELECT sum(id * 100 + count) FROM account"),
		110 + 221 + 440);
	expect_whole(rig);
}

/* Offset 1 was forced in by hand in the live one; 2 is a letter there alone,
 * 3 is dead there, and parked here. */
static const struct event live_letters[] = {
	{.offset = 0, .id = 1, .count = 10},
	{.offset = 1, .id = 2, .count = 20},
	{.offset = 2, .id = 3, .count = 30, .reason = REASON_TYPE_MISMATCH},
	{.offset = 3, .id = 4, .count = 40, .reason = REASON_TYPE_MISMATCH},
	{.offset = 4, .id = 5, .count = 50, .reason = REASON_TYPE_MISMATCH},
};
static const struct event built_letters[] = {
	{.offset = 0, .id = 1, .count = 10},
	{.offset = 1, .id = 2, .count = 20, .reason = REASON_TYPE_MISMATCH},
	{.offset = 2, .id = 3, .count = 30},
	{.offset = 3, .id = 4, .count = 40, .reason = REASON_UNKNOWN_VIEW},
	{.offset = 4, .id = 5, .count = 50, .reason = REASON_TYPE_MISMATCH},
};

static void letters_of_other_views_are_the_live_ones(void **state)
{
	struct store_rig *rig = *state;
	const struct script script = SCRIPT(live_letters, built_letters);
	struct carried carried = rebuild(rig, &script, "pair");
	assert_int_equal(carried.settled, 2);
	assert_int_equal(carried.copied, 2);
	/* ids 1 to 3 at offsets 2 to 4, as people know them */
	assert_int_equal(
		store_rig_ask(rig, "SELECT sum(d.id * 10 + r.offset) FROM _dead"
				   " d JOIN _record r ON r.id = d.record"),
		12 + 23 + 34);
	assert_int_equal(store_rig_ask(rig, "SELECT count(*) FROM _parked"), 0);
	assert_int_equal(
		store_rig_ask(rig, "SELECT applied * 10 + dead FROM _partition"
				   " WHERE partition = 0"),
		23);
	/* each key is held by what holds it there */
	assert_int_equal(
		store_rig_ask(rig, "SELECT count(*) FROM _dead d JOIN _key k"
				   " ON k.key = d.key AND k.letter = d.id AND"
				   " k.state = 'dead'"),
		3);
	assert_int_equal(
		store_rig_ask(rig, "SELECT sum(offset) FROM _key WHERE"
				   " state = 'taken' AND letter IS NULL"),
		1);
	expect_whole(rig);
}

static void letters_of_the_view_itself_are_as_they_were_built(void **state)
{
	struct store_rig *rig = *state;
	const struct script script = SCRIPT(live_letters, built_letters);
	struct carried carried = rebuild(rig, &script, "account");
	assert_int_equal(carried.settled + carried.rows, 0);
	assert_int_equal(store_rig_ask(rig, "SELECT sum(r.offset) FROM _dead d"
					    " JOIN _record r ON r.id ="
					    " d.record"),
		1 + 4);
	expect_whole(rig);
}

static void one_that_was_let_go_is_let_go(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct letter_whole whole;
	struct retry_verdict verdict;
	const struct event events[] = {
		{.offset = 0, .id = 1, .reason = REASON_TYPE_MISMATCH},
		{.offset = 1, .id = 2, .reason = REASON_TYPE_MISMATCH}};
	take(rig, &events[0]);
	take(rig, &events[1]);
	assert_int_equal(store_letter(rig->store, LETTER_DEAD, 1, &rig->arena,
				 &whole, &fault),
		1);
	const struct store_record record = {.record = whole.record};
	const struct store_retry leaves = {
		.letter = &whole.letter, .record = &record};
	const struct store_retry_options options = {.clear = true};
	check_ok(
		store_retry(rig->store, &leaves, 1, &options, &verdict, &fault),
		&fault);
	const struct script script = {.built = events, .built_count = 2};
	assert_int_equal(rebuild(rig, &script, "pair").settled, 0);
	assert_int_equal(store_rig_ask(rig, "SELECT sum(id) FROM _dead"), 2);
	assert_int_equal(
		store_rig_ask(rig, "SELECT dead * 10 + cleared FROM _partition"
				   " WHERE partition = 0 AND dead > 0"),
		21);
	expect_whole(rig);
}

static void events_that_share_a_key_are_letters_of_their_own(void **state)
{
	struct store_rig *rig = *state;
	const struct event live[] = {
		{.offset = 0, .id = 1, .count = 10, .key = 5, .content = 1},
		{.offset = 1, .id = 2, .count = 20, .key = 5, .content = 2},
		{.offset = 2, .id = 3, .count = 30, .key = 5, .content = 3}};
	const struct event built[] = {
		{.offset = 0, .id = 1, .count = 10, .key = 5, .content = 1},
		{.offset = 1, .id = 2, .count = 20},
		{.offset = 2, .id = 3, .count = 30, .key = 5, .content = 3}};
	const struct script script = SCRIPT(live, built);
	assert_int_equal(rebuild(rig, &script, "pair").copied, 1);
	assert_int_equal(
		store_rig_ask(rig, "SELECT applied * 10 + dead FROM _partition"
				   " WHERE partition = 0"),
		12);
	expect_whole(rig);
}

static void letters_of_partitions_that_only_one_takes_stay_its_own(void **state)
{
	struct store_rig *rig = *state;
	const struct event live[] = {{.offset = 0, .id = 1, .count = 10},
		{.partition = 2, .id = 2, .reason = REASON_TYPE_MISMATCH}};
	const struct event built[] = {{.offset = 0, .id = 1, .count = 10},
		{.partition = 3, .id = 2, .reason = REASON_TYPE_MISMATCH}};
	const struct script script = SCRIPT(live, built);
	const struct carried carried = rebuild(rig, &script, "pair");
	assert_int_equal(carried.copied + carried.settled, 0);
	assert_int_equal(
		store_rig_ask(rig, "SELECT partition FROM _dead d JOIN _record"
				   " r ON r.id = d.record JOIN _partition p ON"
				   " p.id = r.log"),
		3);
	assert_int_equal(store_rig_ask(rig, "SELECT count(*) FROM _dead"), 1);
	expect_whole(rig);
}

static void what_was_loaded_into_other_views_comes_along(void **state)
{
	struct store_rig *rig = *state;
	const struct event live[] = {{.offset = 0, .id = 1, .count = 10},
		{.offset = 0, .id = 2, .count = 20, .topic = LOADED},
		{.offset = 1,
			.id = 3,
			.reason = REASON_TYPE_MISMATCH,
			.topic = LOADED}};
	const struct event built[] = {{.offset = 0, .id = 1, .count = 10}};
	const struct script script = SCRIPT(live, built);
	struct carried carried = rebuild(rig, &script, "pair");
	assert_int_equal(carried.rows, 1);
	assert_int_equal(carried.copied, 1);
	assert_int_equal(store_rig_ask(rig,
				 "SELECT taken * 100 + applied * 10 + dead FROM"
				 " _partition WHERE topic = '" LOADED "'"),
		211);
	expect_whole(rig);
}

static void a_damaged_row_of_another_view_is_not_taken_over(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	const struct script script = SCRIPT(live_rows, built_rows);
	struct store *live = build(rig, &script);
	store_rig_tamper(rig, "UPDATE account SET count = 9 WHERE id = 2");
	assert_int_equal(store_carry_others(rig->store, "pair", NULL, &fault),
		FAULT_CORRUPT);
	store_close(rig->store);
	rig->store = live;
}

/* Rows name where they are from, and here that log has no number. */
static void rows_of_a_log_that_is_gone_are_not_taken_over(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	static const struct event older[] = {{.id = 1, .count = 10}};
	static const struct event newer[] = {{.id = 2, .count = 20, .key = 7}};
	const struct script both = SCRIPT(newer, newer);
	take(rig, older);
	const struct log *log = &store_rig_partition(rig, 0)->log;
	const struct store_stop stop = {.log = log,
		.reason = STOP_CHANGED,
		.detail = "for a test",
		.log_start = 0};
	check_ok(store_stop_partition(rig->store, &stop, NULL, &fault), &fault);
	check_ok(store_new_log(rig->store, log, &decision, &fault), &fault);
	struct store *live = build(rig, &both);
	assert_int_equal(store_carry_others(rig->store, "pair", NULL, &fault),
		FAULT_REFUSED);
	assert_non_null(strstr(fault.text, "alpha:0"));
	store_close(rig->store);
	rig->store = live;
}

static void totals_of_another_view_that_do_not_fit_are_damage(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	const struct script script = SCRIPT(live_rows, built_rows);
	struct store *live = build(rig, &script);
	const struct view_totals right = live->views[0].totals;
	struct view_totals wrong[] = {right, right, right};
	wrong[0].rows++;
	wrong[1].deleted++;
	wrong[2].digest = DIGEST_ZERO;
	for (size_t i = 0; i < COUNT(wrong); i++) {
		check_ok(view_totals_write(
				 live->db, "account", &wrong[i], &fault),
			&fault);
		assert_int_equal(
			store_carry_others(rig->store, "pair", NULL, &fault),
			FAULT_CORRUPT);
		assert_non_null(strstr(fault.text, "account"));
	}
	check_ok(
		view_totals_write(live->db, "account", &right, &fault), &fault);
	check_ok(store_carry_others(rig->store, "pair", NULL, &fault), &fault);
	store_close(rig->store);
	rig->store = live;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(rows_of_other_views_are_the_live_ones),
		WITH_STORE(the_view_itself_is_as_it_was_built),
		WITH_STORE(letters_of_other_views_are_the_live_ones),
		WITH_STORE(letters_of_the_view_itself_are_as_they_were_built),
		WITH_STORE(one_that_was_let_go_is_let_go),
		WITH_STORE(events_that_share_a_key_are_letters_of_their_own),
		WITH_STORE(
			letters_of_partitions_that_only_one_takes_stay_its_own),
		WITH_STORE(what_was_loaded_into_other_views_comes_along),
		WITH_STORE(a_damaged_row_of_another_view_is_not_taken_over),
		WITH_STORE(rows_of_a_log_that_is_gone_are_not_taken_over),
		WITH_STORE(totals_of_another_view_that_do_not_fit_are_damage),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
