/* SQLite as we set it up: any path, and files that are not what they should be.
 */
#include "store/sql.h"
#include "tests/lib/check.h"
#include "tests/lib/directory.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct rig {
	struct directory directory;
	sqlite3 *db;
	struct fault fault;
};

static int set_up(void **state)
{
	struct rig *rig = calloc(1, sizeof *rig);
	assert_non_null(rig);
	directory_make(&rig->directory);
	*state = rig;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *rig = *state;
	sqlite3_close(rig->db);
	directory_remove(&rig->directory);
	free(rig);
	return 0;
}
#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static void check_ok(struct rig *rig, int rc)
{
	if (rc != 0)
		fail_msg("%d: %s", rc, rig->fault.text);
}

static void check_refused(struct rig *rig, int rc, int code, const char *why)
{
	assert_int_equal(rc, code);
	if (strstr(rig->fault.text, why) == NULL)
		fail_msg("\"%s\" is not in: %s", why, rig->fault.text);
}

static struct directory make_file(struct rig *rig, const char *name)
{
	struct directory file = directory_entry(&rig->directory, name);
	check_ok(
		rig, sql_open(&rig->db, file.path, SQL_CREATE, 0, &rig->fault));
	check_ok(rig,
		sql_execute(rig->db,
			"CREATE TABLE t (id INTEGER PRIMARY KEY, a, b,"
			" _checksum); INSERT INTO t VALUES (1, 42, 'x', 7)",
			&rig->fault));
	return file;
}

/* A name of a URI, where these bytes mean something else. */
static void a_copy_is_read_whatever_its_path_is(void **state)
{
	struct rig *rig = *state;
	int64_t answer = 0;
	struct directory odd = directory_entry(
		&rig->directory, "50% #1?mode=rwc&caf\303\251 %41");
	assert_int_equal(mkdir(odd.path, 0700), 0);
	struct directory file = make_file(rig, "plain.db");
	struct directory copy = directory_entry(&odd, "a b.db");
	sqlite3_close(rig->db);
	rig->db = NULL;
	assert_int_equal(rename(file.path, copy.path), 0);
	check_ok(rig, sql_open(&rig->db, copy.path, SQL_COPY, 0, &rig->fault));
	check_ok(rig,
		sql_integer(rig->db, "SELECT a FROM t", &answer, &rig->fault));
	assert_int_equal(answer, 42);
	/* and only read */
	assert_true(sql_execute(rig->db, "DELETE FROM t", &rig->fault) < 0);
}

static void a_path_that_is_too_long_for_a_name_is_refused(void **state)
{
	struct rig *rig = *state;
	char path[PATH_MAX];
	memset(path, '%', sizeof path);
	path[sizeof path - 1] = '\0';
	check_refused(rig, sql_open(&rig->db, path, SQL_COPY, 0, &rig->fault),
		FAULT_USAGE, "%%%%");
	assert_null(rig->db);
}

static void only_who_creates_makes_a_file(void **state)
{
	struct rig *rig = *state;
	struct directory file = directory_entry(&rig->directory, "none.db");
	static const enum sql_mode modes[] = {SQL_READ, SQL_WRITE, SQL_COPY};
	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		assert_true(sql_open(&rig->db, file.path, modes[i], 0,
				    &rig->fault) < 0);
		assert_null(rig->db);
		assert_int_not_equal(access(file.path, F_OK), 0);
	}
}

static void a_file_without_our_tables_is_damaged(void **state)
{
	struct rig *rig = *state;
	int64_t answer = 0;
	(void)make_file(rig, "plain.db");
	check_refused(rig,
		sql_integer(
			rig->db, "SELECT 1 FROM gone", &answer, &rig->fault),
		FAULT_CORRUPT, "no such table: gone");
	check_refused(rig,
		sql_execute(rig->db, "DELETE FROM gone", &rig->fault),
		FAULT_CORRUPT, "the file's own schema is damaged");
	check_refused(rig,
		sql_integer(rig->db, "SELECT a FROM t WHERE id = 2", &answer,
			&rig->fault),
		FAULT_CORRUPT, "SELECT a FROM t WHERE id = 2: no row");
}

/* 7 is no checksum of that row, and neither is a text or nothing. */
static void a_row_is_read_only_with_its_checksum(void **state)
{
	struct rig *rig = *state;
	static const char *const changes[] = {"UPDATE t SET _checksum = 7",
		"UPDATE t SET _checksum = 'seven'",
		"UPDATE t SET _checksum = NULL",
		"UPDATE t SET _checksum = 0.5"};
	(void)make_file(rig, "plain.db");
	for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
		sqlite3_stmt *statement = NULL;
		struct column row[3];
		check_ok(rig, sql_execute(rig->db, changes[i], &rig->fault));
		check_ok(rig, sql_prepare(rig->db, &statement,
				      "SELECT * FROM t", &rig->fault));
		assert_int_equal(sql_step(statement, &rig->fault), 1);
		check_refused(rig,
			sql_read_row(statement, "t", row, 3, &rig->fault),
			FAULT_CORRUPT, "table t: a row whose checksum does");
		sqlite3_finalize(statement);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RIG(a_copy_is_read_whatever_its_path_is),
		WITH_RIG(a_path_that_is_too_long_for_a_name_is_refused),
		WITH_RIG(only_who_creates_makes_a_file),
		WITH_RIG(a_file_without_our_tables_is_damaged),
		WITH_RIG(a_row_is_read_only_with_its_checksum),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
