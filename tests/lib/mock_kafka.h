/*
 * A Kafka cluster in this process for tests: librdkafka's mock, with the
 * handles to break it, and a plain producer and reader that share no code with
 * ingest/kafka/.
 */
#ifndef HOLDFAST_TESTS_MOCK_KAFKA_H
#define HOLDFAST_TESTS_MOCK_KAFKA_H

#include "ingest/kafka/kafka_config.h"
#include "schema/record.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#define MOCK_SETTINGS_MAX 8

struct mock_kafka {
	rd_kafka_t *host;
	rd_kafka_mock_cluster_t *cluster;
	rd_kafka_t *producer;
	struct kafka_setting items[MOCK_SETTINGS_MAX];
	size_t item_count;
};

/* A cluster of so many brokers, numbered from 1. Failures end the test. */
void mock_kafka_start(struct mock_kafka *mock, int brokers);
void mock_kafka_stop(struct mock_kafka *mock);

void mock_kafka_topic(
	struct mock_kafka *mock, const char *name, int partitions);

/* What a client needs to reach it, with short waits. Borrowed from `mock`. */
struct kafka_settings mock_kafka_settings(struct mock_kafka *mock);

/* Produce one record as it is (its log and offset are ignored; timestamp in
 * whole milliseconds), in a batch of its own, and wait until it is written. */
void mock_kafka_produce(struct mock_kafka *mock, const char *topic,
	int32_t partition, const struct record *record);

/* Produce `count` records "v0", "v1", … from number `from` on, timestamps 1 ms
 * apart from 2026-01-01, keys "k<number>". Batched. */
void mock_kafka_fill(struct mock_kafka *mock, const char *topic,
	int32_t partition, int from, int count);

/* Write the record "x", without key and timestamp, to partition 0 of a topic
 * whose name is one letter; `damaged`: with a wrong checksum. By hand, since no
 * producer would. */
void mock_kafka_produce_bare(
	struct mock_kafka *mock, const char *topic, bool damaged);

/* Read a partition from `offset` on, until its end: calls `seen` for each. */
void mock_kafka_read(struct mock_kafka *mock, const char *topic,
	int32_t partition, int64_t offset,
	void (*seen)(void *payload, const rd_kafka_message_t *message),
	void *payload);

/* What is committed for a partition by a group; -1 for nothing. */
int64_t mock_kafka_committed(struct mock_kafka *mock, const char *group,
	const char *topic, int32_t partition);

#define MOCK_TIME_MS INT64_C(1767225600000) /* 2026-01-01T00:00:00Z */

#endif
