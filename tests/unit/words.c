/* Words that people write: misspelt names and durations. */
#include "schema/duration.h"
#include "schema/nearest.h"
#include "tests/lib/check.h"

static const char *const names[] = {
	"entity", "features", "ttl", "serve", "max_lag", "when_behind"};
#define NAMES (sizeof names / sizeof names[0])

static void a_slip_finds_the_name_that_was_meant(void **state)
{
	(void)state;
	static const struct {
		const char *given, *meant;
	} cases[] = {
		{"entitiy", "entity"},		/* added */
		{"featurs", "features"},	/* missing */
		{"max_lab", "max_lag"},		/* changed */
		{"tlt", "ttl"},			/* swapped: one slip, not two */
		{"when_behnid", "when_behind"}, /* swapped, long */
		{"serve", "serve"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_string_equal(nearest_name(cases[i].given, names, NAMES),
			cases[i].meant);
}

static void a_swap_is_nearer_than_two_changes(void **state)
{
	(void)state;
	static const char *const near[] = {"lot", "ttl"};
	assert_string_equal(nearest_name("tlt", near, 2), "ttl");
}

static void what_resembles_nothing_finds_nothing(void **state)
{
	(void)state;
	static const char long_name[] =
		"a_name_that_is_longer_than_any_of_ours_can_be_because_it_goes_"
		"on_and_on_and_on_and_on";
	assert_null(nearest_name("zookeeper", names, NAMES));
	assert_null(nearest_name("", names, NAMES));
	assert_null(nearest_name("x", names, NAMES));
	assert_null(nearest_name(long_name, names, NAMES));
	assert_null(nearest_name("entity", names, 0));
}

static void durations_are_read_in_their_units(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t us;
	} cases[] = {
		{"30d", 2592000000000},
		{"2h", 7200000000},
		{"1m", 60000000},
		{"5s", 5000000},
		{"500ms", 500000},
		{"7us", 7},
		{"0s", 0},
		{"9223372036854775807us", INT64_MAX},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int64_t us = -1;
		assert_true(duration_parse(slice_of(cases[i].text), &us));
		assert_int_equal(us, cases[i].us);
	}
}

static void what_is_not_a_duration_is_refused(void **state)
{
	(void)state;
	static const char *const texts[] = {"", "5", "s", "5 s", " 5s", "5s ",
		"-5s", "+5s", "1.5s", "5S", "5sec", "1h30m",
		"9223372036854775808us", "9223372036854775807s",
		"99999999999999999999999d"};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		int64_t us = 0;
		assert_false(duration_parse(slice_of(texts[i]), &us));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slip_finds_the_name_that_was_meant),
		cmocka_unit_test(a_swap_is_nearer_than_two_changes),
		cmocka_unit_test(what_resembles_nothing_finds_nothing),
		cmocka_unit_test(durations_are_read_in_their_units),
		cmocka_unit_test(what_is_not_a_duration_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
