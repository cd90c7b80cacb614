#include "ingest/kafka/kafka_partitions.h"

#include <stdlib.h>
#include <string.h>

#define PARTITIONS_AT_FIRST 32

int kafka_partitions_init(struct kafka_partitions *partitions,
	const char *const *topics, size_t topic_count, struct fault *fault)
{
	*partitions = (struct kafka_partitions){0};
	partitions->topics = calloc(topic_count, sizeof partitions->topics[0]);
	if (partitions->topics == NULL)
		return fault_set(fault, FAULT_OOM, "no memory for topics");
	partitions->topic_count = topic_count;
	partitions->latest = &partitions->topics[0];
	for (size_t i = 0; i < topic_count; i++) {
		partitions->topics[i].name = strdup(topics[i]);
		if (partitions->topics[i].name == NULL)
			return fault_set(
				fault, FAULT_OOM, "no memory for topics");
	}
	return 0;
}

void kafka_partitions_finish(struct kafka_partitions *partitions)
{
	for (size_t i = 0; i < partitions->count; i++)
		free(partitions->all[i]);
	free(partitions->all);
	for (size_t i = 0; i < partitions->topic_count; i++) {
		free(partitions->topics[i].name);
		free(partitions->topics[i].partitions);
	}
	free(partitions->topics);
	*partitions = (struct kafka_partitions){0};
}

static struct kafka_topic *find_topic(
	struct kafka_partitions *partitions, const char *name)
{
	for (size_t i = 0; i < partitions->topic_count; i++)
		if (strcmp(partitions->topics[i].name, name) == 0)
			return &partitions->topics[i];
	return NULL;
}

struct kafka_partition *kafka_partitions_find(
	struct kafka_partitions *partitions, const char *topic, int32_t number)
{
	/* Records of a topic come in runs. */
	if (strcmp(partitions->latest->name, topic) != 0) {
		struct kafka_topic *other = find_topic(partitions, topic);
		if (other == NULL)
			return NULL;
		partitions->latest = other;
	}
	const struct kafka_topic *found = partitions->latest;
	if (number < 0 || (size_t)number >= found->partition_count)
		return NULL;
	return found->partitions[number];
}

static int reserve(struct kafka_partitions *partitions,
	struct kafka_topic *topic, size_t number, struct fault *fault)
{
	if (number >= topic->partition_count) {
		struct kafka_partition **slots = reallocarray(
			topic->partitions, number + 1, sizeof(void *));
		if (slots == NULL)
			return fault_set(fault, FAULT_OOM,
				"no memory for partitions of %s", topic->name);
		size_t fresh = number + 1 - topic->partition_count;
		memset(&slots[topic->partition_count], 0,
			fresh * sizeof(void *));
		topic->partitions = slots;
		topic->partition_count = number + 1;
	}
	if (partitions->count == partitions->capacity) {
		size_t capacity = partitions->capacity == 0
					  ? PARTITIONS_AT_FIRST
					  : partitions->capacity * 2;
		struct kafka_partition **all =
			reallocarray(partitions->all, capacity, sizeof(void *));
		if (all == NULL)
			return fault_set(fault, FAULT_OOM,
				"no memory for partitions of %s", topic->name);
		partitions->all = all;
		partitions->capacity = capacity;
	}
	return 0;
}

int kafka_partitions_add(struct kafka_partitions *partitions,
	size_t topic_index, int32_t number, struct kafka_partition **out,
	struct fault *fault)
{
	struct kafka_topic *topic = &partitions->topics[topic_index];
	int rc = reserve(partitions, topic, (size_t)number, fault);
	if (rc != 0)
		return rc;
	*out = topic->partitions[number];
	if (*out != NULL)
		return 0;
	struct kafka_partition *partition = calloc(1, sizeof *partition);
	if (partition == NULL)
		return fault_set(fault, FAULT_OOM,
			"no memory for partitions of %s", topic->name);
	partition->topic = topic->name;
	partition->topic_index = topic_index;
	partition->number = number;
	partition->state = PARTITION_FOUND;
	partition->record_time_us = TIMESTAMP_NONE;
	partition->broker = -1;
	partition->goal = -1;
	partition->target = -1;
	partition->found_committed = -1;
	partition->commit_next = -1;
	partition->committed = -1;
	topic->partitions[number] = partition;
	partitions->all[partitions->count++] = partition;
	*out = partition;
	return 0;
}

void kafka_partitions_put(rd_kafka_topic_partition_list_t *list,
	const struct kafka_partition *partition, int64_t offset)
{
	rd_kafka_topic_partition_list_add(
		list, partition->topic, partition->number)
		->offset = offset;
}
