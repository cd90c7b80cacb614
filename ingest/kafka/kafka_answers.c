#include "ingest/kafka/kafka_source_parts.h"

#include <inttypes.h>
#include <string.h>

static void tell_other_cluster(struct kafka_source *source,
	struct kafka_partition *partition, const char *now)
{
	struct fault text = {0};
	fault_set(&text, FAULT_LOG,
		"another cluster (%s, was %s) holds the same records, as in "
		"%s:%" PRId32 ": going on",
		now, partition->cluster_id, partition->topic,
		partition->number);
	memcpy(partition->cluster_id, now, sizeof partition->cluster_id);
	if (!source->other_cluster)
		kafka_tell(source, NOTICE_ONCE, &text);
	source->other_cluster = true;
}

static int go_on(struct kafka_source *source, struct kafka_partition *partition,
	const struct kafka_judgement *judgement, struct source_event *event,
	struct fault *fault)
{
	partition->gone_us = 0;
	partition->connections = partition->asked_connections;
	if (judgement->verdict == VERDICT_SAME && judgement->compared >= 0)
		partition->compared = judgement->compared;
	if (judgement->verdict == VERDICT_UNVERIFIED && !partition->unverified)
		kafka_tell(source, NOTICE_ONCE, &judgement->fault);
	if (judgement->verdict == VERDICT_UNVERIFIED)
		partition->unverified = true;
	if (judgement->other_cluster)
		tell_other_cluster(source, partition, judgement->cluster_id);
	if (partition->state != PARTITION_PENDING)
		return SOURCE_IDLE;
	int rc = kafka_judge_compaction(source, partition, event, fault);
	return rc != SOURCE_IDLE ? rc : kafka_run(source, partition, fault);
}

/* Nobody could be asked: again, later. */
static int wait_on(struct kafka_source *source,
	struct kafka_partition *partition,
	const struct kafka_judgement *judgement, struct source_event *event,
	struct fault *fault)
{
	partition->question_us = kafka_now_us(source) + KAFKA_RETRY_US;
	if (judgement->fault.code != 0)
		kafka_tell(source, NOTICE_WAITING, &judgement->fault);
	if (judgement->gone)
		return kafka_miss_topic(source, partition, event, fault);
	return SOURCE_IDLE;
}

static int take_judgement(struct kafka_source *source,
	const struct kafka_answer *answer, struct source_event *event,
	struct fault *fault)
{
	struct kafka_partition *partition = NULL;
	int rc = kafka_partitions_add(&source->partitions, answer->topic_index,
		answer->partition, &partition, fault);
	if (rc != 0 || partition->life != answer->life)
		return rc;
	partition->questioned = false;
	switch (answer->judgement.verdict) {
	case VERDICT_SAME:
	case VERDICT_UNVERIFIED:
		return go_on(
			source, partition, &answer->judgement, event, fault);
	case VERDICT_CHANGED:
	case VERDICT_LOST:
		rc = kafka_stop(source, partition, &answer->judgement.fault,
			event, fault);
		event->log_start = answer->judgement.low;
		return rc;
	case VERDICT_UNKNOWN:
		break;
	}
	return wait_on(source, partition, &answer->judgement, event, fault);
}

static int take_partition(struct kafka_source *source,
	const struct kafka_answer *answer, struct source_event *event,
	struct fault *fault)
{
	struct kafka_partition *partition = NULL;
	int rc = kafka_partitions_add(&source->partitions, answer->topic_index,
		answer->partition, &partition, fault);
	if (rc != 0)
		return rc;
	if (source->until_end && !source->complete) {
		partition->goal = partition->target = answer->high;
		source->targets++;
	}
	partition->found_committed = answer->committed;
	partition->found_high = answer->high;
	partition->cleanup = answer->cleanup;
	memcpy(source->cluster_id, answer->judgement.cluster_id,
		sizeof source->cluster_id);
	kafka_event(event, SOURCE_PARTITION, partition);
	event->topic = partition->topic;
	event->partition = partition->number;
	event->log_start = answer->low;
	event->next_offset = answer->high;
	event->cluster_id = source->cluster_id;
	event->more = answer->more;
	return SOURCE_PARTITION;
}

static int take_answer(struct kafka_source *source,
	const struct kafka_answer *answer, struct source_event *event,
	struct fault *fault)
{
	switch (answer->kind) {
	case ANSWER_PARTITION:
		if (source->only_partition >= 0 &&
			answer->partition != source->only_partition)
			return SOURCE_IDLE;
		return take_partition(source, answer, event, fault);
	case ANSWER_JUDGEMENT:
		return take_judgement(source, answer, event, fault);
	case ANSWER_COMPLETE:
		source->complete = true;
		break;
	case ANSWER_NOTICE:
		kafka_tell(source, NOTICE_ONCE, &answer->judgement.fault);
		break;
	case ANSWER_TROUBLE:
		kafka_tell(source, NOTICE_WAITING, &answer->judgement.fault);
		break;
	}
	return SOURCE_IDLE;
}

/* What is there to say besides records. */
int kafka_take_news(struct kafka_source *source, struct source_event *event,
	struct fault *fault)
{
	if (source->fatal.code != 0)
		return fault_set(
			fault, source->fatal.code, "%s", source->fatal.text);
	struct kafka_answer answer;
	int rc = 0;
	while ((rc = kafka_scout_take(source->scout, &answer, fault)) ==
		KAFKA_SCOUT_ANSWER) {
		rc = take_answer(source, &answer, event, fault);
		if (rc != SOURCE_IDLE)
			return rc;
	}
	if (rc < 0)
		return rc;
	if (kafka_notices_take(&source->notices, &event->fault)) {
		event->log = NULL;
		return SOURCE_NOTICE;
	}
	if (source->until_end && source->complete && source->targets == 0)
		return kafka_event(event, SOURCE_DONE, NULL);
	return SOURCE_IDLE;
}
