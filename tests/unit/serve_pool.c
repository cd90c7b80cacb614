/* A thread's desk and who watches the store for it, with the test's clock. */
#include "store/serve/pool.h"
#include "tests/lib/check.h"
#include "tests/lib/event_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char schema[] =
	"{'views': {'user': {'entity': {'user_id': 'int64'}, 'features': {"
	"   'tier': {'type': 'string'}}}},"
	"'sources': {'log': {}}}";

struct rig {
	struct directory directory;
	char path[DIRECTORY_PATH_MAX + 16]; /* a link to the store */
	struct event_store store;
	struct counters counters;
	struct pool pool;
	struct desk desk;
	char notices[4096];
};

static int64_t fixed_us(void)
{
	return 12345;
}

static void note(void *payload, const char *text)
{
	struct rig *rig = payload;
	size_t length = strlen(rig->notices);
	assert_true(snprintf(rig->notices + length,
			    sizeof rig->notices - length, "%s\n", text) > 0);
}

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof *rig);
	assert_non_null(rig);
	directory_make(&rig->directory);
	assert_true(snprintf(rig->path, sizeof rig->path, "%s/store",
			    rig->directory.path) > 0);
	event_store_make(&rig->store, schema);
	const struct pool_options options = {.store_path = rig->path,
		.wall_us = fixed_us,
		.notice = note,
		.payload = rig,
		.counters = &rig->counters};
	pool_init(&rig->pool, &options);
	desk_init(&rig->desk, &rig->pool);
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;
	desk_finish(&rig->desk);
	pool_finish(&rig->pool);
	event_store_remove(&rig->store);
	directory_remove(&rig->directory);
	free(rig);
	return 0;
}

static void appear(struct rig *rig)
{
	assert_int_equal(symlink(rig->store.directory.path, rig->path), 0);
}

/* Take the reader and give it back; was there one? */
static bool use(struct rig *rig, int code, int64_t now_us)
{
	bool there = desk_take_reader(&rig->desk, now_us) != NULL;
	desk_give_reader(&rig->desk, code, now_us);
	return there;
}

#define S INT64_C(1000000)

static void without_a_store_a_desk_tries_once_a_second(void **state)
{
	struct rig *rig = *state;
	assert_false(use(rig, 0, 10 * S));
	assert_non_null(strstr(rig->desk.why.text, "holds no store"));
	appear(rig);
	assert_false(use(rig, 0, 11 * S - 1));
	assert_true(use(rig, 0, 11 * S));
}

static void who_watches_makes_a_desk_try_at_once(void **state)
{
	struct rig *rig = *state;
	pool_watch(&rig->pool, 10 * S);
	assert_false(use(rig, 0, 10 * S));
	appear(rig);
	pool_watch(&rig->pool, 11 * S);
	assert_true(use(rig, 0, 10 * S + 1));
}

static void a_reader_is_not_trusted_after_some_faults(void **state)
{
	struct rig *rig = *state;
	static const int bad[] = {FAULT_CORRUPT, FAULT_IO, FAULT_INTERNAL};
	static const int good[] = {0, 1, FAULT_BUSY, FAULT_OOM};
	int64_t now_us = 10 * S;
	appear(rig);
	for (size_t i = 0; i < 3; i++, now_us += 10 * S) {
		assert_true(use(rig, bad[i], now_us));
		/* One opened just before would be no other. */
		assert_non_null(rig->desk.reader);
		assert_true(use(rig, bad[i], now_us + S));
		assert_null(rig->desk.reader);
	}
	for (size_t i = 0; i < 4; i++, now_us += 10 * S) {
		assert_true(use(rig, good[i], now_us));
		assert_non_null(rig->desk.reader);
	}
}

static void what_becomes_of_the_store_is_told_once(void **state)
{
	struct rig *rig = *state;
	for (int i = 0; i < 5; i++)
		pool_watch(&rig->pool, i * S);
	assert_ptr_equal(strstr(rig->notices, "lookups get 503"), rig->notices);
	assert_int_equal(strcspn(rig->notices, "\n"), strlen(rig->notices) - 1);
	appear(rig);
	for (int i = 5; i < 10; i++)
		pool_watch(&rig->pool, i * S);
	assert_string_equal(strchr(rig->notices, '\n') + 1,
		"the store can be read again: generation g1\n");
}

static void a_store_that_is_there_is_nothing_to_tell(void **state)
{
	struct rig *rig = *state;
	appear(rig);
	for (int i = 0; i < 5; i++)
		pool_watch(&rig->pool, i * S);
	assert_string_equal(rig->notices, "");
}

static void a_change_is_a_sign_of_ingest(void **state)
{
	struct rig *rig = *state;
	appear(rig);
	pool_watch(&rig->pool, 10 * S);
	uint32_t before = pool_changes(&rig->pool);
	pool_watch(&rig->pool, 11 * S);
	assert_int_equal(pool_changes(&rig->pool), before);
	assert_int_equal(atomic_load(&rig->counters.ingest_seen_us), 0);
	event_store_mark(&rig->store, "log", 1);
	pool_watch(&rig->pool, 11 * S + 1);
	assert_int_not_equal(pool_changes(&rig->pool), before);
	assert_int_equal(atomic_load(&rig->counters.ingest_seen_us), 12345);
}

static void memory_is_used_again_unless_it_was_much(void **state)
{
	struct rig *rig = *state;
	struct desk_memory *first = desk_take_memory(&rig->desk);
	struct desk_memory *second = desk_take_memory(&rig->desk);
	assert_ptr_not_equal(first, second);
	assert_non_null(arena_take(&first->arena, 1000));
	assert_non_null(arena_take(&second->arena, (size_t)8 << 20));
	desk_give_memory(&rig->desk, second);
	desk_give_memory(&rig->desk, first);
	assert_int_equal(rig->desk.spare_count, 1);
	assert_ptr_equal(desk_take_memory(&rig->desk), first);
	assert_int_equal(first->arena.total_bytes, 0);
	for (int i = 0; i < 100; i++) {
		struct desk_memory *more = calloc(1, sizeof *more);
		assert_non_null(more);
		desk_give_memory(&rig->desk, more);
	}
	assert_in_range(rig->desk.spare_count, 1, 99);
	desk_give_memory(&rig->desk, first);
}

static void ever_larger_requests_leave_nothing_behind(void **state)
{
	struct rig *rig = *state;
	size_t held = 0;
	for (size_t size = (size_t)1 << 19; size < (size_t)3 << 20;
		size += 10000) {
		struct desk_memory *memory = desk_take_memory(&rig->desk);
		assert_non_null(memory);
		assert_non_null(arena_take(&memory->arena, 1000));
		assert_non_null(arena_take(&memory->arena, size));
		held = memory->arena.held_bytes;
		desk_give_memory(&rig->desk, memory);
	}
	assert_in_range(held, (size_t)3 << 20, (size_t)4 << 20);
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RIG(without_a_store_a_desk_tries_once_a_second),
		WITH_RIG(who_watches_makes_a_desk_try_at_once),
		WITH_RIG(a_reader_is_not_trusted_after_some_faults),
		WITH_RIG(what_becomes_of_the_store_is_told_once),
		WITH_RIG(a_store_that_is_there_is_nothing_to_tell),
		WITH_RIG(a_change_is_a_sign_of_ingest),
		WITH_RIG(memory_is_used_again_unless_it_was_much),
		WITH_RIG(ever_larger_requests_leave_nothing_behind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
