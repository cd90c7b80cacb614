/* What is done about letters between batches. */
#include "ingest/keeper.h"
#include "store/decisions.h"
#include "tests/lib/check.h"
#include "tests/lib/letter_rig.h"

#include <sqlite3.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)
#define MINUTE_US (60 * SECOND_US)
#define DAY_US (24 * 60 * MINUTE_US)
#define START_US INT64_C(1795422048000000)

/* Wall and monotonic clock in one, moved by the test. */
struct hand {
	struct clock clock; /* first */
	int64_t now_us;
};

static int64_t hand_us(struct clock *clock)
{
	return ((struct hand *)clock)->now_us;
}

struct told {
	char text[1024];
	size_t count;
};

static void note(void *payload, const char *text)
{
	struct told *told = payload;
	(void)snprintf(told->text, sizeof told->text, "%s", text);
	told->count++;
}

static void good(int rc, const struct fault *fault)
{
	if (rc != 0)
		fail_msg("%d: %s", rc, fault->text);
}

/* A store and its keeper. */
struct care {
	struct event_store *store;
	struct hand hand;
	struct told told;
	struct keeper_options options;
	struct keeper *keeper;
};

static void begin(struct care *care, void **state)
{
	struct fault fault = {0};
	*care = (struct care){
		.store = *state, .hand = {{hand_us, hand_us}, START_US}};
	care->options = keeper_options_default();
	care->options.store = care->store->store;
	care->options.decoder = care->store->decoder;
	care->options.clock = &care->hand.clock;
	care->options.notice = note;
	care->options.payload = &care->told;
	good(keeper_open(&care->keeper, &care->options, &fault), &fault);
}

static void begin_again(struct care *care)
{
	struct fault fault = {0};
	keeper_close(care->keeper);
	good(keeper_open(&care->keeper, &care->options, &fault), &fault);
}

static void attend(struct care *care)
{
	struct fault fault = {0};
	good(keeper_attend(care->keeper, &fault), &fault);
	letter_rig_expect_whole(care->store);
}

/* As the pipeline does: while it wants, and then once more for nothing. */
static size_t attend_while_wanted(struct care *care)
{
	size_t times = 0;
	for (; keeper_wants(care->keeper); times++) {
		assert_true(times < 100);
		attend(care);
	}
	return times;
}

static int64_t count_of(const struct care *care, enum disposition disposition)
{
	return letter_rig_partition(care->store)
		->accounts.dispositions[disposition];
}

static int64_t bytes_of(const struct care *care, enum letter_kind kind)
{
	return store_letter_bytes(care->store->store,
		&letter_rig_partition(care->store)->log, kind);
}

static const char *why_stopped(struct care *care)
{
	struct fault fault = {0};
	const char *reason = "";
	(void)store_why_stopped(care->store->store,
		&letter_rig_partition(care->store)->log, &care->store->arena,
		&reason, &fault);
	return reason;
}

/* `count` records, two updates each, and the keeper is told of them. */
static void take(struct care *care, int count, enum fare fare)
{
	static int id = 1;
	for (int i = 0; i < count; i++) {
		const struct event event = {.id = id++, .who = 1, .n = 1};
		int64_t parked = count_of(care, DISPOSITION_PARKED);
		int64_t dead = count_of(care, DISPOSITION_DEAD);
		int64_t bytes[] = {bytes_of(care, LETTER_DEAD),
			bytes_of(care, LETTER_PARKED)};
		letter_rig_take(care->store, &event, fare);
		struct store_tally tally = {.records = 1};
		tally.dispositions[DISPOSITION_PARKED] =
			count_of(care, DISPOSITION_PARKED) - parked;
		tally.dispositions[DISPOSITION_DEAD] =
			count_of(care, DISPOSITION_DEAD) - dead;
		for (int kind = LETTER_DEAD; kind <= LETTER_PARKED; kind++)
			tally.letter_bytes[kind] =
				bytes_of(care, (enum letter_kind)kind) -
				bytes[kind];
		keeper_landed(care->keeper, &tally);
	}
}

static void end(struct care *care)
{
	keeper_close(care->keeper);
}

static void without_letters_it_wants_next_to_nothing(void **state)
{
	struct care care;
	begin(&care, state);
	attend_while_wanted(&care);
	take(&care, 10, GOOD);
	for (int i = 0; i < 59; i++) {
		care.hand.now_us += SECOND_US;
		assert_false(keeper_wants(care.keeper));
	}
	end(&care);
}

static void parked_updates_are_taken_up_when_due(void **state)
{
	struct care care;
	begin(&care, state);
	attend_while_wanted(&care);
	take(&care, 3, PARKED); /* the rig's are due at once */
	assert_int_equal(count_of(&care, DISPOSITION_PARKED), 6);
	care.hand.now_us += RETRY_FIRST_US + SECOND_US;
	attend_while_wanted(&care);
	assert_int_equal(count_of(&care, DISPOSITION_PARKED), 0);
	assert_int_equal(count_of(&care, DISPOSITION_APPLIED), 6);
	end(&care);
}

/* The record can't be read: so it is as if its view were unknown for ever. */
static void after_the_last_attempt_it_is_dead_and_no_sooner(void **state)
{
	struct care care;
	begin(&care, state);
	attend_while_wanted(&care);
	care.options.decoder.value_bytes_max = 1;
	care.options.retry_attempts = 5;
	take(&care, 1, PARKED);
	begin_again(&care);
	/* looked at for the start, which counts as no attempt */
	attend(&care);
	int64_t waits_us = 0;
	for (int attempt = 1; attempt <= 5; attempt++) {
		assert_int_equal(count_of(&care, DISPOSITION_PARKED), 2);
		attend_while_wanted(&care);
		if (attempt == 5)
			break;
		/* half the wait: too early */
		int64_t wait_us = RETRY_FIRST_US << (attempt - 1);
		care.hand.now_us += wait_us / 2;
		attend_while_wanted(&care);
		care.hand.now_us += wait_us;
		waits_us += wait_us;
	}
	assert_true(waits_us < RETRY_LAST_US);
	assert_int_equal(count_of(&care, DISPOSITION_PARKED), 0);
	assert_int_equal(count_of(&care, DISPOSITION_DEAD), 2);
	end(&care);
}

static void a_start_looks_at_all_and_counts_no_attempt(void **state)
{
	struct care care;
	begin(&care, state);
	attend_while_wanted(&care);
	care.options.decoder.value_bytes_max = 1;
	care.options.retry_attempts = 2;
	take(&care, 2, PARKED);
	begin_again(&care);
	attend_while_wanted(&care); /* one attempt, as they are due */
	for (int start = 0; start < 5; start++) {
		begin_again(&care);
		attend_while_wanted(&care);
		assert_int_equal(count_of(&care, DISPOSITION_PARKED), 4);
	}
	care.options.decoder.value_bytes_max = VALUE_BYTES_MAX;
	begin_again(&care); /* now they can be read, and none is due */
	attend_while_wanted(&care);
	assert_int_equal(count_of(&care, DISPOSITION_APPLIED), 4);
	end(&care);
}

static void a_full_topic_waits_until_there_is_room(void **state)
{
	struct care care;
	begin(&care, state);
	care.options.limits.parked_max = 10;
	care.options.decoder.value_bytes_max = 1; /* nothing is taken up */
	begin_again(&care);
	attend_while_wanted(&care);
	take(&care, 4, PARKED);
	assert_false(keeper_wants(care.keeper));
	assert_string_equal(why_stopped(&care), "");
	take(&care, 1, PARKED);
	assert_true(keeper_wants(care.keeper));
	attend(&care);
	assert_string_equal(why_stopped(&care), STOP_FULL);
	assert_int_equal(care.told.count, 1);
	assert_non_null(strstr(care.told.text, "alpha:0 stopped, parked_full"));
	attend(&care);
	assert_string_equal(why_stopped(&care), STOP_FULL);
	care.options.decoder.value_bytes_max = VALUE_BYTES_MAX;
	begin_again(&care);
	attend_while_wanted(&care);
	assert_int_equal(count_of(&care, DISPOSITION_PARKED), 0);
	assert_string_equal(why_stopped(&care), "");
	end(&care);
}

/* And nobody is told that it goes on. */
static void one_that_is_paused_meanwhile_stays_so(void **state)
{
	struct care care;
	struct fault fault = {0};
	begin(&care, state);
	care.options.limits.parked_max = 10;
	begin_again(&care);
	attend_while_wanted(&care);
	take(&care, 5, PARKED);
	attend(&care);
	const struct store_stop pause = {
		.log = &letter_rig_partition(care.store)->log,
		.reason = STOP_PAUSED,
		.detail = "by somebody",
		.since_us = START_US,
	};
	good(store_stop_partition(care.store->store, &pause, NULL, &fault),
		&fault);
	care.hand.now_us += 10 * MINUTE_US;
	attend_while_wanted(&care);
	assert_int_equal(count_of(&care, DISPOSITION_PARKED), 0);
	assert_string_equal(why_stopped(&care), STOP_PAUSED);
	assert_int_equal(care.told.count, 1);
	end(&care);
}

static void a_flood_of_dead_letters_stops_until_it_is_resumed(void **state)
{
	struct care care;
	struct fault fault = {0};
	const struct decision decision = {
		START_US, "somebody", "resume", "alpha:0", ""};
	begin(&care, state);
	attend_while_wanted(&care);
	take(&care, 999, TOO_LONG); /* one dead letter a record */
	care.hand.now_us += SECOND_US;
	attend_while_wanted(&care);
	assert_string_equal(why_stopped(&care), "");
	take(&care, 1, TOO_LONG);
	care.hand.now_us += SECOND_US;
	attend_while_wanted(&care);
	assert_string_equal(why_stopped(&care), STOP_FLOOD);
	assert_non_null(strstr(care.told.text, "holdfast resume alpha:0"));
	assert_int_equal(store_resume_partition(care.store->store,
				 &letter_rig_partition(care.store)->log,
				 &decision, &fault),
		0);
	take(&care, 999, TOO_LONG);
	care.hand.now_us += SECOND_US;
	attend_while_wanted(&care);
	assert_string_equal(why_stopped(&care), "");
	end(&care);
}

/* What the tables hold, counted from outside; nobody else has them open. */
static int64_t bytes_in(struct care *care, const char *table)
{
	char path[512], sql[512];
	sqlite3 *db = NULL;
	sqlite3_stmt *statement = NULL;
	int length = snprintf(path, sizeof path, "%s/features.db",
		care->store->directory.path);
	assert_in_range(length, 1, sizeof path - 1);
	length = snprintf(sql, sizeof sql,
		"SELECT total(coalesce(length(key), 0) + length(value) + 256)"
		" FROM _record WHERE EXISTS (SELECT 1 FROM %s"
		" WHERE record = _record.id)",
		table);
	assert_in_range(length, 1, sizeof sql - 1);
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL),
		SQLITE_OK);
	assert_int_equal(
		sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	int64_t bytes = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return bytes;
}

static void expect_bytes(struct care *care)
{
	const struct log *log = &letter_rig_partition(care->store)->log;
	const struct store *store = care->store->store;
	assert_int_equal(store_letter_bytes(store, log, LETTER_DEAD),
		bytes_in(care, "_dead"));
	assert_int_equal(store_letter_bytes(store, log, LETTER_PARKED),
		bytes_in(care, "_parked"));
}

/* Whatever came and went, and after a restart. */
static void bytes_of_letters_are_what_the_tables_hold(void **state)
{
	struct care care;
	begin(&care, state);
	expect_bytes(&care);
	take(&care, 3, PARKED);
	take(&care, 2, TOO_LONG);
	expect_bytes(&care);
	assert_true(bytes_in(&care, "_parked") > INT64_C(3) * 256);
	attend_while_wanted(&care); /* what was parked is applied */
	assert_int_equal(bytes_in(&care, "_parked"), 0);
	expect_bytes(&care);
	take(&care, 1, PARKED);
	end(&care);
	letter_rig_reopen(care.store);
	expect_bytes(&care);
}

static void pass_a_second(struct care *care)
{
	care->hand.now_us += SECOND_US;
	attend_while_wanted(care);
}

static void letters_that_take_too_much_stop_until_they_are_dropped(void **state)
{
	struct care care;
	struct fault fault = {0};
	const int64_t ids[] = {1, 2, 3, 4, 5, 6};
	const struct decision decision = {
		START_US, "somebody", "dead drop", "dead 1", "seen"};
	begin(&care, state);
	take(&care, 5, TOO_LONG);
	care.options.limits.dead_max_bytes = bytes_in(&care, "_dead") + 1;
	begin_again(&care);
	pass_a_second(&care);
	assert_string_equal(why_stopped(&care), "");
	take(&care, 1, TOO_LONG);
	pass_a_second(&care);
	assert_string_equal(why_stopped(&care), STOP_DEAD_FULL);
	assert_non_null(strstr(care.told.text, "holdfast dead export"));
	assert_non_null(strstr(care.told.text, "holdfast dead drop"));
	/* It is not started before there is room: it would take some more. */
	assert_true(stop_lasts(STOP_DEAD_FULL));
	begin_again(&care);
	pass_a_second(&care);
	assert_string_equal(why_stopped(&care), STOP_DEAD_FULL);
	assert_int_equal(count_of(&care, DISPOSITION_DEAD), 6);
	/* Somebody saw them: they need not stay for ingest.dead_keep. */
	assert_int_equal(
		store_acknowledge(care.store->store, ids, 6, &decision, &fault),
		6);
	care.hand.now_us += 10 * SECOND_US;
	attend_while_wanted(&care);
	assert_int_equal(letter_rig_partition(care.store)->accounts.cleared, 6);
	assert_string_equal(why_stopped(&care), "");
	expect_bytes(&care);
	end(&care);
}

static void parked_updates_that_take_too_much_stop_until_there_is_room(
	void **state)
{
	struct care care;
	begin(&care, state);
	care.options.decoder.value_bytes_max = 1; /* nothing is taken up */
	begin_again(&care);
	take(&care, 3, PARKED);
	care.options.limits.parked_max_bytes = bytes_in(&care, "_parked") + 1;
	begin_again(&care);
	pass_a_second(&care);
	assert_string_equal(why_stopped(&care), "");
	take(&care, 1, PARKED);
	pass_a_second(&care);
	assert_string_equal(why_stopped(&care), STOP_FULL);
	assert_non_null(strstr(care.told.text, "ingest.parked_max_bytes"));
	assert_true(stop_lasts(STOP_FULL));
	/* At the next start they can be read: there is room at once. */
	care.options.decoder.value_bytes_max = VALUE_BYTES_MAX;
	begin_again(&care);
	assert_true(keeper_wants(care.keeper));
	attend_while_wanted(&care);
	assert_string_equal(why_stopped(&care), "");
	end(&care);
}

static void acknowledged_letters_leave_in_their_time(void **state)
{
	struct care care;
	struct fault fault = {0};
	const struct decision decision = {
		START_US, "somebody", "dead drop", "dead 1", "seen"};
	const int64_t id = 1;
	begin(&care, state);
	take(&care, 2, TOO_LONG);
	assert_int_equal(
		store_acknowledge(care.store->store, &id, 1, &decision, &fault),
		1);
	care.hand.now_us += 30 * DAY_US;
	attend_while_wanted(&care);
	assert_int_equal(letter_rig_partition(care.store)->accounts.cleared, 0);
	care.hand.now_us += MINUTE_US;
	attend_while_wanted(&care);
	assert_int_equal(letter_rig_partition(care.store)->accounts.cleared, 1);
	assert_int_equal(count_of(&care, DISPOSITION_DEAD), 2);
	end(&care);
}

/* Its view is not there: it parks again and again, whoever takes it up. */
static void take_early(struct event_store *store)
{
	struct fault fault = {0};
	const struct store_partition *partition = letter_rig_partition(store);
	struct store_record record = {
		.record = {.log = &partition->log,
			.next_offset = 1,
			.timestamp_us = START_US,
			.value = slice_of("{\"id\": 1, \"view\": \"later\","
					  " \"entity\": {\"id\": 1},"
					  " \"features\": {\"n\": 1}}")},
	};
	good(decode_record(&store->decoder,
		     schema_source(store->decoder.schema, "alpha"),
		     &record.record, &store->arena, &record.decoded, &fault),
		&fault);
	struct store_batch batch = {.records = &record, .record_count = 1};
	good(store_apply(store->store, &batch, NULL, &fault), &fault);
}

static void what_a_person_makes_wait_again_is_tried_again(void **state)
{
	struct event_store early;
	void *other = &early;
	struct care care;
	struct fault fault = {0};
	const int64_t id = 1;
	struct retry_result result;
	(void)state;
	event_store_make(&early,
		"{'views': {'card': {'entity': {'id': 'int64'},"
		" 'features': {'n': {'type': 'int64'}}}},"
		" 'sources': {'alpha': {}}}");
	begin(&care, &other);
	care.options.retry_attempts = 1;
	begin_again(&care);
	take_early(&early);
	keeper_landed(care.keeper, &(struct store_tally){.records = 1});
	care.hand.now_us += 2 * MINUTE_US;
	attend_while_wanted(&care);
	assert_int_equal(count_of(&care, DISPOSITION_DEAD), 1);
	const struct retry_request request = {.store = early.store,
		.decoder = early.decoder,
		.ids = &id,
		.count = 1,
		.how = {.attempts_max = INT64_MAX},
		.uncounted = true};
	good(retry_letters(&request, &result, &fault), &fault);
	assert_int_equal(result.verdict.fate, RETRY_PARKED);
	assert_int_equal(count_of(&care, DISPOSITION_PARKED), 1);
	for (int i = 0; i < 5; i++) {
		care.hand.now_us += MINUTE_US;
		attend_while_wanted(&care);
	}
	assert_int_equal(count_of(&care, DISPOSITION_PARKED), 0);
	assert_int_equal(count_of(&care, DISPOSITION_DEAD), 1);
	end(&care);
	event_store_remove(&early);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_LETTERS(without_letters_it_wants_next_to_nothing),
		WITH_LETTERS(parked_updates_are_taken_up_when_due),
		WITH_LETTERS(after_the_last_attempt_it_is_dead_and_no_sooner),
		WITH_LETTERS(a_start_looks_at_all_and_counts_no_attempt),
		WITH_LETTERS(a_full_topic_waits_until_there_is_room),
		WITH_LETTERS(one_that_is_paused_meanwhile_stays_so),
		WITH_LETTERS(a_flood_of_dead_letters_stops_until_it_is_resumed),
		cmocka_unit_test(what_a_person_makes_wait_again_is_tried_again),
		WITH_LETTERS(bytes_of_letters_are_what_the_tables_hold),
		WITH_LETTERS(
			letters_that_take_too_much_stop_until_they_are_dropped),
		WITH_LETTERS(
			parked_updates_that_take_too_much_stop_until_there_is_room),
		WITH_LETTERS(acknowledged_letters_leave_in_their_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
