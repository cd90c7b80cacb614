/*
 * What a cluster says of its topics: partitions and bounds.
 *
 * All of it waits for answers, up to KAFKA_CALL_TIMEOUT_MS, and so belongs to
 * the scout's thread (kafka_scout.h). Internal to ingest/kafka/.
 */
#ifndef HOLDFAST_INGEST_KAFKA_KAFKA_DISCOVERY_H
#define HOLDFAST_INGEST_KAFKA_KAFKA_DISCOVERY_H

#include "schema/fault.h"

#include <librdkafka/rdkafka.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A broker that answers at all does so within; one that does not is asked
 * again. Twice the 5 s that a broker far away was tried with. */
#define KAFKA_CALL_TIMEOUT_MS 10000

enum kafka_topic_outcome {
	KAFKA_TOPIC_KNOWN = 0,
	KAFKA_TOPIC_PARTLY = 1,	    /* some partitions have no leader now */
	KAFKA_TOPIC_UNKNOWN = 2,    /* why is in `fault` */
	KAFKA_TOPIC_REFUSED = 3,    /* why is in `fault` */
	KAFKA_TOPIC_UNREACHABLE = 4 /* nobody answered */
};

/* The numbers of the topic's partitions that have a leader; the caller frees
 * *numbers. An enum kafka_topic_outcome. Errors: FAULT_OOM. */
int kafka_topic_partitions(rd_kafka_t *client, const char *topic,
	int32_t **numbers, size_t *count, struct fault *fault);

struct kafka_bounds {
	const char *topic; /* borrowed */
	int32_t partition;
	bool known;
	int64_t low;	   /* first offset the log still holds */
	int64_t high;	   /* where it ends: the last stable offset */
	int64_t committed; /* by our group; -1: nothing, or nobody says */
};

/* Fill in low, high and known of bounds[0..count). */
void kafka_find_bounds(
	rd_kafka_t *client, struct kafka_bounds *bounds, size_t count);

/* Fill in what our group committed of bounds[0..count). Only a notice hangs on
 * it: a group coordinator that is away holds it up for 2 s at most. */
void kafka_find_committed(
	rd_kafka_t *client, struct kafka_bounds *bounds, size_t count);

/* The cluster's id into out[0..size), "" where it has none. */
void kafka_find_cluster(rd_kafka_t *client, char *out, size_t size);

#endif
