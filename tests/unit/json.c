/* Reading JSON: what is refused and why, pointers (examples of RFC 6901,
 * section 5), canonical bytes. */
#include "schema/json.h"
#include "schema/canonical.h"
#include "schema/pointer.h"
#include "tests/lib/check.h"

#include <stdio.h>
#include <string.h>

static struct json_text read_text(struct arena *arena, struct slice text)
{
	struct json_text json;
	assert_int_equal(json_read(text, 8, arena, &json), 0);
	return json;
}

static void each_fault_of_json_has_its_reason(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum reason reason;
	} cases[] = {
		{"", REASON_BAD_JSON},
		{" ", REASON_BAD_JSON},
		{"{", REASON_BAD_JSON},
		{"{\"a\":1,}", REASON_BAD_JSON},
		{"{\"a\":1} {}", REASON_BAD_JSON},
		{"1 2", REASON_BAD_JSON},
		{"01", REASON_BAD_JSON},
		{"+1", REASON_BAD_JSON},
		{".5", REASON_BAD_JSON},
		{"NaN", REASON_BAD_JSON},
		{"-Infinity", REASON_BAD_JSON},
		{"'a'", REASON_BAD_JSON},
		{"\"\\ud800\"", REASON_BAD_JSON},
		{"\"a\tb\"", REASON_BAD_JSON},
		{"{\"\\u0000\":1}", REASON_BAD_JSON},
		{"\xef\xbb\xbf{}", REASON_BAD_JSON},
		{"1e999", REASON_BAD_JSON},
		{"[99999999999999999999,1e999]", REASON_BAD_JSON},
		{"\xff", REASON_BAD_UTF8},
		{"\"\xc0\x80\"", REASON_BAD_UTF8},
		{"\"\xed\xa0\x80\"", REASON_BAD_UTF8},
		{"\"\xe2\x82", REASON_BAD_UTF8},
		{"{\"a\xc3\":1}", REASON_BAD_UTF8},
		{"{} \xff", REASON_BAD_UTF8},
		{"{\"a\":1,\"a\":1}", REASON_DUPLICATE_MEMBER},
		{"[{\"a\":{\"b\":1,\"b\":2}}]", REASON_DUPLICATE_MEMBER},
		{"{\"\\u0061\":1,\"a\":1}", REASON_DUPLICATE_MEMBER},
		{"[[[[[[[[[]]]]]]]]]", REASON_TOO_DEEP},
		{"[[[[[[[[{", REASON_TOO_DEEP},
	};
	struct arena arena = ARENA_INIT;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct json_text json =
			read_text(&arena, slice_of(cases[i].text));
		if (json.reason != cases[i].reason)
			fail_msg("%s: %s", cases[i].text,
				reason_name(json.reason));
		assert_null(json.root);
		assert_non_null(json.detail);
	}
	struct json_text nul = read_text(&arena, (struct slice){"{}\0", 3});
	assert_int_equal(nul.reason, REASON_BAD_JSON);
	arena_finish(&arena);
}

static void every_kind_of_value_is_read(void **state)
{
	(void)state;
	static const char *const texts[] = {"{}", "[]", "0", "-0", "-0.0",
		"1e308", "5e-324", "1e-999", "\"\\u0000\"", "true", "null",
		" [1] \n", "\"[[[[[[[[[[[[\"", "\"\\\"[[[[[[[[[[[[\"",
		"[[[[[[[[]]]]]]]]", "[[],[],[],[],[],[],[],[],[],[]]",
		"9223372036854775807"};
	struct arena arena = ARENA_INIT;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct json_text json = read_text(&arena, slice_of(texts[i]));
		if (json.root == NULL)
			fail_msg("%s: %s", texts[i], json.detail);
		assert_false(json.lossy);
		json_decref(json.root);
	}
	arena_finish(&arena);
}

static void a_number_beyond_int64_makes_all_integers_reals(void **state)
{
	(void)state;
	struct arena arena = ARENA_INIT;
	struct json_text json =
		read_text(&arena, slice_of("[7, 9223372036854775808]"));
	assert_true(json.lossy);
	assert_true(json_real_value(json_array_get(json.root, 0)) == 7.0);
	assert_true(json_real_value(json_array_get(json.root, 1)) == 0x1p63);
	json_decref(json.root);
	arena_finish(&arena);
}

static void comments_are_dropped_at_any_depth(void **state)
{
	(void)state;
	struct arena arena = ARENA_INIT;
	struct json_text json = read_text(&arena,
		slice_of("{\"//\":1,\"b\":[{\"//x\":{},\"/\":2}],\"a\":3}"));
	json_strip_comments(json.root);
	assert_string_equal(json_print(json.root, &arena).data,
		"{\"b\":[{\"/\":2}],\"a\":3}");
	json_decref(json.root);
	arena_finish(&arena);
}

/* The document and the table of RFC 6901, section 5, and what it says of
 * arrays in section 4. */
static const char rfc_document[] =
	"{\"foo\": [\"bar\", \"baz\"], \"\": 0, \"a/b\": 1, \"c%d\": 2,"
	" \"e^f\": 3, \"g|h\": 4, \"i\\\\j\": 5, \"k\\\"l\": 6, \" \": 7,"
	" \"m~n\": 8}";

static void parse_pointer(
	struct pointer *pointer, const char *text, struct arena *arena)
{
	const char *wrong = NULL;
	assert_int_equal(
		pointer_parse(pointer, text, arena, &wrong), POINTER_GOOD);
	assert_null(wrong);
}

static void refuse_pointer(const char *text)
{
	struct arena arena = ARENA_INIT;
	struct pointer pointer;
	const char *wrong = NULL;
	assert_int_equal(
		pointer_parse(&pointer, text, &arena, &wrong), POINTER_WRONG);
	assert_non_null(wrong);
	arena_finish(&arena);
}

static void pointers_find_what_rfc_6901_says(void **state)
{
	(void)state;
	static const struct {
		const char *pointer;
		const char *finds; /* NULL: nothing */
	} cases[] = {
		{"/foo", "[\"bar\",\"baz\"]"},
		{"/foo/0", "\"bar\""},
		{"/", "0"},
		{"/a~1b", "1"},
		{"/c%d", "2"},
		{"/e^f", "3"},
		{"/g|h", "4"},
		{"/i\\j", "5"},
		{"/k\"l", "6"},
		{"/ ", "7"},
		{"/m~0n", "8"},
		{"/foo/1", "\"baz\""},
		{"/foo/2", NULL},
		{"/foo/-", NULL},
		{"/foo/00", NULL},
		{"/foo/01", NULL},
		{"/foo/", NULL},
		{"/foo/-1", NULL},
		{"/foo/1e0", NULL},
		{"/foo/18446744073709551616", NULL},
		{"/foo/bar", NULL},
		{"/foo/0/x", NULL},
		{"/nothing", NULL},
		{"/a/b", NULL},
		{"/m~01n", NULL},
	};
	struct arena arena = ARENA_INIT;
	struct pointer pointer;
	struct json_text json = read_text(&arena, slice_of(rfc_document));
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		parse_pointer(&pointer, cases[i].pointer, &arena);
		assert_string_equal(pointer.text, cases[i].pointer);
		json_t *found = pointer_find(&pointer, json.root);
		if ((found == NULL) != (cases[i].finds == NULL))
			fail_msg("%s", cases[i].pointer);
		if (found != NULL)
			assert_string_equal(
				json_print(found, &arena).data, cases[i].finds);
	}
	parse_pointer(&pointer, "", &arena);
	assert_ptr_equal(pointer_find(&pointer, json.root), json.root);
	assert_null(pointer_find(&pointer, NULL));
	json_decref(json.root);
	arena_finish(&arena);
}

static void what_is_no_pointer_is_refused(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"a", "a/b", " /a", "#/a", "/~", "/a~2", "/~/a", "/a~"};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		refuse_pointer(texts[i]);
	char deep[2 * POINTER_TOKENS_MAX + 3] = "";
	for (size_t i = 0; i <= POINTER_TOKENS_MAX; i++)
		memcpy(deep + 2 * i, "/a", 3);
	refuse_pointer(deep);
}

static struct slice canonical(struct arena *arena, const char *text)
{
	struct buffer buffer = BUFFER_INIT(arena);
	struct json_text json = read_text(arena, slice_of(text));
	assert_non_null(json.root);
	canonical_json(&buffer, json.root);
	json_decref(json.root);
	assert_false(buffer.failed);
	return buffer_content(&buffer);
}

static void equal_values_have_equal_canonical_bytes(void **state)
{
	(void)state;
	static const char *const pairs[][2] = {
		{"1", "1.0"},
		{"10", "1e1"},
		{"0", "-0.0"},
		{"0", "-0"},
		{"0.1", "0.1000000000000000000001"},
		{"9007199254740992", "9007199254740992.0"},
		{"9223372036854774784", "9223372036854774784.0"},
		{"-9223372036854775808", "-9223372036854775808.0"},
		{"\"\\u00e4\"", "\"\xc3\xa4\""},
		{"{\"a\":1,\"b\":[2,{\"d\":3,\"c\":4}]}",
			"{\"b\":[2.0,{\"c\":4,\"d\":3}],\"a\":1}"},
		{"[ ]", "[]"},
	};
	struct arena arena = ARENA_INIT;
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
		if (!slice_equal(canonical(&arena, pairs[i][0]),
			    canonical(&arena, pairs[i][1])))
			fail_msg("%s %s", pairs[i][0], pairs[i][1]);
	arena_finish(&arena);
}

static void different_values_have_different_canonical_bytes(void **state)
{
	(void)state;
	static const char *const texts[] = {"1", "2", "1.5", "\"1\"", "true",
		"false", "null", "0", "\"\"", "[]", "{}", "[1]", "[[1]]",
		"[1,[]]", "[1,2]", "[2,1]", "[[1],2]", "[[1,2]]", "{\"a\":1}",
		"{\"a\":{}}", "{\"b\":1}", "{\"a\":1,\"b\":1}",
		"{\"a\":{\"b\":1}}", "\"ab\"", "[\"a\",\"b\"]", "[\"ab\"]",
		"[\"\",\"ab\"]", "[\"ab\",\"\"]", "9007199254740992",
		"9007199254740993", "9223372036854775807",
		"9223372036854775806", "9223372036854775808.0", "\"a\\u0000\"",
		"\"a\""};
	struct arena arena = ARENA_INIT;
	size_t count = sizeof texts / sizeof texts[0];
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < i; j++)
			if (slice_equal(canonical(&arena, texts[i]),
				    canonical(&arena, texts[j])))
				fail_msg("%s %s", texts[i], texts[j]);
	arena_finish(&arena);
}

static void conditions_compare_scalars_by_value(void **state)
{
	(void)state;
	static const struct {
		const char *a, *b;
		bool same;
	} cases[] = {
		{"1", "1", true},
		{"1", "1.0", true},
		{"1.0", "1", true},
		{"1", "2", false},
		{"1", "\"1\"", false},
		{"1", "true", false},
		{"true", "true", true},
		{"true", "false", false},
		{"null", "null", true},
		{"null", "0", false},
		{"\"a\"", "\"a\"", true},
		{"\"a\"", "\"b\"", false},
		{"\"a\"", "\"a\\u0000\"", false},
		{"9007199254740993", "9007199254740992.0", false},
		{"9223372036854775807", "9223372036854775808.0", false},
		{"[]", "[]", false},
		{"{}", "{}", false},
	};
	struct arena arena = ARENA_INIT;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		json_t *a = read_text(&arena, slice_of(cases[i].a)).root;
		json_t *b = read_text(&arena, slice_of(cases[i].b)).root;
		if (canonical_same(a, b) != cases[i].same)
			fail_msg("%s %s", cases[i].a, cases[i].b);
		json_decref(a);
		json_decref(b);
	}
	arena_finish(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_fault_of_json_has_its_reason),
		cmocka_unit_test(every_kind_of_value_is_read),
		cmocka_unit_test(
			a_number_beyond_int64_makes_all_integers_reals),
		cmocka_unit_test(comments_are_dropped_at_any_depth),
		cmocka_unit_test(pointers_find_what_rfc_6901_says),
		cmocka_unit_test(what_is_no_pointer_is_refused),
		cmocka_unit_test(equal_values_have_equal_canonical_bytes),
		cmocka_unit_test(
			different_values_have_different_canonical_bytes),
		cmocka_unit_test(conditions_compare_scalars_by_value),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
