/* Values and versions: their order, and decimals in doubles. Expected doubles
 * come from strtod, which rounds to nearest. */
#include "schema/value.h"
#include "schema/version.h"
#include "tests/lib/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static struct value integer(int64_t number)
{
	return (struct value){VALUE_SET, .as.integer = number};
}

static struct value real(double number)
{
	return (struct value){VALUE_SET, .as.real = number};
}

static struct value text(const char *bytes)
{
	return (struct value){VALUE_SET, .as.bytes = slice_of(bytes)};
}

static void values_are_ordered_as_their_type_says(void **state)
{
	(void)state;
	const struct {
		enum value_type kind;
		struct value less, more;
	} cases[] = {
		{TYPE_INT64, integer(INT64_MIN), integer(INT64_MAX)},
		{TYPE_DECIMAL, integer(-1), integer(0)},
		{TYPE_TIMESTAMP, integer(0), integer(1)},
		{TYPE_BOOL, integer(0), integer(1)},
		{TYPE_FLOAT64, real(-0.5), real(0.25)},
		{TYPE_STRING, text("a"), text("b")},
		{TYPE_STRING, text("a"), text("ab")},
		{TYPE_STRING, text(""), text("a")},
		{TYPE_STRING, text("z"), text("\xc3\xa4")}, /* bytes, not
							       letters */
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		enum value_type kind = cases[i].kind;
		const struct value *less = &cases[i].less;
		const struct value *more = &cases[i].more;
		assert_int_equal(value_compare(kind, less, more), -1);
		assert_int_equal(value_compare(kind, more, less), 1);
		assert_int_equal(value_compare(kind, less, less), 0);
		assert_false(value_equal(kind, less, more));
		assert_true(value_equal(kind, more, more));
	}
}

static void null_unset_and_set_are_three_things(void **state)
{
	(void)state;
	const struct value unset = {.state = VALUE_UNSET};
	const struct value null = {.state = VALUE_NULL};
	const struct value zero = integer(0);
	assert_true(value_equal(TYPE_INT64, &unset, &unset));
	assert_true(value_equal(TYPE_INT64, &null, &null));
	assert_false(value_equal(TYPE_INT64, &unset, &null));
	assert_false(value_equal(TYPE_INT64, &null, &zero));
	assert_false(value_equal(TYPE_INT64, &zero, &unset));
}

/* Every decimal of up to 15 digits comes back from the double nearest to it,
 * and that is the double a JSON parser makes of its text. */
static void decimals_survive_a_double(void **state)
{
	(void)state;
	uint64_t random = 88172645463325252U; /* xorshift64: any seed will do */
	for (int i = 0; i < 200000; i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		uint8_t scale = (uint8_t)(random >> 8) % 16;
		int64_t magnitude = 1;
		for (uint64_t digit = random % 15; digit > 0; digit--)
			magnitude *= 10;
		int64_t unscaled = (int64_t)(random >> 4) % (10 * magnitude);
		char literal[64];
		int length = snprintf(literal, sizeof literal,
			"%" PRId64 "e-%u", unscaled, (unsigned)scale);
		assert_in_range(length, 1, sizeof literal - 1);
		double nearest = strtod(literal, NULL);
		assert_true(decimal_to_real(unscaled, scale) == nearest);
		assert_int_equal(decimal_from_real(nearest, scale), unscaled);
		assert_int_equal(decimal_from_real(-nearest, scale), -unscaled);
	}
}

static void the_largest_decimals_survive_too(void **state)
{
	(void)state;
	static const int64_t limit = INT64_C(999999999999999);
	for (uint8_t scale = 0; scale <= DECIMAL_DIGITS_MAX; scale++)
		for (int64_t i = 0; i < 1000; i++)
			assert_int_equal(
				decimal_from_real(
					decimal_to_real(limit - i, scale),
					scale),
				limit - i);
}

/* Event time, topic, partition, incarnation, offset, place: in that order,
 * each one outweighs all behind it. */
static void versions_are_ordered_part_by_part(void **state)
{
	(void)state;
	static const struct log a = {"a", 1, 1, 9}, same = {"a", 1, 1, 8},
				later_life = {"a", 1, 2, 1},
				second = {"a", 2, 0, 2}, b = {"b", 0, 0, 3},
				upper = {"B", 0, 0, 4};
	static const struct version base = {100, &a, 50, 5};
	static const struct version larger[] = {{101, &a, 0, 0},
		{100, &b, 0, 0}, {100, &second, 0, 0}, {100, &later_life, 0, 0},
		{100, &a, 51, 0}, {100, &a, 50, 6}, {100, &same, 50, 6}};
	static const struct version smaller[] = {{99, &b, 60, 6},
		{-5, &a, 60, 6}, {100, &upper, 60, 6}, {100, &a, 49, 6},
		{100, &a, 50, 4}};
	for (size_t i = 0; i < sizeof larger / sizeof larger[0]; i++) {
		assert_int_equal(version_compare(&base, &larger[i]), -1);
		assert_int_equal(version_compare(&larger[i], &base), 1);
	}
	for (size_t i = 0; i < sizeof smaller / sizeof smaller[0]; i++)
		assert_int_equal(version_compare(&base, &smaller[i]), 1);
	static const struct version equal = {100, &same, 50, 5};
	assert_int_equal(version_compare(&base, &base), 0);
	assert_int_equal(version_compare(&base, &equal), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_ordered_as_their_type_says),
		cmocka_unit_test(null_unset_and_set_are_three_things),
		cmocka_unit_test(decimals_survive_a_double),
		cmocka_unit_test(the_largest_decimals_survive_too),
		cmocka_unit_test(versions_are_ordered_part_by_part),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
