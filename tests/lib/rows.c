#include "tests/lib/rows.h"

#include "schema/buffer.h"
#include "tests/lib/check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char schema_text[] =
	"{\"views\": {"
	" \"mixed\": {\"entity\": {\"id\": \"string\"}, \"features\": {"
	"  \"sum\": {\"type\": \"int64\", \"merge\": \"sum\"},"
	"  \"money\": {\"type\": \"decimal(2)\", \"merge\": \"sum\"},"
	"  \"min\": {\"type\": \"int64\", \"merge\": \"min\"},"
	"  \"max\": {\"type\": \"int64\", \"merge\": \"max\"},"
	"  \"last\": {\"type\": \"int64\"},"
	"  \"word\": {\"type\": \"string\"}}},"
	" \"plain\": {\"entity\": {\"id\": \"string\"}, \"features\": {"
	"  \"a\": {\"type\": \"int64\"}, \"b\": {\"type\": \"string\"},"
	"  \"c\": {\"type\": \"int64\"}}}},"
	"\"sources\": {\"alpha\": {}}}";

int rows_setup(void **state)
{
	struct rows_rig *rig = calloc(1, sizeof *rig);
	struct fault fault = {0};
	assert_non_null(rig);
	if (schema_parse(&rig->schema, slice_of(schema_text), "rig", &fault) <
		0)
		fail_msg("%s", fault.text);
	rig->view = &rig->schema->views[0];
	rig->plain = &rig->schema->views[1];
	rig->logs[0] = (struct log){"alpha", 0, 0, 1};
	rig->logs[1] = (struct log){"alpha", 1, 0, 2};
	rig->logs[2] = (struct log){"beta", 0, 0, 3};
	for (size_t i = 0; i < ROWS_LOGS; i++)
		rig->by_id[i] = &rig->logs[i];
	*state = rig;
	return 0;
}

int rows_teardown(void **state)
{
	struct rows_rig *rig = *state;
	schema_free(rig->schema);
	arena_finish(&rig->arena);
	free(rig);
	return 0;
}

static void *take(struct rows_rig *rig, size_t size)
{
	void *memory = arena_take(&rig->arena, size);
	assert_non_null(memory);
	return memory;
}

static struct value parse_value(const struct feature *feature, const char *text)
{
	struct value value = {.state = VALUE_SET};
	if (strcmp(text, "null") == 0)
		value.state = VALUE_NULL;
	else if (type_is_bytes(feature->type.kind))
		value.as.bytes = slice_of(text);
	else
		value.as.integer = strtoll(text, NULL, 10);
	return value;
}

static int by_feature(const void *left, const void *right)
{
	const struct assignment *a = left;
	const struct assignment *b = right;
	return (a->feature > b->feature) - (a->feature < b->feature);
}

struct update rows_update(struct rows_rig *rig, const struct view *view,
	enum operation operation, const char *features)
{
	struct update update = {.view = view,
		.operation = operation,
		.assignments = take(
			rig, view->feature_count * sizeof *update.assignments)};
	struct slice copy = arena_copy(&rig->arena, slice_of(features));
	char *text = take(rig, copy.length + 1);
	memcpy(text, copy.data, copy.length + 1);
	char *rest = NULL;
	for (char *word = strtok_r(text, " ", &rest); word != NULL;
		word = strtok_r(NULL, " ", &rest)) {
		char *value = strchr(word, '=');
		assert_non_null(value);
		*value = '\0';
		int feature = view_feature(view, slice_of(word));
		assert_true(feature >= 0);
		update.assignments[update.assignment_count++] =
			(struct assignment){(size_t)feature,
				parse_value(
					&view->features[feature], value + 1)};
	}
	qsort(update.assignments, update.assignment_count,
		sizeof *update.assignments, by_feature);
	return update;
}

struct version rows_version(
	const struct rows_rig *rig, int64_t seconds, size_t log, int64_t offset)
{
	return (struct version){.event_us = ROWS_TIME_US + seconds * 1000000,
		.log = &rig->logs[log],
		.offset = offset};
}

static int64_t seconds_of(const struct version *version)
{
	return (version->event_us - ROWS_TIME_US) / 1000000;
}

static const char *print_value(struct rows_rig *rig,
	const struct feature *feature, const struct value *value)
{
	if (value->state == VALUE_NULL)
		return "null";
	if (type_is_bytes(feature->type.kind))
		return arena_print(&rig->arena, "%.*s",
			(int)value->as.bytes.length, value->as.bytes.data);
	return arena_print(&rig->arena, "%" PRId64, value->as.integer);
}

const char *rows_print(
	struct rows_rig *rig, const struct view *view, const struct row *row)
{
	const char *text = "";
	if (row->has_floor)
		text = arena_print(
			&rig->arena, "floor@%" PRId64, seconds_of(&row->floor));
	for (size_t i = 0; i < view->feature_count; i++) {
		const struct cell *cell = &row->cells[i];
		if (cell->value.state == VALUE_UNSET)
			continue;
		text = arena_print(&rig->arena, "%s%s%s=%s@%" PRId64, text,
			text[0] == '\0' ? "" : " ", view->features[i].name,
			print_value(rig, &view->features[i], &cell->value),
			seconds_of(&cell->version));
	}
	return text;
}

struct row rows_empty(struct rows_rig *rig, const struct view *view)
{
	struct row row = row_empty(view, &rig->arena);
	assert_non_null(row.cells);
	return row;
}

struct row rows_copy(
	struct rows_rig *rig, const struct view *view, const struct row *row)
{
	struct row copy = *row;
	copy.cells = take(rig, view->feature_count * sizeof *copy.cells);
	memcpy(copy.cells, row->cells,
		view->feature_count * sizeof *copy.cells);
	return copy;
}

static void compare_cells(const struct feature *feature, const struct cell *a,
	const struct cell *b)
{
	if (!value_equal(feature->type.kind, &a->value, &b->value))
		fail_msg("feature %s: states %d and %d, or other values",
			feature->name, a->value.state, b->value.state);
	if (a->value.state != VALUE_UNSET &&
		version_compare(&a->version, &b->version) != 0)
		fail_msg("feature %s: another version", feature->name);
}

void compare_rows(
	const struct view *view, const struct row *a, const struct row *b)
{
	assert_int_equal(a->has_floor, b->has_floor);
	if (a->has_floor && version_compare(&a->floor, &b->floor) != 0)
		fail_msg("view %s: another floor", view->name);
	for (size_t i = 0; i < view->feature_count; i++)
		compare_cells(&view->features[i], &a->cells[i], &b->cells[i]);
}
