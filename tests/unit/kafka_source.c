/* Records in from Kafka: each once, in order, as they were produced. */
#include "ingest/kafka/kafka_source.h"

#include "tests/lib/check.h"
#include "tests/lib/kafka_rig.h"

#include <stdio.h>
#include <string.h>

static int tear_down(void **state)
{
	rig_stop(*state);
	return 0;
}

static struct kafka_rig *set_up(void **state, int partitions)
{
	static struct kafka_rig rig;
	*state = &rig;
	rig_start(&rig, partitions);
	return &rig;
}

static int one_partition(void **state)
{
	set_up(state, 1);
	return 0;
}

static int four_partitions(void **state)
{
	set_up(state, 4);
	return 0;
}

static int no_topic(void **state)
{
	set_up(state, 0);
	return 0;
}

/* As mock_kafka_fill() numbers them. */
static void is_what_was_filled(
	struct kafka_rig *rig, const struct record *record)
{
	(void)rig;
	char key[16], value[16];
	(void)snprintf(key, sizeof key, "k%d", (int)record->offset);
	(void)snprintf(value, sizeof value, "v%d", (int)record->offset);
	assert_int_equal(record->form, RECORD_MESSAGE);
	assert_true(slice_equal(record->key, slice_of(key)));
	assert_true(slice_equal(record->value, slice_of(value)));
	assert_int_equal(
		record->timestamp_us, (MOCK_TIME_MS + record->offset) * 1000);
	assert_int_equal(record->header_count, 0);
}

static void every_record_arrives_once_and_in_order(void **state)
{
	struct kafka_rig *rig = *state;
	enum { COUNT = 2000 };
	for (int i = 0; i < 4; i++)
		mock_kafka_fill(&rig->mock, "t", i, 0, COUNT + i);
	rig->seen = is_what_was_filled;
	rig_open(rig);
	rig_until_records(rig, 4 * COUNT + 6);
	rig_for_ms(rig, 100);
	for (int i = 0; i < 4; i++)
		assert_int_equal(rig->partitions[i].records, COUNT + i);
}

static void is_the_odd_one(struct kafka_rig *rig, const struct record *record)
{
	(void)rig;
	switch (record->offset) {
	case 0:
		assert_null(record->key.data);
		assert_null(record->value.data);
		assert_int_equal(record->header_count, 0);
		break;
	case 1:
		assert_non_null(record->key.data);
		assert_int_equal(record->key.length, 0);
		assert_non_null(record->value.data);
		assert_int_equal(record->value.length, 0);
		break;
	default:
		assert_memory_equal(record->value.data, "a\0b", 3);
		assert_int_equal(record->value.length, 3);
		assert_int_equal(record->header_count, 4);
		assert_true(
			slice_equal(record->headers[0].name, slice_of("h")));
		assert_true(
			slice_equal(record->headers[0].value, slice_of("1")));
		assert_true(
			slice_equal(record->headers[1].name, slice_of("h")));
		assert_true(
			slice_equal(record->headers[1].value, slice_of("2")));
		assert_null(record->headers[2].value.data);
		assert_non_null(record->headers[3].value.data);
		assert_int_equal(record->headers[3].value.length, 0);
	}
}

static void nulls_and_headers_arrive_as_they_were_produced(void **state)
{
	struct kafka_rig *rig = *state;
	struct header headers[] = {
		{slice_of("h"), slice_of("1")},
		{slice_of("h"), slice_of("2")},
		{slice_of("null"), {NULL, 0}},
		{slice_of("empty"), slice_of("")},
	};
	struct record absent = {.timestamp_us = MOCK_TIME_MS * 1000};
	struct record empty = {.timestamp_us = MOCK_TIME_MS * 1000,
		.key = slice_of(""),
		.value = slice_of("")};
	struct record full = {.timestamp_us = MOCK_TIME_MS * 1000,
		.value = {"a\0b", 3},
		.headers = headers,
		.header_count = 4};
	mock_kafka_produce(&rig->mock, "t", 0, &absent);
	mock_kafka_produce(&rig->mock, "t", 0, &empty);
	mock_kafka_produce(&rig->mock, "t", 0, &full);
	rig->seen = is_the_odd_one;
	rig_open(rig);
	rig_until_records(rig, 3);
}

static void takes_the_record_time(
	struct kafka_rig *rig, const struct record *record)
{
	const int64_t *expected = rig->payload;
	assert_int_equal(record->timestamp_us, expected[record->offset]);
}

static void a_record_without_timestamp_takes_the_partitions(void **state)
{
	struct kafka_rig *rig = *state;
	mock_kafka_produce_bare(&rig->mock, "t", false);
	mock_kafka_fill(&rig->mock, "t", 0, 7, 1);
	mock_kafka_fill(&rig->mock, "t", 0, 5, 1);
	mock_kafka_produce_bare(&rig->mock, "t", false);
	int64_t expected[] = {TIMESTAMP_NONE, (MOCK_TIME_MS + 7) * 1000,
		(MOCK_TIME_MS + 5) * 1000, (MOCK_TIME_MS + 7) * 1000};
	rig->seen = takes_the_record_time;
	rig->payload = expected;
	rig_open(rig);
	rig_until_records(rig, 4);
	rig_close(rig);
	/* What the store has stands in as well. */
	expected[3] = 42;
	rig_start_at(rig, 0, 3, NULL);
	rig->partitions[0].start.record_time_us = 42;
	rig_open(rig);
	rig_until_records(rig, 1);
}

static void reading_starts_at_the_stored_offset(void **state)
{
	struct kafka_rig *rig = *state;
	mock_kafka_fill(&rig->mock, "t", 0, 0, 100);
	rig_start_at(rig, 0, 60, NULL);
	rig_open(rig);
	rig_until_records(rig, 40); /* the rig checks that the first is 60 */
	rig_for_ms(rig, 100);
	assert_int_equal(rig->records, 40);
}

static bool has_ended(const struct kafka_rig *rig)
{
	return rig->partitions[0].ends > 0;
}

static bool has_ended_again(const struct kafka_rig *rig)
{
	return rig->partitions[0].ends >= 3;
}

static void the_end_is_reported_and_again_while_idle(void **state)
{
	struct kafka_rig *rig = *state;
	struct clock *clock = clock_system();
	int64_t before_us = clock->wall_us(clock);
	mock_kafka_fill(&rig->mock, "t", 0, 0, 10);
	rig_open(rig);
	rig_until(rig, has_ended);
	assert_int_equal(rig->partitions[0].next_offset, 10);
	int64_t first_us = rig->partitions[0].as_of_us;
	assert_true(first_us >= before_us);
	int64_t start_us = clock->monotonic_us(clock);
	rig_until(rig, has_ended_again);
	/* Twice more, about a second apart; three bounds a slow machine. */
	int64_t took_us = clock->monotonic_us(clock) - start_us;
	assert_true(took_us > 1500000 && took_us < 6000000);
	assert_true(rig->partitions[0].as_of_us > first_us + 1000000);
	assert_true(rig->partitions[0].as_of_us <= clock->wall_us(clock));
	/* And what comes then is delivered once. */
	mock_kafka_fill(&rig->mock, "t", 0, 10, 5);
	rig_until_records(rig, 15);
}

static void no_end_is_reported_while_the_broker_is_down(void **state)
{
	struct kafka_rig *rig = *state;
	mock_kafka_fill(&rig->mock, "t", 0, 0, 10);
	rig_open(rig);
	rig_until(rig, has_ended);
	rd_kafka_mock_broker_set_down(rig->mock.cluster, -1);
	rig_for_ms(rig, 300); /* one may have been on its way */
	int ends = rig->partitions[0].ends;
	rig_for_ms(rig, 3000);
	assert_int_equal(rig->partitions[0].ends, ends);
	assert_true(rig->notices > 0);
	assert_non_null(strstr(rig->notice.text, "Kafka"));
	rd_kafka_mock_broker_set_up(rig->mock.cluster, -1);
	mock_kafka_fill(&rig->mock, "t", 0, 10, 5);
	rig_until_records(rig, 15);
	assert_false(rig->partitions[0].stopped);
}

static void a_broker_that_comes_up_later_is_waited_for(void **state)
{
	struct kafka_rig *rig = *state;
	mock_kafka_fill(&rig->mock, "t", 0, 0, 10);
	rd_kafka_mock_broker_set_down(rig->mock.cluster, -1);
	rig_open(rig);
	rig_for_ms(rig, 1500);
	assert_int_equal(rig->records, 0);
	rd_kafka_mock_broker_set_up(rig->mock.cluster, -1);
	rig_until_records(rig, 10);
}

static bool is_refused(const struct kafka_rig *rig)
{
	return rig->notices > 0;
}

static void an_unknown_topic_is_named_once_and_waited_for(void **state)
{
	struct kafka_rig *rig = *state;
	rd_kafka_mock_topic_set_error(rig->mock.cluster, "t",
		RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
	rig_open(rig);
	rig_until(rig, is_refused);
	assert_non_null(strstr(rig->notice.text, "no topic t"));
	rig_for_ms(rig, 2500);
	assert_int_equal(rig->notices, 1);
	rd_kafka_mock_topic_set_error(
		rig->mock.cluster, "t", RD_KAFKA_RESP_ERR_NO_ERROR);
	mock_kafka_fill(&rig->mock, "t", 0, 0, 10);
	rig_until_records(rig, 10);
}

static bool has_others(const struct kafka_rig *rig)
{
	return rig->others == 3;
}

static void a_topic_that_appears_is_found(void **state)
{
	struct kafka_rig *rig = *state;
	rig->options.topic_count = 2;
	rig->options.metadata_refresh_ms = 200;
	rd_kafka_mock_topic_set_error(rig->mock.cluster, "u",
		RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
	mock_kafka_fill(&rig->mock, "t", 0, 0, 10);
	rig_open(rig);
	rig_until_records(rig, 10); /* nobody waits for the other topic */
	assert_int_equal(rig->others, 0);
	rd_kafka_mock_topic_set_error(
		rig->mock.cluster, "u", RD_KAFKA_RESP_ERR_NO_ERROR);
	rig_until(rig, has_others);
}

static int two_topics(void **state)
{
	struct kafka_rig *rig = set_up(state, 1);
	mock_kafka_topic(&rig->mock, "u", 3);
	return 0;
}

static bool all_have_ended(const struct kafka_rig *rig)
{
	for (int i = 0; i < 4; i++)
		if (rig->partitions[i].ends == 0)
			return false;
	return true;
}

static void a_paused_partition_alone_is_held_back(void **state)
{
	struct kafka_rig *rig = *state;
	struct fault fault = {0};
	rig_open(rig);
	rig_until(rig, all_have_ended);
	const struct log *log = &rig->partitions[2].log;
	assert_int_equal(source_pause(rig->source, log, true, &fault), 0);
	assert_int_equal(source_pause(rig->source, log, true, &fault), 0);
	for (int i = 0; i < 4; i++)
		mock_kafka_fill(&rig->mock, "t", i, 0, 100);
	rig_until_records(rig, 300);
	rig_for_ms(rig, 1200); /* ends are asked for again meanwhile */
	assert_int_equal(rig->partitions[2].records, 0);
	assert_int_equal(source_pause(rig->source, log, false, &fault), 0);
	assert_int_equal(source_pause(rig->source, log, false, &fault), 0);
	rig_until_records(rig, 400);
}

/* Pausing throws away what was fetched ahead; what is fetched again below the
 * last delivered one must not come twice (the rig checks each offset). */
static void pausing_in_the_middle_loses_and_repeats_nothing(void **state)
{
	struct kafka_rig *rig = *state;
	struct fault fault = {0};
	enum { COUNT = 5000 };
	mock_kafka_fill(&rig->mock, "t", 0, 0, COUNT);
	rig_open(rig);
	const struct log *log = &rig->partitions[0].log;
	for (int stage = 1; stage <= 40; stage++) {
		rig_until_records(rig, stage * 100);
		assert_int_equal(
			source_pause(rig->source, log, true, &fault), 0);
		int before = rig->records;
		for (int i = 0; i < 5; i++)
			rig_poll(rig, 1);
		assert_int_equal(rig->records, before);
		assert_int_equal(
			source_pause(rig->source, log, false, &fault), 0);
	}
	rig_until_records(rig, COUNT);
}

static bool second_has_ended(const struct kafka_rig *rig)
{
	return rig->partitions[1].ends > 0;
}

static void a_partition_paused_before_it_starts_starts_paused(void **state)
{
	struct kafka_rig *rig = *state;
	struct fault fault = {0};
	mock_kafka_fill(&rig->mock, "t", 0, 0, 10);
	rig_open(rig);
	while (!rig->partitions[0].announced)
		rig_poll(rig, 20);
	const struct log *log = &rig->partitions[0].log;
	assert_int_equal(source_pause(rig->source, log, true, &fault), 0);
	/* The other one starts in the same look. */
	rig_until(rig, second_has_ended);
	rig_for_ms(rig, 200);
	assert_int_equal(rig->records, 0);
	assert_int_equal(source_pause(rig->source, log, false, &fault), 0);
	rig_until_records(rig, 10);
}

static void what_is_committed_is_what_was_given(void **state)
{
	struct kafka_rig *rig = *state;
	mock_kafka_fill(&rig->mock, "t", 0, 0, 100);
	mock_kafka_fill(&rig->mock, "t", 1, 0, 100);
	rig_open(rig);
	rig_until_records(rig, 200);
	/* Not delivered = durable: what is not given is not committed. */
	source_commit(rig->source, &rig->partitions[0].log, 10);
	source_commit(rig->source, &rig->partitions[0].log, 30);
	int64_t committed = -1;
	while (committed != 30) {
		rig_for_ms(rig, 50);
		committed = mock_kafka_committed(
			&rig->mock, "holdfast-test", "t", 0);
		assert_true(committed <= 30);
	}
	/* One that is lower counts as well: a rollback. */
	source_commit(rig->source, &rig->partitions[0].log, 20);
	rig_close(rig); /* commits the newest */
	assert_int_equal(
		mock_kafka_committed(&rig->mock, "holdfast-test", "t", 0), 20);
	assert_int_equal(
		mock_kafka_committed(&rig->mock, "holdfast-test", "t", 1), -1);
}

static bool not_any_more(void *payload)
{
	int *asked = payload;
	(*asked)++;
	return false;
}

static void who_may_not_commit_does_not_at_the_end_either(void **state)
{
	struct kafka_rig *rig = *state;
	int asked = 0;
	rig->options.may_commit = not_any_more;
	rig->options.payload = &asked;
	mock_kafka_fill(&rig->mock, "t", 0, 0, 100);
	rig_open(rig);
	rig_until_records(rig, 100);
	source_commit(rig->source, &rig->partitions[0].log, 30);
	while (asked < 3)
		rig_poll(rig, 50);
	rig_close(rig);
	assert_int_equal(
		mock_kafka_committed(&rig->mock, "holdfast-test", "t", 0), -1);
}

static bool two_have_started(const struct kafka_rig *rig)
{
	return rig->partitions[0].ends > 0 && rig->partitions[1].ends > 0;
}

static void take_and_commit(struct kafka_rig *rig, int64_t committed)
{
	mock_kafka_fill(&rig->mock, "t", 0, 0, 30);
	mock_kafka_fill(&rig->mock, "t", 1, 0, 30);
	rig_open(rig);
	rig_until_records(rig, 60);
	source_commit(rig->source, &rig->partitions[0].log, committed);
	source_commit(rig->source, &rig->partitions[1].log, 30);
	rig_close(rig); /* commits the newest */
}

static void a_store_that_went_back_is_told_and_reads_the_range_again(
	void **state)
{
	struct kafka_rig *rig = *state;
	take_and_commit(rig, 30);
	rig_start_at(rig, 0, 12, NULL);
	rig_start_at(rig, 1, 30, NULL);
	rig_open(rig);
	rig_until(rig, two_have_started);
	assert_int_equal(rig->notices, 1);
	assert_non_null(strstr(rig->notice.text, "store_went_back: t:0"));
	assert_non_null(strstr(rig->notice.text, "offsets 12 to 29"));
	assert_int_equal(rig->partitions[0].records, 18);
	assert_int_equal(rig->partitions[1].records, 0);
}

static bool one_has_started(const struct kafka_rig *rig)
{
	return rig->partitions[0].announced && rig->partitions[1].ends > 0;
}

/* One that is paused, say: the commit that told of it is lowered (promise P4),
 * so it is told then. */
static void what_is_lowered_before_it_is_started_is_told_once(void **state)
{
	struct kafka_rig *rig = *state;
	take_and_commit(rig, 30);
	rig_start_at(rig, 1, 30, NULL);
	rig_open(rig);
	rig->partitions[0].held_at = 12;
	rig_until(rig, one_has_started);
	assert_int_equal(rig->notices, 1);
	assert_non_null(strstr(rig->notice.text, "store_went_back: t:0"));
	rig_start_now(rig, 0, 12);
	rig_until(rig, two_have_started);
	assert_int_equal(rig->notices, 1);
	assert_int_equal(rig->partitions[0].records, 18);
	rig_close(rig);
	assert_int_equal(
		mock_kafka_committed(&rig->mock, "holdfast-test", "t", 0), 12);
}

static void a_store_that_is_ahead_of_its_commits_is_nothing_to_tell(
	void **state)
{
	struct kafka_rig *rig = *state;
	take_and_commit(rig, 10);
	rig_start_at(rig, 0, 12, NULL);
	rig_start_at(rig, 1, 30, NULL);
	rig_open(rig);
	rig_until(rig, two_have_started);
	assert_int_equal(rig->notices, 0);
	/* Once: an operator may send it back later, on purpose. */
	rig_start_now(rig, 1, 5);
	rig_for_ms(rig, 300);
	assert_int_equal(rig->notices, 0);
}

static void a_failed_commit_is_told_and_tried_again(void **state)
{
	struct kafka_rig *rig = *state;
	mock_kafka_fill(&rig->mock, "t", 0, 0, 10);
	rig_open(rig);
	rig_until_records(rig, 10);
	int before = rig->notices;
	rd_kafka_mock_push_request_errors(rig->mock.cluster,
		8 /* OffsetCommit */, 1,
		RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED);
	source_commit(rig->source, &rig->partitions[0].log, 7);
	while (rig->notices == before)
		rig_poll(rig, 20);
	assert_non_null(strstr(rig->notice.text, "committed offsets"));
	rig_close(rig);
	assert_int_equal(
		mock_kafka_committed(&rig->mock, "holdfast-test", "t", 0), 7);
}

static bool is_done(const struct kafka_rig *rig)
{
	return rig->done;
}

static void until_end_is_done_when_all_that_was_there_came(void **state)
{
	struct kafka_rig *rig = *state;
	mock_kafka_fill(&rig->mock, "t", 0, 0, 500);
	mock_kafka_fill(&rig->mock, "t", 1, 0, 1);
	rig->options.until_end = true; /* partitions 2 and 3 are empty */
	rig_open(rig);
	rig_until(rig, is_done);
	assert_int_equal(rig->records, 501);
}

/* Not with the first of them. */
static void until_end_takes_all_of_one_partition(void **state)
{
	struct kafka_rig *rig = *state;
	mock_kafka_fill(&rig->mock, "t", 0, 0, 500);
	rig->options.until_end = true;
	rig_open(rig);
	rig_until(rig, is_done);
	assert_int_equal(rig->records, 500);
}

/* And for what was taken back it waits again. */
static void until_end_waits_for_nobody_who_is_paused(void **state)
{
	struct kafka_rig *rig = *state;
	struct fault fault = {0};
	for (int i = 0; i < 4; i++)
		mock_kafka_fill(&rig->mock, "t", i, 0, 100);
	rig->options.until_end = true;
	rig_open(rig);
	while (!rig->partitions[0].announced)
		rig_poll(rig, 20);
	const struct log *log = &rig->partitions[0].log;
	assert_int_equal(source_pause(rig->source, log, true, &fault), 0);
	rig_until(rig, is_done);
	assert_int_equal(rig->records, 300);
	rig->done = false;
	assert_int_equal(source_pause(rig->source, log, false, &fault), 0);
	rig_until(rig, is_done);
	assert_int_equal(rig->records, 400);
	rig->done = false;
	rig->partitions[0].trail = (struct trail){0};
	rig_start_now(rig, 0, 50);
	rig_until(rig, is_done);
	assert_int_equal(rig->records, 450);
}

static void until_end_waits_for_an_unknown_topic(void **state)
{
	struct kafka_rig *rig = *state;
	rd_kafka_mock_topic_set_error(rig->mock.cluster, "t",
		RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
	rig->options.until_end = true;
	rig_open(rig);
	rig_for_ms(rig, 1500);
	assert_false(rig->done);
	rd_kafka_mock_topic_set_error(
		rig->mock.cluster, "t", RD_KAFKA_RESP_ERR_NO_ERROR);
	rig_until(rig, is_done);
}

/* The mock cluster has no answer to DescribeConfigs, for which is waited two
 * seconds. */
static void partitions_do_not_wait_for_questions_about_clocks(void **state)
{
	struct kafka_rig *rig = *state;
	struct clock *clock = clock_system();
	rig->options.until_end = true;
	int64_t start_us = clock->monotonic_us(clock);
	rig_open(rig);
	rig_until(rig, is_done);
	assert_true(clock->monotonic_us(clock) - start_us < 2000000);
}

static void a_source_that_never_met_its_broker_closes_in_time(void **state)
{
	struct kafka_rig *rig = *state;
	struct clock *clock = clock_system();
	rd_kafka_mock_broker_set_down(rig->mock.cluster, -1);
	rig->options.close_timeout_ms = 500;
	rig_open(rig);
	rig_for_ms(rig, 300);
	int64_t start_us = clock->monotonic_us(clock);
	rig_close(rig);
	/* Its bound, and what librdkafka's own threads take to end. */
	assert_true(clock->monotonic_us(clock) - start_us < 3000000);
}

static void records_keep_coming_through_transport_errors(void **state)
{
	struct kafka_rig *rig = *state;
	enum { COUNT = 3000 };
	rig_open(rig);
	for (int i = 0; i < 10; i++) {
		mock_kafka_fill(&rig->mock, "t", 0, i * 300, 300);
		rd_kafka_mock_push_request_errors(rig->mock.cluster,
			1 /* Fetch */, 2, RD_KAFKA_RESP_ERR__TRANSPORT,
			RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION);
		rig_until_records(rig, i * 300 + 100);
	}
	rig_until_records(rig, COUNT);
	rig_for_ms(rig, 100);
	assert_int_equal(rig->records, COUNT);
}

static void a_refused_setting_fails_the_opening(void **state)
{
	struct kafka_rig *rig = *state;
	struct fault fault = {0};
	struct source *source = NULL;
	rig->mock.items[rig->mock.item_count++] =
		(struct kafka_setting){"enable.auto.commit", "true"};
	rig->options.settings = mock_kafka_settings(&rig->mock);
	assert_int_equal(
		kafka_source_open(&source, &rig->options, &fault), FAULT_USAGE);
	assert_null(source);
	assert_non_null(strstr(fault.text, "enable.auto.commit"));
}

#define TEST(name, partitions)                                                 \
	cmocka_unit_test_setup_teardown(name, partitions, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_record_arrives_once_and_in_order, four_partitions),
		TEST(nulls_and_headers_arrive_as_they_were_produced,
			one_partition),
		TEST(a_record_without_timestamp_takes_the_partitions,
			one_partition),
		TEST(reading_starts_at_the_stored_offset, one_partition),
		TEST(the_end_is_reported_and_again_while_idle, one_partition),
		TEST(no_end_is_reported_while_the_broker_is_down,
			one_partition),
		TEST(a_broker_that_comes_up_later_is_waited_for, one_partition),
		TEST(an_unknown_topic_is_named_once_and_waited_for,
			one_partition),
		TEST(a_topic_that_appears_is_found, two_topics),
		TEST(a_paused_partition_alone_is_held_back, four_partitions),
		TEST(pausing_in_the_middle_loses_and_repeats_nothing,
			one_partition),
		TEST(a_partition_paused_before_it_starts_starts_paused,
			four_partitions),
		TEST(what_is_committed_is_what_was_given, four_partitions),
		TEST(who_may_not_commit_does_not_at_the_end_either,
			one_partition),
		TEST(a_failed_commit_is_told_and_tried_again, one_partition),
		TEST(what_is_lowered_before_it_is_started_is_told_once,
			four_partitions),
		TEST(a_store_that_went_back_is_told_and_reads_the_range_again,
			four_partitions),
		TEST(a_store_that_is_ahead_of_its_commits_is_nothing_to_tell,
			four_partitions),
		TEST(until_end_is_done_when_all_that_was_there_came,
			four_partitions),
		TEST(until_end_takes_all_of_one_partition, one_partition),
		TEST(until_end_waits_for_nobody_who_is_paused, four_partitions),
		TEST(until_end_waits_for_an_unknown_topic, one_partition),
		TEST(partitions_do_not_wait_for_questions_about_clocks,
			one_partition),
		TEST(a_source_that_never_met_its_broker_closes_in_time,
			one_partition),
		TEST(records_keep_coming_through_transport_errors,
			one_partition),
		TEST(a_refused_setting_fails_the_opening, no_topic),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
