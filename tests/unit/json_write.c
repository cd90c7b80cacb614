/* Values as JSON text. Expected texts are Python's repr() and json.dumps(),
 * design section 4's forms, and what jansson and strtod() read back. */
#include "schema/json_write.h"
#include "schema/digits.h"
#include "schema/record.h"
#include "tests/lib/chance.h"
#include "tests/lib/check.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *real_text(double real)
{
	static char text[REAL_TEXT_SIZE + 1];
	*real_put(text, real) = '\0';
	return text;
}

static const char *float_text(float real)
{
	static char text[REAL_TEXT_SIZE + 1];
	*float_put(text, real) = '\0';
	return text;
}

static void real_numbers_are_as_short_as_they_can_be(void **state)
{
	(void)state;
	static const struct {
		double real;
		const char *text;
	} cases[] = {{0, "0.0"}, {1, "1.0"}, {-2.5, "-2.5"}, {0.1, "0.1"},
		{100, "100.0"}, {1234567.125, "1234567.125"},
		{0.30000000000000004, "0.30000000000000004"},
		{1.0 / 3, "0.3333333333333333"}, {0.0001, "0.0001"},
		{0.00001, "1e-05"}, {0.000012345, "1.2345e-05"},
		{9007199254740991.0, "9007199254740991.0"},
		{9007199254740994.0, "9007199254740994.0"},
		{1e15, "1000000000000000.0"}, {1e16, "1e+16"}, {1e22, "1e+22"},
		{1.2e17, "1.2e+17"}, {1e23, "1e+23"},
		{0x1p60, "1.152921504606847e+18"}, {1e300, "1e+300"},
		{5e-324, "5e-324"},
		{2.2250738585072014e-308, "2.2250738585072014e-308"},
		{1.7976931348623157e308, "1.7976931348623157e+308"},
		{0x1p-52, "2.220446049250313e-16"}, {1e-38, "1e-38"}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_string_equal(real_text(cases[i].real), cases[i].text);
}

static void float32_is_as_short_as_it_can_be(void **state)
{
	(void)state;
	static const struct {
		float real;
		const char *text;
	} cases[] = {{0, "0.0"}, {-1, "-1.0"}, {0.1F, "0.1"},
		{0.33333334F, "0.33333334"}, {16777216, "16777216.0"},
		{1e-7F, "1e-07"}, {3.4028235e38F, "3.4028235e+38"},
		{1e-45F, "1e-45"}, {1.1754944e-38F, "1.1754944e-38"}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_string_equal(float_text(cases[i].real), cases[i].text);
}

/* The fewest digits with which printf's text reads back the same. */
static size_t digits_needed(double real)
{
	char text[64];
	int digits = 0;
	do {
		int length =
			snprintf(text, sizeof text, "%.*e", digits++, real);
		assert_true(length > 0);
	} while (strtod(text, NULL) != real);
	return (size_t)digits;
}

static size_t digits_in(const char *text)
{
	char significant[REAL_TEXT_SIZE];
	size_t count = 0;
	for (; *text != '\0' && *text != 'e'; text++)
		if (*text >= '0' && *text <= '9' && (count > 0 || *text != '0'))
			significant[count++] = *text;
	while (count > 1 && significant[count - 1] == '0')
		count--;
	return count;
}

static double any_real(struct chance *chance)
{
	double real;
	do {
		uint64_t bits = chance_next(chance);
		if (chance_below(chance, 2) == 0)
			bits = (bits & ~(UINT64_C(0x7ff) << 52)) |
			       (UINT64_C(900) + chance_below(chance, 200))
				       << 52;
		memcpy(&real, &bits, sizeof real);
	} while (!isfinite(real));
	return real;
}

static void any_real_number_reads_back_the_same(void **state)
{
	(void)state;
	struct chance chance = {.state = 7};
	for (int i = 0; i < 20000; i++) {
		double real = any_real(&chance);
		const char *text = real_text(real);
		assert_true(strtod(text, NULL) == real);
		assert_non_null(strpbrk(text, ".e"));
		assert_int_equal(digits_in(text), digits_needed(real));
	}
}

/* Their lower neighbour is nearer than the upper one: sometimes a text with
 * fewer digits than printf's reads back, too. */
static void powers_of_two_are_no_exception(void **state)
{
	(void)state;
	for (int exponent = -1074; exponent < 1024; exponent++) {
		double real = ldexp(1, exponent);
		const char *text = real_text(real);
		assert_true(strtod(text, NULL) == real);
		assert_true(digits_in(text) <= digits_needed(real));
	}
	for (int exponent = -149; exponent < 128; exponent++) {
		float real = ldexpf(1, exponent);
		assert_true(strtof(float_text(real), NULL) == real);
	}
}

static void any_float32_reads_back_the_same_also_through_a_double(void **state)
{
	(void)state;
	struct chance chance = {.state = 8};
	for (int i = 0; i < 20000; i++) {
		uint32_t bits = (uint32_t)chance_next(&chance);
		float real;
		memcpy(&real, &bits, sizeof real);
		if (!isfinite(real))
			continue;
		const char *text = float_text(real);
		assert_true(strtof(text, NULL) == real);
		assert_true((float)strtod(text, NULL) == real);
		assert_true(digits_in(text) <= 9 || fabsf(real) >= 1e9F);
	}
}

static const char *written(
	struct arena *arena, struct type type, struct value value)
{
	struct buffer out = BUFFER_INIT(arena);
	json_write_value(&out, &type, &value);
	buffer_byte(&out, '\0');
	assert_false(out.failed);
	return buffer_content(&out).data;
}

static struct value integer(int64_t number)
{
	return (struct value){.state = VALUE_SET, .as.integer = number};
}

static struct value bytes(const char *data, size_t length)
{
	return (struct value){.state = VALUE_SET, .as.bytes = {data, length}};
}

static void each_type_has_its_form(void **state)
{
	(void)state;
	struct arena arena = ARENA_INIT;
	const struct {
		struct type type;
		struct value value;
		const char *text;
	} cases[] = {
		{{.kind = TYPE_BOOL}, integer(1), "true"},
		{{.kind = TYPE_BOOL}, integer(0), "false"},
		{{.kind = TYPE_INT64}, integer(INT64_MIN),
			"-9223372036854775808"},
		{{.kind = TYPE_INT64}, integer(INT64_MAX),
			"9223372036854775807"},
		{{.kind = TYPE_INT64}, integer(9007199254740993),
			"9007199254740993"},
		{{.kind = TYPE_FLOAT64}, {.state = VALUE_SET, .as.real = 3},
			"3.0"},
		{{.kind = TYPE_FLOAT64}, {.state = VALUE_SET, .as.real = NAN},
			"null"},
		{{.kind = TYPE_DECIMAL, .scale = 2}, integer(1250), "12.50"},
		{{.kind = TYPE_DECIMAL, .scale = 2}, integer(-5), "-0.05"},
		{{.kind = TYPE_DECIMAL}, integer(-7), "-7"},
		{{.kind = TYPE_DECIMAL, .scale = 15}, integer(999999999999999),
			"0.999999999999999"},
		{{.kind = TYPE_STRING}, bytes("DE", 2), "\"DE\""},
		{{.kind = TYPE_STRING}, bytes("", 0), "\"\""},
		{{.kind = TYPE_BYTES}, bytes("\0\377", 2), "\"AP8=\""},
		{{.kind = TYPE_BYTES}, bytes("", 0), "\"\""},
		{{.kind = TYPE_TIMESTAMP}, integer(1795422048123000),
			"\"2026-11-23T08:20:48.123Z\""},
		{{.kind = TYPE_VECTOR, .length = 3},
			bytes("\0\0\200\277\0\0\0\77\315\314\314\75", 12),
			"[-1.0,0.5,0.1]"},
		{{.kind = TYPE_INT64}, {.state = VALUE_NULL}, "null"},
		{{.kind = TYPE_INT64}, {.state = VALUE_UNSET}, "null"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_string_equal(
			written(&arena, cases[i].type, cases[i].value),
			cases[i].text);
	arena_finish(&arena);
}

static void decimals_read_back_as_the_double_that_is_stored(void **state)
{
	(void)state;
	struct arena arena = ARENA_INIT;
	struct chance chance = {.state = 9};
	for (int i = 0; i < 20000; i++) {
		struct type type = {.kind = TYPE_DECIMAL,
			.scale = (uint8_t)chance_below(&chance, 16)};
		int64_t unscaled =
			(int64_t)chance_below(&chance, 1000000000000000);
		if (chance_below(&chance, 2) == 0)
			unscaled = -unscaled;
		arena_reset(&arena);
		const char *text = written(&arena, type, integer(unscaled));
		assert_true(strtod(text, NULL) ==
			    decimal_to_real(unscaled, type.scale));
	}
	arena_finish(&arena);
}

static void strings_are_escaped_where_they_must_be(void **state)
{
	(void)state;
	struct arena arena = ARENA_INIT;
	static const struct {
		const char *text;
		size_t length;
		const char *json;
	} cases[] = {
		{"a\"b\\c/d", 7, "\"a\\\"b\\\\c/d\""},
		{"\b\t\n\f\r\1\37\177", 8,
			"\"\\b\\t\\n\\f\\r\\u0001\\u001f\177\""},
		{"\0", 1, "\"\\u0000\""},
		{"K\303\266ln \342\202\254 \360\237\230\200", 14,
			"\"K\303\266ln \342\202\254 \360\237\230\200\""},
		{"12345678\"", 9, "\"12345678\\\"\""},
		{"1234567\"9abcdefgh\n", 18, "\"1234567\\\"9abcdefgh\\n\""},
		/* a stray byte, cut off, overlong, a surrogate, too high */
		{"\200", 1, "\"\\ufffd\""},
		{"a\303", 2, "\"a\\ufffd\""},
		{"\300\200", 2, "\"\\ufffd\\ufffd\""},
		{"\355\240\200", 3, "\"\\ufffd\\ufffd\\ufffd\""},
		{"\364\220\200\200", 4, "\"\\ufffd\\ufffd\\ufffd\\ufffd\""},
		{"\360\237\230", 3, "\"\\ufffd\\ufffd\\ufffd\""},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_string_equal(
			written(&arena, (struct type){.kind = TYPE_STRING},
				bytes(cases[i].text, cases[i].length)),
			cases[i].json);
	arena_finish(&arena);
}

/* Whatever the bytes are, jansson reads the text; and valid text as it was. */
static void any_bytes_give_json(void **state)
{
	(void)state;
	struct arena arena = ARENA_INIT;
	struct chance chance = {.state = 10};
	for (int i = 0; i < 20000; i++) {
		char text[40];
		size_t length = chance_below(&chance, sizeof text);
		for (size_t j = 0; j < length; j++)
			text[j] = (char)chance_below(&chance, 256);
		arena_reset(&arena);
		const char *json =
			written(&arena, (struct type){.kind = TYPE_STRING},
				bytes(text, length));
		json_t *back = json_loads(
			json, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
		assert_non_null(back);
		json_t *same = json_stringn(text, length);
		if (same != NULL)
			assert_true(json_equal(back, same));
		json_decref(same);
		json_decref(back);
	}
	arena_finish(&arena);
}

static void times_without_a_value_are_null(void **state)
{
	(void)state;
	struct arena arena = ARENA_INIT;
	struct buffer out = BUFFER_INIT(&arena);
	json_write_time(&out, TIMESTAMP_NONE);
	json_write_time(&out, 0);
	buffer_byte(&out, '\0');
	assert_string_equal(
		buffer_content(&out).data, "null\"1970-01-01T00:00:00Z\"");
	arena_finish(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_numbers_are_as_short_as_they_can_be),
		cmocka_unit_test(float32_is_as_short_as_it_can_be),
		cmocka_unit_test(any_real_number_reads_back_the_same),
		cmocka_unit_test(powers_of_two_are_no_exception),
		cmocka_unit_test(
			any_float32_reads_back_the_same_also_through_a_double),
		cmocka_unit_test(each_type_has_its_form),
		cmocka_unit_test(
			decimals_read_back_as_the_double_that_is_stored),
		cmocka_unit_test(strings_are_escaped_where_they_must_be),
		cmocka_unit_test(any_bytes_give_json),
		cmocka_unit_test(times_without_a_value_are_null),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
