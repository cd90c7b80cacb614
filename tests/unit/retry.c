/* Letters taken up again, by the record that they came in. */
#include "ingest/retry.h"
#include "tests/lib/chance.h"
#include "tests/lib/check.h"
#include "tests/lib/letter_rig.h"

#include <string.h>

#define EVENTS 60
#define ENTITIES 7
#define LETTERS_MAX (4 * EVENTS)
#define MANY 1200

/* What the store is told while letters are tried again, and what it says. The
 * linker leads calls here (--wrap). */
static struct {
	bool alone;
	uint32_t most; /* letters at once */
	uint32_t last;
	int64_t noted[LETTERS_MAX]; /* those that were alone, as they came */
	size_t count;
} told;

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
bool __wrap_store_retries_alone(const struct store *store);
bool __wrap_store_retries_alone(const struct store *store)
{
	(void)store;
	return told.alone;
}

int __wrap_store_retries(struct store *store, uint32_t count, int64_t letter,
	struct fault *fault);
int __wrap_store_retries(struct store *store, uint32_t count, int64_t letter,
	struct fault *fault)
{
	(void)store;
	(void)fault;
	told.last = count;
	if (count > told.most)
		told.most = count;
	bool again = told.count > 0 && told.noted[told.count - 1] == letter;
	if (count == 1 && !again && told.count < LETTERS_MAX)
		told.noted[told.count++] = letter;
	return 0;
}
/* NOLINTEND(bugprone-reserved-identifier) */

static void good(int rc, const struct fault *fault)
{
	if (rc != 0)
		fail_msg("%d: %s", rc, fault->text);
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
	letter_rig_setup(&states[0]);
	letter_rig_setup(&states[1]);
	struct event_store *smooth = states[0], *rough = states[1];
	make_events(events, &chance, deletes);
	for (int i = 0; i < EVENTS; i++) {
		const struct event *event = &events[i];
		if (i > 0 && chance_below(&chance, 10) == 0)
			event = &events[chance_below(&chance, (uint32_t)i)];
		letter_rig_take(smooth, event, GOOD);
		letter_rig_take(rough, event,
			(enum fare)(chance_below(&chance, 2) *
				    chance_below(&chance, FARES)));
		if (event != &events[i]) { /* a copy came first */
			letter_rig_take(smooth, &events[i], GOOD);
			letter_rig_take(rough, &events[i], GOOD);
		}
		if (chance_below(&chance, 12) == 0)
			retry_some(rough, LETTER_DEAD, &chance, 3);
		if (chance_below(&chance, 12) == 0)
			retry_some(rough, LETTER_PARKED, &chance, 3);
		if (chance_below(&chance, 30) == 0)
			letter_rig_reopen(rough);
		if (chance_below(&chance, 10) == 0)
			letter_rig_expect_whole(rough);
	}
	retry_some(rough, LETTER_PARKED, &chance, 1);
	retry_some(rough, LETTER_DEAD, &chance, 1);
	assert_int_equal(letters_left(rough), 0);
	if (!digest_equal(
		    store_digest(smooth->store), store_digest(rough->store)))
		fail_msg("seed %u: the digests differ", seed);
	letter_rig_expect_whole(rough);
	letter_rig_teardown(&states[0]);
	letter_rig_teardown(&states[1]);
}

static void letters_retried_at_any_time_leave_what_all_in_time_leave(
	void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 3; seed++)
		compare_rough_with_smooth(seed, false);
}

static void with_deletes_among_them_too(void **state)
{
	(void)state;
	for (uint32_t seed = 101; seed <= 103; seed++)
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
	letter_rig_take(store, &event, TOO_LONG);
	assert_int_equal(letter_rig_partition(store)->accounts.updates, 1);
	letter_rig_expect_whole(store);
	struct retry_result result =
		retry_one(store, LETTER_DEAD, 1, true, true);
	assert_int_equal(result.verdict.fate, RETRY_APPLIED);
	assert_int_equal(letter_rig_partition(store)->accounts.updates, 1);
	result = retry_one(store, LETTER_DEAD, 1, true, false);
	assert_int_equal(result.verdict.fate, RETRY_APPLIED);
	const struct store_accounts *accounts =
		&letter_rig_partition(store)->accounts;
	assert_int_equal(accounts->updates, 2);
	assert_int_equal(accounts->dispositions[DISPOSITION_APPLIED], 2);
	assert_int_equal(accounts->dispositions[DISPOSITION_DEAD], 0);
	letter_rig_expect_whole(store);
	assert_false(retry_one(store, LETTER_DEAD, 1, true, false).found);
}

/* Newer values first, much later older ones of the same entity: only who sees
 * the first at the last can tell. */
static void a_dry_run_of_many_says_what_happens_then(void **state)
{
	struct event_store *store = *state;
	static int64_t ids[MANY];
	static struct retry_result dry[MANY], real[MANY];
	struct fault fault = {0};
	for (int i = 0; i < MANY / 2; i++) {
		const struct event event = {
			.id = i, .at_s = MANY - i, .who = i % (MANY / 2 - 1)};
		letter_rig_take(store, &event, SKEWED);
	}
	for (int64_t i = 0; i < MANY; i++)
		ids[i] = i + 1;
	struct retry_request request =
		request_of(store, LETTER_DEAD, ids, MANY);
	request.how.dry_run = true;
	good(retry_letters(&request, dry, &fault), &fault);
	request.how.dry_run = false;
	good(retry_letters(&request, real, &fault), &fault);
	assert_int_equal(real[MANY - 1].verdict.fate, RETRY_SUPERSEDED);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(dry[i].verdict.fate, real[i].verdict.fate);
}

static void one_that_is_dead_still_says_why(void **state)
{
	struct event_store *store = *state;
	static const struct event event = {.id = 1, .who = 1, .n = 5};
	letter_rig_take(store, &event, TOO_LONG);
	store->decoder.max_skew_us = -(INT64_C(1) << 40);
	struct retry_result result =
		retry_one(store, LETTER_DEAD, 1, true, false);
	assert_int_equal(result.verdict.fate, RETRY_DEAD);
	assert_int_equal(result.verdict.reason, REASON_EVENT_TIME_IN_FUTURE);
	assert_int_equal(letters_left(store), 2);
	letter_rig_expect_whole(store);
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
	letter_rig_take(store, &event, PARKED);
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
	letter_rig_expect_whole(store);
}

/* Three parked records are tried again: how many letters that were. */
static size_t try_three_again(struct event_store *store, bool alone)
{
	int64_t ids[LETTERS_MAX];
	struct retry_result results[LETTERS_MAX];
	struct fault fault = {0};
	for (int i = 0; i < 3; i++)
		letter_rig_take(store,
			&(struct event){.id = i, .at_s = i, .who = i, .n = 1},
			PARKED);
	size_t count = letter_ids(store, LETTER_PARKED, ids);
	assert_true(count >= 3);
	memset(&told, 0, sizeof told);
	told.alone = alone;
	struct retry_request request =
		request_of(store, LETTER_PARKED, ids, count);
	good(retry_letters(&request, results, &fault), &fault);
	assert_int_equal(told.count, count); /* each before a look into it */
	for (size_t i = 0; i < count; i++)
		assert_int_equal(told.noted[i], ids[i]);
	assert_int_equal(told.last, 0);
	return count;
}

static void letters_are_noted_before_they_are_looked_into(void **state)
{
	size_t count = try_three_again(*state, false);
	assert_int_equal(told.most, count);
}

static void after_an_end_in_that_they_are_taken_up_one_by_one(void **state)
{
	(void)try_three_again(*state, true);
	assert_int_equal(told.most, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_LETTERS(
			a_record_that_is_read_at_last_gives_all_its_updates),
		WITH_LETTERS(a_dry_run_of_many_says_what_happens_then),
		WITH_LETTERS(one_that_is_dead_still_says_why),
		WITH_LETTERS(what_stays_parked_uncounted_is_as_it_was),
		cmocka_unit_test(waits_double_up_to_an_hour_and_differ),
		cmocka_unit_test(
			letters_retried_at_any_time_leave_what_all_in_time_leave),
		cmocka_unit_test(with_deletes_among_them_too),
		WITH_LETTERS(letters_are_noted_before_they_are_looked_into),
		WITH_LETTERS(after_an_end_in_that_they_are_taken_up_one_by_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
