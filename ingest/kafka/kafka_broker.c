#include "ingest/kafka/kafka_broker.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <stdlib.h>

#define BROKER_COUNT 1
#define ERROR_TEXT_SIZE 512

struct kafka_broker {
	rd_kafka_t *host; /* keeps the cluster's books */
	rd_kafka_mock_cluster_t *cluster;
};

static void log_nothing(const rd_kafka_t *client, int level,
	const char *facility, const char *text)
{
	(void)client;
	(void)level;
	(void)facility;
	(void)text;
}

static int start(struct kafka_broker *broker, struct fault *fault)
{
	char error[ERROR_TEXT_SIZE] = "";
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	if (conf == NULL)
		return fault_set(fault, FAULT_OOM, "no memory for a broker");
	rd_kafka_conf_set_log_cb(conf, log_nothing);
	broker->host =
		rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
	if (broker->host == NULL) {
		rd_kafka_conf_destroy(conf);
		return fault_set(fault, FAULT_BROKER,
			"the development broker did not start: %s", error);
	}
	broker->cluster = rd_kafka_mock_cluster_new(broker->host, BROKER_COUNT);
	if (broker->cluster == NULL)
		return fault_set(fault, FAULT_BROKER,
			"the development broker did not start: no free port "
			"on 127.0.0.1");
	return 0;
}

int kafka_broker_open(struct kafka_broker **out, struct fault *fault)
{
	*out = NULL;
	struct kafka_broker *broker = calloc(1, sizeof *broker);
	if (broker == NULL)
		return fault_set(fault, FAULT_OOM, "no memory for a broker");
	int rc = start(broker, fault);
	if (rc != 0) {
		kafka_broker_close(broker);
		return rc;
	}
	*out = broker;
	return 0;
}

const char *kafka_broker_bootstrap(const struct kafka_broker *broker)
{
	return rd_kafka_mock_cluster_bootstraps(broker->cluster);
}

int kafka_broker_topic(struct kafka_broker *broker, const char *name,
	int32_t partitions, struct fault *fault)
{
	if (partitions < 1)
		return fault_set(fault, FAULT_BROKER,
			"topic %s needs at least one partition", name);
	rd_kafka_resp_err_t error = rd_kafka_mock_topic_create(
		broker->cluster, name, partitions, BROKER_COUNT);
	if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
		return fault_set(fault, FAULT_BROKER,
			"topic %s was not created: %s", name,
			rd_kafka_err2str(error));
	return 0;
}

void kafka_broker_close(struct kafka_broker *broker)
{
	if (broker == NULL)
		return;
	if (broker->cluster != NULL)
		rd_kafka_mock_cluster_destroy(broker->cluster);
	if (broker->host != NULL)
		rd_kafka_destroy(broker->host);
	free(broker);
}
