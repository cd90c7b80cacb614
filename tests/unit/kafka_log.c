/* Is it the log that the store took its records from? */
#include "ingest/kafka/kafka_identity.h"

#include "ingest/kafka/kafka_client.h"
#include "tests/lib/check.h"
#include "tests/lib/kafka_rig.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int tear_down(void **state)
{
	rig_stop(*state);
	return 0;
}

static int two_partitions(void **state)
{
	static struct kafka_rig rig;
	*state = &rig;
	rig_start(&rig, 2);
	return 0;
}

/* Take what is there, and give back what was noted of it. */
static struct trail take_all(struct kafka_rig *rig, int count)
{
	rig_open(rig);
	rig_until_records(rig, count);
	struct trail trail = rig->partitions[0].trail;
	rig_close(rig);
	return trail;
}

static bool has_stopped(const struct kafka_rig *rig)
{
	return rig->partitions[0].stopped;
}

static bool has_notice(const struct kafka_rig *rig)
{
	return rig->notices > 0;
}

static bool has_ended(const struct kafka_rig *rig)
{
	return rig->partitions[0].ends > 0;
}

static bool second_has_ended(const struct kafka_rig *rig)
{
	return rig->partitions[1].ends > 0;
}

static void expect_stopped(struct kafka_rig *rig, const char *name)
{
	rig_until(rig, has_stopped);
	assert_int_equal(rig->partitions[0].fault.code, FAULT_LOG);
	assert_non_null(strstr(rig->partitions[0].fault.text, name));
	assert_non_null(strstr(rig->partitions[0].fault.text, "t:0"));
	rig_until(rig, second_has_ended); /* the other one goes on */
	rig_for_ms(rig, 200);
	assert_int_equal(rig->partitions[0].records, 0);
}

static void a_log_that_holds_what_was_taken_is_gone_on_with(void **state)
{
	struct kafka_rig *rig = *state;
	mock_kafka_fill(&rig->mock, "t", 0, 0, 50);
	struct trail trail = take_all(rig, 50);
	assert_int_equal(trail.steps[0].offset, 49);
	mock_kafka_fill(&rig->mock, "t", 0, 50, 10);
	rig_start_at(rig, 0, 50, &trail);
	rig_open(rig);
	rig_until_records(rig, 10);
	assert_int_equal(rig->notices, 0);
}

static void another_record_at_the_last_offset_stops_it(void **state)
{
	struct kafka_rig *rig = *state;
	mock_kafka_fill(&rig->mock, "t", 0, 0, 50);
	struct trail trail = take_all(rig, 50);
	trail.steps[0].checksum ^= 1;
	rig_start_at(rig, 0, 50, &trail);
	mock_kafka_fill(&rig->mock, "t", 0, 50, 10);
	rig_open(rig);
	expect_stopped(rig, "log_changed");
	assert_non_null(strstr(rig->partitions[0].fault.text,
		"holdfast resume t:0 --new-log"));
	assert_non_null(strstr(rig->partitions[0].fault.text, "offset 49"));
}

static void another_timestamp_at_the_last_offset_stops_it(void **state)
{
	struct kafka_rig *rig = *state;
	mock_kafka_fill(&rig->mock, "t", 0, 0, 5);
	struct trail trail = take_all(rig, 5);
	trail.steps[0].timestamp_us += 1000;
	rig_start_at(rig, 0, 5, &trail);
	rig_open(rig);
	expect_stopped(rig, "log_changed");
}

static void a_log_that_ends_below_what_was_taken_stops_it(void **state)
{
	struct kafka_rig *rig = *state;
	mock_kafka_fill(&rig->mock, "t", 0, 0, 50);
	struct trail trail = take_all(rig, 50);
	rig_start_at(rig, 0, 51, &trail);
	rig_open(rig);
	expect_stopped(rig, "log_changed");
	assert_non_null(
		strstr(rig->partitions[0].fault.text, "ends at offset 50"));
}

/* The mock keeps 5 MiB a partition: fill it until it forgets. */
static int64_t let_the_start_go(struct kafka_rig *rig)
{
	static char large[100000];
	struct record record = {.timestamp_us = MOCK_TIME_MS * 1000,
		.value = {large, sizeof large}};
	for (int i = 0; i < 60; i++)
		mock_kafka_produce(&rig->mock, "t", 0, &record);
	int64_t low = -1, high = -1;
	assert_int_equal(rd_kafka_query_watermark_offsets(rig->mock.producer,
				 "t", 0, &low, &high, 10000),
		RD_KAFKA_RESP_ERR_NO_ERROR);
	assert_true(low > 0);
	return low;
}

static void records_gone_before_they_were_taken_stop_it(void **state)
{
	struct kafka_rig *rig = *state;
	mock_kafka_fill(&rig->mock, "t", 0, 0, 5);
	struct trail trail = take_all(rig, 5);
	int64_t low = let_the_start_go(rig);
	assert_true(low > 5);
	rig_start_at(rig, 0, 5, &trail);
	rig_open(rig);
	expect_stopped(rig, "records_lost");
	char gap[64];
	(void)snprintf(gap, sizeof gap, "offsets 5 to %" PRId64 ",", low - 1);
	assert_non_null(strstr(rig->partitions[0].fault.text, gap));
	assert_non_null(strstr(rig->partitions[0].fault.text,
		"holdfast resume t:0 --accept-gap"));
	/* Told to accept the gap, it goes on behind it. */
	rig_start_now(rig, 0, low);
	rig_until_records(rig, 1);
}

static void a_gap_that_opens_while_it_is_paused_is_found(void **state)
{
	struct kafka_rig *rig = *state;
	struct fault fault = {0};
	rig_open(rig);
	rig_until(rig, second_has_ended);
	const struct log *log = &rig->partitions[0].log;
	assert_int_equal(source_pause(rig->source, log, true, &fault), 0);
	int64_t low = let_the_start_go(rig);
	assert_int_equal(source_pause(rig->source, log, false, &fault), 0);
	expect_stopped(rig, "records_lost");
	char gap[64];
	(void)snprintf(gap, sizeof gap, "offsets 0 to %" PRId64 ",", low - 1);
	assert_non_null(strstr(rig->partitions[0].fault.text, gap));
}

static void nothing_left_to_compare_is_told_and_gone_on_with(void **state)
{
	struct kafka_rig *rig = *state;
	mock_kafka_fill(&rig->mock, "t", 0, 0, 5);
	struct trail trail = take_all(rig, 5);
	int64_t low = let_the_start_go(rig);
	rig_start_at(rig, 0, low, &trail);
	rig_open(rig);
	rig_until(rig, has_notice);
	assert_non_null(strstr(rig->notice.text, "unverified: t:0"));
	rig_until_records(rig, 10);
	assert_int_equal(rig->notices, 1);
}

/* The newest step's record is gone, as compaction or an aborted transaction
 * leaves it: reading from there finds the end at once. */
static void where_the_newest_record_is_gone_an_older_one_decides(void **state)
{
	struct kafka_rig *rig = *state;
	mock_kafka_fill(&rig->mock, "t", 0, 0, 10);
	struct trail trail = take_all(rig, 10);
	struct footprint gone = {.offset = 10, .next_offset = 11};
	trail_note(&trail, &gone);
	rig_start_at(rig, 0, 10, &trail);
	rig_open(rig);
	rig_until(rig, has_ended);
	assert_int_equal(rig->notices, 0);
	rig_close(rig);
	trail.steps[1].checksum ^= 1;
	rig_open(rig);
	expect_stopped(rig, "log_changed");
}

static void the_same_records_on_another_cluster_are_told_of(void **state)
{
	struct kafka_rig *rig = *state;
	mock_kafka_fill(&rig->mock, "t", 0, 0, 50);
	struct trail trail = take_all(rig, 50);
	mock_kafka_fill(&rig->mock, "t", 0, 50, 10);
	rig_start_at(rig, 0, 50, &trail);
	rig->partitions[0].start.cluster_id = "elsewhere";
	rig_open(rig);
	rig_until(rig, has_notice);
	assert_non_null(strstr(rig->notice.text, "another cluster"));
	assert_non_null(strstr(rig->notice.text, "elsewhere"));
	rig_until_records(rig, 10);
	assert_int_equal(rig->notices, 1);
}

static void another_cluster_without_any_of_the_records_stops_it(void **state)
{
	struct kafka_rig *rig = *state;
	mock_kafka_fill(&rig->mock, "t", 0, 0, 5);
	struct trail trail = take_all(rig, 5);
	int64_t low = let_the_start_go(rig);
	rig_start_at(rig, 0, low, &trail);
	rig->partitions[0].start.cluster_id = "elsewhere";
	rig_open(rig);
	expect_stopped(rig, "log_changed");
}

/* It was noted with the time that stood in for its own. */
static void a_record_without_timestamp_is_known_again(void **state)
{
	struct kafka_rig *rig = *state;
	mock_kafka_fill(&rig->mock, "t", 0, 0, 5);
	mock_kafka_produce_bare(&rig->mock, "t", false);
	struct trail trail = take_all(rig, 6);
	mock_kafka_fill(&rig->mock, "t", 0, 6, 4);
	rig_start_at(rig, 0, 6, &trail);
	rig_open(rig);
	rig_until_records(rig, 4);
	assert_int_equal(rig->notices, 0);
}

/* Nobody answers: it is not started on trust. */
static void what_can_not_be_compared_is_not_started(void **state)
{
	struct kafka_rig *rig = *state;
	mock_kafka_fill(&rig->mock, "t", 0, 0, 50);
	struct trail trail = take_all(rig, 50);
	trail.steps[0].checksum ^= 1; /* it would be found out */
	mock_kafka_fill(&rig->mock, "t", 0, 50, 10);
	rig_start_at(rig, 0, 50, &trail);
	rig_open(rig);
	while (!rig->partitions[0].announced)
		rig_poll(rig, 20);
	rd_kafka_mock_broker_set_down(rig->mock.cluster, -1);
	rig_for_ms(rig, 2000);
	assert_int_equal(rig->records, 0);
	rd_kafka_mock_broker_set_up(rig->mock.cluster, -1);
	expect_stopped(rig, "log_changed");
}

static void forget_topic(struct kafka_rig *rig)
{
	rd_kafka_mock_topic_set_error(rig->mock.cluster, "t",
		RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
}

static void open_watchful(struct kafka_rig *rig)
{
	rig->mock.items[rig->mock.item_count++] = (struct kafka_setting){
		"topic.metadata.refresh.interval.ms", "200"};
	rig->options.settings = mock_kafka_settings(&rig->mock);
	rig_open(rig);
	rig_until(rig, second_has_ended);
}

static void a_deleted_topic_stops_its_partitions(void **state)
{
	struct kafka_rig *rig = *state;
	rig->options.topic_gone_ms = 1500;
	open_watchful(rig);
	forget_topic(rig);
	rig_until(rig, has_stopped);
	assert_int_equal(rig->partitions[0].fault.code, FAULT_LOG);
	assert_non_null(strstr(rig->partitions[0].fault.text, "log_changed"));
	assert_non_null(strstr(rig->partitions[0].fault.text, "deleted"));
}

/* As a broker does that has just started and does not know all topics yet. */
static void a_topic_that_is_away_for_a_moment_is_gone_on_with(void **state)
{
	struct kafka_rig *rig = *state;
	mock_kafka_fill(&rig->mock, "t", 0, 0, 5);
	open_watchful(rig);
	rig_until_records(rig, 5);
	int before = rig->notices;
	forget_topic(rig);
	while (rig->notices == before)
		rig_poll(rig, 20);
	rig_for_ms(rig, 500);
	rd_kafka_mock_topic_set_error(
		rig->mock.cluster, "t", RD_KAFKA_RESP_ERR_NO_ERROR);
	mock_kafka_fill(&rig->mock, "t", 0, 5, 5);
	rig_until_records(rig, 10);
	assert_false(rig->partitions[0].stopped);
}

/* One question straight to the judge, for what the mock can't do to a log that
 * is being read. */
static struct kafka_judgement judge_one(
	struct kafka_rig *rig, const struct kafka_question *question)
{
	struct fault fault = {0};
	struct kafka_settings settings = mock_kafka_settings(&rig->mock);
	rd_kafka_conf_t *conf = NULL;
	atomic_bool stop = false;
	struct kafka_judgement judgement;
	assert_int_equal(
		kafka_client_conf(&conf, &settings, KAFKA_READER, "g", &fault),
		0);
	assert_int_equal(kafka_identity_judge(
				 conf, &stop, question, 1, &judgement, &fault),
		0);
	rd_kafka_conf_destroy(conf);
	return judgement;
}

static void a_running_log_is_judged_by_its_records_alone(void **state)
{
	struct kafka_rig *rig = *state;
	mock_kafka_fill(&rig->mock, "t", 0, 0, 5);
	struct kafka_question question = {.topic = "t",
		.partition = 0,
		.running = true,
		.next_offset = 5};
	question.trail = take_all(rig, 5);
	assert_int_equal(judge_one(rig, &question).verdict, VERDICT_SAME);
	question.trail.steps[0].checksum ^= 1;
	assert_int_equal(judge_one(rig, &question).verdict, VERDICT_CHANGED);
	question.trail.steps[0].checksum ^= 1;
	question.next_offset = 6;
	assert_int_equal(judge_one(rig, &question).verdict, VERDICT_CHANGED);
	question.next_offset = 5;
	/* Records that it lags behind may be in memory already. */
	let_the_start_go(rig);
	assert_int_equal(judge_one(rig, &question).verdict, VERDICT_UNVERIFIED);
	question.running = false;
	assert_int_equal(judge_one(rig, &question).verdict, VERDICT_LOST);
	question.partition = 7; /* the topic had more partitions once */
	assert_int_equal(judge_one(rig, &question).verdict, VERDICT_CHANGED);
}

/* A log that took its place while nothing was seen of it: records were taken
 * from there, and the newest is one of them. */
static void another_log_is_known_by_what_was_noted_before(void **state)
{
	struct kafka_rig *rig = *state;
	mock_kafka_fill(&rig->mock, "t", 0, 0, 5);
	struct kafka_question question = {
		.topic = "t", .running = true, .next_offset = 5, .compared = 2};
	question.trail = take_all(rig, 5);
	struct kafka_judgement judgement = judge_one(rig, &question);
	assert_int_equal(judgement.verdict, VERDICT_SAME);
	assert_int_equal(judgement.compared, 4);
	question.trail.steps[2].checksum ^= 1;
	judgement = judge_one(rig, &question);
	assert_int_equal(judgement.verdict, VERDICT_CHANGED);
	assert_non_null(strstr(judgement.fault.text, "at offset 2 "));
	assert_non_null(strstr(judgement.fault.text, "taken since"));
	question.compared = 4; /* it is the newest one */
	assert_int_equal(judge_one(rig, &question).verdict, VERDICT_SAME);
	question.compared = 1;
	assert_int_equal(judge_one(rig, &question).verdict, VERDICT_SAME);
}

/* Who took them may have been killed before it compared anything. */
static void another_log_is_known_after_a_start_by_the_oldest_record(
	void **state)
{
	struct kafka_rig *rig = *state;
	mock_kafka_fill(&rig->mock, "t", 0, 0, 5);
	struct kafka_question question = {
		.topic = "t", .next_offset = 5, .compared = -1};
	question.trail = take_all(rig, 5);
	question.trail.steps[4].checksum ^= 1;
	struct kafka_judgement judgement = judge_one(rig, &question);
	assert_int_equal(judgement.verdict, VERDICT_SAME);
	assert_int_equal(judgement.compared, -1);
	question.running = true;
	judgement = judge_one(rig, &question);
	assert_int_equal(judgement.verdict, VERDICT_CHANGED);
	assert_non_null(strstr(judgement.fault.text, "at offset 0 "));
	question.trail.steps[4].checksum ^= 1;
	judgement = judge_one(rig, &question);
	assert_int_equal(judgement.verdict, VERDICT_SAME);
	assert_int_equal(judgement.compared, 4);
}

static void running_logs_are_compared_again_and_again(void **state)
{
	struct kafka_rig *rig = *state;
	mock_kafka_fill(&rig->mock, "t", 0, 0, 5);
	rig->options.identity_check_ms = 100;
	rig_open(rig);
	rig_until_records(rig, 5);
	rig_for_ms(rig, 1000);
	mock_kafka_fill(&rig->mock, "t", 0, 5, 5);
	rig_until_records(rig, 10);
	rig_for_ms(rig, 1000);
	assert_false(rig->partitions[0].stopped);
	assert_int_equal(rig->notices, 0);
}

static void a_damaged_batch_stops_its_partition_and_is_not_passed_by(
	void **state)
{
	struct kafka_rig *rig = *state;
	mock_kafka_fill(&rig->mock, "t", 0, 0, 3);
	mock_kafka_produce_bare(&rig->mock, "t", true);
	mock_kafka_fill(&rig->mock, "t", 0, 4, 3);
	mock_kafka_fill(&rig->mock, "t", 1, 0, 5);
	rig_open(rig);
	rig_until(rig, has_stopped);
	assert_int_equal(rig->partitions[0].records, 3);
	assert_int_equal(rig->partitions[1].records, 5);
	assert_int_equal(rig->partitions[0].fault.code, FAULT_BROKER);
	assert_non_null(strstr(rig->partitions[0].fault.text, "offset 3,"));
	assert_non_null(strstr(rig->partitions[0].fault.text, "CRC"));
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, two_partitions, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_log_that_holds_what_was_taken_is_gone_on_with),
		TEST(another_record_at_the_last_offset_stops_it),
		TEST(another_timestamp_at_the_last_offset_stops_it),
		TEST(a_log_that_ends_below_what_was_taken_stops_it),
		TEST(records_gone_before_they_were_taken_stop_it),
		TEST(a_gap_that_opens_while_it_is_paused_is_found),
		TEST(nothing_left_to_compare_is_told_and_gone_on_with),
		TEST(where_the_newest_record_is_gone_an_older_one_decides),
		TEST(the_same_records_on_another_cluster_are_told_of),
		TEST(another_cluster_without_any_of_the_records_stops_it),
		TEST(a_record_without_timestamp_is_known_again),
		TEST(what_can_not_be_compared_is_not_started),
		TEST(a_deleted_topic_stops_its_partitions),
		TEST(a_topic_that_is_away_for_a_moment_is_gone_on_with),
		TEST(a_running_log_is_judged_by_its_records_alone),
		TEST(another_log_is_known_by_what_was_noted_before),
		TEST(another_log_is_known_after_a_start_by_the_oldest_record),
		TEST(running_logs_are_compared_again_and_again),
		TEST(a_damaged_batch_stops_its_partition_and_is_not_passed_by),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
