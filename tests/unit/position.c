/* Positions travel as texts: printed, given back, compared. */
#include "store/position.h"
#include "tests/lib/check.h"

#include <stdio.h>
#include <string.h>

static struct store_partition partition_at(const char *topic, int32_t number,
	uint32_t incarnation, int64_t next_offset)
{
	return (struct store_partition){
		.log = {.topic = topic,
			.partition = number,
			.incarnation = incarnation},
		.accounts = {.next_offset = next_offset},
	};
}

/* Is `text` taken by a store with these partitions? -1: it is no position. */
static int taken(
	const char *text, const struct store_partition *one, size_t count)
{
	struct arena arena = ARENA_INIT;
	struct fault fault = {0};
	struct position position;
	struct store_partition copies[8], *partitions[8];
	int rc = position_parse(slice_of(text), &arena, &position, &fault);
	for (size_t i = 0; i < count; i++) {
		copies[i] = one[i];
		partitions[i] = &copies[i];
	}
	int result = rc < 0 ? -1 : position_taken(&position, partitions, count);
	if (rc < 0)
		assert_int_equal(rc, FAULT_USAGE);
	arena_finish(&arena);
	return result;
}

static void it_is_printed_briefly(void **state)
{
	(void)state;
	struct arena arena = ARENA_INIT;
	struct buffer out = BUFFER_INIT(&arena);
	const struct store_partition partitions[] = {
		partition_at("payments.v1", 0, 0, 182),
		partition_at("payments.v1", 1, 2, INT64_MAX),
		partition_at("re:f,u@nd\xc3\xa9", 0, 0, 0),
	};
	for (size_t i = 0; i < 3; i++)
		position_print(&out, &partitions[i],
			i == 0 ? NULL : &partitions[i - 1]);
	struct slice text = buffer_content(&out);
	assert_true(slice_equal(
		text, slice_of("payments.v1:0:182,1@2:9223372036854775807,"
			       "re%3Af%2Cu%40nd%C3%A9:0:0")));
	buffer_byte(&out, '\0');
	assert_int_equal(
		taken((const char *)buffer_content(&out).data, partitions, 3),
		1);
	arena_finish(&arena);
}

static void a_store_has_taken_it_when_each_partition_is_as_far(void **state)
{
	(void)state;
	const struct store_partition store[] = {partition_at("a", 0, 0, 10),
		partition_at("a", 1, 0, 20), partition_at("b", 0, 0, 5)};
	const struct {
		const char *text;
		int taken;
	} cases[] = {
		{"", 1},
		{"a:0:10", 1},
		{"a:0:11", 0},
		{"a:0:9,1:20,b:0:5", 1},
		{"a:0:9,1:20,b:0:6", 0},
		{"a:0:9,1:21,b:0:5", 0},
		{"b:1:0", 0}, /* unknown partition */
		{"c:0:0", 0}, /* unknown topic */
		{"%61:0:10", 1},
		{"%4a:0:0", 0}, /* "J" */
		{"%4A:0:0", 0},
		{"A-Z_9.z:0:0", 0},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if (taken(cases[i].text, store, 3) != cases[i].taken)
			fail_msg("%s: not %d", cases[i].text, cases[i].taken);
}

static void a_newer_incarnation_holds_all_of_an_older_one(void **state)
{
	(void)state;
	const struct store_partition store[] = {
		partition_at("a", 0, 0, 10), partition_at("a", 0, 1, 3)};
	assert_int_equal(taken("a:0:11", store, 2), 1);
	assert_int_equal(taken("a:0@1:3", store, 2), 1);
	assert_int_equal(taken("a:0@1:4", store, 2), 0);
	assert_int_equal(taken("a:0@2:0", store, 2), 0);
	assert_int_equal(taken("a:0@1:1", store, 1), 0);
}

static void what_is_no_position_is_refused(void **state)
{
	(void)state;
	static const char *const texts[] = {"x", ":", "::", "a:0",
		"a:0:", "a::1", ":0:1", "0:1", "a:0:1,", ",a:0:1", "a:0:-1",
		"a:-0:1", "a:+0:1", "a: 0:1", "a:0:1 ", "a:0x1:1",
		"a:2147483648:1", "a:0:9223372036854775808", "a:0@:1",
		"a:0@4294967296:1", "a:@1:1", "a%:0:1", "a%4:0:1", "a%4g:0:1",
		"a%g4:0:1", "a%4@:0:1", "a%:4:1", "a%4`:0:1", "a/b:0:1",
		"a b:0:1", "a:0:1:2", "a:0:1,b:0:1:2", "a:0:1;b:0:1"};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		if (taken(texts[i], NULL, 0) != -1)
			fail_msg("\"%s\" was taken for a position", texts[i]);
}

static void a_position_is_bounded(void **state)
{
	(void)state;
	static char text[4 * POSITION_ENTRIES_MAX + 16] = "a:0:1";
	size_t length = strlen(text);
	for (size_t i = 1; i < POSITION_ENTRIES_MAX; i++, length += 4)
		memcpy(text + length, ",0:1", 5);
	const struct store_partition store = partition_at("a", 0, 0, 1);
	assert_int_equal(taken(text, &store, 1), 1);
	memcpy(text + length, ",0:1", 5);
	assert_int_equal(taken(text, &store, 1), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_printed_briefly),
		cmocka_unit_test(
			a_store_has_taken_it_when_each_partition_is_as_far),
		cmocka_unit_test(a_newer_incarnation_holds_all_of_an_older_one),
		cmocka_unit_test(what_is_no_position_is_refused),
		cmocka_unit_test(a_position_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
