/* Which sources may be compacted: a log that lost what compaction removes must
 * lead to the same rows. Each refusal is one way in which it would not. */
#include "schema/compaction.h"
#include "schema/decode.h"
#include "tests/lib/check.h"

#include <string.h>

#define VIEWS                                                                  \
	"{\"views\": {"                                                        \
	"\"card\": {\"entity\": {\"id\": \"string\"}, \"features\": "          \
	"{\"limit\": {\"type\": \"int64\"}, \"name\": {\"type\": "             \
	"\"string\"}}}, "                                                      \
	"\"owner\": {\"entity\": {\"who\": \"string\"}, \"features\": "        \
	"{\"age\": {\"type\": \"int64\"}}}, "                                  \
	"\"spend\": {\"entity\": {\"id\": \"string\"}, \"features\": "         \
	"{\"total\": {\"type\": \"int64\", \"merge\": \"sum\"}}}, "            \
	"\"peak\": {\"entity\": {\"id\": \"string\"}, \"features\": "          \
	"{\"most\": {\"type\": \"int64\", \"merge\": \"max\"}}}}, "            \
	"\"sources\": {\"cards\": {\"missing_key\": \"position\", "

#define CARD                                                                   \
	"{\"view\": \"card\", \"entity\": {\"id\": \"/id\"}, "                 \
	"\"features\": {\"limit\": \"/limit\"}}"

/* A schema with the source `cards`, which goes on with `text`. NULL where it is
 * refused, for *fault. */
static struct schema *parse(const char *text, struct fault *fault)
{
	char whole[4096];
	struct schema *schema = NULL;
	assert_in_range(snprintf(whole, sizeof whole, VIEWS "%s}}}", text), 1,
		sizeof whole - 1);
	*fault = (struct fault){0};
	(void)schema_parse(&schema, slice_of(whole), "schema.json", fault);
	return schema;
}

/* Not safe, and the text names `words`. */
static void is_refused(const char *text, const char *words)
{
	struct fault why = {0}, fault;
	struct schema *schema = parse(text, &fault);
	assert_non_null(schema);
	assert_false(compaction_safe(schema, &schema->sources[0], &why));
	if (strstr(why.text, words) == NULL)
		fail_msg("\"%s\" does not name \"%s\"", why.text, words);
	schema_free(schema);
}

/* The schema itself is refused when it says so all the same. */
static void is_contradicted(const char *text, const char *words)
{
	char claimed[2048];
	struct fault fault;
	is_refused(text, words);
	assert_in_range(snprintf(claimed, sizeof claimed,
				"\"compacted\": true, %s", text),
		1, sizeof claimed - 1);
	assert_null(parse(claimed, &fault));
	if (strstr(fault.text, "/sources/cards/compacted") == NULL ||
		strstr(fault.text, words) == NULL)
		fail_msg("\"%s\" does not name \"%s\"", fault.text, words);
}

static void whole_rows_keyed_by_entity_are_safe_where_the_source_says_so(
	void **state)
{
	(void)state;
	struct fault why = {0}, fault;
	struct schema *schema =
		parse("\"compacted\": true, \"updates\": [" CARD "]", &fault);
	assert_non_null(schema);
	assert_true(schema->sources[0].compacted);
	assert_true(compaction_safe(schema, &schema->sources[0], &why));
	schema_free(schema);
	is_refused("\"updates\": [" CARD "]", "\"compacted\": true");
	is_refused("\"compacted\": false, \"updates\": [" CARD "]",
		"\"compacted\": true");
}

static void what_accumulates_needs_all_that_compaction_removes(void **state)
{
	(void)state;
	is_contradicted("\"updates\": [" CARD
			", {\"view\": \"spend\", \"entity\": {\"id\": "
			"\"/id\"}, \"features\": {\"total\": \"/n\"}}]",
		"total of view spend");
	is_contradicted("\"updates\": [{\"view\": \"peak\", \"entity\": "
			"{\"id\": \"/id\"}, \"features\": {\"most\": "
			"\"/n\"}}]",
		"most of view peak");
}

static void an_envelope_may_name_any_view(void **state)
{
	(void)state;
	is_contradicted("\"unknown_feature\": \"park\"", "total of view spend");
}

static void a_record_that_updates_nothing_hides_one_that_did(void **state)
{
	(void)state;
	is_contradicted(
		"\"updates\": [{\"view\": \"card\", \"entity\": {\"id\": "
		"\"/id\"}, \"when\": {\"/status\": \"ok\"}, \"features\": "
		"{\"limit\": \"/limit\"}}]",
		"\"when\"");
}

static void a_key_can_t_be_two_entities(void **state)
{
	(void)state;
	is_contradicted("\"updates\": [" CARD
			", {\"view\": \"owner\", \"entity\": {\"who\": "
			"\"/owner\"}, \"features\": {\"age\": \"/age\"}}]",
		"views card and owner");
	struct fault why = {0}, fault;
	struct schema *schema =
		parse("\"compacted\": true, \"updates\": [" CARD
		      ", {\"view\": \"owner\", \"entity\": {\"who\": \"/id\"}, "
		      "\"features\": {\"age\": \"/age\"}}]",
			&fault);
	assert_non_null(schema);
	assert_true(compaction_safe(schema, &schema->sources[0], &why));
	schema_free(schema);
}

static void compacted_is_true_or_false(void **state)
{
	(void)state;
	struct fault fault;
	assert_null(parse(
		"\"compacted\": \"yes\", \"updates\": [" CARD "]", &fault));
	assert_non_null(strstr(fault.text, "true or false"));
}

static enum operation operation_of(
	const struct schema *schema, const char *text)
{
	struct decoder decoder = {.schema = schema,
		.value_bytes_max = VALUE_BYTES_MAX,
		.depth_max = DEPTH_MAX,
		.max_skew_us = MAX_SKEW_US};
	const struct log log = {.topic = "cards"};
	const struct record record = {.log = &log,
		.next_offset = 1,
		.timestamp_us = INT64_C(1700000000000000),
		.value = slice_of(text)};
	struct arena arena = ARENA_INIT;
	struct decoded decoded;
	struct fault fault = {0};
	assert_int_equal(decode_record(&decoder, &schema->sources[0], &record,
				 &arena, &decoded, &fault),
		0);
	assert_int_equal(decoded.update_count, 1);
	assert_int_equal(decoded.updates[0].reason, REASON_NONE);
	enum operation operation = decoded.updates[0].operation;
	arena_finish(&arena);
	return operation;
}

/* So that what an earlier record had, and this one has not, goes as it would
 * if the earlier one had been removed. */
static void an_upsert_is_the_whole_row(void **state)
{
	(void)state;
	static const char mapped[] = "{\"id\": \"a\", \"limit\": 5}";
	struct fault fault;
	struct schema *schema =
		parse("\"compacted\": true, \"updates\": [" CARD "]", &fault);
	assert_non_null(schema);
	assert_int_equal(operation_of(schema, mapped), OPERATION_REPLACE);
	assert_int_equal(
		operation_of(schema, "{\"id\": \"a\"}"), OPERATION_REPLACE);
	schema_free(schema);
	schema = parse("\"updates\": [" CARD "]", &fault);
	assert_non_null(schema);
	assert_int_equal(operation_of(schema, mapped), OPERATION_UPSERT);
	schema_free(schema);
}

static void so_is_one_in_an_envelope(void **state)
{
	(void)state;
	static const char text[] =
		"{\"views\": {\"card\": {\"entity\": {\"id\": \"string\"}, "
		"\"features\": {\"limit\": {\"type\": \"int64\"}}}}, "
		"\"sources\": {\"cards\": {\"missing_key\": \"position\", "
		"\"compacted\": true}}}";
	struct fault fault = {0};
	struct schema *schema = NULL;
	assert_int_equal(
		schema_parse(&schema, slice_of(text), "schema.json", &fault),
		0);
	assert_int_equal(
		operation_of(schema, "{\"view\": \"card\", \"entity\": "
				     "{\"id\": \"a\"}, \"features\": "
				     "{\"limit\": 5}}"),
		OPERATION_REPLACE);
	schema_free(schema);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			whole_rows_keyed_by_entity_are_safe_where_the_source_says_so),
		cmocka_unit_test(
			what_accumulates_needs_all_that_compaction_removes),
		cmocka_unit_test(an_envelope_may_name_any_view),
		cmocka_unit_test(
			a_record_that_updates_nothing_hides_one_that_did),
		cmocka_unit_test(a_key_can_t_be_two_entities),
		cmocka_unit_test(compacted_is_true_or_false),
		cmocka_unit_test(an_upsert_is_the_whole_row),
		cmocka_unit_test(so_is_one_in_an_envelope),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
