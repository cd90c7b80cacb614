/*
 * One librdkafka handle: configured, checked, and quiet.
 *
 * Internal to ingest/kafka/: here, and in the files that include this header,
 * librdkafka's types show; nowhere else.
 */
#ifndef HOLDFAST_INGEST_KAFKA_KAFKA_CLIENT_H
#define HOLDFAST_INGEST_KAFKA_KAFKA_CLIENT_H

#include "ingest/kafka/kafka_config.h"

#include <librdkafka/rdkafka.h>

#include <stdbool.h>

enum kafka_role {
	KAFKA_CONSUMER, /* the one that records come from */
	KAFKA_READER,	/* a short-lived one that looks something up */
	KAFKA_PRODUCER
};

/*
 * A configuration of the operator's settings, our defaults below them and what
 * nobody may change above them. `group_id` may be NULL for a producer. The
 * caller owns *out until kafka_client_open(); on failure it is NULL.
 * Errors: FAULT_USAGE (a refused or unknown setting), FAULT_OOM.
 */
int kafka_client_conf(rd_kafka_conf_t **out,
	const struct kafka_settings *settings, enum kafka_role role,
	const char *group_id, struct fault *fault);

/* A handle of `conf`, which is taken in any case. On success the caller owns
 * *out, on failure it is NULL. Errors: FAULT_USAGE (settings that contradict
 * each other, a version of librdkafka that must not be used). */
int kafka_client_open(rd_kafka_t **out, rd_kafka_conf_t *conf,
	enum kafka_role role, struct fault *fault);

/* Have the client learn about a topic as soon as it is connected, not when it
 * is first assigned: then a timer of a second has to come round
 * (rdkafka.c, rd_kafka_1s_tmr_cb()). */
void kafka_client_expect(rd_kafka_t *client, const char *topic);

/*
 * Free a client, without leaving a group: there is none. Where that takes
 * longer than `timeout_ms`, it is left to itself: false. NULL is allowed.
 *
 * librdkafka 2.0.2 to 2.6.0 never ends destroying a client that held records of
 * a partition which left the cluster (librdkafka #4724).
 */
bool kafka_client_close(rd_kafka_t *client, int64_t timeout_ms);

/* The value of a setting that is a number. */
size_t kafka_client_number(const rd_kafka_conf_t *conf, const char *name);

/* Why this version of librdkafka (rd_kafka_version()) must not be used; NULL
 * where it may be. */
const char *kafka_version_refused(int version);

#endif
