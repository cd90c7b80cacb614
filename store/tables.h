/*
 * The tables: what a store's file consists of.
 *
 * One table a view, readable with plain SQL; our own tables and columns start
 * with `_`. All are STRICT. Source: design section 6.
 */
#ifndef HOLDFAST_STORE_TABLES_H
#define HOLDFAST_STORE_TABLES_H

#include "schema/schema.h"
#include "store/sql.h"

#define STORE_APPLICATION_ID 0x68666431 /* "hfd1" */
#define STORE_FORMAT 11			/* PRAGMA user_version */

/* Columns of ours behind the features of a view's table, checksum apart:
 * _event_time, _log, _offset, _place, _floor, _versions. */
#define VIEW_OWN_COLUMNS 6

/* Make every table of an empty database, within the caller's transaction.
 * Errors: as sql_fault(). */
int tables_create(sqlite3 *db, const struct schema *schema, struct arena *arena,
	struct fault *fault);

/* A view that joins: its tables. Within the caller's transaction, as are the
 * next three. Errors: as sql_fault(). */
int tables_add_view(sqlite3 *db, const struct view *view, struct arena *arena,
	struct fault *fault);

/* The view's table becomes `_replaced_VIEW`, and an empty one with the view's
 * columns takes its place; then what was put aside is dropped. */
int tables_put_view_aside(sqlite3 *db, const struct view *view,
	struct arena *arena, struct fault *fault);
int tables_drop_replaced(sqlite3 *db, const struct view *view,
	struct arena *arena, struct fault *fault);

/* Every row of what was put aside. NULL: out of memory. */
const char *tables_select_replaced(
	const struct view *view, struct arena *arena);

/*
 * Is the file ours, and of a format we know? By its first bytes alone, before
 * SQLite sees it: opening a stranger's database can already write (recover a
 * journal, copy a WAL into the file). Not while the process has the file open,
 * since closing it here drops SQLite's locks (sqlite.org/howtocorrupt.html).
 * Where they are destroyed and there is a WAL, which may hold them, it is left
 * to tables_check().
 * Errors: FAULT_REFUSED (foreign, newer, missing), FAULT_IO.
 */
int tables_check_file(const char *path, struct fault *fault);

/* The same asked of SQLite, which sees the WAL too.
 * Errors: FAULT_REFUSED (foreign, newer), else as sql_fault(). */
int tables_check(sqlite3 *db, const char *path, struct fault *fault);

/* Statements of one view's tables. NULL: out of memory. */
struct view_sql {
	const char *get, *put, *remove;
	const char *get_deleted, *put_deleted, *remove_deleted;
	const char *all, *all_deleted;
};
bool view_sql_make(
	const struct view *view, struct arena *arena, struct view_sql *out);

#endif
