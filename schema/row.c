#include "schema/row.h"

#include "schema/bytes.h"

#include <assert.h>

/*
 * The compact column is text, one word a feature in the schema's order, with
 * commas between them:
 *
 *     (nothing)  set, at the row's version
 *     n          null, at the row's version
 *     -          unset
 *     V or nV    set or null at a version of its own
 *
 * A version V is time/log/offset/place, its time in microseconds relative to
 * the row's event time. The floor is one V relative to 1970.
 */
#define VERSION_CHARACTERS (4 * (DECIMAL_CHARACTERS + 1))

struct row row_empty(const struct view *view, struct arena *arena)
{
	struct row row = {0};
	size_t size = view->feature_count * sizeof row.cells[0];
	row.cells = arena_take(arena, size);
	if (row.cells != NULL)
		memset(row.cells, 0, size);
	return row;
}

bool row_is_present(const struct view *view, const struct row *row)
{
	for (size_t i = 0; i < view->feature_count; i++)
		if (row->cells[i].value.state != VALUE_UNSET)
			return true;
	return false;
}

struct version row_version(const struct view *view, const struct row *row)
{
	const struct version *newest = NULL;
	for (size_t i = 0; i < view->feature_count; i++) {
		const struct cell *cell = &row->cells[i];
		if (cell->value.state != VALUE_UNSET &&
			(newest == NULL ||
				version_compare(&cell->version, newest) > 0))
			newest = &cell->version;
	}
	assert(newest != NULL);
	return *newest;
}

static void put_version(struct byte_writer *writer,
	const struct version *version, int64_t base_us)
{
	/* Wraps around rather than overflows; the reader wraps it back. */
	put_decimal(writer,
		(int64_t)((uint64_t)version->event_us - (uint64_t)base_us));
	put_byte(writer, '/');
	put_decimal(writer, version->log->id);
	put_byte(writer, '/');
	put_decimal(writer, version->offset);
	put_byte(writer, '/');
	put_decimal(writer, version->place);
}

static struct version get_version(
	struct byte_reader *reader, int64_t base_us, struct log_table logs)
{
	struct version version = {0};
	version.event_us =
		(int64_t)((uint64_t)get_decimal(reader) + (uint64_t)base_us);
	expect_byte(reader, '/');
	int64_t id = get_decimal(reader);
	expect_byte(reader, '/');
	version.offset = get_decimal(reader);
	expect_byte(reader, '/');
	int64_t place = get_decimal(reader);
	if (reader->failed || id < 1 || (uint64_t)id > logs.count ||
		place < 0 || place > UINT32_MAX) {
		reader->failed = true;
		return version;
	}
	version.log = logs.logs[id - 1];
	version.place = (uint32_t)place;
	return version;
}

/* One feature's word; true if it is the empty one. */
static bool put_cell(struct byte_writer *writer, const struct cell *cell,
	const struct version *row_version)
{
	if (cell->value.state == VALUE_UNSET) {
		put_byte(writer, '-');
		return false;
	}
	if (cell->value.state == VALUE_NULL)
		put_byte(writer, 'n');
	bool own = version_compare(&cell->version, row_version) != 0;
	if (own)
		put_version(writer, &cell->version, row_version->event_us);
	return !own && cell->value.state == VALUE_SET;
}

bool row_encode_versions(const struct view *view, const struct row *row,
	struct arena *arena, struct slice *out)
{
	struct version newest = row_version(view, row);
	size_t room = view->feature_count * (2 + VERSION_CHARACTERS);
	unsigned char *bytes = arena_take(arena, room);
	if (bytes == NULL)
		return false;
	struct byte_writer writer = {bytes, bytes + room};
	bool plain = true;
	for (size_t i = 0; i < view->feature_count; i++) {
		if (i > 0)
			put_byte(&writer, ',');
		plain = put_cell(&writer, &row->cells[i], &newest) && plain;
	}
	size_t length = (size_t)(writer.at - bytes);
	*out = plain ? (struct slice){NULL, 0}
		     : (struct slice){(const char *)bytes, length};
	return true;
}

bool row_encode_floor(
	const struct row *row, struct arena *arena, struct slice *out)
{
	*out = (struct slice){NULL, 0};
	if (!row->has_floor)
		return true;
	unsigned char *bytes = arena_take(arena, VERSION_CHARACTERS);
	if (bytes == NULL)
		return false;
	struct byte_writer writer = {bytes, bytes + VERSION_CHARACTERS};
	put_version(&writer, &row->floor, 0);
	*out = (struct slice){(const char *)bytes, (size_t)(writer.at - bytes)};
	return true;
}

/* Absent column: what has a value stands at the row's version; a NULL column
 * belongs to a feature younger than the row. */
static void decode_plain(const struct view *view, struct row *row,
	const struct version *row_version)
{
	for (size_t i = 0; i < view->feature_count; i++)
		if (row->cells[i].value.state == VALUE_SET)
			row->cells[i].version = *row_version;
}

static bool at_word_end(const struct byte_reader *reader)
{
	return reader->at == reader->end || *reader->at == ',';
}

static void decode_cell(struct cell *cell, struct byte_reader *reader,
	const struct version *row_version, struct log_table logs)
{
	bool has_value = cell->value.state == VALUE_SET;
	/* "-" alone; before a digit it is a time's sign. */
	if (!has_value && reader->at != reader->end && *reader->at == '-') {
		reader->at++;
		reader->failed = reader->failed || !at_word_end(reader);
		return;
	}
	if (!has_value) {
		expect_byte(reader, 'n');
		cell->value.state = VALUE_NULL;
	}
	cell->version =
		at_word_end(reader)
			? *row_version
			: get_version(reader, row_version->event_us, logs);
}

int row_decode_versions(const struct view *view, struct row *row,
	const struct version *row_version, struct slice column,
	struct log_table logs, struct fault *fault)
{
	if (column.data == NULL) {
		decode_plain(view, row, row_version);
		return 0;
	}
	struct byte_reader reader = byte_reader_of(column);
	for (size_t i = 0; i < view->feature_count && !reader.failed; i++) {
		if (i > 0 && reader.at == reader.end) {
			/* The rest is younger than the row. */
			reader.failed = row->cells[i].value.state == VALUE_SET;
			continue;
		}
		if (i > 0)
			expect_byte(&reader, ',');
		decode_cell(&row->cells[i], &reader, row_version, logs);
	}
	if (reader.failed || reader.at != reader.end)
		return fault_set(fault, FAULT_CORRUPT,
			"view %s: a row whose version column does not fit its "
			"values",
			view->name);
	return 0;
}

int row_decode_floor(struct row *row, struct slice column,
	struct log_table logs, struct fault *fault)
{
	row->has_floor = column.data != NULL;
	if (!row->has_floor)
		return 0;
	struct byte_reader reader = byte_reader_of(column);
	row->floor = get_version(&reader, 0, logs);
	if (reader.failed || reader.at != reader.end)
		return fault_set(fault, FAULT_CORRUPT,
			"a floor column of %zu bytes that is no version",
			column.length);
	return 0;
}
