#include "ingest/kafka/kafka_connections.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Two brokers that share a place are compared once too often. */
#define PLACES 256

struct kafka_connections {
	pthread_mutex_t mutex;
	atomic_uint_fast64_t count; /* written under the mutex */
	uint64_t latest[PLACES];    /* by broker: the count at its latest */
};

int kafka_connections_new(struct kafka_connections **out, struct fault *fault)
{
	*out = calloc(1, sizeof **out);
	if (*out == NULL)
		return fault_set(
			fault, FAULT_OOM, "no memory to watch connections");
	pthread_mutex_init(&(*out)->mutex, NULL);
	return 0;
}

void kafka_connections_free(struct kafka_connections *connections)
{
	if (connections == NULL)
		return;
	pthread_mutex_destroy(&connections->mutex);
	free(connections);
}

/* On the broker's thread, before it fetches anything (rdkafka_broker.c,
 * rd_kafka_broker_connect_up()). Bootstrap servers and the group's coordinator
 * have connections of their own, without a number: nothing is fetched there. */
/* NOLINTNEXTLINE(readability-function-size): librdkafka's parameters */
static rd_kafka_resp_err_t changed(rd_kafka_t *client, int32_t broker,
	const char *protocol, const char *name, int port, const char *state,
	void *payload)
{
	struct kafka_connections *connections = payload;
	(void)client;
	(void)protocol;
	(void)name;
	(void)port;
	if (broker < 0 || strcmp(state, "UP") != 0)
		return RD_KAFKA_RESP_ERR_NO_ERROR;
	pthread_mutex_lock(&connections->mutex);
	uint64_t count = atomic_load(&connections->count) + 1;
	connections->latest[broker % PLACES] = count;
	atomic_store(&connections->count, count);
	pthread_mutex_unlock(&connections->mutex);
	return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Within rd_kafka_new(), before there is any thread of a broker. */
static rd_kafka_resp_err_t begin(rd_kafka_t *client,
	const rd_kafka_conf_t *conf, void *payload, char *error,
	size_t error_size)
{
	(void)conf;
	(void)error;
	(void)error_size;
	return rd_kafka_interceptor_add_on_broker_state_change(
		client, "holdfast", changed, payload);
}

int kafka_connections_watch(struct kafka_connections *connections,
	rd_kafka_conf_t *conf, struct fault *fault)
{
	if (rd_kafka_conf_interceptor_add_on_new(conf, "holdfast", begin,
		    connections) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return fault_set(fault, FAULT_BROKER,
			"librdkafka does not tell of its connections");
	return 0;
}

void kafka_connections_doubt(struct kafka_connections *connections)
{
	pthread_mutex_lock(&connections->mutex);
	uint64_t count = atomic_load(&connections->count) + 1;
	for (size_t i = 0; i < PLACES; i++)
		connections->latest[i] = count;
	atomic_store(&connections->count, count);
	pthread_mutex_unlock(&connections->mutex);
}

uint64_t kafka_connections_count(struct kafka_connections *connections)
{
	return atomic_load(&connections->count);
}

bool kafka_connections_known(
	struct kafka_connections *connections, int32_t broker, uint64_t *seen)
{
	if (atomic_load(&connections->count) == *seen)
		return true;
	pthread_mutex_lock(&connections->mutex);
	bool known =
		broker >= 0 && connections->latest[broker % PLACES] <= *seen;
	if (known)
		*seen = atomic_load(&connections->count);
	pthread_mutex_unlock(&connections->mutex);
	return known;
}
