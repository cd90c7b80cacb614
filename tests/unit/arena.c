/* Memory of batches: kept from one to the next, but not all that one of rare
 * size took.
 */
#include "schema/arena.h"
#include "tests/lib/check.h"

#include <stdint.h>

#define BLOCK ((size_t)256 * 1024)

static void what_was_taken_once_is_there_again(void **state)
{
	(void)state;
	struct arena arena = ARENA_INIT;
	void *first = arena_take(&arena, 1000);
	assert_non_null(arena_take(&arena, 3 * BLOCK));
	size_t held = arena.held_bytes;
	arena_reset(&arena);
	assert_ptr_equal(arena_take(&arena, 1000), first);
	assert_non_null(arena_take(&arena, 3 * BLOCK));
	assert_int_equal(arena.held_bytes, held);
	arena_finish(&arena);
}

static void beyond_what_is_kept_it_is_given_back(void **state)
{
	(void)state;
	struct arena arena = ARENA_INIT;
	for (int i = 0; i < 16; i++)
		memset(arena_take(&arena, BLOCK), i, BLOCK);
	assert_int_equal(arena.held_bytes, 16 * BLOCK);
	arena_shrink(&arena, 4 * BLOCK);
	assert_int_equal(arena.held_bytes, 4 * BLOCK);
	assert_int_equal(arena.total_bytes, 0);
	for (int i = 0; i < 6; i++)
		memset(arena_take(&arena, BLOCK), i, BLOCK);
	assert_int_equal(arena.held_bytes, 6 * BLOCK);
	arena_finish(&arena);
}

static void what_fits_stays(void **state)
{
	(void)state;
	struct arena arena = ARENA_INIT;
	void *first = arena_take(&arena, 1000);
	arena_shrink(&arena, BLOCK);
	assert_int_equal(arena.held_bytes, BLOCK);
	assert_ptr_equal(arena_take(&arena, 1000), first);
	arena_shrink(&arena, SIZE_MAX);
	assert_int_equal(arena.held_bytes, BLOCK);
	arena_finish(&arena);
}

static void none_kept_is_as_new(void **state)
{
	(void)state;
	struct arena arena = ARENA_INIT;
	arena_shrink(&arena, 0);
	assert_non_null(arena_take(&arena, 2 * BLOCK));
	arena_shrink(&arena, 0);
	assert_int_equal(arena.held_bytes, 0);
	assert_non_null(arena_take(&arena, 10));
	assert_int_equal(arena.held_bytes, BLOCK);
	arena_finish(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_taken_once_is_there_again),
		cmocka_unit_test(beyond_what_is_kept_it_is_given_back),
		cmocka_unit_test(what_fits_stays),
		cmocka_unit_test(none_kept_is_as_new),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
