/*
 * Rows whose checksums fit, and that can't be right: what a bug would write.
 * Each is told as damage of its table, and never believed.
 */
#include "store/decisions.h"
#include "store/generations.h"
#include "store/letter_list.h"
#include "store/lookup.h"
#include "store/trace.h"
#include "store/verify.h"
#include "tests/lib/check.h"
#include "tests/lib/store_rig.h"

#include <stdio.h>
#include <string.h>

#define COLUMNS_MAX 40

static void check_ok(int rc, const struct fault *fault)
{
	if (rc < 0)
		fail_msg("%d: %s", rc, fault->text);
}

static void check_damage(int rc, const struct fault *fault, const char *why)
{
	assert_int_equal(rc, FAULT_CORRUPT);
	if (strstr(fault->text, why) == NULL)
		fail_msg("\"%s\" is not in: %s", why, fault->text);
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
	struct fault fault = {0};
	sqlite3_stmt *statement = NULL;
	check_ok(sql_prepare(db, &statement, sql, &fault), &fault);
	return statement;
}

/* Write the first row of `table` anew, another `name` in it. */
static void forge(struct store_rig *rig, const char *table, const char *name,
	struct column value)
{
	char sql[64 + 3 * COLUMNS_MAX];
	struct fault fault = {0};
	struct column row[COLUMNS_MAX];
	sqlite3 *db = rig->store->db;
	(void)snprintf(sql, sizeof sql, "SELECT * FROM %s LIMIT 1", table);
	sqlite3_stmt *select = prepare(db, sql);
	check_ok(sql_step(select, &fault), &fault);
	size_t count = (size_t)sqlite3_column_count(select) - 1, index = 0;
	check_ok(sql_read_row(select, table, row, count, &fault), &fault);
	assert_true(columns_keep(row, count, &rig->arena));
	while (index < count &&
		strcmp(sqlite3_column_name(select, (int)index), name) != 0)
		index++;
	sqlite3_finalize(select);
	assert_true(index < count);
	(void)snprintf(sql, sizeof sql, "DELETE FROM %s WHERE rowid = %lld",
		table, (long long)column_as_integer(&row[0]));
	if (row[0].kind == COLUMN_INTEGER)
		check_ok(sql_execute(db, sql, &fault), &fault);
	row[index] = value;
	(void)snprintf(sql, sizeof sql, "REPLACE INTO %s VALUES (?%.*s)", table,
		(int)(3 * count),
		", ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
		" ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?");
	sqlite3_stmt *put = prepare(db, sql);
	assert_true(sql_bind_row(put, table, row, count));
	check_ok(sql_run(put, &fault), &fault);
	sqlite3_finalize(put);
}

static void take(struct store_rig *rig, int64_t offset, enum reason reason)
{
	const struct store_rig_event event = {.offset = offset,
		.key = 1 + (unsigned)offset,
		.content = (uint64_t)offset,
		.id = 7,
		.count = 1,
		.reason = reason};
	(void)store_rig_take(rig, &event);
}

static struct column text(const char *value)
{
	return column_text(slice_of(value));
}

static struct reader *open_reader(struct store_rig *rig)
{
	struct fault fault = {0};
	struct reader *reader = NULL;
	check_ok(reader_open(&reader, rig->directory.path, 0, &fault), &fault);
	return reader;
}

/* The store's first letter, as its owner and as readers get it. */
static void check_letter(
	struct store_rig *rig, enum letter_kind kind, const char *why)
{
	struct fault fault = {0};
	struct letter_whole whole;
	const struct letter_filter filter = {.kind = kind,
		.since_us = TIMESTAMP_NONE,
		.until_us = TIMESTAMP_NONE};
	check_damage(
		store_letter(rig->store, kind, 1, &rig->arena, &whole, &fault),
		&fault, why);
	struct reader *reader = open_reader(rig);
	check_damage(
		reader_letters(reader, &filter, &rig->arena, &whole, 1, &fault),
		&fault, why);
	reader_close(reader);
}

static void check_problem(struct store_rig *rig, const char *why)
{
	struct fault fault = {0};
	struct verify_report report;
	struct reader *reader = open_reader(rig);
	bool told = false;
	check_ok(reader_verify(reader, &rig->arena, &report, &fault), &fault);
	for (int64_t i = 0; i < report.problem_count; i++)
		told |= strstr(report.problems[i], why) != NULL;
	if (!told)
		fail_msg("\"%s\" was not told: %s", why,
			report.problem_count > 0 ? report.problems[0] : "");
	reader_close(reader);
}

static void a_letter_of_no_known_state_is_damage(void **state)
{
	struct store_rig *rig = *state;
	take(rig, 0, REASON_TYPE_MISMATCH);
	forge(rig, "_dead", "state", text("lost"));
	check_letter(rig, LETTER_DEAD, "letter 1 is of no known state");
}

static void a_letter_without_its_record_is_damage(void **state)
{
	struct store_rig *rig = *state;
	take(rig, 0, REASON_UNKNOWN_VIEW);
	forge(rig, "_parked", "record", column_integer(9));
	check_letter(rig, LETTER_PARKED, "missing or damaged");
	check_problem(rig, "table _parked: 1 letters without their record");
}

static void a_record_of_no_known_log_is_damage(void **state)
{
	struct store_rig *rig = *state;
	take(rig, 0, REASON_TYPE_MISMATCH);
	forge(rig, "_record", "log", column_integer(99));
	check_letter(rig, LETTER_DEAD, "missing or damaged");
	forge(rig, "_record", "log", column_integer(0));
	check_letter(rig, LETTER_DEAD, "missing or damaged");
}

static void headers_that_end_too_early_are_damage(void **state)
{
	struct store_rig *rig = *state;
	static const char *const headers[] = {
		"x", "\x10\x00\x00\x00short", "\x01\x00\x00\x00n"};
	static const size_t lengths[] = {1, 9, 5};
	take(rig, 0, REASON_TYPE_MISMATCH);
	for (size_t i = 0; i < 3; i++) {
		forge(rig, "_record", "headers",
			column_blob((struct slice){headers[i], lengths[i]}));
		check_letter(rig, LETTER_DEAD, "missing or damaged");
	}
}

static void check_open(struct store_rig *rig, const char *why)
{
	struct fault fault = {0};
	store_rig_close(rig);
	check_damage(
		store_open(&rig->store, &rig->options, &fault), &fault, why);
	assert_null(rig->store);
}

static void a_key_that_is_none_is_damage(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct trace *trace = NULL;
	const struct trace_options options = {.key_window_us = 1};
	take(rig, 0, REASON_NONE);
	forge(rig, "_key", "state", text("lost"));
	struct reader *reader = open_reader(rig);
	int rc = trace_open(&trace, reader, &options, &fault);
	if (rc == 0)
		rc = trace_begin(trace, &fault);
	check_damage(rc, &fault, "table _key: row 1 is no key");
	trace_close(trace);
	reader_close(reader);
	forge(rig, "_key", "state", text("taken"));
	forge(rig, "_key", "key", column_blob(slice_of("short")));
	check_open(rig, "table _key: row 1 is no key");
}

static void numbers_of_logs_have_no_gaps(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct reader *reader = NULL;
	take(rig, 0, REASON_NONE);
	forge(rig, "_partition", "id", column_integer(5));
	check_damage(reader_open(&reader, rig->directory.path, 0, &fault),
		&fault, "table _partition: id 5 after 0");
	check_open(rig, "table _partition: id 5 after 0");
}

static void a_generation_in_no_known_state_is_damage(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	const struct column asleep = text("asleep");
	const struct generation *all = NULL;
	size_t count = 0;
	check_ok(meta_put(rig->store->db, "state", &asleep, &fault), &fault);
	check_ok(generations_list(rig->directory.path, &rig->arena, &all,
			 &count, &fault),
		&fault);
	assert_non_null(strstr(all[0].wrong, "a generation is not \"asleep\""));
	check_open(rig, "a generation is not \"asleep\"");
}

static void an_identity_of_another_size_is_damage(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	const struct column little = column_blob(slice_of("little"));
	check_ok(meta_put(rig->store->db, "secret", &little, &fault), &fault);
	check_open(rig, "table _meta: secret has 6 bytes, not 16");
}

static void a_fact_that_is_missing_is_damage(void **state)
{
	struct store_rig *rig = *state;
	store_rig_tamper(rig, "DELETE FROM _meta WHERE name = 'schema'");
	check_open(rig, "table _meta: schema is missing");
}

static void a_stop_of_no_known_log_is_damage(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct reader_status status;
	const struct store_stop stop = {
		.log = &store_rig_partition(rig, 0)->log,
		.reason = STOP_PAUSED,
		.detail = "for a test"};
	check_ok(store_stop_partition(rig->store, &stop, NULL, &fault), &fault);
	struct reader *reader = open_reader(rig);
	forge(rig, "_stop", "log", column_integer(99));
	check_damage(reader_summary(reader, &rig->arena, &status, &fault),
		&fault, "table _stop: a log that there is none of is stopped");
	forge(rig, "_stop", "log", column_integer(0));
	check_damage(reader_summary(reader, &rig->arena, &status, &fault),
		&fault, "table _stop");
	reader_close(reader);
}

/* What nobody knows is held as strictly as can be, or not at all. */
static void a_hold_of_an_unknown_word_refuses(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	static const size_t features[] = {0};
	const struct decision decision = {1, "ada", "hold", "account", ""};
	take(rig, 0, REASON_NONE);
	check_ok(store_hold(rig->store, "account", NULL, CHOICE_DEFAULT,
			 &decision, &fault),
		&fault);
	forge(rig, "_hold", "choice", text("perhaps"));
	check_ok(store_hold(rig->store, "pair", NULL, CHOICE_FAIL, &decision,
			 &fault),
		&fault);
	store_rig_tamper(rig, "DELETE FROM _hold WHERE target = 'pair'");
	struct reader *reader = open_reader(rig);
	const struct value id = {.state = VALUE_SET, .as.integer = 7};
	const struct lookup_part part = {.view = reader_schema(reader)->views,
		.features = features,
		.feature_count = 1,
		.entities = &id,
		.entity_count = 1};
	const struct lookup_question question = {.parts = &part,
		.part_count = 1,
		.row_count = 1,
		.terms = terms_loosest(),
		.now_us = STORE_RIG_TIME_US};
	struct lookup_answer answer;
	check_ok(
		reader_look_up(reader, &question, &rig->arena, &answer, &fault),
		&fault);
	assert_int_equal(answer.refused, 1);
	reader_close(reader);
	forge(rig, "_hold", "target", text("stranger"));
	store_rig_tamper(rig, "DELETE FROM _hold WHERE target = 'account'");
	reader = open_reader(rig);
	struct lookup_part again = part;
	again.view = reader_schema(reader)->views;
	struct lookup_question free_now = question;
	free_now.parts = &again;
	check_ok(
		reader_look_up(reader, &free_now, &rig->arena, &answer, &fault),
		&fault);
	assert_int_equal(answer.refused, 0);
	reader_close(reader);
}

static void accounts_that_contradict_each_other_are_found(void **state)
{
	struct store_rig *rig = *state;
	take(rig, 0, REASON_NONE);
	forge(rig, "_partition", "gaps", column_integer(-1));
	check_problem(rig, "1 records taken, more than there are offsets");
	forge(rig, "_partition", "gaps", column_integer(0));
	forge(rig, "_partition", "skipped", column_integer(2));
	check_problem(rig, "alpha:0: more skipped than taken");
	forge(rig, "_partition", "skipped", column_integer(0));
	forge(rig, "_partition", "lost", column_integer(4));
	check_problem(rig, "first_offset + taken + gaps + lost is 5");
	forge(rig, "_partition", "lost", column_integer(0));
	forge(rig, "_partition", "dead", column_integer(3));
	check_problem(rig, "alpha:0: 1 updates, 4 dispositions");
	check_problem(rig, "table _dead: 0 rows, counted as 3");
}

static void totals_of_a_view_that_do_not_fit_are_found(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	take(rig, 0, REASON_NONE);
	struct view_totals totals = rig->store->views[0].totals;
	totals.deleted = 5;
	check_ok(view_totals_write(rig->store->db, "account", &totals, &fault),
		&fault);
	check_problem(rig, "view account: 1 rows and 0 deleted, counted as 1"
			   " and 5");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(a_letter_of_no_known_state_is_damage),
		WITH_STORE(a_letter_without_its_record_is_damage),
		WITH_STORE(a_record_of_no_known_log_is_damage),
		WITH_STORE(headers_that_end_too_early_are_damage),
		WITH_STORE(a_key_that_is_none_is_damage),
		WITH_STORE(numbers_of_logs_have_no_gaps),
		WITH_STORE(a_generation_in_no_known_state_is_damage),
		WITH_STORE(an_identity_of_another_size_is_damage),
		WITH_STORE(a_fact_that_is_missing_is_damage),
		WITH_STORE(a_stop_of_no_known_log_is_damage),
		WITH_STORE(a_hold_of_an_unknown_word_refuses),
		WITH_STORE(accounts_that_contradict_each_other_are_found),
		WITH_STORE(totals_of_a_view_that_do_not_fit_are_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
