/* What the store's file holds, asked in plain SQL. */
#include "tests/simulate/oracle.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct comparison {
	const struct oracle *oracle;
	sqlite3 *db;
	char *why;
	size_t size;
};

__attribute__((format(printf, 2, 3))) static void differ(
	struct comparison *comparison, const char *format, ...)
{
	va_list arguments;
	if (comparison->why[0] != '\0')
		return;
	va_start(arguments, format);
	(void)vsnprintf(comparison->why, comparison->size, format, arguments);
	va_end(arguments);
}

static sqlite3_stmt *ask(struct comparison *comparison, const char *sql)
{
	sqlite3_stmt *statement = NULL;
	if (sqlite3_prepare_v2(comparison->db, sql, -1, &statement, NULL) !=
		SQLITE_OK)
		differ(comparison, "%s: %s", sql,
			sqlite3_errmsg(comparison->db));
	return statement;
}

static bool step(struct comparison *comparison, sqlite3_stmt *statement)
{
	if (statement == NULL)
		return false;
	int code = sqlite3_step(statement);
	if (code != SQLITE_ROW && code != SQLITE_DONE)
		differ(comparison, "%s: %s", sqlite3_sql(statement),
			sqlite3_errmsg(comparison->db));
	return code == SQLITE_ROW;
}

static const struct {
	const char *name, *rows, *deleted;
} views[EVENT_VIEWS] = {
	[VIEW_ACCOUNT] = {"account",
		"SELECT id, count, label, low FROM account",
		"SELECT id, _event_time FROM _deleted_account"},
	/* The entity is (shop, item): 's' || number % 3, number / 3. */
	[VIEW_PAIR] = {"pair",
		"SELECT substr(shop, 2) + item * 3, seen, price, best FROM"
		" pair",
		"SELECT substr(shop, 2) + item * 3, _event_time FROM"
		" _deleted_pair"},
};

static bool has_any(const struct oracle_row *row)
{
	return row->has[0] || row->has[1] || row->has[2];
}

static bool is_equal(
	sqlite3_stmt *statement, const struct oracle_row *row, int feature)
{
	int column = feature + 1;
	if (!row->has[feature])
		return sqlite3_column_type(statement, column) == SQLITE_NULL;
	char text[32];
	(void)snprintf(text, sizeof text,
		sqlite3_column_type(statement, column) == SQLITE_TEXT
			? "x%" PRId64
			: "%" PRId64,
		row->value[feature]);
	const char *held = (const char *)sqlite3_column_text(statement, column);
	return held != NULL && strcmp(held, text) == 0;
}

static void compare_row(
	struct comparison *comparison, int view, sqlite3_stmt *statement)
{
	int64_t entity = sqlite3_column_int64(statement, 0);
	if (entity < 0 || entity >= EVENT_ENTITIES) {
		differ(comparison, "%s: a strange row", views[view].name);
		return;
	}
	const struct oracle_row *row = &comparison->oracle->rows[view][entity];
	for (int i = 0; i < EVENT_FEATURES; i++)
		if (!is_equal(statement, row, i))
			differ(comparison,
				"%s %" PRId64 ": feature %d is %s, not %" PRId64
				" (%d)",
				views[view].name, entity, i,
				sqlite3_column_text(statement, i + 1),
				row->value[i], row->has[i]);
}

static void compare_rows(struct comparison *comparison, int view)
{
	int rows = 0, deleted = 0;
	for (int i = 0; i < EVENT_ENTITIES; i++) {
		const struct oracle_row *row =
			&comparison->oracle->rows[view][i];
		rows += has_any(row);
		deleted += !has_any(row) && row->has_floor;
	}
	sqlite3_stmt *statement = ask(comparison, views[view].rows);
	for (; step(comparison, statement); rows--)
		compare_row(comparison, view, statement);
	sqlite3_finalize(statement);
	statement = ask(comparison, views[view].deleted);
	for (; step(comparison, statement); deleted--) {
		int64_t entity = sqlite3_column_int64(statement, 0);
		const struct oracle_row *row =
			&comparison->oracle->rows[view][entity];
		if (has_any(row) || !row->has_floor ||
			row->floor.time_us !=
				sqlite3_column_int64(statement, 1))
			differ(comparison, "%s %" PRId64 ": deleted wrongly",
				views[view].name, entity);
	}
	sqlite3_finalize(statement);
	if (rows != 0 || deleted != 0)
		differ(comparison, "%s: %d rows and %d floors are missing",
			views[view].name, rows, deleted);
}

#define ACCOUNT_NUMBERS 15

static void compare_account(
	struct comparison *comparison, int log, sqlite3_stmt *statement)
{
	int incarnation = sqlite3_column_int(statement, 2);
	if (incarnation > comparison->oracle->incarnations[log]) {
		differ(comparison, "partition %d: incarnation %d", log,
			incarnation);
		return;
	}
	const struct oracle_account *account =
		&comparison->oracle->accounts[log][incarnation];
	static const char *const names[ACCOUNT_NUMBERS] = {"first_offset",
		"next_offset", "lost", "taken", "gaps", "skipped", "updates",
		"redelivered", "late_deletes", "applied", "superseded",
		"duplicate", "parked", "dead", "cleared"};
	const int64_t numbers[ACCOUNT_NUMBERS] = {account->first, account->next,
		account->lost, account->taken, account->gaps, account->skipped,
		account->updates, account->redelivered, account->late,
		account->fates[0], account->fates[1], account->fates[2],
		account->fates[3], account->fates[4], account->cleared};
	for (int i = 0; i < ACCOUNT_NUMBERS; i++)
		if (sqlite3_column_int64(statement, i + 3) != numbers[i])
			differ(comparison,
				"partition %d: %s is %lld, not %" PRId64, log,
				names[i],
				(long long)sqlite3_column_int64(
					statement, i + 3),
				numbers[i]);
}

/* Logs in the order of events, 0, 1, then moves. */
static int log_of(const char *topic, int partition)
{
	return strcmp(topic, "events") == 0 ? partition : 2;
}

static void compare_accounts(struct comparison *comparison)
{
	sqlite3_stmt *statement = ask(comparison,
		"SELECT topic, partition, incarnation, first_offset,"
		" next_offset, lost, taken, gaps, skipped,"
		" updates, redelivered, late_deletes, applied, superseded,"
		" duplicate, parked, dead, cleared FROM _partition");
	while (step(comparison, statement)) {
		const char *topic =
			(const char *)sqlite3_column_text(statement, 0);
		compare_account(comparison,
			log_of(topic, sqlite3_column_int(statement, 1)),
			statement);
	}
	sqlite3_finalize(statement);
}

static const struct oracle_letter *find_letter(
	const struct oracle *oracle, sqlite3_stmt *statement)
{
	const char *topic = (const char *)sqlite3_column_text(statement, 0);
	int log = log_of(topic, sqlite3_column_int(statement, 1));
	for (size_t i = 0; i < oracle->letter_count; i++) {
		const struct oracle_letter *letter = &oracle->letters[i];
		if (letter->log == log && !letter->left &&
			letter->offset == sqlite3_column_int64(statement, 2) &&
			letter->place == sqlite3_column_int(statement, 3) &&
			letter->incarnation == sqlite3_column_int(statement, 7))
			return letter;
	}
	return NULL;
}

static void compare_letter(
	struct comparison *comparison, sqlite3_stmt *statement)
{
	const struct oracle_letter *letter =
		find_letter(comparison->oracle, statement);
	const char *reason = (const char *)sqlite3_column_text(statement, 4);
	const char *state = (const char *)sqlite3_column_text(statement, 5);
	bool parked = sqlite3_column_int(statement, 6) != 0;
	bool overtaken = strcmp(state, "overtaken") == 0;
	if (letter == NULL || strcmp(letter->reason, reason) != 0 ||
		letter->parked != parked || letter->overtaken != overtaken)
		differ(comparison, "a letter of %s:%d offset %lld: %s, %s",
			sqlite3_column_text(statement, 0),
			sqlite3_column_int(statement, 1),
			(long long)sqlite3_column_int64(statement, 2), reason,
			state);
}

static void compare_letters(struct comparison *comparison)
{
	sqlite3_stmt *statement = ask(comparison,
		"SELECT topic, partition, r.offset, place, reason, state, 0, "
		"p.incarnation"
		" FROM _dead d JOIN _record r ON r.id = d.record"
		" JOIN _partition p ON p.id = r.log UNION ALL"
		" SELECT topic, partition, r.offset, place, reason, 'open', 1, "
		"p.incarnation"
		" FROM _parked d JOIN _record r ON r.id = d.record"
		" JOIN _partition p ON p.id = r.log");
	size_t count = 0, expected = 0;
	for (; step(comparison, statement); count++)
		compare_letter(comparison, statement);
	sqlite3_finalize(statement);
	for (size_t i = 0; i < comparison->oracle->letter_count; i++)
		expected += !comparison->oracle->letters[i].left;
	if (count != expected)
		differ(comparison, "%zu letters, not %zu", count, expected);
}

void oracle_compare(
	const struct oracle *oracle, sqlite3 *db, char *why, size_t size)
{
	struct comparison comparison = {oracle, db, why, size};
	why[0] = '\0';
	compare_accounts(&comparison);
	compare_letters(&comparison);
	for (int view = 0; view < EVENT_VIEWS; view++)
		compare_rows(&comparison, view);
}
