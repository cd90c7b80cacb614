#include "schema/row.h"

#include "schema/bytes.h"

#include <assert.h>

/* The compact column starts a feature with one of these. */
enum stored_state {
	STORED_SET = 0,	    /* set, at the row's version */
	STORED_NULL = 1,    /* null, at the row's version */
	STORED_UNSET = 2,   /* no version */
	STORED_SET_OWN = 3, /* set, its own version follows */
	STORED_NULL_OWN = 4 /* null, its own version follows */
};

#define STORED_VERSION_BYTES_MAX (4 * VARINT_BYTES_MAX)

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

static enum stored_state cell_state(
	const struct cell *cell, const struct version *row_version)
{
	if (cell->value.state == VALUE_UNSET)
		return STORED_UNSET;
	bool same = version_compare(&cell->version, row_version) == 0;
	if (cell->value.state == VALUE_SET)
		return same ? STORED_SET : STORED_SET_OWN;
	return same ? STORED_NULL : STORED_NULL_OWN;
}

static void put_version(struct byte_writer *writer,
	const struct version *version, int64_t base_us)
{
	/* Wraps around rather than overflows; the reader wraps it back. */
	put_signed(writer,
		(int64_t)((uint64_t)version->event_us - (uint64_t)base_us));
	put_varint(writer, version->log->id);
	put_signed(writer, version->offset);
	put_varint(writer, version->place);
}

static struct version get_version(
	struct byte_reader *reader, int64_t base_us, struct log_table logs)
{
	struct version version = {0};
	version.event_us =
		(int64_t)((uint64_t)get_signed(reader) + (uint64_t)base_us);
	uint64_t id = get_varint(reader);
	version.offset = get_signed(reader);
	uint64_t place = get_varint(reader);
	if (id < 1 || id > logs.count || place > UINT32_MAX) {
		reader->failed = true;
		return version;
	}
	version.log = logs.logs[id - 1];
	version.place = (uint32_t)place;
	return version;
}

bool row_encode_versions(const struct view *view, const struct row *row,
	struct arena *arena, struct slice *out)
{
	struct version newest = row_version(view, row);
	size_t room = view->feature_count * (1 + STORED_VERSION_BYTES_MAX);
	unsigned char *bytes = arena_take(arena, room);
	if (bytes == NULL)
		return false;
	struct byte_writer writer = {bytes, bytes + room};
	bool plain = true;
	for (size_t i = 0; i < view->feature_count; i++) {
		const struct cell *cell = &row->cells[i];
		enum stored_state state = cell_state(cell, &newest);
		put_byte(&writer, (unsigned char)state);
		if (state == STORED_SET_OWN || state == STORED_NULL_OWN)
			put_version(&writer, &cell->version, newest.event_us);
		plain = plain && state == STORED_SET;
	}
	*out = plain ? (struct slice){NULL, 0}
		     : (struct slice){(const char *)bytes,
			       (size_t)(writer.at - bytes)};
	return true;
}

bool row_encode_floor(
	const struct row *row, struct arena *arena, struct slice *out)
{
	*out = (struct slice){NULL, 0};
	if (!row->has_floor)
		return true;
	unsigned char *bytes = arena_take(arena, STORED_VERSION_BYTES_MAX);
	if (bytes == NULL)
		return false;
	struct byte_writer writer = {bytes, bytes + STORED_VERSION_BYTES_MAX};
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

static void decode_cell(struct cell *cell, struct byte_reader *reader,
	const struct version *row_version, struct log_table logs)
{
	unsigned char state = get_byte(reader);
	bool has_value = cell->value.state == VALUE_SET;
	bool says_value = state == STORED_SET || state == STORED_SET_OWN;
	if (state > STORED_NULL_OWN || has_value != says_value) {
		reader->failed = true;
		return;
	}
	if (state == STORED_UNSET)
		return;
	if (!says_value)
		cell->value.state = VALUE_NULL;
	cell->version = *row_version;
	if (state == STORED_SET_OWN || state == STORED_NULL_OWN)
		cell->version =
			get_version(reader, row_version->event_us, logs);
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
	size_t i = 0;
	while (i < view->feature_count && reader.at != reader.end &&
		!reader.failed)
		decode_cell(&row->cells[i++], &reader, row_version, logs);
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
