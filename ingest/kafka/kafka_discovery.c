#include "ingest/kafka/kafka_discovery.h"

#include "ingest/kafka/kafka_codes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One partition that no broker answers for holds the others up so long. */
#define SINGLE_TIMEOUT_MS 2000
#define COMMITTED_TIMEOUT_MS 2000

static int judge_topic(
	const char *topic, rd_kafka_resp_err_t error, struct fault *fault)
{
	switch (error) {
	case RD_KAFKA_RESP_ERR_NO_ERROR:
		return KAFKA_TOPIC_KNOWN;
	case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
	case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
		fault_set(fault, FAULT_BROKER,
			"Kafka has no topic %s: waiting for it; check its "
			"name, or create it",
			topic);
		return KAFKA_TOPIC_UNKNOWN;
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
		fault_set(fault, FAULT_BROKER,
			"Kafka does not let holdfast see topic %s: %s", topic,
			kafka_advice(error));
		return KAFKA_TOPIC_REFUSED;
	case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
		fault_set(fault, FAULT_BROKER,
			"Kafka says that %s is no name for a topic", topic);
		return KAFKA_TOPIC_REFUSED;
	default:
		return KAFKA_TOPIC_UNREACHABLE;
	}
}

static int list_led(const rd_kafka_metadata_topic_t *topic, int32_t **numbers,
	size_t *count, struct fault *fault)
{
	size_t total =
		topic->partition_cnt < 0 ? 0 : (size_t)topic->partition_cnt;
	if (total == 0)
		return KAFKA_TOPIC_UNREACHABLE;
	*numbers = calloc(total, sizeof **numbers);
	if (*numbers == NULL)
		return fault_set(fault, FAULT_OOM,
			"no memory for %zu partitions of %s", total,
			topic->topic);
	for (size_t i = 0; i < total; i++)
		if (topic->partitions[i].leader >= 0)
			(*numbers)[(*count)++] = topic->partitions[i].id;
	return *count == total ? KAFKA_TOPIC_KNOWN : KAFKA_TOPIC_PARTLY;
}

int kafka_topic_partitions(rd_kafka_t *client, const char *topic,
	int32_t **numbers, size_t *count, struct fault *fault)
{
	*numbers = NULL;
	*count = 0;
	rd_kafka_topic_t *handle = rd_kafka_topic_new(client, topic, NULL);
	if (handle == NULL)
		return judge_topic(
			topic, RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, fault);
	const struct rd_kafka_metadata *metadata = NULL;
	rd_kafka_resp_err_t error = rd_kafka_metadata(
		client, 0, handle, &metadata, KAFKA_CALL_TIMEOUT_MS);
	rd_kafka_topic_destroy(handle);
	if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
		return judge_topic(topic, error, fault);
	int rc = KAFKA_TOPIC_UNREACHABLE;
	if (metadata->topic_cnt == 1)
		rc = judge_topic(topic, metadata->topics[0].err, fault);
	if (rc == KAFKA_TOPIC_KNOWN)
		rc = list_led(&metadata->topics[0], numbers, count, fault);
	rd_kafka_metadata_destroy(metadata);
	return rc;
}

/* Logical offsets are the timestamps with which Kafka's ListOffsets asks for
 * the ends of a log, -2 and -1. Reading committed records, the end is the last
 * stable offset. Source: Kafka protocol, ListOffsets;
 * rd_kafka_offsets_for_times sends one request a broker, where
 * rd_kafka_query_watermark_offsets sends two a partition. */
static rd_kafka_resp_err_t ask(rd_kafka_t *client, struct kafka_bounds *bounds,
	size_t count, int64_t which, int timeout_ms)
{
	rd_kafka_topic_partition_list_t *list =
		rd_kafka_topic_partition_list_new((int)count);
	for (size_t i = 0; i < count; i++)
		rd_kafka_topic_partition_list_add(
			list, bounds[i].topic, bounds[i].partition)
			->offset = which;
	rd_kafka_resp_err_t error =
		rd_kafka_offsets_for_times(client, list, timeout_ms);
	for (size_t i = 0; i < count && error == 0; i++) {
		int64_t offset = list->elems[i].offset;
		if (list->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR)
			offset = -1;
		if (which == RD_KAFKA_OFFSET_BEGINNING)
			bounds[i].low = offset;
		else
			bounds[i].high = offset;
	}
	rd_kafka_topic_partition_list_destroy(list);
	return error;
}

static rd_kafka_resp_err_t ask_both(rd_kafka_t *client,
	struct kafka_bounds *bounds, size_t count, int timeout_ms)
{
	for (size_t i = 0; i < count; i++) {
		bounds[i].low = -1;
		bounds[i].high = -1;
		bounds[i].known = false;
	}
	rd_kafka_resp_err_t error = ask(
		client, bounds, count, RD_KAFKA_OFFSET_BEGINNING, timeout_ms);
	if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
		error = ask(
			client, bounds, count, RD_KAFKA_OFFSET_END, timeout_ms);
	for (size_t i = 0; i < count; i++)
		bounds[i].known =
			bounds[i].low >= 0 && bounds[i].high >= bounds[i].low;
	return error;
}

/* No partition by itself would be answered either. */
static bool nobody_answers(rd_kafka_resp_err_t error)
{
	return error == RD_KAFKA_RESP_ERR__TIMED_OUT ||
	       error == RD_KAFKA_RESP_ERR__TRANSPORT ||
	       error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
}

void kafka_find_bounds(
	rd_kafka_t *client, struct kafka_bounds *bounds, size_t count)
{
	if (count == 0)
		return;
	rd_kafka_resp_err_t error =
		ask_both(client, bounds, count, KAFKA_CALL_TIMEOUT_MS);
	if (error == RD_KAFKA_RESP_ERR_NO_ERROR || nobody_answers(error))
		return;
	/* One partition's error fails the whole call: the others one by one. */
	for (size_t i = 0; i < count && count > 1; i++)
		ask_both(client, &bounds[i], 1, SINGLE_TIMEOUT_MS);
}

void kafka_find_committed(
	rd_kafka_t *client, struct kafka_bounds *bounds, size_t count)
{
	rd_kafka_topic_partition_list_t *list =
		rd_kafka_topic_partition_list_new((int)count);
	for (size_t i = 0; i < count; i++)
		rd_kafka_topic_partition_list_add(
			list, bounds[i].topic, bounds[i].partition);
	rd_kafka_resp_err_t error =
		rd_kafka_committed(client, list, COMMITTED_TIMEOUT_MS);
	for (size_t i = 0; i < count; i++) {
		const rd_kafka_topic_partition_t *one = &list->elems[i];
		bool known = error == RD_KAFKA_RESP_ERR_NO_ERROR &&
			     one->err == RD_KAFKA_RESP_ERR_NO_ERROR &&
			     one->offset >= 0;
		bounds[i].committed = known ? one->offset : -1;
	}
	rd_kafka_topic_partition_list_destroy(list);
}

void kafka_find_cluster(rd_kafka_t *client, char *out, size_t size)
{
	char *id = rd_kafka_clusterid(client, KAFKA_CALL_TIMEOUT_MS);
	(void)snprintf(out, size, "%s", id == NULL ? "" : id);
	if (id != NULL)
		rd_kafka_mem_free(client, id);
}
