/* Values as they are shown. Expected texts are design section 4's forms, and
 * Python's repr() for real numbers. */
#include "ingest/command/value_text.h"
#include "tests/lib/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static char *json_text(const struct type *type, const struct value *value)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	assert_non_null(out);
	value_print_json(type, value, out);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void shown(struct type type, struct value value, const char *people,
	const char *programs)
{
	value.state = VALUE_SET;
	char *text = value_text(&type, &value);
	assert_string_equal(text, people);
	free(text);
	text = json_text(&type, &value);
	assert_string_equal(text, programs);
	free(text);
}

static struct value integer(int64_t number)
{
	return (struct value){.as.integer = number};
}

static struct value bytes(const char *data, size_t length)
{
	return (struct value){.as.bytes = {data, length}};
}

static void each_type_has_its_form(void **state)
{
	(void)state;
	shown((struct type){.kind = TYPE_BOOL}, integer(1), "true", "true");
	shown((struct type){.kind = TYPE_INT64}, integer(INT64_MIN),
		"-9223372036854775808", "-9223372036854775808");
	shown((struct type){.kind = TYPE_TIMESTAMP},
		integer(INT64_C(1795422048123000)), "2026-11-23T08:20:48.123Z",
		"\"2026-11-23T08:20:48.123Z\"");
	shown((struct type){.kind = TYPE_STRING}, bytes("Kö\"\n", 5),
		"Kö\"\\x0a", "\"Kö\\\"\\n\"");
	shown((struct type){.kind = TYPE_BYTES}, bytes("\0\377", 2),
		"AP8=", "\"AP8=\"");
	shown((struct type){.kind = TYPE_VECTOR, .length = 3},
		bytes("\0\0\200\277\0\0\0\77\315\314\314\75", 12),
		"[-1.0, 0.5, 0.1]", "[-1.0, 0.5, 0.1]");
}

static void decimals_keep_their_scale(void **state)
{
	(void)state;
	struct type cents = {.kind = TYPE_DECIMAL, .scale = 2};
	shown(cents, integer(1234), "12.34", "12.34");
	shown(cents, integer(-5), "-0.05", "-0.05");
	shown(cents, integer(100), "1.00", "1.00");
	shown((struct type){.kind = TYPE_DECIMAL}, integer(-7), "-7", "-7");
	shown((struct type){.kind = TYPE_DECIMAL, .scale = 15},
		integer(INT64_C(999999999999999)), "0.999999999999999",
		"0.999999999999999");
}

static void real_numbers_come_back_the_same(void **state)
{
	(void)state;
	static const struct {
		double real;
		const char *text;
	} cases[] = {{0.1, "0.1"}, {1e300, "1e+300"}, {-2.5, "-2.5"},
		{0.30000000000000004, "0.30000000000000004"}, {3, "3.0"}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		shown((struct type){.kind = TYPE_FLOAT64},
			(struct value){.as.real = cases[i].real}, cases[i].text,
			cases[i].text);
}

static void unset_and_null_differ_for_people(void **state)
{
	(void)state;
	struct type type = {.kind = TYPE_STRING};
	struct value unset = {.state = VALUE_UNSET};
	struct value null = {.state = VALUE_NULL};
	char *text = value_text(&type, &unset);
	assert_string_equal(text, "-");
	free(text);
	text = value_text(&type, &null);
	assert_string_equal(text, "null");
	free(text);
	text = json_text(&type, &unset);
	assert_string_equal(text, "null");
	free(text);
}

static void only_an_int64_is_read_as_one(void **state)
{
	(void)state;
	static const char *const refused[] = {"", "-", "+1", " 1", "1 ", "0x1",
		"1.0", "1e3", "9223372036854775808", "--1", "1a"};
	int64_t number = 0;
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
		assert_false(int64_parse(refused[i], &number));
	assert_true(int64_parse("-9223372036854775808", &number));
	assert_true(number == INT64_MIN);
	assert_true(int64_parse("42", &number));
	assert_int_equal(number, 42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_type_has_its_form),
		cmocka_unit_test(decimals_keep_their_scale),
		cmocka_unit_test(real_numbers_come_back_the_same),
		cmocka_unit_test(unset_and_null_differ_for_people),
		cmocka_unit_test(only_an_int64_is_read_as_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
