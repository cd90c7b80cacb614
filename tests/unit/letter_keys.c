/*
 * Letters and idempotency keys, in any order: whatever is sent twice,
 * corrected, dead, parked, retried, cleared or dropped, a key has its effect
 * once, the accounts agree, and a dry run says what happens then.
 */
#include "ingest/retry.h"
#include "store/decisions.h"
#include "tests/lib/chance.h"
#include "tests/lib/check.h"
#include "tests/lib/letter_rig.h"

#include <inttypes.h>
#include <string.h>

#define KEYS 12
#define PLACES 2 /* updates a record */
#define STEPS 120
#define BATCH_MOST 6
#define LETTERS_MAX 2000

static const char schema[] =
	"{'views': {"
	" 'a': {'entity': {'id': 'int64'}, 'features': {"
	"  'n': {'type': 'int64', 'merge': 'sum'}, 'x': {'type': 'int64'}}},"
	" 'b': {'entity': {'id': 'int64'}, 'features': {"
	"  'n': {'type': 'int64', 'merge': 'sum', 'maximum': 1},"
	"  'x': {'type': 'int64'}}}},"
	" 'sources': {'alpha': {'id': '/id', 'updates': ["
	"  {'view': 'a', 'entity': {'id': '/id'},"
	"   'features': {'n': {'const': 1}, 'x': '/x'}},"
	"  {'view': 'b', 'entity': {'id': '/id'},"
	"   'features': {'n': {'const': 1}, 'x': '/x'}}]}}}";

struct world {
	struct event_store store;
	struct chance chance;
	uint32_t seed;
	bool seen[KEYS]; /* sent, whatever became of it */
	bool cleared;	 /* letters left unapplied */
};

static void good(int rc, const struct fault *fault)
{
	if (rc != 0)
		fail_msg("%d: %s", rc, fault->text);
}

static const struct store_accounts *accounts_of(struct world *world)
{
	return &letter_rig_partition(&world->store)->accounts;
}

static void park(struct decoded *decoded, size_t index)
{
	struct update *update = &decoded->updates[index];
	if (update->reason != REASON_NONE)
		return;
	update->reason = REASON_UNKNOWN_VIEW;
	update->parks = true;
	update->detail = "not yet";
	update->view = NULL;
}

static void fill(struct world *world, struct store_record *record,
	const struct log *log, int64_t offset)
{
	struct fault fault = {0};
	struct event_store *store = &world->store;
	struct decoder decoder = store->decoder;
	size_t key = chance_below(&world->chance, KEYS);
	uint64_t fare = chance_below(&world->chance, 6);
	world->seen[key] = true;
	*record = (struct store_record){
		.record = {.form = RECORD_MESSAGE,
			.log = log,
			.offset = offset,
			.next_offset = offset + 1,
			.timestamp_us =
				INT64_C(1795422048000000) + offset * 1000,
			.value = slice_of(arena_print(&store->arena,
				"{\"id\": %zu, \"x\": %d}", key,
				(int)chance_below(&world->chance, 2)))},
	};
	if (fare == 0)
		decoder.value_bytes_max = 1;
	if (fare == 1) /* every event time is of the future */
		decoder.max_skew_us = -(INT64_C(1) << 40);
	good(decode_record(&decoder, schema_source(decoder.schema, "alpha"),
		     &record->record, &store->arena, &record->decoded, &fault),
		&fault);
	for (size_t i = 0; i < record->decoded.update_count; i++)
		if (fare == 2 || (fare == 3 && i == 0))
			park(&record->decoded, i);
}

static void take(struct world *world)
{
	struct fault fault = {0};
	struct store_record records[BATCH_MOST];
	const struct store_partition *partition =
		letter_rig_partition(&world->store);
	size_t count = 1 + chance_below(&world->chance, BATCH_MOST);
	for (size_t i = 0; i < count; i++)
		fill(world, &records[i], &partition->log,
			partition->accounts.next_offset + (int64_t)i);
	struct store_batch batch = {.records = records, .record_count = count};
	good(store_apply(world->store.store, &batch, NULL, &fault), &fault);
	arena_reset(&world->store.arena);
}

static size_t letter_ids(
	struct world *world, enum letter_kind kind, int64_t *ids)
{
	struct fault fault = {0};
	size_t count = 0;
	for (int64_t id = 1; id < LETTERS_MAX; id++) {
		struct letter_whole whole;
		int rc = store_letter(world->store.store, kind, id,
			&world->store.arena, &whole, &fault);
		assert_true(rc >= 0);
		if (rc == 1)
			ids[count++] = id;
		arena_reset(&world->store.arena);
	}
	return count;
}

/* Some of the letters, in any order; all of them: `share` 1. */
static size_t pick(struct world *world, enum letter_kind kind, uint64_t share,
	int64_t *picked)
{
	int64_t ids[LETTERS_MAX];
	size_t picks = 0, count = letter_ids(world, kind, ids);
	for (size_t i = 0; i < count; i++) {
		size_t other = i + chance_below(&world->chance, count - i);
		int64_t id = ids[other];
		ids[other] = ids[i];
		if (chance_below(&world->chance, share) == 0)
			picked[picks++] = id;
	}
	return picks;
}

/* First dry, then really: both say the same. */
static void retry(struct world *world, enum letter_kind kind, uint64_t share)
{
	static int64_t ids[LETTERS_MAX];
	static struct retry_result dry[LETTERS_MAX], real[LETTERS_MAX];
	struct fault fault = {0};
	struct dice dice = dice_of(world->seed);
	size_t count = pick(world, kind, share, ids);
	struct retry_request request = {.store = world->store.store,
		.decoder = world->store.decoder,
		.kind = kind,
		.ids = ids,
		.count = count,
		.how = {.attempts_max = 2, .dry_run = true},
		.uncounted = chance_below(&world->chance, 2) == 0,
		.dice = &dice};
	if (chance_below(&world->chance, 4) == 0 && share > 1)
		request.decoder.value_bytes_max = 1; /* nothing can be read */
	struct store_accounts before = *accounts_of(world);
	struct digest digest = store_digest(world->store.store);
	good(retry_letters(&request, dry, &fault), &fault);
	assert_memory_equal(&before, accounts_of(world), sizeof before);
	assert_true(digest_equal(digest, store_digest(world->store.store)));
	request.how.dry_run = false;
	good(retry_letters(&request, real, &fault), &fault);
	for (size_t i = 0; i < count; i++) {
		assert_true(dry[i].found && real[i].found);
		assert_int_equal(dry[i].verdict.fate, real[i].verdict.fate);
		assert_int_equal(dry[i].verdict.reason, real[i].verdict.reason);
	}
}

static void clear(struct world *world)
{
	int64_t ids[LETTERS_MAX];
	struct retry_result results[LETTERS_MAX];
	struct fault fault = {0};
	const struct decision decision = {1, "who", "dead drop", "dead", "x"};
	size_t count = pick(world, LETTER_DEAD, 4, ids);
	assert_int_equal(store_acknowledge(world->store.store, ids, count,
				 &decision, &fault),
		count);
	int cleared = store_clearable(
		world->store.store, 2, 0, ids, LETTERS_MAX, &fault);
	assert_true(cleared >= 0 && (size_t)cleared == count);
	struct retry_request request = {.store = world->store.store,
		.decoder = world->store.decoder,
		.ids = ids,
		.count = count,
		.how = {.clear = true},
		.uncounted = true};
	int64_t before = accounts_of(world)->cleared;
	good(retry_letters(&request, results, &fault), &fault);
	assert_int_equal(accounts_of(world)->cleared, before + (int64_t)count);
	world->cleared |= count > 0;
}

/* How often a key had its effect. */
static int64_t effects(struct world *world)
{
	const struct store_accounts *accounts = accounts_of(world);
	return accounts->dispositions[DISPOSITION_APPLIED] +
	       accounts->dispositions[DISPOSITION_SUPERSEDED];
}

/* How often they may have, at most; if no letter was cleared, in the end. */
static int64_t effects_due(const struct world *world)
{
	int64_t keys = 0;
	for (size_t i = 0; i < KEYS; i++)
		keys += world->seen[i];
	return keys * PLACES;
}

static void check(struct world *world)
{
	letter_rig_expect_whole(&world->store);
	if (effects(world) > effects_due(world))
		fail_msg("seed %u: %" PRId64 " effects, not %" PRId64,
			world->seed, effects(world), effects_due(world));
}

static void step(struct world *world)
{
	switch (chance_below(&world->chance, 8)) {
	case 0:
		retry(world, LETTER_DEAD, 3);
		break;
	case 1:
		retry(world, LETTER_PARKED, 3);
		break;
	case 2:
		if (world->seed % 2 == 0)
			clear(world);
		break;
	case 3:
		letter_rig_reopen(&world->store);
		break;
	default:
		take(world);
	}
}

static void live(uint32_t seed)
{
	struct world world = {.chance = {seed}, .seed = seed};
	event_store_make(&world.store, schema);
	for (int i = 0; i < STEPS; i++) {
		step(&world);
		check(&world);
	}
	retry(&world, LETTER_PARKED, 1);
	retry(&world, LETTER_DEAD, 1);
	check(&world);
	if (!world.cleared && effects(&world) != effects_due(&world))
		fail_msg("seed %u: %" PRId64 " effects, not %" PRId64, seed,
			effects(&world), effects_due(&world));
	event_store_remove(&world.store);
}

static void a_key_has_its_effect_once_whatever_happens(void **state)
{
	(void)state;
	live(1);
	live(2); /* letters are cleared, too */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_has_its_effect_once_whatever_happens),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
