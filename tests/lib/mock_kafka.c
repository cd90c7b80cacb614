#include "tests/lib/mock_kafka.h"

#include "tests/lib/check.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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

void mock_kafka_start(struct mock_kafka *mock, int brokers)
{
	*mock = (struct mock_kafka){0};
	mock->host = client_new(RD_KAFKA_PRODUCER, conf_new(mock));
	mock->cluster = rd_kafka_mock_cluster_new(mock->host, brokers);
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

/* Kafka protocol: Produce version 3, RecordBatch version 2. */
static const unsigned char bare_produce[] = {
	0, 0, 0, 0,		     /* size, filled in */
	0, 0, 0, 3, 0, 0, 0, 1,	     /* Produce, version 3, correlation 1 */
	0, 1, 'c', 0xff, 0xff, 0, 1, /* client id, no transaction, acks 1 */
	0, 0, 0x27, 0x10,	     /* 10 s */
	0, 0, 0, 1, 0, 1, 0,	     /* one topic, filled in */
	0, 0, 0, 1, 0, 0, 0, 0,	     /* one partition: 0 */
	0, 0, 0, 69,		     /* bytes of records */
	0, 0, 0, 0, 0, 0, 0, 0,	     /* base offset */
	0, 0, 0, 57, 0, 0, 0, 0,     /* length, leader epoch */
	2, 0, 0, 0, 0,		     /* magic, checksum: filled in */
	0, 0, 0, 0, 0, 0,	     /* attributes, last offset delta */
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* base timestamp */
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* max timestamp */
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* producer: none */
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* epoch, sequence: none */
	0, 0, 0, 1,			    /* one record */
	14, 0, 0, 0, 1, 2, 'x', 0,	    /* zigzag: no key, "x", no header */
};
#define BARE_TOPIC 29	 /* where the topic's letter stands */
#define BARE_CHECKSUM 59 /* and the checksum of what follows it */

/* CRC-32C, as in RFC 3720 appendix B.4. */
static uint32_t crc32c(const unsigned char *bytes, size_t length)
{
	uint32_t crc = UINT32_MAX;
	for (size_t i = 0; i < length; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (UINT32_C(0x82f63b78) & -(crc & 1));
	}
	return ~crc;
}

static int connect_to(struct mock_kafka *mock)
{
	const char *bootstrap = rd_kafka_mock_cluster_bootstraps(mock->cluster);
	long port = strtol(strchr(bootstrap, ':') + 1, NULL, 10);
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(
		connect(fd, (const struct sockaddr *)&address, sizeof address),
		0);
	return fd;
}

void mock_kafka_produce_bare(
	struct mock_kafka *mock, const char *topic, bool damaged)
{
	unsigned char request[sizeof bare_produce];
	memcpy(request, bare_produce, sizeof request);
	uint32_t size = htonl(sizeof request - 4);
	memcpy(request, &size, sizeof size);
	request[BARE_TOPIC] = (unsigned char)topic[0];
	size_t covered = BARE_CHECKSUM + 4;
	uint32_t checksum = htonl(
		crc32c(request + covered, sizeof request - covered) ^ damaged);
	memcpy(request + BARE_CHECKSUM, &checksum, sizeof checksum);
	int fd = connect_to(mock);
	assert_int_equal(write(fd, request, sizeof request), sizeof request);
	char response[64];
	assert_true(read(fd, response, sizeof response) > 0);
	close(fd);
}
