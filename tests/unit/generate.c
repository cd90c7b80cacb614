/* The generator: its streams are as rough as they were ordered. What a stream
 * holds is judged from the lines alone, read with jansson. */
#include "ingest/command/generate.h"
#include "schema/rfc3339.h"
#include "tests/lib/check.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define RECORDS 60000
#define ENTITIES 500

static struct generate_options sample(void)
{
	return (struct generate_options){
		.shape = GENERATE_SAMPLE,
		.records = RECORDS,
		.seed = 7,
		.entities = ENTITIES,
		.duplicates = 0.1,
		.duplicate_distance = 5000,
		.disorder = 0.2,
		.broken = 0.005,
		.deletes = 0.01,
		.features = 10,
		.sums = 4,
		.base_time_us = INT64_C(1795400000000000),
	};
}

static struct generator *opened(const struct generate_options *options)
{
	struct generator *generator = NULL;
	assert_int_equal(generator_open(&generator, options, NULL), 0);
	return generator;
}

/* The value's object, or NULL for a bare or poisoned line. Owned by *root. */
static json_t *good_value(struct slice line, json_t **root)
{
	*root = json_loadb(
		line.data, line.length, JSON_REJECT_DUPLICATES, NULL);
	json_t *value = json_object_get(*root, "value");
	return json_object_get(value, "poison") == NULL ? value : NULL;
}

static const char *text_of(const json_t *value, const char *member)
{
	return json_string_value(json_object_get(value, member));
}

static void the_same_seed_gives_the_same_stream(void **state)
{
	(void)state;
	struct generate_options options = sample();
	options.records = 5000;
	struct generator *one = opened(&options), *two = opened(&options);
	options.seed++;
	struct generator *other = opened(&options);
	struct slice a, b, c;
	size_t different = 0;
	while (generator_next(one, &a)) {
		assert_true(generator_next(two, &b));
		assert_true(slice_equal(a, b));
		assert_true(generator_next(other, &c));
		different += !slice_equal(a, c);
	}
	assert_false(generator_next(two, &b));
	assert_true(different > 4900);
	generator_close(one);
	generator_close(two);
	generator_close(other);
}

struct census {
	json_t *first;	/* id -> number of its first line */
	json_t *times;	/* event time -> true */
	json_t *newest; /* entity -> newest event time */
	int64_t good, copies, far, late, originals, deletes;
};

static void count_copy(struct census *census, const json_t *value, int64_t line)
{
	const char *id = text_of(value, "id");
	const json_t *first = json_object_get(census->first, id);
	bool attempted =
		json_integer_value(json_object_get(value, "attempt")) == 2;
	assert_int_equal(first != NULL, attempted);
	if (first == NULL) {
		json_object_set_new(census->first, id, json_integer(line));
		return;
	}
	census->copies++;
	census->far += line - json_integer_value(first) > 5000;
}

static void count_time(struct census *census, const json_t *value)
{
	char entity[64];
	int64_t us = 0;
	const char *type = text_of(value, "type"), *at = text_of(value, "at");
	assert_true(rfc3339_parse(slice_of(at), &us));
	bool payment = strcmp(type, "payment") == 0;
	assert_true(snprintf(entity, sizeof entity, "%s %d",
			    text_of(value, "card"), payment) > 0);
	json_int_t newest =
		json_integer_value(json_object_get(census->newest, entity));
	assert_null(json_object_get(census->times, at));
	json_object_set_new(census->times, at, json_true());
	census->originals++;
	census->deletes += strcmp(type, "card_closed") == 0;
	census->late += us < newest;
	if (us > newest)
		json_object_set_new(census->newest, entity, json_integer(us));
}

/* In parts of 10,000. */
static void share_is(int64_t count, int64_t of, int64_t low, int64_t high)
{
	assert_in_range(count * 10000, of * low, of * high);
}

static void the_sample_is_as_rough_as_ordered(void **state)
{
	(void)state;
	struct generate_options options = sample();
	struct generator *generator = opened(&options);
	struct census census = {.first = json_object(),
		.times = json_object(),
		.newest = json_object()};
	struct slice line;
	for (int64_t i = 0; generator_next(generator, &line); i++) {
		json_t *root = NULL, *value = good_value(line, &root);
		if (value != NULL) {
			int64_t copies = census.copies;
			census.good++;
			count_copy(&census, value, i);
			if (census.copies == copies)
				count_time(&census, value);
		}
		json_decref(root);
	}
	/* Copies of poison are not counted here, so a little below a tenth. */
	share_is(census.copies, RECORDS, 980, 1001);
	share_is(census.far, census.copies, 5000, 5200);
	share_is(census.late, census.originals, 1990, 2020);
	share_is(census.deletes, census.originals, 80, 120);
	share_is(RECORDS - census.good, RECORDS, 50, 60);
	json_decref(census.first);
	json_decref(census.times);
	json_decref(census.newest);
	generator_close(generator);
}

static void the_first_record_of_an_entity_is_never_called_late(void **state)
{
	(void)state;
	struct generate_options options = sample();
	options.records = 100;
	options.entities = 1000000;
	options.disorder = 1;
	options.broken = options.duplicates = 0;
	struct generator *generator = opened(&options);
	struct slice line;
	int64_t previous = 0;
	while (generator_next(generator, &line)) {
		json_t *root = NULL, *value = good_value(line, &root);
		int64_t us = 0;
		assert_true(rfc3339_parse(slice_of(text_of(value, "at")), &us));
		assert_true(us > previous);
		previous = us;
		json_decref(root);
	}
	generator_close(generator);
}

static void every_kind_of_poison_turns_up(void **state)
{
	(void)state;
	static const enum generate_shape shapes[] = {
		GENERATE_SAMPLE, GENERATE_BENCH};
	for (size_t i = 0; i < 2; i++) {
		struct generate_options options = sample();
		options.shape = shapes[i];
		options.records = 4000;
		options.broken = 0.1;
		struct generator *generator = opened(&options);
		size_t seen[POISON_COUNT] = {0};
		struct slice line;
		while (generator_next(generator, &line)) {
			for (int p = POISON_NONE + 1; p < POISON_COUNT; p++) {
				char mark[64];
				int length = snprintf(mark, sizeof mark,
					"\"poison\":\"%s\"",
					poison_name((enum poison)p));
				seen[p] += memmem(line.data, line.length, mark,
						   (size_t)length) != NULL;
			}
		}
		int last = shapes[i] == GENERATE_BENCH ? POISON_WRONG_LENGTH
						       : POISON_COUNT;
		for (int p = POISON_NONE + 1; p < last; p++)
			assert_true(seen[p] >= 10);
		generator_close(generator);
	}
}

static void bare_poison_is_no_record_and_the_rest_is_one(void **state)
{
	(void)state;
	struct generate_options options = sample();
	options.records = 2000;
	options.broken = 0.5;
	struct generator *generator = opened(&options);
	struct slice line;
	while (generator_next(generator, &line)) {
		json_t *root = json_loadb(line.data, line.length,
			JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, NULL);
		bool record = json_object_get(root, "key") != NULL &&
			      json_object_get(root, "value") != NULL;
		bool bare = memmem(line.data, line.length, "bad_json", 8) ||
			    memmem(line.data, line.length, "bad_utf8", 8) ||
			    memmem(line.data, line.length, "duplicate_m", 11) ||
			    memmem(line.data, line.length, "too_deep", 8);
		assert_true(record != bare);
		assert_null(memchr(line.data, '\n', line.length));
		json_decref(root);
	}
	generator_close(generator);
}

static void values_are_at_least_as_long_as_ordered(void **state)
{
	(void)state;
	struct generate_options options = sample();
	options.shape = GENERATE_BENCH;
	options.records = 1000;
	options.broken = 0;
	options.value_bytes = 700;
	struct generator *generator = opened(&options);
	struct slice line;
	while (generator_next(generator, &line)) {
		const char *value =
			memmem(line.data, line.length, "\"value\":", 8);
		assert_non_null(value);
		size_t length =
			line.length - 1 - (size_t)(value + 8 - line.data);
		assert_int_equal(length, 700);
	}
	generator_close(generator);
}

static void the_bench_carries_the_features_ordered(void **state)
{
	(void)state;
	struct generate_options options = sample();
	options.shape = GENERATE_BENCH;
	options.records = 100;
	options.broken = 0;
	struct generator *generator = opened(&options);
	struct slice line;
	while (generator_next(generator, &line)) {
		json_t *root = NULL, *value = good_value(line, &root);
		assert_true(json_is_integer(json_object_get(value, "entity")));
		assert_non_null(json_object_get(value, "sum_3"));
		assert_null(json_object_get(value, "sum_4"));
		assert_non_null(json_object_get(value, "last_4"));
		assert_non_null(json_object_get(value, "last_9"));
		assert_null(json_object_get(value, "last_10"));
		json_decref(root);
	}
	generator_close(generator);
}

static void zipf_makes_few_entities_popular(void **state)
{
	(void)state;
	struct generate_options options = sample();
	options.shape = GENERATE_BENCH;
	options.records = 20000;
	options.entities = 1000;
	options.zipf = 1;
	options.broken = options.duplicates = 0;
	struct generator *generator = opened(&options);
	struct slice line;
	int64_t first = 0;
	while (generator_next(generator, &line)) {
		json_t *root = NULL, *value = good_value(line, &root);
		first += json_integer_value(json_object_get(value, "entity")) ==
			 0;
		json_decref(root);
	}
	/* The first of 1,000 has 1 / H(1000) = 1 / 7.4855 = 13.4 %. */
	share_is(first, 20000, 1250, 1430);
	generator_close(generator);
}

static void options_that_do_not_fit_are_refused(void **state)
{
	(void)state;
	struct generate_options options = sample();
	struct generator *generator = NULL;
	struct fault fault = {0};
	options.sums = 11;
	assert_int_equal(
		generator_open(&generator, &options, &fault), FAULT_USAGE);
	assert_null(generator);
	options = sample();
	options.broken = 0.95;
	assert_int_equal(
		generator_open(&generator, &options, &fault), FAULT_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_seed_gives_the_same_stream),
		cmocka_unit_test(the_sample_is_as_rough_as_ordered),
		cmocka_unit_test(
			the_first_record_of_an_entity_is_never_called_late),
		cmocka_unit_test(every_kind_of_poison_turns_up),
		cmocka_unit_test(bare_poison_is_no_record_and_the_rest_is_one),
		cmocka_unit_test(values_are_at_least_as_long_as_ordered),
		cmocka_unit_test(the_bench_carries_the_features_ordered),
		cmocka_unit_test(zipf_makes_few_entities_popular),
		cmocka_unit_test(options_that_do_not_fit_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
