/*
 * What a topic's configuration says: whose clocks stamp its records, and what
 * is removed from its log.
 *
 * Waits for answers, and so belongs to the scout's thread (kafka_scout.h).
 * Internal to ingest/kafka/.
 */
#ifndef HOLDFAST_INGEST_KAFKA_KAFKA_TOPIC_H
#define HOLDFAST_INGEST_KAFKA_KAFKA_TOPIC_H

#include "schema/fault.h"

#include <librdkafka/rdkafka.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum kafka_clocks {
	KAFKA_CLOCKS_BOUNDED = 0,   /* or nobody says */
	KAFKA_CLOCKS_UNBOUNDED = 1, /* `notice` has the text for the operator */
	KAFKA_CLOCKS_PUT_OFF = 2    /* `hurry` was set: ask again */
};

/* Does the topic bound its producers' clocks? */
enum kafka_clocks kafka_topic_clocks(rd_kafka_t *client, const char *topic,
	const atomic_bool *hurry, struct fault *notice);

/* What `cleanup.policy` leaves of a log. */
struct kafka_cleanup {
	bool compacted;
	int64_t deletes_kept_us; /* delete.retention.ms: so long, at least */
};

enum kafka_cleanup_outcome {
	KAFKA_CLEANUP_KNOWN = 0,
	/* The cluster names no controller to ask, as a development broker. */
	KAFKA_CLEANUP_UNASKED = 1,
	KAFKA_CLEANUP_REFUSED = 2, /* `notice` has the text for the operator */
	KAFKA_CLEANUP_UNREACHABLE = 3 /* nobody answered; `notice`, too */
};

/* *out is of a log that is not compacted unless KNOWN. Ends early, UNREACHABLE,
 * when `stop` is set. */
enum kafka_cleanup_outcome kafka_topic_cleanup(rd_kafka_t *client,
	const char *topic, const atomic_bool *stop, struct kafka_cleanup *out,
	struct fault *notice);

#endif
