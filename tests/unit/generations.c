/*
 * Generations of a store: built beside the live one, switched to, gone back to,
 * dropped; and a crash at each step of the switch leaves the old or the new.
 */
#include "store/generations.h"
#include "store/decisions.h"
#include "store/failpoint.h"
#include "store/reader.h"
#include "tests/lib/check.h"
#include "tests/lib/store_rig.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Where the child of crash_at() dies; other tests pass unharmed. */
static const char *deadly = "";

void failpoint(const char *name)
{
	if (strcmp(name, deadly) == 0)
		(void)kill(getpid(), SIGKILL);
}

static const struct decision decision = {.at_us = STORE_RIG_TIME_US,
	.who = "ada",
	.what = "switch",
	.target = "g2",
	.because = "a test"};

static const struct store_switch to_g2 = {.generation = "g2",
	.exactly = true,
	.decision = &decision};

static void check_ok(int rc, const struct fault *fault)
{
	if (rc != 0)
		fail_msg("%d: %s", rc, fault == NULL ? "" : fault->text);
}

static struct store_rig_event event(int64_t offset)
{
	return (struct store_rig_event){.offset = offset,
		.record_s = offset,
		.key = 1 + (unsigned)offset,
		.content = (uint64_t)offset,
		.id = 7 + offset % 3,
		.count = 10};
}

static void take(struct store_rig *rig, int64_t first, int64_t end)
{
	for (int64_t offset = first; offset < end; offset++) {
		const struct store_rig_event one = event(offset);
		(void)store_rig_take(rig, &one);
	}
}

/* The same log up to `end` in a new generation, from `base` or from scratch;
 * left complete. */
static void build(
	struct store_rig *rig, const char *base, int64_t first, int64_t end)
{
	struct fault fault = {0};
	struct store *live = rig->store;
	const struct store_build build = {.base = base, .origin = "the log"};
	check_ok(store_build(&rig->store, &rig->options, &build, &fault),
		&fault);
	take(rig, first, end);
	check_ok(store_carry(rig->store, NULL, &fault), &fault);
	check_ok(store_complete(rig->store, &fault), &fault);
	store_close(rig->store);
	rig->store = live;
}

static struct digest digest_of(const struct store_rig *rig)
{
	return store_digest(rig->store);
}

static void assert_link(const struct store_rig *rig, const char *target)
{
	char path[PATH_MAX + 16], found[64] = "";
	(void)snprintf(
		path, sizeof path, "%s/features.db", rig->directory.path);
	assert_true(readlink(path, found, sizeof found - 1) > 0);
	assert_string_equal(found, target);
}

static void a_generation_built_from_the_log_takes_the_live_ones_place(
	void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	take(rig, 0, 20);
	struct digest before = digest_of(rig);
	build(rig, NULL, 0, 20);
	assert_link(rig, "generations/g1.db");
	check_ok(store_switch(&rig->store, &to_g2, &fault), &fault);
	assert_string_equal(store_generation(rig->store), "g2");
	assert_link(rig, "generations/g2.db");
	assert_true(digest_equal(digest_of(rig), before));
	take(rig, 20, 25);
	store_rig_close(rig);
	store_rig_open(rig);
	assert_string_equal(store_generation(rig->store), "g2");
	assert_int_equal(store_rig_partition(rig, 0)->accounts.next_offset, 25);
	assert_int_equal(store_rig_ask(rig,
				 "SELECT count(*) FROM _decision WHERE before ="
				 " 'g1' AND after = 'g2' AND who = 'ada'"),
		1);
}

static void ids_and_secrets_are_the_stores(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct store *built = NULL;
	const struct store_build build = {.origin = "the log"};
	check_ok(store_build(&built, &rig->options, &build, &fault), &fault);
	assert_string_equal(store_id(built), store_id(rig->store));
	assert_memory_equal(store_secret(built), store_secret(rig->store), 16);
	store_close(built);
}

static void a_reader_moves_with_its_next_snapshot(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct reader *reader = NULL;
	take(rig, 0, 5);
	check_ok(reader_open(&reader, rig->directory.path, 1000, &fault),
		&fault);
	reader_keep(reader, true);
	assert_false(reader_has_moved(reader));
	build(rig, NULL, 0, 5);
	assert_false(reader_has_moved(reader));
	check_ok(store_switch(&rig->store, &to_g2, &fault), &fault);
	assert_true(reader_has_moved(reader));
	reader_close(reader);
	check_ok(reader_open(&reader, rig->directory.path, 1000, &fault),
		&fault);
	assert_string_equal(reader_generation(reader), "g2");
	assert_false(reader_has_moved(reader));
	reader_close(reader);
}

static void what_is_incomplete_or_elsewhere_takes_no_place(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct store *built = NULL;
	const struct store_build from_log = {.origin = "the log"};
	take(rig, 0, 5);
	check_ok(store_build(&built, &rig->options, &from_log, &fault), &fault);
	/* it is being built */
	assert_int_equal(
		store_switch(&rig->store, &to_g2, &fault), FAULT_REFUSED);
	store_close(built);
	/* it is incomplete */
	assert_int_equal(
		store_switch(&rig->store, &to_g2, &fault), FAULT_REFUSED);
	const struct store_build go_on = {.generation = "g2"};
	check_ok(store_build(&built, &rig->options, &go_on, &fault), &fault);
	check_ok(store_complete(built, &fault), &fault);
	store_close(built);
	build(rig, NULL, 0, 4);
	/* g3 lacks a record */
	struct store_switch to = to_g2;
	to.generation = "g3";
	assert_int_equal(store_switch(&rig->store, &to, &fault), FAULT_REFUSED);
	assert_non_null(strstr(fault.text, "offset 4"));
	to.generation = "g9";
	assert_int_equal(store_switch(&rig->store, &to, &fault), FAULT_USAGE);
	to.generation = "g1";
	assert_int_equal(store_switch(&rig->store, &to, &fault), FAULT_REFUSED);
	/* and the live one goes on */
	take(rig, 5, 8);
	assert_string_equal(store_generation(rig->store), "g1");
}

static void one_at_a_time_is_built(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct store *one = NULL, *other = NULL;
	const struct store_build from_log = {.origin = "the log"};
	check_ok(store_build(&one, &rig->options, &from_log, &fault), &fault);
	assert_int_equal(store_build(&other, &rig->options, &from_log, &fault),
		FAULT_REFUSED);
	assert_null(other);
	store_close(one);
}

static void switch_to_g2(struct store_rig *rig, const void *unused)
{
	(void)unused;
	(void)store_switch(&rig->store, &to_g2, NULL);
}

/* A crash in a process of its own, which opens what it works on; the store is
 * closed then. */
static void crash_in(struct store_rig *rig, const char *where,
	void (*work)(struct store_rig *rig, const void *with), const void *with)
{
	store_rig_close(rig);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		store_rig_open(rig);
		deadly = where;
		work(rig, with);
		_exit(0);
	}
	int status = 0;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
}

/* The same at a step of the switch. */
static void crash(struct store_rig *rig, const char *where)
{
	crash_in(rig, where, switch_to_g2, NULL);
}

static void crash_at(struct store_rig *rig, const char *where)
{
	crash(rig, where);
	store_rig_open(rig);
}

static void check_crash(
	struct store_rig *rig, const char *where, const char *left)
{
	take(rig, 0, 20);
	struct digest before = digest_of(rig);
	build(rig, NULL, 0, 20);
	crash_at(rig, where);
	assert_string_equal(store_generation(rig->store), left);
	assert_true(digest_equal(digest_of(rig), before));
	take(rig, 20, 22);
	struct reader *reader = NULL;
	check_ok(reader_open(&reader, rig->directory.path, 1000, NULL), NULL);
	assert_string_equal(reader_generation(reader), left);
	assert_false(reader_has_moved(reader));
	reader_close(reader);
	assert_int_equal(
		store_rig_ask(rig, "SELECT count(*) FROM _meta WHERE name ="
				   " 'state' AND value <> 'live'"),
		0);
}

static void a_crash_before_the_seal_leaves_the_old_one(void **state)
{
	check_crash(*state, "switch_ready", "g1");
}

static void a_crash_behind_the_seal_leaves_the_new_one(void **state)
{
	check_crash(*state, "switch_sealed", "g2");
}

static void a_crash_behind_the_link_leaves_the_new_one(void **state)
{
	check_crash(*state, "switch_linked", "g2");
}

static void a_seal_without_a_ready_successor_is_lifted(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	take(rig, 0, 20);
	build(rig, NULL, 0, 20);
	crash_at(rig, "switch_ready");
	/* g2 is ready for g1's place, and g1 not sealed: g1 goes on alone */
	take(rig, 20, 21);
	/* so g2 stands elsewhere now */
	assert_int_equal(
		store_switch(&rig->store, &to_g2, &fault), FAULT_REFUSED);
	assert_string_equal(store_generation(rig->store), "g1");
}

/* A closed store's file, as a backup is: made by SQL from outside. */
static void copy_live(struct store_rig *rig, char out[PATH_MAX])
{
	char sql[PATH_MAX + 32];
	(void)snprintf(
		out, PATH_MAX, "%s/backups/copy.db", rig->directory.path);
	(void)snprintf(sql, sizeof sql, "VACUUM INTO '%s'", out);
	store_rig_tamper(rig, sql);
}

/* g1 is sealed, and `successor` stands where g2 did; NULL: nothing does. */
static void check_lifted(struct store_rig *rig, const char *successor)
{
	struct directory g2 =
		directory_entry(&rig->directory, "generations/g2.db");
	struct directory wal =
		directory_entry(&rig->directory, "generations/g2.db-wal");
	take(rig, 0, 20);
	build(rig, NULL, 0, 20);
	crash(rig, "switch_sealed");
	assert_int_equal(unlink(g2.path), 0);
	(void)unlink(wal.path);
	if (successor != NULL)
		file_write(g2.path, successor);
	store_rig_open(rig);
	assert_string_equal(store_generation(rig->store), "g1");
	take(rig, 20, 22);
}

static void a_seal_whose_successor_is_gone_is_lifted(void **state)
{
	check_lifted(*state, NULL);
}

static void a_seal_whose_successor_is_no_store_is_lifted(void **state)
{
	check_lifted(*state, "my thesis, the only copy\n");
}

static void a_switch_that_can_not_be_finished_is_told(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct directory link =
		directory_entry(&rig->directory, "features.db.new");
	take(rig, 0, 20);
	build(rig, NULL, 0, 20);
	crash(rig, "switch_sealed");
	assert_int_equal(mkdir(link.path, 0700), 0);
	assert_true(store_open(&rig->store, &rig->options, &fault) < 0);
	assert_null(rig->store);
	assert_non_null(strstr(fault.text, "finishing the switch to g2"));
	assert_int_equal(rmdir(link.path), 0);
	store_rig_open(rig);
	assert_string_equal(store_generation(rig->store), "g2");
}

static void nobody_goes_back_to_what_took_nothing(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	take(rig, 0, 5);
	build(rig, NULL, 0, 0);
	const struct store_switch back = {.generation = "g2",
		.stop_reason = STOP_ROLLED_BACK,
		.stop_detail = "rolled_back: a test"};
	assert_int_equal(
		store_switch(&rig->store, &back, &fault), FAULT_REFUSED);
	assert_non_null(strstr(fault.text, "there is nothing to go back to"));
	assert_string_equal(store_generation(rig->store), "g1");
	take(rig, 5, 6);
}

/* Its older log takes nothing more, and what a person paused stays paused, also
 * when what was rolled back is resumed. */
static void going_back_stops_only_what_takes_records(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	const char *reason = "";
	take(rig, 0, 5);
	const struct store_partition *paused = NULL;
	check_ok(store_partition(rig->store, "beta", 0, 0, &paused, &fault),
		&fault);
	struct store_stop stop = {.log = &paused->log,
		.reason = STOP_PAUSED,
		.detail = "paused: a test",
		.log_start = LOG_START_UNKNOWN};
	check_ok(store_stop_partition(rig->store, &stop, &decision, &fault),
		&fault);
	stop.log = &store_rig_partition(rig, 0)->log;
	stop.reason = STOP_CHANGED;
	stop.log_start = 0;
	check_ok(store_stop_partition(rig->store, &stop, NULL, &fault), &fault);
	check_ok(
		store_new_log(rig->store, stop.log, &decision, &fault), &fault);
	assert_int_equal(store_rig_partition(rig, 0)->log.incarnation, 1);
	char base[PATH_MAX];
	copy_live(rig, base);
	build(rig, base, 0, 1);
	const struct store_switch back = {.generation = "g2",
		.stop_reason = STOP_ROLLED_BACK,
		.stop_detail = "rolled_back: a test"};
	check_ok(store_switch(&rig->store, &back, &fault), &fault);
	assert_int_equal(store_rig_ask(rig, "SELECT count(*) FROM _stop"), 2);
	check_ok(store_partition(rig->store, "beta", 0, 0, &paused, &fault),
		&fault);
	assert_int_equal(store_why_stopped(rig->store, &paused->log,
				 &rig->arena, &reason, &fault),
		1);
	assert_string_equal(reason, STOP_PAUSED);
}

static void going_back_stops_every_partition_until_it_is_resumed(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	const char *reason = "";
	take(rig, 0, 10);
	struct digest old = digest_of(rig);
	build(rig, NULL, 0, 10);
	check_ok(store_switch(&rig->store, &to_g2, &fault), &fault);
	take(rig, 10, 15);
	const struct store_switch back = {.generation = "g1",
		.stop_reason = STOP_ROLLED_BACK,
		.stop_detail = "rolled_back: a test",
		.decision = &decision};
	check_ok(store_switch(&rig->store, &back, &fault), &fault);
	assert_string_equal(store_generation(rig->store), "g1");
	assert_true(digest_equal(digest_of(rig), old));
	const struct store_partition *partition = store_rig_partition(rig, 0);
	assert_int_equal(partition->accounts.next_offset, 10);
	assert_int_equal(store_why_stopped(rig->store, &partition->log,
				 &rig->arena, &reason, &fault),
		1);
	assert_string_equal(reason, STOP_ROLLED_BACK);
	assert_true(stop_lasts(reason));
	/* what appears meanwhile waits, too */
	const struct store_partition *added = NULL;
	check_ok(store_partition(rig->store, "appeared", 3, 0, &added, &fault),
		&fault);
	assert_int_equal(store_why_stopped(rig->store, &added->log, &rig->arena,
				 &reason, &fault),
		1);
	assert_string_equal(reason, STOP_ROLLED_BACK);
	/* what was rolled back does not come back by itself */
	store_rig_close(rig);
	store_rig_open(rig);
	assert_string_equal(store_generation(rig->store), "g1");
}

static void a_base_is_gone_on_with(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	char base[PATH_MAX];
	take(rig, 0, 10);
	copy_live(rig, base);
	take(rig, 10, 20);
	struct digest before = digest_of(rig);
	build(rig, base, 10, 20);
	check_ok(store_switch(&rig->store, &to_g2, &fault), &fault);
	assert_true(digest_equal(digest_of(rig), before));
}

static void begin_build(struct store_rig *rig, const void *from)
{
	struct store *build = NULL;
	(void)store_build(&build, &rig->options, from, NULL);
}

static void a_crash_while_one_is_made_leaves_none_that_looks_complete(
	void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	char base[PATH_MAX];
	const struct store_build from = {.base = base, .origin = "a backup"};
	take(rig, 0, 10);
	copy_live(rig, base);
	crash_in(rig, "generation_placed", begin_build, &from);
	store_rig_open(rig);
	assert_int_equal(
		store_switch(&rig->store, &to_g2, &fault), FAULT_REFUSED);
	assert_non_null(strstr(fault.text, "g2 is not complete"));
	assert_string_equal(store_generation(rig->store), "g1");
}

static void a_damaged_live_one_is_replaced(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	char base[PATH_MAX], path[PATH_MAX];
	take(rig, 0, 10);
	struct digest before = digest_of(rig);
	copy_live(rig, base);
	store_rig_close(rig);
	(void)snprintf(
		path, sizeof path, "%s/generations/g1.db", rig->directory.path);
	FILE *file = fopen(path, "r+");
	assert_non_null(file);
	assert_int_equal(fwrite("damaged beyond repair", 1, 21, file), 21);
	assert_int_equal(fclose(file), 0);
	assert_true(store_open(&rig->store, &rig->options, &fault) < 0);
	struct store *built = NULL;
	const struct store_build build = {.base = base, .origin = "copy"};
	check_ok(store_build(&built, &rig->options, &build, &fault), &fault);
	check_ok(store_complete(built, &fault), &fault);
	store_close(built);
	const struct store_switch to = {
		.generation = "g2", .decision = &decision};
	check_ok(store_replace(&rig->options, &to, &fault), &fault);
	store_rig_open(rig);
	assert_string_equal(store_generation(rig->store), "g2");
	assert_true(digest_equal(digest_of(rig), before));
}

static void generations_are_listed_and_dropped(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	const struct generation *all = NULL;
	const char *path = rig->directory.path;
	size_t count = 0;
	take(rig, 0, 10);
	build(rig, NULL, 0, 10);
	check_ok(store_switch(&rig->store, &to_g2, &fault), &fault);
	build(rig, NULL, 0, 4);
	check_ok(generations_list(path, &rig->arena, &all, &count, &fault),
		&fault);
	assert_int_equal(count, 3);
	assert_string_equal(all[0].name, "g1");
	assert_int_equal(all[0].state, GENERATION_SEALED);
	assert_string_equal(all[0].peer, "g2");
	assert_false(all[0].live);
	assert_int_equal(all[1].state, GENERATION_LIVE);
	assert_true(all[1].live);
	assert_string_equal(all[1].origin, "the log");
	assert_int_equal(all[2].state, GENERATION_COMPLETE);
	assert_int_equal(generation_drop(path, "g2", &fault), FAULT_REFUSED);
	assert_int_equal(generation_drop(path, "g7", &fault), FAULT_USAGE);
	assert_int_equal(
		generation_drop(path, "../../etc", &fault), FAULT_USAGE);
	check_ok(generation_drop(path, "g1", &fault), &fault);
	check_ok(generations_list(path, &rig->arena, &all, &count, &fault),
		&fault);
	assert_int_equal(count, 2);
	/* a name is not used again while a higher one is there */
	build(rig, NULL, 0, 4);
	check_ok(generations_list(path, &rig->arena, &all, &count, &fault),
		&fault);
	assert_string_equal(all[2].name, "g4");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(
			a_generation_built_from_the_log_takes_the_live_ones_place),
		WITH_STORE(ids_and_secrets_are_the_stores),
		WITH_STORE(a_reader_moves_with_its_next_snapshot),
		WITH_STORE(what_is_incomplete_or_elsewhere_takes_no_place),
		WITH_STORE(one_at_a_time_is_built),
		WITH_STORE(a_crash_before_the_seal_leaves_the_old_one),
		WITH_STORE(a_crash_behind_the_seal_leaves_the_new_one),
		WITH_STORE(a_crash_behind_the_link_leaves_the_new_one),
		WITH_STORE(a_seal_without_a_ready_successor_is_lifted),
		WITH_STORE(a_seal_whose_successor_is_gone_is_lifted),
		WITH_STORE(a_seal_whose_successor_is_no_store_is_lifted),
		WITH_STORE(a_switch_that_can_not_be_finished_is_told),
		WITH_STORE(nobody_goes_back_to_what_took_nothing),
		WITH_STORE(going_back_stops_only_what_takes_records),
		WITH_STORE(
			going_back_stops_every_partition_until_it_is_resumed),
		WITH_STORE(a_base_is_gone_on_with),
		WITH_STORE(
			a_crash_while_one_is_made_leaves_none_that_looks_complete),
		WITH_STORE(a_damaged_live_one_is_replaced),
		WITH_STORE(generations_are_listed_and_dropped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
