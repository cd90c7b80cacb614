/* The key map against an array that is searched from the front. */
#include "store/key_map.h"
#include "tests/lib/chance.h"
#include "tests/lib/check.h"

#include <string.h>

#define PAIRS_MAX 4000
#define STEPS 60000
#define TOGETHER 30

struct pair {
	uint64_t prefix;
	int64_t seq;
};

struct rig {
	struct key_map map;
	struct pair pairs[PAIRS_MAX];
	size_t count;
	struct chance chance;
	/* How many bits of a prefix differ: few make long walks. */
	uint64_t prefixes;
	unsigned shift;
};

static uint64_t some_prefix(struct rig *rig)
{
	return chance_below(&rig->chance, rig->prefixes) << rig->shift;
}

static void add(struct rig *rig, int64_t seq)
{
	if (rig->count == PAIRS_MAX)
		return;
	struct pair *pair = &rig->pairs[rig->count++];
	*pair = (struct pair){some_prefix(rig), seq};
	assert_true(key_map_add(&rig->map, pair->prefix, pair->seq));
}

/* Some at once; they meet each other on the way to free slots. */
static void add_some(struct rig *rig, int64_t *seq)
{
	struct key_slot slots[TOGETHER];
	size_t count = chance_below(&rig->chance, TOGETHER + 1);
	if (rig->count + count > PAIRS_MAX)
		return;
	for (size_t i = 0; i < count; i++) {
		slots[i] = (struct key_slot){some_prefix(rig), ++*seq};
		rig->pairs[rig->count++] =
			(struct pair){slots[i].prefix, slots[i].seq};
	}
	assert_true(key_map_add_all(&rig->map, slots, count));
}

static void remove_one(struct rig *rig)
{
	if (rig->count == 0)
		return;
	size_t at = chance_below(&rig->chance, rig->count);
	key_map_remove(&rig->map, rig->pairs[at].prefix, rig->pairs[at].seq);
	rig->pairs[at] = rig->pairs[--rig->count];
}

/* Every row of the prefix comes exactly once. */
static void check_walk(struct rig *rig, uint64_t prefix)
{
	size_t expected = 0, found = 0;
	int64_t expected_sum = 0, found_sum = 0, seq;
	for (size_t i = 0; i < rig->count; i++)
		if (rig->pairs[i].prefix == prefix) {
			expected++;
			expected_sum += rig->pairs[i].seq;
		}
	size_t cursor = KEY_MAP_START;
	while ((seq = key_map_next(&rig->map, prefix, &cursor)) != 0) {
		found++;
		found_sum += seq;
	}
	assert_int_equal(found, expected);
	assert_int_equal(found_sum, expected_sum);
}

static void run(uint64_t prefixes, unsigned shift, unsigned adds)
{
	static struct rig rig;
	rig = (struct rig){
		.chance = {prefixes}, .prefixes = prefixes, .shift = shift};
	int64_t seq = 0;
	for (int64_t step = 1; step <= STEPS; step++) {
		if (step % 1000 == 0)
			add_some(&rig, &seq);
		else if (chance_percent(&rig.chance, adds))
			add(&rig, ++seq);
		else
			remove_one(&rig);
		if (step % 16 == 0)
			check_walk(&rig, some_prefix(&rig));
		assert_int_equal(rig.map.count, rig.count);
	}
	for (size_t i = 0; i < rig.count; i++)
		check_walk(&rig, rig.pairs[i].prefix);
	key_map_finish(&rig.map);
}

static void every_row_is_found_and_none_twice(void **state)
{
	(void)state;
	run(UINT64_C(1) << 40, 0, 55);
	run(500, 0, 52);
}

static void neighbours_that_wrap_around_the_end_are_found(void **state)
{
	(void)state;
	/* All homes in the last slots: walks go around the end. */
	run(8, 61, 51);
	run(3000, 0, 50);
}

static void the_home_slots_of_a_crowd_are_told_apart(void **state)
{
	(void)state;
	struct key_map map = {0};
	/* 1020 to 1023 and then 0: a table of 1024 slots, its end crowded. */
	for (int64_t i = 0; i < 40; i++)
		assert_true(key_map_add(&map,
			1015 + (uint64_t)i % 9 + ((uint64_t)i << 32), i + 1));
	for (int64_t i = 0; i < 40; i += 2)
		key_map_remove(&map,
			1015 + (uint64_t)i % 9 + ((uint64_t)i << 32), i + 1);
	for (int64_t i = 0; i < 40; i++) {
		size_t cursor = KEY_MAP_START;
		int64_t found = key_map_next(&map,
			1015 + (uint64_t)i % 9 + ((uint64_t)i << 32), &cursor);
		assert_int_equal(found, i % 2 == 0 ? 0 : i + 1);
	}
	key_map_finish(&map);
}

static void what_is_not_there_is_not_removed(void **state)
{
	(void)state;
	struct key_map map = {0};
	size_t cursor = KEY_MAP_START;
	assert_int_equal(key_map_next(&map, 7, &cursor), 0);
	key_map_remove(&map, 7, 1);
	assert_true(key_map_add(&map, 7, 1));
	key_map_remove(&map, 7, 2);
	key_map_remove(&map, 8, 1);
	assert_int_equal(map.count, 1);
	key_map_remove(&map, 7, 1);
	assert_int_equal(map.count, 0);
	key_map_finish(&map);
}

static void reserved_room_is_enough(void **state)
{
	(void)state;
	struct key_map map = {0};
	assert_true(key_map_reserve(&map, 5000));
	size_t bytes = key_map_bytes(&map);
	for (int64_t i = 1; i <= 5000; i++)
		assert_true(key_map_add(&map, (uint64_t)i, i));
	assert_int_equal(key_map_bytes(&map), bytes);
	key_map_clear(&map);
	assert_int_equal(map.count, 0);
	size_t cursor = KEY_MAP_START;
	assert_int_equal(key_map_next(&map, 5, &cursor), 0);
	assert_int_equal(key_map_bytes(&map), bytes);
	key_map_finish(&map);
	assert_int_equal(key_map_bytes(&map), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_found_and_none_twice),
		cmocka_unit_test(neighbours_that_wrap_around_the_end_are_found),
		cmocka_unit_test(the_home_slots_of_a_crowd_are_told_apart),
		cmocka_unit_test(what_is_not_there_is_not_removed),
		cmocka_unit_test(reserved_room_is_enough),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
