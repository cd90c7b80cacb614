/* A record that ends the process: what unclean ends tell a store. The ends are
 * real ones, of processes of their own. */
#include "store/reader.h"
#include "tests/lib/check.h"
#include "tests/lib/store_rig.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What ran before the end counts, too, where gcov is there. */
/* NOLINTNEXTLINE(bugprone-reserved-identifier) */
void __gcov_dump(void) __attribute__((weak));

/* A run in a process of its own, which dies in the middle of it. */
static void run_and_die(struct store_rig *rig,
	void (*run)(struct store_rig *rig, int64_t offset), int64_t offset)
{
	store_rig_close(rig);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		store_rig_open(rig);
		run(rig, offset);
		if (__gcov_dump != NULL)
			__gcov_dump();
		_exit(0);
	}
	int status = 0;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	store_rig_open(rig);
}

static void feed(struct store_rig *rig, int32_t partition)
{
	const struct log *log = &store_rig_partition(rig, partition)->log;
	store_stopped(rig->store, log, false);
	assert_int_equal(store_feeds(rig->store, log, NULL), 0);
}

/* What a run does before it dies; alpha:0 and the offset of its next record. */

static void takes_nothing_up(struct store_rig *rig, int64_t offset)
{
	(void)rig;
	(void)offset;
}

static void takes_up(struct store_rig *rig, int64_t offset)
{
	(void)offset;
	feed(rig, 0);
}

static void take(struct store_rig *rig, int32_t partition, int64_t offset)
{
	struct store_rig_event event = {.partition = partition,
		.offset = offset,
		.key = (unsigned)(offset + 1 + 1000 * partition),
		.id = 1,
		.count = 1};
	store_rig_take(rig, &event);
}

static void takes_one_in(struct store_rig *rig, int64_t offset)
{
	feed(rig, 0);
	take(rig, 0, offset);
}

static void note_alone(struct store_rig *rig, int64_t offset)
{
	struct record record = {.log = &store_rig_partition(rig, 0)->log,
		.offset = offset,
		.next_offset = offset + 1};
	feed(rig, 0);
	assert_int_equal(store_alone(rig->store, &record, NULL), 0);
}

static void looks_into(struct store_rig *rig, int64_t offset)
{
	note_alone(rig, offset);
}

static void is_killed_behind_it(struct store_rig *rig, int64_t offset)
{
	note_alone(rig, offset);
	take(rig, 0, offset);
}

/* It was decided, but can't be committed: somebody else writes. */
static void is_killed_while_it_waits(struct store_rig *rig, int64_t offset)
{
	struct store_rig_event event = {
		.offset = offset, .key = 9, .id = 1, .count = 1};
	struct store_record record = store_rig_record(rig, &event);
	struct store_batch batch = {.records = &record, .record_count = 1};
	struct directory file = directory_entry(&rig->directory, "features.db");
	sqlite3 *db = NULL;
	assert_int_equal(sqlite3_open(file.path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL),
		SQLITE_OK);
	note_alone(rig, offset);
	assert_int_equal(
		store_apply(rig->store, &batch, NULL, NULL), FAULT_BUSY);
}

static size_t limit(const struct store_rig *rig)
{
	return store_batch_records(rig->store);
}

static void check_unsuspicious(const struct store_rig *rig)
{
	assert_int_equal(limit(rig), STORE_BATCH_RECORDS_MAX);
	assert_false(store_suspicion(rig->store).guilty);
	assert_null(store_suspicion(rig->store).log);
}

/* alpha:0 is there, and its first record taken. */
static void begin(struct store_rig *rig)
{
	take(rig, 0, 0);
	check_unsuspicious(rig);
}

/* As many ends as it takes until one record is taken at a time. */
static int search_down_to_one(struct store_rig *rig)
{
	int ends = 0;
	while (limit(rig) > 1 && ends < 100) {
		run_and_die(rig, takes_up, 1);
		ends++;
	}
	return ends;
}

static void one_unclean_end_is_chance(void **state)
{
	struct store_rig *rig = *state;
	begin(rig);
	run_and_die(rig, takes_up, 1);
	check_unsuspicious(rig);
}

static void two_at_one_start_halve_the_batch(void **state)
{
	struct store_rig *rig = *state;
	begin(rig);
	run_and_die(rig, takes_up, 1);
	run_and_die(rig, takes_up, 1);
	assert_int_equal(limit(rig), 10000);
	struct store_suspicion found = store_suspicion(rig->store);
	assert_int_equal(found.ends, 2);
	assert_ptr_equal(found.log, &store_rig_partition(rig, 0)->log);
	assert_int_equal(found.offset, 1);
	assert_false(found.guilty);
}

static void each_further_one_halves_it_again_down_to_one(void **state)
{
	struct store_rig *rig = *state;
	static const size_t limits[] = {10000, 5000, 2500, 1250, 625, 312, 156,
		78, 39, 19, 9, 4, 2, 1, 1};
	begin(rig);
	run_and_die(rig, takes_up, 1);
	for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
		run_and_die(rig, takes_up, 1);
		assert_int_equal(limit(rig), limits[i]);
	}
}

static void an_end_behind_progress_halves_it_too(void **state)
{
	struct store_rig *rig = *state;
	begin(rig);
	run_and_die(rig, takes_up, 1);
	run_and_die(rig, takes_up, 1);
	run_and_die(rig, takes_one_in, 1);
	assert_int_equal(limit(rig), 5000);
}

static void progress_between_unclean_ends_keeps_them_harmless(void **state)
{
	struct store_rig *rig = *state;
	begin(rig);
	for (int64_t offset = 1; offset < 10; offset++) {
		run_and_die(rig, takes_up, offset);
		run_and_die(rig, takes_one_in, offset);
		check_unsuspicious(rig);
	}
}

static void a_clean_run_that_got_on_in_between_begins_anew(void **state)
{
	struct store_rig *rig = *state;
	begin(rig);
	run_and_die(rig, takes_up, 1);
	takes_one_in(rig, 1);
	run_and_die(rig, takes_up, 2);
	check_unsuspicious(rig);
}

static void an_end_without_records_counts_nothing(void **state)
{
	struct store_rig *rig = *state;
	begin(rig);
	for (int i = 0; i < 5; i++)
		run_and_die(rig, takes_nothing_up, 1);
	check_unsuspicious(rig);
}

static void orderly_ends_count_nothing(void **state)
{
	struct store_rig *rig = *state;
	begin(rig);
	for (int i = 0; i < 5; i++) {
		feed(rig, 0);
		store_rig_close(rig);
		store_rig_open(rig);
	}
	check_unsuspicious(rig);
}

static void an_end_is_counted_once(void **state)
{
	struct store_rig *rig = *state;
	struct directory note =
		directory_entry(&rig->directory, "generations/g1.db-running");
	struct directory kept = directory_entry(&rig->directory, "kept");
	begin(rig);
	feed(rig, 0);
	assert_int_equal(link(note.path, kept.path), 0);
	for (int i = 0; i < 5; i++) { /* killed before its own note stood */
		store_rig_close(rig);
		assert_int_equal(link(kept.path, note.path), 0);
		store_rig_open(rig);
	}
	check_unsuspicious(rig);
}

static void a_record_alone_at_three_ends_is_guilty(void **state)
{
	struct store_rig *rig = *state;
	begin(rig);
	search_down_to_one(rig);
	run_and_die(rig, looks_into, 1);
	run_and_die(rig, looks_into, 1);
	assert_false(store_suspicion(rig->store).guilty);
	assert_int_equal(store_suspicion(rig->store).alone_ends, 2);
	run_and_die(rig, looks_into, 1);
	struct store_suspicion found = store_suspicion(rig->store);
	assert_true(found.guilty);
	assert_ptr_equal(found.log, &store_rig_partition(rig, 0)->log);
	assert_int_equal(found.offset, 1);
	assert_int_equal(limit(rig), 1);
}

static void another_record_in_between_begins_anew(void **state)
{
	struct store_rig *rig = *state;
	begin(rig);
	search_down_to_one(rig);
	run_and_die(rig, looks_into, 1);
	run_and_die(rig, looks_into, 1);
	run_and_die(rig, looks_into, 2);
	run_and_die(rig, looks_into, 1);
	assert_false(store_suspicion(rig->store).guilty);
	assert_int_equal(store_suspicion(rig->store).alone_ends, 1);
}

static void an_end_without_it_begins_anew(void **state)
{
	struct store_rig *rig = *state;
	begin(rig);
	search_down_to_one(rig);
	run_and_die(rig, looks_into, 1);
	run_and_die(rig, looks_into, 1);
	run_and_die(rig, takes_up, 1);
	run_and_die(rig, looks_into, 1);
	assert_false(store_suspicion(rig->store).guilty);
}

static void a_record_that_got_in_is_never_guilty(void **state)
{
	struct store_rig *rig = *state;
	begin(rig);
	search_down_to_one(rig);
	run_and_die(rig, is_killed_behind_it, 1);
	assert_int_equal(store_suspicion(rig->store).alone_ends, 0);
}

static void a_record_that_waits_is_never_guilty(void **state)
{
	struct store_rig *rig = *state;
	begin(rig);
	search_down_to_one(rig);
	rig->options.busy_timeout_ms = 1;
	for (int i = 0; i < CRASH_ALONE_ENDS; i++)
		run_and_die(rig, is_killed_while_it_waits, 1);
	assert_int_equal(store_suspicion(rig->store).alone_ends, 0);
}

static void the_search_ends_when_the_guilty_one_is_taken(void **state)
{
	struct store_rig *rig = *state;
	begin(rig);
	search_down_to_one(rig);
	for (int i = 0; i < CRASH_ALONE_ENDS; i++)
		run_and_die(rig, looks_into, 1);
	assert_true(store_suspicion(rig->store).guilty);
	feed(rig, 0);
	take(rig, 0, 1);
	check_unsuspicious(rig);
	store_rig_close(rig);
	store_rig_open(rig);
	check_unsuspicious(rig);
}

static void the_search_ends_behind_what_was_in_flight(void **state)
{
	struct store_rig *rig = *state;
	begin(rig);
	int ends = search_down_to_one(rig);
	assert_int_equal(ends, 15);
	run_and_die(rig, takes_up, 1); /* three flights of one */
	feed(rig, 0);
	for (int64_t offset = 1; offset <= 3; offset++) {
		assert_int_equal(limit(rig), 1);
		take(rig, 0, offset);
	}
	check_unsuspicious(rig);
}

static void the_search_ends_at_the_end_of_the_partition(void **state)
{
	struct store_rig *rig = *state;
	begin(rig);
	run_and_die(rig, takes_up, 1);
	run_and_die(rig, takes_up, 1);
	feed(rig, 0);
	take(rig, 0, 1);
	assert_int_equal(limit(rig), 10000);
	store_rig_mark(rig, 0);
	check_unsuspicious(rig);
}

static void takes_up_both(struct store_rig *rig, int64_t offset)
{
	(void)offset;
	feed(rig, 0);
	feed(rig, 1);
}

static void every_partition_that_was_in_flight_has_to_pass(void **state)
{
	struct store_rig *rig = *state;
	begin(rig);
	take(rig, 1, 0);
	run_and_die(rig, takes_up_both, 1);
	run_and_die(rig, takes_up_both, 1);
	feed(rig, 0);
	feed(rig, 1);
	store_rig_mark(rig, 1);
	assert_int_equal(limit(rig), 10000);
	store_rig_mark(rig, 0);
	check_unsuspicious(rig);
}

static void a_partition_that_is_stopped_holds_no_search_up(void **state)
{
	struct store_rig *rig = *state;
	begin(rig);
	take(rig, 1, 0);
	run_and_die(rig, takes_up_both, 1);
	run_and_die(rig, takes_up_both, 1);
	feed(rig, 0);
	feed(rig, 1);
	store_stopped(rig->store, &store_rig_partition(rig, 1)->log, true);
	store_rig_mark(rig, 0);
	check_unsuspicious(rig);
}

static void takes_in_beside_the_stuck_one(struct store_rig *rig, int64_t offset)
{
	feed(rig, 0);
	feed(rig, 1);
	take(rig, 1, offset);
}

static void traffic_beside_it_hides_no_stuck_partition(void **state)
{
	struct store_rig *rig = *state;
	begin(rig);
	take(rig, 1, 0);
	run_and_die(rig, takes_in_beside_the_stuck_one, 1);
	run_and_die(rig, takes_in_beside_the_stuck_one, 2);
	assert_int_equal(limit(rig), 10000);
	assert_ptr_equal(store_suspicion(rig->store).log,
		&store_rig_partition(rig, 0)->log);
}

static void a_partition_whose_first_record_it_is_counts(void **state)
{
	struct store_rig *rig = *state;
	(void)store_rig_partition(rig, 0);
	run_and_die(rig, takes_up, 0);
	run_and_die(rig, takes_up, 0);
	assert_int_equal(limit(rig), 10000);
	assert_int_equal(store_suspicion(rig->store).offset, 0);
}

static void a_note_that_makes_no_sense_is_none(void **state)
{
	struct store_rig *rig = *state;
	static const char *const texts[] = {"", "run", "run x\nalone 1 1\nfff",
		"run 00000000000000000009\nalone 0000000001 "
		"0000000000000000000",
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
		"ff"
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
		"ff"};
	struct directory note =
		directory_entry(&rig->directory, "generations/g1.db-running");
	begin(rig);
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		store_rig_close(rig);
		FILE *file = fopen(note.path, "w");
		assert_non_null(file);
		assert_true(fputs(texts[i], file) >= 0);
		assert_int_equal(fclose(file), 0);
		store_rig_open(rig);
		check_unsuspicious(rig);
	}
}

static void readers_see_the_search(void **state)
{
	struct store_rig *rig = *state;
	struct reader_status status;
	struct reader *reader = NULL;
	begin(rig);
	run_and_die(rig, takes_up, 1);
	run_and_die(rig, takes_up, 1);
	assert_int_equal(
		reader_open(&reader, rig->directory.path, 1000, NULL), 0);
	assert_int_equal(reader_summary(reader, &rig->arena, &status, NULL), 0);
	assert_int_equal(status.search.batch_records, 10000);
	assert_int_equal(status.search.ends, 2);
	assert_int_equal(status.search.offset, 1);
	assert_string_equal(status.search.log->topic, "alpha");
	store_rig_mark(rig, 0);
	store_stopped(rig->store, &store_rig_partition(rig, 0)->log, false);
	store_rig_mark(rig, 0);
	assert_int_equal(reader_summary(reader, &rig->arena, &status, NULL), 0);
	assert_int_equal(status.search.batch_records, 0);
	reader_close(reader);
}

/* A letter parked by alpha:0's record at `offset`; its number. */
static int64_t park(struct store_rig *rig, int64_t offset)
{
	store_rig_take(rig, &(struct store_rig_event){.offset = offset,
				    .key = (unsigned)offset + 1,
				    .reason = REASON_UNKNOWN_VIEW});
	return store_rig_ask(rig, "SELECT max(id) FROM _parked");
}

static void tries_again(struct store_rig *rig, int64_t letter)
{
	assert_int_equal(store_retries(rig->store, 1, letter, NULL), 0);
}

static void tries_many_again(struct store_rig *rig, int64_t letter)
{
	assert_int_equal(store_retries(rig->store, 2, letter, NULL), 0);
}

static void is_killed_after_trying_again(struct store_rig *rig, int64_t letter)
{
	tries_again(rig, letter);
	assert_int_equal(store_retries(rig->store, 0, 0, NULL), 0);
}

static int due(struct store_rig *rig)
{
	int64_t ids[8];
	return store_due(rig->store, INT64_MAX, ids, 8, NULL);
}

static void a_letter_that_ends_the_process_three_times_is_left_alone(
	void **state)
{
	struct store_rig *rig = *state;
	int64_t letter = park(rig, 0);
	int64_t other = park(rig, 1);
	assert_false(store_retries_alone(rig->store));
	for (int i = 1; i < CRASH_ALONE_ENDS; i++) {
		run_and_die(rig, tries_again, letter);
		assert_true(store_retries_alone(rig->store));
		assert_int_equal(due(rig), 2);
	}
	run_and_die(rig, tries_again, letter);
	assert_int_equal(store_suspicion(rig->store).guilty_letter, letter);
	assert_int_equal(due(rig), 1);
	assert_int_equal(store_rig_ask(rig, "SELECT id FROM _parked"
					    " WHERE reason = 'crash_loop'"),
		letter);
	assert_false(store_retries_alone(rig->store));
	check_unsuspicious(rig); /* no record had to do with it */
	store_rig_close(rig);
	store_rig_open(rig);
	assert_int_equal(store_suspicion(rig->store).guilty_letter, 0);
	assert_int_equal(due(rig), 1);
	assert_int_not_equal(letter, other);
}

static void of_several_letters_none_is_blamed_until_it_is_alone(void **state)
{
	struct store_rig *rig = *state;
	int64_t letter = park(rig, 0);
	(void)park(rig, 1);
	for (int i = 0; i < 2 * CRASH_ALONE_ENDS; i++)
		run_and_die(rig, tries_many_again, letter);
	assert_true(store_retries_alone(rig->store));
	assert_int_equal(due(rig), 2);
	for (int i = 0; i < CRASH_ALONE_ENDS; i++)
		run_and_die(rig, tries_again, letter);
	assert_int_equal(store_suspicion(rig->store).guilty_letter, letter);
}

static void ends_of_different_letters_are_chance(void **state)
{
	struct store_rig *rig = *state;
	int64_t letters[] = {park(rig, 0), park(rig, 1)};
	for (int i = 0; i < 3 * CRASH_ALONE_ENDS; i++)
		run_and_die(rig, tries_again, letters[i % 2]);
	assert_int_equal(due(rig), 2);
}

static void a_letter_is_innocent_of_what_comes_after_it(void **state)
{
	struct store_rig *rig = *state;
	int64_t letter = park(rig, 0);
	for (int i = 0; i < 2 * CRASH_ALONE_ENDS; i++)
		run_and_die(rig, is_killed_after_trying_again, letter);
	assert_int_equal(due(rig), 1);
	assert_false(store_retries_alone(rig->store));
}

static void once_all_letters_were_tried_none_is_suspected(void **state)
{
	struct store_rig *rig = *state;
	int64_t letter = park(rig, 0);
	for (int i = 0; i < 3; i++) {
		run_and_die(rig, tries_again, letter);
		run_and_die(rig, tries_again, letter);
		assert_int_equal(store_retries_over(rig->store, NULL), 0);
		assert_false(store_retries_alone(rig->store));
		store_rig_close(rig);
		store_rig_open(rig);
		assert_false(store_retries_alone(rig->store));
	}
	assert_int_equal(due(rig), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(one_unclean_end_is_chance),
		WITH_STORE(two_at_one_start_halve_the_batch),
		WITH_STORE(each_further_one_halves_it_again_down_to_one),
		WITH_STORE(an_end_behind_progress_halves_it_too),
		WITH_STORE(progress_between_unclean_ends_keeps_them_harmless),
		WITH_STORE(a_clean_run_that_got_on_in_between_begins_anew),
		WITH_STORE(an_end_without_records_counts_nothing),
		WITH_STORE(orderly_ends_count_nothing),
		WITH_STORE(an_end_is_counted_once),
		WITH_STORE(a_record_alone_at_three_ends_is_guilty),
		WITH_STORE(another_record_in_between_begins_anew),
		WITH_STORE(an_end_without_it_begins_anew),
		WITH_STORE(a_record_that_got_in_is_never_guilty),
		WITH_STORE(a_record_that_waits_is_never_guilty),
		WITH_STORE(the_search_ends_when_the_guilty_one_is_taken),
		WITH_STORE(the_search_ends_behind_what_was_in_flight),
		WITH_STORE(the_search_ends_at_the_end_of_the_partition),
		WITH_STORE(every_partition_that_was_in_flight_has_to_pass),
		WITH_STORE(a_partition_that_is_stopped_holds_no_search_up),
		WITH_STORE(traffic_beside_it_hides_no_stuck_partition),
		WITH_STORE(a_partition_whose_first_record_it_is_counts),
		WITH_STORE(a_note_that_makes_no_sense_is_none),
		WITH_STORE(readers_see_the_search),
		WITH_STORE(
			a_letter_that_ends_the_process_three_times_is_left_alone),
		WITH_STORE(of_several_letters_none_is_blamed_until_it_is_alone),
		WITH_STORE(ends_of_different_letters_are_chance),
		WITH_STORE(a_letter_is_innocent_of_what_comes_after_it),
		WITH_STORE(once_all_letters_were_tried_none_is_suspected),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
