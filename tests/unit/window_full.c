/*
 * The pipeline on a real store whose key window is full: who waits, who stops,
 * and that all is taken once. With threads and without.
 */
#include "ingest/pipeline.h"
#include "store/decisions.h"
#include "store/writer.h"
#include "tests/lib/check.h"
#include "tests/lib/directory.h"
#include "tests/lib/script_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)
#define WINDOW_S 10
#define RECORDS 1500
#define ROOM_KEYS 400 /* in the window */

struct world {
	struct directory directory;
	struct schema *schema;
	struct store *store;
	struct script_clock clock;
	struct script_source script;
	struct pipeline_options options;
	struct pipeline_result result;
	struct fault fault;
	atomic_bool stop;
	char told[8192]; /* all notices */
	uint64_t most_bytes;
	int attended;
	void (*attend)(struct world *world, int order);
};

static const char schema_text[] =
	"{\"views\": {\"account\": {\"entity\": {\"id\": \"int64\"},"
	" \"features\": {\"count\": {\"type\": \"int64\", \"merge\":"
	" \"sum\"}}}}, \"sources\": {\"events\": {}}}";

static void notice(void *payload, const char *text)
{
	struct world *world = payload;
	size_t used = strlen(world->told);
	(void)snprintf(
		world->told + used, sizeof world->told - used, "%s\n", text);
}

/* Without threads nobody else has the store. */
static void landed(void *payload, const struct store_tally *tally)
{
	struct world *world = payload;
	(void)tally;
	if (world->options.threads)
		return;
	uint64_t bytes = store_window(world->store).bytes;
	if (bytes > world->most_bytes)
		world->most_bytes = bytes;
}

static bool wants(void *payload)
{
	struct world *world = payload;
	return script_ordered(&world->script) != world->attended;
}

static int attend(void *payload, struct fault *fault)
{
	struct world *world = payload;
	(void)fault;
	world->attended = script_ordered(&world->script);
	if (world->attended != 0)
		world->attend(world, world->attended);
	return 0;
}

static void open_store(struct world *world)
{
	struct store_options options = store_options_default();
	options.path = world->directory.path;
	options.schema = world->schema;
	options.key_window_us = WINDOW_S * SECOND_US;
	options.key_window_keys = 1;
	assert_int_equal(store_open(&world->store, &options, &world->fault), 0);
	world->store->keys.segment_rows = 4;
	/* A key is a row of 72 bytes and has its place in memory. */
	world->store->options.key_window_max_bytes =
		ROOM_KEYS * 72 + (uint64_t)4096 * sizeof(struct key_slot);
}

static void new_script(struct world *world)
{
	script_init(&world->script);
	world->script.topic = "events";
	world->script.clock = &world->clock;
	world->script.stop = &world->stop;
	world->script.rewinds = true;
	world->attended = 0;
	script_announce(&world->script, 0);
	script_announce(&world->script, 1);
}

static int setup(void **state, bool threads)
{
	struct world *world = calloc(1, sizeof *world);
	assert_non_null(world);
	directory_make(&world->directory);
	assert_int_equal(schema_parse(&world->schema, slice_of(schema_text),
				 "window", &world->fault),
		0);
	script_clock_init(&world->clock);
	open_store(world);
	new_script(world);
	world->options = pipeline_options_default();
	world->options.threads = threads;
	world->options.clock = &world->clock.clock;
	world->options.stop = &world->stop;
	world->options.notice = notice;
	world->options.landed = landed;
	world->options.wants = wants;
	world->options.attend = attend;
	world->options.payload = world;
	world->options.batch_records = 16;
	*state = world;
	return 0;
}

static int setup_threads(void **state)
{
	return setup(state, true);
}

static int setup_plain(void **state)
{
	return setup(state, false);
}

static int teardown(void **state)
{
	struct world *world = *state;
	source_close(&world->script.source);
	store_close(world->store);
	schema_free(world->schema);
	directory_remove(&world->directory);
	free(world);
	return 0;
}

/* Record `number` of a partition, `at_s` from the start: adds 1 to its id. */
static void send(struct world *world, int32_t partition, int number, int at_s)
{
	char text[256];
	int length = snprintf(text, sizeof text,
		"{\"id\": \"%d-%d\", \"view\": \"account\","
		" \"entity\": {\"id\": %d}, \"features\": {\"count\": 1}}",
		partition, number, number);
	assert_in_range(length, 1, sizeof text - 1);
	script_record_time(&world->script, SCRIPT_TIME_US + at_s * SECOND_US);
	script_record(&world->script, partition, text);
}

static int run(struct world *world)
{
	world->options.source = &world->script.source;
	world->options.store = world->store;
	world->told[0] = '\0';
	return pipeline_run(&world->options, &world->result, &world->fault);
}

static void run_well(struct world *world)
{
	int rc = run(world);
	if (rc != 0)
		fail_msg("%d: %s", rc, world->fault.text);
}

static const struct store_partition *partition(
	struct world *world, size_t number)
{
	return store_partition_at(world->store, number);
}

/* Taken once, each. */
static void expect_taken(struct world *world, size_t number, int64_t records)
{
	const struct store_accounts *accounts =
		&partition(world, number)->accounts;
	assert_int_equal(accounts->taken, records);
	assert_int_equal(accounts->next_offset, records);
	assert_int_equal(accounts->gaps, 0);
	assert_int_equal(accounts->dispositions[DISPOSITION_APPLIED], records);
	assert_int_equal(accounts->redelivered, 0);
}

static const char *why_stopped(struct world *world, size_t number)
{
	static struct arena arena;
	const char *reason = "";
	arena_finish(&arena);
	(void)store_why_stopped(world->store, &partition(world, number)->log,
		&arena, &reason, NULL);
	static char copy[64];
	(void)snprintf(copy, sizeof copy, "%s", reason);
	arena_finish(&arena);
	return copy;
}

/* All of partition 0 comes first: its keys must wait for partition 1. */
static void who_is_ahead_waits_until_the_slowest_caught_up(void **state)
{
	struct world *world = *state;
	for (int32_t p = 0; p < 2; p++)
		for (int n = 0; n < RECORDS; n++)
			send(world, p, n, n);
	for (int32_t p = 0; p < 2; p++)
		script_end(&world->script, p);
	run_well(world);
	for (size_t p = 0; p < 2; p++) {
		expect_taken(world, p, RECORDS);
		assert_string_equal(why_stopped(world, p), "");
	}
	assert_non_null(
		strstr(world->told, "events:0 waits, key_window_ahead"));
	assert_non_null(strstr(world->told, "events:1 is behind"));
	assert_non_null(strstr(world->told, "events:0 goes on"));
	assert_true(world->most_bytes <=
		    world->store->options.key_window_max_bytes);
	if (!world->options.threads)
		assert_true(world->most_bytes >
			    world->store->options.key_window_max_bytes / 2);
}

/* Nothing passes: all stand at one moment. */
static void send_too_many(struct world *world)
{
	for (int n = 0; n < RECORDS; n++)
		send(world, 0, n, 0);
}

static void one_that_nobody_is_behind_stops_and_the_others_go_on(void **state)
{
	struct world *world = *state;
	send_too_many(world);
	script_end(&world->script, 0);
	for (int n = 0; n < 20; n++)
		send(world, 1, n, 0);
	script_end(&world->script, 1);
	assert_int_equal(run(world), FAULT_LOG);
	assert_non_null(
		strstr(world->fault.text, "events:0 (key_window_full)"));
	assert_string_equal(why_stopped(world, 0), STOP_WINDOW);
	int64_t taken = partition(world, 0)->accounts.taken;
	assert_in_range(taken, ROOM_KEYS / 2, RECORDS - 1);
	expect_taken(world, 0, taken);
	/* At the next start there is more room: it is judged anew. */
	source_close(&world->script.source);
	store_close(world->store);
	open_store(world);
	world->store->options.key_window_max_bytes = UINT64_C(1) << 30;
	new_script(world);
	send_too_many(world);
	script_end(&world->script, 0);
	for (int n = 0; n < 20; n++)
		send(world, 1, n, 0);
	script_end(&world->script, 1);
	run_well(world);
	expect_taken(world, 0, RECORDS);
	expect_taken(world, 1, 20);
	assert_string_equal(why_stopped(world, 0), "");
}

static void make_room(struct world *world, int order)
{
	(void)order;
	assert_string_equal(why_stopped(world, 0), STOP_WINDOW);
	world->store->options.key_window_max_bytes = UINT64_C(1) << 30;
}

static void resume_it(struct world *world, int order)
{
	make_room(world, order);
	assert_int_equal(
		store_resume_partition(world->store, &partition(world, 0)->log,
			NULL, &world->fault),
		0);
}

static void take_up(struct world *world)
{
	world->script.until_end = false;
	script_end(&world->script, 1); /* else it might be behind */
	send_too_many(world);
	script_end(&world->script, 0);
	for (int n = 0; n < 30; n++)
		script_idle(&world->script);
	script_order(&world->script, 1);
	for (int n = 0; n < 30; n++)
		script_idle(&world->script);
	script_await(&world->script, 0);
	script_stop_all(&world->script);
	run_well(world);
	expect_taken(world, 0, RECORDS);
	assert_string_equal(why_stopped(world, 0), "");
	assert_non_null(strstr(world->told, "waits, key_window_full"));
}

static void it_goes_on_by_itself_when_there_is_room(void **state)
{
	struct world *world = *state;
	world->attend = make_room;
	take_up(world);
	assert_non_null(
		strstr(world->told, "goes on: key_window_full is over"));
}

static void it_goes_on_when_it_is_resumed(void **state)
{
	struct world *world = *state;
	world->attend = resume_it;
	take_up(world);
}

static void pause_it(struct world *world, int order)
{
	(void)order;
	assert_string_equal(why_stopped(world, 0), STOP_WINDOW);
	const struct store_stop paused = {&partition(world, 0)->log,
		STOP_PAUSED, "", 0, LOG_START_UNKNOWN};
	assert_int_equal(store_stop_partition(
				 world->store, &paused, NULL, &world->fault),
		0);
	world->store->options.key_window_max_bytes = UINT64_C(1) << 30;
}

static void what_a_person_paused_meanwhile_stays_so(void **state)
{
	struct world *world = *state;
	world->attend = pause_it;
	world->script.until_end = false;
	script_end(&world->script, 1);
	send_too_many(world);
	for (int n = 0; n < 30; n++)
		script_idle(&world->script);
	script_order(&world->script, 1);
	for (int n = 0; n < 60; n++)
		script_idle(&world->script);
	script_stop_all(&world->script);
	run_well(world);
	assert_string_equal(why_stopped(world, 0), STOP_PAUSED);
	assert_true(partition(world, 0)->accounts.taken < RECORDS);
}

#define BOTH_WAYS(test)                                                        \
	{#test " (threads)", test, setup_threads, teardown, NULL},             \
	{                                                                      \
#test, test, setup_plain, teardown, NULL                       \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH_WAYS(who_is_ahead_waits_until_the_slowest_caught_up),
		BOTH_WAYS(one_that_nobody_is_behind_stops_and_the_others_go_on),
		BOTH_WAYS(it_goes_on_by_itself_when_there_is_room),
		BOTH_WAYS(it_goes_on_when_it_is_resumed),
		BOTH_WAYS(what_a_person_paused_meanwhile_stays_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
