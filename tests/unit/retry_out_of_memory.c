/* Out of memory, at every place where a retry asks an arena for some: it says
 * so and changes nothing, and no letter is thought broken for it. */
#include "ingest/retry.h"
#include "tests/lib/check.h"
#include "tests/lib/letter_rig.h"

static const char schema[] =
	"{'views': {'sums': {'entity': {'id': 'int64'}, 'features': {"
	"  'total': {'type': 'int64', 'merge': 'sum'}}}},"
	" 'sources': {'alpha': {'id': '/id', 'event_time': '/at', 'updates': ["
	"  {'view': 'sums', 'entity': {'id': '/who'}, 'when': {'/gone': "
	"false}, 'features': {'total': '/n'}},"
	"  {'view': 'sums', 'entity': {'id': '/who'}, 'op': 'delete',"
	"   'when': {'/gone': true}}]}}}";

/* How many requests to an arena go well before one fails; negative: all do.
 * The linker leads calls here (--wrap). */
static long countdown = -1;

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
void *__real_arena_take(struct arena *arena, size_t size);
void *__wrap_arena_take(struct arena *arena, size_t size);
void *__wrap_arena_take(struct arena *arena, size_t size)
{
	return countdown >= 0 && countdown-- == 0
		       ? NULL
		       : __real_arena_take(arena, size);
}
/* NOLINTEND(bugprone-reserved-identifier) */

#define LETTERS 4

static void take_letters(struct event_store *store)
{
	const struct event sum = {.id = 1, .at_s = 1, .who = 1, .n = 3};
	const struct event delete = {
		.id = 2, .at_s = 2, .who = 1, .gone = true};
	const struct event copy = {.id = 3, .at_s = 3, .who = 2, .n = 4};
	letter_rig_take(store, &sum, GOOD);
	letter_rig_take(store, &delete, SKEWED);
	letter_rig_take(store, &copy, TOO_LONG);
	letter_rig_take(store, &copy, TOO_LONG);
	letter_rig_take(store, &sum, TOO_LONG);
}

static void a_retry_without_memory_changes_nothing(void **state)
{
	static const int64_t ids[LETTERS] = {1, 2, 3, 4};
	static const enum retry_fate fates[LETTERS] = {
		RETRY_APPLIED, RETRY_APPLIED, RETRY_DUPLICATE, RETRY_DUPLICATE};
	struct retry_result results[LETTERS];
	struct event_store store;
	struct fault fault = {0};
	(void)state;
	event_store_make(&store, schema);
	take_letters(&store);
	const struct retry_request request = {.store = store.store,
		.decoder = store.decoder,
		.ids = ids,
		.count = LETTERS,
		.uncounted = true};
	const struct store_partition *partition = letter_rig_partition(&store);
	struct store_accounts before = partition->accounts;
	struct digest digest = store_digest(store.store);
	int rc = -1;
	for (long after = 0; rc != 0; after++) {
		countdown = after;
		rc = retry_letters(&request, results, &fault);
		bool failed = countdown < 0;
		countdown = -1;
		assert_int_equal(rc, failed ? FAULT_OOM : 0);
		if (rc == 0)
			break;
		assert_memory_equal(
			&before, &partition->accounts, sizeof before);
		assert_true(digest_equal(digest, store_digest(store.store)));
	}
	for (size_t i = 0; i < LETTERS; i++)
		assert_int_equal(results[i].verdict.fate, fates[i]);
	letter_rig_expect_whole(&store);
	event_store_remove(&store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_retry_without_memory_changes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
