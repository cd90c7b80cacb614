/* Loading the schema file: what it becomes, and what is refused with which
 * advice. The rules are those of design section 4. */
#include "schema/schema.h"
#include "tests/lib/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DAY_US (86400 * INT64_C(1000000))

static const char example[] =
	"{\"//\": \"the example of the design\","
	" \"views\": {\"card_stats\": {"
	"  \"entity\": {\"card_id\": \"string\"},"
	"  \"features\": {"
	"   \"txns\": {\"type\": \"int64\", \"merge\": \"sum\"},"
	"   \"spend\": {\"type\": \"decimal(2)\", \"merge\": \"sum\"},"
	"   \"// note\": {\"type\": \"nothing\"},"
	"   \"country\": {\"type\": \"string\", \"max_length\": 2,"
	"                 \"default\": \"\?\?\"}},"
	"  \"ttl\": \"30d\","
	"  \"serve\": {\"max_lag\": \"5s\", \"when_behind\": \"serve\","
	"   \"when_expired\": \"fail\", \"when_missing\": \"default\"}}},"
	" \"services\": {\"fraud_v7\": [\"card_stats:txns\","
	"                               \"card_stats:country\"]},"
	" \"sources\": {\"payments.v1\": {\"id\": \"/payment_id\","
	"  \"event_time\": \"/created_at\", \"updates\": ["
	"  {\"view\": \"card_stats\", \"entity\": {\"card_id\": \"/card\"},"
	"   \"when\": {\"/status\": [\"authorized\", \"captured\"]},"
	"   \"features\": {\"country\": \"/country\","
	"    \"txns\": {\"const\": 1, \"//\": \"one each\"},"
	"    \"spend\": \"/amount~1net/0\"}}]},"
	"  \"features.v1\": {\"missing_key\": \"position\","
	"   \"event_time_unit\": \"ms\", \"unknown_feature\": \"park\"}}}";

static struct schema *parse(const char *text)
{
	struct schema *schema = NULL;
	struct fault fault = {0};
	if (schema_parse(&schema, slice_of(text), "schema.json", &fault) < 0)
		fail_msg("%s", fault.text);
	return schema;
}

static void check_views(const struct schema *schema)
{
	assert_int_equal(schema->view_count, 1);
	const struct view *view = &schema->views[0];
	assert_string_equal(view->name, "card_stats");
	assert_int_equal(view->key_count, 1);
	assert_string_equal(view->keys[0].name, "card_id");
	assert_int_equal(view->keys[0].type.kind, TYPE_STRING);
	assert_int_equal(view->feature_count, 3);
	assert_string_equal(view->features[0].name, "txns");
	assert_int_equal(view->features[0].merge, MERGE_SUM);
	assert_int_equal(view->features[1].type.kind, TYPE_DECIMAL);
	assert_int_equal(view->features[1].type.scale, 2);
	assert_int_equal(view->features[1].max_length, -1);
	assert_int_equal(view->features[1].default_value.state, VALUE_UNSET);
	assert_int_equal(view->features[2].max_length, 2);
	assert_string_equal(
		json_string_value(view->features[2].fallback), "?\?");
	assert_memory_equal(
		view->features[2].default_value.as.bytes.data, "?\?", 2);
	assert_int_equal(view->by_name[0], 2);
	assert_int_equal(view->by_name[1], 1);
	assert_int_equal(view->by_name[2], 0);
	assert_true(view->accumulates);
	assert_int_equal(view->ttl_us, 30 * DAY_US);
	assert_int_equal(view->max_lag_us, 5000000);
	assert_int_equal(view->when_expired, CHOICE_FAIL);
	assert_int_equal(view->when_missing, CHOICE_DEFAULT);
}

static void check_mapped_source(const struct schema *schema)
{
	const struct source_schema *source =
		schema_source(schema, "payments.v1");
	assert_false(source->envelope);
	assert_int_equal(source->id_count, 1);
	assert_string_equal(source->ids[0].tokens[0], "payment_id");
	assert_int_equal(source->missing_key, MISSING_KEY_REJECT);
	assert_true(source->has_event_time);
	assert_int_equal(source->event_time_unit, TIME_UNIT_NONE);
	const struct mapping *mapping = &source->updates[0];
	assert_string_equal(mapping->entity[0].text, "/card");
	assert_int_equal(mapping->feature_count, 3);
	/* ascending in the view's order, whatever the mapping's */
	assert_int_equal(mapping->features[0].feature, 0);
	assert_int_equal(json_integer_value(mapping->features[0].constant), 1);
	assert_int_equal(mapping->features[0].value.as.integer, 1);
	assert_int_equal(mapping->features[1].feature, 1);
	assert_null(mapping->features[1].constant);
	assert_string_equal(
		mapping->features[1].pointer.tokens[0], "amount/net");
	assert_string_equal(mapping->features[1].pointer.tokens[1], "0");
	assert_int_equal(mapping->features[2].feature, 2);
	assert_int_equal(mapping->when_count, 1);
	assert_int_equal(mapping->when[0].count, 2);
	assert_string_equal(
		json_string_value(mapping->when[0].values[1]), "captured");
}

static void check_envelope_source(const struct schema *schema)
{
	const struct source_schema *source =
		schema_source(schema, "features.v1");
	assert_true(source->envelope);
	assert_int_equal(source->update_count, 0);
	assert_int_equal(source->id_count, 1);
	assert_string_equal(source->ids[0].text, "/id");
	assert_string_equal(source->event_time.text, "/event_time");
	assert_int_equal(source->missing_key, MISSING_KEY_POSITION);
	assert_int_equal(source->event_time_unit, TIME_UNIT_MS);
	assert_int_equal(source->unknown_feature, UNKNOWN_FEATURE_PARK);
}

static void check_example(const struct schema *schema)
{
	check_views(schema);
	check_mapped_source(schema);
	check_envelope_source(schema);
	assert_int_equal(schema->service_count, 1);
	assert_string_equal(schema->services[0].name, "fraud_v7");
	assert_int_equal(schema->services[0].feature_count, 2);
	assert_int_equal(schema->services[0].features[1].feature, 2);
}

static void the_example_of_the_design_is_read(void **state)
{
	(void)state;
	struct schema *schema = parse(example);
	check_example(schema);
	schema_free(schema);
}

static void the_stored_text_gives_the_same_schema_without_comments(void **state)
{
	(void)state;
	struct schema *schema = parse(example);
	assert_null(strstr(schema->text, "//"));
	assert_null(strchr(schema->text, ' '));
	struct schema *again = parse(schema->text);
	check_example(again);
	assert_string_equal(again->text, schema->text);
	schema_free(again);
	schema_free(schema);
}

static void views_and_features_are_found_by_name(void **state)
{
	(void)state;
	struct schema *schema = parse(example);
	const struct view *view = schema_view(schema, slice_of("card_stats"));
	assert_ptr_equal(view, &schema->views[0]);
	assert_null(schema_view(schema, slice_of("card_stat")));
	assert_null(schema_source(schema, "payments"));
	for (size_t i = 0; i < view->feature_count; i++)
		assert_int_equal(
			view_feature(view, slice_of(view->features[i].name)),
			i);
	assert_int_equal(view_feature(view, slice_of("txn")), -1);
	assert_int_equal(view_feature(view, slice_of("")), -1);
	assert_int_equal(view_feature(view, slice_of("zzz")), -1);
	schema_free(schema);
}

static void what_is_left_out_takes_its_default(void **state)
{
	(void)state;
	struct schema *schema =
		parse("{\"views\": {\"v\": {\"entity\": {\"k\": \"int64\"},"
		      "\"features\": {\"f\": {\"type\": \"bool\"}}}}}");
	const struct view *view = &schema->views[0];
	assert_int_equal(view->features[0].merge, MERGE_LAST);
	assert_null(view->features[0].fallback);
	assert_false(view->accumulates);
	assert_int_equal(view->ttl_us, 0);
	assert_int_equal(view->max_lag_us, -1);
	assert_int_equal(view->when_behind, CHOICE_SERVE);
	assert_int_equal(view->when_expired, CHOICE_DEFAULT);
	assert_int_equal(view->when_missing, CHOICE_DEFAULT);
	assert_int_equal(schema->source_count, 0);
	assert_int_equal(schema->service_count, 0);
	schema_free(schema);
}

/* Each part of a schema with one thing wrong, and what must be said of it. */
struct refusal {
	const char *part;
	const char *says[3];
};

static void refuse(const char *text, const struct refusal *refusal)
{
	struct schema *schema = NULL;
	struct fault fault = {0};
	int rc = schema_parse(&schema, slice_of(text), "s.json", &fault);
	if (rc != FAULT_USAGE)
		fail_msg("accepted: %s", text);
	assert_null(schema);
	assert_int_equal(strncmp(fault.text, "s.json: ", 8), 0);
	for (size_t i = 0; i < 3 && refusal->says[i] != NULL; i++)
		if (strstr(fault.text, refusal->says[i]) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", fault.text,
				refusal->says[i]);
}

static void refuse_each(const char *format_head, const char *format_tail,
	const struct refusal *refusals, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char text[2048];
		int length = snprintf(text, sizeof text, "%s%s%s", format_head,
			refusals[i].part, format_tail);
		assert_in_range(length, 0, sizeof text - 1);
		refuse(text, &refusals[i]);
	}
}

static void files_that_are_no_schema_are_refused(void **state)
{
	(void)state;
	static const struct refusal refusals[] = {
		{"", {"bad_json"}},
		{"{", {"bad_json", "byte 1"}},
		{"[]", {"must be an object"}},
		{"{}", {"/views", "must be an object"}},
		{"{\"views\": {}} x", {"bad_json"}},
		{"{\"views\": {}, \"views\": {}}", {"duplicate_member"}},
		{"{\"//\": 1, \"//\": 2, \"views\": {}}",
			{"duplicate_member", "comments need different names"}},
		{"{\"views\": {}, \"veiws\": {}}", {"veiws", "\"views\"?"}},
		{"{\"views\": {}, \"x\": 99999999999999999999}",
			{"beyond 64 bits"}},
		{"{\"views\": {}, \"sources\": []}", {"/sources", "object"}},
	};
	refuse_each("", "", refusals, sizeof refusals / sizeof refusals[0]);
}

static void wrong_features_are_refused_by_place(void **state)
{
	(void)state;
	static const struct refusal refusals[] = {
		{"\"f\": {}", {"/views/v/features/f", "no type"}},
		{"\"f\": {\"type\": \"int\"}",
			{"/views/v/features/f/type", "int64"}},
		{"\"f\": {\"type\": \"decimal(16)\"}", {"decimal(0..15)"}},
		{"\"f\": {\"type\": \"decimal(-1)\"}", {"decimal(0..15)"}},
		{"\"f\": {\"type\": \"float32[0]\"}", {"float32[1..16384]"}},
		{"\"f\": {\"type\": \"float32[16385]\"}", {"16384"}},
		{"\"f\": {\"type\": \"float64\", \"merge\": \"sum\"}",
			{"/f/merge", "another sum", "decimal(2)"}},
		{"\"f\": {\"type\": \"string\", \"merge\": \"sum\"}",
			{"/f/merge", "int64 and decimal(s)"}},
		{"\"f\": {\"type\": \"timestamp\", \"merge\": \"sum\"}",
			{"/f/merge"}},
		{"\"f\": {\"type\": \"bool\", \"merge\": \"max\"}",
			{"/f/merge"}},
		{"\"f\": {\"type\": \"float32[3]\", \"merge\": \"min\"}",
			{"float32[3]"}},
		{"\"f\": {\"type\": \"int64\", \"merge\": \"avg\"}",
			{"\"last\", \"sum\", \"min\", \"max\""}},
		{"\"f\": {\"type\": \"int64\", \"max_lenght\": 3}",
			{"max_lenght", "\"max_length\"?"}},
		{"\"f\": {\"type\": \"int64\", \"max_length\": 3}",
			{"/f/max_length", "string and bytes"}},
		{"\"f\": {\"type\": \"string\", \"max_length\": 0}",
			{"1 or more"}},
		{"\"f\": {\"type\": \"string\", \"minimum\": \"a\"}",
			{"/f/minimum"}},
		{"\"f\": {\"type\": \"int64\", \"minimum\": 1.5}",
			{"/f/minimum", "1.5 where int64"}},
		{"\"f\": {\"type\": \"int64\", \"minimum\": 2,"
		 " \"maximum\": 1}",
			{"/f/minimum", "above"}},
		{"\"f\": {\"type\": \"int64\", \"default\": \"0\"}",
			{"/f/default", "a string where int64"}},
		{"\"f\": {\"type\": \"decimal(2)\", \"default\": 0.125}",
			{"/f/default", "more than 2 decimals"}},
		{"\"F\": {\"type\": \"int64\"}", {"/views/v/features/F"}},
		{"\"_f\": {\"type\": \"int64\"}", {"\"_f\""}},
		{"\"sqlite_f\": {\"type\": \"int64\"}", {"sqlite_"}},
		{"\"a b\": {\"type\": \"int64\"}", {"\"a b\""}},
		{"\"\": {\"type\": \"int64\"}", {"name"}},
		{"\"k\": {\"type\": \"int64\"}",
			{"/features/k", "join key of that name"}},
		{"", {"/views/v/features", "1 to 1900"}},
	};
	refuse_each("{\"views\": {\"v\": {\"entity\": {\"k\": \"int64\"},"
		    "\"features\": {",
		"}}}}", refusals, sizeof refusals / sizeof refusals[0]);
}

static void wrong_views_are_refused_by_place(void **state)
{
	(void)state;
#define FEATURES "\"features\": {\"f\": {\"type\": \"bool\"}}"
#define ENTITY "\"entity\": {\"k\": \"int64\"}"
	static const struct refusal refusals[] = {
		{"\"v\": {" FEATURES "}", {"/views/v/entity"}},
		{"\"v\": {" ENTITY "}", {"/views/v/features"}},
		{"\"v\": {" FEATURES ", \"entity\": {}}", {"join keys"}},
		{"\"v\": {" FEATURES ", \"entity\": {\"k\": \"float64\"}}",
			{"/entity/k", "\"int64\" or \"string\""}},
		{"\"v\": {" FEATURES ", \"entity\": {\"k\": 1}}",
			{"/entity/k"}},
		{"\"v/w\": {" FEATURES ", " ENTITY "}", {"/views/v~1w"}},
		{"\"v\": {" FEATURES ", " ENTITY ", \"ttl\": \"30\"}",
			{"/views/v/ttl", "duration"}},
		{"\"v\": {" FEATURES ", " ENTITY ", \"ttl\": 30}",
			{"/ttl", "string"}},
		{"\"v\": {" FEATURES ", " ENTITY ", \"ttl\": \"0s\"}",
			{"above zero"}},
		{"\"v\": {" FEATURES ", " ENTITY
		 ", \"serve\": {\"when_lost\": \"fail\"}}",
			{"when_lost"}},
		{"\"v\": {" FEATURES ", " ENTITY
		 ", \"serve\": {\"when_behind\": \"stop\"}}",
			{"/serve/when_behind", "\"serve\", \"default\", "
					       "\"fail\""}},
	};
#undef FEATURES
#undef ENTITY
	refuse_each("{\"views\": {", "}}", refusals,
		sizeof refusals / sizeof refusals[0]);
}

#define VIEWS                                                                  \
	"{\"views\": {\"card\": {\"entity\": {\"id\": \"string\", \"n\":"      \
	" \"int64\"}, \"features\": {\"sum\": {\"type\": \"int64\", "          \
	"\"merge\":"                                                           \
	" \"sum\", \"maximum\": 9}, \"name\": {\"type\": \"string\"}}}}, "
#define KEYS "\"entity\": {\"id\": \"/a\", \"n\": \"/b\"}"

static void wrong_sources_are_refused_by_place(void **state)
{
	(void)state;
	static const struct refusal refusals[] = {
		{"\"a b\": {}", {"/sources/a b", "topic"}},
		{"\"..\": {}", {"topic"}},
		{"\"t\": {\"missing_key\": \"drop\"}",
			{"/sources/t/missing_key", "\"reject\", \"position\""}},
		{"\"t\": {\"id\": \"/key\"}", {"/t/id", "updates"}},
		{"\"t\": {\"event_time\": \"/at\"}", {"/t/event_time"}},
		{"\"t\": {\"event_time_unit\": \"ns\"}", {"\"us\""}},
		{"\"t\": {\"unknown_features\": \"park\"}",
			{"\"unknown_feature\"?"}},
		{"\"t\": {\"updates\": []}", {"1 to 1024"}},
		{"\"t\": {\"updates\": {}}", {"1 to 1024"}},
	};
	refuse_each(VIEWS "\"sources\": {", "}}", refusals,
		sizeof refusals / sizeof refusals[0]);
}

static void wrong_mapped_sources_are_refused_by_place(void **state)
{
	(void)state;
	static const struct refusal refusals[] = {
		{", \"id\": []", {"/sources/t/id", "1 to 16"}},
		{", \"id\": [\"/a\", 7]", {"/t/id/1", "pointer"}},
		{", \"id\": \"a\"", {"/t/id", "starts with /"}},
		{", \"id\": \"/a~2\"", {"/t/id", "~0"}},
		{", \"event_time_unit\": \"s\"",
			{"/event_time_unit", "no event_time"}},
		{", \"unknown_feature\": \"park\"", {"envelope"}},
	};
	refuse_each(VIEWS "\"sources\": {\"t\": {\"updates\": [{\"view\": "
			  "\"card\", " KEYS ", \"op\": \"delete\"}]",
		"}}}", refusals, sizeof refusals / sizeof refusals[0]);
}

static void wrong_mappings_are_refused_by_place(void **state)
{
	(void)state;
	static const struct refusal refusals[] = {
		{KEYS, {"/sources/t/updates/0", "which view"}},
		{"\"view\": \"cards\", " KEYS,
			{"/updates/0/view", "\"cards\"", "\"card\"?"}},
		{"\"view\": \"card\"", {"/updates/0/entity"}},
		{"\"view\": \"card\", \"entity\": {\"id\": \"/a\"}",
			{"/updates/0/entity", "\"n\"", "\"card\""}},
		{"\"view\": \"card\", \"entity\": {\"id\": \"/a\", \"n\": "
		 "\"/b\", \"m\": \"/c\"}",
			{"unknown member \"m\""}},
		{"\"view\": \"card\", " KEYS, {"/features", "upsert"}},
		{"\"view\": \"card\", \"op\": \"upsert\", \"features\": "
		 "{}, " KEYS,
			{"/features", "\"card\""}},
		{"\"view\": \"card\", \"op\": \"drop\", " KEYS,
			{"/op", "\"replace\""}},
		{"\"view\": \"card\", \"op\": \"delete\", " KEYS
		 ", \"features\": {\"sum\": \"/x\"}",
			{"/features", "leave them out"}},
		{"\"view\": \"card\", " KEYS
		 ", \"features\": {\"smu\": \"/x\"}",
			{"/features", "\"smu\"", "\"sum\"?"}},
		{"\"view\": \"card\", " KEYS ", \"features\": {\"sum\": 1}",
			{"/features/sum", "{\"const\": value}"}},
		{"\"view\": \"card\", " KEYS ", \"features\": {\"sum\": {}}",
			{"/features/sum", "const"}},
		{"\"view\": \"card\", " KEYS
		 ", \"features\": {\"sum\": {\"const\": 1.0}}",
			{"/features/sum/const", "\"card\"", "\"sum\""}},
		{"\"view\": \"card\", " KEYS
		 ", \"features\": {\"sum\": {\"const\": null}}",
			{"/features/sum/const", "accumulated"}},
		{"\"view\": \"card\", " KEYS
		 ", \"features\": {\"sum\": {\"const\": 10}}",
			{"10 is more than the maximum 9"}},
		{"\"view\": \"card\", " KEYS
		 ", \"features\": {\"sum\": \"/x\"}, \"when\": {\"x\": 1}",
			{"/when/x", "starts with /"}},
		{"\"view\": \"card\", " KEYS
		 ", \"features\": {\"sum\": \"/x\"}, \"when\": {\"/x\": []}",
			{"/when/~1x", "empty list"}},
		{"\"view\": \"card\", " KEYS
		 ", \"features\": {\"sum\": \"/x\"}, \"when\": {\"/x\": {}}",
			{"/when/~1x", "compare with"}},
	};
	refuse_each(VIEWS "\"sources\": {\"t\": {\"updates\": [{", "}]}}}",
		refusals, sizeof refusals / sizeof refusals[0]);
}

static void wrong_services_are_refused_by_place(void **state)
{
	(void)state;
	static const struct refusal refusals[] = {
		{"\"s\": []", {"/services/s", "list"}},
		{"\"s\": [7]", {"/services/s/0", "view:feature"}},
		{"\"s\": [\"card\"]", {"/services/s/0", "view:feature"}},
		{"\"s\": [\"crad:sum\"]", {"\"crad\"", "\"card\"?"}},
		{"\"s\": [\"card:sums\"]", {"\"sums\"", "\"sum\"?"}},
		{"\"s\": [\"card:sum\", \"card:sum\"]",
			{"/services/s/1", "second time"}},
		{"\"S\": [\"card:sum\"]", {"/services/S"}},
	};
	refuse_each(VIEWS "\"services\": {", "}}", refusals,
		sizeof refusals / sizeof refusals[0]);
}

static void a_file_is_loaded_and_a_missing_one_named(void **state)
{
	(void)state;
	char path[] = "/tmp/holdfast-schema-XXXXXX";
	struct schema *schema = NULL;
	struct fault fault = {0};
	int file = mkstemp(path);
	assert_true(file >= 0);
	assert_int_equal(
		write(file, example, strlen(example)), strlen(example));
	close(file);
	assert_int_equal(schema_load(&schema, path, &fault), 0);
	check_example(schema);
	schema_free(schema);
	unlink(path);
	assert_int_equal(schema_load(&schema, path, &fault), FAULT_USAGE);
	assert_null(schema);
	assert_non_null(strstr(fault.text, path));
	assert_non_null(strstr(fault.text, "No such file"));
	schema_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example_of_the_design_is_read),
		cmocka_unit_test(
			the_stored_text_gives_the_same_schema_without_comments),
		cmocka_unit_test(views_and_features_are_found_by_name),
		cmocka_unit_test(what_is_left_out_takes_its_default),
		cmocka_unit_test(files_that_are_no_schema_are_refused),
		cmocka_unit_test(wrong_features_are_refused_by_place),
		cmocka_unit_test(wrong_views_are_refused_by_place),
		cmocka_unit_test(wrong_sources_are_refused_by_place),
		cmocka_unit_test(wrong_mapped_sources_are_refused_by_place),
		cmocka_unit_test(wrong_mappings_are_refused_by_place),
		cmocka_unit_test(wrong_services_are_refused_by_place),
		cmocka_unit_test(a_file_is_loaded_and_a_missing_one_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
