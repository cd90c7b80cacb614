/* The pipeline while the store searches for a record that ends the process. */
#include "tests/lib/pipeline_rig.h"

#include <string.h>

#define GUILTY_PARTITION 1
#define GUILTY_OFFSET 42

/* Of a run: what its batches were like. */
struct batches {
	int64_t largest;
	size_t before_growth; /* batches until the search is over; 0: never */
	size_t count;
};

static void landed(void *payload, const struct store_tally *tally)
{
	struct rig *rig = payload;
	struct batches *batches = rig->seen;
	if (tally->records > batches->largest)
		batches->largest = tally->records;
	if (++batches->count != batches->before_growth)
		return;
	const struct store_suspicion nothing = {
		.batch_records = STORE_BATCH_RECORDS_MAX};
	twin_store_suspect(rig->store, &nothing);
}

static const struct log *log_of(struct rig *rig, int32_t partition)
{
	const struct store_partition *out = NULL;
	for (int32_t p = 0; p <= partition; p++)
		assert_int_equal(store_partition(rig->store, "events", p, 0,
					 &out, &rig->fault),
			0);
	assert_non_null(out);
	return &out->log;
}

/* The store suspects something: `batch_records` at a time. */
static void suspect(struct rig *rig, struct batches *batches,
	size_t batch_records, bool guilty)
{
	const struct store_suspicion suspicion = {
		.batch_records = batch_records,
		.ends = 17,
		.log = log_of(rig, GUILTY_PARTITION),
		.offset = GUILTY_OFFSET,
		.alone_ends = guilty ? 3 : 0,
		.guilty = guilty,
	};
	twin_store_suspect(rig->store, &suspicion);
	rig->seen = batches;
	rig->options.landed = landed;
	rig_send_all(rig);
}

static void batches_hold_no_more_than_the_store_says(void **state)
{
	struct rig *rig = *state;
	struct batches batches = {0};
	suspect(rig, &batches, 3, false);
	rig_run_well(rig);
	rig_check_all(rig);
	assert_int_equal(batches.largest, 3);
}

static void batches_grow_when_the_search_is_over(void **state)
{
	struct rig *rig = *state;
	struct batches batches = {.before_growth = 2};
	suspect(rig, &batches, 2, false);
	rig_run_well(rig);
	rig_check_all(rig);
	assert_int_equal(batches.largest, 7);
}

static void a_record_at_a_time_is_noted_and_nothing_else_in_flight(void **state)
{
	struct rig *rig = *state;
	struct batches batches = {0};
	int64_t offsets[TWIN_ALONE_MAX];
	suspect(rig, &batches, 1, false);
	rig_run_well(rig);
	rig_check_all(rig);
	assert_int_equal(batches.largest, 1);
	assert_int_equal(
		twin_store_alone(rig->store, offsets), PARTITIONS * RECORDS);
	for (size_t i = 0; i < PARTITIONS * RECORDS; i++)
		assert_int_equal(offsets[i], i / PARTITIONS);
}

static void a_note_without_room_ends_nothing_and_is_made_later(void **state)
{
	struct rig *rig = *state;
	struct batches batches = {0};
	int64_t offsets[TWIN_ALONE_MAX];
	suspect(rig, &batches, 1, false);
	twin_store_fill_disk(rig->store, 2 * PARTITIONS + 1);
	rig_run_well(rig);
	rig_check_all(rig);
	for (int32_t p = 0; p < PARTITIONS; p++)
		assert_int_equal(twin_store_fed(rig->store, log_of(rig, p)), 1);
	assert_true(
		twin_store_alone(rig->store, offsets) < PARTITIONS * RECORDS);
}

static void no_record_is_noted_where_there_are_more(void **state)
{
	struct rig *rig = *state;
	struct batches batches = {0};
	int64_t offsets[TWIN_ALONE_MAX];
	suspect(rig, &batches, 2, false);
	rig_run_well(rig);
	assert_int_equal(twin_store_alone(rig->store, offsets), 0);
}

static void the_guilty_record_is_parked_and_the_others_applied(void **state)
{
	struct rig *rig = *state;
	struct batches batches = {0};
	suspect(rig, &batches, 1, true);
	rig_run_well(rig);
	const struct twin *twin = twin_of(rig->store);
	assert_int_equal(twin_letter_count(twin), 1);
	const struct twin_letter *letter = twin_letter_at(twin, 0);
	assert_int_equal(letter->disposition, DISPOSITION_PARKED);
	assert_int_equal(letter->reason, REASON_CRASH_LOOP);
	assert_int_equal(letter->log, GUILTY_PARTITION + 1);
	assert_int_equal(letter->offset, GUILTY_OFFSET);
	for (int64_t id = 0; id < RECORDS; id++)
		assert_int_equal(rig_count_of(rig, id),
			id == GUILTY_OFFSET ? 1 + 3 : 1 + 2 + 3);
	const struct store_accounts *accounts =
		rig_accounts(rig, GUILTY_PARTITION);
	assert_int_equal(accounts->taken, RECORDS);
	assert_int_equal(accounts->updates, RECORDS);
	assert_int_equal(accounts->dispositions[DISPOSITION_PARKED], 1);
	rig_check_committed(rig);
}

static void who_is_guilty_is_parked_in_a_large_batch_too(void **state)
{
	struct rig *rig = *state;
	struct batches batches = {0};
	suspect(rig, &batches, STORE_BATCH_RECORDS_MAX, true);
	rig_run_well(rig);
	assert_int_equal(batches.largest, 7);
	assert_int_equal(twin_letter_count(twin_of(rig->store)), 1);
	assert_int_equal(
		twin_letter_at(twin_of(rig->store), 0)->offset, GUILTY_OFFSET);
}

static void what_is_known_from_before_going_back_is_parked_without_a_search(
	void **state)
{
	struct rig *rig = *state;
	twin_store_convict(rig->store, GUILTY_OFFSET);
	rig_send_all(rig);
	rig_run_well(rig);
	const struct twin *twin = twin_of(rig->store);
	assert_int_equal(twin_letter_count(twin), PARTITIONS);
	for (size_t i = 0; i < PARTITIONS; i++) {
		const struct twin_letter *letter = twin_letter_at(twin, i);
		assert_int_equal(letter->reason, REASON_CRASH_LOOP);
		assert_int_equal(letter->offset, GUILTY_OFFSET);
	}
	assert_int_equal(rig->notices, 0);
}

static bool ended_another(void *payload, const struct record *record)
{
	(void)payload;
	return record->log->partition == GUILTY_PARTITION &&
	       record->offset == GUILTY_OFFSET;
}

static void what_ended_another_process_is_parked_without_a_search(void **state)
{
	struct rig *rig = *state;
	rig->options.convicted = ended_another;
	rig_send_all(rig);
	rig_run_well(rig);
	const struct twin *twin = twin_of(rig->store);
	assert_int_equal(twin_letter_count(twin), 1);
	const struct twin_letter *letter = twin_letter_at(twin, 0);
	assert_int_equal(letter->reason, REASON_CRASH_LOOP);
	assert_int_equal(letter->log, GUILTY_PARTITION + 1);
	assert_int_equal(letter->offset, GUILTY_OFFSET);
	assert_int_equal(rig_count_of(rig, GUILTY_OFFSET), 1 + 3);
	assert_int_equal(rig->notices, 0);
}

static void operators_are_told_at_the_start(void **state)
{
	struct rig *rig = *state;
	struct batches batches = {0};
	suspect(rig, &batches, 39, false);
	rig_run_well(rig);
	assert_non_null(strstr(rig->told, "after 17 unclean ends"));
	assert_non_null(strstr(rig->told, "events:1 from offset 42"));
	assert_non_null(strstr(rig->told, "39 records at a time"));
}

static void operators_are_told_who_is_guilty(void **state)
{
	struct rig *rig = *state;
	struct batches batches = {0};
	suspect(rig, &batches, 1, true);
	rig_run_well(rig);
	assert_non_null(strstr(rig->told, "events:1, offset 42"));
	assert_non_null(strstr(rig->told, "crash_loop"));
}

static void nobody_is_told_of_nothing(void **state)
{
	struct rig *rig = *state;
	rig_send_all(rig);
	rig_run_well(rig);
	assert_int_equal(rig->notices, 0);
}

static void each_partition_is_said_to_be_taken_up_once(void **state)
{
	struct rig *rig = *state;
	rig_send_all(rig);
	rig_run_well(rig);
	for (int32_t p = 0; p < PARTITIONS; p++)
		assert_int_equal(twin_store_fed(rig->store, log_of(rig, p)), 1);
}

static void one_without_records_is_not(void **state)
{
	struct rig *rig = *state;
	script_announce(&rig->script, 0);
	script_announce(&rig->script, 1);
	rig_send(rig, 1, 1, 1, 1);
	script_end(&rig->script, 0);
	script_end(&rig->script, 1);
	rig_run_well(rig);
	assert_int_equal(twin_store_fed(rig->store, log_of(rig, 0)), 0);
	assert_int_equal(twin_store_fed(rig->store, log_of(rig, 1)), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH_WAYS(batches_hold_no_more_than_the_store_says),
		BOTH_WAYS(batches_grow_when_the_search_is_over),
		BOTH_WAYS(
			a_record_at_a_time_is_noted_and_nothing_else_in_flight),
		BOTH_WAYS(no_record_is_noted_where_there_are_more),
		BOTH_WAYS(a_note_without_room_ends_nothing_and_is_made_later),
		BOTH_WAYS(the_guilty_record_is_parked_and_the_others_applied),
		BOTH_WAYS(who_is_guilty_is_parked_in_a_large_batch_too),
		BOTH_WAYS(
			what_is_known_from_before_going_back_is_parked_without_a_search),
		BOTH_WAYS(
			what_ended_another_process_is_parked_without_a_search),
		BOTH_WAYS(operators_are_told_at_the_start),
		BOTH_WAYS(operators_are_told_who_is_guilty),
		BOTH_WAYS(nobody_is_told_of_nothing),
		BOTH_WAYS(each_partition_is_said_to_be_taken_up_once),
		BOTH_WAYS(one_without_records_is_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
