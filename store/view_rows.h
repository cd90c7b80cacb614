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
#include "store/partitions.h"
#include "store/tables.h"

/* What a view holds in all; a row of `_view`. */
struct view_totals {
	int64_t rows, deleted;
	struct digest digest;
};

/* Where an entity's row was found. */
enum row_place { ROW_NOWHERE, ROW_DELETED, ROW_PRESENT };

/* A row and the table it was found in, or belongs into when it is written. */
struct held_row {
	struct row row;
	enum row_place place;
};

/* What the rows of all views share. */
struct view_rows_home {
	sqlite3 *db;
	const struct partitions *partitions; /* their logs, for versions */
	bool writable;	      /* prepare the writing statements too */
	struct arena *memory; /* lives as long as the rows */
};

struct view_rows {
	struct view_rows_home home;
	const struct view *view;
	const char *deleted_table; /* "_deleted_<view>" */
	struct view_sql sql;
	sqlite3_stmt *get, *put, *remove;
	sqlite3_stmt *get_deleted, *put_deleted, *remove_deleted;
	struct column *columns; /* room for the widest row */
	struct view_totals totals;
};

/* Prepare the statements and read the totals. `home` is copied.
 * Errors: FAULT_OOM, FAULT_CORRUPT, as sql_fault(). */
int view_rows_init(struct view_rows *rows, const struct view_rows_home *home,
	const struct view *view, struct fault *fault);
void view_rows_finish(struct view_rows *rows);

/* Read the totals again. */
int view_rows_load_totals(struct view_rows *rows, struct fault *fault);
int view_totals_write(sqlite3 *db, const char *view,
	const struct view_totals *totals, struct fault *fault);

/* The entity's row, its bytes copied into `arena`; ROW_NOWHERE is an empty one.
 * Errors: FAULT_CORRUPT, as sql_fault(). */
int view_rows_get(struct view_rows *rows, const struct value *entity,
	struct arena *arena, struct held_row *out, struct fault *fault);

/* Put a changed row where it belongs and remove it from held->place, where it
 * was. Counts are brought along in `totals`, the digest is the caller's. */
int view_rows_put(struct view_rows *rows, const struct value *entity,
	const struct held_row *held, struct view_totals *totals,
	struct arena *arena, struct fault *fault);

/* Take away what `place` has of the entity, a row or a deleted one's floor; the
 * digest is the caller's. */
int view_rows_remove(struct view_rows *rows, const struct value *entity,
	enum row_place place, struct view_totals *totals, struct fault *fault);

/* The row `statement` stands on, of the table held->place names: its entity
 * into entity[0..key_count) (NULL: not wanted), the rest into held->row, all in
 * `arena`. */
int view_rows_read(struct view_rows *rows, sqlite3_stmt *statement,
	struct arena *arena, struct value *entity, struct held_row *held,
	struct fault *fault);

#endif
