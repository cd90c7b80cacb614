/* Targets taken apart. Expected values: RFC 3986. */
#include "store/serve/path.h"
#include "schema/fault.h"
#include "tests/lib/check.h"

static void is(struct slice got, const char *wanted)
{
	if (wanted == NULL) {
		assert_null(got.data);
		return;
	}
	assert_non_null(got.data);
	assert_int_equal(got.length, strlen(wanted));
	assert_memory_equal(got.data, wanted, got.length);
}

static void a_target_is_path_and_query(void **state)
{
	(void)state;
	static const struct {
		const char *target, *path, *query;
		bool rooted;
	} cases[] = {
		{"/v1/lookup", "v1/lookup", NULL, true},
		{"//get-online-features", "get-online-features", NULL, true},
		{"/", "", NULL, true},
		{"", "", NULL, false},
		{"/a?", "a", "", true},
		{"/a?b=c?d", "a", "b=c?d", true},
		{"/a%3Fb?c", "a%3Fb", "c", true},
		{"http://host:6566/a/b?c", "a/b", "c", true},
		{"HTTP://host/a", "a", NULL, true},
		{"http://host", "", NULL, false},
		{"*", "*", NULL, false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct target target = target_split(slice_of(cases[i].target));
		is(target.path, cases[i].path);
		is(target.query, cases[i].query);
		assert_int_equal(target.rooted, cases[i].rooted);
	}
}

static void every_separator_ends_a_piece(void **state)
{
	(void)state;
	struct slice rest = slice_of("a//b/");
	static const char *const pieces[] = {"a", "", "b", ""};
	struct slice piece;
	for (size_t i = 0; i < 4; i++) {
		assert_true(next_piece(&rest, '/', &piece));
		is(piece, pieces[i]);
	}
	assert_false(next_piece(&rest, '/', &piece));
	rest = slice_of("");
	assert_true(next_piece(&rest, '/', &piece));
	is(piece, "");
	assert_false(next_piece(&rest, '/', &piece));
}

static void what_is_encoded_is_decoded_once(void **state)
{
	(void)state;
	struct arena arena = ARENA_INIT;
	static const struct {
		const char *text;
		int outcome;
		const char *decoded;
	} cases[] = {
		{"", DECODED, ""},
		{"abc", DECODED, "abc"},
		{"a+b", DECODED, "a+b"},
		{"%2Fa%2f%2C%22%25", DECODED, "/a/,\"%"},
		{"%252F", DECODED, "%2F"},
		{"K%C3%B6ln", DECODED, "K\303\266ln"},
		{"..", DECODED, ".."},
		{"%", DECODING_BAD_ESCAPE, NULL},
		{"a%2", DECODING_BAD_ESCAPE, NULL},
		{"%zz", DECODING_BAD_ESCAPE, NULL},
		{"%2 ", DECODING_BAD_ESCAPE, NULL},
		{"42%00", DECODING_NUL, NULL},
		{"%c3", DECODING_NOT_UTF8, NULL},
		{"\303", DECODING_NOT_UTF8, NULL},
		{"%c0%80", DECODING_NOT_UTF8, NULL},
		{"%ed%a0%80", DECODING_NOT_UTF8, NULL},
		{"%f4%90%80%80", DECODING_NOT_UTF8, NULL},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct slice out;
		assert_int_equal(
			percent_decode(slice_of(cases[i].text), &arena, &out),
			cases[i].outcome);
		if (cases[i].decoded != NULL)
			is(out, cases[i].decoded);
	}
	arena_finish(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_target_is_path_and_query),
		cmocka_unit_test(every_separator_ends_a_piece),
		cmocka_unit_test(what_is_encoded_is_decoded_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
