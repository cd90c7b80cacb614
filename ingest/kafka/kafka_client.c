#include "ingest/kafka/kafka_client.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#define ERROR_TEXT_SIZE 512

/* Versions that lose, stop or assert. Source: librdkafka's CHANGELOG.md. */
static const struct {
	int version; /* of rd_kafka_version(), without its last byte */
	const char *reason;
} refused[] = {
	{0x020500, "librdkafka 2.5.0 aborts the process when a broker asks "
		   "for client metrics; use 2.5.3 or newer"},
	{0x020600, "librdkafka 2.6.0 can't fetch from brokers before 2.7; "
		   "use 2.6.1 or newer"},
	{0x020a00, "librdkafka 2.10.0 can lose its bootstrap servers and "
		   "never connect again; use 2.10.1 or newer"},
};

const char *kafka_version_refused(int version)
{
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
		if (version >> 8 == refused[i].version)
			return refused[i].reason;
	return NULL;
}

static void print(const char *facility, const char *text)
{
	/* Settings that concern only the other kind of client: both are given
	 * the same ones, on purpose. And brokers before 0.11, as the
	 * development broker takes itself for, can't be asked not to create
	 * topics. */
	if (strcmp(facility, "CONFWARN") != 0 &&
		strcmp(facility, "AUTOCREATE") != 0)
		fprintf(stderr, "kafka: %s: %s\n", facility, text);
}

static void log_warnings(const rd_kafka_t *client, int level,
	const char *facility, const char *text)
{
	(void)client;
	if (level <= LOG_WARNING)
		print(facility, text);
}

static void log_all(const rd_kafka_t *client, int level, const char *facility,
	const char *text)
{
	(void)client;
	(void)level;
	print(facility, text);
}

static void log_nothing(const rd_kafka_t *client, int level,
	const char *facility, const char *text)
{
	(void)client;
	(void)level;
	(void)facility;
	(void)text;
}

static bool is_set(const rd_kafka_conf_t *conf, const char *name)
{
	char value[ERROR_TEXT_SIZE];
	size_t size = sizeof value;
	return rd_kafka_conf_get(conf, name, value, &size) ==
		       RD_KAFKA_CONF_OK &&
	       size > 1;
}

/* What a reader has to complain of, the consumer says as well. */
static void route_log(rd_kafka_conf_t *conf, enum kafka_role role)
{
	if (is_set(conf, "debug"))
		rd_kafka_conf_set_log_cb(conf, log_all);
	else if (role == KAFKA_READER)
		rd_kafka_conf_set_log_cb(conf, log_nothing);
	else
		rd_kafka_conf_set_log_cb(conf, log_warnings);
}

static int check_usable(const rd_kafka_conf_t *conf, struct fault *fault)
{
	const char *reason = kafka_version_refused(rd_kafka_version());
	if (reason != NULL)
		return fault_set(fault, FAULT_USAGE, "%s", reason);
	if (!is_set(conf, "bootstrap.servers"))
		return fault_set(fault, FAULT_USAGE,
			"kafka.bootstrap.servers is missing: name a broker, "
			"as in \"kafka-1:9092,kafka-2:9092\"");
	return 0;
}

int kafka_client_open(rd_kafka_t **out, rd_kafka_conf_t *conf,
	enum kafka_role role, struct fault *fault)
{
	*out = NULL;
	int rc = check_usable(conf, fault);
	if (rc != 0) {
		rd_kafka_conf_destroy(conf);
		return rc;
	}
	route_log(conf, role);
	/* Tokens (OAUTHBEARER) are renewed by a thread of librdkafka's: a
	 * client that waits for an answer polls nothing. */
	rd_kafka_conf_enable_sasl_queue(conf, 1);
	char error[ERROR_TEXT_SIZE] = "";
	rd_kafka_type_t type =
		role == KAFKA_PRODUCER ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER;
	*out = rd_kafka_new(type, conf, error, sizeof error);
	if (*out == NULL) {
		rd_kafka_conf_destroy(conf);
		return fault_set(
			fault, FAULT_USAGE, "kafka settings: %s", error);
	}
	/* Fails, rightly, where there are no tokens to renew. */
	rd_kafka_error_t *none =
		rd_kafka_sasl_background_callbacks_enable(*out);
	if (none != NULL)
		rd_kafka_error_destroy(none);
	/* From here on errors and events come out of one queue. */
	if (role != KAFKA_PRODUCER)
		rd_kafka_poll_set_consumer(*out);
	return 0;
}

void kafka_client_expect(rd_kafka_t *client, const char *topic)
{
	rd_kafka_topic_t *handle = rd_kafka_topic_new(client, topic, NULL);
	if (handle != NULL)
		rd_kafka_topic_destroy(handle);
}

size_t kafka_client_number(const rd_kafka_conf_t *conf, const char *name)
{
	char value[ERROR_TEXT_SIZE];
	size_t size = sizeof value;
	if (rd_kafka_conf_get(conf, name, value, &size) != RD_KAFKA_CONF_OK)
		return 0;
	return strtoul(value, NULL, 10);
}

/* A client being destroyed, by a thread that may stay in it. */
struct farewell {
	rd_kafka_t *client;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	bool done;
	bool abandoned; /* nobody waits: the thread frees this */
};

static void free_farewell(struct farewell *farewell)
{
	pthread_cond_destroy(&farewell->changed);
	pthread_mutex_destroy(&farewell->mutex);
	free(farewell);
}

static void *destroy_client(void *payload)
{
	struct farewell *farewell = payload;
	rd_kafka_destroy_flags(
		farewell->client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	pthread_mutex_lock(&farewell->mutex);
	farewell->done = true;
	bool abandoned = farewell->abandoned;
	pthread_cond_signal(&farewell->changed);
	pthread_mutex_unlock(&farewell->mutex);
	if (abandoned)
		free_farewell(farewell);
	return NULL;
}

static bool await_farewell(struct farewell *farewell, int64_t timeout_ms)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	int rc = 0;
	pthread_mutex_lock(&farewell->mutex);
	while (rc == 0 && !farewell->done)
		rc = pthread_cond_timedwait(
			&farewell->changed, &farewell->mutex, &until);
	bool done = farewell->done;
	farewell->abandoned = !done;
	pthread_mutex_unlock(&farewell->mutex);
	return done;
}

bool kafka_client_close(rd_kafka_t *client, int64_t timeout_ms)
{
	if (client == NULL)
		return true;
	pthread_t thread;
	struct farewell *farewell = calloc(1, sizeof *farewell);
	if (farewell == NULL)
		return false; /* rather than wait without bound */
	farewell->client = client;
	pthread_mutex_init(&farewell->mutex, NULL);
	pthread_cond_init(&farewell->changed, NULL);
	if (pthread_create(&thread, NULL, destroy_client, farewell) != 0) {
		free_farewell(farewell);
		return false;
	}
	if (!await_farewell(farewell, timeout_ms)) {
		pthread_detach(thread);
		return false;
	}
	pthread_join(thread, NULL);
	free_farewell(farewell);
	return true;
}
