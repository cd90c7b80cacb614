#include "store/suspect.h"

#define CRASH_TABLE "_crash"
#define START_TABLE "_start"
#define CRASH_COLUMNS 11
#define START_COLUMNS 4
#define CRASH_ID 1

static void members_of(struct crash *crash, int64_t *out[CRASH_COLUMNS - 1])
{
	size_t n = 0;
	out[n++] = &crash->epoch;
	out[n++] = &crash->ends;
	out[n++] = &crash->batch_records;
	out[n++] = &crash->log;
	out[n++] = &crash->offset;
	out[n++] = &crash->alone_log;
	out[n++] = &crash->alone_offset;
	out[n++] = &crash->alone_ends;
	out[n++] = &crash->letter;
	out[n++] = &crash->letter_ends;
}

int crash_read(sqlite3 *db, struct crash *out, struct fault *fault)
{
	struct arena arena = ARENA_INIT;
	struct column row[CRASH_COLUMNS] = {column_integer(CRASH_ID)};
	int64_t *members[CRASH_COLUMNS - 1];
	sqlite3_stmt *statement = NULL;
	*out = (struct crash){0};
	members_of(out, members);
	int rc = sql_prepare(db, &statement,
		"SELECT * FROM " CRASH_TABLE " WHERE id = ?", fault);
	if (rc == 0)
		rc = sql_find_row(statement, CRASH_TABLE,
			(struct row_room){row, CRASH_COLUMNS}, &arena, fault);
	for (size_t i = 0; rc == 1 && i + 1 < CRASH_COLUMNS; i++)
		*members[i] = column_as_integer(&row[i + 1]);
	sqlite3_finalize(statement);
	arena_finish(&arena);
	return rc < 0 ? rc : 0;
}

static int put(sqlite3_stmt *statement, const char *table,
	const struct column *row, size_t count, struct fault *fault)
{
	if (!sql_bind_row(statement, table, row, count))
		return fault_set(fault, FAULT_OOM,
			"table %s: no memory for a row", table);
	return sql_run(statement, fault);
}

int crash_write(sqlite3 *db, const struct crash *crash, struct fault *fault)
{
	struct crash copy = *crash;
	struct column row[CRASH_COLUMNS] = {column_integer(CRASH_ID)};
	int64_t *members[CRASH_COLUMNS - 1];
	sqlite3_stmt *statement = NULL;
	members_of(&copy, members);
	for (size_t i = 0; i + 1 < CRASH_COLUMNS; i++)
		row[i + 1] = column_integer(*members[i]);
	int rc = sql_prepare(db, &statement,
		"REPLACE INTO " CRASH_TABLE
		" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		fault);
	if (rc == 0)
		rc = put(statement, CRASH_TABLE, row, CRASH_COLUMNS, fault);
	sqlite3_finalize(statement);
	return rc;
}

int starts_read(
	sqlite3 *db, struct start *starts, size_t count, struct fault *fault)
{
	sqlite3_stmt *statement = NULL;
	int rc = sql_prepare(
		db, &statement, "SELECT * FROM " START_TABLE, fault);
	while (rc == 0 && (rc = sql_step(statement, fault)) == 1) {
		struct column row[START_COLUMNS];
		rc = sql_read_row(
			statement, START_TABLE, row, START_COLUMNS, fault);
		int64_t log = column_as_integer(&row[0]);
		if (rc == 0 && log >= 1 && (size_t)log <= count)
			starts[log - 1] =
				(struct start){column_as_integer(&row[1]),
					column_as_integer(&row[2]),
					column_as_integer(&row[3])};
	}
	sqlite3_finalize(statement);
	return rc;
}

int starts_write(sqlite3 *db, const struct start *starts, size_t count,
	struct fault *fault)
{
	sqlite3_stmt *statement = NULL;
	int rc = sql_prepare(db, &statement,
		"REPLACE INTO " START_TABLE " VALUES (?, ?, ?, ?, ?)", fault);
	for (size_t i = 0; rc == 0 && i < count; i++) {
		const struct column row[START_COLUMNS] = {
			column_integer((int64_t)i + 1),
			column_integer(starts[i].next_offset),
			column_integer(starts[i].ends),
			column_integer(starts[i].until),
		};
		rc = put(statement, START_TABLE, row, START_COLUMNS, fault);
	}
	sqlite3_finalize(statement);
	return rc;
}
