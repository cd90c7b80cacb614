/*
 * SQLite, as this room uses it: connections set up one way, statements
 * prepared once, rows with checksums, result codes translated in one place.
 *
 * Every row of every table ends with `_checksum`, over the table's name and all
 * other columns: written by sql_bind_row(), checked by sql_read_row().
 * Source: design section 6; faults.md S1 to S19.
 */
#ifndef HOLDFAST_STORE_SQL_H
#define HOLDFAST_STORE_SQL_H

#include "schema/arena.h"
#include "schema/fault.h"
#include "schema/slice.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

enum column_kind {
	COLUMN_NULL,
	COLUMN_INTEGER,
	COLUMN_REAL,
	COLUMN_TEXT,
	COLUMN_BLOB
};

struct column {
	enum column_kind kind;
	union {
		int64_t integer;
		double real;
		struct slice bytes;
	} as;
};

struct column column_null(void);
struct column column_integer(int64_t integer);
struct column column_real(double real);
struct column column_text(struct slice text);  /* absent: NULL */
struct column column_blob(struct slice bytes); /* absent: NULL */

/* The value of a column that must be an integer, else 0; bytes, else absent. */
int64_t column_as_integer(const struct column *column);
struct slice column_as_bytes(const struct column *column);

/*
 * Translate a result code of `db` as store/sql_codes.h says: FAULT_BUSY,
 * FAULT_FULL, FAULT_CORRUPT, FAULT_OOM, FAULT_IO or FAULT_INTERNAL, with
 * SQLite's own words and what to do. FAULT_CORRUPT, too, where it finds no such
 * table or column: those that we name are there.
 */
int sql_fault(sqlite3 *db, int code, struct fault *fault, const char *what);

enum sql_mode {
	SQL_READ,
	SQL_WRITE,
	SQL_CREATE,
	SQL_COPY /* read a file that nobody writes: no locks, no WAL, nothing
		    beside it */
};

/* Open `path` with the settings every connection has. On failure *out is NULL.
 * Errors: as sql_fault(). */
int sql_open(sqlite3 **out, const char *path, enum sql_mode mode,
	uint32_t busy_timeout_ms, struct fault *fault);

int sql_execute(sqlite3 *db, const char *sql, struct fault *fault);
int sql_prepare(
	sqlite3 *db, sqlite3_stmt **out, const char *sql, struct fault *fault);

/* The first column of the first row of `sql`, as an integer. */
int sql_integer(
	sqlite3 *db, const char *sql, int64_t *out, struct fault *fault);

/* Bind columns[0..count) to parameters 1..count. Bytes are borrowed until the
 * statement is reset. */
void sql_bind(
	sqlite3_stmt *statement, const struct column *columns, size_t count);

/* Bind columns[0..count) and, as parameter count + 1, their checksum under
 * `table`. False when out of memory. */
bool sql_bind_row(sqlite3_stmt *statement, const char *table,
	const struct column *columns, size_t count);

/* Run a bound statement that returns no rows, and reset it. */
int sql_run(sqlite3_stmt *statement, struct fault *fault);

/* One step: 1 a row, 0 done. The caller resets. */
int sql_step(sqlite3_stmt *statement, struct fault *fault);

/*
 * The row the statement stands on into columns[0..count); bytes are borrowed
 * from SQLite until the next step or reset. The column behind them is the
 * checksum. Errors: FAULT_CORRUPT, naming table and row; FAULT_OOM.
 */
int sql_read_row(sqlite3_stmt *statement, const char *table,
	struct column *columns, size_t count, struct fault *fault);

/*
 * The row that `statement` finds by its key, columns[0], into columns[0..count)
 * and `arena`; the statement is reset. 1: found. 0: not there.
 * Errors: as sql_read_row(), sql_step(), sql_fault_other_row().
 */
struct row_room {
	struct column *columns;
	size_t count;
};
int sql_find_row(sqlite3_stmt *statement, const char *table,
	struct row_room row, struct arena *arena, struct fault *fault);

/* Where a page stands in another's place SQLite may find another row than was
 * asked for, and its checksum is right: whoever looks a row up by its key
 * compares that. FAULT_CORRUPT. */
int sql_fault_other_row(const char *table, struct fault *fault);

/* Copy what columns[0..count) borrow into `arena`. False: out of memory. */
bool columns_keep(struct column *columns, size_t count, struct arena *arena);

#endif
