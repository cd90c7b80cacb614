/*
 * The development broker: librdkafka's mock cluster, in a process of its own.
 *
 * In memory, 32 partitions a topic. It silently drops what exceeds 5 MiB or
 * 100,000 batches a partition: produce no more than it holds. When the process
 * ends, the log is gone.
 */
#ifndef HOLDFAST_INGEST_KAFKA_KAFKA_BROKER_H
#define HOLDFAST_INGEST_KAFKA_KAFKA_BROKER_H

#include "schema/fault.h"

#include <stdint.h>

#define KAFKA_BROKER_PARTITIONS 32

struct kafka_broker; /* opaque */

/* Start it on a free port of 127.0.0.1. On success the caller owns *out.
 * Errors: FAULT_BROKER, FAULT_OOM. */
int kafka_broker_open(struct kafka_broker **out, struct fault *fault);

/* "127.0.0.1:41234", borrowed until close. */
const char *kafka_broker_bootstrap(const struct kafka_broker *broker);

/* Create a topic. Errors: FAULT_BROKER (exists, or a bad name). */
int kafka_broker_topic(struct kafka_broker *broker, const char *name,
	int32_t partitions, struct fault *fault);

void kafka_broker_close(struct kafka_broker *broker); /* NULL is allowed */

#endif
