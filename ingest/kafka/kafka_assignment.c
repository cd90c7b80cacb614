#include "ingest/kafka/kafka_assignment.h"

#include <inttypes.h>

static rd_kafka_topic_partition_list_t *list_of(
	const struct kafka_partition *partition)
{
	rd_kafka_topic_partition_list_t *list =
		rd_kafka_topic_partition_list_new(1);
	kafka_partitions_put(list, partition, partition->expected);
	return list;
}

static int refused(const struct kafka_partition *partition, const char *doing,
	const char *reason, struct fault *fault)
{
	return fault_set(fault, FAULT_BROKER,
		"librdkafka does not %s %s:%" PRId32 ": %s", doing,
		partition->topic, partition->number, reason);
}

static int finish(rd_kafka_topic_partition_list_t *list,
	rd_kafka_error_t *error, const struct kafka_partition *partition,
	const char *doing, struct fault *fault)
{
	rd_kafka_topic_partition_list_destroy(list);
	if (error == NULL)
		return 0;
	int rc = refused(partition, doing, rd_kafka_error_string(error), fault);
	rd_kafka_error_destroy(error);
	return rc;
}

int kafka_assign(rd_kafka_t *client, const struct kafka_partition *partition,
	struct fault *fault)
{
	rd_kafka_topic_partition_list_t *list = list_of(partition);
	rd_kafka_error_t *error = rd_kafka_incremental_assign(client, list);
	int rc = finish(list, error, partition, "assign", fault);
	if (rc == 0 && partition->paused)
		rc = kafka_pause(client, partition, fault);
	return rc;
}

int kafka_unassign(rd_kafka_t *client, const struct kafka_partition *partition,
	struct fault *fault)
{
	/* It would stay paused in the next assignment. */
	if (partition->paused) {
		rd_kafka_topic_partition_list_t *paused = list_of(partition);
		rd_kafka_resume_partitions(client, paused);
		rd_kafka_topic_partition_list_destroy(paused);
	}
	rd_kafka_topic_partition_list_t *list = list_of(partition);
	rd_kafka_error_t *error = rd_kafka_incremental_unassign(client, list);
	return finish(list, error, partition, "let go of", fault);
}

/* rdkafka_broker.c, rd_kafka_broker_consumer_serve(): sleeps until there is an
 * operation for it; resuming and draining a queue are none. */
static void wake_leaders(
	rd_kafka_t *client, rd_kafka_topic_partition_list_t *list)
{
	for (int i = 0; i < list->cnt; i++)
		list->elems[i].offset = RD_KAFKA_OFFSET_END;
	rd_kafka_offsets_for_times(client, list, 0);
}

void kafka_wake(rd_kafka_t *client, const struct kafka_partition *partition)
{
	rd_kafka_topic_partition_list_t *list = list_of(partition);
	wake_leaders(client, list);
	rd_kafka_topic_partition_list_destroy(list);
}

int kafka_pause(rd_kafka_t *client, const struct kafka_partition *partition,
	struct fault *fault)
{
	rd_kafka_topic_partition_list_t *list = list_of(partition);
	rd_kafka_resp_err_t error =
		partition->paused ? rd_kafka_pause_partitions(client, list)
				  : rd_kafka_resume_partitions(client, list);
	if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
		error = list->elems[0].err;
	rd_kafka_topic_partition_list_destroy(list);
	if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
		if (!partition->paused)
			kafka_wake(client, partition);
		return 0;
	}
	return refused(partition, partition->paused ? "pause" : "resume",
		rd_kafka_err2str(error), fault);
}

/* librdkafka reports an end once. After a pause it forgets that it did, and
 * fetches from behind the last record it gave out: rdkafka_partition.c,
 * rd_kafka_toppar_pause_resume(); rdkafka_fetcher.c, eof_offset. */
void kafka_ask_ends(rd_kafka_t *client, struct kafka_partitions *partitions,
	int64_t before_us)
{
	rd_kafka_topic_partition_list_t *list = NULL;
	for (size_t i = 0; i < partitions->count; i++) {
		struct kafka_partition *partition = partitions->all[i];
		if (partition->state != PARTITION_RUNNING ||
			partition->paused || !partition->at_end ||
			partition->asked_end || partition->end_us > before_us)
			continue;
		if (list == NULL)
			list = rd_kafka_topic_partition_list_new(1);
		partition->asked_end = true;
		kafka_partitions_put(list, partition, partition->expected);
	}
	if (list == NULL)
		return;
	rd_kafka_pause_partitions(client, list);
	rd_kafka_resume_partitions(client, list);
	wake_leaders(client, list);
	rd_kafka_topic_partition_list_destroy(list);
}
