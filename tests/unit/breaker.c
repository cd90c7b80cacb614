/* How many dead letters are too many. */
#include "ingest/breaker.h"
#include "tests/lib/check.h"

static void few_dead_letters_never_trip_it(void **state)
{
	(void)state;
	struct breaker breaker = {0};
	breaker_take(&breaker, 999, 999);
	assert_false(breaker_trips(&breaker, 0.5));
	assert_false(breaker_trips(&breaker, 0));
	breaker_take(&breaker, 1, 1);
	assert_true(breaker_trips(&breaker, 0.5));
}

static void the_share_decides(void **state)
{
	(void)state;
	struct breaker breaker = {0};
	breaker_take(&breaker, 10000, 5000);
	assert_false(breaker_trips(&breaker, 0.5));
	breaker_take(&breaker, 1, 1);
	assert_true(breaker_trips(&breaker, 0.5));
	assert_false(breaker_trips(&breaker, 0.51));
}

static void with_a_share_of_one_it_never_trips(void **state)
{
	(void)state;
	struct breaker breaker = {0};
	breaker_take(&breaker, 10000, 30000); /* three updates a record */
	assert_false(breaker_trips(&breaker, 1));
	assert_true(breaker_trips(&breaker, 0.99));
}

/* However little comes at a time, the last 10,000 count and hardly more. */
static void what_is_long_ago_does_not_count(void **state)
{
	(void)state;
	static const int64_t steps[] = {1, 7, 100, 666, 667, 668, 5000, 20000};
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		struct breaker breaker = {0};
		for (int64_t n = 0; n < 1000000; n += 10000)
			breaker_take(&breaker, 10000, 0);
		int64_t bad = 0;
		for (; !breaker_trips(&breaker, 0.5); bad += steps[i])
			breaker_take(&breaker, steps[i], steps[i]);
		assert_in_range(bad, 5000, 11000 + steps[i]);
		int64_t fine = 0;
		for (; breaker_trips(&breaker, 0.5); fine += steps[i])
			breaker_take(&breaker, steps[i], 0);
		assert_in_range(fine, 1, 11000 + steps[i]);
		for (; fine < 25000; fine += steps[i])
			breaker_take(&breaker, steps[i], 0);
		assert_int_equal(breaker.sum.dead, 0);
	}
}

/* As many in a row as the window has: it still holds 10,000. */
static void the_window_is_never_shorter(void **state)
{
	(void)state;
	for (int64_t step = 1; step < 2000; step += 13) {
		struct breaker breaker = {0};
		for (int64_t n = 0; n < 50000; n += step) {
			breaker_take(&breaker, step, 0);
			int64_t told = n + step;
			assert_true(breaker.sum.records >=
				    (told < 10000 ? told : 10000));
			assert_true(
				breaker.sum.records < 10000 + 667 + 2 * step);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(few_dead_letters_never_trip_it),
		cmocka_unit_test(the_share_decides),
		cmocka_unit_test(with_a_share_of_one_it_never_trips),
		cmocka_unit_test(what_is_long_ago_does_not_count),
		cmocka_unit_test(the_window_is_never_shorter),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
