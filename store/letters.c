#include "store/letters.h"

#include "schema/buffer.h"
#include "schema/bytes.h"
#include "store/meta.h"

#include <assert.h>
#include <inttypes.h>

#define RECORD_COLUMNS 8
#define COMMON_COLUMNS 7
#define LETTER_COLUMNS (COMMON_COLUMNS + 2)

static const char *const tables[] = {
	[LETTER_DEAD] = "_dead",
	[LETTER_PARKED] = "_parked",
};

static const char *const state_names[] = {
	[LETTER_OPEN] = "open",
	[LETTER_OVERTAKEN] = "overtaken",
};

static const char *const form_names[] = {
	[RECORD_MESSAGE] = "message",
	[RECORD_LINE] = "line",
};

int letters_init(struct letters *letters, sqlite3 *db, struct fault *fault)
{
	const struct {
		sqlite3_stmt **out;
		const char *sql;
	} statements[] = {
		{&letters->put_record, "INSERT INTO _record VALUES"
				       " (?, ?, ?, ?, ?, ?, ?, ?, ?)"},
		{&letters->get_record, "SELECT * FROM _record WHERE id = ?"},
		{&letters->remove_record,
			"DELETE FROM _record WHERE id = ?1"
			" AND NOT EXISTS (SELECT 1 FROM _dead WHERE record = "
			"?1)"
			" AND NOT EXISTS"
			" (SELECT 1 FROM _parked WHERE record = ?1)"},
		{&letters->put[LETTER_DEAD], "REPLACE INTO _dead VALUES"
					     " (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
		{&letters->put[LETTER_PARKED],
			"REPLACE INTO _parked VALUES"
			" (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
		{&letters->get[LETTER_DEAD],
			"SELECT * FROM _dead WHERE id = ?"},
		{&letters->get[LETTER_PARKED],
			"SELECT * FROM _parked WHERE id = ?"},
		{&letters->remove[LETTER_DEAD],
			"DELETE FROM _dead WHERE id = ?"},
		{&letters->remove[LETTER_PARKED],
			"DELETE FROM _parked WHERE id = ?"},
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
	sqlite3_finalize(letters->get_record);
	sqlite3_finalize(letters->remove_record);
	for (int kind = LETTER_DEAD; kind <= LETTER_PARKED; kind++) {
		sqlite3_finalize(letters->put[kind]);
		sqlite3_finalize(letters->get[kind]);
		sqlite3_finalize(letters->remove[kind]);
	}
	letter_bytes_finish(&letters->bytes);
}

/* Behind all that there ever were, which SQLite keeps of such a table
 * (sqlite.org/autoinc.html). */
#define NEXT_ID(table)                                                         \
	"SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = "       \
	"'" table "'), 0) + 1"

int letters_load(struct letters *letters, sqlite3 *db, struct fault *fault)
{
	const struct {
		int64_t *out;
		const char *sql;
	} numbers[] = {
		{&letters->next.record,
			"SELECT coalesce(max(id), 0) + 1 FROM _record"},
		{&letters->next.dead, NEXT_ID("_dead")},
		{&letters->next.parked, NEXT_ID("_parked")},
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
#define NULL_LENGTH UINT32_MAX

static struct slice encode_headers(
	const struct record *record, struct arena *arena, bool *failed)
{
	struct buffer bytes = BUFFER_INIT(arena);
	for (size_t i = 0; i < record->header_count; i++) {
		const struct header *header = &record->headers[i];
		buffer_slice(&bytes, header->name);
		if (header->value.data == NULL)
			buffer_u32(&bytes, NULL_LENGTH);
		else
			buffer_slice(&bytes, header->value);
	}
	*failed = bytes.failed;
	return record->header_count == 0 ? (struct slice){NULL, 0}
					 : buffer_content(&bytes);
}

static struct header decode_header(struct byte_reader *reader)
{
	struct header header = {{NULL, 0}, {NULL, 0}};
	header.name = get_bytes(reader, get_u32(reader));
	uint32_t length = get_u32(reader);
	if (length != NULL_LENGTH)
		header.value = get_bytes(reader, length);
	return header;
}

/* Into record->headers, borrowed from `bytes`. False: out of memory, or (then
 * *failed) not what encode_headers() wrote. */
static bool decode_headers(struct record *record, struct slice bytes,
	struct arena *arena, bool *failed)
{
	struct byte_reader reader = byte_reader_of(bytes);
	*failed = false;
	if (bytes.data == NULL)
		return true;
	/* A header takes eight bytes at least. */
	struct header *headers =
		arena_take(arena, (bytes.length / 8 + 1) * sizeof *headers);
	if (headers == NULL)
		return false;
	while (!reader.failed && reader.at != reader.end)
		headers[record->header_count++] = decode_header(&reader);
	record->headers = headers;
	*failed = reader.failed;
	return !reader.failed;
}

int letters_put_record(struct letters *letters, const struct record *record,
	int64_t timestamp_us, struct arena *arena, struct fault *fault)
{
	bool failed;
	struct slice headers = encode_headers(record, arena, &failed);
	if (failed)
		return fault_set(fault, FAULT_OOM, "no memory for headers");
	const struct column row[RECORD_COLUMNS] = {
		column_integer(letters->next.record),
		column_integer(record->log->id),
		column_integer(record->offset),
		column_text(slice_of(form_names[record->form])),
		timestamp_us == TIMESTAMP_NONE ? column_null()
					       : column_integer(timestamp_us),
		column_blob(record->key),
		column_blob(record->value),
		column_blob(headers),
	};
	int rc =
		run(letters->put_record, "_record", row, RECORD_COLUMNS, fault);
	if (rc == 0)
		letters->next.record++;
	return rc;
}

static int64_t as_time(const struct column *column)
{
	return column->kind == COLUMN_NULL ? TIMESTAMP_NONE
					   : column_as_integer(column);
}

static int no_record(int64_t row, struct fault *fault)
{
	return fault_set(fault, FAULT_CORRUPT,
		"table _record: row %" PRId64 " of a letter is %s", row,
		"missing or damaged: run `holdfast verify`, then restore a "
		"backup");
}

int letters_get_record(struct letters *letters, int64_t row_number,
	struct log_table logs, struct arena *arena, struct record *out,
	struct fault *fault)
{
	struct column row[RECORD_COLUMNS] = {column_integer(row_number)};
	int rc = sql_find_row(letters->get_record, "_record",
		(struct row_room){row, RECORD_COLUMNS}, arena, fault);
	if (rc < 0)
		return rc;
	int64_t log = rc == 1 ? column_as_integer(&row[1]) : 0;
	if (log < 1 || (uint64_t)log > logs.count)
		return no_record(row_number, fault);
	bool is_line = slice_equal(
		column_as_bytes(&row[3]), slice_of(form_names[RECORD_LINE]));
	*out = (struct record){
		.form = is_line ? RECORD_LINE : RECORD_MESSAGE,
		.log = logs.logs[log - 1],
		.offset = column_as_integer(&row[2]),
		.next_offset = column_as_integer(&row[2]) + 1,
		.timestamp_us = as_time(&row[4]),
		.key = column_as_bytes(&row[5]),
		.value = column_as_bytes(&row[6]),
	};
	bool damaged;
	if (decode_headers(out, column_as_bytes(&row[7]), arena, &damaged))
		return 0;
	return damaged ? no_record(row_number, fault)
		       : fault_set(fault, FAULT_OOM, "no memory for headers");
}

static struct column time_column(int64_t us)
{
	return us == TIMESTAMP_NONE ? column_null() : column_integer(us);
}

static struct column text_or_empty(struct slice text)
{
	return column_text(text.data == NULL ? slice_of("") : text);
}

/* What both tables begin with, then two columns of their own. */
static void letter_columns(
	const struct letter *letter, struct column row[LETTER_COLUMNS])
{
	size_t n = 0;
	row[n++] = column_integer(letter->id);
	row[n++] = column_integer(letter->record);
	row[n++] = text_or_empty(letter->view);
	row[n++] = column_integer(letter->place);
	row[n++] = column_text(slice_of(reason_name(letter->reason)));
	row[n++] = text_or_empty(letter->detail);
	row[n++] = letter->has_key
			   ? column_blob((struct slice){
				     (const char *)letter->key, KEY_BYTES})
			   : column_null();
	assert(n == COMMON_COLUMNS);
	if (letter->kind == LETTER_DEAD) {
		row[n++] = column_text(slice_of(state_names[letter->state]));
		row[n++] = time_column(letter->acknowledged_us);
	} else {
		row[n++] = column_integer(letter->attempts);
		row[n++] = time_column(letter->due_us);
	}
}

int letters_put(
	struct letters *letters, struct letter *letter, struct fault *fault)
{
	struct column row[LETTER_COLUMNS];
	int64_t *next = letter->kind == LETTER_DEAD ? &letters->next.dead
						    : &letters->next.parked;
	bool is_new = letter->id == 0;
	if (is_new)
		letter->id = *next;
	letter_columns(letter, row);
	int rc = run(letters->put[letter->kind], tables[letter->kind], row,
		LETTER_COLUMNS, fault);
	if (rc < 0 || !is_new)
		return rc;
	(*next)++;
	return letter_bytes_add(
		&letters->bytes, letter->kind, letter->record, fault);
}

static bool parse_state(struct slice name, enum letter_state *out)
{
	for (int i = LETTER_OPEN; i <= LETTER_OVERTAKEN; i++) {
		*out = (enum letter_state)i;
		if (slice_equal(name, slice_of(state_names[i])))
			return true;
	}
	return false;
}

static struct letter letter_of(
	enum letter_kind kind, const struct column row[LETTER_COLUMNS])
{
	struct slice key = column_as_bytes(&row[6]);
	struct letter letter = {
		.kind = kind,
		.id = column_as_integer(&row[0]),
		.record = column_as_integer(&row[1]),
		.view = column_as_bytes(&row[2]),
		.place = (uint32_t)column_as_integer(&row[3]),
		.reason = reason_parse(column_as_bytes(&row[4])),
		.detail = column_as_bytes(&row[5]),
		.has_key = key.length == KEY_BYTES,
		.acknowledged_us = TIMESTAMP_NONE,
		.due_us = TIMESTAMP_NONE,
	};
	if (letter.has_key)
		memcpy(letter.key, key.data, KEY_BYTES);
	return letter;
}

int letters_get(struct letters *letters, enum letter_kind kind, int64_t id,
	struct arena *arena, struct letter *out, struct fault *fault)
{
	struct column row[LETTER_COLUMNS] = {column_integer(id)};
	int rc = sql_find_row(letters->get[kind], tables[kind],
		(struct row_room){row, LETTER_COLUMNS}, arena, fault);
	if (rc != 1)
		return rc;
	*out = letter_of(kind, row);
	if (kind == LETTER_PARKED) {
		out->attempts = column_as_integer(&row[COMMON_COLUMNS]);
		out->due_us = as_time(&row[COMMON_COLUMNS + 1]);
		return 1;
	}
	out->acknowledged_us = as_time(&row[COMMON_COLUMNS + 1]);
	if (parse_state(column_as_bytes(&row[COMMON_COLUMNS]), &out->state))
		return 1;
	return fault_set(fault, FAULT_CORRUPT,
		"table _dead: letter %" PRId64 " is of no known state", id);
}

int letters_remove(struct letters *letters, const struct letter *letter,
	struct fault *fault)
{
	const struct column id = column_integer(letter->id);
	int rc = letter_bytes_remove(
		&letters->bytes, letter->kind, letter->record, fault);
	if (rc < 0)
		return rc;
	sql_bind(letters->remove[letter->kind], &id, 1);
	rc = sql_run(letters->remove[letter->kind], fault);
	if (rc < 0)
		return rc;
	const struct column record = column_integer(letter->record);
	sql_bind(letters->remove_record, &record, 1);
	return sql_run(letters->remove_record, fault);
}
