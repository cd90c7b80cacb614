/*
 * Schema files, and records under what they say.
 *
 * An input is the text of a schema; behind a line "====" may stand another, to
 * compare with.
 */
#include "schema/decode.h"
#include "schema/schema_diff.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"

#include <stdlib.h>

#define TIME_US INT64_C(1795422048000000) /* 2026-11-23T08:20:48Z */

static struct arena arena;

static void finish(void)
{
	arena_finish(&arena);
}

void fuzz_start(void)
{
	(void)atexit(finish);
}

/* NULL: it is no schema, and the fault says what is wrong. */
static struct schema *parse(struct slice text)
{
	struct fault fault = {0};
	struct schema *schema = NULL;
	int rc = schema_parse(&schema, text, "s.json", &fault);
	must(rc == 0 || rc == FAULT_USAGE, "a schema, or what is wrong");
	must((rc == 0) == (schema != NULL), "a schema exactly if it is one");
	must(rc == 0 || strstr(fault.text, "s.json") != NULL,
		"a message that names the file");
	return schema;
}

static size_t differences(
	const struct schema *held, const struct schema *wanted)
{
	struct schema_diff diff;
	must(schema_compare(held, wanted, &arena, &diff, NULL) == 0,
		"a comparison");
	must(diff.refused <= diff.count, "a part of all changes");
	for (size_t i = 0; i < diff.count; i++)
		must(diff.changes[i].what != NULL, "what changes");
	return diff.count;
}

/* The text that a store keeps is the schema again. */
static void check_kept(const struct schema *schema)
{
	struct schema *again = parse(slice_of(schema->text));
	must(again != NULL, "a schema from the text kept");
	must(strcmp(again->text, schema->text) == 0, "the same text");
	must(differences(schema, again) == 0, "no difference to itself");
	schema_free(again);
}

static void check_view(const struct schema *schema, const struct view *view)
{
	must(schema_view(schema, slice_of(view->name)) == view, "found");
	must(view->key_count > 0 && view->key_count <= SCHEMA_KEYS_MAX,
		"join keys");
	must(view->feature_count <= SCHEMA_FEATURES_MAX, "so many features");
	for (size_t i = 0; i < view->feature_count; i++) {
		const struct feature *feature = &view->features[i];
		must(view_feature(view, slice_of(feature->name)) == (int)i,
			"found by name");
		must(i == 0 || strcmp(view->features[view->by_name[i - 1]].name,
				       view->features[view->by_name[i]].name) <
					0,
			"in order of names");
		must(feature->minimum.state != VALUE_SET ||
				feature->maximum.state != VALUE_SET ||
				value_compare(feature->type.kind,
					&feature->minimum,
					&feature->maximum) <= 0,
			"bounds that leave something");
	}
}

static void check_names(const struct schema *schema)
{
	for (size_t i = 0; i < schema->view_count; i++)
		check_view(schema, &schema->views[i]);
	for (size_t i = 0; i < schema->service_count; i++)
		for (size_t j = 0; j < schema->services[i].feature_count; j++) {
			size_t view = schema->services[i].features[j].view;
			must(view < schema->view_count &&
					schema->services[i]
							.features[j]
							.feature <
						schema->views[view]
							.feature_count,
				"services of features that there are");
		}
}

/* Whatever the schema says, any record decodes to something. */
static void decode(
	const struct schema *schema, const struct source_schema *source)
{
	static const char *const values[] = {"{}", "[]", "1",
		"{\"id\":\"1\",\"view\":\"card\",\"entity\":{\"card_id\":\"c\"}"
		","
		"\"features\":{\"txns\":1,\"spend\":2.5,\"country\":\"DE\"}}",
		"{\"id\":\"1\",\"card\":\"c\",\"user\":{\"id\":1},\"amount\":2,"
		"\"country\":\"DE\",\"status\":\"paid\",\"at\":"
		"\"2026-11-23T08:20:48Z\",\"items\":[1,\"a\"]}"};
	static const struct log log = {"log", 0, 0, 1};
	const struct decoder decoder = {.schema = schema,
		.value_bytes_max = VALUE_BYTES_MAX,
		.depth_max = DEPTH_MAX,
		.max_skew_us = MAX_SKEW_US};
	for (size_t i = 0; i <= sizeof values / sizeof values[0]; i++) {
		struct record record = {.log = &log,
			.timestamp_us = TIME_US,
			.value = {NULL, 0},
			.key = slice_of(values[3])};
		struct decoded out;
		if (i < sizeof values / sizeof values[0])
			record.value = slice_of(values[i]);
		must(decode_record(&decoder, source, &record, &arena, &out,
			     NULL) == 0,
			"no record makes decoding fail");
		must(out.update_count <= SCHEMA_UPDATES_MAX, "so many updates");
	}
}

static struct schema *try(struct slice text)
{
	struct schema *schema = parse(text);
	if (schema == NULL)
		return NULL;
	check_kept(schema);
	check_names(schema);
	for (size_t i = 0; i < schema->source_count; i++)
		decode(schema, &schema->sources[i]);
	return schema;
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct slice copy = input_copy(data, size);
	struct slice rest = copy;
	arena_reset(&arena);
	struct schema *first = try(input_cut(&rest, "\n====\n"));
	struct schema *second = first == NULL ? NULL : try(rest);
	if (second != NULL)
		(void)differences(first, second);
	schema_free(first);
	schema_free(second);
	free((void *)(uintptr_t)copy.data);
}
