#include "store/view_rows.h"

#include "schema/buffer.h"
#include "schema/bytes.h"

#include <assert.h>

static struct column to_column(
	const struct type *type, const struct value *value)
{
	if (value->state != VALUE_SET)
		return column_null();
	switch (type->kind) {
	case TYPE_STRING:
		return column_text(value->as.bytes);
	case TYPE_BYTES:
	case TYPE_VECTOR:
		return column_blob(value->as.bytes);
	case TYPE_FLOAT64:
		return column_real(value->as.real);
	case TYPE_DECIMAL:
		return column_real(
			decimal_to_real(value->as.integer, type->scale));
	default:
		return column_integer(value->as.integer);
	}
}

static struct value from_column(
	const struct type *type, const struct column *column)
{
	struct value value = {.state = VALUE_SET};
	if (column->kind == COLUMN_NULL)
		value.state = VALUE_UNSET;
	else if (type_is_bytes(type->kind))
		value.as.bytes = column_as_bytes(column);
	else if (type->kind == TYPE_FLOAT64)
		value.as.real = column->as.real;
	else if (type->kind == TYPE_DECIMAL)
		value.as.integer =
			decimal_from_real(column->as.real, type->scale);
	else
		value.as.integer = column_as_integer(column);
	return value;
}

static size_t present_columns(const struct view *view)
{
	return view->key_count + view->feature_count + VIEW_OWN_COLUMNS;
}

static size_t deleted_columns(const struct view *view)
{
	return view->key_count + 2;
}

static void entity_columns(const struct view *view, const struct value *entity,
	struct column *columns)
{
	for (size_t i = 0; i < view->key_count; i++)
		columns[i] = to_column(&view->keys[i].type, &entity[i]);
}

int view_rows_load_totals(struct view_rows *rows, struct fault *fault)
{
	sqlite3_stmt *statement = NULL;
	int rc = sql_prepare(rows->home.db, &statement,
		"SELECT * FROM _view WHERE name = ?", fault);
	struct column row[4] = {column_text(slice_of(rows->view->name))};
	if (rc == 0) {
		sql_bind(statement, row, 1);
		rc = sql_step(statement, fault);
	}
	rows->totals = (struct view_totals){0};
	if (rc == 1 &&
		(rc = sql_read_row(statement, "_view", row, 4, fault)) == 0) {
		struct byte_reader digest =
			byte_reader_of(column_as_bytes(&row[3]));
		rows->totals.rows = column_as_integer(&row[1]);
		rows->totals.deleted = column_as_integer(&row[2]);
		rows->totals.digest.high = get_u64(&digest);
		rows->totals.digest.low = get_u64(&digest);
	}
	sqlite3_finalize(statement);
	return rc;
}

int view_totals_write(sqlite3 *db, const char *view,
	const struct view_totals *totals, struct fault *fault)
{
	unsigned char digest[DIGEST_BYTES];
	struct byte_writer writer = {digest, digest + sizeof digest};
	put_u64(&writer, totals->digest.high);
	put_u64(&writer, totals->digest.low);
	struct column row[4] = {column_text(slice_of(view)),
		column_integer(totals->rows), column_integer(totals->deleted),
		column_blob(
			(struct slice){(const char *)digest, sizeof digest})};
	sqlite3_stmt *statement = NULL;
	int rc = sql_prepare(db, &statement,
		"REPLACE INTO _view VALUES (?, ?, ?, ?, ?)", fault);
	if (rc == 0 && !sql_bind_row(statement, "_view", row, 4))
		rc = fault_set(fault, FAULT_OOM, "no memory for view totals");
	if (rc == 0)
		rc = sql_run(statement, fault);
	sqlite3_finalize(statement);
	return rc;
}

static int prepare(struct view_rows *rows, struct fault *fault)
{
	const struct {
		sqlite3_stmt **out;
		const char *sql;
		bool writes;
	} statements[] = {
		{&rows->get, rows->sql.get, false},
		{&rows->get_deleted, rows->sql.get_deleted, false},
		{&rows->put, rows->sql.put, true},
		{&rows->remove, rows->sql.remove, true},
		{&rows->put_deleted, rows->sql.put_deleted, true},
		{&rows->remove_deleted, rows->sql.remove_deleted, true},
	};
	int rc = 0;
	for (size_t i = 0;
		rc == 0 && i < sizeof statements / sizeof statements[0]; i++)
		if (rows->home.writable || !statements[i].writes)
			rc = sql_prepare(rows->home.db, statements[i].out,
				statements[i].sql, fault);
	return rc;
}

int view_rows_init(struct view_rows *rows, const struct view_rows_home *home,
	const struct view *view, struct fault *fault)
{
	*rows = (struct view_rows){.home = *home, .view = view};
	rows->columns = arena_take(
		home->memory, present_columns(view) * sizeof rows->columns[0]);
	struct buffer table = BUFFER_INIT(home->memory);
	buffer_bytes(&table, "_deleted_", 9);
	buffer_bytes(&table, view->name, strlen(view->name) + 1);
	rows->deleted_table = (const char *)table.data;
	if (rows->columns == NULL || table.failed ||
		!view_sql_make(view, home->memory, &rows->sql))
		return fault_set(
			fault, FAULT_OOM, "no memory for view %s", view->name);
	int rc = prepare(rows, fault);
	if (rc == 0)
		rc = view_rows_load_totals(rows, fault);
	return rc;
}

void view_rows_finish(struct view_rows *rows)
{
	sqlite3_finalize(rows->get);
	sqlite3_finalize(rows->put);
	sqlite3_finalize(rows->remove);
	sqlite3_finalize(rows->get_deleted);
	sqlite3_finalize(rows->put_deleted);
	sqlite3_finalize(rows->remove_deleted);
}

static int no_memory(const struct view_rows *rows, struct fault *fault)
{
	return fault_set(fault, FAULT_OOM, "view %s: no memory for a row",
		rows->view->name);
}

/* Columns behind the keys of the view's table into *row. */
static int decode_present(const struct view_rows *rows,
	const struct column *columns, struct row *row, struct fault *fault)
{
	const struct view *view = rows->view;
	struct log_table logs = partitions_logs(rows->home.partitions);
	for (size_t i = 0; i < view->feature_count; i++)
		row->cells[i].value =
			from_column(&view->features[i].type, columns++);
	int64_t log = column_as_integer(&columns[1]);
	if (log < 1 || log > (int64_t)logs.count)
		return fault_set(fault, FAULT_CORRUPT,
			"view %s: a row of an unknown log", view->name);
	struct version version = {
		.event_us = column_as_integer(&columns[0]),
		.log = logs.logs[log - 1],
		.offset = column_as_integer(&columns[2]),
		.place = (uint32_t)column_as_integer(&columns[3]),
	};
	int rc = row_decode_floor(
		row, column_as_bytes(&columns[4]), logs, fault);
	if (rc == 0)
		rc = row_decode_versions(view, row, &version,
			column_as_bytes(&columns[5]), logs, fault);
	return rc;
}

int view_rows_read(struct view_rows *rows, sqlite3_stmt *statement,
	struct arena *arena, struct value *entity, struct held_row *held,
	struct fault *fault)
{
	const struct view *view = rows->view;
	bool deleted = held->place == ROW_DELETED;
	struct column *columns = rows->columns;
	size_t count = deleted ? deleted_columns(view) : present_columns(view);
	int rc = sql_read_row(statement,
		deleted ? rows->deleted_table : view->name, columns, count,
		fault);
	if (rc < 0)
		return rc;
	held->row = row_empty(view, arena);
	if (held->row.cells == NULL || !columns_keep(columns, count, arena))
		return no_memory(rows, fault);
	for (size_t i = 0; entity != NULL && i < view->key_count; i++)
		entity[i] = from_column(&view->keys[i].type, &columns[i]);
	columns += view->key_count;
	if (deleted)
		return row_decode_floor(&held->row,
			column_as_bytes(&columns[1]),
			partitions_logs(rows->home.partitions), fault);
	return decode_present(rows, columns, &held->row, fault);
}

static bool is_same_entity(const struct view *view, const struct value *entity,
	const struct value *found)
{
	for (size_t i = 0; i < view->key_count; i++)
		if (!value_equal(
			    view->keys[i].type.kind, &entity[i], &found[i]))
			return false;
	return true;
}

/* 1: found in the table that held->place names, and read. 0: not there. */
static int look_up(struct view_rows *rows, const struct value *entity,
	struct arena *arena, struct held_row *held, struct fault *fault)
{
	sqlite3_stmt *statement =
		held->place == ROW_DELETED ? rows->get_deleted : rows->get;
	struct value found[SCHEMA_KEYS_MAX];
	entity_columns(rows->view, entity, rows->columns);
	sql_bind(statement, rows->columns, rows->view->key_count);
	int rc = sql_step(statement, fault);
	if (rc == 1) {
		int read = view_rows_read(
			rows, statement, arena, found, held, fault);
		if (read == 0 && !is_same_entity(rows->view, entity, found))
			read = sql_fault_other_row(rows->view->name, fault);
		rc = read < 0 ? read : 1;
	}
	sqlite3_reset(statement);
	return rc;
}

int view_rows_get(struct view_rows *rows, const struct value *entity,
	struct arena *arena, struct held_row *out, struct fault *fault)
{
	out->place = ROW_PRESENT;
	int rc = look_up(rows, entity, arena, out, fault);
	if (rc == 0) {
		out->place = ROW_DELETED;
		rc = look_up(rows, entity, arena, out, fault);
	}
	if (rc != 0)
		return rc < 0 ? rc : 0;
	out->place = ROW_NOWHERE;
	out->row = row_empty(rows->view, arena);
	return out->row.cells == NULL ? no_memory(rows, fault) : 0;
}

static int put_present(struct view_rows *rows, const struct value *entity,
	const struct row *row, struct arena *arena, struct fault *fault)
{
	const struct view *view = rows->view;
	struct column *column = rows->columns;
	struct version version = row_version(view, row);
	struct slice floor, versions;
	if (!row_encode_floor(row, arena, &floor) ||
		!row_encode_versions(view, row, arena, &versions))
		return no_memory(rows, fault);
	entity_columns(view, entity, column);
	column += view->key_count;
	for (size_t i = 0; i < view->feature_count; i++)
		*column++ = to_column(
			&view->features[i].type, &row->cells[i].value);
	*column++ = column_integer(version.event_us);
	*column++ = column_integer(version.log->id);
	*column++ = column_integer(version.offset);
	*column++ = column_integer(version.place);
	*column++ = column_text(floor);
	*column++ = column_text(versions);
	size_t count = (size_t)(column - rows->columns);
	assert(count == present_columns(view));
	if (!sql_bind_row(rows->put, view->name, rows->columns, count))
		return no_memory(rows, fault);
	return sql_run(rows->put, fault);
}

static int put_deleted(struct view_rows *rows, const struct value *entity,
	const struct row *row, struct arena *arena, struct fault *fault)
{
	size_t keys = rows->view->key_count;
	struct slice floor;
	if (!row_encode_floor(row, arena, &floor))
		return no_memory(rows, fault);
	entity_columns(rows->view, entity, rows->columns);
	rows->columns[keys] = column_integer(row->floor.event_us);
	rows->columns[keys + 1] = column_text(floor);
	if (!sql_bind_row(rows->put_deleted, rows->deleted_table, rows->columns,
		    keys + 2))
		return no_memory(rows, fault);
	return sql_run(rows->put_deleted, fault);
}

static int remove_row(struct view_rows *rows, sqlite3_stmt *statement,
	const struct value *entity, struct fault *fault)
{
	entity_columns(rows->view, entity, rows->columns);
	sql_bind(statement, rows->columns, rows->view->key_count);
	return sql_run(statement, fault);
}

int view_rows_put(struct view_rows *rows, const struct value *entity,
	const struct held_row *held, struct view_totals *totals,
	struct arena *arena, struct fault *fault)
{
	const struct row *row = &held->row;
	bool present = row_is_present(rows->view, row);
	assert(present || row->has_floor);
	int rc = present ? put_present(rows, entity, row, arena, fault)
			 : put_deleted(rows, entity, row, arena, fault);
	if (rc == 0 && held->place == ROW_PRESENT && !present)
		rc = remove_row(rows, rows->remove, entity, fault);
	if (rc == 0 && held->place == ROW_DELETED && present)
		rc = remove_row(rows, rows->remove_deleted, entity, fault);
	totals->rows += present - (held->place == ROW_PRESENT);
	totals->deleted += !present - (held->place == ROW_DELETED);
	return rc;
}

int view_rows_remove(struct view_rows *rows, const struct value *entity,
	enum row_place place, struct view_totals *totals, struct fault *fault)
{
	bool deleted = place == ROW_DELETED;
	assert(place != ROW_NOWHERE);
	--*(deleted ? &totals->deleted : &totals->rows);
	return remove_row(rows, deleted ? rows->remove_deleted : rows->remove,
		entity, fault);
}
