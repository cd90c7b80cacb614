#include "tests/lib/mock_kafka.h"

#include "tests/lib/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define WAIT_MS 20000 /* far beyond what anything here takes */

static void log_nothing(const rd_kafka_t *client, int level,
	const char *facility, const char *text)
{
	(void)client;
	(void)level;
	(void)facility;
	(void)text;
}

static rd_kafka_conf_t *conf_new(struct mock_kafka *mock)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_conf_set_log_cb(conf, log_nothing);
	char error[256] = "";
	if (mock->cluster != NULL &&
		rd_kafka_conf_set(conf, "bootstrap.servers",
			rd_kafka_mock_cluster_bootstraps(mock->cluster), error,
			sizeof error) != RD_KAFKA_CONF_OK)
		fail_msg("%s", error);
	return conf;
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char error[256] = "";
	if (rd_kafka_conf_set(conf, name, value, error, sizeof error) !=
		RD_KAFKA_CONF_OK)
		fail_msg("%s", error);
}

static rd_kafka_t *client_new(rd_kafka_type_t type, rd_kafka_conf_t *conf)
{
	char error[256] = "";
	rd_kafka_t *client = rd_kafka_new(type, conf, error, sizeof error);
	if (client == NULL)
		fail_msg("%s", error);
	return client;
}

void mock_kafka_start(struct mock_kafka *mock)
{
	*mock = (struct mock_kafka){0};
	mock->host = client_new(RD_KAFKA_PRODUCER, conf_new(mock));
	mock->cluster = rd_kafka_mock_cluster_new(mock->host, 1);
	assert_non_null(mock->cluster);
	rd_kafka_conf_t *conf = conf_new(mock);
	set(conf, "linger.ms", "1");
	mock->producer = client_new(RD_KAFKA_PRODUCER, conf);
	mock->items[0] = (struct kafka_setting){"bootstrap.servers",
		rd_kafka_mock_cluster_bootstraps(mock->cluster)};
	/* The mock answers an empty fetch only when its time is up. */
	mock->items[1] = (struct kafka_setting){"fetch.wait.max.ms", "10"};
	mock->items[2] = (struct kafka_setting){"reconnect.backoff.ms", "10"};
	mock->items[3] =
		(struct kafka_setting){"reconnect.backoff.max.ms", "50"};
	mock->item_count = 4;
}

void mock_kafka_stop(struct mock_kafka *mock)
{
	rd_kafka_destroy(mock->producer);
	rd_kafka_mock_cluster_destroy(mock->cluster);
	rd_kafka_destroy(mock->host);
}

void mock_kafka_topic(struct mock_kafka *mock, const char *name, int partitions)
{
	assert_int_equal(
		rd_kafka_mock_topic_create(mock->cluster, name, partitions, 1),
		RD_KAFKA_RESP_ERR_NO_ERROR);
}

struct kafka_settings mock_kafka_settings(struct mock_kafka *mock)
{
	return (struct kafka_settings){mock->items, mock->item_count};
}

static rd_kafka_headers_t *headers_of(const struct record *record)
{
	if (record->header_count == 0)
		return NULL;
	rd_kafka_headers_t *headers = rd_kafka_headers_new(4);
	for (size_t i = 0; i < record->header_count; i++)
		rd_kafka_header_add(headers, record->headers[i].name.data,
			(ssize_t)record->headers[i].name.length,
			record->headers[i].value.data,
			(ssize_t)record->headers[i].value.length);
	return headers;
}

/* librdkafka copies and only reads, but asks for a void *. */
static void *unconst(const char *data)
{
	union {
		const char *read;
		void *field;
	} pointer = {.read = data};
	return pointer.field;
}

static void send_record(struct mock_kafka *mock, const char *topic,
	int32_t partition, const struct record *record)
{
	rd_kafka_vu_t fields[7] = {
		{.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = topic},
		{.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = partition},
		{.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
		{.vtype = RD_KAFKA_VTYPE_KEY,
			.u.mem = {unconst(record->key.data),
				record->key.length}},
		{.vtype = RD_KAFKA_VTYPE_VALUE,
			.u.mem = {unconst(record->value.data),
				record->value.length}},
		{.vtype = RD_KAFKA_VTYPE_TIMESTAMP,
			.u.i64 = record->timestamp_us / 1000},
		{.vtype = RD_KAFKA_VTYPE_HEADERS,
			.u.headers = headers_of(record)},
	};
	size_t count = record->header_count == 0 ? 6 : 7;
	rd_kafka_error_t *error =
		rd_kafka_produceva(mock->producer, fields, count);
	if (error != NULL)
		fail_msg("%s", rd_kafka_error_string(error));
	rd_kafka_poll(mock->producer, 0);
}

static void flush(struct mock_kafka *mock)
{
	assert_int_equal(rd_kafka_flush(mock->producer, WAIT_MS),
		RD_KAFKA_RESP_ERR_NO_ERROR);
}

void mock_kafka_produce(struct mock_kafka *mock, const char *topic,
	int32_t partition, const struct record *record)
{
	send_record(mock, topic, partition, record);
	flush(mock);
}

void mock_kafka_fill(struct mock_kafka *mock, const char *topic,
	int32_t partition, int from, int count)
{
	for (int i = from; i < from + count; i++) {
		char key[16], value[16];
		(void)snprintf(key, sizeof key, "k%d", i);
		(void)snprintf(value, sizeof value, "v%d", i);
		struct record record = {
			.timestamp_us = (MOCK_TIME_MS + i) * 1000,
			.key = slice_of(key),
			.value = slice_of(value),
		};
		send_record(mock, topic, partition, &record);
	}
	flush(mock);
}

static rd_kafka_t *consumer_new(struct mock_kafka *mock, const char *group)
{
	rd_kafka_conf_t *conf = conf_new(mock);
	set(conf, "group.id", group);
	set(conf, "enable.auto.commit", "false");
	set(conf, "enable.partition.eof", "true");
	set(conf, "fetch.wait.max.ms", "10");
	rd_kafka_t *client = client_new(RD_KAFKA_CONSUMER, conf);
	rd_kafka_poll_set_consumer(client);
	return client;
}

static bool read_one(rd_kafka_t *client,
	void (*seen)(void *payload, const rd_kafka_message_t *message),
	void *payload)
{
	rd_kafka_message_t *message = rd_kafka_consumer_poll(client, WAIT_MS);
	assert_non_null(message);
	bool end = message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
	if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
		seen(payload, message);
	else if (!end)
		fail_msg("%s", rd_kafka_message_errstr(message));
	rd_kafka_message_destroy(message);
	return !end;
}

void mock_kafka_read(struct mock_kafka *mock, const char *topic,
	int32_t partition, int64_t offset,
	void (*seen)(void *payload, const rd_kafka_message_t *message),
	void *payload)
{
	rd_kafka_t *client = consumer_new(mock, "tests-reader");
	rd_kafka_topic_partition_list_t *list =
		rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(list, topic, partition)->offset =
		offset;
	assert_int_equal(
		rd_kafka_assign(client, list), RD_KAFKA_RESP_ERR_NO_ERROR);
	rd_kafka_topic_partition_list_destroy(list);
	while (read_one(client, seen, payload))
		;
	rd_kafka_destroy(client);
}

int64_t mock_kafka_committed(struct mock_kafka *mock, const char *group,
	const char *topic, int32_t partition)
{
	rd_kafka_t *client = consumer_new(mock, group);
	rd_kafka_topic_partition_list_t *list =
		rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(list, topic, partition);
	assert_int_equal(rd_kafka_committed(client, list, WAIT_MS),
		RD_KAFKA_RESP_ERR_NO_ERROR);
	int64_t offset = list->elems[0].offset;
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_destroy(client);
	return offset < 0 ? -1 : offset;
}
