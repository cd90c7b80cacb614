/*
 * The real store against its twin in memory (tests/lib/twin.h): random batches
 * go to both, and after each both must say the same.
 *
 * Every seed is printed before it runs. HOLDFAST_SEED=n begins with that seed,
 * HOLDFAST_ROUNDS=n runs so many.
 */
#include "store/writer.h"
#include "tests/lib/check.h"
#include "tests/lib/directory.h"
#include "tests/lib/random_batches.h"
#include "tests/lib/store_compare.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 10
#define STEPS 120
#define SEGMENT_ROWS 4 /* so that keys are let go in so short a life */

struct rig {
	struct directory directory;
	struct random_batches random;
	struct store *store;
	struct twin *twin;
	struct store_options options;
	const struct log *logs[RANDOM_PARTITIONS_MAX]; /* the store's */
	bool keys_went; /* the file held fewer than were ever taken */
};

static uint64_t below(struct rig *rig, uint64_t limit)
{
	return chance_below(&rig->random.chance, limit);
}

static bool percent(struct rig *rig, unsigned share)
{
	return chance_percent(&rig->random.chance, share);
}

static void good(int rc, const struct fault *fault)
{
	if (rc != 0)
		fail_msg("%d: %s", rc, fault->text);
}

/* What the store says of every partition, found or made. */
static void compare_all(struct rig *rig)
{
	struct fault fault = {0};
	for (size_t i = 0; i < rig->random.partition_count; i++) {
		const struct log *log = &rig->random.partitions[i].log;
		const struct store_partition *real, *twin;
		good(store_partition(rig->store, log->topic, log->partition,
			     RANDOM_FIRST_OFFSET, &real, &fault),
			&fault);
		good(twin_partition(rig->twin, log->topic, log->partition,
			     RANDOM_FIRST_OFFSET, &twin, &fault),
			&fault);
		compare_partitions(real, twin);
		assert_int_equal(real->log.id, log->id);
		rig->logs[i] = &real->log;
	}
	compare_digests(store_digest(rig->store), twin_digest(rig->twin));
}

static void open_store(struct rig *rig)
{
	struct fault fault = {0};
	good(store_open(&rig->store, &rig->options, &fault), &fault);
	rig->store->keys.segment_rows = SEGMENT_ROWS;
	good(keys_load(&rig->store->keys, &fault), &fault);
	compare_all(rig);
}

static void reopen(struct rig *rig)
{
	store_close(rig->store);
	open_store(rig);
}

static void rig_open(struct rig *rig, enum random_clocks clocks, uint64_t seed)
{
	struct fault fault = {0};
	*rig = (struct rig){0};
	random_batches_init(&rig->random, clocks, seed);
	directory_make(&rig->directory);
	rig->options = store_options_default();
	rig->options.path = rig->directory.path;
	rig->options.schema = rig->random.schema;
	rig->options.key_window_us = RANDOM_WINDOW_US;
	rig->options.busy_timeout_ms = 0;
	rig->options.wal_max_bytes = UINT64_C(100) << below(rig, 20);
	if (clocks == CLOCKS_FORWARD)
		rig->options.key_window_keys = below(rig, 30);
	good(twin_open(&rig->twin, &rig->options, &fault), &fault);
	for (uint64_t more = below(rig, 3) + 1; more > 0; more--)
		random_partition_add(&rig->random);
	open_store(rig);
}

static void rig_close(struct rig *rig)
{
	store_close(rig->store);
	twin_close(rig->twin);
	random_batches_finish(&rig->random);
	directory_remove(&rig->directory);
}

static int apply(struct rig *rig, const struct store_batch *batch,
	struct store_tally *tally, struct fault *fault)
{
	struct store_batch aimed = random_aim(
		&rig->random, batch, store_schema(rig->store), rig->logs);
	return store_apply(rig->store, &aimed, tally, fault);
}

static void apply_to_both(struct rig *rig, const struct store_batch *batch)
{
	struct fault fault = {0};
	struct store_tally real, twin;
	good(apply(rig, batch, &real, &fault), &fault);
	good(twin_apply(rig->twin, batch, &twin, &fault), &fault);
	compare_tallies(&real, &twin);
	compare_all(rig);
	good(store_checkpoint(rig->store, percent(rig, 50), &fault), &fault);
}

/* The batch is refused for now: nothing may have changed. */
static void apply_in_vain(
	struct rig *rig, const struct store_batch *batch, int expected)
{
	struct fault fault = {0};
	int rc = apply(rig, batch, NULL, &fault);
	if (rc != expected)
		fail_msg("%d, not %d: %s", rc, expected, fault.text);
	compare_all(rig);
}

static sqlite3 *connect_outside(struct rig *rig)
{
	struct fault fault = {0};
	sqlite3 *db = NULL;
	struct directory file = directory_entry(&rig->directory, "features.db");
	good(sql_open(&db, file.path, SQL_WRITE, 0, &fault), &fault);
	return db;
}

static void somebody_writes(struct rig *rig, const struct store_batch *batch)
{
	struct fault fault = {0};
	sqlite3 *db = connect_outside(rig);
	good(sql_execute(db, "BEGIN IMMEDIATE", &fault), &fault);
	apply_in_vain(rig, batch, FAULT_BUSY);
	sqlite3_close(db);
}

static void somebody_takes_over(
	struct rig *rig, const struct store_batch *batch)
{
	struct fault fault = {0};
	sqlite3 *db = connect_outside(rig);
	good(meta_write_epoch(db, rig->store->owner_epoch + 1, &fault), &fault);
	sqlite3_close(db);
	apply_in_vain(rig, batch, FAULT_FENCED);
	reopen(rig);
}

static int refuse(void *payload)
{
	(void)payload;
	return 1;
}

/* A COMMIT that fails: the store can't know whether it is there. */
static void a_commit_fails(struct rig *rig, const struct store_batch *batch)
{
	sqlite3_commit_hook(rig->store->db, refuse, NULL);
	apply_in_vain(rig, batch, STORE_OUTCOME_UNKNOWN);
	sqlite3_commit_hook(rig->store->db, NULL, NULL);
}

struct interruption {
	uint64_t steps_left;
	uint64_t times_left;
};

static int interrupt(void *payload)
{
	struct interruption *interruption = payload;
	if (interruption->times_left == 0)
		return 0;
	if (interruption->steps_left > 0) {
		interruption->steps_left--;
		return 0;
	}
	interruption->times_left--;
	return 1;
}

static int complain(void *payload, sqlite3 *db, const char *name, int pages)
{
	(void)name;
	(void)pages;
	/* Reading the store again then fails as well, if it is to. */
	sqlite3_progress_handler(db, 10, interrupt, payload);
	return SQLITE_ERROR;
}

/* The other way round: COMMIT says that it failed, and it is there. */
static void a_commit_seems_to_fail(
	struct rig *rig, const struct store_batch *batch)
{
	struct fault fault = {0};
	struct interruption interruption = {below(rig, 10), below(rig, 2)};
	sqlite3_wal_hook(rig->store->db, complain, &interruption);
	int rc = apply(rig, batch, NULL, &fault);
	sqlite3_wal_hook(rig->store->db, NULL, NULL);
	sqlite3_progress_handler(rig->store->db, 0, NULL, NULL);
	if (rc < 0)
		assert_int_equal(rc, FAULT_INTERNAL);
	good(twin_apply(rig->twin, batch, NULL, &fault), &fault);
	compare_all(rig);
}

/* Does the store say of some partition what its twin does not say yet? */
static bool store_is_ahead(const struct rig *rig)
{
	for (size_t i = 0; i < rig->random.partition_count; i++) {
		const struct store_partition *real =
			rig->store->partitions.items[i];
		const struct store_partition *twin =
			twin_partition_at(rig->twin, i);
		if (real->accounts.next_offset != twin->accounts.next_offset ||
			real->accounts.redelivered !=
				twin->accounts.redelivered ||
			real->as_of_us != twin->as_of_us)
			return true;
	}
	return false;
}

/* A statement fails somewhere in the middle, be it COMMIT when it is done, and
 * perhaps those that follow; or none does. */
static void a_statement_fails(struct rig *rig, const struct store_batch *batch)
{
	struct fault fault = {0};
	struct interruption interruption = {below(rig, 40), 1 + below(rig, 3)};
	sqlite3_progress_handler(rig->store->db, 10, interrupt, &interruption);
	int rc = apply(rig, batch, NULL, &fault);
	sqlite3_progress_handler(rig->store->db, 0, NULL, NULL);
	if (rc < 0)
		assert_int_equal(rc, FAULT_INTERNAL);
	good(store_refresh(rig->store, &fault), &fault);
	if (rc == STORE_DURABLE || store_is_ahead(rig))
		good(twin_apply(rig->twin, batch, NULL, &fault), &fault);
	compare_all(rig);
}

static void the_window_is_full(struct rig *rig, const struct store_batch *batch)
{
	size_t updates = 0;
	for (size_t i = 0; i < batch->record_count; i++)
		updates += batch->records[i].decoded.update_count;
	if (updates == 0)
		return;
	rig->store->options.key_window_max_bytes = 1;
	apply_in_vain(rig, batch, STORE_WINDOW_FULL);
	rig->store->options.key_window_max_bytes =
		rig->options.key_window_max_bytes;
}

static void look_into_the_file(struct rig *rig)
{
	struct compare_file_options options = {
		rig->directory.path, rig->random.clocks == CLOCKS_WILD};
	int64_t keys = compare_file(rig->twin, &options);
	if ((size_t)keys < twin_key_count(rig->twin))
		rig->keys_went = true;
}

static void one_partition_more(struct rig *rig)
{
	if (rig->random.partition_count == RANDOM_PARTITIONS_MAX)
		return;
	random_partition_add(&rig->random);
	compare_all(rig);
}

static void one_partition_stops(struct rig *rig)
{
	struct random_partition *last =
		&rig->random.partitions[rig->random.partition_count - 1];
	if (last == rig->random.partitions)
		return;
	last->stopped = true;
	store_stopped(rig->store, rig->logs[last->log.id - 1], true);
}

static void somebody_names_the_cluster(struct rig *rig)
{
	struct fault fault = {0};
	uint64_t index = below(rig, rig->random.partition_count);
	const struct log *log = rig->logs[index];
	struct store_announced announced = {.topic = log->topic,
		.partition = log->partition,
		.cluster_id = percent(rig, 50) ? "c1" : "cluster-2"};
	good(store_partitions(rig->store, &announced, 1, &fault), &fault);
	twin_identify(rig->twin, &rig->random.partitions[index].log,
		announced.cluster_id);
	compare_all(rig);
}

static void step(struct rig *rig)
{
	uint64_t event = below(rig, 100);
	if (event < 2)
		one_partition_more(rig);
	else if (event < 3)
		one_partition_stops(rig);
	else if (event < 5)
		somebody_names_the_cluster(rig);
	else if (event < 9)
		reopen(rig);
	else if (event < 15)
		look_into_the_file(rig);
	struct store_batch batch = random_batch(&rig->random);
	if (event >= 98)
		somebody_writes(rig, &batch);
	else if (event >= 96)
		a_commit_seems_to_fail(rig, &batch);
	else if (event >= 94)
		somebody_takes_over(rig, &batch);
	else if (event >= 91)
		a_commit_fails(rig, &batch);
	else if (event >= 89)
		the_window_is_full(rig, &batch);
	else if (event >= 84)
		a_statement_fails(rig, &batch);
	apply_to_both(rig, &batch);
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);
	return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

/* True if in some round keys were let go. */
static bool run_rounds(enum random_clocks clocks)
{
	uint64_t seed = number_of("HOLDFAST_SEED", 1);
	uint64_t end = seed + number_of("HOLDFAST_ROUNDS", ROUNDS);
	bool keys_went = false;
	for (; seed < end; seed++) {
		struct rig rig;
		print_message("seed %" PRIu64 "\n", seed);
		rig_open(&rig, clocks, seed);
		for (int i = 0; i < STEPS; i++)
			step(&rig);
		look_into_the_file(&rig);
		keys_went = keys_went || rig.keys_went;
		rig_close(&rig);
	}
	return keys_went;
}

static void store_and_twin_agree_while_keys_are_let_go(void **state)
{
	(void)state;
	assert_true(run_rounds(CLOCKS_FORWARD));
}

static void store_and_twin_agree_whatever_the_clocks_say(void **state)
{
	(void)state;
	run_rounds(CLOCKS_WILD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(store_and_twin_agree_while_keys_are_let_go),
		cmocka_unit_test(store_and_twin_agree_whatever_the_clocks_say),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
