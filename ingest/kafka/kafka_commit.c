#include "ingest/kafka/kafka_commit.h"

#include "store/failpoint.h"

#include <time.h>

/* Dashboards look no closer, and brokers write each commit to a topic. */
#define COMMIT_GAP_US 100000
/* A coordinator that is away is not asked again at once. */
#define COMMIT_RETRY_US 5000000

void kafka_commits_init(struct kafka_commits *commits, rd_kafka_t *client)
{
	*commits = (struct kafka_commits){.client = client};
	commits->queue = rd_kafka_queue_new(client);
}

void kafka_commits_want(struct kafka_commits *commits,
	struct kafka_partition *partition, int64_t next_offset)
{
	partition->commit_next = next_offset;
	commits->wanted = true;
}

static rd_kafka_topic_partition_list_t *collect(
	struct kafka_partitions *partitions)
{
	rd_kafka_topic_partition_list_t *list =
		rd_kafka_topic_partition_list_new((int)partitions->count);
	for (size_t i = 0; i < partitions->count; i++) {
		struct kafka_partition *partition = partitions->all[i];
		if (partition->commit_next == partition->committed)
			continue;
		kafka_partitions_put(list, partition, partition->commit_next);
		partition->committed = partition->commit_next;
	}
	return list;
}

/* What failed is wanted still. */
static void want_again(struct kafka_commits *commits,
	struct kafka_partitions *partitions,
	const rd_kafka_topic_partition_t *element)
{
	struct kafka_partition *partition = kafka_partitions_find(
		partitions, element->topic, element->partition);
	if (partition == NULL)
		return;
	partition->committed = -1;
	commits->wanted = true;
}

/* By whom the store was lost nothing is committed: the offsets of the new owner
 * are ahead. What librdkafka was given before it was lost may still arrive: a
 * dashboard's lag is too large until the new owner's next commit.
 * rd_kafka_commit_queue() reports to our own queue: the records' queue stays
 * with records (design section 8). */
static void send_wanted(
	struct kafka_commits *commits, struct kafka_partitions *partitions)
{
	failpoint("kafka_before_commit");
	if (commits->may_commit != NULL &&
		!commits->may_commit(commits->payload))
		return;
	commits->wanted = false;
	rd_kafka_topic_partition_list_t *list = collect(partitions);
	if (list->cnt > 0)
		commits->outstanding =
			rd_kafka_commit_queue(commits->client, list,
				commits->queue, NULL,
				NULL) == RD_KAFKA_RESP_ERR_NO_ERROR;
	for (int i = 0; i < list->cnt && !commits->outstanding; i++)
		want_again(commits, partitions, &list->elems[i]);
	rd_kafka_topic_partition_list_destroy(list);
}

static rd_kafka_resp_err_t read_result(struct kafka_commits *commits,
	struct kafka_partitions *partitions, rd_kafka_event_t *event)
{
	rd_kafka_resp_err_t error = rd_kafka_event_error(event);
	const rd_kafka_topic_partition_list_t *list =
		rd_kafka_event_topic_partition_list(event);
	rd_kafka_resp_err_t first = error;
	for (int i = 0; list != NULL && i < list->cnt; i++) {
		const rd_kafka_topic_partition_t *element = &list->elems[i];
		if (error == RD_KAFKA_RESP_ERR_NO_ERROR &&
			element->err == RD_KAFKA_RESP_ERR_NO_ERROR)
			continue;
		want_again(commits, partitions, element);
		if (first == RD_KAFKA_RESP_ERR_NO_ERROR)
			first = element->err;
	}
	return first;
}

/* Wait for the result of the one on its way. */
static rd_kafka_resp_err_t take_result(struct kafka_commits *commits,
	struct kafka_partitions *partitions, int timeout_ms)
{
	rd_kafka_event_t *event =
		rd_kafka_queue_poll(commits->queue, timeout_ms);
	if (event == NULL)
		return RD_KAFKA_RESP_ERR_NO_ERROR;
	rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
	if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_OFFSET_COMMIT) {
		commits->outstanding = false;
		error = read_result(commits, partitions, event);
	}
	rd_kafka_event_destroy(event);
	return error;
}

int kafka_commits_serve(struct kafka_commits *commits,
	struct kafka_partitions *partitions, int64_t now_us, struct fault *why)
{
	rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
	if (commits->outstanding)
		error = take_result(commits, partitions, 0);
	if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
		commits->next_us = now_us + COMMIT_RETRY_US;
		fault_set(why, FAULT_BROKER,
			"Kafka does not take committed offsets, which only "
			"its dashboards miss; trying on: %s",
			rd_kafka_err2str(error));
		return 1;
	}
	if (commits->wanted && !commits->outstanding &&
		now_us >= commits->next_us) {
		send_wanted(commits, partitions);
		commits->next_us = now_us + COMMIT_GAP_US;
	}
	return 0;
}

static int64_t monotonic_ms(void)
{
	struct timespec now;
	if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
		return 0;
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void kafka_commits_finish(struct kafka_commits *commits,
	struct kafka_partitions *partitions, int timeout_ms)
{
	if (commits->queue == NULL)
		return;
	int64_t deadline_ms = monotonic_ms() + timeout_ms;
	if (commits->outstanding)
		take_result(commits, partitions, timeout_ms);
	if (commits->wanted && !commits->outstanding)
		send_wanted(commits, partitions);
	int64_t left_ms = deadline_ms - monotonic_ms();
	if (commits->outstanding)
		take_result(
			commits, partitions, left_ms < 0 ? 0 : (int)left_ms);
	rd_kafka_queue_destroy(commits->queue);
	commits->queue = NULL;
}
