/*
 * The inside of the Kafka source: its state, and which file does what.
 *
 * kafka_source.c opens, closes and polls; kafka_life.c takes partitions from
 * state to state; kafka_answers.c makes events of what the scout answered,
 * kafka_messages.c of what librdkafka gives out; kafka_duties.c does what is
 * due by time; kafka_compaction.c knows what compaction may have removed. All
 * of it belongs to the polling thread. Internal to ingest/kafka/.
 */
#ifndef HOLDFAST_INGEST_KAFKA_KAFKA_SOURCE_PARTS_H
#define HOLDFAST_INGEST_KAFKA_KAFKA_SOURCE_PARTS_H

#include "ingest/kafka/kafka_commit.h"
#include "ingest/kafka/kafka_connections.h"
#include "ingest/kafka/kafka_notice.h"
#include "ingest/kafka/kafka_partitions.h"
#include "ingest/kafka/kafka_record.h"
#include "ingest/kafka/kafka_scout.h"
#include "ingest/kafka/kafka_source.h"

/* After an answer that did not help, and after a partition failed. */
#define KAFKA_RETRY_US 1000000

struct kafka_source {
	struct source base; /* first */
	struct clock *clock;
	rd_kafka_t *client;
	rd_kafka_queue_t *queue; /* the client's, to wake its poll */
	struct kafka_connections *connections; /* the client's */
	struct kafka_scout *scout;
	struct kafka_partitions partitions;
	struct kafka_commits commits;
	struct kafka_notices notices;
	struct kafka_headers headers;
	int32_t only_partition;	  /* -1: all */
	rd_kafka_message_t *held; /* what the last record is borrowed from */
	struct fault fatal;	  /* librdkafka gave up */
	char cluster_id[KAFKA_CLUSTER_ID_SIZE];
	bool other_cluster; /* was said already */
	/* Whether the topic may be compacted, for one of `topics`; borrowed. */
	bool (*compaction_safe)(
		const void *payload, const char *topic, struct fault *why);
	const void *compaction_payload;

	bool until_end;
	bool complete;	/* all that is there at the start was found */
	size_t targets; /* partitions that have not reached theirs */

	int64_t identity_check_us;
	int64_t topic_gone_us;
	uint32_t close_timeout_ms;

	int64_t duties_us;    /* monotonic: not before */
	int64_t identity_us;  /* monotonic: when the next logs are compared */
	size_t identity_next; /* whose turn it is */

	size_t wake_records, wake_bytes;   /* see kafka_wake() */
	size_t records_since, bytes_since; /* librdkafka was last woken */
	size_t unwatched;      /* records since the last look at the clock */
	int64_t empty_wall_us; /* when there was last nothing to take */
};

int64_t kafka_now_us(struct kafka_source *source); /* monotonic */

void kafka_tell(struct kafka_source *source, enum kafka_notice_kind kind,
	const struct fault *text);

/* kafka_life.c. Where an event comes of it, they return its outcome; else
 * SOURCE_IDLE. Errors: FAULT_OOM, FAULT_BROKER. */

/* Not read any more: to PENDING or STOPPED. */
int kafka_let_go(struct kafka_source *source, struct kafka_partition *partition,
	enum partition_state to, struct fault *fault);

/* STOPPED, for `why`. */
int kafka_stop(struct kafka_source *source, struct kafka_partition *partition,
	const struct fault *why, struct source_event *event,
	struct fault *fault);

/* Its topic is gone from Kafka: wait for it, or stop. */
int kafka_miss_topic(struct kafka_source *source,
	struct kafka_partition *partition, struct source_event *event,
	struct fault *fault);

/* Compare its log, and start again where it stood. */
int kafka_check_again(struct kafka_source *source,
	struct kafka_partition *partition, int64_t delay_us,
	struct fault *fault);

/* What comes now was fetched from `broker` over a connection that is newer than
 * the comparison of its log: nothing is taken until it is compared again. So
 * it is with all that come from there. */
int kafka_hold(struct kafka_source *source, struct kafka_partition *partition,
	struct fault *fault);

/* The record at its offset could not be read, for `reason`. */
int kafka_fail_once_more(struct kafka_source *source,
	struct kafka_partition *partition, const char *reason,
	struct source_event *event, struct fault *fault);

/* kafka_compaction.c: STOPPED where its log is compacted, and must not be, or
 * deletes may have left it since its end was last reached. Before it is read,
 * and at its end, `end`. */
int kafka_judge_compaction(struct kafka_source *source,
	struct kafka_partition *partition, struct source_event *event,
	struct fault *fault);
int kafka_judge_end(struct kafka_source *source,
	struct kafka_partition *partition, int64_t end,
	struct source_event *event, struct fault *fault);

/* Its log was compared: read it. */
int kafka_run(struct kafka_source *source, struct kafka_partition *partition,
	struct fault *fault);

/* Have its log compared. */
int kafka_ask(struct kafka_source *source, struct kafka_partition *partition,
	struct fault *fault);

/* until_end: nobody waits for it, as it was stopped or is held back; and wait
 * for it, where it runs and is not there yet. */
void kafka_drop_target(
	struct kafka_source *source, struct kafka_partition *partition);
void kafka_aim(struct kafka_source *source, struct kafka_partition *partition);

/* until_end: has it reached its target? */
void kafka_reach(
	struct kafka_source *source, struct kafka_partition *partition);

/* Fill in what every event has; returns `outcome`. */
int kafka_event(struct source_event *event, enum source_outcome outcome,
	const struct kafka_partition *partition);

/* kafka_answers.c: what there is to say besides records. */
int kafka_take_news(struct kafka_source *source, struct source_event *event,
	struct fault *fault);

/* kafka_messages.c: owns `message` from here on. */
int kafka_take_message(struct kafka_source *source, rd_kafka_message_t *message,
	struct source_event *event, struct fault *fault);

/* kafka_messages.c: error_cb; `opaque` is the source. */
void kafka_troubled(
	rd_kafka_t *client, int error, const char *reason, void *opaque);

/* kafka_duties.c: what is due by time. 0 or a fault. */
int kafka_serve_duties(
	struct kafka_source *source, int64_t now_us, struct fault *fault);

#endif
