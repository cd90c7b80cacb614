/* Who is ahead while the key window is full, beside a model that asks of every
 * pair. */
#include "ingest/ahead.h"
#include "schema/record.h"
#include "tests/lib/chance.h"
#include "tests/lib/check.h"

#define RUNNERS 6
#define ROUNDS 20000

/* Is somebody behind it who is not at its end? */
static bool has_one_behind(
	const struct runner *all, size_t count, const struct runner *one)
{
	for (size_t i = 0; i < count; i++)
		if (!all[i].at_end &&
			one->record_time_us > all[i].record_time_us)
			return true;
	return false;
}

static void who_has_somebody_behind_is_ahead(void **state)
{
	(void)state;
	struct chance seed = {7};
	for (int round = 0; round < ROUNDS; round++) {
		struct runner all[RUNNERS];
		size_t count = (size_t)chance_below(&seed, RUNNERS + 1);
		for (size_t i = 0; i < count; i++)
			all[i] = (struct runner){
				chance_below(&seed, 5) == 0
					? TIMESTAMP_NONE
					: (int64_t)chance_below(&seed, 4),
				chance_below(&seed, 3) == 0};
		int64_t slowest = slowest_us(all, count);
		for (size_t i = 0; i < count; i++)
			assert_int_equal(is_ahead(&all[i], slowest),
				has_one_behind(all, count, &all[i]));
	}
}

static void nobody_is_ahead_of_ends_alone(void **state)
{
	(void)state;
	const struct runner ends[] = {{10, true}, {20, true}};
	assert_int_equal(slowest_us(ends, 2), INT64_MAX);
	assert_false(is_ahead(&ends[1], INT64_MAX));
	assert_int_equal(slowest_us(NULL, 0), INT64_MAX);
}

/* It may have anything to bring. */
static void what_never_came_is_behind_everybody(void **state)
{
	(void)state;
	const struct runner both[] = {{TIMESTAMP_NONE, false}, {0, false}};
	assert_int_equal(slowest_us(both, 2), TIMESTAMP_NONE);
	assert_true(is_ahead(&both[1], TIMESTAMP_NONE));
	assert_false(is_ahead(&both[0], TIMESTAMP_NONE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_has_somebody_behind_is_ahead),
		cmocka_unit_test(nobody_is_ahead_of_ends_alone),
		cmocka_unit_test(what_never_came_is_behind_everybody),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
