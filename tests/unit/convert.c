/* JSON values into typed ones, without silent coercion. The rules are those of
 * design section 4, Types; expected doubles are literals of the compiler's. */
#include "schema/convert.h"
#include "schema/json.h"
#include "schema/type.h"
#include "tests/lib/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct accepted {
	const char *type, *json;
	int64_t integer;
	double real;
	const char *bytes;
	size_t length;
};

struct refused {
	const char *type, *json;
	enum reason reason;
	const char *detail;
};

static struct type type_of(const char *name)
{
	struct type type;
	assert_true(type_parse(slice_of(name), &type));
	return type;
}

/* Converts and lets the JSON go: the value must not need it. */
static enum reason convert(struct converter *converter, const char *type_name,
	const char *text, struct value *out)
{
	struct type type = type_of(type_name);
	struct json_text json;
	assert_int_equal(
		json_read(slice_of(text), 8, converter->arena, &json), 0);
	assert_non_null(json.root);
	converter->lossy = json.lossy;
	enum reason reason = convert_json(converter, &type, json.root, out);
	json_decref(json.root);
	return reason;
}

static void check_value(
	const struct accepted *expected, const struct value *value)
{
	enum value_type kind = type_of(expected->type).kind;
	assert_int_equal(value->state, VALUE_SET);
	if (type_is_integer(kind)) {
		assert_int_equal(value->as.integer, expected->integer);
	} else if (type_is_bytes(kind)) {
		assert_int_equal(value->as.bytes.length, expected->length);
		assert_memory_equal(value->as.bytes.data, expected->bytes,
			expected->length);
	} else {
		/* bit for bit, so that -0.0 is not 0.0 */
		assert_memory_equal(
			&value->as.real, &expected->real, sizeof(double));
	}
}

static void what_fits_a_type_is_taken_exactly(void **state)
{
	(void)state;
	static const struct accepted cases[] = {
		{"bool", "true", .integer = 1},
		{"bool", "false", .integer = 0},
		{"int64", "0", .integer = 0},
		{"int64", "9223372036854775807", .integer = INT64_MAX},
		{"int64", "-9223372036854775808", .integer = INT64_MIN},
		{"float64", "1.5", .real = 1.5},
		{"float64", "1", .real = 1.0},
		{"float64", "-0.0", .real = 0.0},
		{"float64", "-0", .real = 0.0},
		{"float64", "0.1", .real = 0.1},
		{"float64", "9007199254740992", .real = 0x1p53},
		{"float64", "-9223372036854775808", .real = -0x1p63},
		{"float64", "1e308", .real = 1e308},
		{"decimal(2)", "12.34", .integer = 1234},
		{"decimal(2)", "12", .integer = 1200},
		{"decimal(2)", "12.0", .integer = 1200},
		{"decimal(2)", "-0.01", .integer = -1},
		{"decimal(2)", "-0.0", .integer = 0},
		{"decimal(2)", "1.1e1", .integer = 1100},
		{"decimal(2)", "9999999999999.99", .integer = 999999999999999},
		{"decimal(0)", "999999999999999", .integer = 999999999999999},
		{"decimal(15)", "0.123456789012345",
			.integer = 123456789012345},
		{"decimal(15)", "-0.999999999999999",
			.integer = -999999999999999},
		{"string", "\"\"", .bytes = "", .length = 0},
		{"string", "\"\\u00e4\\n\"", .bytes = "\xc3\xa4\n",
			.length = 3},
		{"bytes", "\"\"", .bytes = "", .length = 0},
		/* RFC 4648, section 10 */
		{"bytes", "\"Zg==\"", .bytes = "f", .length = 1},
		{"bytes", "\"Zm9vYmE=\"", .bytes = "fooba", .length = 5},
		{"bytes", "\"Zm9vYmFy\"", .bytes = "foobar", .length = 6},
		{"bytes", "\"AP/+\"", .bytes = "\x00\xff\xfe", .length = 3},
		{"timestamp", "\"1970-01-01T00:00:01Z\"", .integer = 1000000},
		{"timestamp", "\"2026-11-23T10:20:48.5+02:00\"",
			.integer = 1795422048500000},
		{"float32[2]", "[1, -2.5]",
			.bytes = "\x00\x00\x80\x3f\x00\x00\x20\xc0",
			.length = 8},
		{"float32[1]", "[-0.0]", .bytes = "\0\0\0\0", .length = 4},
		{"float32[1]", "[3.4028234e38]", .bytes = "\xff\xff\x7f\x7f",
			.length = 4},
		{"float32[1]", "[1e-60]", .bytes = "\0\0\0\0", .length = 4},
	};
	struct arena arena = ARENA_INIT;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct converter converter = {.arena = &arena};
		struct value value;
		if (convert(&converter, cases[i].type, cases[i].json, &value) !=
			REASON_NONE)
			fail_msg("%s %s: %s", cases[i].type, cases[i].json,
				converter.detail);
		check_value(&cases[i], &value);
	}
	arena_finish(&arena);
}

static void refuse_each(const struct refused *cases, size_t count)
{
	struct arena arena = ARENA_INIT;
	for (size_t i = 0; i < count; i++) {
		struct converter converter = {.arena = &arena};
		struct value value;
		enum reason reason = convert(
			&converter, cases[i].type, cases[i].json, &value);
		if (reason != cases[i].reason ||
			strstr(converter.detail, cases[i].detail) == NULL)
			fail_msg("%s %s: %s: %s", cases[i].type, cases[i].json,
				reason_name(reason), converter.detail);
		assert_int_equal(value.state, VALUE_UNSET);
	}
	arena_finish(&arena);
}

static void numbers_that_do_not_fit_are_refused_and_said(void **state)
{
	(void)state;
	static const struct refused cases[] = {
		{"bool", "1", REASON_TYPE_MISMATCH, "1 where bool is wanted"},
		{"bool", "null", REASON_TYPE_MISMATCH, "null where bool"},
		{"bool", "\"true\"", REASON_TYPE_MISMATCH, "a string where"},
		{"int64", "1.5", REASON_TYPE_MISMATCH, "1.5 where int64"},
		{"int64", "1.0", REASON_TYPE_MISMATCH, "1.0 where int64"},
		{"int64", "\"1\"", REASON_TYPE_MISMATCH, "a string where"},
		{"int64", "true", REASON_TYPE_MISMATCH, "true where int64"},
		{"int64", "[1]", REASON_TYPE_MISMATCH, "an array where"},
		{"int64", "9223372036854775808", REASON_OUT_OF_RANGE,
			"too large to be read exactly"},
		{"float64", "9007199254740993", REASON_TYPE_MISMATCH,
			"float64 can't hold 9007199254740993 exactly"},
		{"float64", "9223372036854775807", REASON_TYPE_MISMATCH,
			"9223372036854775807"},
		{"float64", "\"NaN\"", REASON_TYPE_MISMATCH, "a string"},
		{"decimal(2)", "12.345", REASON_TYPE_MISMATCH,
			"12.345 has more than 2 decimals"},
		{"decimal(0)", "0.5", REASON_TYPE_MISMATCH, "decimals"},
		{"decimal(2)", "10000000000000", REASON_OUT_OF_RANGE,
			"10000000000000 is too large for decimal(2)"},
		{"decimal(2)", "-10000000000000.0", REASON_OUT_OF_RANGE,
			"15 digits in all"},
		{"decimal(15)", "1", REASON_OUT_OF_RANGE, "decimal(15)"},
		{"decimal(15)", "9223372036854775807", REASON_OUT_OF_RANGE,
			"too large"},
		{"decimal(2)", "1e300", REASON_OUT_OF_RANGE, "too large"},
		{"decimal(2)", "\"12.34\"", REASON_TYPE_MISMATCH, "a string"},
	};
	refuse_each(cases, sizeof cases / sizeof cases[0]);
}

static void texts_and_vectors_that_do_not_fit_are_refused_and_said(void **state)
{
	(void)state;
	static const struct refused cases[] = {
		{"string", "7", REASON_TYPE_MISMATCH, "7 where string"},
		{"string", "\"a\\u0000b\"", REASON_TYPE_MISMATCH, "NUL"},
		{"bytes", "\"Zg\"", REASON_TYPE_MISMATCH, "base64"},
		{"bytes", "\"Zg=\"", REASON_TYPE_MISMATCH, "base64"},
		{"bytes", "\"Zm9v\\n\"", REASON_TYPE_MISMATCH, "base64"},
		{"bytes", "\"AP_-\"", REASON_TYPE_MISMATCH, "base64"},
		{"bytes", "\"Zh==\"", REASON_TYPE_MISMATCH, "base64"},
		{"bytes", "\"Zg==Zg==\"", REASON_TYPE_MISMATCH, "base64"},
		{"timestamp", "1795422048", REASON_TYPE_MISMATCH,
			"1795422048 where timestamp"},
		{"timestamp", "\"2026-11-23\"", REASON_TYPE_MISMATCH,
			"RFC 3339"},
		{"float32[2]", "[1]", REASON_WRONG_LENGTH,
			"1 elements where 2"},
		{"float32[2]", "[1,2,3]", REASON_WRONG_LENGTH,
			"3 elements where 2"},
		{"float32[2]", "1", REASON_TYPE_MISMATCH, "float32[2]"},
		{"float32[2]", "[1,null]", REASON_TYPE_MISMATCH,
			"element 1, null"},
		{"float32[2]", "[\"1\",2]", REASON_TYPE_MISMATCH,
			"element 0, a string"},
		{"float32[1]", "[3.5e38]", REASON_TYPE_MISMATCH,
			"no finite float32"},
	};
	refuse_each(cases, sizeof cases / sizeof cases[0]);
}

/* Beside a number beyond int64, integers arrive as reals: json.h. */
static void integers_beside_an_overflow_keep_their_meaning(void **state)
{
	(void)state;
	static const struct {
		const char *type;
		double real;
		enum reason reason;
	} cases[] = {
		{"int64", 7.0, REASON_NONE},
		{"int64", -9007199254740991.0, REASON_NONE},
		{"int64", 9007199254740992.0, REASON_OUT_OF_RANGE},
		{"int64", 7.5, REASON_TYPE_MISMATCH},
		{"float64", 7.0, REASON_NONE},
		{"float64", 9007199254740992.0, REASON_OUT_OF_RANGE},
		{"decimal(2)", 7.0, REASON_NONE},
		{"decimal(0)", 9007199254740992.0, REASON_OUT_OF_RANGE},
	};
	struct arena arena = ARENA_INIT;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct converter converter = {.arena = &arena, .lossy = true};
		struct type type = type_of(cases[i].type);
		struct value value;
		json_t *json = json_real(cases[i].real);
		assert_int_equal(convert_json(&converter, &type, json, &value),
			cases[i].reason);
		json_decref(json);
	}
	arena_finish(&arena);
}

static void null_is_a_value_unless_it_would_be_accumulated(void **state)
{
	(void)state;
	struct arena arena = ARENA_INIT;
	struct converter converter = {.arena = &arena};
	struct feature feature = {.name = "f", .type = type_of("int64")};
	struct value value;
	assert_int_equal(
		convert_feature(&converter, &feature, json_null(), &value),
		REASON_NONE);
	assert_int_equal(value.state, VALUE_NULL);
	feature.merge = MERGE_MIN;
	assert_int_equal(
		convert_feature(&converter, &feature, json_null(), &value),
		REASON_TYPE_MISMATCH);
	assert_non_null(strstr(converter.detail, "feature \"f\""));
	arena_finish(&arena);
}

static void check_bounds(
	struct feature *feature, const char *json, const char *detail)
{
	struct arena arena = ARENA_INIT;
	struct converter converter = {.arena = &arena};
	struct value value;
	char type[TYPE_NAME_SIZE];
	feature->name = "f";
	assert_int_equal(convert(&converter, type_print(&feature->type, type),
				 json, &value),
		REASON_NONE);
	enum reason reason = convert_bounds(&converter, feature, &value);
	if (detail == NULL) {
		assert_int_equal(reason, REASON_NONE);
	} else {
		assert_int_equal(reason, REASON_OUT_OF_BOUNDS);
		assert_string_equal(converter.detail, detail);
	}
	arena_finish(&arena);
}

static struct value integer(int64_t number)
{
	return (struct value){VALUE_SET, .as.integer = number};
}

static void bounds_are_inclusive_and_named(void **state)
{
	(void)state;
	struct feature decimal = {.type = type_of("decimal(2)"),
		.max_length = -1,
		.minimum = integer(100),
		.maximum = integer(250)};
	struct feature text = {.type = type_of("string"), .max_length = 2};
	struct feature time = {.type = type_of("timestamp"),
		.max_length = -1,
		.minimum = integer(INT64_C(1795422048000000))};
	check_bounds(&decimal, "1.00", NULL);
	check_bounds(&decimal, "2.5", NULL);
	check_bounds(&decimal, "0.99",
		"feature \"f\": 0.99 is less than the minimum 1");
	check_bounds(&decimal, "2.51",
		"feature \"f\": 2.51 is more than the maximum 2.5");
	check_bounds(&text, "\"\xc3\xa4\"", NULL);
	check_bounds(&text, "\"\xc3\xa4s\"",
		"feature \"f\": 3 bytes, max_length is 2");
	check_bounds(&time, "\"2026-11-23T08:20:48Z\"", NULL);
	check_bounds(&time, "\"2026-11-23T08:20:47Z\"",
		"feature \"f\": 2026-11-23T08:20:47Z is less than the minimum "
		"2026-11-23T08:20:48Z");
}

static void types_are_printed_as_they_are_read(void **state)
{
	(void)state;
	static const char *const names[] = {"bool", "int64", "float64",
		"decimal(0)", "decimal(2)", "decimal(15)", "string", "bytes",
		"timestamp", "float32[1]", "float32[16384]"};
	static const char *const others[] = {"", "int", "Int64", "int64 ",
		"decimal", "decimal()", "decimal(16)", "decimal(02)",
		"decimal(2", "decimal(2)x", "decimal(+2)", "float32",
		"float32[]", "float32[0]", "float32[16385]",
		"float32[99999999999999999999]", "float32[2)"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct type type = type_of(names[i]);
		char text[TYPE_NAME_SIZE];
		assert_string_equal(type_print(&type, text), names[i]);
	}
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		struct type type;
		if (type_parse(slice_of(others[i]), &type))
			fail_msg("%s", others[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_fits_a_type_is_taken_exactly),
		cmocka_unit_test(numbers_that_do_not_fit_are_refused_and_said),
		cmocka_unit_test(
			texts_and_vectors_that_do_not_fit_are_refused_and_said),
		cmocka_unit_test(
			integers_beside_an_overflow_keep_their_meaning),
		cmocka_unit_test(
			null_is_a_value_unless_it_would_be_accumulated),
		cmocka_unit_test(bounds_are_inclusive_and_named),
		cmocka_unit_test(types_are_printed_as_they_are_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
