/*
 * A message of librdkafka as a record of ours. Internal to ingest/kafka/.
 */
#ifndef HOLDFAST_INGEST_KAFKA_KAFKA_RECORD_H
#define HOLDFAST_INGEST_KAFKA_KAFKA_RECORD_H

#include "schema/fault.h"
#include "schema/record.h"

#include <librdkafka/rdkafka.h>

/* Headers of the record last read; grows, and is used again. */
struct kafka_headers {
	struct header *items;
	size_t capacity;
};

/* Offset, timestamp, key and value, borrowed from `message`; no log and no
 * headers. Kafka's timestamps are milliseconds; none is TIMESTAMP_NONE. */
void kafka_record_body(
	struct record *record, const rd_kafka_message_t *message);

/* The headers, in order and with every repetition, borrowed from `message` and
 * `headers`. 0, or 1: they can't be read. Errors: FAULT_OOM. */
#define KAFKA_HEADERS_UNREADABLE 1
int kafka_record_headers(struct record *record, struct kafka_headers *headers,
	const rd_kafka_message_t *message, struct fault *fault);

void kafka_headers_finish(struct kafka_headers *headers);

#endif
