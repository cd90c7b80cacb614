/*
 * Going back where the two generations are not alike: another schema, other
 * partitions, much on the record, and a live one of which parts can't be read.
 */
#include "store/decisions.h"
#include "store/generations.h"
#include "tests/lib/check.h"
#include "tests/lib/store_rig.h"

#include <stdio.h>
#include <string.h>

static void check_ok(int rc, const struct fault *fault)
{
	if (rc != 0)
		fail_msg("%d: %s", rc, fault->text);
}

static struct decision decision(const char *what, int64_t after_s)
{
	return (struct decision){
		.at_us = STORE_RIG_TIME_US + after_s * SECOND_US,
		.who = "ada",
		.what = what,
		.target = "account",
		.because = "it has to be"};
}

static void take(
	struct store_rig *rig, int32_t partition, int64_t first, int64_t end)
{
	for (int64_t offset = first; offset < end; offset++) {
		const struct store_rig_event event = {.partition = partition,
			.offset = offset,
			.record_s = offset,
			.id = offset % 5,
			.count = 10};
		(void)store_rig_take(rig, &event);
	}
}

/* `account` without its label, and no `pair`. */
static const char narrow_text[] =
	"{\"views\": {\"account\": {\"entity\": {\"id\": \"int64\"},"
	" \"features\": {\"count\": {\"type\": \"int64\", \"merge\":"
	" \"sum\"}}}}, \"sources\": {\"alpha\": {}}}";

/* g2, of the first record of partition 0. */
static void make_older(struct store_rig *rig, const char *schema_text)
{
	struct fault fault = {0};
	struct schema *schema = NULL;
	struct store_options options = rig->options;
	const struct store_build build = {.origin = "the log"};
	struct store *live = rig->store;
	if (schema_text != NULL)
		check_ok(schema_parse(&schema, slice_of(schema_text), "older",
				 &fault),
			&fault);
	if (schema != NULL)
		options.schema = schema;
	check_ok(store_build(&rig->store, &options, &build, &fault), &fault);
	take(rig, 0, 0, 1);
	check_ok(store_complete(rig->store, &fault), &fault);
	store_close(rig->store);
	schema_free(schema);
	rig->store = live;
}

static struct handover switch_to(struct store_rig *rig, const char *generation)
{
	struct fault fault = {0};
	struct handover handover;
	const struct store_switch to = {
		.generation = generation, .handover = &handover};
	check_ok(store_switch(&rig->store, &to, &fault), &fault);
	return handover;
}

static void hold(struct store_rig *rig, const char *view, const char *feature)
{
	struct fault fault = {0};
	const struct decision made = decision("hold", 1);
	check_ok(store_hold(
			 rig->store, view, feature, CHOICE_FAIL, &made, &fault),
		&fault);
}

static void stop(
	struct store_rig *rig, const struct log *log, const char *reason)
{
	struct fault fault = {0};
	const struct store_stop made = {.log = log,
		.reason = reason,
		.detail = "for a test",
		.log_start = LOG_START_UNKNOWN};
	check_ok(store_stop_partition(rig->store, &made, NULL, &fault), &fault);
}

static int64_t count(struct store_rig *rig, const char *rows)
{
	char sql[128];
	(void)snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", rows);
	return store_rig_ask(rig, sql);
}

static void holds_on_what_the_older_schema_lacks_are_told(void **state)
{
	struct store_rig *rig = *state;
	take(rig, 0, 0, 3);
	make_older(rig, narrow_text);
	hold(rig, "account", NULL);
	hold(rig, "account", "label");
	hold(rig, "pair", NULL);
	hold(rig, "pair", "low");
	const struct handover there = switch_to(rig, "g2");
	assert_int_equal(there.holds, 1);
	assert_int_equal(there.holds_gone, 3);
	assert_int_equal(count(rig, "_hold"), 1);
}

/* What is not the live one's to say stays as it was. */
static void holds_on_what_the_live_schema_lacks_stay(void **state)
{
	struct store_rig *rig = *state;
	take(rig, 0, 0, 3);
	make_older(rig, narrow_text);
	hold(rig, "pair", NULL);
	hold(rig, "account", "count");
	(void)switch_to(rig, "g2");
	hold(rig, "account", NULL);
	const struct handover back = switch_to(rig, "g1");
	assert_int_equal(back.holds, 2);
	assert_int_equal(count(rig, "_hold WHERE target = 'pair'"), 1);
	assert_int_equal(count(rig, "_hold"), 3);
}

static void only_stops_that_a_person_ends_are_handed_over(void **state)
{
	struct store_rig *rig = *state;
	static const struct {
		const char *reason;
		bool stays;
	} cases[] = {{STOP_PAUSED, true}, {STOP_FLOOD, true},
		{STOP_ROLLED_BACK, true}, {STOP_LOST, false},
		{STOP_FULL, false}, {STOP_SWITCHING, false}};
	take(rig, 0, 0, 3);
	make_older(rig, NULL);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		stop(rig, &store_rig_partition(rig, 0)->log, cases[i].reason);
		assert_int_equal(switch_to(rig, "g2").stops, cases[i].stays);
		assert_int_equal(count(rig, "_stop"), cases[i].stays);
		(void)switch_to(rig, "g1");
	}
}

/* Numbers of logs are each generation's own. */
static void a_stop_is_of_the_same_partition_under_another_number(void **state)
{
	struct store_rig *rig = *state;
	take(rig, 3, 0, 1);
	take(rig, 0, 0, 3);
	make_older(rig, NULL);
	const struct log *log = &store_rig_partition(rig, 0)->log;
	assert_int_equal(log->id, 2);
	stop(rig, log, STOP_PAUSED);
	assert_int_equal(switch_to(rig, "g2").stops, 1);
	assert_int_equal(count(rig, "_stop WHERE log = 1"), 1);
}

/* In g2 one is paused that g1 resumed since, and one that g1 never took. */
static void stops_that_the_live_one_lifted_are_lifted(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	const struct decision resumed = decision("resume", 9);
	take(rig, 0, 0, 3);
	make_older(rig, NULL);
	(void)switch_to(rig, "g2");
	take(rig, 5, 0, 1);
	stop(rig, &store_rig_partition(rig, 0)->log, STOP_PAUSED);
	stop(rig, &store_rig_partition(rig, 5)->log, STOP_PAUSED);
	const struct handover there = switch_to(rig, "g1");
	assert_int_equal(there.stops, 1);
	assert_int_equal(there.stops_gone, 1);
	check_ok(store_resume_partition(rig->store,
			 &store_rig_partition(rig, 0)->log, &resumed, &fault),
		&fault);
	assert_int_equal(switch_to(rig, "g2").stops, 0);
	assert_int_equal(count(rig, "_stop"), 1);
	assert_int_equal(count(rig, "_stop s JOIN _partition p ON p.id = s.log"
				    " WHERE p.partition = 5"),
		1);
}

static void a_long_record_joins_in_order(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	take(rig, 0, 0, 3);
	make_older(rig, NULL);
	for (int i = 0; i < 40; i++) {
		const struct decision made = decision("load", i);
		check_ok(store_decide(rig->store, &made, &fault), &fault);
	}
	const struct handover there = switch_to(rig, "g2");
	assert_int_equal(there.decisions, 40);
	assert_string_equal(there.undone, "40 load");
	assert_int_equal(count(rig, "_decision"), 40);
	assert_int_equal(
		count(rig, "_decision a JOIN _decision b ON b.id = a.id + 1"
			   " WHERE b.at = a.at + 1000000"),
		39);
}

static void everything_that_is_not_kept_is_told(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	static const char *const what[] = {"new log", "accept gap", "load",
		"dead retry", "dead retry", "schema apply"};
	take(rig, 0, 0, 3);
	make_older(rig, NULL);
	for (size_t i = 0; i < sizeof what / sizeof what[0]; i++) {
		const struct decision made = decision(what[i], (int64_t)i);
		check_ok(store_decide(rig->store, &made, &fault), &fault);
	}
	assert_string_equal(switch_to(rig, "g2").undone,
		"1 load, 1 schema apply, 2 dead "
		"retry, 1 accept gap, 1 new log");
}

static void parts_that_can_not_be_read_are_told_one_by_one(void **state)
{
	struct store_rig *rig = *state;
	take(rig, 0, 0, 3);
	make_older(rig, NULL);
	hold(rig, "account", NULL);
	stop(rig, &store_rig_partition(rig, 0)->log, STOP_PAUSED);
	store_rig_tamper(rig, "UPDATE _hold SET because = 'nothing'");
	store_rig_tamper(rig, "UPDATE _stop SET detail = 'nothing'");
	store_rig_tamper(rig, "UPDATE _decision SET who = 'nobody'");
	const struct handover there = switch_to(rig, "g2");
	assert_int_equal(there.holds + there.stops + there.decisions, 0);
	assert_int_equal(strncmp(there.missed, "holds: table _hold", 18), 0);
	assert_non_null(strstr(there.missed, "; stops: table _stop"));
	assert_non_null(strstr(there.missed, "; decisions: table _decision"));
}

static void partitions_that_can_not_be_read_are_told(void **state)
{
	struct store_rig *rig = *state;
	take(rig, 0, 0, 3);
	make_older(rig, NULL);
	hold(rig, "account", NULL);
	stop(rig, &store_rig_partition(rig, 0)->log, STOP_PAUSED);
	store_rig_tamper(rig, "UPDATE _partition SET taken = taken + 1");
	const struct handover there = switch_to(rig, "g2");
	assert_int_equal(
		strncmp(there.missed, "partitions: table _partition", 28), 0);
	/* whose they are nobody knows */
	assert_int_equal(there.stops, 0);
	assert_int_equal(there.holds, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(holds_on_what_the_older_schema_lacks_are_told),
		WITH_STORE(holds_on_what_the_live_schema_lacks_stay),
		WITH_STORE(only_stops_that_a_person_ends_are_handed_over),
		WITH_STORE(
			a_stop_is_of_the_same_partition_under_another_number),
		WITH_STORE(stops_that_the_live_one_lifted_are_lifted),
		WITH_STORE(a_long_record_joins_in_order),
		WITH_STORE(everything_that_is_not_kept_is_told),
		WITH_STORE(parts_that_can_not_be_read_are_told_one_by_one),
		WITH_STORE(partitions_that_can_not_be_read_are_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
