/* Damage: what was changed from outside is found, and never served. */
#include "store/reader.h"
#include "store/verify.h"
#include "tests/lib/check.h"
#include "tests/lib/store_rig.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Two accounts, a dead letter, a parked update; then the store is closed. */
static void fill(struct store_rig *rig)
{
	static const struct store_rig_event events[] = {
		{.offset = 0, .key = 1, .id = 1, .count = 5},
		{.offset = 1, .key = 2, .id = 2, .count = 7},
		{.offset = 2, .key = 3, .reason = REASON_TYPE_MISMATCH},
		{.offset = 3, .key = 4, .reason = REASON_UNKNOWN_VIEW},
	};
	for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
		store_rig_take(rig, &events[i]);
}

static void fill_and_close(struct store_rig *rig)
{
	fill(rig);
	store_rig_close(rig);
}

static struct reader *open_reader(struct store_rig *rig)
{
	struct fault fault = {0};
	struct reader *reader;
	if (reader_open(&reader, rig->directory.path, 0, &fault) < 0)
		fail_msg("%s", fault.text);
	return reader;
}

/* How many problems verify finds; one of them says `what`. */
static int64_t verify(struct store_rig *rig, const char *what)
{
	struct fault fault = {0};
	struct verify_report report;
	struct reader *reader = open_reader(rig);
	bool said = false;
	if (reader_verify(reader, &rig->arena, &report, &fault) < 0)
		fail_msg("%s", fault.text);
	for (int64_t i = 0; i < report.problem_count; i++)
		said = said || strstr(report.problems[i], what) != NULL;
	if (report.problem_count > 0 && !said)
		fail_msg("\"%s\" is not in: %s", what, report.problems[0]);
	reader_close(reader);
	return report.problem_count;
}

/* reader_get() of an account. */
static int look_up(struct store_rig *rig, int64_t id)
{
	struct fault fault = {0};
	struct reader *reader = open_reader(rig);
	struct value entity = {.state = VALUE_SET, .as.integer = id};
	struct row row;
	int rc = reader_get(reader, reader_schema(reader)->views, &entity,
		&rig->arena, &row, &fault);
	reader_close(reader);
	return rc;
}

static void a_good_store_has_no_problems(void **state)
{
	struct store_rig *rig = *state;
	assert_int_equal(verify(rig, ""), 0);
	fill(rig);
	assert_int_equal(verify(rig, ""), 0); /* beside the writer */
	store_rig_close(rig);
	assert_int_equal(verify(rig, ""), 0);
}

static void a_changed_value_is_found_and_never_served(void **state)
{
	struct store_rig *rig = *state;
	static const char *const changes[] = {"count = 6", "count = NULL",
		"label = 'x'", "_event_time = _event_time + 1",
		"_offset = _offset + 1", "_versions = 'n,-'",
		"_floor = '1/1/1/0'", "_checksum = _checksum + 1", "_log = 9"};
	fill_and_close(rig);
	for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
		char sql[256];
		int length = snprintf(sql, sizeof sql,
			"CREATE TABLE keep AS SELECT * FROM account;"
			"UPDATE account SET %s WHERE id = 1",
			changes[i]);
		assert_in_range(length, 1, sizeof sql - 1);
		store_rig_tamper(rig, sql);
		assert_int_equal(look_up(rig, 1), FAULT_CORRUPT);
		assert_int_equal(look_up(rig, 2), 1);
		assert_true(verify(rig, "account") > 0);
		store_rig_tamper(rig, "DELETE FROM account;"
				      "INSERT INTO account SELECT * FROM keep;"
				      "DROP TABLE keep");
		assert_int_equal(verify(rig, ""), 0);
	}
}

/* A row under another's key carries the right checksum of wrong bytes. */
static void a_row_that_moved_is_found(void **state)
{
	struct store_rig *rig = *state;
	fill_and_close(rig);
	store_rig_tamper(rig, "UPDATE account SET id = 3 WHERE id = 1");
	assert_int_equal(look_up(rig, 3), FAULT_CORRUPT);
	assert_true(verify(rig, "account") > 0);
}

static void a_row_that_went_is_found(void **state)
{
	struct store_rig *rig = *state;
	fill_and_close(rig);
	store_rig_tamper(rig, "DELETE FROM account WHERE id = 1");
	assert_int_equal(look_up(rig, 1), 0);
	assert_int_equal(verify(rig, "view account"), 2); /* count, digest */
}

static void a_bit_of_the_file_is_found(void **state)
{
	struct store_rig *rig = *state;
	fill_and_close(rig);
	struct directory path =
		directory_entry(&rig->directory, "generations/g1.db");
	FILE *file = fopen(path.path, "r+");
	assert_non_null(file);
	int64_t page = store_rig_ask(rig, "SELECT rootpage FROM sqlite_schema"
					  " WHERE name = 'account'");
	int64_t size = store_rig_ask(rig, "PRAGMA page_size");
	/* Cells grow from the page's end: its last bytes are a row's. */
	assert_int_equal(fseek(file, page * size - 1, SEEK_SET), 0);
	int byte = fgetc(file);
	assert_int_equal(fseek(file, page * size - 1, SEEK_SET), 0);
	assert_int_equal(fputc(byte ^ 1, file), byte ^ 1);
	assert_int_equal(fclose(file), 0);
	int first = look_up(rig, 1);
	int second = look_up(rig, 2);
	assert_true(first == FAULT_CORRUPT || second == FAULT_CORRUPT);
	assert_true(first == 1 || second == 1);
	assert_true(verify(rig, "account") > 0);
}

static void a_file_cut_short_is_found(void **state)
{
	struct store_rig *rig = *state;
	fill_and_close(rig);
	struct directory path =
		directory_entry(&rig->directory, "generations/g1.db");
	struct stat status;
	assert_int_equal(stat(path.path, &status), 0);
	assert_int_equal(truncate(path.path, status.st_size - 4096), 0);
	struct fault fault = {0};
	struct reader *reader = NULL;
	int rc = reader_open(&reader, rig->directory.path, 0, &fault);
	reader_close(reader);
	if (rc == 0)
		assert_true(verify(rig, "") > 0);
	else
		assert_int_equal(rc, FAULT_CORRUPT);
}

/* Written by the store itself, under a good checksum: as after a bug. */
static void accounts_that_do_not_add_up_are_found(void **state)
{
	struct store_rig *rig = *state;
	fill(rig);
	struct store_accounts *accounts =
		&rig->store->partitions.items[0]->accounts;
	struct store_accounts good = *accounts;
	int64_t *const wrong[] = {&accounts->taken, &accounts->gaps,
		&accounts->lost, &accounts->first_offset, &accounts->updates,
		&accounts->dispositions[DISPOSITION_APPLIED],
		&accounts->dispositions[DISPOSITION_DUPLICATE],
		&accounts->dispositions[DISPOSITION_DEAD]};
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		++*wrong[i];
		store_rig_mark(rig, 0);
		assert_true(verify(rig, "alpha:0") > 0);
		*accounts = good;
		store_rig_mark(rig, 0);
		assert_int_equal(verify(rig, ""), 0);
	}
}

static void a_digest_that_does_not_fit_is_found(void **state)
{
	struct store_rig *rig = *state;
	fill(rig);
	rig->store->views[0].totals.digest.high ^= 1;
	struct store_rig_event event = {
		.offset = 4, .key = 5, .id = 1, .count = 1};
	store_rig_take(rig, &event);
	assert_int_equal(verify(rig, "view account: digest"), 1);
}

static void letters_that_went_are_found(void **state)
{
	struct store_rig *rig = *state;
	fill_and_close(rig);
	store_rig_tamper(rig, "DELETE FROM _dead");
	assert_true(verify(rig, "_dead") > 0);
	store_rig_tamper(rig, "DELETE FROM _parked");
	assert_true(verify(rig, "_parked") > 0);
}

static void every_table_of_ours_is_checked(void **state)
{
	struct store_rig *rig = *state;
	static const struct {
		const char *change, *back;
	} changes[] = {
		{"UPDATE _key SET content = content + 1",
			"UPDATE _key SET content = content - 1"},
		{"UPDATE _record SET offset = offset + 1",
			"UPDATE _record SET offset = offset - 1"},
		{"UPDATE _dead SET place = place + 1",
			"UPDATE _dead SET place = place - 1"},
		{"UPDATE _parked SET attempts = 1",
			"UPDATE _parked SET attempts = 0"},
		{"UPDATE _view SET rows = rows + 1",
			"UPDATE _view SET rows = rows - 1"},
	};
	fill_and_close(rig);
	for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
		struct fault fault = {0};
		struct reader *reader = NULL;
		store_rig_tamper(rig, changes[i].change);
		if (reader_open(&reader, rig->directory.path, 0, &fault) == 0)
			assert_true(verify(rig, "checksum") > 0);
		else
			assert_int_equal(fault.code, FAULT_CORRUPT);
		reader_close(reader);
		store_rig_tamper(rig, changes[i].back);
		assert_int_equal(verify(rig, ""), 0);
	}
}

/* A bit in SQLite's own table of tables, which leaves every page whole. */
static void a_table_that_is_not_defined_as_it_was_made_is_found(void **state)
{
	struct store_rig *rig = *state;
	static const char *const changes[] = {
		"sql = replace(sql, 'attempts', 'attemptr')"
		" WHERE name = '_parked'",
		"sql = replace(sql, 'label', 'labem') WHERE name = 'account'",
	};
	for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
		char sql[256];
		fill_and_close(rig);
		snprintf(sql, sizeof sql,
			"PRAGMA writable_schema = ON;"
			"UPDATE sqlite_schema SET %s",
			changes[i]);
		store_rig_tamper(rig, sql);
		assert_true(verify(rig, "is not defined as it was made") > 0);
		directory_remove(&rig->directory);
		store_rig_open(rig);
	}
}

/* Without these nobody can even begin. */
static void a_damaged_partition_or_identity_is_refused(void **state)
{
	struct store_rig *rig = *state;
	static const char *const changes[] = {
		"UPDATE _partition SET next_offset = next_offset + 1",
		"UPDATE _meta SET value = 'x' WHERE name = 'secret'"};
	for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
		struct fault fault = {0};
		struct reader *reader = NULL;
		fill_and_close(rig);
		store_rig_tamper(rig, changes[i]);
		assert_int_equal(
			reader_open(&reader, rig->directory.path, 0, &fault),
			FAULT_CORRUPT);
		assert_int_equal(store_open(&rig->store, &rig->options, &fault),
			FAULT_CORRUPT);
		directory_remove(&rig->directory);
		store_rig_open(rig);
	}
}

/* The writer meets the damage: the batch is refused whole. */
static void a_damaged_row_stops_the_writer(void **state)
{
	struct store_rig *rig = *state;
	static const char *const changes[] = {
		"UPDATE account SET count = 6 WHERE id = 1",
		"UPDATE _key SET content = 9 WHERE seq = 1",
		"DELETE FROM _key WHERE seq = 1"};
	for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
		struct fault fault = {0};
		fill(rig);
		store_rig_tamper(rig, changes[i]);
		struct store_rig_event event = {
			.offset = 4, .key = 1, .content = 1, .id = 1};
		struct store_rig_event fresh = {
			.offset = 5, .key = 9, .id = 1, .count = 1};
		struct store_record records[] = {store_rig_record(rig, &event),
			store_rig_record(rig, &fresh)};
		struct store_batch batch = {
			.records = records, .record_count = 2};
		assert_int_equal(store_apply(rig->store, &batch, NULL, &fault),
			FAULT_CORRUPT);
		assert_int_equal(store_rig_ask(rig, "SELECT next_offset FROM"
						    " _partition"),
			4);
		store_rig_close(rig);
		directory_remove(&rig->directory);
		store_rig_open(rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(a_good_store_has_no_problems),
		WITH_STORE(a_changed_value_is_found_and_never_served),
		WITH_STORE(a_row_that_moved_is_found),
		WITH_STORE(a_row_that_went_is_found),
		WITH_STORE(a_bit_of_the_file_is_found),
		WITH_STORE(a_file_cut_short_is_found),
		WITH_STORE(accounts_that_do_not_add_up_are_found),
		WITH_STORE(a_digest_that_does_not_fit_is_found),
		WITH_STORE(letters_that_went_are_found),
		WITH_STORE(every_table_of_ours_is_checked),
		WITH_STORE(a_table_that_is_not_defined_as_it_was_made_is_found),
		WITH_STORE(a_damaged_partition_or_identity_is_refused),
		WITH_STORE(a_damaged_row_stops_the_writer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
