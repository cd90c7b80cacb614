#include "ingest/command/load_rows.h"

#include "schema/decode.h"
#include "schema/json.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define EVENT_TIME "event_time"

static int no_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_OOM, "no memory for a row");
}

/* As events are read (schema/json.h). *out: the value; NULL: it is none, or
 * digits of its numbers would be gone. Lack of memory says nothing of it. */
static int parse(struct slice text, json_t **out, struct fault *fault)
{
	struct arena arena = ARENA_INIT;
	struct json_text read;
	int rc = json_read(text, DEPTH_MAX, &arena, &read);
	arena_finish(&arena);
	*out = rc == 0 && !read.lossy ? read.root : NULL;
	if (rc == 0 && read.lossy)
		json_decref(read.root);
	return rc < 0 ? no_memory(fault) : 0;
}

/* One field of CSV: its bytes without quotes in `text`, which has room for all
 * that is left of the file. */
struct field_read {
	char *text;
	size_t length;
	bool quoted;
	bool wrong; /* its quotes are: nobody can tell what is meant */
	bool last;  /* of its row */
};

/* Behind a closing quote, or a field without: the separator. Returns where the
 * next field begins. */
static size_t pass_end(
	struct slice content, size_t at, struct field_read *field)
{
	field->last = true;
	if (at < content.length && content.data[at] == ',') {
		field->last = false;
		return at + 1;
	}
	if (at < content.length && content.data[at] == '\r')
		at++;
	if (at < content.length && content.data[at] == '\n')
		at++;
	return at;
}

static size_t read_quoted(
	struct slice content, size_t at, struct field_read *field)
{
	field->quoted = true;
	field->wrong = true;
	for (at++; at < content.length; at++) {
		if (content.data[at] == '"') {
			if (at + 1 >= content.length ||
				content.data[at + 1] != '"') {
				field->wrong = false;
				return at + 1;
			}
			at++; /* two stand for one */
		}
		field->text[field->length++] = content.data[at];
	}
	return at;
}

static size_t read_plain(
	struct slice content, size_t at, struct field_read *field)
{
	for (; at < content.length; at++) {
		char byte = content.data[at];
		if (byte == ',' || byte == '\n')
			break;
		if (byte == '\r' && at + 1 < content.length &&
			content.data[at + 1] == '\n')
			break;
		field->text[field->length++] = byte;
	}
	return at;
}

/* Returns where the next field, or row, begins. */
static size_t read_field(
	struct slice content, size_t at, struct field_read *field)
{
	field->length = 0;
	field->quoted = false;
	field->wrong = false;
	if (at < content.length && content.data[at] == '"')
		at = read_quoted(content, at, field);
	size_t quoted = field->length;
	at = read_plain(content, at, field);
	field->wrong |= field->quoted && field->length > quoted;
	return pass_end(content, at, field);
}

/* Where the row of CSV that begins at `at` ends, line end included, as
 * read_field() sees it: a quote within a field that does not begin with one is
 * a byte as any other. *open: at the end of the file, within quotes. */
static size_t csv_row_end(struct slice content, size_t at, bool *open)
{
	/* At a field's start; and behind a closing quote, since two stand for
	 * one. */
	bool may_open = true;
	*open = false;
	for (; at < content.length; at++) {
		char byte = content.data[at];
		if (byte == '\n' && !*open)
			return at + 1;
		if (byte == '"' && (*open || may_open)) {
			*open = !*open;
			may_open = !*open;
		} else {
			may_open = !*open && byte == ',';
		}
	}
	return at;
}

static size_t row_end(const struct load_rows *rows, size_t at)
{
	struct slice content = rows->content;
	bool open;
	if (rows->csv)
		return csv_row_end(content, at, &open);
	const char *end = memchr(content.data + at, '\n', content.length - at);
	return end == NULL ? content.length : (size_t)(end - content.data) + 1;
}

/* 1: the next row that is not blank, and where it stands. 0: there is none. */
static int find_row(
	struct load_rows *rows, struct load_row *out, struct slice *row)
{
	while (rows->at < rows->content.length) {
		out->offset = rows->at;
		out->next_offset = rows->at = row_end(rows, rows->at);
		*row = (struct slice){rows->content.data + out->offset,
			out->next_offset - out->offset};
		while (row->length > 0 &&
			(row->data[row->length - 1] == '\n' ||
				row->data[row->length - 1] == '\r'))
			row->length--;
		size_t blanks = 0;
		while (blanks < row->length && row->data[blanks] == ' ')
			blanks++;
		if (blanks < row->length)
			return 1;
	}
	return 0;
}

static bool is_key(const struct view *view, struct slice name, size_t *out)
{
	for (*out = 0; *out < view->key_count; (*out)++)
		if (slice_equal(name, slice_of(view->keys[*out].name)))
			return true;
	return false;
}

static bool find_column(
	const struct view *view, struct slice name, struct load_column *out)
{
	size_t key = 0;
	int feature = view_feature(view, name);
	if (is_key(view, name, &key))
		*out = (struct load_column){
			LOAD_KEY, view->keys[key].name, &view->keys[key].type};
	else if (feature >= 0)
		*out = (struct load_column){LOAD_FEATURE,
			view->features[feature].name,
			&view->features[feature].type};
	else if (slice_equal(name, slice_of(EVENT_TIME)))
		*out = (struct load_column){LOAD_TIME, EVENT_TIME, NULL};
	else
		return false;
	return true;
}

static bool has_column(const struct load_rows *rows, const char *name)
{
	for (size_t i = 0; i < rows->column_count; i++)
		if (strcmp(rows->columns[i].name, name) == 0)
			return true;
	return false;
}

static int add_column(
	struct load_rows *rows, struct slice name, struct fault *fault)
{
	struct load_column column;
	if (!find_column(rows->view, name, &column))
		return fault_set(fault, FAULT_USAGE,
			"column \"%.*s\" is no join key or feature of view %s, "
			"nor event_time",
			(int)(name.length < 64 ? name.length : 64), name.data,
			rows->view->name);
	if (has_column(rows, column.name))
		return fault_set(fault, FAULT_USAGE,
			"column \"%s\" is there twice", column.name);
	struct load_column *larger = realloc(
		rows->columns, (rows->column_count + 1) * sizeof *larger);
	if (larger == NULL)
		return no_memory(fault);
	rows->columns = larger;
	rows->columns[rows->column_count++] = column;
	return 0;
}

/* A file is loaded once, so that what every row lacks is said before. */
static int check_columns(const struct load_rows *rows, struct fault *fault)
{
	for (size_t i = 0; i < rows->view->key_count; i++) {
		const char *name = rows->view->keys[i].name;
		if (!has_column(rows, name))
			return fault_set(fault, FAULT_USAGE,
				"the header has no column \"%s\", which view "
				"%s joins on",
				name, rows->view->name);
	}
	bool timed = rows->event_time != NULL;
	for (size_t i = 0; i < rows->column_count; i++)
		timed |= rows->columns[i].role == LOAD_TIME;
	if (!timed)
		return fault_set(fault, FAULT_USAGE,
			"the header has no column \"" EVENT_TIME
			"\": give the time of all rows, --event-time TIME");
	return 0;
}

/* The same of NDJSON, as far as its first row shows. */
static int check_time(struct load_rows *rows, struct fault *fault)
{
	const size_t begins = rows->at;
	struct load_row place;
	struct slice row;
	if (rows->event_time != NULL || find_row(rows, &place, &row) == 0)
		return 0;
	rows->at = begins;
	json_t *object = NULL;
	int rc = parse(row, &object, fault);
	if (rc < 0)
		return rc;
	bool lacks = json_is_object(object) &&
		     json_object_get(object, EVENT_TIME) == NULL;
	json_decref(object);
	return !lacks ? 0
		      : fault_set(fault, FAULT_USAGE,
				"the first row has no \"" EVENT_TIME
				"\": give the time of rows without, "
				"--event-time TIME");
}

/* Else the rest of the file would be one row. */
static int check_quotes(const struct load_rows *rows, struct fault *fault)
{
	struct slice content = rows->content;
	bool open = false;
	for (size_t at = rows->at, end; at < content.length; at = end) {
		end = csv_row_end(content, at, &open);
		if (open)
			return fault_set(fault, FAULT_USAGE,
				"in the row at byte %zu a quote opens that "
				"nothing closes: nothing was loaded",
				at);
	}
	return 0;
}

static int read_header(struct load_rows *rows, struct slice header, char *text,
	struct fault *fault)
{
	struct field_read field = {.text = text};
	int rc = 0;
	do {
		rows->at = read_field(header, rows->at, &field);
		if (field.wrong)
			return fault_set(fault, FAULT_USAGE,
				"the header's quotes are wrong: a name is "
				"\"quoted\" whole, or not at all");
		rc = add_column(
			rows, (struct slice){field.text, field.length}, fault);
	} while (rc == 0 && !field.last);
	return rc < 0 ? rc : check_columns(rows, fault);
}

int load_rows_begin(struct load_rows *rows, struct fault *fault)
{
	static const char mark[] = "\xEF\xBB\xBF"; /* some spreadsheets' */
	if (rows->content.length >= 3 &&
		memcmp(rows->content.data, mark, 3) == 0)
		rows->at = 3;
	if (!rows->csv)
		return check_time(rows, fault);
	int rc = check_quotes(rows, fault);
	if (rc < 0)
		return rc;
	size_t end = row_end(rows, rows->at);
	struct slice header = {rows->content.data, end};
	char *text = malloc(end - rows->at + 1);
	if (text == NULL)
		return no_memory(fault);
	rc = read_header(rows, header, text, fault);
	rows->at = end;
	free(text);
	return rc;
}

void load_rows_finish(struct load_rows *rows)
{
	free(rows->columns);
	rows->columns = NULL;
}

/* A field as JSON, by its type. What is none of it stays text, and is judged
 * as that. */
static json_t *field_value(const struct load_column *column,
	const struct field_read *field, int *rc, struct fault *fault)
{
	json_t *text = json_stringn(field->text, field->length);
	if (column->type == NULL || column->type->kind == TYPE_STRING ||
		column->type->kind == TYPE_BYTES ||
		column->type->kind == TYPE_TIMESTAMP || text == NULL)
		return text;
	json_t *value = NULL;
	*rc = parse((struct slice){field->text, field->length}, &value, fault);
	if (value == NULL || json_is_string(value) || json_is_null(value) ||
		json_is_object(value)) {
		json_decref(value);
		return text;
	}
	json_decref(text);
	return value;
}

/* An event being made. */
struct event {
	json_t *root, *entity, *features; /* root owns the others */
	bool wrong;			  /* it can't be one */
};

static void event_begin(struct event *event, const struct load_rows *rows)
{
	event->entity = json_object();
	event->features = json_object();
	event->root = json_pack("{s:s, s:o, s:o}", "view", rows->view->name,
		"entity", event->entity, "features", event->features);
	event->wrong = event->root == NULL;
}

/* Takes `value`. */
static void event_put(struct event *event, enum load_role role,
	const char *name, json_t *value)
{
	json_t *object = role == LOAD_KEY	? event->entity
			 : role == LOAD_FEATURE ? event->features
						: event->root;
	event->wrong |= value == NULL || event->root == NULL ||
			json_object_set_new(object, name, value) < 0;
}

static int read_csv(const struct load_rows *rows, struct slice row, char *text,
	struct event *event, struct fault *fault)
{
	int rc = 0;
	struct field_read field = {.text = text};
	size_t at = 0, column = 0;
	do {
		at = read_field(row, at, &field);
		if (column == rows->column_count) {
			event->wrong = true;
			return 0;
		}
		const struct load_column *one = &rows->columns[column++];
		event->wrong |= field.wrong;
		if (field.length > 0 || field.quoted)
			event_put(event, one->role, one->name,
				field_value(one, &field, &rc, fault));
	} while (rc == 0 && !field.last);
	event->wrong |= column != rows->column_count;
	return rc;
}

static int read_object(const struct load_rows *rows, struct slice row,
	struct event *event, struct fault *fault)
{
	json_t *object = NULL;
	int rc = parse(row, &object, fault);
	const char *name;
	size_t length;
	json_t *value;
	event->wrong |= !json_is_object(object);
	json_object_keylen_foreach(object, name, length, value)
	{
		struct load_column column;
		/* A name that nobody knows is judged as a feature's. */
		if (!find_column(
			    rows->view, (struct slice){name, length}, &column))
			column = (struct load_column){LOAD_FEATURE, name, NULL};
		event_put(event, column.role, name, json_incref(value));
	}
	json_decref(object);
	return rc;
}

/* The event's text, or the row as it is. */
static void put_text(const struct load_rows *rows, struct event *event,
	struct slice row, struct load_row *out)
{
	if (rows->event_time != NULL && event->root != NULL &&
		json_object_get(event->root, EVENT_TIME) == NULL)
		event_put(event, LOAD_TIME, EVENT_TIME,
			json_string(rows->event_time));
	if (!event->wrong) {
		out->value = json_dumps(event->root, JSON_COMPACT);
		out->length = out->value == NULL ? 0 : strlen(out->value);
		return;
	}
	out->value = malloc(row.length + 1);
	if (out->value != NULL)
		memcpy(out->value, row.data, row.length);
	out->length = row.length;
}

static int read_row(const struct load_rows *rows, struct slice row,
	struct load_row *out, struct fault *fault)
{
	char *text = malloc(row.length + 1);
	struct event event;
	if (text == NULL)
		return no_memory(fault);
	event_begin(&event, rows);
	int rc = rows->csv ? read_csv(rows, row, text, &event, fault)
			   : read_object(rows, row, &event, fault);
	if (rc == 0)
		put_text(rows, &event, row, out);
	free(text);
	json_decref(event.root);
	if (rc == 0 && out->value == NULL)
		rc = no_memory(fault);
	return rc < 0 ? rc : 1;
}

int load_rows_next(
	struct load_rows *rows, struct load_row *out, struct fault *fault)
{
	struct slice row;
	return find_row(rows, out, &row) == 0 ? 0
					      : read_row(rows, row, out, fault);
}

int load_rows_next_long(struct load_rows *rows, size_t bytes,
	struct load_row *out, struct fault *fault)
{
	struct slice row;
	while (find_row(rows, out, &row) == 1)
		if (row.length > bytes)
			return read_row(rows, row, out, fault);
	return 0;
}
