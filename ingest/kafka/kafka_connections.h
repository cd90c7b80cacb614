/*
 * Which connections to brokers are newer than the last comparison of a log?
 *
 * What comes over a connection made since may be of another log: the broker
 * behind it may have been replaced. librdkafka connects and fetches again by
 * itself, and says so to nobody but an interceptor (error_cb is told the same
 * error once in 30 s only: rdkafka_broker.c, rd_kafka_broker_set_error()).
 * Each connection that was made counts, an attempt does not: a broker that is
 * down makes nobody compare anything. Internal to ingest/kafka/.
 */
#ifndef HOLDFAST_INGEST_KAFKA_KAFKA_CONNECTIONS_H
#define HOLDFAST_INGEST_KAFKA_KAFKA_CONNECTIONS_H

#include "schema/fault.h"

#include <librdkafka/rdkafka.h>

#include <stdbool.h>
#include <stdint.h>

struct kafka_connections; /* opaque */

/* On success the caller owns *out; on failure it is NULL. Errors: FAULT_OOM. */
int kafka_connections_new(struct kafka_connections **out, struct fault *fault);

/* Not before the client that it watches is gone. NULL is allowed. */
void kafka_connections_free(struct kafka_connections *connections);

/* Count those of the client that is made of `conf`. Errors: FAULT_BROKER. */
int kafka_connections_watch(struct kafka_connections *connections,
	rd_kafka_conf_t *conf, struct fault *fault);

/* How many were made so far. A record fetched over one of them came to the
 * application after it was counted. */
uint64_t kafka_connections_count(struct kafka_connections *connections);

/* As if each broker were connected anew: what it holds may have changed behind
 * a connection that stands. */
void kafka_connections_doubt(struct kafka_connections *connections);

/*
 * Was the broker's present connection made before *seen of them were? Then
 * *seen is raised to what that is still true of: asking again is cheap while
 * nothing is connected. Only for the same broker as before.
 */
bool kafka_connections_known(
	struct kafka_connections *connections, int32_t broker, uint64_t *seen);

#endif
