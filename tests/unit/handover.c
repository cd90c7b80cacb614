/*
 * Going back to older data keeps what operators decided since: holds, pauses,
 * dropped letters, the record; also where the live generation is damaged, as
 * far as it can be read.
 */
#include "store/decisions.h"
#include "store/generations.h"
#include "tests/lib/check.h"
#include "tests/lib/store_rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DEAD_EVERY 3 /* offsets 0, 3, 6: letters 1, 2, 3 */

static struct decision decision(const char *what, int64_t after_s)
{
	return (struct decision){
		.at_us = STORE_RIG_TIME_US + after_s * SECOND_US,
		.who = "ada",
		.what = what,
		.target = "account",
		.because = "it has to be"};
}

static void check_ok(int rc, const struct fault *fault)
{
	if (rc != 0)
		fail_msg("%d: %s", rc, fault->text);
}

static void take(
	struct store_rig *rig, int32_t partition, int64_t first, int64_t end)
{
	for (int64_t offset = first; offset < end; offset++) {
		const struct store_rig_event event = {.partition = partition,
			.offset = offset,
			.record_s = offset,
			.key = 1 + (unsigned)(100 * partition + offset),
			.content = (uint64_t)offset,
			.id = offset % 5,
			.count = 10,
			.reason = offset % DEAD_EVERY == 0
					  ? REASON_TYPE_MISMATCH
					  : REASON_NONE};
		(void)store_rig_take(rig, &event);
	}
}

/* Beside the live one, g2 with the first records of partition 0 alone: what a
 * backup from then would be. */
static void make_older(struct store_rig *rig, int64_t records)
{
	struct fault fault = {0};
	const struct store_build build = {.origin = "the log"};
	struct store *live = rig->store;
	check_ok(store_build(&rig->store, &rig->options, &build, &fault),
		&fault);
	take(rig, 0, 0, records);
	check_ok(store_complete(rig->store, &fault), &fault);
	store_close(rig->store);
	rig->store = live;
}

static struct handover switch_to(
	struct store_rig *rig, const char *generation, int64_t after_s)
{
	struct fault fault = {0};
	struct handover handover;
	const struct decision turned = decision("rollback", after_s);
	const struct store_switch to = {.generation = generation,
		.decision = &turned,
		.handover = &handover};
	check_ok(store_switch(&rig->store, &to, &fault), &fault);
	assert_string_equal(store_generation(rig->store), generation);
	return handover;
}

/* Where the live one can't be opened. */
static struct handover replace_by(
	struct store_rig *rig, const char *generation, int64_t after_s)
{
	struct fault fault = {0};
	struct handover handover;
	const struct decision turned = decision("restore", after_s);
	const struct store_switch to = {.generation = generation,
		.decision = &turned,
		.handover = &handover};
	assert_true(store_open(&rig->store, &rig->options, NULL) < 0);
	check_ok(store_replace(&rig->options, &to, &fault), &fault);
	store_rig_open(rig);
	return handover;
}

static void hold(struct store_rig *rig, const char *feature, int64_t after_s)
{
	struct fault fault = {0};
	const struct decision made = decision("hold", after_s);
	check_ok(store_hold(rig->store, "account", feature, CHOICE_FAIL, &made,
			 &fault),
		&fault);
}

static void release(struct store_rig *rig, int64_t after_s)
{
	struct fault fault = {0};
	const struct decision made = decision("release", after_s);
	check_ok(store_release(rig->store, "account", NULL, &made, &fault),
		&fault);
}

static void pause_partition(struct store_rig *rig, int32_t number)
{
	struct fault fault = {0};
	const struct decision made = decision("pause", 50);
	const struct store_stop stop = {
		.log = &store_rig_partition(rig, number)->log,
		.reason = STOP_PAUSED,
		.detail = "paused: a test",
		.since_us = STORE_RIG_TIME_US,
		.log_start = LOG_START_UNKNOWN};
	check_ok(
		store_stop_partition(rig->store, &stop, &made, &fault), &fault);
}

static void drop_letter(struct store_rig *rig, int64_t id)
{
	struct fault fault = {0};
	const struct decision made = decision("dead drop", 60);
	assert_int_equal(
		store_acknowledge(rig->store, &id, 1, &made, &fault), 1);
}

static int64_t count(struct store_rig *rig, const char *rows)
{
	char sql[128];
	(void)snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", rows);
	return store_rig_ask(rig, sql);
}

static void a_hold_stays_until_it_is_released(void **state)
{
	struct store_rig *rig = *state;
	take(rig, 0, 0, 9);
	make_older(rig, 4);
	hold(rig, NULL, 1);
	assert_int_equal(switch_to(rig, "g2", 2).holds, 1);
	assert_int_equal(count(rig, "_hold WHERE target = 'account'"
				    " AND choice = 'fail'"),
		1);
	/* g1 still has it; g2, which is live, has not. */
	release(rig, 3);
	assert_int_equal(switch_to(rig, "g1", 4).holds, 0);
	assert_int_equal(count(rig, "_hold"), 0);
}

static void a_hold_of_the_older_one_does_not_come_back(void **state)
{
	struct store_rig *rig = *state;
	take(rig, 0, 0, 9);
	make_older(rig, 4);
	hold(rig, "count", 1);
	(void)switch_to(rig, "g2", 2);
	hold(rig, NULL, 3);
	const struct handover back = switch_to(rig, "g1", 4);
	assert_int_equal(back.holds, 2);
	assert_int_equal(count(rig, "_hold"), 2);
	assert_string_equal(back.missed, "");
}

static void a_pause_stays_and_a_resumed_partition_runs(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	take(rig, 0, 0, 9);
	take(rig, 1, 0, 3);
	make_older(rig, 4);
	pause_partition(rig, 0);
	pause_partition(rig, 1);
	const struct handover there = switch_to(rig, "g2", 70);
	/* g2 never heard of partition 1 */
	assert_int_equal(there.stops, 1);
	assert_int_equal(there.stops_gone, 1);
	assert_int_equal(count(rig, "_stop WHERE reason = 'paused'"), 1);
	const struct decision resumed = decision("resume", 80);
	check_ok(store_resume_partition(rig->store,
			 &store_rig_partition(rig, 0)->log, &resumed, &fault),
		&fault);
	assert_int_equal(switch_to(rig, "g1", 90).stops, 0);
	/* of partition 1 the other could not say anything */
	assert_int_equal(count(rig, "_stop"), 1);
	assert_int_equal(count(rig, "_stop s JOIN _partition p ON p.id = s.log"
				    " WHERE p.partition = 1"),
		1);
}

static void the_record_has_each_decision_once(void **state)
{
	struct store_rig *rig = *state;
	take(rig, 0, 0, 9);
	make_older(rig, 4);
	hold(rig, NULL, 1);
	assert_int_equal(switch_to(rig, "g2", 2).decisions, 1);
	release(rig, 3);
	assert_int_equal(switch_to(rig, "g1", 4).decisions, 2);
	/* hold, rollback, release, rollback */
	assert_int_equal(count(rig, "_decision"), 4);
	assert_int_equal(
		store_rig_ask(rig, "SELECT group_concat(what) ="
				   " 'hold,rollback,release,rollback' FROM"
				   " (SELECT what FROM _decision ORDER BY id)"),
		1);
}

static void what_it_lacks_is_named(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	const struct decision loads[] = {
		decision("load", 1), decision("load", 2)};
	const struct decision applied = decision("schema apply", 3);
	take(rig, 0, 0, 9);
	make_older(rig, 4);
	check_ok(store_decide(rig->store, &loads[0], &fault), &fault);
	check_ok(store_decide(rig->store, &loads[1], &fault), &fault);
	check_ok(store_decide(rig->store, &applied, &fault), &fault);
	hold(rig, NULL, 4);
	const struct handover there = switch_to(rig, "g2", 5);
	assert_string_equal(there.undone, "2 load, 1 schema apply");
	assert_int_equal(there.decisions, 4);
}

static void a_dropped_letter_stays_dropped(void **state)
{
	struct store_rig *rig = *state;
	take(rig, 0, 0, 9);
	make_older(rig, 4); /* letters 1 and 2 */
	drop_letter(rig, 2);
	drop_letter(rig, 3);
	const struct handover there = switch_to(rig, "g2", 70);
	assert_int_equal(there.dropped, 1);
	assert_int_equal(there.drops_gone, 1);
	assert_int_equal(there.letters_back, 0);
	assert_int_equal(
		store_rig_ask(rig, "SELECT group_concat(id) = '2' FROM _dead"
				   " WHERE acknowledged IS NOT NULL"),
		1);
}

/* Its record comes again, and it is another letter: who knows letters by their
 * ids must not take it for one that is settled. */
static void no_letter_gets_an_id_that_another_had(void **state)
{
	struct store_rig *rig = *state;
	take(rig, 0, 0, 9);
	make_older(rig, 4);
	(void)switch_to(rig, "g2", 1);
	take(rig, 0, 4, 9);
	assert_int_equal(store_rig_ask(rig, "SELECT group_concat(id) = '1,2,4'"
					    " FROM (SELECT id FROM _dead"
					    " ORDER BY id)"),
		1);
	store_rig_close(rig);
	store_rig_open(rig);
	take(rig, 0, 9, 10);
	assert_int_equal(store_rig_ask(rig, "SELECT max(id) FROM _dead"), 5);
}

static void a_letter_that_left_is_there_again(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct letter_whole whole;
	struct retry_verdict verdict;
	take(rig, 0, 0, 9);
	make_older(rig, 4);
	drop_letter(rig, 1);
	assert_int_equal(store_letter(rig->store, LETTER_DEAD, 1, &rig->arena,
				 &whole, &fault),
		1);
	const struct store_record record = {
		.record = whole.record, .decoded = {0}};
	const struct store_retry leaves = {
		.letter = &whole.letter, .record = &record};
	const struct store_retry_options options = {.clear = true};
	check_ok(
		store_retry(rig->store, &leaves, 1, &options, &verdict, &fault),
		&fault);
	assert_int_equal(switch_to(rig, "g2", 70).letters_back, 1);
	assert_int_equal(count(rig, "_dead"), 2);
}

static void a_row_that_can_not_be_read_keeps_nobody_from_going_back(
	void **state)
{
	struct store_rig *rig = *state;
	take(rig, 0, 0, 9);
	make_older(rig, 4);
	hold(rig, "count", 1);
	hold(rig, "label", 1);
	store_rig_tamper(rig, "UPDATE _hold SET choice = 'default' WHERE"
			      " target = 'account:label'");
	const struct handover there = switch_to(rig, "g2", 2);
	assert_non_null(strstr(there.missed, "holds: table _hold"));
	assert_int_equal(there.holds, 1);
	assert_int_equal(there.decisions, 2);
}

/* Another row of it is damaged, so that no owner can open it. */
static void a_damaged_one_gives_what_can_be_read(void **state)
{
	struct store_rig *rig = *state;
	take(rig, 0, 0, 9);
	make_older(rig, 4);
	hold(rig, NULL, 1);
	pause_partition(rig, 0);
	drop_letter(rig, 2);
	store_rig_close(rig);
	store_rig_tamper(rig, "UPDATE _view SET _checksum = _checksum + 1");
	const struct handover there = replace_by(rig, "g2", 70);
	assert_int_equal(there.holds, 1);
	assert_int_equal(there.stops, 1);
	assert_int_equal(there.dropped, 1);
	assert_int_equal(there.decisions, 3);
	assert_string_equal(there.missed, "");
	assert_int_equal(count(rig, "_hold"), 1);
}

static void break_file(const struct store_rig *rig)
{
	char path[PATH_MAX + 32];
	char zeros[4096] = {0};
	(void)snprintf(
		path, sizeof path, "%s/generations/g1.db", rig->directory.path);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, zeros, sizeof zeros, 0), sizeof zeros);
	close(fd);
	(void)snprintf(path, sizeof path, "%s/generations/g1.db-wal",
		rig->directory.path);
	(void)unlink(path);
}

static void one_that_can_not_be_read_at_all_is_said_to_be(void **state)
{
	struct store_rig *rig = *state;
	take(rig, 0, 0, 9);
	make_older(rig, 4);
	hold(rig, NULL, 1);
	store_rig_close(rig);
	break_file(rig);
	const struct handover there = replace_by(rig, "g2", 2);
	assert_int_equal(there.holds, 0);
	assert_int_equal(strncmp(there.missed, "all: ", 5), 0);
	assert_int_equal(count(rig, "_decision"), 1);
}

static void swap_first_page(const struct store_rig *rig, char page[4096])
{
	char path[PATH_MAX + 32], was[4096];
	(void)snprintf(
		path, sizeof path, "%s/generations/g1.db", rig->directory.path);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, was, sizeof was, 0), sizeof was);
	assert_int_equal(pwrite(fd, page, sizeof was, 0), sizeof was);
	memcpy(page, was, sizeof was);
	close(fd);
}

/* While one could not be read the other went a way of its own. */
static void records_that_parted_are_joined(void **state)
{
	struct store_rig *rig = *state;
	char page[4096] = {0};
	take(rig, 0, 0, 9);
	make_older(rig, 4);
	hold(rig, NULL, 1);
	store_rig_close(rig);
	swap_first_page(rig, page);
	assert_string_not_equal(replace_by(rig, "g2", 2).missed, "");
	store_rig_close(rig);
	swap_first_page(rig, page);
	store_rig_open(rig);
	/* hold; restore joins, and the rollback itself */
	assert_int_equal(switch_to(rig, "g1", 3).decisions, 1);
	/* restore; hold and rollback join */
	assert_int_equal(switch_to(rig, "g2", 4).decisions, 2);
	assert_int_equal(count(rig, "_decision"), 4);
	assert_int_equal(count(rig, "(SELECT DISTINCT at FROM _decision)"), 4);
}

/* It was the live one, and nobody sealed it: what was replaced can be gone back
 * to when it is mended. */
static void one_that_was_replaced_can_come_back(void **state)
{
	struct store_rig *rig = *state;
	take(rig, 0, 0, 9);
	make_older(rig, 4);
	store_rig_close(rig);
	store_rig_tamper(rig, "UPDATE _view SET _checksum = _checksum + 1");
	(void)replace_by(rig, "g2", 2);
	store_rig_close(rig);
	char link[PATH_MAX + 16];
	(void)snprintf(
		link, sizeof link, "%s/features.db", rig->directory.path);
	/* tamper reaches the live one only */
	assert_int_equal(unlink(link), 0);
	assert_int_equal(symlink("generations/g1.db", link), 0);
	store_rig_tamper(rig, "UPDATE _view SET _checksum = _checksum - 1");
	assert_int_equal(unlink(link), 0);
	assert_int_equal(symlink("generations/g2.db", link), 0);
	store_rig_open(rig);
	hold(rig, NULL, 3);
	assert_int_equal(switch_to(rig, "g1", 4).holds, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(a_hold_stays_until_it_is_released),
		WITH_STORE(a_hold_of_the_older_one_does_not_come_back),
		WITH_STORE(a_pause_stays_and_a_resumed_partition_runs),
		WITH_STORE(the_record_has_each_decision_once),
		WITH_STORE(what_it_lacks_is_named),
		WITH_STORE(a_dropped_letter_stays_dropped),
		WITH_STORE(no_letter_gets_an_id_that_another_had),
		WITH_STORE(a_letter_that_left_is_there_again),
		WITH_STORE(
			a_row_that_can_not_be_read_keeps_nobody_from_going_back),
		WITH_STORE(a_damaged_one_gives_what_can_be_read),
		WITH_STORE(one_that_can_not_be_read_at_all_is_said_to_be),
		WITH_STORE(records_that_parted_are_joined),
		WITH_STORE(one_that_was_replaced_can_come_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
