#include "ingest/kafka/kafka_source.h"

#include "ingest/kafka/kafka_assignment.h"
#include "ingest/kafka/kafka_client.h"
#include "ingest/kafka/kafka_commit.h"
#include "ingest/kafka/kafka_notice.h"
#include "ingest/kafka/kafka_partitions.h"
#include "ingest/kafka/kafka_record.h"
#include "ingest/kafka/kafka_scout.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Between two looks at what is due by time. */
#define DUTIES_GAP_US 10000
/* While records come, the clock is read once for so many. */
#define DUTIES_RECORDS 256
/* An end is reported again so often: a third of the 3 s after which readers
 * take ingest for dead (design section 7). */
#define END_GAP_US 1000000
/* After an answer that did not help, and after a partition failed. */
#define RETRY_US 1000000
/* A record that stays unreadable so often in a row stops its partition. */
#define FAILURES_MAX 5
/* A quarter of queued.max.messages.kbytes: what is taken before librdkafka is
 * told that there is room again. */
#define WAKE_BYTES 4194304

struct kafka_source {
	struct source base; /* first */
	struct clock *clock;
	rd_kafka_t *client;
	rd_kafka_queue_t *queue; /* the client's, to wake its poll */
	struct kafka_scout *scout;
	struct kafka_partitions partitions;
	struct kafka_commits commits;
	struct kafka_notices notices;
	struct kafka_headers headers;
	rd_kafka_message_t *held; /* what the last record is borrowed from */
	struct fault fatal;	  /* librdkafka gave up */
	char cluster_id[KAFKA_CLUSTER_ID_SIZE];
	bool other_cluster; /* was said already */

	bool until_end;
	bool complete;	/* all that is there at the start was found */
	size_t targets; /* partitions that have not reached theirs */

	uint32_t identity_check_ms;
	uint32_t close_timeout_ms;
	size_t identity_next;	/* whose turn it is to be compared */
	int64_t identity_us;	/* monotonic: when */
	int64_t duties_us;	/* monotonic: not before */
	unsigned records_since; /* the last look at the clock */
	size_t bytes_since;	/* librdkafka was last woken */
	int64_t empty_wall_us;	/* when there was last nothing to take */
};

struct kafka_source_options kafka_source_options_default(void)
{
	return (struct kafka_source_options){
		.clock = clock_system(),
		.metadata_refresh_ms = 30000,
		.identity_check_ms = 10000,
		.close_timeout_ms = 5000,
	};
}

static int64_t monotonic_us(struct kafka_source *source)
{
	return source->clock->monotonic_us(source->clock);
}

static void notice(struct kafka_source *source, enum kafka_notice_kind kind,
	const struct fault *text)
{
	kafka_notices_add(&source->notices, kind, monotonic_us(source), text);
}

/* Events. */

static int event_set(struct source_event *event, enum source_outcome outcome,
	const struct kafka_partition *partition)
{
	event->fault.code = 0;
	event->log = partition == NULL ? NULL : partition->log;
	return outcome;
}

static int event_record(struct kafka_source *source, struct source_event *event,
	const struct kafka_partition *partition)
{
	source->records_since++;
	source->bytes_since +=
		event->record.key.length + event->record.value.length;
	if (source->bytes_since >= WAKE_BYTES) {
		source->bytes_since = 0;
		kafka_wake(source->client, partition);
	}
	return event_set(event, SOURCE_RECORD, partition);
}

static int event_stopped(struct source_event *event,
	const struct kafka_partition *partition, const struct fault *why)
{
	event_set(event, SOURCE_STOPPED, partition);
	event->fault = *why;
	return SOURCE_STOPPED;
}

/* until_end: one partition less to wait for. */
static void reach_target(
	struct kafka_source *source, struct kafka_partition *partition)
{
	if (partition->target < 0)
		return;
	partition->target = -1;
	source->targets--;
}

/* Life of a partition. */

static int let_go(struct kafka_source *source,
	struct kafka_partition *partition, enum partition_state to,
	struct fault *fault)
{
	int rc = 0;
	if (partition->state == PARTITION_RUNNING)
		rc = kafka_unassign(source->client, partition, fault);
	partition->state = to;
	partition->at_end = false;
	partition->asked_end = false;
	partition->questioned = false;
	partition->life++; /* what is answered now is too late */
	return rc;
}

static int stop(struct kafka_source *source, struct kafka_partition *partition,
	const struct fault *why, struct source_event *event,
	struct fault *fault)
{
	int rc = let_go(source, partition, PARTITION_STOPPED, fault);
	if (rc != 0)
		return rc;
	reach_target(source, partition);
	return event_stopped(event, partition, why);
}

/* Compare its log and start again where it stood. */
static int check_again(struct kafka_source *source,
	struct kafka_partition *partition, int64_t delay_us,
	struct fault *fault)
{
	int rc = let_go(source, partition, PARTITION_PENDING, fault);
	partition->question_us = monotonic_us(source) + delay_us;
	source->duties_us = 0;
	return rc;
}

/* A record that can't be read is never passed by: librdkafka goes on behind a
 * batch whose checksum is wrong (rdkafka_msgset_reader.c), and we go back. What
 * was damaged on its way is whole the next time. */
static int fail_once_more(struct kafka_source *source,
	struct kafka_partition *partition, const char *reason,
	struct source_event *event, struct fault *fault)
{
	struct fault why = {0};
	if (++partition->failures < FAILURES_MAX)
		return check_again(source, partition, RETRY_US, fault);
	fault_set(&why, FAULT_BROKER,
		"%s:%" PRId32 " can't be read at offset %" PRId64
		", tried %d times: %s. Nothing was passed by; once the broker "
		"gives it out whole: holdfast resume %s:%" PRId32,
		partition->topic, partition->number, partition->expected,
		FAILURES_MAX, reason, partition->topic, partition->number);
	return stop(source, partition, &why, event, fault);
}

static int run(struct kafka_source *source, struct kafka_partition *partition,
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

static int ask(struct kafka_source *source, struct kafka_partition *partition,
	struct fault *fault)
{
	note_newest(partition);
	struct kafka_question question = {
		.topic_index = partition->topic_index,
		.partition = partition->number,
		.life = partition->life,
		.running = partition->state == PARTITION_RUNNING,
		.next_offset = partition->expected,
		.trail = partition->trail,
	};
	memcpy(question.cluster_id, partition->cluster_id,
		sizeof question.cluster_id);
	partition->questioned = true;
	return kafka_scout_ask(source->scout, &question, fault);
}

/* Answers of the scout. */

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
		notice(source, NOTICE_ONCE, &text);
	source->other_cluster = true;
}

static int go_on(struct kafka_source *source, struct kafka_partition *partition,
	const struct kafka_judgement *judgement, struct fault *fault)
{
	if (judgement->verdict == VERDICT_UNVERIFIED && !partition->unverified)
		notice(source, NOTICE_ONCE, &judgement->fault);
	if (judgement->verdict == VERDICT_UNVERIFIED)
		partition->unverified = true;
	if (judgement->other_cluster)
		tell_other_cluster(source, partition, judgement->cluster_id);
	if (partition->state == PARTITION_PENDING)
		return run(source, partition, fault);
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
		return go_on(source, partition, &answer->judgement, fault);
	case VERDICT_CHANGED:
	case VERDICT_LOST:
		return stop(source, partition, &answer->judgement.fault, event,
			fault);
	case VERDICT_UNKNOWN:
		break;
	}
	partition->question_us = monotonic_us(source) + RETRY_US;
	if (answer->judgement.fault.code != 0)
		notice(source, NOTICE_WAITING, &answer->judgement.fault);
	return SOURCE_IDLE;
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
		partition->target = answer->high;
		source->targets++;
	}
	memcpy(source->cluster_id, answer->judgement.cluster_id,
		sizeof source->cluster_id);
	event_set(event, SOURCE_PARTITION, partition);
	event->topic = partition->topic;
	event->partition = partition->number;
	event->log_start = answer->low;
	event->cluster_id = source->cluster_id;
	return SOURCE_PARTITION;
}

static int take_answer(struct kafka_source *source,
	const struct kafka_answer *answer, struct source_event *event,
	struct fault *fault)
{
	switch (answer->kind) {
	case ANSWER_PARTITION:
		return take_partition(source, answer, event, fault);
	case ANSWER_JUDGEMENT:
		return take_judgement(source, answer, event, fault);
	case ANSWER_COMPLETE:
		source->complete = true;
		break;
	case ANSWER_NOTICE:
		notice(source, NOTICE_ONCE, &answer->judgement.fault);
		break;
	}
	return SOURCE_IDLE;
}

/* What is there to say besides records. */
static int take_news(struct kafka_source *source, struct source_event *event,
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
		return event_set(event, SOURCE_DONE, NULL);
	return SOURCE_IDLE;
}

/* What is due by time. */

static int ask_pending(
	struct kafka_source *source, int64_t now_us, struct fault *fault)
{
	int rc = 0;
	for (size_t i = 0; i < source->partitions.count && rc == 0; i++) {
		struct kafka_partition *partition = source->partitions.all[i];
		if (partition->state == PARTITION_PENDING &&
			!partition->questioned &&
			partition->question_us <= now_us)
			rc = ask(source, partition, fault);
	}
	return rc;
}

/* Compare running logs, in turns: each once in identity_check_ms, and so many
 * at once as one look of the scout holds. */
static int ask_running(
	struct kafka_source *source, int64_t now_us, struct fault *fault)
{
	size_t count = source->partitions.count;
	if (now_us < source->identity_us || count == 0)
		return 0;
	size_t looks = 1 + (count - 1) / KAFKA_IDENTITY_PARTITIONS_MAX;
	source->identity_us = now_us + (int64_t)source->identity_check_ms *
					       1000 / (int64_t)looks;
	size_t turn = count < KAFKA_IDENTITY_PARTITIONS_MAX
			      ? count
			      : KAFKA_IDENTITY_PARTITIONS_MAX;
	int rc = 0;
	for (size_t i = 0; i < turn && rc == 0; i++) {
		struct kafka_partition *partition =
			source->partitions.all[source->identity_next % count];
		source->identity_next++;
		if (partition->state == PARTITION_RUNNING &&
			!partition->questioned)
			rc = ask(source, partition, fault);
	}
	return rc;
}

static int serve_duties(
	struct kafka_source *source, int64_t now_us, struct fault *fault)
{
	source->records_since = 0;
	if (now_us < source->duties_us)
		return 0;
	source->duties_us = now_us + DUTIES_GAP_US;
	struct fault why = {0};
	if (kafka_commits_serve(
		    &source->commits, &source->partitions, now_us, &why) != 0)
		notice(source, NOTICE_COMMIT, &why);
	kafka_ask_ends(
		source->client, &source->partitions, now_us - END_GAP_US);
	int rc = ask_pending(source, now_us, fault);
	if (rc == 0)
		rc = ask_running(source, now_us, fault);
	return rc;
}

/* Messages of librdkafka. */

/* Its errors heal by themselves, or are told of each partition as well: for
 * the operator. */
static void tell_trouble(struct kafka_source *source, rd_kafka_resp_err_t error,
	const char *reason)
{
	struct fault text = {0};
	const char *advice = "waiting for it";
	switch (error) {
	case RD_KAFKA_RESP_ERR__AUTHENTICATION:
	case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
	case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
		advice = "check kafka.security.protocol and kafka.sasl.*";
		break;
	case RD_KAFKA_RESP_ERR__SSL:
		advice = "check kafka.security.protocol and kafka.ssl.*";
		break;
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
		advice = "allow holdfast's user READ and DESCRIBE on the topic";
		break;
	case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
		advice = "allow holdfast's user READ on the group";
		break;
	default:
		break;
	}
	fault_set(&text, FAULT_BROKER, "Kafka (%s): %s; %s",
		rd_kafka_err2str(error), reason, advice);
	notice(source, NOTICE_CONNECTION, &text);
}

/* Called from within our own polls, on their thread. */
static void troubled(
	rd_kafka_t *client, int error, const char *reason, void *opaque)
{
	struct kafka_source *source = opaque;
	if (error != RD_KAFKA_RESP_ERR__FATAL) {
		tell_trouble(source, (rd_kafka_resp_err_t)error, reason);
		return;
	}
	char text[512] = "";
	rd_kafka_fatal_error(client, text, sizeof text);
	fault_set(&source->fatal, FAULT_BROKER, "Kafka: %s", text);
}

static int take_record(struct kafka_source *source,
	struct kafka_partition *partition, rd_kafka_message_t *message,
	struct source_event *event, struct fault *fault)
{
	if (message->offset < partition->expected)
		return SOURCE_IDLE; /* a fetch that began anew */
	struct record *record = &event->record;
	kafka_record_body(record, message);
	record->log = partition->log;
	int rc = kafka_record_headers(record, &source->headers, message, fault);
	if (rc == KAFKA_HEADERS_UNREADABLE)
		return fail_once_more(source, partition,
			"its headers are damaged", event, fault);
	if (rc != 0)
		return rc;
	if (record->timestamp_us == TIMESTAMP_NONE)
		record->timestamp_us = partition->record_time_us;
	if (record->timestamp_us > partition->record_time_us)
		partition->record_time_us = record->timestamp_us;
	partition->expected = record->next_offset;
	partition->newest = trail_footprint(record);
	partition->delivered = true;
	partition->failures = 0;
	partition->at_end = false;
	partition->asked_end = false;
	if (partition->target >= 0 && partition->expected >= partition->target)
		reach_target(source, partition);
	return event_record(source, event, partition);
}

/* What was taken is all there was when there was last nothing to take: the
 * message itself may have lain here since. */
static int take_end(struct kafka_source *source,
	struct kafka_partition *partition, int64_t offset,
	struct source_event *event)
{
	partition->asked_end = false;
	if (offset < partition->expected)
		return SOURCE_IDLE; /* an end that was passed by since */
	partition->expected = offset;
	partition->at_end = true;
	partition->end_us = monotonic_us(source);
	if (partition->target >= 0 && partition->expected >= partition->target)
		reach_target(source, partition);
	event_set(event, SOURCE_END, partition);
	event->next_offset = offset;
	event->as_of_us = source->empty_wall_us;
	return SOURCE_END;
}

static int stop_deleted(struct kafka_source *source,
	struct kafka_partition *partition, struct source_event *event,
	struct fault *fault)
{
	struct fault why = {0};
	fault_set(&why, FAULT_LOG,
		"log_changed: %s:%" PRId32 " is gone from Kafka: the topic was "
		"deleted. Once there is a new one: holdfast resume %s:%" PRId32
		" --new-log",
		partition->topic, partition->number, partition->topic,
		partition->number);
	return stop(source, partition, &why, event, fault);
}

static int take_error(struct kafka_source *source,
	struct kafka_partition *partition, const rd_kafka_message_t *message,
	struct source_event *event, struct fault *fault)
{
	switch (message->err) {
	case RD_KAFKA_RESP_ERR__PARTITION_EOF:
		return take_end(source, partition, message->offset, event);
	case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
	case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
		/* Lost or changed: the bounds of the log tell. */
		return check_again(source, partition, 0, fault);
	case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
	case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
	case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
		return stop_deleted(source, partition, event, fault);
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
		tell_trouble(source, message->err, partition->topic);
		return SOURCE_IDLE;
	default:
		return fail_once_more(source, partition,
			rd_kafka_message_errstr(message), event, fault);
	}
}

/* Owns `message` from here on. */
static int take_message(struct kafka_source *source,
	rd_kafka_message_t *message, struct source_event *event,
	struct fault *fault)
{
	struct kafka_partition *partition = NULL;
	if (message->rkt != NULL)
		partition = kafka_partitions_find(&source->partitions,
			rd_kafka_topic_name(message->rkt), message->partition);
	int rc = SOURCE_IDLE;
	if (message->rkt == NULL)
		tell_trouble(
			source, message->err, rd_kafka_message_errstr(message));
	else if (partition == NULL || partition->state != PARTITION_RUNNING)
		rc = SOURCE_IDLE; /* it was let go of */
	else if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
		rc = take_error(source, partition, message, event, fault);
	else
		rc = take_record(source, partition, message, event, fault);
	if (rc == SOURCE_RECORD)
		source->held = message;
	else
		rd_kafka_message_destroy(message);
	return rc;
}

/* Polling. */

struct patience {
	uint32_t timeout_ms;
	int64_t deadline_us; /* 0: not looked at the clock yet */
	bool over;
};

/* The next message, or NULL after some waiting. The clock is read only where
 * there is nothing to take. */
static rd_kafka_message_t *next_message(struct kafka_source *source,
	struct patience *patience, int *rc, struct fault *fault)
{
	if (source->records_since >= DUTIES_RECORDS)
		*rc = serve_duties(source, monotonic_us(source), fault);
	rd_kafka_message_t *message =
		*rc < 0 ? NULL : rd_kafka_consumer_poll(source->client, 0);
	if (message != NULL || *rc < 0)
		return message;
	source->empty_wall_us = source->clock->wall_us(source->clock);
	int64_t now_us = monotonic_us(source);
	if (patience->deadline_us == 0)
		patience->deadline_us =
			now_us + (int64_t)patience->timeout_ms * 1000;
	*rc = serve_duties(source, now_us, fault);
	int64_t left_us = patience->deadline_us - now_us;
	patience->over = left_us <= 0;
	if (*rc < 0 || patience->over)
		return NULL;
	/* Duties come round meanwhile; rounded up, so that it ends. */
	int64_t wait_us = left_us < DUTIES_GAP_US ? left_us : DUTIES_GAP_US;
	return rd_kafka_consumer_poll(
		source->client, (int)((wait_us + 999) / 1000));
}

static int kafka_poll(struct source *base, struct source_event *event,
	uint32_t timeout_ms, struct fault *fault)
{
	struct kafka_source *source = (struct kafka_source *)base;
	struct patience patience = {.timeout_ms = timeout_ms};
	if (source->held != NULL)
		rd_kafka_message_destroy(source->held);
	source->held = NULL;
	for (;;) {
		int rc = take_news(source, event, fault);
		if (rc != SOURCE_IDLE || patience.over)
			return rc;
		rd_kafka_message_t *message =
			next_message(source, &patience, &rc, fault);
		if (message != NULL)
			rc = take_message(source, message, event, fault);
		if (rc != SOURCE_IDLE)
			return rc;
	}
}

static int kafka_start(struct source *base,
	const struct source_position *position, struct fault *fault)
{
	struct kafka_source *source = (struct kafka_source *)base;
	struct kafka_partition *partition =
		kafka_partitions_find(&source->partitions, position->log->topic,
			position->log->partition);
	assert(partition != NULL); /* it was announced */
	int rc = let_go(source, partition, PARTITION_PENDING, fault);
	if (rc != 0)
		return rc;
	partition->log = position->log;
	partition->expected = position->next_offset;
	partition->record_time_us = position->record_time_us;
	partition->trail = (struct trail){0};
	if (position->trail != NULL)
		partition->trail = *position->trail;
	partition->delivered = false;
	partition->unverified = false;
	partition->failures = 0;
	partition->question_us = 0;
	const char *cluster_id =
		position->cluster_id == NULL ? "" : position->cluster_id;
	(void)snprintf(partition->cluster_id, sizeof partition->cluster_id,
		"%s", cluster_id);
	source->duties_us = 0;
	return 0;
}

static int kafka_pause_source(struct source *base, const struct log *log,
	bool pause, struct fault *fault)
{
	struct kafka_source *source = (struct kafka_source *)base;
	struct kafka_partition *partition = kafka_partitions_find(
		&source->partitions, log->topic, log->partition);
	assert(partition != NULL); /* it was started */
	if (partition->paused == pause)
		return 0;
	partition->paused = pause;
	partition->asked_end = false;
	if (partition->state != PARTITION_RUNNING)
		return 0; /* kafka_assign() will see to it */
	return kafka_pause(source->client, partition, fault);
}

static void kafka_commit(
	struct source *base, const struct log *log, int64_t next_offset)
{
	struct kafka_source *source = (struct kafka_source *)base;
	struct kafka_partition *partition = kafka_partitions_find(
		&source->partitions, log->topic, log->partition);
	assert(partition != NULL); /* it was started */
	kafka_commits_want(&source->commits, partition, next_offset);
}

static void kafka_close(struct source *base)
{
	struct kafka_source *source = (struct kafka_source *)base;
	int64_t deadline_us =
		monotonic_us(source) + (int64_t)source->close_timeout_ms * 1000;
	if (source->held != NULL)
		rd_kafka_message_destroy(source->held);
	if (source->client != NULL)
		kafka_commits_finish(&source->commits, &source->partitions,
			(int)source->close_timeout_ms);
	kafka_scout_close(
		source->scout, (deadline_us - monotonic_us(source)) / 1000);
	if (source->queue != NULL)
		rd_kafka_queue_destroy(source->queue);
	kafka_client_close(source->client);
	kafka_partitions_finish(&source->partitions);
	kafka_notices_finish(&source->notices);
	kafka_headers_finish(&source->headers);
	free(source);
}

static const struct source_ops ops = {
	.poll = kafka_poll,
	.start = kafka_start,
	.pause = kafka_pause_source,
	.commit = kafka_commit,
	.close = kafka_close,
};

static void wake(void *payload)
{
	struct kafka_source *source = payload;
	rd_kafka_queue_yield(source->queue);
}

static int open_client(struct kafka_source *source,
	const struct kafka_source_options *options, struct fault *fault)
{
	rd_kafka_conf_t *conf = NULL;
	int rc = kafka_client_conf(&conf, &options->settings, KAFKA_CONSUMER,
		options->group_id, fault);
	if (rc != 0)
		return rc;
	rd_kafka_conf_set_opaque(conf, source);
	rd_kafka_conf_set_error_cb(conf, troubled);
	rc = kafka_client_open(&source->client, conf, KAFKA_CONSUMER, fault);
	if (rc != 0)
		return rc;
	source->queue = rd_kafka_queue_get_consumer(source->client);
	kafka_commits_init(&source->commits, source->client);
	return 0;
}

static int open_scout(struct kafka_source *source,
	const struct kafka_source_options *options, struct fault *fault)
{
	struct kafka_scout_options scout = {
		.settings = options->settings,
		.group_id = options->group_id,
		.topics = options->topics,
		.topic_count = options->topic_count,
		.metadata_refresh_ms = options->metadata_refresh_ms,
		.wake = wake,
		.payload = source,
	};
	return kafka_scout_open(&source->scout, &scout, fault);
}

int kafka_source_open(struct source **out,
	const struct kafka_source_options *options, struct fault *fault)
{
	*out = NULL;
	if (options->topic_count == 0)
		return fault_set(fault, FAULT_USAGE,
			"there is no topic to read: name one in the schema's "
			"sources");
	struct kafka_source *source = calloc(1, sizeof *source);
	if (source == NULL)
		return fault_set(fault, FAULT_OOM, "no memory for a source");
	source->base.ops = &ops;
	source->clock = options->clock;
	source->until_end = options->until_end;
	source->identity_check_ms = options->identity_check_ms;
	source->close_timeout_ms = options->close_timeout_ms;
	source->empty_wall_us = options->clock->wall_us(options->clock);
	int rc = kafka_partitions_init(&source->partitions, options->topics,
		options->topic_count, fault);
	if (rc == 0)
		rc = open_client(source, options, fault);
	if (rc == 0)
		rc = open_scout(source, options, fault);
	if (rc != 0) {
		source_close(&source->base);
		return rc;
	}
	*out = &source->base;
	return 0;
}
