/*
 * A row: what an entity holds in one view, and its stored form.
 *
 * A row has one version, the largest of its features'. Where features differ
 * from it, or are null or unset, a compact column says so. The floor is the
 * version of the newest delete (or replace): nothing older comes back.
 */
#ifndef HOLDFAST_SCHEMA_ROW_H
#define HOLDFAST_SCHEMA_ROW_H

#include "schema/arena.h"
#include "schema/fault.h"
#include "schema/schema.h"
#include "schema/value.h"
#include "schema/version.h"

struct cell {
	struct value value;
	struct version version; /* valid unless the value is unset */
};

struct row {
	bool has_floor;
	struct version floor;
	struct cell *cells; /* cells[0..view->feature_count) */
};

/* All unset, no floor. NULL cells when out of memory. */
struct row row_empty(const struct view *view, struct arena *arena);

/* Is some feature set or null? Without one, only the floor is stored. */
bool row_is_present(const struct view *view, const struct row *row);

/* The row's version: the largest of its features'. Requires a present row. */
struct version row_version(const struct view *view, const struct row *row);

/*
 * The compact column: per feature a state and, where it differs from the
 * row's, a version. Absent when every feature is set at the row's version.
 * Allocated in `arena`; false when out of memory.
 */
bool row_encode_versions(const struct view *view, const struct row *row,
	struct arena *arena, struct slice *out);
bool row_encode_floor(
	const struct row *row, struct arena *arena, struct slice *out);

/* logs[0..count), by id: logs[i]->id == i + 1. */
struct log_table {
	const struct log *const *logs;
	size_t count;
};

/*
 * Put versions and states back into a row whose cells hold the columns'
 * values (a NULL column: VALUE_UNSET). `row_version` is what the row's plain
 * columns say. Features behind the end of the column are younger than the row
 * and stay unset. Errors: FAULT_CORRUPT.
 */
int row_decode_versions(const struct view *view, struct row *row,
	const struct version *row_version, struct slice column,
	struct log_table logs, struct fault *fault);
int row_decode_floor(struct row *row, struct slice column,
	struct log_table logs, struct fault *fault);

#endif
