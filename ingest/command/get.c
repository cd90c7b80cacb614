/* holdfast get: one entity, looked up. */
#include "ingest/command/command.h"
#include "ingest/command/reading.h"
#include "ingest/command/table.h"
#include "ingest/command/value_text.h"
#include "schema/nearest.h"
#include "schema/rfc3339.h"

#include <stdlib.h>
#include <string.h>

static const struct options_spec spec = {
	.usage = "get VIEW KEY…",
	.summary = "Looks one entity up: its keys come in the order of the "
		   "schema. What is not set shows as -.\nExit status 1 where "
		   "there is nothing.",
	.arguments_min = 2,
	.arguments_max = 1 + SCHEMA_KEYS_MAX,
	.configured = true,
	.json = true,
};

/* What was asked for. */
struct question {
	const struct view *view;
	struct value entity[SCHEMA_KEYS_MAX];
	char *const *words; /* the entity as it was given */
};

static int find_view(const struct schema *schema, const char *name,
	const struct view **out, struct fault *fault)
{
	*out = schema_view(schema, slice_of(name));
	if (*out != NULL)
		return 0;
	const char **names = calloc(schema->view_count + 1, sizeof *names);
	if (names == NULL)
		return fault_set(fault, FAULT_OOM, "out of memory");
	for (size_t i = 0; i < schema->view_count; i++)
		names[i] = schema->views[i].name;
	const char *nearest = nearest_name(name, names, schema->view_count);
	int rc = fault_set(fault, FAULT_USAGE, "there is no view %s%s%s%s",
		name,
		nearest == NULL ? ": `holdfast status` lists them"
				: ": did you mean ",
		nearest == NULL ? "" : nearest, nearest == NULL ? "" : "?");
	free(names);
	return rc;
}

/* "card_id (string), day (int64)" */
static const char *keys_text(const struct view *view, char *out, size_t size)
{
	size_t length = 0;
	out[0] = '\0';
	for (size_t i = 0; i < view->key_count && length < size; i++) {
		int more = snprintf(out + length, size - length, "%s%s (%s)",
			i == 0 ? "" : ", ", view->keys[i].name,
			view->keys[i].type.kind == TYPE_INT64 ? "int64"
							      : "string");
		length += more < 0 ? 0 : (size_t)more;
	}
	return out;
}

static int parse_entity(struct question *question, char *const *arguments,
	size_t count, struct fault *fault)
{
	const struct view *view = question->view;
	char keys[512];
	if (count != view->key_count)
		return fault_set(fault, FAULT_USAGE,
			"an entity of %s has %zu keys, %zu are given: %s",
			view->name, view->key_count, count,
			keys_text(view, keys, sizeof keys));
	for (size_t i = 0; i < count; i++) {
		struct value *value = &question->entity[i];
		value->state = VALUE_SET;
		if (view->keys[i].type.kind != TYPE_INT64)
			value->as.bytes = slice_of(arguments[i]);
		else if (!int64_parse(arguments[i], &value->as.integer))
			return fault_set(fault, FAULT_USAGE,
				"key %s of %s is an int64, and \"%s\" is none",
				view->keys[i].name, view->name, arguments[i]);
	}
	return 0;
}

static int print_table(const struct question *question, const struct row *row,
	struct fault *fault)
{
	static const struct column columns[] = {
		{"feature", false}, {"value", false}, {"event_time", false}};
	struct table *table = table_new(columns, 3);
	if (table == NULL)
		return fault_set(fault, FAULT_OOM, "out of memory");
	for (size_t i = 0; i < question->view->feature_count; i++) {
		const struct feature *feature = &question->view->features[i];
		const struct cell *cell = &row->cells[i];
		char time[RFC3339_SIZE];
		char *text = value_text(&feature->type, &cell->value);
		table_add(table, "%s", feature->name);
		table_add(table, "%s", text == NULL ? "?" : text);
		table_add(table, "%s",
			cell->value.state == VALUE_UNSET
				? "-"
				: rfc3339_print(cell->version.event_us, time));
		free(text);
	}
	bool printed = table_print(table, stdout);
	table_free(table);
	return printed ? 0 : fault_set(fault, FAULT_OOM, "out of memory");
}

static void print_time_json(const struct cell *cell)
{
	char time[RFC3339_SIZE];
	if (cell->value.state == VALUE_UNSET)
		fputs("null", stdout);
	else
		printf("\"%s\"", rfc3339_print(cell->version.event_us, time));
}

/* {"txns": 3, "country": "DE"} or, with `times`, their event times. */
static void print_cells_json(
	const struct view *view, const struct row *row, bool times)
{
	for (size_t i = 0; i < view->feature_count; i++) {
		printf("%s\"%s\": ", i == 0 ? "{" : ", ",
			view->features[i].name);
		if (times)
			print_time_json(&row->cells[i]);
		else
			value_print_json(&view->features[i].type,
				&row->cells[i].value, stdout);
	}
	fputs("}", stdout);
}

static void print_json(
	const struct question *question, const struct row *row, bool found)
{
	const struct view *view = question->view;
	char time[RFC3339_SIZE];
	printf("{\"view\": \"%s\", \"entity\": ", view->name);
	for (size_t i = 0; i < view->key_count; i++) {
		printf("%s\"%s\": ", i == 0 ? "{" : ", ", view->keys[i].name);
		value_print_json(
			&view->keys[i].type, &question->entity[i], stdout);
	}
	printf("}, \"found\": %s", found ? "true" : "false");
	if (found) {
		fputs(", \"features\": ", stdout);
		print_cells_json(view, row, false);
		fputs(", \"event_time\": ", stdout);
		print_cells_json(view, row, true);
	}
	if (row->has_floor)
		printf(", \"floor\": \"%s\"",
			rfc3339_print(row->floor.event_us, time));
	fputs("}\n", stdout);
}

static int tell_missing(const struct question *question, const struct row *row)
{
	char time[RFC3339_SIZE];
	fprintf(stderr, "holdfast: %s has no entity", question->view->name);
	for (size_t i = 0; i < question->view->key_count; i++)
		fprintf(stderr, " %s", question->words[i]);
	if (row->has_floor)
		fprintf(stderr, ": it was deleted at %s",
			rfc3339_print(row->floor.event_us, time));
	fputs("\n", stderr);
	return STATUS_FAILED;
}

static int answer(struct reading *reading, struct fault *fault)
{
	const struct options *options = &reading->options;
	struct question question = {.words = options->arguments + 1};
	struct row row = {0};
	int rc = find_view(reader_schema(reading->reader),
		options->arguments[0], &question.view, fault);
	if (rc == 0)
		rc = parse_entity(&question, options->arguments + 1,
			options->argument_count - 1, fault);
	if (rc < 0)
		return rc;
	rc = reader_get(reading->reader, question.view, question.entity,
		&reading->arena, &row, fault);
	if (rc < 0)
		return rc;
	bool found = rc == 1;
	if (options->json)
		print_json(&question, &row, found);
	if (!found)
		return tell_missing(&question, &row);
	return options->json ? STATUS_GOOD
			     : print_table(&question, &row, fault);
}

int command_get(int argc, char **argv)
{
	return reading_run(&spec, argc, argv, answer);
}
