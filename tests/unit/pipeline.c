/*
 * The pipeline on a scripted source, a clock that stands still and the store's
 * twin. What must hold whatever does the work is tried with threads and
 * without.
 */
#include "store/decisions.h"
#include "tests/lib/pipeline_rig.h"
#include "tests/lib/wrap_source.h"

#include <string.h>

static void records_land_once_whatever_the_batches(void **state)
{
	struct rig *rig = *state;
	static const size_t sizes[] = {1, 2, 7, 299, 300, 20000};
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		rig->options.batch_records = sizes[i];
		rig_send_all(rig);
		rig_run_well(rig);
		rig_check_all(rig);
		rig_check_committed(rig);
		assert_int_equal(
			rig->result.tally.records, PARTITIONS * RECORDS);
		assert_int_equal(
			rig->result.tally.dispositions[DISPOSITION_APPLIED],
			PARTITIONS * RECORDS);
		assert_int_equal(
			rig->result.batches, twin_store_batches(rig->store));
		source_close(rig->source);
		store_close(rig->store);
		rig_open_store(rig);
		rig_new_script(rig);
	}
}

static void a_second_run_goes_on_where_the_first_ended(void **state)
{
	struct rig *rig = *state;
	rig_send_all(rig);
	rig_run_well(rig);
	source_close(rig->source);
	rig_new_script(rig);
	rig_send_all(rig);
	rig_send(rig, 1, 5000, 7, 10);
	rig_run_well(rig);
	for (size_t p = 0; p < PARTITIONS; p++)
		assert_int_equal(
			rig->script.partitions[p].start_offset, RECORDS);
	assert_int_equal(rig_accounts(rig, 1)->taken, RECORDS + 1);
	assert_int_equal(rig_accounts(rig, 1)->redelivered, 0);
	assert_int_equal(rig_count_of(rig, 7), 1 + 2 + 3 + 10);
	assert_int_equal(rig->result.tally.records, 1);
}

static void wrap(struct rig *rig, enum wrap_mode mode)
{
	assert_int_equal(wrap_source_open(&rig->source, &rig->script.source,
				 mode, &rig->fault),
		0);
}

static void redelivery_changes_nothing(void **state)
{
	struct rig *rig = *state;
	rig_send_all(rig);
	wrap(rig, WRAP_TWICE);
	rig_run_well(rig);
	rig_check_all(rig);
	rig_check_committed(rig);
	int64_t redelivered = rig->result.tally.redelivered;
	assert_true(redelivered >= PARTITIONS * RECORDS);
	assert_int_equal(
		redelivered, rig_accounts(rig, 0)->redelivered +
				     rig_accounts(rig, 1)->redelivered +
				     rig_accounts(rig, 2)->redelivered);
}

static void copies_under_other_offsets_are_duplicates(void **state)
{
	struct rig *rig = *state;
	rig_send_all(rig);
	wrap(rig, WRAP_RENUMBERED);
	rig_run_well(rig);
	for (int64_t id = 0; id < RECORDS; id++)
		assert_int_equal(rig_count_of(rig, id), 1 + 2 + 3);
	const int64_t *dispositions = rig->result.tally.dispositions;
	assert_int_equal(
		dispositions[DISPOSITION_APPLIED], PARTITIONS * RECORDS);
	assert_int_equal(dispositions[DISPOSITION_APPLIED] +
				 dispositions[DISPOSITION_DUPLICATE],
		rig->result.tally.records);
}

static void a_store_that_is_busy_is_asked_again(void **state)
{
	struct rig *rig = *state;
	rig_send_all(rig);
	twin_store_fail(rig->store, TWIN_BUSY, 3);
	rig_run_well(rig);
	rig_check_all(rig);
	rig_check_committed(rig);
	assert_int_equal(
		twin_store_batches(rig->store), rig->result.batches + 3);
	assert_int_equal(rig->notices, 1);
	assert_non_null(strstr(rig->told, "somebody else writes"));
}

static void an_unknown_outcome_loses_and_doubles_nothing(void **state)
{
	struct rig *rig = *state;
	rig_send_all(rig);
	twin_store_fail(rig->store, TWIN_UNKNOWN_LOST, 1);
	twin_store_fail(rig->store, TWIN_UNKNOWN_KEPT, 1);
	twin_store_fail(rig->store, TWIN_UNKNOWN_LOST, 2);
	rig_run_well(rig);
	rig_check_all(rig);
	rig_check_committed(rig);
	/* The batch that was there after all came to the fence. */
	assert_int_equal(rig->result.tally.redelivered, 7);
}

static void what_the_key_window_has_no_room_for_is_taken_again(void **state)
{
	struct rig *rig = *state;
	rig_send_all(rig);
	rig->script.rewinds = true;
	twin_store_fail(rig->store, TWIN_WINDOW_FULL, 1);
	rig_run_well(rig);
	rig_check_all(rig);
	rig_check_committed(rig);
	assert_int_equal(rig->result.tally.records, PARTITIONS * RECORDS);
	assert_int_equal(rig->result.tally.redelivered, 0);
}

/* The last one, when the source has said that this was all. */
static void the_last_batch_is_taken_again_too(void **state)
{
	struct rig *rig = *state;
	rig->options.batch_records = PARTITIONS * RECORDS + 1;
	rig->script.poll_us = 0;
	rig_send_all(rig);
	rig->script.rewinds = true;
	twin_store_fail(rig->store, TWIN_WINDOW_FULL, 1);
	rig_run_well(rig);
	rig_check_all(rig);
}

static void a_window_that_stays_full_stops_who_is_alone(void **state)
{
	struct rig *rig = *state;
	script_announce(&rig->script, 0);
	for (int n = 0; n < 20; n++)
		rig_send(rig, 0, n, n, 1);
	rig->script.rewinds = true;
	twin_store_fail(rig->store, TWIN_WINDOW_FULL, 2);
	assert_int_equal(rig_run(rig), FAULT_LOG);
	assert_non_null(strstr(rig->fault.text, "events:0 (key_window_full)"));
	assert_non_null(strstr(rig->told, "store.key_window_max_bytes"));
	assert_int_equal(twin_entity_count(twin_of(rig->store)), 0);
	assert_int_equal(rig->script.partitions[0].committed, 0);
}

/* What came behind a batch that failed would look like a gap. */
static void nothing_behind_a_batch_that_failed_is_applied(void **state)
{
	struct rig *rig = *state;
	rig_send_all(rig);
	twin_store_fail(rig->store, TWIN_BROKEN, 1);
	assert_int_equal(rig_run(rig), FAULT_IO);
	assert_non_null(strstr(rig->fault.text, "the disk is gone"));
	assert_int_equal(twin_store_batches(rig->store), 1);
	assert_int_equal(rig_accounts(rig, 0)->next_offset, 0);
	assert_int_equal(rig->script.partitions[0].committed, 0);
}

static void a_source_that_breaks_ends_the_run(void **state)
{
	struct rig *rig = *state;
	script_announce(&rig->script, 0);
	rig_send(rig, 0, 1, 1, 1);
	script_break(&rig->script);
	assert_int_equal(rig_run(rig), FAULT_BROKER);
	assert_non_null(strstr(rig->fault.text, "the broker said no"));
}

static void a_stopped_partition_does_not_stop_the_others(void **state)
{
	struct rig *rig = *state;
	for (int32_t p = 0; p < PARTITIONS; p++)
		script_announce(&rig->script, p);
	for (int n = 0; n < RECORDS; n++) {
		if (n < 10)
			rig_send(rig, 1, 1000 + n, n, 1);
		if (n == 10)
			script_stop(&rig->script, 1, "log_changed: run this");
		rig_send(rig, 0, n, n, 1);
		rig_send(rig, 2, 2000 + n, n, 1);
	}
	assert_int_equal(rig_run(rig), FAULT_LOG);
	assert_non_null(strstr(rig->fault.text, "1 of 3 partitions stopped"));
	assert_non_null(strstr(rig->fault.text, "log_changed: run this"));
	assert_int_equal(rig->result.stopped_partitions, 1);
	assert_int_equal(rig_accounts(rig, 0)->taken, RECORDS);
	assert_int_equal(rig_accounts(rig, 1)->taken, 10);
	assert_int_equal(rig_accounts(rig, 2)->taken, RECORDS);
	assert_string_equal(rig->told, "log_changed: run this");
}

static void the_run_ends_when_all_partitions_stopped(void **state)
{
	struct rig *rig = *state;
	rig->script.until_end = false;
	script_announce(&rig->script, 0);
	script_announce(&rig->script, 1);
	rig_send(rig, 0, 1, 1, 1);
	script_stop(&rig->script, 1, "first");
	script_stop(&rig->script, 0, "second");
	assert_int_equal(rig_run(rig), FAULT_LOG);
	assert_non_null(strstr(rig->fault.text, "first"));
	assert_int_equal(rig->result.stopped_partitions, 2);
	assert_int_equal(rig_accounts(rig, 0)->taken, 1);
}

static void a_partition_may_come_later(void **state)
{
	struct rig *rig = *state;
	rig->options.batch_records = 1; /* batches are on their way then */
	script_announce(&rig->script, 0);
	for (int n = 0; n < RECORDS; n++)
		rig_send(rig, 0, n, 1, 1);
	script_announce(&rig->script, 1);
	rig_send(rig, 1, RECORDS, 1, 1);
	rig_send(rig, 0, RECORDS + 1, 1, 1);
	rig_run_well(rig);
	assert_int_equal(rig_count_of(rig, 1), RECORDS + 2);
}

static void gaps_and_ends_are_accounted_for(void **state)
{
	struct rig *rig = *state;
	script_announce(&rig->script, 0);
	script_gap(&rig->script, 0, 5);
	rig_send(rig, 0, 1, 1, 1);
	script_gap(&rig->script, 0, 2);
	rig_send(rig, 0, 2, 1, 1);
	script_end(&rig->script, 0); /* is void: more comes */
	script_gap(&rig->script, 0, 1);
	rig_send(rig, 0, 3, 1, 1);
	script_gap(&rig->script, 0, 4);
	script_end(&rig->script, 0);
	rig_run_well(rig);
	assert_int_equal(rig_accounts(rig, 0)->taken, 3);
	assert_int_equal(rig_accounts(rig, 0)->gaps, 12);
	assert_int_equal(rig_accounts(rig, 0)->next_offset, 15);
	assert_int_equal(rig->script.partitions[0].committed, 15);
}

/* "As of" is the present only where nothing came behind the end. */
static void an_end_with_a_record_behind_it_is_none(void **state)
{
	struct rig *rig = *state;
	script_announce(&rig->script, 0);
	script_announce(&rig->script, 1);
	for (int32_t p = 0; p < 2; p++) {
		rig_send(rig, p, 2 * p, 1, 1);
		script_end(&rig->script, p);
	}
	rig_send(rig, 0, 1, 1, 1);
	rig_run_well(rig);
	const struct twin *twin = twin_of(rig->store);
	assert_true(twin_partition_at(twin, 0)->as_of_us == SCRIPT_TIME_US);
	assert_true(twin_partition_at(twin, 1)->as_of_us > SCRIPT_TIME_US);
}

static void what_was_polled_is_finished_before_a_stop(void **state)
{
	struct rig *rig = *state;
	rig->script.until_end = false;
	script_announce(&rig->script, 0);
	for (int n = 0; n < 10; n++)
		rig_send(rig, 0, n, 1, 1);
	script_stop_all(&rig->script);
	rig_send(rig, 0, 10, 1, 1);
	rig_run_well(rig);
	assert_int_equal(rig_accounts(rig, 0)->taken, 10);
	assert_int_equal(rig->script.partitions[0].committed, 10);
}

/* Waiting for a disk or a lock must not outlast the operator's patience. */
static void a_stop_ends_waiting(void **state)
{
	struct rig *rig = *state;
	rig->script.until_end = false;
	rig->stop_when_told = true;
	script_announce(&rig->script, 0);
	rig_send(rig, 0, 1, 1, 1);
	twin_store_fail(rig->store, TWIN_BUSY, 60);
	assert_int_equal(rig_run(rig), FAULT_BUSY);
	assert_int_equal(rig_accounts(rig, 0)->taken, 0);
	assert_int_equal(rig->script.partitions[0].committed, 0);
}

static void notices_go_through(void **state)
{
	struct rig *rig = *state;
	script_announce(&rig->script, 0);
	script_notice(&rig->script, "the broker is away");
	rig_send(rig, 0, 1, 1, 1);
	rig_run_well(rig);
	assert_string_equal(rig->told, "the broker is away");
	assert_int_equal(rig_accounts(rig, 0)->taken, 1);
}

static void poison_lands_as_dead_letters(void **state)
{
	struct rig *rig = *state;
	script_announce(&rig->script, 0);
	script_record(&rig->script, 0, "{");
	rig_send(rig, 0, 1, 1, 1);
	script_record(&rig->script, 0, "{\"id\": 2, \"view\": \"later\"}");
	rig_run_well(rig);
	const int64_t *dispositions = rig_accounts(rig, 0)->dispositions;
	assert_int_equal(dispositions[DISPOSITION_DEAD], 1);
	assert_int_equal(dispositions[DISPOSITION_APPLIED], 1);
	assert_int_equal(dispositions[DISPOSITION_PARKED], 1);
}

/* Caught up, a record is durable after `linger` and not after the batch's age;
 * the script goes on only then. */
static void linger_closes_a_batch_when_caught_up(void **state)
{
	struct rig *rig = *state;
	rig->options.linger_us = 3000;
	rig->options.batch_age_us = 1000000000;
	script_announce(&rig->script, 0);
	int64_t began_us = atomic_load(&rig->clock.now_us);
	for (int n = 0; n < 5; n++) {
		rig_send(rig, 0, n, 1, 1);
		script_await(&rig->script, 0);
	}
	rig_run_well(rig);
	assert_int_equal(rig_accounts(rig, 0)->taken, 5);
	assert_int_equal(rig->result.batches, 5);
	if (!rig->options
			.threads) /* else polls while it works cost time, too */
		assert_in_range(atomic_load(&rig->clock.now_us) - began_us,
			5 * 3000, 5 * 3000 + 20000);
}

/* Records that come faster than linger keep company, up to the batch's age. */
static void a_batch_closes_at_its_age(void **state)
{
	struct rig *rig = *state;
	rig->options.linger_us = 1000000000;
	rig->options.batch_age_us = 50000;
	rig->options.batch_records = 1000;
	rig->script.poll_us = 1000; /* a record a millisecond */
	script_announce(&rig->script, 0);
	for (int n = 0; n < 200; n++)
		rig_send(rig, 0, n, 1, 1);
	rig_run_well(rig);
	assert_in_range(rig->result.batches, 4, 5);
}

static void a_batch_closes_at_its_bytes(void **state)
{
	struct rig *rig = *state;
	char text[2048];
	memset(text, ' ', sizeof text);
	text[sizeof text - 1] = '\0';
	rig->options.batch_records = 1000;
	rig->options.batch_bytes = 10000;
	script_announce(&rig->script, 0);
	for (int n = 0; n < 50; n++)
		script_record(&rig->script, 0, text);
	rig_run_well(rig);
	assert_int_equal(rig->result.batches, 10);
}

static void an_empty_source_is_done_at_once(void **state)
{
	struct rig *rig = *state;
	script_announce(&rig->script, 0);
	script_end(&rig->script, 0);
	rig_run_well(rig);
	assert_int_equal(rig_accounts(rig, 0)->next_offset, 0);
	assert_int_equal(rig->result.tally.records, 0);
}

static const struct log *log_of(struct rig *rig, size_t partition)
{
	return &twin_partition_at(twin_of(rig->store), partition)->log;
}

static void stop(struct rig *rig, size_t partition, const char *reason)
{
	const struct store_stop found = {
		.log = log_of(rig, partition), .reason = reason, .detail = ""};
	assert_int_equal(
		store_stop_partition(rig->store, &found, NULL, NULL), 0);
}

static void resume(struct rig *rig, size_t partition)
{
	assert_int_equal(store_resume_partition(rig->store,
				 log_of(rig, partition), NULL, NULL),
		0);
}

static const char *why_stopped(struct rig *rig, size_t partition)
{
	const char *reason = NULL;
	(void)store_why_stopped(
		rig->store, log_of(rig, partition), NULL, &reason, NULL);
	return reason;
}

static void announce_two(struct rig *rig)
{
	script_announce(&rig->script, 0);
	script_announce(&rig->script, 1);
}

static void start_again(struct rig *rig)
{
	source_close(rig->source);
	rig_new_script(rig);
	rig->notices = 0;
	rig->attended = 0;
	announce_two(rig);
}

/* Both partitions are known, and took one record each. */
static void run_two(struct rig *rig)
{
	announce_two(rig);
	rig_send(rig, 0, 1, 1, 1);
	rig_send(rig, 1, 2, 1, 1);
	rig_run_well(rig);
}

static void a_partition_that_somebody_stopped_is_not_started(void **state)
{
	struct rig *rig = *state;
	static const char *const lasting[] = {STOP_PAUSED, STOP_FLOOD};
	run_two(rig);
	for (int i = 0; i < 2; i++) {
		stop(rig, 1, lasting[i]);
		start_again(rig);
		for (int n = 0; n <= i + 1; n++)
			rig_send(rig, 0, 10 + n, 1, 1);
		/* Nobody waits for it, and it is not forgotten. */
		assert_int_equal(rig_run(rig), FAULT_LOG);
		assert_non_null(strstr(rig->fault.text, lasting[i]));
		assert_non_null(strstr(rig->fault.text, "events:1"));
		assert_non_null(strstr(rig->fault.text, "holdfast resume"));
		assert_int_equal(rig->script.partitions[1].starts, 0);
		assert_int_equal(rig_accounts(rig, 0)->taken, i + 2);
		assert_non_null(strstr(rig->told, "events:1"));
		assert_string_equal(why_stopped(rig, 1), lasting[i]);
	}
}

/* Else Kafka would have more committed than is durable, after a rollback, a
 * restore or lost commits: until a batch lands, and where none does, for good.
 */
static void what_is_stored_is_committed_before_anything_is_taken(void **state)
{
	struct rig *rig = *state;
	static const char *const reasons[] = {
		NULL, STOP_PAUSED, STOP_ROLLED_BACK};
	run_two(rig);
	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
		if (reasons[i] != NULL)
			stop(rig, 1, reasons[i]);
		start_again(rig);
		assert_int_equal(
			rig_run(rig), reasons[i] == NULL ? 0 : FAULT_LOG);
		assert_int_equal(
			rig->script.partitions[1].starts, reasons[i] == NULL);
		assert_int_equal(rig->script.partitions[1].committed, 1);
		if (reasons[i] != NULL)
			resume(rig, 1);
	}
}

static int pause_then_resume(struct rig *rig, int order)
{
	/* Whatever was polled is durable before the store is touched. */
	assert_int_equal(rig_accounts(rig, 1)->taken, 3 + order);
	if (order == 1)
		stop(rig, 1, STOP_PAUSED);
	else {
		assert_true(rig->script.partitions[1].paused);
		assert_false(rig->script.partitions[0].paused);
		resume(rig, 1);
	}
	return 0;
}

static void what_is_stopped_while_it_runs_is_held_back(void **state)
{
	struct rig *rig = *state;
	rig->attend = pause_then_resume;
	announce_two(rig);
	for (int n = 0; n < 4; n++)
		rig_send(rig, 1, n, 1, 1);
	script_order(&rig->script, 1);
	script_idle(&rig->script);
	rig_send(rig, 1, 4, 1, 1); /* stands for one that was under way */
	script_order(&rig->script, 2);
	script_idle(&rig->script);
	rig_send(rig, 1, 5, 1, 1);
	rig_run_well(rig);
	assert_int_equal(rig->attended, 0); /* the script went on */
	assert_false(rig->script.partitions[1].paused);
	assert_int_equal(rig->script.partitions[1].starts, 1);
	assert_int_equal(rig_accounts(rig, 1)->taken, 6);
}

static int resume_one(struct rig *rig, int order)
{
	(void)order;
	resume(rig, 1);
	return 0;
}

static void a_resumed_partition_goes_on_where_the_store_says(void **state)
{
	struct rig *rig = *state;
	run_two(rig);
	stop(rig, 1, STOP_PAUSED);
	start_again(rig);
	rig->attend = resume_one;
	script_order(&rig->script, 1);
	script_idle(&rig->script);
	rig_send(rig, 1, 2, 1, 1); /* offset 0: taken before */
	rig_send(rig, 1, 3, 1, 1);
	rig_run_well(rig);
	assert_int_equal(rig->script.partitions[1].starts, 1);
	assert_int_equal(rig->script.partitions[1].start_offset, 1);
	assert_int_equal(rig_accounts(rig, 1)->taken, 2);
	assert_int_equal(rig_accounts(rig, 1)->redelivered, 0);
}

/* The run would have ended with its name: it was mended meanwhile. */
static void what_the_source_stopped_is_started_anew(void **state)
{
	struct rig *rig = *state;
	rig->attend = resume_one;
	announce_two(rig);
	rig_send(rig, 1, 1, 1, 1);
	script_stop(&rig->script, 1, "log_changed: run this");
	script_order(&rig->script, 1);
	script_idle(&rig->script);
	rig_send(rig, 1, 2, 1, 1);
	rig_run_well(rig);
	assert_int_equal(rig->result.stopped_partitions, 0);
	assert_int_equal(rig->script.partitions[1].starts, 2);
	assert_int_equal(rig->script.partitions[1].start_offset, 1);
	assert_int_equal(rig_accounts(rig, 1)->taken, 2);
}

static int resume_the_first(struct rig *rig, int order)
{
	(void)order;
	resume(rig, 0);
	return 0;
}

static void one_that_stays_waits_for_who_resumes_a_partition(void **state)
{
	struct rig *rig = *state;
	rig->options.stays = true;
	rig->attend = resume_the_first;
	script_announce(&rig->script, 0);
	rig_send(rig, 0, 1, 1, 1);
	script_stop(&rig->script, 0, "log_changed: run this");
	script_idle(&rig->script);
	script_order(&rig->script, 1);
	script_idle(&rig->script);
	rig_send(rig, 0, 2, 1, 1);
	rig_run_well(rig);
	assert_int_equal(rig->result.stopped_partitions, 0);
	assert_int_equal(rig->script.partitions[0].starts, 2);
	assert_int_equal(rig_accounts(rig, 0)->taken, 2);
}

static void one_that_stays_ends_well_when_told_to(void **state)
{
	struct rig *rig = *state;
	rig->options.stays = true;
	script_announce(&rig->script, 0);
	script_stop(&rig->script, 0, "log_changed: run this");
	script_idle(&rig->script);
	script_stop_all(&rig->script);
	rig_run_well(rig);
	assert_int_equal(rig->result.stopped_partitions, 1);
	assert_int_equal(rig->notices, 2); /* why, and that it is the last */
}

/* A signal asks for a clean end, whatever stands still. */
static void who_is_told_to_stop_ends_well_beside_stopped_partitions(
	void **state)
{
	struct rig *rig = *state;
	rig->script.until_end = false;
	announce_two(rig);
	script_stop(&rig->script, 0, "log_changed: run this");
	rig_send(rig, 1, 1, 1, 1);
	script_await(&rig->script, 1);
	script_stop_all(&rig->script);
	rig_run_well(rig);
	assert_int_equal(rig->result.stopped_partitions, 1);
	assert_int_equal(rig_accounts(rig, 1)->taken, 1);
}

static void what_the_source_finds_stands_in_the_store_until_it_is_over(
	void **state)
{
	struct rig *rig = *state;
	announce_two(rig);
	rig_send(rig, 1, 1, 1, 1);
	script_stop(&rig->script, 1, "records_lost: run this");
	assert_int_equal(rig_run(rig), FAULT_LOG);
	assert_string_equal(why_stopped(rig, 1), "records_lost");
	assert_string_equal(why_stopped(rig, 0), "");
	/* Started, to be judged anew: nothing came yet. */
	start_again(rig);
	rig_send(rig, 0, 2, 1, 1);
	rig_run_well(rig);
	assert_int_equal(rig->script.partitions[1].starts, 1);
	assert_string_equal(why_stopped(rig, 1), "records_lost");
	/* The same again, and then another trouble. */
	start_again(rig);
	script_stop(&rig->script, 1, "events:1 can't be read at offset 1");
	assert_int_equal(rig_run(rig), FAULT_LOG);
	assert_string_equal(why_stopped(rig, 1), "unreadable");
	start_again(rig);
	script_end(&rig->script, 1);
	rig_run_well(rig);
	assert_string_equal(why_stopped(rig, 1), "");
}

/* Its verdict would be of where it was: it is started anew. */
static void what_is_resumed_while_it_is_judged_is_started_anew(void **state)
{
	struct rig *rig = *state;
	run_two(rig);
	stop(rig, 1, STOP_LOST);
	start_again(rig);
	rig->attend = resume_one;
	script_order(&rig->script, 1);
	script_idle(&rig->script);
	rig_send(rig, 1, 2, 1, 1); /* offset 0: taken before */
	rig_send(rig, 1, 3, 1, 1);
	rig_run_well(rig);
	assert_int_equal(rig->script.partitions[1].starts, 2);
	assert_int_equal(rig->script.partitions[0].starts, 1);
	assert_int_equal(rig_accounts(rig, 1)->taken, 2);
	assert_string_equal(why_stopped(rig, 1), "");
}

static int pause_one(struct rig *rig, int order)
{
	(void)order;
	stop(rig, 1, STOP_PAUSED);
	return 0;
}

/* Else a start would take up what a person had stopped. */
static void what_a_person_stopped_stays_so_whatever_is_found(void **state)
{
	struct rig *rig = *state;
	rig->attend = pause_one;
	announce_two(rig);
	script_order(&rig->script, 1);
	script_idle(&rig->script);
	script_stop(&rig->script, 1, "log_changed: run this");
	assert_int_equal(rig_run(rig), FAULT_LOG);
	assert_string_equal(why_stopped(rig, 1), STOP_PAUSED);
}

static int pause_or_resume_one(struct rig *rig, int order)
{
	if (order == 1)
		stop(rig, 1, STOP_PAUSED);
	else
		resume(rig, 1);
	return 0;
}

static void what_the_source_stopped_while_it_was_held_gives_records_again(
	void **state)
{
	struct rig *rig = *state;
	rig->attend = pause_or_resume_one;
	announce_two(rig);
	rig_send(rig, 1, 1, 1, 1);
	script_order(&rig->script, 1);
	script_idle(&rig->script);
	script_stop(&rig->script, 1, "log_changed: run this");
	script_order(&rig->script, 2);
	script_idle(&rig->script);
	rig_send(rig, 1, 2, 1, 1);
	rig_run_well(rig);
	assert_false(rig->script.partitions[1].paused);
	assert_int_equal(rig->script.partitions[1].starts, 2);
	assert_int_equal(rig_accounts(rig, 1)->taken, 2);
}

static int attend_in_vain(struct rig *rig, int order)
{
	(void)rig;
	(void)order;
	return FAULT_IO;
}

static void a_fault_of_what_was_wanted_ends_the_run(void **state)
{
	struct rig *rig = *state;
	rig->attend = attend_in_vain;
	announce_two(rig);
	script_order(&rig->script, 1);
	script_idle(&rig->script);
	rig_send(rig, 0, 1, 1, 1);
	assert_int_equal(rig_run(rig), FAULT_IO);
	assert_string_equal(rig->fault.text, "attended in vain");
	assert_int_equal(rig_accounts(rig, 0)->taken, 0);
}

static void who_insists_does_not_keep_records_away(void **state)
{
	struct rig *rig = *state;
	rig->insists = true;
	rig_send_all(rig);
	rig_run_well(rig);
	rig_check_all(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH_WAYS(records_land_once_whatever_the_batches),
		BOTH_WAYS(a_second_run_goes_on_where_the_first_ended),
		BOTH_WAYS(redelivery_changes_nothing),
		BOTH_WAYS(copies_under_other_offsets_are_duplicates),
		BOTH_WAYS(a_store_that_is_busy_is_asked_again),
		BOTH_WAYS(an_unknown_outcome_loses_and_doubles_nothing),
		BOTH_WAYS(what_the_key_window_has_no_room_for_is_taken_again),
		BOTH_WAYS(the_last_batch_is_taken_again_too),
		BOTH_WAYS(a_window_that_stays_full_stops_who_is_alone),
		BOTH_WAYS(nothing_behind_a_batch_that_failed_is_applied),
		BOTH_WAYS(a_source_that_breaks_ends_the_run),
		BOTH_WAYS(a_stopped_partition_does_not_stop_the_others),
		BOTH_WAYS(the_run_ends_when_all_partitions_stopped),
		BOTH_WAYS(one_that_stays_waits_for_who_resumes_a_partition),
		BOTH_WAYS(one_that_stays_ends_well_when_told_to),
		BOTH_WAYS(
			who_is_told_to_stop_ends_well_beside_stopped_partitions),
		BOTH_WAYS(a_partition_may_come_later),
		BOTH_WAYS(gaps_and_ends_are_accounted_for),
		BOTH_WAYS(an_end_with_a_record_behind_it_is_none),
		BOTH_WAYS(what_was_polled_is_finished_before_a_stop),
		/* Without threads nobody could tell while the one waits. */
		cmocka_unit_test_setup_teardown(
			a_stop_ends_waiting, rig_setup_threads, rig_teardown),
		BOTH_WAYS(notices_go_through),
		BOTH_WAYS(poison_lands_as_dead_letters),
		BOTH_WAYS(linger_closes_a_batch_when_caught_up),
		BOTH_WAYS(a_batch_closes_at_its_age),
		BOTH_WAYS(a_batch_closes_at_its_bytes),
		BOTH_WAYS(an_empty_source_is_done_at_once),
		BOTH_WAYS(what_is_stored_is_committed_before_anything_is_taken),
		BOTH_WAYS(a_partition_that_somebody_stopped_is_not_started),
		BOTH_WAYS(what_is_stopped_while_it_runs_is_held_back),
		BOTH_WAYS(a_resumed_partition_goes_on_where_the_store_says),
		BOTH_WAYS(what_the_source_stopped_is_started_anew),
		BOTH_WAYS(
			what_the_source_finds_stands_in_the_store_until_it_is_over),
		BOTH_WAYS(what_is_resumed_while_it_is_judged_is_started_anew),
		BOTH_WAYS(what_a_person_stopped_stays_so_whatever_is_found),
		BOTH_WAYS(
			what_the_source_stopped_while_it_was_held_gives_records_again),
		BOTH_WAYS(a_fault_of_what_was_wanted_ends_the_run),
		BOTH_WAYS(who_insists_does_not_keep_records_away),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
