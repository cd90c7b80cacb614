/*
 * What operators decide about partitions, on the real store: it lasts, it is on
 * the record, and the accounts add up behind it.
 */
#include "store/decisions.h"
#include "store/reader.h"
#include "store/verify.h"
#include "tests/lib/check.h"
#include "tests/lib/event_store.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#define TOPIC "events"
#define SCHEMA                                                                 \
	"{'views': {'account': {'entity': {'id': 'int64'},"                    \
	" 'features': {'label': {'type': 'string'}}}},"                        \
	" 'sources': {'events': {}}}"

static const struct decision decision = {.at_us = 1795422048000000,
	.who = "ada",
	.what = "try",
	.target = "events:0",
	.because = "a test"};

static int setup(void **state)
{
	static struct event_store store;
	event_store_make(&store, SCHEMA);
	*state = &store;
	return 0;
}

static int teardown(void **state)
{
	event_store_remove(*state);
	return 0;
}

static void reopen(struct event_store *store)
{
	struct fault fault = {0};
	struct store_options options = store_options_default();
	options.path = store->directory.path;
	store_close(store->store);
	if (store_open(&store->store, &options, &fault) < 0)
		fail_msg("%s", fault.text);
	store->decoder.schema = store_schema(store->store);
}

static const struct store_partition *newest(struct event_store *store)
{
	const struct store_partition *partition = NULL;
	assert_int_equal(
		store_partition(store->store, TOPIC, 0, 0, &partition, NULL),
		0);
	return partition;
}

/* All at one event time: the version's other parts decide. */
static void take(struct event_store *store, int number, const char *label)
{
	char value[256];
	int length = snprintf(value, sizeof value,
		"{'id': %d, 'view': 'account', 'entity': {'id': 7},"
		" 'event_time': '2026-11-23T08:20:48Z',"
		" 'features': {'label': '%s'}}",
		number, label);
	assert_in_range(length, 1, sizeof value - 1);
	event_store_take(store, TOPIC, value);
}

static void stop(
	struct event_store *store, const char *reason, int64_t log_start)
{
	const struct store_stop found = {.log = &newest(store)->log,
		.reason = reason,
		.detail = "found",
		.log_start = log_start};
	assert_int_equal(
		store_stop_partition(store->store, &found, NULL, NULL), 0);
}

/* Why the newest incarnation is stopped; "": it is not. */
static const char *why(struct event_store *store)
{
	const char *reason = NULL;
	arena_reset(&store->arena);
	assert_in_range(store_why_stopped(store->store, &newest(store)->log,
				&store->arena, &reason, NULL),
		0, 1);
	return reason;
}

/* The first column of one row, read from outside. */
static const char *ask(struct event_store *store, const char *sql)
{
	static char text[256];
	char path[4200];
	sqlite3 *db = NULL;
	sqlite3_stmt *statement = NULL;
	assert_true(snprintf(path, sizeof path, "%s/features.db",
			    store->directory.path) > 0);
	assert_int_equal(
		sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), 0);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), 0);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	assert_true(
		snprintf(text, sizeof text, "%s",
			(const char *)sqlite3_column_text(statement, 0)) >= 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return text;
}

static void check_accounts(struct event_store *store)
{
	struct fault fault = {0};
	struct reader *reader = NULL;
	struct verify_report report;
	assert_int_equal(
		reader_open(&reader, store->directory.path, 1000, &fault), 0);
	if (reader_verify(reader, &store->arena, &report, &fault) < 0)
		fail_msg("%s", fault.text);
	if (report.problem_count > 0)
		fail_msg("%s", report.problems[0]);
	reader_close(reader);
}

static void a_stop_lasts_beyond_a_restart(void **state)
{
	struct event_store *store = *state;
	assert_string_equal(why(store), "");
	stop(store, STOP_PAUSED, LOG_START_UNKNOWN);
	assert_string_equal(why(store), STOP_PAUSED);
	reopen(store);
	assert_string_equal(why(store), STOP_PAUSED);
	assert_int_equal(store_resume_partition(store->store,
				 &newest(store)->log, &decision, NULL),
		0);
	assert_string_equal(why(store), "");
	assert_int_equal(store_resume_partition(store->store,
				 &newest(store)->log, &decision, NULL),
		1);
	reopen(store);
	assert_string_equal(why(store), "");
	/* The one that was found is nobody's, nor is what did nothing. */
	assert_string_equal(
		ask(store, "SELECT count(*) || who || what || target "
			   "|| before || after || because "
			   "FROM _decision"),
		"1adatryevents:0pauseda test");
}

static void an_accepted_gap_is_counted_as_lost(void **state)
{
	struct event_store *store = *state;
	take(store, 1, "a");
	take(store, 2, "b");
	stop(store, STOP_LOST, 10);
	const struct log *log = &newest(store)->log;
	assert_int_equal(
		store_accept_gap(store->store, log, &decision, NULL), 0);
	const struct store_accounts *accounts = &newest(store)->accounts;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(accounts->first_offset, 0);
		assert_int_equal(accounts->next_offset, 10);
		assert_int_equal(accounts->taken, 2);
		assert_int_equal(accounts->lost, 8);
		assert_string_equal(why(store), "");
		check_accounts(store);
		reopen(store);
		accounts = &newest(store)->accounts;
	}
	take(store, 3, "c"); /* the fence is where memory says */
	assert_int_equal(newest(store)->accounts.next_offset, 11);
	check_accounts(store);
	assert_string_equal(
		ask(store, "SELECT before || ' ' || after FROM _decision"),
		"2 10");
}

/* What was missed can't be counted: from now on its end counts as reached now,
 * and no offset moves. */
static void missed_deletes_are_accepted_by_counting_anew(void **state)
{
	struct event_store *store = *state;
	take(store, 1, "a");
	event_store_mark(store, TOPIC, decision.at_us - 5000000);
	take(store, 2, "b");
	assert_int_equal(newest(store)->at_end_us, decision.at_us - 5000000);
	assert_int_equal(newest(store)->end_offset, 1);
	stop(store, STOP_DELETES, LOG_START_UNKNOWN);
	assert_int_equal(store_accept_gap(store->store, &newest(store)->log,
				 &decision, NULL),
		0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(newest(store)->at_end_us, decision.at_us);
		assert_int_equal(newest(store)->end_offset, STORE_NO_END);
		assert_int_equal(newest(store)->accounts.next_offset, 2);
		assert_int_equal(newest(store)->accounts.lost, 0);
		assert_string_equal(why(store), "");
		check_accounts(store);
		reopen(store);
	}
	assert_string_equal(
		ask(store, "SELECT before || ' ' || after FROM _decision"),
		"deletes_lost accepted");
}

/* Another generation's word of an end may be older. */
static void an_older_end_does_not_take_a_newer_one_back(void **state)
{
	struct event_store *store = *state;
	take(store, 1, "a");
	event_store_mark(store, TOPIC, 5000000);
	take(store, 2, "b");
	event_store_mark(store, TOPIC, 4000000);
	assert_int_equal(newest(store)->at_end_us, 5000000);
	assert_int_equal(newest(store)->end_offset, 1);
	event_store_mark(store, TOPIC, 6000000);
	reopen(store);
	assert_int_equal(newest(store)->at_end_us, 6000000);
	assert_int_equal(newest(store)->end_offset, 2);
}

static void check_refused(struct event_store *store)
{
	const struct store_accounts before = newest(store)->accounts;
	const struct log *log = &newest(store)->log;
	assert_int_equal(
		store_accept_gap(store->store, log, &decision, NULL), 1);
	assert_int_equal(store_new_log(store->store, log, &decision, NULL), 1);
	assert_memory_equal(&before, &newest(store)->accounts, sizeof before);
	assert_ptr_equal(log, &newest(store)->log);
	assert_string_equal(ask(store, "SELECT count(*) FROM _decision"), "0");
}

/* Nobody gives up records by mistake. */
static void only_what_was_found_can_be_accepted(void **state)
{
	struct event_store *store = *state;
	take(store, 1, "a");
	check_refused(store);
	stop(store, STOP_PAUSED, 10);
	check_refused(store);
	stop(store, STOP_LOST, 1); /* there is no gap */
	check_refused(store);
	stop(store, STOP_LOST, LOG_START_UNKNOWN);
	check_refused(store);
	stop(store, STOP_CHANGED, LOG_START_UNKNOWN);
	check_refused(store);
	assert_string_equal(why(store), STOP_CHANGED);
}

static void a_new_log_begins_at_its_own_start_and_wins(void **state)
{
	struct event_store *store = *state;
	for (int n = 1; n <= 5; n++)
		take(store, n, "old");
	const struct log *old = &newest(store)->log;
	stop(store, STOP_CHANGED, 3);
	assert_int_equal(store_new_log(store->store, old, &decision, NULL), 0);
	for (int i = 0; i < 2; i++) {
		const struct store_partition *made = newest(store);
		assert_int_equal(made->log.incarnation, 1);
		assert_int_equal(made->accounts.first_offset, 3);
		assert_int_equal(made->accounts.next_offset, 3);
		assert_int_equal(made->trail.count, 0);
		assert_string_equal(why(store), "");
		assert_int_equal(store_partition_count(store->store), 2);
		assert_int_equal(store_partition_at(store->store, 0)
					 ->accounts.next_offset,
			5);
		check_accounts(store);
		reopen(store);
	}
	assert_string_equal(ask(store, "SELECT label FROM account"), "old");
	/* Offset 3 is below the old log's last: the incarnation decides
	 * (design section 5). */
	take(store, 6, "new");
	assert_string_equal(ask(store, "SELECT label FROM account"), "new");
	check_accounts(store);
	assert_string_equal(
		ask(store, "SELECT before || ' ' || after FROM _decision"),
		"0 1");
}

#define ON_A_STORE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_A_STORE(a_stop_lasts_beyond_a_restart),
		ON_A_STORE(an_accepted_gap_is_counted_as_lost),
		ON_A_STORE(missed_deletes_are_accepted_by_counting_anew),
		ON_A_STORE(an_older_end_does_not_take_a_newer_one_back),
		ON_A_STORE(only_what_was_found_can_be_accepted),
		ON_A_STORE(a_new_log_begins_at_its_own_start_and_wins),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
