/*
 * Kafka as a sink: records out, in order, each acknowledged.
 */
#ifndef HOLDFAST_INGEST_KAFKA_KAFKA_SINK_H
#define HOLDFAST_INGEST_KAFKA_KAFKA_SINK_H

#include "ingest/kafka/kafka_config.h"
#include "schema/record.h"

struct kafka_sink; /* opaque */

/* Idempotent producer, acks=all. On success the caller owns *out.
 * Errors: FAULT_USAGE, FAULT_OOM. */
int kafka_sink_open(struct kafka_sink **out,
	const struct kafka_settings *settings, struct fault *fault);

/* Send key, value, headers and timestamp of `record` (its log is ignored) to
 * `topic`; `partition` -1: by the key. Copies; waits while the queue is full.
 * Errors: FAULT_BROKER (also for an earlier record), FAULT_OOM. */
int kafka_sink_send(struct kafka_sink *sink, const char *topic,
	int32_t partition, const struct record *record, struct fault *fault);

/* Wait until every record is acknowledged, or the client gave up. Errors:
 * FAULT_BROKER, with how many are not. */
int kafka_sink_flush(
	struct kafka_sink *sink, uint32_t timeout_ms, struct fault *fault);

/* How many records were acknowledged so far. */
int64_t kafka_sink_acknowledged(const struct kafka_sink *sink);

void kafka_sink_close(struct kafka_sink *sink); /* NULL is allowed */

#endif
