/* The key window, case by case. Source: design section 6. */
#include "tests/lib/check.h"
#include "tests/lib/store_rig.h"

#include "store/key_segments.h"

#include <stdio.h>
#include <string.h>

#define WINDOW_S 10

/* A window of ten seconds; what may go, goes by the single row. */
static void set_window(struct store_rig *rig, uint64_t keep_newest)
{
	store_rig_close(rig);
	rig->options.key_window_us = WINDOW_S * SECOND_US;
	rig->options.key_window_keys = keep_newest;
	store_rig_open(rig);
	rig->store->keys.segment_rows = 1;
	store_rig_partition(rig, 0);
}

/* Take a record of one update and say what became of it. */
static const char *take(struct store_rig *rig, struct store_rig_event event)
{
	event.offset =
		store_rig_partition(rig, event.partition)->accounts.next_offset;
	if (event.id == 0)
		event.id = 1;
	struct store_tally tally = store_rig_take(rig, &event);
	for (size_t i = 0; i < DISPOSITION_COUNT; i++)
		if (tally.dispositions[i] == 1)
			return disposition_name((enum disposition)i);
	return "nothing";
}

#define TAKE(...) take(rig, (struct store_rig_event){__VA_ARGS__})

static int64_t keys(struct store_rig *rig)
{
	return store_rig_ask(rig, "SELECT count(*) FROM _key");
}

static void a_copy_within_the_window_is_a_duplicate(void **state)
{
	struct store_rig *rig = *state;
	set_window(rig, 1000);
	assert_string_equal(TAKE(.key = 1, .record_s = 20), "applied");
	assert_string_equal(TAKE(.key = 1, .record_s = 20), "duplicate");
	assert_string_equal(TAKE(.key = 1, .record_s = 30), "duplicate");
	assert_string_equal(TAKE(.key = 1, .record_s = 10), "duplicate");
	assert_string_equal(TAKE(.key = 2, .record_s = 20), "applied");
}

static void a_copy_beyond_the_window_is_another_event(void **state)
{
	struct store_rig *rig = *state;
	set_window(rig, 1000);
	assert_string_equal(TAKE(.key = 1, .record_s = 20), "applied");
	assert_string_equal(TAKE(.key = 1, .record_s = 31), "applied");
	/* It is the holder now: distance counts from it, to both sides. */
	assert_string_equal(TAKE(.key = 1, .record_s = 21), "duplicate");
	assert_string_equal(TAKE(.key = 1, .record_s = 20), "applied");
}

static void a_duplicate_does_not_renew_the_key(void **state)
{
	struct store_rig *rig = *state;
	set_window(rig, 1000);
	assert_string_equal(TAKE(.key = 1, .record_s = 0), "applied");
	assert_string_equal(TAKE(.key = 1, .record_s = 8), "duplicate");
	assert_string_equal(TAKE(.key = 1, .record_s = 16), "applied");
}

static void a_key_used_for_something_else_is_dead(void **state)
{
	struct store_rig *rig = *state;
	set_window(rig, 1000);
	assert_string_equal(TAKE(.key = 1, .content = 1), "applied");
	assert_string_equal(TAKE(.key = 1, .content = 2), "dead");
	/* It reserves nothing: each such update is told of. */
	assert_string_equal(TAKE(.key = 1, .content = 2), "dead");
	assert_string_equal(TAKE(.key = 1, .content = 1), "duplicate");
	assert_int_equal(store_rig_ask(rig, "SELECT count(*) FROM _dead WHERE"
					    " reason = 'key_reused'"),
		2);
	/* Beyond the window content does not matter. */
	assert_string_equal(
		TAKE(.key = 1, .content = 2, .record_s = 11), "applied");
}

static void a_parked_update_keeps_its_key(void **state)
{
	struct store_rig *rig = *state;
	set_window(rig, 0);
	assert_string_equal(
		TAKE(.key = 1, .content = 1, .reason = REASON_UNKNOWN_VIEW),
		"parked");
	assert_string_equal(TAKE(.key = 2, .record_s = 1000), "applied");
	assert_string_equal(TAKE(.key = 1, .content = 1, .record_s = 1000,
				    .reason = REASON_UNKNOWN_VIEW),
		"duplicate");
	assert_string_equal(
		TAKE(.key = 1, .content = 2, .record_s = 1000), "dead");
}

static void a_correction_takes_the_key_of_a_dead_update(void **state)
{
	struct store_rig *rig = *state;
	set_window(rig, 0);
	assert_string_equal(
		TAKE(.key = 1, .content = 1, .reason = REASON_TYPE_MISMATCH),
		"dead");
	assert_string_equal(TAKE(.key = 1, .content = 1, .record_s = 1000,
				    .reason = REASON_TYPE_MISMATCH),
		"duplicate");
	assert_string_equal(TAKE(.key = 1, .content = 2, .record_s = 1000,
				    .reason = REASON_OUT_OF_RANGE),
		"dead");
	assert_string_equal(
		TAKE(.key = 1, .content = 3, .record_s = 1000), "applied");
	/* The first content is another event's by now. */
	assert_string_equal(TAKE(.key = 1, .content = 1, .record_s = 1000,
				    .reason = REASON_TYPE_MISMATCH),
		"dead");
	assert_int_equal(
		store_rig_ask(rig, "SELECT count(*) FROM _dead WHERE state ="
				   " 'overtaken' AND reason <> 'key_reused'"),
		2);
	assert_int_equal(store_rig_ask(rig, "SELECT count(*) FROM _dead"), 3);
}

/* Two of three keys are in memory when the first record comes. */
static void keys_that_are_loaded_later_hold_all_the_same(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	set_window(rig, 1000);
	for (unsigned key = 1; key <= 3; key++)
		assert_string_equal(TAKE(.key = key), "applied");
	store_rig_close(rig);
	rig->options.keys_later = true;
	store_rig_open(rig);
	assert_int_equal(store_window(rig->store).keys, 0);
	assert_int_equal(store_load_keys(rig->store, 2, &fault), 1);
	assert_int_equal(store_window(rig->store).keys, 2);
	assert_string_equal(TAKE(.key = 3), "duplicate");
	assert_int_equal(store_load_keys(rig->store, 2, &fault), 0);
	assert_string_equal(TAKE(.key = 1), "duplicate");
	assert_string_equal(TAKE(.key = 4), "applied");
	assert_int_equal(store_window(rig->store).keys, 4);
}

/* Whether the first dies of overflow is known only when it is merged. */
static void a_sum_that_overflows_is_corrected_in_the_same_batch(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct store_tally tally;
	static const struct store_rig_event events[] = {
		{.offset = 0, .key = 1, .id = 1, .count = INT64_MAX},
		{.offset = 1, .key = 2, .id = 1, .count = 1, .content = 1},
		{.offset = 2, .key = 2, .id = 1, .count = -1, .content = 2},
		{.offset = 3, .key = 2, .id = 1, .count = -1, .content = 2},
		{.offset = 4, .key = 2, .id = 1, .count = 9, .content = 1},
	};
	struct store_record records[5];
	for (size_t i = 0; i < 5; i++)
		records[i] = store_rig_record(rig, &events[i]);
	struct store_batch batch = {.records = records, .record_count = 5};
	assert_int_equal(store_apply(rig->store, &batch, &tally, &fault), 0);
	assert_int_equal(tally.dispositions[DISPOSITION_APPLIED], 2);
	assert_int_equal(tally.dispositions[DISPOSITION_DEAD], 2);
	assert_int_equal(tally.dispositions[DISPOSITION_DUPLICATE], 1);
	assert_int_equal(
		store_rig_ask(rig, "SELECT count FROM account"), INT64_MAX - 1);
	assert_int_equal(store_rig_ask(rig, "SELECT offset FROM _dead d JOIN"
					    " _record r ON d.record = r.id"
					    " WHERE state = 'overtaken'"),
		1);
}

static void a_key_goes_when_its_partition_has_passed_it(void **state)
{
	struct store_rig *rig = *state;
	set_window(rig, 0);
	TAKE(.key = 1, .record_s = 0);
	TAKE(.key = 2, .record_s = 10);
	assert_int_equal(keys(rig), 2);
	TAKE(.key = 3, .record_s = 11);
	assert_int_equal(keys(rig), 2);
	TAKE(.key = 4, .record_s = 100);
	assert_int_equal(keys(rig), 1); /* but what this batch brought */
}

static void a_partition_that_lags_holds_keys_back(void **state)
{
	struct store_rig *rig = *state;
	set_window(rig, 0);
	store_rig_partition(rig, 1);
	TAKE(.key = 1, .record_s = 0);
	TAKE(.key = 2, .record_s = 100);
	assert_int_equal(keys(rig), 2);
	TAKE(.partition = 1, .key = 3, .record_s = 10);
	TAKE(.key = 4, .record_s = 100);
	assert_int_equal(keys(rig), 4);
	TAKE(.partition = 1, .key = 5, .record_s = 11);
	assert_int_equal(keys(rig), 4); /* 1 went */
}

static void a_partition_at_its_end_holds_only_its_own_keys(void **state)
{
	struct store_rig *rig = *state;
	set_window(rig, 0);
	TAKE(.partition = 1, .key = 1, .record_s = 0);
	TAKE(.key = 2, .record_s = 0);
	store_rig_mark(rig, 1);
	TAKE(.key = 3, .record_s = 100);
	assert_int_equal(keys(rig), 2); /* 2 went, 1 came from there */
	/* One more record, and it is not at its end any more. */
	TAKE(.partition = 1, .key = 4, .record_s = 101);
	TAKE(.key = 5, .record_s = 200);
	assert_int_equal(store_rig_ask(rig, "SELECT min(seq) FROM _key"), 3);
	store_rig_mark(rig, 1);
	TAKE(.key = 6, .record_s = 200);
	assert_int_equal(store_rig_ask(rig, "SELECT min(seq) FROM _key"), 4);
}

/* What is built beside a store that lags there comes to such an end. */
static void a_partition_that_goes_on_behind_its_mark_holds_keys_back(
	void **state)
{
	struct store_rig *rig = *state;
	set_window(rig, 0);
	struct store_mark mark = {
		.log = &store_rig_partition(rig, 1)->log, .goes_on = true};
	const struct store_batch end = {.marks = &mark, .mark_count = 1};
	struct fault fault = {0};
	store_rig_mark(rig, 1);
	TAKE(.key = 1, .record_s = 0);
	assert_int_equal(
		store_apply(rig->store, &end, NULL, &fault), STORE_DURABLE);
	TAKE(.key = 2, .record_s = 100);
	TAKE(.key = 3, .record_s = 200);
	assert_int_equal(keys(rig), 3);
	assert_string_equal(
		TAKE(.partition = 1, .key = 1, .record_s = 0), "duplicate");
}

static void a_stopped_partition_counts_as_at_its_end(void **state)
{
	struct store_rig *rig = *state;
	set_window(rig, 0);
	store_stopped(rig->store, &store_rig_partition(rig, 1)->log, true);
	TAKE(.key = 1, .record_s = 0);
	TAKE(.key = 2, .record_s = 100);
	assert_int_equal(keys(rig), 1);
	store_stopped(rig->store, &store_rig_partition(rig, 1)->log, false);
	TAKE(.key = 3, .record_s = 200);
	assert_int_equal(keys(rig), 2);
}

static void the_newest_keys_stay(void **state)
{
	struct store_rig *rig = *state;
	set_window(rig, 2);
	for (unsigned i = 1; i <= 6; i++)
		TAKE(.key = i, .record_s = 100 * (int64_t)i);
	/* Two that are kept and what the last batch brought. */
	assert_int_equal(keys(rig), 3);
	/* Though it is still there, beyond the window it counts for nothing. */
	assert_string_equal(TAKE(.key = 5, .record_s = 600), "applied");
}

static void keys_of_letters_never_go(void **state)
{
	struct store_rig *rig = *state;
	set_window(rig, 0);
	TAKE(.key = 1, .reason = REASON_TYPE_MISMATCH);
	TAKE(.key = 2, .reason = REASON_UNKNOWN_VIEW);
	TAKE(.key = 3);
	TAKE(.key = 4, .record_s = 100);
	TAKE(.key = 5, .record_s = 200);
	assert_int_equal(
		store_rig_ask(rig, "SELECT count(*) FROM _key WHERE state <>"
				   " 'taken'"),
		2);
	assert_int_equal(keys(rig), 3);
	/* Nor does a restart lose sight of them. */
	set_window(rig, 0);
	assert_string_equal(
		TAKE(.key = 1, .record_s = 300, .reason = REASON_TYPE_MISMATCH),
		"duplicate");
}

static void a_full_window_changes_nothing(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	TAKE(.key = 1);
	rig->store->options.key_window_max_bytes =
		keys_bytes(&rig->store->keys, 1) - 1;
	struct store_rig_event event = {.offset = 1, .key = 2, .id = 1};
	struct store_record record = store_rig_record(rig, &event);
	struct store_batch batch = {
		.records = &record, .record_count = 1, .to_the_brim = true};
	assert_int_equal(store_apply(rig->store, &batch, NULL, &fault),
		STORE_WINDOW_FULL);
	assert_int_equal(keys(rig), 1);
	assert_int_equal(store_rig_partition(rig, 0)->accounts.next_offset, 1);
	store_rig_mark(rig, 0); /* marks need no keys */
	rig->store->options.key_window_max_bytes++;
	assert_int_equal(
		store_apply(rig->store, &batch, NULL, &fault), STORE_DURABLE);
	assert_int_equal(keys(rig), 2);
}

static void an_eighth_of_the_window_is_kept_for_who_is_behind(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	TAKE(.key = 1);
	uint64_t needed = keys_bytes(&rig->store->keys, 1);
	rig->store->options.key_window_max_bytes = needed + needed / 8;
	struct store_rig_event event = {.offset = 1, .key = 2, .id = 1};
	struct store_record record = store_rig_record(rig, &event);
	struct store_batch batch = {.records = &record, .record_count = 1};
	assert_int_equal(store_apply(rig->store, &batch, NULL, &fault),
		STORE_WINDOW_FULL);
	batch.to_the_brim = true;
	assert_int_equal(
		store_apply(rig->store, &batch, NULL, &fault), STORE_DURABLE);
	struct store_window window = store_window(rig->store);
	assert_int_equal(window.keys, 2);
	assert_int_equal(window.bytes, keys_bytes(&rig->store->keys, 0));
	assert_int_equal(window.max_bytes, needed + needed / 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(a_copy_within_the_window_is_a_duplicate),
		WITH_STORE(a_copy_beyond_the_window_is_another_event),
		WITH_STORE(a_duplicate_does_not_renew_the_key),
		WITH_STORE(a_key_used_for_something_else_is_dead),
		WITH_STORE(a_parked_update_keeps_its_key),
		WITH_STORE(keys_that_are_loaded_later_hold_all_the_same),
		WITH_STORE(a_correction_takes_the_key_of_a_dead_update),
		WITH_STORE(a_sum_that_overflows_is_corrected_in_the_same_batch),
		WITH_STORE(a_key_goes_when_its_partition_has_passed_it),
		WITH_STORE(a_partition_that_lags_holds_keys_back),
		WITH_STORE(a_partition_at_its_end_holds_only_its_own_keys),
		WITH_STORE(
			a_partition_that_goes_on_behind_its_mark_holds_keys_back),
		WITH_STORE(a_stopped_partition_counts_as_at_its_end),
		WITH_STORE(the_newest_keys_stay),
		WITH_STORE(keys_of_letters_never_go),
		WITH_STORE(a_full_window_changes_nothing),
		WITH_STORE(an_eighth_of_the_window_is_kept_for_who_is_behind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
