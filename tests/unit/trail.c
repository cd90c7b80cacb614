/* The trail of a log, and the checksums it is made of. */
#include "schema/trail.h"
#include "schema/checksum.h"
#include "tests/lib/check.h"

#include <string.h>

static struct footprint step(int64_t offset)
{
	return (struct footprint){.offset = offset,
		.next_offset = offset + 1,
		.timestamp_us = 1000 * offset,
		.checksum = (uint64_t)offset * 7};
}

static struct trail walked(int64_t count)
{
	struct trail trail = {.count = 0};
	for (int64_t offset = 0; offset < count; offset++) {
		const struct footprint next = step(offset);
		trail_note(&trail, &next);
	}
	return trail;
}

static void the_newest_stands_first_and_the_oldest_stays(void **state)
{
	(void)state;
	static const int64_t counts[] = {1, 2, 16, 17, 100, 100000};
	for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
		int64_t count = counts[i];
		struct trail trail = walked(count);
		assert_int_equal(trail.count,
			count < TRAIL_LENGTH ? count : TRAIL_LENGTH);
		assert_int_equal(trail.steps[0].offset, count - 1);
		assert_int_equal(trail.steps[trail.count - 1].offset, 0);
		for (size_t j = 1; j < trail.count; j++)
			assert_true(trail.steps[j].offset <
				    trail.steps[j - 1].offset);
	}
}

/* After a truncation by any amount, some step near the new end is left: each
 * step is at most a few times as far back as the one before it. */
static void distances_grow_by_a_bounded_factor(void **state)
{
	(void)state;
	struct trail trail = walked(100000);
	int64_t newest = trail.steps[0].offset;
	for (size_t i = 2; i < trail.count; i++) {
		int64_t nearer = newest - trail.steps[i - 1].offset;
		int64_t farther = newest - trail.steps[i].offset;
		assert_true(farther <= 8 * nearer);
	}
	assert_true(newest - trail.steps[1].offset <= 8);
}

static void a_trail_comes_back_from_its_stored_form(void **state)
{
	(void)state;
	unsigned char bytes[TRAIL_BYTES];
	struct fault fault = {0};
	for (int64_t count = 0; count < 20; count++) {
		struct trail trail = walked(count), back;
		size_t length = trail_encode(&trail, bytes);
		struct slice stored = {(const char *)bytes, length};
		assert_int_equal(trail_decode(&back, stored, &fault), 0);
		assert_int_equal(back.count, trail.count);
		assert_memory_equal(back.steps, trail.steps,
			trail.count * sizeof trail.steps[0]);
	}
	struct slice cut = {(const char *)bytes, TRAIL_STEP_BYTES - 1};
	struct trail trail;
	assert_int_equal(trail_decode(&trail, cut, &fault), FAULT_CORRUPT);
}

static void a_footprint_tells_records_apart(void **state)
{
	(void)state;
	struct record record = {.offset = 5,
		.next_offset = 6,
		.timestamp_us = 9,
		.key = slice_of("ab"),
		.value = slice_of("c")};
	struct footprint first = trail_footprint(&record);
	assert_int_equal(first.offset, 5);
	assert_int_equal(first.next_offset, 6);
	assert_int_equal(first.timestamp_us, 9);
	record.key = slice_of("a");
	record.value = slice_of("bc");
	assert_true(first.checksum != trail_footprint(&record).checksum);
}

static void null_and_empty_are_different_keys_and_values(void **state)
{
	(void)state;
	const struct slice null = {NULL, 0}, empty = {"", 0};
	uint64_t sums[] = {checksum_record(null, null),
		checksum_record(null, empty), checksum_record(empty, null),
		checksum_record(empty, empty)};
	for (size_t i = 0; i < 4; i++)
		for (size_t j = 0; j < i; j++)
			assert_true(sums[i] != sums[j]);
}

/* Computed with a SipHash-2-4 in Python that agrees with the vectors of its
 * authors, under the key "holdfast check 1". */
static void the_checksum_never_changes(void **state)
{
	(void)state;
	assert_true(checksum(slice_of("")) == UINT64_C(0x34b089a96a8aeeb2));
	assert_true(
		checksum(slice_of("holdfast")) == UINT64_C(0x940b9d0f6dece2f6));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_newest_stands_first_and_the_oldest_stays),
		cmocka_unit_test(distances_grow_by_a_bounded_factor),
		cmocka_unit_test(a_trail_comes_back_from_its_stored_form),
		cmocka_unit_test(a_footprint_tells_records_apart),
		cmocka_unit_test(null_and_empty_are_different_keys_and_values),
		cmocka_unit_test(the_checksum_never_changes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
