#include "ingest/kafka/kafka_source.h"

#include "ingest/kafka/kafka_assignment.h"
#include "ingest/kafka/kafka_client.h"
#include "ingest/kafka/kafka_source_parts.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* While records come, the clock is read once for so many. */
#define DUTIES_RECORDS 256
/* What librdkafka's threads take to end, with room; those that never do go on
 * alone. */
#define FAREWELL_MS 1000
/* Duties come round while it waits for records. */
#define WAIT_US 50000

struct kafka_source_options kafka_source_options_default(void)
{
	return (struct kafka_source_options){
		.only_partition = -1,
		.clock = clock_system(),
		.metadata_refresh_ms = 30000,
		.identity_check_ms = 10000,
		.topic_gone_ms = 30000,
		.close_timeout_ms = 5000,
	};
}

int64_t kafka_now_us(struct kafka_source *source)
{
	return source->clock->monotonic_us(source->clock);
}

void kafka_tell(struct kafka_source *source, enum kafka_notice_kind kind,
	const struct fault *text)
{
	kafka_notices_add(&source->notices, kind, kafka_now_us(source), text);
}

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
	if (source->unwatched >= DUTIES_RECORDS)
		*rc = kafka_serve_duties(source, kafka_now_us(source), fault);
	rd_kafka_message_t *message =
		*rc < 0 ? NULL : rd_kafka_consumer_poll(source->client, 0);
	if (message != NULL || *rc < 0)
		return message;
	source->empty_wall_us = source->clock->wall_us(source->clock);
	int64_t now_us = kafka_now_us(source);
	if (patience->deadline_us == 0)
		patience->deadline_us =
			now_us + (int64_t)patience->timeout_ms * 1000;
	*rc = kafka_serve_duties(source, now_us, fault);
	int64_t left_us = patience->deadline_us - now_us;
	patience->over = left_us <= 0;
	if (*rc < 0 || patience->over)
		return NULL;
	/* Duties come round meanwhile; rounded up, so that it ends. */
	int64_t wait_us = left_us < WAIT_US ? left_us : WAIT_US;
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
		int rc = kafka_take_news(source, event, fault);
		if (rc != SOURCE_IDLE || patience.over)
			return rc;
		rd_kafka_message_t *message =
			next_message(source, &patience, &rc, fault);
		if (message != NULL)
			rc = kafka_take_message(source, message, event, fault);
		if (rc != SOURCE_IDLE)
			return rc;
	}
}

/* We commit only what is durable (promise P4): what is ahead of the store was
 * lost by it. Design section 6. */
static void compare_committed(struct kafka_source *source,
	struct kafka_partition *partition, int64_t next_offset)
{
	int64_t committed = partition->found_committed;
	partition->found_committed = -1;
	if (committed <= next_offset)
		return;
	struct fault text = {0};
	fault_set(&text, FAULT_LOG,
		"store_went_back: %s:%" PRId32
		" was taken up to offset %" PRId64
		", says the group's commit in Kafka, and the store holds only "
		"what is below %" PRId64 ": offsets %" PRId64 " to %" PRId64
		" are read again. Unless the store was restored or rolled "
		"back, it lost commits: check its disk, and run `holdfast "
		"verify`",
		partition->topic, partition->number, committed, next_offset,
		next_offset, committed - 1);
	kafka_tell(source, NOTICE_ONCE, &text);
}

static int kafka_start(struct source *base,
	const struct source_position *position, struct fault *fault)
{
	struct kafka_source *source = (struct kafka_source *)base;
	struct kafka_partition *partition =
		kafka_partitions_find(&source->partitions, position->log->topic,
			position->log->partition);
	assert(partition != NULL); /* it was announced */
	int rc = kafka_let_go(source, partition, PARTITION_PENDING, fault);
	if (rc != 0)
		return rc;
	partition->log = position->log;
	partition->expected = position->next_offset;
	partition->record_time_us = position->record_time_us;
	partition->whole_us = position->at_end_us;
	partition->whole_offset = position->end_offset;
	kafka_aim(source, partition);
	compare_committed(source, partition, partition->expected);
	partition->trail = (struct trail){0};
	if (position->trail != NULL)
		partition->trail = *position->trail;
	partition->compared = -1;
	partition->delivered = false;
	partition->unverified = false;
	partition->failures = 0;
	partition->gone_us = 0;
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
	assert(partition != NULL); /* it was announced */
	if (partition->paused == pause)
		return 0;
	partition->paused = pause;
	partition->asked_end = false;
	if (pause)
		kafka_drop_target(source, partition);
	else
		kafka_aim(source, partition);
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
	assert(partition != NULL); /* it was announced */
	compare_committed(source, partition, next_offset);
	kafka_commits_want(&source->commits, partition, next_offset);
}

static int64_t left_ms(struct kafka_source *source, int64_t deadline_us)
{
	int64_t left_us = deadline_us - kafka_now_us(source);
	return left_us < 0 ? 0 : left_us / 1000;
}

static void kafka_close(struct source *base)
{
	struct kafka_source *source = (struct kafka_source *)base;
	int64_t deadline_us =
		kafka_now_us(source) + (int64_t)source->close_timeout_ms * 1000;
	if (source->held != NULL)
		rd_kafka_message_destroy(source->held);
	if (source->client != NULL)
		kafka_commits_finish(&source->commits, &source->partitions,
			(int)left_ms(source, deadline_us));
	kafka_scout_close(source->scout, left_ms(source, deadline_us));
	if (source->queue != NULL)
		rd_kafka_queue_destroy(source->queue);
	/* A client that lives on alone goes on counting. */
	if (kafka_client_close(source->client, FAREWELL_MS))
		kafka_connections_free(source->connections);
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

/* Of what librdkafka queues at most, a quarter: so much is taken before it is
 * told that there is room again. */
static void measure_queue(struct kafka_source *source)
{
	const rd_kafka_conf_t *conf = rd_kafka_conf(source->client);
	source->wake_records =
		kafka_client_number(conf, "queued.min.messages") / 4;
	source->wake_bytes =
		kafka_client_number(conf, "queued.max.messages.kbytes") * 1024 /
		4;
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
	rd_kafka_conf_set_error_cb(conf, kafka_troubled);
	rc = kafka_connections_watch(source->connections, conf, fault);
	if (rc != 0) {
		rd_kafka_conf_destroy(conf);
		return rc;
	}
	rc = kafka_client_open(&source->client, conf, KAFKA_CONSUMER, fault);
	if (rc != 0)
		return rc;
	source->queue = rd_kafka_queue_get_consumer(source->client);
	measure_queue(source);
	kafka_commits_init(&source->commits, source->client);
	source->commits.may_commit = options->may_commit;
	source->commits.payload = options->payload;
	for (size_t i = 0; i < options->topic_count; i++)
		kafka_client_expect(source->client, options->topics[i]);
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
	source->only_partition = options->only_partition;
	source->compaction_safe = options->compaction_safe;
	source->compaction_payload = options->compaction_payload;
	source->identity_check_us = (int64_t)options->identity_check_ms * 1000;
	source->topic_gone_us = (int64_t)options->topic_gone_ms * 1000;
	source->close_timeout_ms = options->close_timeout_ms;
	source->empty_wall_us = options->clock->wall_us(options->clock);
	int rc = kafka_partitions_init(&source->partitions, options->topics,
		options->topic_count, fault);
	if (rc == 0)
		rc = kafka_connections_new(&source->connections, fault);
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
