/*
 * The rows of one view: read and written by entity, digest and counts kept.
 *
 * A deleted entity has no row in the view's table; its floor stands in
 * `_deleted_<view>` until it returns. Source: design section 6.
 */
#ifndef HOLDFAST_STORE_VIEW_ROWS_H
#define HOLDFAST_STORE_VIEW_ROWS_H

#include "schema/digest.h"
#include "schema/row.h"
#include "store/tables.h"

/* What a view holds in all; a row of `_view`. */
struct view_totals {
	int64_t rows, deleted;
	struct digest digest;
};

/* Where an entity's row was found. */
enum row_place { ROW_NOWHERE, ROW_DELETED, ROW_PRESENT };

struct view_rows {
	const struct view *view;
	const char *deleted_table; /* "_deleted_<view>" */
	struct view_sql sql;
	sqlite3_stmt *get, *put, *remove;
	sqlite3_stmt *get_deleted, *put_deleted, *remove_deleted;
	struct column *columns; /* room for the widest row */
	struct view_totals totals;
};

/* Prepare the statements (the writing ones too, if `writable`) and read the
 * totals. Memory is of `arena`, which must outlive `rows`. */
int view_rows_init(struct view_rows *rows, sqlite3 *db, const struct view *view,
	bool writable, struct arena *arena, struct fault *fault);
void view_rows_finish(struct view_rows *rows);

/* Read the totals again. */
int view_rows_load_totals(
	struct view_rows *rows, sqlite3 *db, struct fault *fault);
int view_totals_write(sqlite3 *db, const char *view,
	const struct view_totals *totals, struct fault *fault);

/* The entity's row, its bytes copied into `arena`; *place says where it was.
 * ROW_NOWHERE gives an empty row. Errors: FAULT_CORRUPT, as sql_fault(). */
int view_rows_get(struct view_rows *rows, const struct value *entity,
	struct log_table logs, struct arena *arena, struct row *row,
	enum row_place *place, struct fault *fault);

/* Put a changed row where it belongs and remove it from where it was. Counts
 * are brought along in `totals`, the digest is the caller's. */
int view_rows_put(struct view_rows *rows, const struct value *entity,
	const struct row *row, enum row_place was, struct view_totals *totals,
	struct arena *arena, struct fault *fault);

/* The row `statement` (of sql.all or sql.all_deleted) stands on: entity into
 * entity[0..key_count), the rest into *row, all in `arena`. */
int view_rows_read(struct view_rows *rows, sqlite3_stmt *statement,
	bool deleted, struct log_table logs, struct arena *arena,
	struct value *entity, struct row *row, struct fault *fault);

#endif
