#include "store/letters.h"

#include "schema/buffer.h"

#include <assert.h>
#include <inttypes.h>

#define COMMON_COLUMNS 7
#define DEAD_COLUMNS (COMMON_COLUMNS + 1)
#define STATE_COLUMN COMMON_COLUMNS
#define PARKED_COLUMNS (COMMON_COLUMNS + 2)

int letters_init(struct letters *letters, sqlite3 *db, struct fault *fault)
{
	const struct {
		sqlite3_stmt **out;
		const char *sql;
	} statements[] = {
		{&letters->put_record, "INSERT INTO _record VALUES"
				       " (?, ?, ?, ?, ?, ?, ?, ?)"},
		{&letters->put_dead, "INSERT INTO _dead VALUES"
				     " (?, ?, ?, ?, ?, ?, ?, ?, ?)"},
		{&letters->put_parked, "INSERT INTO _parked VALUES"
				       " (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
		{&letters->get_dead, "SELECT * FROM _dead WHERE id = ?"},
		{&letters->set_dead, "REPLACE INTO _dead VALUES"
				     " (?, ?, ?, ?, ?, ?, ?, ?, ?)"},
	};
	*letters = (struct letters){0};
	int rc = letters_load(letters, db, fault);
	for (size_t i = 0;
		rc == 0 && i < sizeof statements / sizeof statements[0]; i++)
		rc = sql_prepare(
			db, statements[i].out, statements[i].sql, fault);
	return rc;
}

void letters_finish(struct letters *letters)
{
	sqlite3_finalize(letters->put_record);
	sqlite3_finalize(letters->put_dead);
	sqlite3_finalize(letters->put_parked);
	sqlite3_finalize(letters->get_dead);
	sqlite3_finalize(letters->set_dead);
}

int letters_load(struct letters *letters, sqlite3 *db, struct fault *fault)
{
	const struct {
		int64_t *out;
		const char *sql;
	} numbers[] = {
		{&letters->next.record,
			"SELECT coalesce(max(id), 0) + 1 FROM _record"},
		{&letters->next.dead,
			"SELECT coalesce(max(id), 0) + 1 FROM _dead"},
		{&letters->next.parked,
			"SELECT coalesce(max(id), 0) + 1 FROM _parked"},
	};
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < sizeof numbers / sizeof numbers[0];
		i++)
		rc = sql_integer(db, numbers[i].sql, numbers[i].out, fault);
	return rc;
}

static int run(sqlite3_stmt *statement, const char *table,
	const struct column *row, size_t count, struct fault *fault)
{
	if (!sql_bind_row(statement, table, row, count))
		return fault_set(fault, FAULT_OOM,
			"table %s: no memory for a row", table);
	return sql_run(statement, fault);
}

/* Names and values with their lengths before them; a null value has the
 * length 2^32 - 1. Absent without headers. */
static struct slice encode_headers(
	const struct record *record, struct arena *arena, bool *failed)
{
	struct buffer bytes = BUFFER_INIT(arena);
	for (size_t i = 0; i < record->header_count; i++) {
		const struct header *header = &record->headers[i];
		buffer_slice(&bytes, header->name);
		if (header->value.data == NULL)
			buffer_u32(&bytes, UINT32_MAX);
		else
			buffer_slice(&bytes, header->value);
	}
	*failed = bytes.failed;
	return record->header_count == 0 ? (struct slice){NULL, 0}
					 : buffer_content(&bytes);
}

int letters_put_record(struct letters *letters, const struct record *record,
	int64_t timestamp_us, struct arena *arena, struct fault *fault)
{
	bool failed;
	struct slice headers = encode_headers(record, arena, &failed);
	if (failed)
		return fault_set(fault, FAULT_OOM, "no memory for headers");
	const struct column row[] = {
		column_integer(letters->next.record),
		column_integer(record->log->id),
		column_integer(record->offset),
		timestamp_us == TIMESTAMP_NONE ? column_null()
					       : column_integer(timestamp_us),
		column_blob(record->key),
		column_blob(record->value),
		column_blob(headers),
	};
	int rc = run(letters->put_record, "_record", row,
		sizeof row / sizeof row[0], fault);
	if (rc == 0)
		letters->next.record++;
	return rc;
}

static struct column key_column(const struct update *update)
{
	return update->has_key ? column_blob((struct slice){
					 (const char *)update->key, KEY_BYTES})
			       : column_null();
}

static struct column text_or_empty(struct slice text)
{
	return column_text(text.data == NULL ? slice_of("") : text);
}

/* What both tables begin with. */
static void common_columns(int64_t id, const struct letter *letter,
	struct column row[COMMON_COLUMNS])
{
	const struct update *update = letter->update;
	size_t n = 0;
	row[n++] = column_integer(id);
	row[n++] = column_integer(letter->record);
	row[n++] = text_or_empty(update->view_name);
	row[n++] = column_integer(update->place);
	row[n++] = column_text(slice_of(reason_name(letter->reason)));
	row[n++] = text_or_empty(slice_of(letter->detail));
	row[n++] = key_column(update);
	assert(n == COMMON_COLUMNS);
}

int letters_put_dead(struct letters *letters, const struct letter *letter,
	int64_t *out, struct fault *fault)
{
	struct column row[DEAD_COLUMNS];
	common_columns(letters->next.dead, letter, row);
	row[STATE_COLUMN] =
		column_text(slice_of(letter->overtaken ? "overtaken" : "open"));
	int rc = run(letters->put_dead, "_dead", row, DEAD_COLUMNS, fault);
	if (rc == 0)
		*out = letters->next.dead++;
	return rc;
}

int letters_put_parked(struct letters *letters, const struct letter *letter,
	int64_t *out, struct fault *fault)
{
	struct column row[PARKED_COLUMNS];
	common_columns(letters->next.parked, letter, row);
	row[COMMON_COLUMNS] = column_integer(0); /* attempts */
	row[COMMON_COLUMNS + 1] = column_null(); /* due: not known yet */
	int rc =
		run(letters->put_parked, "_parked", row, PARKED_COLUMNS, fault);
	if (rc == 0)
		*out = letters->next.parked++;
	return rc;
}

int letters_overtake(struct letters *letters, int64_t dead, struct arena *arena,
	struct fault *fault)
{
	struct column row[DEAD_COLUMNS] = {column_integer(dead)};
	sql_bind(letters->get_dead, row, 1);
	int rc = sql_step(letters->get_dead, fault);
	if (rc == 0)
		return fault_set(fault, FAULT_CORRUPT,
			"table _dead: letter %" PRId64 " is missing", dead);
	if (rc == 1)
		rc = sql_read_row(
			letters->get_dead, "_dead", row, DEAD_COLUMNS, fault);
	if (rc == 0 && !columns_keep(row, DEAD_COLUMNS, arena))
		rc = fault_set(fault, FAULT_OOM, "no memory for a letter");
	sqlite3_reset(letters->get_dead);
	row[STATE_COLUMN] = column_text(slice_of("overtaken"));
	if (rc == 0)
		rc = run(letters->set_dead, "_dead", row, DEAD_COLUMNS, fault);
	return rc;
}
