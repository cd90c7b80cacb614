/* What the rooms ask of SQLite by statements; the linker leads that here. */
#include "tests/walk/shortage.h"

#include <sqlite3.h>
#include <stddef.h>

/* What SQLite would answer; 0: it may. */
static int failure(void)
{
	if (!shortage_strikes(SHORTAGE_STATEMENTS))
		return 0;
	return shortage_is_forever() ? SQLITE_IOERR_READ : SQLITE_NOMEM;
}

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
int __real_sqlite3_step(sqlite3_stmt *statement);
int __wrap_sqlite3_step(sqlite3_stmt *statement);
int __wrap_sqlite3_step(sqlite3_stmt *statement)
{
	int code = failure();
	return code != 0 ? code : __real_sqlite3_step(statement);
}

int __real_sqlite3_prepare_v3(sqlite3 *db, const char *sql, int length,
	unsigned flags, sqlite3_stmt **out, const char **rest);
int __wrap_sqlite3_prepare_v3(sqlite3 *db, const char *sql, int length,
	unsigned flags, sqlite3_stmt **out, const char **rest);
int __wrap_sqlite3_prepare_v3(sqlite3 *db, const char *sql, int length,
	unsigned flags, sqlite3_stmt **out, const char **rest)
{
	int code = failure();
	if (code == 0)
		return __real_sqlite3_prepare_v3(
			db, sql, length, flags, out, rest);
	*out = NULL;
	return code;
}

int __real_sqlite3_exec(sqlite3 *db, const char *sql,
	int (*row)(void *, int, char **, char **), void *payload, char **why);
int __wrap_sqlite3_exec(sqlite3 *db, const char *sql,
	int (*row)(void *, int, char **, char **), void *payload, char **why);
int __wrap_sqlite3_exec(sqlite3 *db, const char *sql,
	int (*row)(void *, int, char **, char **), void *payload, char **why)
{
	int code = failure();
	return code != 0 ? code
			 : __real_sqlite3_exec(db, sql, row, payload, why);
}
/* NOLINTEND(bugprone-reserved-identifier) */
