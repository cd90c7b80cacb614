/* Records out to Kafka, and the development broker they go to. Read back by a
 * plain consumer. */
#include "ingest/kafka/kafka_sink.h"

#include "ingest/kafka/kafka_broker.h"
#include "tests/lib/check.h"
#include "tests/lib/mock_kafka.h"

#include <stdio.h>
#include <string.h>

#define FLUSH_MS 20000
#define PRODUCE 0 /* the number of that request */

struct rig {
	struct mock_kafka mock;
	struct kafka_sink *sink;
};

static int set_up(void **state)
{
	static struct rig rig;
	*state = &rig;
	mock_kafka_start(&rig.mock, 1);
	struct kafka_settings settings = mock_kafka_settings(&rig.mock);
	return kafka_sink_open(&rig.sink, &settings, NULL);
}

static int tear_down(void **state)
{
	struct rig *rig = *state;
	kafka_sink_close(rig->sink);
	mock_kafka_stop(&rig->mock);
	return 0;
}

static void is_the_whole_record(
	void *payload, const rd_kafka_message_t *message)
{
	int *count = payload;
	(*count)++;
	assert_int_equal(message->key_len, 2);
	assert_memory_equal(message->key, "k\0", 2);
	assert_int_equal(message->len, 5);
	assert_memory_equal(message->payload, "hello", 5);
	rd_kafka_timestamp_type_t type;
	assert_int_equal(
		rd_kafka_message_timestamp(message, &type), MOCK_TIME_MS + 7);
	rd_kafka_headers_t *headers = NULL;
	assert_int_equal(rd_kafka_message_headers(message, &headers), 0);
	assert_int_equal(rd_kafka_header_cnt(headers), 3);
	const char *name;
	const void *value;
	size_t size;
	rd_kafka_header_get_all(headers, 0, &name, &value, &size);
	assert_string_equal(name, "a");
	assert_memory_equal(value, "1", 1);
	rd_kafka_header_get_all(headers, 1, &name, &value, &size);
	assert_string_equal(name, "b");
	assert_null(value);
	rd_kafka_header_get_all(headers, 2, &name, &value, &size);
	assert_string_equal(name, "a");
	assert_memory_equal(value, "2", 1);
}

static void a_record_arrives_whole(void **state)
{
	struct rig *rig = *state;
	mock_kafka_topic(&rig->mock, "t", 2);
	struct header headers[] = {
		{slice_of("a"), slice_of("1")},
		{slice_of("b"), {NULL, 0}},
		{slice_of("a"), slice_of("2")},
	};
	struct record record = {
		.timestamp_us = (MOCK_TIME_MS + 7) * 1000,
		.key = {"k\0", 2},
		.value = slice_of("hello"),
		.headers = headers,
		.header_count = 3,
	};
	struct fault fault = {0};
	assert_int_equal(
		kafka_sink_send(rig->sink, "t", 1, &record, &fault), 0);
	assert_int_equal(kafka_sink_flush(rig->sink, FLUSH_MS, &fault), 0);
	assert_int_equal(kafka_sink_acknowledged(rig->sink), 1);
	int count = 0;
	mock_kafka_read(&rig->mock, "t", 1, 0, is_the_whole_record, &count);
	assert_int_equal(count, 1);
}

static void absence_is_kept(void *payload, const rd_kafka_message_t *message)
{
	int *count = payload;
	if (*count == 0) {
		assert_null(message->key);
		assert_null(message->payload);
	} else {
		assert_non_null(message->key);
		assert_int_equal(message->key_len, 0);
		assert_non_null(message->payload);
		assert_int_equal(message->len, 0);
	}
	(*count)++;
}

static void absent_and_empty_stay_different(void **state)
{
	struct rig *rig = *state;
	mock_kafka_topic(&rig->mock, "t", 1);
	struct record absent = {.timestamp_us = TIMESTAMP_NONE};
	struct record empty = {.timestamp_us = TIMESTAMP_NONE,
		.key = slice_of(""),
		.value = slice_of("")};
	kafka_sink_send(rig->sink, "t", 0, &absent, NULL);
	kafka_sink_send(rig->sink, "t", 0, &empty, NULL);
	assert_int_equal(kafka_sink_flush(rig->sink, FLUSH_MS, NULL), 0);
	int count = 0;
	mock_kafka_read(&rig->mock, "t", 0, 0, absence_is_kept, &count);
	assert_int_equal(count, 2);
}

#define KEYS 5

struct order {
	int next[KEYS];	     /* number expected next of each key */
	int64_t where[KEYS]; /* partition of each key, -1 unknown */
	int count;
};

static void follows_its_key(void *payload, const rd_kafka_message_t *message)
{
	struct order *order = payload;
	int key = *(const char *)message->key - 'a';
	int number = 0;
	memcpy(&number, message->payload, sizeof number);
	assert_int_equal(number, order->next[key]);
	order->next[key]++;
	if (order->where[key] >= 0)
		assert_int_equal(order->where[key], message->partition);
	order->where[key] = message->partition;
	order->count++;
}

/* No errors in between: the mock takes a retried batch twice, since it looks at
 * sequence numbers within transactions only. */
static void every_record_is_acknowledged_once_and_in_order(void **state)
{
	struct rig *rig = *state;
	mock_kafka_topic(&rig->mock, "t", 4);
	enum { COUNT = 5000 };
	for (int i = 0; i < COUNT; i++) {
		char key = (char)('a' + i % KEYS);
		int number = i / KEYS;
		struct record record = {.timestamp_us = TIMESTAMP_NONE,
			.key = {&key, 1},
			.value = {(const char *)&number, sizeof number}};
		struct fault fault = {0};
		if (kafka_sink_send(rig->sink, "t", -1, &record, &fault) != 0)
			fail_msg("%s", fault.text);
	}
	struct fault fault = {0};
	if (kafka_sink_flush(rig->sink, FLUSH_MS, &fault) != 0)
		fail_msg("%s", fault.text);
	assert_int_equal(kafka_sink_acknowledged(rig->sink), COUNT);
	struct order order = {.where = {-1, -1, -1, -1, -1}};
	for (int partition = 0; partition < 4; partition++)
		mock_kafka_read(
			&rig->mock, "t", partition, 0, follows_its_key, &order);
	assert_int_equal(order.count, COUNT);
}

static void what_is_not_acknowledged_is_counted(void **state)
{
	struct rig *rig = *state;
	mock_kafka_topic(&rig->mock, "t", 1);
	rd_kafka_mock_broker_set_down(rig->mock.cluster, -1);
	struct record record = {
		.timestamp_us = TIMESTAMP_NONE, .value = slice_of("x")};
	struct fault fault = {0};
	assert_int_equal(
		kafka_sink_send(rig->sink, "t", 0, &record, &fault), 0);
	assert_int_equal(
		kafka_sink_flush(rig->sink, 200, &fault), FAULT_BROKER);
	assert_non_null(strstr(fault.text, "1 of 1 records"));
	rd_kafka_mock_broker_set_up(rig->mock.cluster, -1);
	assert_int_equal(kafka_sink_flush(rig->sink, FLUSH_MS, &fault), 0);
}

static void a_record_too_large_is_refused_at_once(void **state)
{
	struct rig *rig = *state;
	static char large[2 << 20]; /* message.max.bytes is 1,000,000 */
	struct header header = {slice_of("a"), slice_of("1")};
	struct record record = {.timestamp_us = TIMESTAMP_NONE,
		.value = {large, sizeof large},
		.headers = &header,
		.header_count = 1};
	struct fault fault = {0};
	assert_int_equal(kafka_sink_send(rig->sink, "t", 0, &record, &fault),
		FAULT_BROKER);
	assert_non_null(strstr(fault.text, "t"));
}

static void the_development_broker_holds_what_it_is_sent(void **state)
{
	(void)state;
	struct fault fault = {0};
	struct kafka_broker *broker = NULL;
	assert_int_equal(kafka_broker_open(&broker, &fault), 0);
	assert_int_equal(kafka_broker_topic(
				 broker, "t", KAFKA_BROKER_PARTITIONS, &fault),
		0);
	assert_int_equal(
		kafka_broker_topic(broker, "t", 1, &fault), FAULT_BROKER);
	assert_non_null(strstr(fault.text, "topic t"));
	assert_int_equal(
		kafka_broker_topic(broker, "u", 0, &fault), FAULT_BROKER);

	struct kafka_setting item = {
		"bootstrap.servers", kafka_broker_bootstrap(broker)};
	struct kafka_settings settings = {&item, 1};
	struct kafka_sink *sink = NULL;
	assert_int_equal(kafka_sink_open(&sink, &settings, &fault), 0);
	struct record record = {
		.timestamp_us = TIMESTAMP_NONE, .value = slice_of("x")};
	int32_t last = KAFKA_BROKER_PARTITIONS - 1;
	assert_int_equal(kafka_sink_send(sink, "t", last, &record, &fault), 0);
	assert_int_equal(kafka_sink_flush(sink, FLUSH_MS, &fault), 0);
	kafka_sink_close(sink);
	kafka_broker_close(broker);
}

/* Also with a record that nobody can send: its leader is down. The flush may
 * take an hour; the test may not. */
static void a_client_that_gave_up_is_not_waited_for(void **state)
{
	static struct rig rig;
	struct fault fault = {0};
	(void)state;
	mock_kafka_start(&rig.mock, 2);
	mock_kafka_topic(&rig.mock, "t", 2);
	rd_kafka_mock_partition_set_leader(rig.mock.cluster, "t", 0, 1);
	rd_kafka_mock_partition_set_leader(rig.mock.cluster, "t", 1, 2);
	rd_kafka_mock_broker_set_down(rig.mock.cluster, 2);
	rd_kafka_mock_push_request_errors(rig.mock.cluster, PRODUCE, 1,
		RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
	struct kafka_settings settings = mock_kafka_settings(&rig.mock);
	assert_int_equal(kafka_sink_open(&rig.sink, &settings, NULL), 0);
	struct record record = {.value = slice_of("x")};
	int rc = 0;
	for (int i = 1; i >= 0 && rc == 0; i--)
		rc = kafka_sink_send(rig.sink, "t", i, &record, &fault);
	if (rc == 0)
		rc = kafka_sink_flush(rig.sink, 3600000, &fault);
	assert_int_equal(rc, FAULT_BROKER);
	assert_int_equal(kafka_sink_acknowledged(rig.sink), 0);
	kafka_sink_close(rig.sink);
	mock_kafka_stop(&rig.mock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_record_arrives_whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			absent_and_empty_stay_different, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			every_record_is_acknowledged_once_and_in_order, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			what_is_not_acknowledged_is_counted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_record_too_large_is_refused_at_once, set_up,
			tear_down),
		cmocka_unit_test(a_client_that_gave_up_is_not_waited_for),
		cmocka_unit_test(the_development_broker_holds_what_it_is_sent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
