#include "ingest/command/schema_apply.h"

#include "ingest/clock.h"
#include "ingest/command/command.h"
#include "ingest/command/operate.h"
#include "ingest/command/reading.h"
#include "ingest/command/say.h"
#include "ingest/command/value_text.h"
#include "schema/schema_diff.h"
#include "store/decisions.h"
#include "store/schema_change.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What comes next, for the whole of it. */
static void tell_way(const struct schema_diff *diff, const char *path)
{
	if (diff->count == 0)
		printf("nothing differs from the store's schema\n");
	else if (diff->refused == 0)
		printf("\nin place: holdfast schema apply %s\n", path);
	else
		printf("\n%zu of %zu changes need the log again: holdfast "
		       "rebuild --schema %s\n",
			diff->refused, diff->count, path);
}

static void tell_people(const struct schema_diff *diff, const char *path)
{
	for (size_t i = 0; i < diff->count; i++) {
		const struct schema_change *one = &diff->changes[i];
		if (one->why == NULL)
			printf("  %s\n", one->what);
		else
			printf("! %s: %s\n", one->what, one->why);
	}
	tell_way(diff, path);
}

static void tell_programs(const struct schema_diff *diff)
{
	printf("{\"in_place\": %s, \"changes\": [",
		diff->refused == 0 ? "true" : "false");
	for (size_t i = 0; i < diff->count; i++) {
		const struct schema_change *one = &diff->changes[i];
		printf("%s{\"in_place\": %s, \"what\": ", i == 0 ? "" : ", ",
			one->why == NULL ? "true" : "false");
		string_print_json(slice_of(one->what), stdout);
		fputs(", \"why\": ", stdout);
		if (one->why == NULL)
			fputs("null", stdout);
		else
			string_print_json(slice_of(one->why), stdout);
		fputs("}", stdout);
	}
	fputs("]}\n", stdout);
}

static int compare(struct reading *reading, struct fault *fault)
{
	const char *path = reading->options.arguments[1];
	struct schema *wanted = NULL;
	struct schema_diff diff = {0};
	int rc = schema_load(&wanted, path, fault);
	if (rc == 0)
		rc = schema_compare(reader_schema(reading->reader), wanted,
			&reading->arena, &diff, fault);
	schema_free(wanted);
	if (rc < 0)
		return rc;
	if (reading->options.json)
		tell_programs(&diff);
	else
		tell_people(&diff, path);
	return diff.refused == 0 ? STATUS_GOOD : STATUS_REFUSED;
}

int schema_diff_run(int argc, char **argv)
{
	static const struct options_spec spec = {
		.usage = "schema diff FILE",
		.summary = "Says what the file would change in the store, "
			   "which changes go in place, why others don't "
			   "(!), and what to run.\nStatus 4: some don't.",
		.arguments_min = 2,
		.arguments_max = 2,
		.configured = true,
		.json = true,
	};
	return reading_run(&spec, NULL, argc, argv, compare);
}

static int take(struct store **store, const struct schema *wanted,
	const struct decision *decision, bool *changed, struct fault *fault)
{
	int rc = store_take_schema(store, wanted, decision, changed, fault);
	return rc < 0 ? fault_wrap(fault, rc, "schema") : 0;
}

/* In the owner, or where there is none. */
int control_schema_apply(const struct control *control, const json_t *arguments,
	json_t **reply, struct fault *fault)
{
	const char *text =
		json_string_value(json_object_get(arguments, "schema"));
	const char *file =
		json_string_value(json_object_get(arguments, "file"));
	const char *because =
		json_string_value(json_object_get(arguments, "because"));
	struct schema *wanted = NULL;
	bool changed = false;
	if (text == NULL || file == NULL)
		return fault_set(fault, FAULT_USAGE,
			"`schema` is the text of the schema, `file` its name");
	const struct decision decision = {.at_us = control->now_us,
		.who = control->who,
		.what = "schema apply",
		.target = "schema",
		.because = because == NULL ? "" : because};
	int rc = schema_parse(&wanted, slice_of(text), file, fault);
	if (rc == 0)
		rc = take(control->owner, wanted, &decision, &changed, fault);
	schema_free(wanted);
	if (rc == 0)
		*reply = json_pack("{s:b}", "changed", changed);
	return rc;
}

struct apply_options {
	char *because;
};

/* The file is read here, by whom it belongs to. */
static int prepare(
	const struct options *options, json_t *arguments, struct fault *fault)
{
	const struct apply_options *own = options->own;
	const char *path = options->arguments[1];
	struct schema *schema = NULL;
	int rc = schema_load(&schema, path, fault);
	if (rc < 0)
		return rc;
	int failed = json_object_set_new(
		arguments, "schema", json_string(schema->text));
	failed |= json_object_set_new(arguments, "file", json_string(path));
	if (own->because != NULL)
		failed |= json_object_set_new(
			arguments, "because", json_string(own->because));
	schema_free(schema);
	return failed == 0 ? 0
			   : fault_set(fault, FAULT_USAGE,
				     "names and reasons are UTF-8 text");
}

static void tell(const json_t *reply)
{
	puts(json_is_true(json_object_get(reply, "changed"))
			? "the store has this schema now"
			: "nothing differs from the store's schema");
}

int schema_apply_run(int argc, char **argv)
{
	static const struct field fields[] = {
		{"because", FIELD_TEXT, offsetof(struct apply_options, because),
			NULL, 0, 0, "TEXT", "why, for the record"},
	};
	static const struct options_spec spec = {
		.usage = "schema apply FILE [--because TEXT]",
		.summary =
			"Makes the file the store's schema, in one "
			"transaction, if every change goes in place: new "
			"views, features,\nupdates, topics and services, and "
			"how values are served. Lookups move to it without a "
			"failure; parked updates\nare tried again. A view "
			"with new features is written anew while records "
			"wait. The schema before is kept,\nin the table "
			"_schema. Works on a running service and on a store "
			"that nobody runs.",
		.fields = fields,
		.field_count = sizeof fields / sizeof fields[0],
		.arguments_min = 2,
		.arguments_max = 2,
		.configured = true,
		.json = true,
	};
	struct apply_options own = {0};
	return operating_run(&(const struct operating){"schema_apply", &spec,
				     &own, prepare, tell},
		argc, argv);
}

int schema_take_file(
	struct store **store, const char *path, struct fault *fault)
{
	struct clock *clock = clock_system();
	struct fault why = {0};
	struct schema *wanted = NULL;
	bool changed = false;
	const struct decision decision = {.at_us = clock->wall_us(clock),
		.who = "SIGHUP",
		.what = "schema apply",
		.target = "schema",
		.because = ""};
	int rc = schema_load(&wanted, path, &why);
	if (rc == 0)
		rc = take(store, wanted, &decision, &changed, &why);
	schema_free(wanted);
	if (rc < 0)
		say(SAY_WARNING, "SIGHUP: schema file %s was not taken: %s",
			path, why.text);
	else
		say(SAY_INFO, "SIGHUP: schema file %s %s", path,
			changed ? "is the store's schema now"
				: "does not differ from the store's schema");
	return rc == FAULT_IO || rc == FAULT_FENCED
		       ? fault_set(fault, rc, "%s", why.text)
		       : 0;
}
