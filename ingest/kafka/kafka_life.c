#include "ingest/kafka/kafka_source_parts.h"

#include "ingest/kafka/kafka_assignment.h"

#include <inttypes.h>
#include <string.h>

/* A record that stays unreadable so often in a row stops its partition. */
#define FAILURES_MAX 5

int kafka_event(struct source_event *event, enum source_outcome outcome,
	const struct kafka_partition *partition)
{
	event->fault.code = 0;
	event->log = partition == NULL ? NULL : partition->log;
	return outcome;
}

void kafka_drop_target(
	struct kafka_source *source, struct kafka_partition *partition)
{
	if (partition->target < 0)
		return;
	partition->target = -1;
	source->targets--;
}

void kafka_aim(struct kafka_source *source, struct kafka_partition *partition)
{
	if (partition->target >= 0 || partition->paused ||
		partition->expected >= partition->goal)
		return;
	partition->target = partition->goal;
	source->targets++;
}

void kafka_reach(struct kafka_source *source, struct kafka_partition *partition)
{
	if (partition->expected >= partition->target)
		kafka_drop_target(source, partition);
}

int kafka_let_go(struct kafka_source *source, struct kafka_partition *partition,
	enum partition_state to, struct fault *fault)
{
	int rc = 0;
	if (partition->state == PARTITION_RUNNING)
		rc = kafka_unassign(source->client, partition, fault);
	partition->state = to;
	partition->at_end = false;
	partition->asked_end = false;
	partition->questioned = false;
	partition->broker = -1;
	partition->life++; /* what is answered now is too late */
	return rc;
}

int kafka_stop(struct kafka_source *source, struct kafka_partition *partition,
	const struct fault *why, struct source_event *event,
	struct fault *fault)
{
	int rc = kafka_let_go(source, partition, PARTITION_STOPPED, fault);
	if (rc != 0)
		return rc;
	kafka_drop_target(source, partition);
	kafka_event(event, SOURCE_STOPPED, partition);
	event->fault = *why;
	event->log_start = -1;
	return SOURCE_STOPPED;
}

int kafka_check_again(struct kafka_source *source,
	struct kafka_partition *partition, int64_t delay_us,
	struct fault *fault)
{
	int rc = kafka_let_go(source, partition, PARTITION_PENDING, fault);
	partition->question_us = kafka_now_us(source) + delay_us;
	/* One that fails whatever is found does not spin. */
	if (partition->question_us < partition->asked_us + KAFKA_RETRY_US)
		partition->question_us = partition->asked_us + KAFKA_RETRY_US;
	source->duties_us = 0;
	return rc;
}

/* Soon, but a connection that is made again and again does not spin. */
static int hold(struct kafka_source *source, struct kafka_partition *partition,
	int64_t now_us, struct fault *fault)
{
	int rc = kafka_let_go(source, partition, PARTITION_PENDING, fault);
	partition->question_us = partition->held_us + KAFKA_RETRY_US;
	if (partition->held_us == 0 || partition->question_us < now_us)
		partition->question_us = now_us;
	partition->held_us = now_us;
	return rc;
}

/* Those that come from the same broker are asked about in the same look. */
int kafka_hold(struct kafka_source *source, struct kafka_partition *partition,
	struct fault *fault)
{
	int64_t now_us = kafka_now_us(source);
	int32_t broker = partition->broker;
	int rc = hold(source, partition, now_us, fault);
	for (size_t i = 0; i < source->partitions.count && rc == 0; i++) {
		struct kafka_partition *other = source->partitions.all[i];
		if (other->state == PARTITION_RUNNING &&
			other->broker == broker &&
			!kafka_connections_known(source->connections, broker,
				&other->connections))
			rc = hold(source, other, now_us, fault);
	}
	source->duties_us = 0;
	return rc;
}

/* One answer without the topic may come from a broker that is behind. */
int kafka_miss_topic(struct kafka_source *source,
	struct kafka_partition *partition, struct source_event *event,
	struct fault *fault)
{
	int64_t now_us = kafka_now_us(source);
	if (partition->gone_us == 0)
		partition->gone_us = now_us;
	if (now_us - partition->gone_us < source->topic_gone_us)
		return kafka_check_again(
			source, partition, KAFKA_RETRY_US, fault);
	partition->gone_us = 0;
	struct fault why = {0};
	fault_set(&why, FAULT_LOG,
		"log_changed: %s:%" PRId32 " is gone from Kafka: the topic was "
		"deleted. Once there is a new one: holdfast resume %s:%" PRId32
		" --new-log",
		partition->topic, partition->number, partition->topic,
		partition->number);
	return kafka_stop(source, partition, &why, event, fault);
}

/* A record that can't be read is never passed by: librdkafka goes on behind a
 * batch whose checksum is wrong (rdkafka_msgset_reader.c), and we go back. What
 * was damaged on its way is whole the next time. */
int kafka_fail_once_more(struct kafka_source *source,
	struct kafka_partition *partition, const char *reason,
	struct source_event *event, struct fault *fault)
{
	struct fault why = {0};
	if (++partition->failures < FAILURES_MAX)
		return kafka_check_again(
			source, partition, KAFKA_RETRY_US, fault);
	fault_set(&why, FAULT_BROKER,
		"%s:%" PRId32 " can't be read at offset %" PRId64
		", tried %d times: %s. Nothing was passed by; once the broker "
		"gives it out whole: holdfast resume %s:%" PRId32,
		partition->topic, partition->number, partition->expected,
		FAILURES_MAX, reason, partition->topic, partition->number);
	return kafka_stop(source, partition, &why, event, fault);
}

int kafka_run(struct kafka_source *source, struct kafka_partition *partition,
	struct fault *fault)
{
	int rc = kafka_assign(source->client, partition, fault);
	if (rc == 0)
		partition->state = PARTITION_RUNNING;
	return rc;
}

/* What the trail is now: as stored, and the last record delivered. */
static void note_newest(struct kafka_partition *partition)
{
	const struct trail *trail = &partition->trail;
	if (partition->delivered &&
		(trail->count == 0 ||
			trail->steps[0].offset < partition->newest.offset))
		trail_note(&partition->trail, &partition->newest);
}

int kafka_ask(struct kafka_source *source, struct kafka_partition *partition,
	struct fault *fault)
{
	note_newest(partition);
	struct kafka_question question = {
		.topic_index = partition->topic_index,
		.partition = partition->number,
		.life = partition->life,
		.running = partition->state == PARTITION_RUNNING,
		.next_offset = partition->expected,
		.compared = partition->compared,
		.trail = partition->trail,
	};
	memcpy(question.cluster_id, partition->cluster_id,
		sizeof question.cluster_id);
	partition->questioned = true;
	partition->asked_connections =
		kafka_connections_count(source->connections);
	partition->asked_us = kafka_now_us(source);
	return kafka_scout_ask(source->scout, &question, fault);
}
