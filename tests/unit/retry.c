/* Letters taken up again, by the record that they came in. */
#include "ingest/retry.h"
#include "store/reader.h"
#include "store/verify.h"
#include "tests/lib/chance.h"
#include "tests/lib/check.h"
#include "tests/lib/event_store.h"

#include <stdlib.h>

#define EVENTS 120
#define ENTITIES 7
#define LETTERS_MAX (4 * EVENTS)

/* Two updates a record: one into sums, one into plain values, where an entity
 * may be deleted too. */
static const char schema[] =
	"{'views': {"
	" 'sums': {'entity': {'id': 'int64'}, 'features': {"
	"  'total': {'type': 'int64', 'merge': 'sum'},"
	"  'least': {'type': 'int64', 'merge': 'min'},"
	"  'last': {'type': 'int64'}}},"
	" 'plain': {'entity': {'id': 'int64'}, 'features': {"
	"  'first': {'type': 'int64'},"
	"  'last': {'type': 'int64'}}}},"
	" 'sources': {'alpha': {'id': '/id', 'event_time': '/at', 'updates': ["
	"  {'view': 'sums', 'entity': {'id': '/who'},"
	"   'features': {'total': '/n', 'least': '/n', 'last': '/n'}},"
	"  {'view': 'plain', 'entity': {'id': '/who'}, 'when': {'/gone': "
	"false},"
	"   'features': {'first': '/n', 'last': '/n'}},"
	"  {'view': 'plain', 'entity': {'id': '/who'}, 'op': 'delete',"
	"   'when': {'/gone': true}}]}}}";

struct event {
	int id, at_s, who, n;
	bool gone;
};

/* How a record fares when it comes. */
enum fare { GOOD, SKEWED, TOO_LONG, PARKED, FARES };

static void good(int rc, const struct fault *fault)
{
	if (rc != 0)
		fail_msg("%d: %s", rc, fault->text);
}

static int setup(void **state)
{
	struct event_store *store = calloc(1, sizeof *store);
	assert_non_null(store);
	event_store_make(store, schema);
	*state = store;
	return 0;
}

static int teardown(void **state)
{
	struct event_store *store = *state;
	event_store_remove(store);
	free(store);
	return 0;
}

static void reopen(struct event_store *store)
{
	struct fault fault = {0};
	struct store_options options = store_options_default();
	store_close(store->store);
	options.path = store->directory.path;
	good(store_open(&store->store, &options, &fault), &fault);
	store->decoder.schema = store_schema(store->store);
}

static const struct store_partition *partition_of(struct event_store *store)
{
	struct fault fault = {0};
	const struct store_partition *partition = NULL;
	good(store_partition(store->store, "alpha", 0, 0, &partition, &fault),
		&fault);
	return partition;
}

/* A view that the schema does not have yet. */
static void park(struct decoded *decoded)
{
	for (size_t i = 0; i < decoded->update_count; i++) {
		decoded->updates[i].reason = REASON_UNKNOWN_VIEW;
		decoded->updates[i].parks = true;
		decoded->updates[i].detail = "not yet";
		decoded->updates[i].view = NULL;
	}
}

static struct decoder decoder_for(
	const struct event_store *store, enum fare fare)
{
	struct decoder decoder = store->decoder;
	if (fare == SKEWED)
		decoder.max_skew_us = -(INT64_C(1) << 40);
	if (fare == TOO_LONG)
		decoder.value_bytes_max = 1;
	return decoder;
}

static void take(
	struct event_store *store, const struct event *event, enum fare fare)
{
	struct fault fault = {0};
	const struct store_partition *partition = partition_of(store);
	struct decoder decoder = decoder_for(store, fare);
	struct store_record record = {
		.record = {.form = RECORD_MESSAGE,
			.log = &partition->log,
			.offset = partition->accounts.next_offset,
			.next_offset = partition->accounts.next_offset + 1,
			.timestamp_us = INT64_C(1795422048000000) +
					event->id * INT64_C(1000000),
			.value = slice_of(arena_print(&store->arena,
				"{\"id\": %d, \"at\": "
				"\"2026-11-23T08:%02d:%02dZ\","
				" \"who\": %d, \"n\": %d, \"gone\": %s}",
				event->id, event->at_s / 60, event->at_s % 60,
				event->who, event->n,
				event->gone ? "true" : "false"))},
	};
	good(decode_record(&decoder, schema_source(decoder.schema, "alpha"),
		     &record.record, &store->arena, &record.decoded, &fault),
		&fault);
	if (fare == PARKED)
		park(&record.decoded);
	struct store_batch batch = {.records = &record, .record_count = 1};
	good(store_apply(store->store, &batch, NULL, &fault), &fault);
	arena_reset(&store->arena);
}

static void expect_whole(struct event_store *store)
{
	struct fault fault = {0};
	struct reader *reader = NULL;
	struct verify_report report;
	good(reader_open(&reader, store->directory.path, 0, &fault), &fault);
	good(reader_verify(reader, &store->arena, &report, &fault), &fault);
	if (report.problem_count > 0)
		fail_msg("%s", report.problems[0]);
	reader_close(reader);
	arena_reset(&store->arena);
}

/* Of dead letters nobody need ask: ids are given in order. */
static size_t dead_ids(struct event_store *store, int64_t *ids)
{
	struct fault fault = {0};
	size_t count = 0;
	for (int64_t id = 1; id <= LETTERS_MAX; id++) {
		struct letter_whole whole;
		int rc = store_letter(store->store, LETTER_DEAD, id,
			&store->arena, &whole, &fault);
		assert_true(rc >= 0);
		if (rc == 1)
			ids[count++] = id;
	}
	arena_reset(&store->arena);
	return count;
}

static size_t letter_ids(
	struct event_store *store, enum letter_kind kind, int64_t *ids)
{
	struct fault fault = {0};
	if (kind == LETTER_DEAD)
		return dead_ids(store, ids);
	int count =
		store_due(store->store, INT64_MAX, ids, LETTERS_MAX, &fault);
	assert_true(count >= 0);
	return (size_t)count;
}

static struct retry_request request_of(const struct event_store *store,
	enum letter_kind kind, const int64_t *ids, size_t count)
{
	return (struct retry_request){.store = store->store,
		.decoder = store->decoder,
		.kind = kind,
		.ids = ids,
		.count = count,
		.how = {.attempts_max = 3},
		.uncounted = true};
}

/* Some of the letters, in any order; all of them: `share` 1. */
static void retry_some(struct event_store *store, enum letter_kind kind,
	struct chance *chance, uint32_t share)
{
	int64_t ids[LETTERS_MAX], picked[LETTERS_MAX];
	struct retry_result results[LETTERS_MAX];
	struct fault fault = {0};
	size_t picks = 0;
	size_t count = letter_ids(store, kind, ids);
	for (size_t i = 0; i < count; i++) {
		size_t other = i + chance_below(chance, (uint32_t)(count - i));
		int64_t id = ids[other];
		ids[other] = ids[i];
		if (chance_below(chance, share) == 0)
			picked[picks++] = id;
	}
	struct retry_request request = request_of(store, kind, picked, picks);
	good(retry_letters(&request, results, &fault), &fault);
	for (size_t i = 0; i < picks; i++) {
		assert_true(results[i].found);
		assert_int_equal(results[i].id, picked[i]);
		assert_true(results[i].verdict.fate <= RETRY_DUPLICATE);
	}
}

static size_t letters_left(struct event_store *store)
{
	int64_t ids[LETTERS_MAX];
	return letter_ids(store, LETTER_DEAD, ids) +
	       letter_ids(store, LETTER_PARKED, ids);
}

/* Event times differ, so the newest is never in doubt. */
static void make_events(
	struct event *events, struct chance *chance, bool deletes)
{
	for (int i = 0; i < EVENTS; i++)
		events[i] = (struct event){.id = i,
			.at_s = (i * 7919 + 13) % 3571,
			.who = (int)chance_below(chance, ENTITIES),
			.n = (int)chance_below(chance, 100),
			.gone = deletes && chance_below(chance, 6) == 0};
}

static void compare_rough_with_smooth(uint32_t seed, bool deletes)
{
	struct chance chance = {seed};
	struct event events[EVENTS];
	void *states[2];
	setup(&states[0]);
	setup(&states[1]);
	struct event_store *smooth = states[0], *rough = states[1];
	make_events(events, &chance, deletes);
	for (int i = 0; i < EVENTS; i++) {
		const struct event *event = &events[i];
		if (i > 0 && chance_below(&chance, 10) == 0)
			event = &events[chance_below(&chance, (uint32_t)i)];
		take(smooth, event, GOOD);
		take(rough, event,
			(enum fare)(chance_below(&chance, 2) *
				    chance_below(&chance, FARES)));
		if (event != &events[i]) { /* a copy came first */
			take(smooth, &events[i], GOOD);
			take(rough, &events[i], GOOD);
		}
		if (chance_below(&chance, 12) == 0)
			retry_some(rough, LETTER_DEAD, &chance, 3);
		if (chance_below(&chance, 12) == 0)
			retry_some(rough, LETTER_PARKED, &chance, 3);
		if (chance_below(&chance, 30) == 0)
			reopen(rough);
		if (chance_below(&chance, 10) == 0)
			expect_whole(rough);
	}
	retry_some(rough, LETTER_PARKED, &chance, 1);
	retry_some(rough, LETTER_DEAD, &chance, 1);
	assert_int_equal(letters_left(rough), 0);
	if (!digest_equal(
		    store_digest(smooth->store), store_digest(rough->store)))
		fail_msg("seed %u: the digests differ", seed);
	expect_whole(rough);
	teardown(&states[0]);
	teardown(&states[1]);
}

static void letters_retried_at_any_time_leave_what_all_in_time_leave(
	void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 6; seed++)
		compare_rough_with_smooth(seed, false);
}

static void with_deletes_among_them_too(void **state)
{
	(void)state;
	for (uint32_t seed = 101; seed <= 106; seed++)
		compare_rough_with_smooth(seed, true);
}

static struct retry_result retry_one(struct event_store *store,
	enum letter_kind kind, int64_t id, bool uncounted, bool dry)
{
	struct fault fault = {0};
	struct retry_result result;
	struct dice dice = dice_of(1);
	struct retry_request request = request_of(store, kind, &id, 1);
	request.uncounted = uncounted;
	request.dice = &dice;
	request.how.dry_run = dry;
	good(retry_letters(&request, &result, &fault), &fault);
	return result;
}

static void a_record_that_is_read_at_last_gives_all_its_updates(void **state)
{
	struct event_store *store = *state;
	static const struct event event = {.id = 1, .who = 1, .n = 5};
	take(store, &event, TOO_LONG);
	assert_int_equal(partition_of(store)->accounts.updates, 1);
	expect_whole(store);
	struct retry_result result =
		retry_one(store, LETTER_DEAD, 1, true, true);
	assert_int_equal(result.verdict.fate, RETRY_APPLIED);
	assert_int_equal(partition_of(store)->accounts.updates, 1);
	result = retry_one(store, LETTER_DEAD, 1, true, false);
	assert_int_equal(result.verdict.fate, RETRY_APPLIED);
	const struct store_accounts *accounts = &partition_of(store)->accounts;
	assert_int_equal(accounts->updates, 2);
	assert_int_equal(accounts->dispositions[DISPOSITION_APPLIED], 2);
	assert_int_equal(accounts->dispositions[DISPOSITION_DEAD], 0);
	expect_whole(store);
	assert_false(retry_one(store, LETTER_DEAD, 1, true, false).found);
}

static void one_that_is_dead_still_says_why(void **state)
{
	struct event_store *store = *state;
	static const struct event event = {.id = 1, .who = 1, .n = 5};
	take(store, &event, TOO_LONG);
	store->decoder.max_skew_us = -(INT64_C(1) << 40);
	struct retry_result result =
		retry_one(store, LETTER_DEAD, 1, true, false);
	assert_int_equal(result.verdict.fate, RETRY_DEAD);
	assert_int_equal(result.verdict.reason, REASON_EVENT_TIME_IN_FUTURE);
	assert_int_equal(letters_left(store), 2);
	expect_whole(store);
}

static void waits_double_up_to_an_hour_and_differ(void **state)
{
	(void)state;
	const int64_t minute_us = INT64_C(60000000);
	struct dice dice = dice_of(7);
	bool differ = false;
	int64_t last_us = 0;
	for (int64_t attempts = 0; attempts < 40; attempts++) {
		int64_t least_us =
			attempts < 6 ? minute_us << attempts : 60 * minute_us;
		int64_t wait_us = retry_wait_us(attempts, &dice);
		assert_true(wait_us >= least_us);
		assert_true(wait_us < least_us + least_us / 4);
		differ |= attempts > 6 && wait_us != last_us;
		last_us = wait_us;
	}
	assert_true(differ);
}

static void what_stays_parked_uncounted_is_as_it_was(void **state)
{
	struct event_store *store = *state;
	static const struct event event = {.id = 1, .who = 1, .n = 5};
	struct fault fault = {0};
	struct letter_whole whole;
	take(store, &event, PARKED);
	store->decoder.value_bytes_max = 1; /* as if it could not be read */
	for (int attempt = 0; attempt < 5; attempt++) {
		struct retry_result result =
			retry_one(store, LETTER_PARKED, 1, true, false);
		assert_int_equal(result.verdict.fate, RETRY_PARKED);
		assert_int_equal(result.verdict.reason, REASON_UNKNOWN_VIEW);
	}
	assert_int_equal(store_letter(store->store, LETTER_PARKED, 1,
				 &store->arena, &whole, &fault),
		1);
	assert_int_equal(whole.letter.attempts, 0);
	retry_one(store, LETTER_PARKED, 1, false, false);
	assert_int_equal(store_letter(store->store, LETTER_PARKED, 1,
				 &store->arena, &whole, &fault),
		1);
	assert_int_equal(whole.letter.attempts, 1);
	assert_true(whole.letter.due_us >= RETRY_FIRST_US);
	expect_whole(store);
}

#define WITH_EVENT_STORE(test)                                                 \
	cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_EVENT_STORE(
			a_record_that_is_read_at_last_gives_all_its_updates),
		WITH_EVENT_STORE(one_that_is_dead_still_says_why),
		WITH_EVENT_STORE(what_stays_parked_uncounted_is_as_it_was),
		cmocka_unit_test(waits_double_up_to_an_hour_and_differ),
		cmocka_unit_test(
			letters_retried_at_any_time_leave_what_all_in_time_leave),
		cmocka_unit_test(with_deletes_among_them_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
