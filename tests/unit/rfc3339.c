/* RFC 3339 times. Expected values come from GNU date. */
#include "schema/rfc3339.h"
#include "tests/lib/check.h"

#include <string.h>

static void known_times_are_read_and_printed(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t us;
		const char *printed;
	} cases[] = {
		{"1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00Z"},
		{"2026-11-23T08:20:48.123Z", 1795422048123000,
			"2026-11-23T08:20:48.123Z"},
		{"2026-11-23T10:20:48.123456+02:00", 1795422048123456,
			"2026-11-23T08:20:48.123456Z"},
		{"2000-02-29t23:59:59.9999999z", 951868799999999,
			"2000-02-29T23:59:59.999999Z"},
		{"2016-12-31T23:59:60Z", 1483228800000000,
			"2017-01-01T00:00:00Z"},
		{"1969-12-31T23:59:59.5Z", -500000, "1969-12-31T23:59:59.500Z"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int64_t us = 0;
		char printed[RFC3339_SIZE];
		assert_true(rfc3339_parse(slice_of(cases[i].text), &us));
		assert_int_equal(us, cases[i].us);
		assert_string_equal(
			rfc3339_print(us, printed), cases[i].printed);
	}
}

static void what_is_not_a_time_is_refused(void **state)
{
	(void)state;
	static const char *const texts[] = {"", "2026", "2026-11-23",
		"2026-11-23T08:20:48", "2026-02-29T00:00:00Z",
		"2026-13-01T00:00:00Z", "2026-01-01T24:00:00Z",
		"2026-01-01T00:00:00.Z", "2026-01-01T00:00:00Z ",
		"2026-01-01T00:00:00+2:00", "26-01-01T00:00:00Z",
		"2026-01-01T00:00:00.5", "2026-00-10T00:00:00Z"};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		int64_t us = 0;
		assert_false(rfc3339_parse(slice_of(texts[i]), &us));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_times_are_read_and_printed),
		cmocka_unit_test(what_is_not_a_time_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
