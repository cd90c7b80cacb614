/* What is answered when the pipeline is behind, a value is old, or there is
 * none: every combination, against the rule written down a second time. */
#include "store/terms.h"
#include "tests/lib/check.h"

#include <string.h>

#define SECOND_US INT64_C(1000000)
#define MAX_LAG_US (5 * SECOND_US)
#define TTL_US (60 * SECOND_US)

struct circumstances {
	enum choice when_behind, when_expired, when_missing;
	bool behind, expired;
	enum holding holding;
	bool has_default;
};

/* Design section 7 in words: of what is wrong, the strictest choice decides;
 * missing before expired before behind. */
static const char *expected(const struct circumstances *is)
{
	static const enum choice strictest_first[] = {
		CHOICE_FAIL, CHOICE_DEFAULT, CHOICE_SERVE};
	bool value = is->holding == HOLDING_VALUE;
	for (size_t i = 0; i < 3; i++) {
		enum choice choice = strictest_first[i];
		const char *wrong = NULL, *served = NULL;
		if (!value && is->when_missing == choice) {
			wrong = is->holding == HOLDING_DELETED ? "deleted"
							       : "missing";
			served = "missing";
		} else if (value && is->expired && is->when_expired == choice) {
			wrong = "ttl";
			served = "expired";
		} else if (is->behind && is->when_behind == choice) {
			wrong = "max_lag";
			served = "behind";
		}
		if (wrong == NULL)
			continue;
		static char text[64];
		const char *status = served;
		if (choice == CHOICE_FAIL)
			status = "refused";
		if (choice == CHOICE_DEFAULT)
			status = is->has_default ? "default" : "missing";
		snprintf(text, sizeof text, "%s %s", status, wrong);
		return text;
	}
	return "fresh ";
}

static const char *judged(const struct circumstances *is)
{
	static char text[64];
	struct terms terms = {MAX_LAG_US, TTL_US, is->when_behind,
		is->when_expired, is->when_missing};
	struct verdict verdict = terms_judge(&terms, is->holding,
		is->behind ? MAX_LAG_US + 1 : MAX_LAG_US,
		is->expired ? TTL_US + 1 : TTL_US, is->has_default);
	snprintf(text, sizeof text, "%s %s", value_status_name(verdict.status),
		value_reason_name(verdict.reason));
	return text;
}

/* Digits of `number`, mixed radix. */
static int digit(int *number, int radix)
{
	int value = *number % radix;
	*number /= radix;
	return value;
}

static void every_combination_is_judged_by_the_rule(void **state)
{
	(void)state;
	int count = 0;
	for (int number = 0; number < 3 * 3 * 3 * 2 * 2 * 3 * 2; number++) {
		int rest = number;
		struct circumstances is = {
			.when_behind = (enum choice)digit(&rest, 3),
			.when_expired = (enum choice)digit(&rest, 3),
			.when_missing = (enum choice)digit(&rest, 3),
			.behind = digit(&rest, 2),
			.expired = digit(&rest, 2),
			.holding = (enum holding)digit(&rest, 3),
			.has_default = digit(&rest, 2),
		};
		if (strcmp(judged(&is), expected(&is)) != 0)
			fail_msg("combination %d: %s, not %s", number,
				judged(&is), expected(&is));
		count++;
	}
	assert_int_equal(count, 648);
}

static void without_limits_nothing_is_behind_or_expired(void **state)
{
	(void)state;
	struct terms terms = {
		LAG_ANY, TTL_FOR_EVER, CHOICE_FAIL, CHOICE_FAIL, CHOICE_FAIL};
	struct verdict verdict = terms_judge(
		&terms, HOLDING_VALUE, LAG_UNKNOWN, INT64_MAX, true);
	assert_int_equal(verdict.status, VALUE_FRESH);
}

static void a_lag_nobody_knows_is_beyond_any_limit(void **state)
{
	(void)state;
	struct terms terms = {INT64_MAX - 1, TTL_FOR_EVER, CHOICE_SERVE,
		CHOICE_SERVE, CHOICE_SERVE};
	struct verdict verdict =
		terms_judge(&terms, HOLDING_VALUE, LAG_UNKNOWN, 0, true);
	assert_int_equal(verdict.status, VALUE_BEHIND);
}

static void a_max_lag_of_nothing_still_takes_a_lag_of_nothing(void **state)
{
	(void)state;
	struct terms terms = {
		0, TTL_FOR_EVER, CHOICE_FAIL, CHOICE_SERVE, CHOICE_SERVE};
	assert_int_equal(terms_judge(&terms, HOLDING_VALUE, 0, 0, true).status,
		VALUE_FRESH);
	assert_int_equal(terms_judge(&terms, HOLDING_VALUE, 1, 0, true).status,
		VALUE_REFUSED);
}

static void a_value_from_the_future_is_fresh(void **state)
{
	(void)state;
	struct terms terms = {
		LAG_ANY, TTL_US, CHOICE_FAIL, CHOICE_FAIL, CHOICE_FAIL};
	assert_int_equal(
		terms_judge(&terms, HOLDING_VALUE, 0, -SECOND_US, true).status,
		VALUE_FRESH);
}

static void a_request_tightens_and_never_loosens(void **state)
{
	(void)state;
	struct terms view = {MAX_LAG_US, TTL_FOR_EVER, CHOICE_DEFAULT,
		CHOICE_SERVE, CHOICE_FAIL};
	struct terms request = {2 * MAX_LAG_US, TTL_US, CHOICE_SERVE,
		CHOICE_FAIL, CHOICE_SERVE};
	const struct terms both[] = {
		terms_tighten(view, request), terms_tighten(request, view)};
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(both[i].max_lag_us, MAX_LAG_US);
		assert_int_equal(both[i].ttl_us, TTL_US);
		assert_int_equal(both[i].when_behind, CHOICE_DEFAULT);
		assert_int_equal(both[i].when_expired, CHOICE_FAIL);
		assert_int_equal(both[i].when_missing, CHOICE_FAIL);
	}
	struct terms same = terms_tighten(view, terms_loosest());
	assert_int_equal(same.max_lag_us, view.max_lag_us);
	assert_int_equal(same.ttl_us, view.ttl_us);
	assert_int_equal(same.when_behind, view.when_behind);
	assert_int_equal(same.when_expired, view.when_expired);
	assert_int_equal(same.when_missing, view.when_missing);
}

static void a_sum_of_nothing_is_zero_and_others_have_no_default(void **state)
{
	(void)state;
	struct feature sum = {.merge = MERGE_SUM};
	struct feature last = {.merge = MERGE_LAST};
	struct feature declared = {.merge = MERGE_SUM,
		.default_value = {.state = VALUE_SET, .as.integer = 7}};
	assert_int_equal(feature_default(&sum).state, VALUE_SET);
	assert_int_equal(feature_default(&sum).as.integer, 0);
	assert_int_equal(feature_default(&last).state, VALUE_UNSET);
	assert_int_equal(feature_default(&declared).as.integer, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_combination_is_judged_by_the_rule),
		cmocka_unit_test(without_limits_nothing_is_behind_or_expired),
		cmocka_unit_test(a_lag_nobody_knows_is_beyond_any_limit),
		cmocka_unit_test(
			a_max_lag_of_nothing_still_takes_a_lag_of_nothing),
		cmocka_unit_test(a_value_from_the_future_is_fresh),
		cmocka_unit_test(a_request_tightens_and_never_loosens),
		cmocka_unit_test(
			a_sum_of_nothing_is_zero_and_others_have_no_default),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
