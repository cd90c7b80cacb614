#include "ingest/kafka/kafka_config.h"

#include "ingest/kafka/kafka_client.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define ERROR_TEXT_SIZE 512 /* librdkafka's own examples use as much */

/* What nobody may change, since a promise hangs on it. `value` is what holdfast
 * sets (and what an operator may repeat); NULL: nothing may be set. */
static const struct {
	const char *name;
	const char *value;
	bool consumers, producers; /* whom it is set for */
	const char *reason;
} fixed[] = {
	{"enable.auto.commit", "false", true, false,
		"offsets are committed once their records are durable"},
	{"auto.commit.enable", "false", false, false,
		"offsets are committed once their records are durable"},
	{"auto.commit.interval.ms", NULL, false, false,
		"offsets are committed once their records are durable"},
	{"enable.auto.offset.store", "false", true, false,
		"a delivered record is not a durable one"},
	{"offset.store.method", NULL, false, false,
		"where to go on is read from the store alone"},
	{"offset.store.path", NULL, false, false,
		"where to go on is read from the store alone"},
	{"auto.offset.reset", "error", true, false,
		"a reset jumps over lost records in silence"},
	{"isolation.level", "read_committed", true, false,
		"records of aborted transactions would be taken"},
	{"check.crcs", "true", true, false,
		"records damaged on their way would be taken"},
	{"enable.partition.eof", "true", true, false,
		"the lag is known by the end of a partition"},
	{"allow.auto.create.topics", "false", true, false,
		"a misspelt topic would be created, not reported"},
	{"partition.assignment.strategy", NULL, false, false,
		"holdfast takes every partition, without a group's session"},
	{"group.protocol", NULL, false, false,
		"holdfast takes every partition, without a group's session"},
	{"group.remote.assignor", NULL, false, false,
		"holdfast takes every partition, without a group's session"},
	{"group.instance.id", NULL, false, false,
		"holdfast takes every partition, without a group's session"},
	{"enable.idempotence", "true", false, true,
		"a record sent again would stand in the topic twice"},
	{"acks", "all", false, true,
		"a record only its leader has is lost with it"},
	{"request.required.acks", "all", false, false,
		"a record only its leader has is lost with it"},
	{"transactional.id", NULL, false, false,
		"holdfast sends without transactions"},
	{"consume.callback.max.messages", NULL, false, false,
		"holdfast polls and has no callbacks"},
	{"log.queue", "false", false, false,
		"nobody would read the log from there"},
	{"test.mock.num.brokers", NULL, false, false,
		"each client would have a cluster of its own; use "
		"`holdfast broker`"},
};

/* Ours unless the operator says otherwise. */
static const struct {
	const char *name;
	const char *value;
	bool newer; /* librdkafka 2.0.2 does not know it */
} defaults[] = {
	{"client.id", "holdfast", false},
	/* Caught up, a record waits for no timer; this bounds what an idle
	 * broker holds a request back, and so how soon an end is seen. */
	{"fetch.wait.max.ms", "100", false},
	{"fetch.error.backoff.ms", "100", false},
	/* Its default of 1 s starves a fast reader at full queues. */
	{"fetch.queue.backoff.ms", "10", true},
	/* One response may overshoot it, by partitions times 1 MiB. */
	{"queued.max.messages.kbytes", "16384", false},
	{"socket.keepalive.enable", "true", false},
	/* 10 s by default: a broker that is back is used within 1 s. */
	{"reconnect.backoff.max.ms", "1000", false},
};

/* A reader wants one record of each partition, not the log behind it: small
 * pieces, but never a queue that counts as full. librdkafka 2.0.2 would look
 * only a second later whether it still is, and hold every other partition back
 * until then (rdkafka_partition.c, rd_kafka_toppar_fetch_decide()). */
static const struct kafka_setting reader_only[] = {
	{"queued.min.messages", "100000"},
	{"fetch.message.max.bytes", "16384"},
};

static int refuse_fixed(
	const struct kafka_setting *setting, struct fault *fault)
{
	for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
		if (strcmp(fixed[i].name, setting->name) != 0)
			continue;
		if (fixed[i].value == NULL)
			return fault_set(fault, FAULT_USAGE,
				"kafka.%s can't be set: %s", setting->name,
				fixed[i].reason);
		if (strcasecmp(fixed[i].value, setting->value) != 0)
			return fault_set(fault, FAULT_USAGE,
				"kafka.%s is %s and can't be %s: %s",
				setting->name, fixed[i].value, setting->value,
				fixed[i].reason);
	}
	return 0;
}

static int set_one(rd_kafka_conf_t *conf, const char *name, const char *value,
	struct fault *fault)
{
	char error[ERROR_TEXT_SIZE] = "";
	if (rd_kafka_conf_set(conf, name, value, error, sizeof error) !=
		RD_KAFKA_CONF_OK)
		return fault_set(
			fault, FAULT_USAGE, "kafka.%s: %s", name, error);
	return 0;
}

static int set_operators(rd_kafka_conf_t *conf,
	const struct kafka_settings *settings, struct fault *fault)
{
	for (size_t i = 0; i < settings->count; i++) {
		const struct kafka_setting *setting = &settings->items[i];
		if (setting->value == NULL)
			return fault_set(fault, FAULT_USAGE,
				"kafka.%s has no value", setting->name);
		int rc = refuse_fixed(setting, fault);
		if (rc == 0)
			rc = set_one(
				conf, setting->name, setting->value, fault);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int set_defaults(rd_kafka_conf_t *conf, struct fault *fault)
{
	for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++) {
		struct fault *told = defaults[i].newer ? NULL : fault;
		int rc = set_one(
			conf, defaults[i].name, defaults[i].value, told);
		if (rc != 0 && !defaults[i].newer)
			return rc;
	}
	return 0;
}

static int set_fixed(
	rd_kafka_conf_t *conf, enum kafka_role role, struct fault *fault)
{
	for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
		bool concerns = role == KAFKA_PRODUCER ? fixed[i].producers
						       : fixed[i].consumers;
		if (!concerns)
			continue;
		int rc = set_one(conf, fixed[i].name, fixed[i].value, fault);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int set_readers(rd_kafka_conf_t *conf, struct fault *fault)
{
	size_t count = sizeof reader_only / sizeof reader_only[0];
	for (size_t i = 0; i < count; i++) {
		int rc = set_one(
			conf, reader_only[i].name, reader_only[i].value, fault);
		if (rc != 0)
			return rc;
	}
	return 0;
}

int kafka_client_conf(rd_kafka_conf_t **out,
	const struct kafka_settings *settings, enum kafka_role role,
	const char *group_id, struct fault *fault)
{
	*out = NULL;
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	if (conf == NULL)
		return fault_set(fault, FAULT_OOM, "no memory for Kafka");
	int rc = set_defaults(conf, fault);
	if (rc == 0 && group_id != NULL)
		rc = set_one(conf, "group.id", group_id, fault);
	if (rc == 0)
		rc = set_operators(conf, settings, fault);
	if (rc == 0)
		rc = set_fixed(conf, role, fault);
	if (rc == 0 && role == KAFKA_READER)
		rc = set_readers(conf, fault);
	if (rc != 0) {
		rd_kafka_conf_destroy(conf);
		return rc;
	}
	*out = conf;
	return 0;
}

int kafka_settings_check(
	const struct kafka_settings *settings, struct fault *fault)
{
	rd_kafka_conf_t *conf = NULL;
	int rc =
		kafka_client_conf(&conf, settings, KAFKA_CONSUMER, NULL, fault);
	if (rc == 0)
		rd_kafka_conf_destroy(conf);
	return rc;
}
