/* Compacted topics: which of them stop, when, and what they say. The mock
 * cluster does not compact and knows no topic settings: what it would say of
 * them is put in (-Wl,--wrap); tests/kafka/compacted.sh asks a real one. */
#include "tests/lib/check.h"
#include "tests/lib/kafka_rig.h"

#include "ingest/kafka/kafka_topic.h"

#include <stdatomic.h>
#include <string.h>

#define HOUR_US (3600 * INT64_C(1000000))
#define DAY_US (24 * HOUR_US)

/* What the topic says of itself, to the scout's thread. */
static _Atomic int64_t deletes_kept_us;
static atomic_int unreachable; /* so many questions more */
static atomic_int refused;

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
enum kafka_cleanup_outcome __wrap_kafka_topic_cleanup(rd_kafka_t *client,
	const char *topic, const atomic_bool *stop, struct kafka_cleanup *out,
	struct fault *notice);
enum kafka_cleanup_outcome __wrap_kafka_topic_cleanup(rd_kafka_t *client,
	const char *topic, const atomic_bool *stop, struct kafka_cleanup *out,
	struct fault *notice)
{
	(void)client;
	(void)stop;
	*out = (struct kafka_cleanup){0};
	if (atomic_load(&unreachable) > 0) {
		atomic_fetch_sub(&unreachable, 1);
		fault_set(notice, FAULT_BROKER, "nobody says: %s", topic);
		return KAFKA_CLEANUP_UNREACHABLE;
	}
	if (atomic_load(&refused) != 0) {
		fault_set(notice, FAULT_BROKER, "may not ask: %s", topic);
		return KAFKA_CLEANUP_REFUSED;
	}
	out->compacted = true;
	out->deletes_kept_us = atomic_load(&deletes_kept_us);
	return KAFKA_CLEANUP_KNOWN;
}
/* NOLINTEND(bugprone-reserved-identifier) */

/* The system's clock, so much later. */
static _Atomic int64_t shift_us;

static int64_t monotonic_us(struct clock *clock)
{
	(void)clock;
	return clock_system()->monotonic_us(clock_system());
}

static int64_t wall_us(struct clock *clock)
{
	(void)clock;
	return clock_system()->wall_us(clock_system()) + atomic_load(&shift_us);
}

static int set_up(void **state)
{
	static struct kafka_rig rig;
	*state = &rig;
	atomic_store(&deletes_kept_us, DAY_US);
	atomic_store(&unreachable, 0);
	atomic_store(&refused, 0);
	static struct clock clock = {monotonic_us, wall_us};
	atomic_store(&shift_us, 0);
	rig_start(&rig, 1);
	rig.options.clock = &clock;
	return 0;
}

static int tear_down(void **state)
{
	rig_stop(*state);
	return 0;
}

static void put(struct kafka_rig *rig, int count)
{
	mock_kafka_fill(&rig->mock, "t", 0, 0, count);
}

static bool has_stopped(const struct kafka_rig *rig)
{
	return rig->partitions[0].stopped;
}

static bool has_ended(const struct kafka_rig *rig)
{
	return rig->partitions[0].ends > 0;
}

static bool has_notice(const struct kafka_rig *rig)
{
	return rig->notices > 0;
}

static int64_t ago_us(const struct kafka_rig *rig, int64_t us)
{
	return rig->options.clock->wall_us(rig->options.clock) - us;
}

/* As a store says that was at the end `us` ago, at `end`, and took records up
 * to `next` since. */
static void was_whole(
	struct kafka_rig *rig, int64_t us, int64_t end, int64_t next)
{
	rig_start_at(rig, 0, next, NULL);
	rig->partitions[0].start.at_end_us = ago_us(rig, us);
	rig->partitions[0].start.end_offset = end;
}

static void expect_stop(struct kafka_rig *rig, const char *words)
{
	rig_until(rig, has_stopped);
	const struct fault *fault = &rig->partitions[0].fault;
	assert_int_equal(fault->code, FAULT_LOG);
	if (strncmp(fault->text, words, strlen(words)) != 0)
		fail_msg("%s", fault->text);
}

static bool no_topic_may(
	const void *payload, const char *topic, struct fault *why)
{
	(void)payload;
	fault_set(why, FAULT_USAGE, "a sum of %s needs all", topic);
	return false;
}

static void what_is_not_safe_stops_before_a_record_is_taken(void **state)
{
	struct kafka_rig *rig = *state;
	rig->options.compaction_safe = no_topic_may;
	put(rig, 3);
	rig_open(rig);
	expect_stop(rig, "not_compaction_safe: t:0");
	assert_non_null(
		strstr(rig->partitions[0].fault.text, "a sum of t needs all"));
	assert_int_equal(rig->records, 0);
}

static void what_is_safe_goes_on(void **state)
{
	struct kafka_rig *rig = *state;
	put(rig, 3);
	was_whole(rig, HOUR_US, 0, 0);
	rig_open(rig);
	rig_until(rig, has_ended);
	assert_int_equal(rig->records, 3);
	assert_false(rig->partitions[0].stopped);
}

static void who_was_away_longer_than_deletes_stay_stops(void **state)
{
	struct kafka_rig *rig = *state;
	put(rig, 5);
	was_whole(rig, DAY_US + HOUR_US, 3, 3);
	rig_open(rig);
	expect_stop(rig, "deletes_lost: t:0");
	assert_non_null(strstr(rig->partitions[0].fault.text,
		"holdfast resume t:0 --accept-gap"));
	assert_non_null(
		strstr(rig->partitions[0].fault.text, "holdfast rebuild"));
	assert_int_equal(rig->records, 0);
}

/* The last records were taken, and the end was not reported yet: it took too
 * long to come there. */
static void so_does_who_came_to_the_end_too_late(void **state)
{
	struct kafka_rig *rig = *state;
	put(rig, 5);
	was_whole(rig, DAY_US + HOUR_US, 3, 5);
	rig_open(rig);
	expect_stop(rig, "deletes_lost: t:0");
}

static void a_log_that_was_not_written_to_has_lost_nothing(void **state)
{
	struct kafka_rig *rig = *state;
	put(rig, 3);
	was_whole(rig, 300 * DAY_US, 3, 3);
	rig_open(rig);
	rig_until(rig, has_ended);
	put(rig, 2);
	rig_until_records(rig, 2);
	assert_false(rig->partitions[0].stopped);
}

static void pause_for(struct kafka_rig *rig, int64_t us, int records)
{
	struct fault fault = {0};
	const struct log *log = &rig->partitions[0].log;
	assert_int_equal(source_pause(rig->source, log, true, &fault), 0);
	atomic_fetch_add(&shift_us, us);
	if (records > 0)
		put(rig, records);
	rig->partitions[0].ends = 0;
	assert_int_equal(source_pause(rig->source, log, false, &fault), 0);
}

static void an_end_that_comes_too_late_is_no_end(void **state)
{
	struct kafka_rig *rig = *state;
	put(rig, 3);
	rig_open(rig);
	rig_until(rig, has_ended);
	pause_for(rig, DAY_US + HOUR_US, 2);
	expect_stop(rig, "deletes_lost: t:0");
	assert_int_equal(rig->partitions[0].ends, 0);
}

static void one_in_time_is_counted_from(void **state)
{
	struct kafka_rig *rig = *state;
	put(rig, 3);
	was_whole(rig, HOUR_US, 0, 0);
	rig_open(rig);
	rig_until(rig, has_ended);
	for (int i = 0; i < 3; i++) {
		pause_for(rig, DAY_US - HOUR_US, 2);
		rig_until(rig, has_ended);
	}
	assert_false(has_stopped(rig));
}

static void so_is_a_late_one_of_a_log_that_nobody_wrote_to(void **state)
{
	struct kafka_rig *rig = *state;
	put(rig, 3);
	was_whole(rig, HOUR_US, 0, 0);
	rig_open(rig);
	rig_until(rig, has_ended);
	pause_for(rig, 300 * DAY_US, 0);
	rig_until(rig, has_ended);
	assert_false(has_stopped(rig));
}

static void nobody_s_word_is_waited_for(void **state)
{
	struct kafka_rig *rig = *state;
	atomic_store(&unreachable, 2);
	rig->options.compaction_safe = no_topic_may;
	put(rig, 1);
	rig_open(rig);
	expect_stop(rig, "not_compaction_safe: t:0");
	assert_int_equal(rig->notices, 0);
	assert_int_equal(rig->records, 0);
}

static void who_may_not_ask_is_told_and_goes_on(void **state)
{
	struct kafka_rig *rig = *state;
	atomic_store(&refused, 1);
	rig->options.compaction_safe = no_topic_may;
	put(rig, 1);
	rig_open(rig);
	rig_until(rig, has_notice);
	assert_non_null(strstr(rig->notice.text, "may not ask: t"));
	rig_until_records(rig, 1);
	assert_false(rig->partitions[0].stopped);
}

#define WITH_TOPIC(test)                                                       \
	cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WITH_TOPIC(what_is_not_safe_stops_before_a_record_is_taken),
		WITH_TOPIC(what_is_safe_goes_on),
		WITH_TOPIC(who_was_away_longer_than_deletes_stay_stops),
		WITH_TOPIC(so_does_who_came_to_the_end_too_late),
		WITH_TOPIC(a_log_that_was_not_written_to_has_lost_nothing),
		WITH_TOPIC(an_end_that_comes_too_late_is_no_end),
		WITH_TOPIC(one_in_time_is_counted_from),
		WITH_TOPIC(so_is_a_late_one_of_a_log_that_nobody_wrote_to),
		WITH_TOPIC(nobody_s_word_is_waited_for),
		WITH_TOPIC(who_may_not_ask_is_told_and_goes_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
