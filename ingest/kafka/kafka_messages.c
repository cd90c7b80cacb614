#include "ingest/kafka/kafka_source_parts.h"

#include "ingest/kafka/kafka_assignment.h"
#include "ingest/kafka/kafka_codes.h"

#include <inttypes.h>
#include <stdio.h>

/* A transaction may be open so long (transaction.max.timeout.ms is 15 min, its
 * default 1 min); then it is told of, and again. */
#define HELD_GAP_US 120000000

/* Its errors heal by themselves, or are told of each partition as well: for
 * the operator. */
static void tell_trouble(struct kafka_source *source, rd_kafka_resp_err_t error,
	const char *reason)
{
	struct fault text = {0};
	fault_set(&text, FAULT_BROKER, "Kafka (%s): %s; %s",
		rd_kafka_err2str(error), reason, kafka_advice(error));
	kafka_tell(source, NOTICE_CONNECTION, &text);
}

/* Called from within our own polls, on their thread. */
void kafka_troubled(
	rd_kafka_t *client, int error, const char *reason, void *opaque)
{
	struct kafka_source *source = opaque;
	enum policy policy = kafka_policy((rd_kafka_resp_err_t)error);
	/* A topic or partition that is gone, a leader that moved: of which, it
	 * does not say, and what is read on may be another log. It comes in
	 * the order of what was fetched (rdkafka_topic.c,
	 * rd_kafka_topic_partition_cnt_update()). */
	if (policy == POLICY_RETRY)
		kafka_connections_doubt(source->connections);
	if (policy != POLICY_EXIT) {
		tell_trouble(source, (rd_kafka_resp_err_t)error, reason);
		return;
	}
	char text[512] = "";
	if (rd_kafka_fatal_error(client, text, sizeof text) ==
		RD_KAFKA_RESP_ERR_NO_ERROR)
		(void)snprintf(text, sizeof text, "%s", reason);
	fault_set(&source->fatal, FAULT_BROKER, "Kafka: %s", text);
}

static void keep_queue_filled(struct kafka_source *source,
	const struct kafka_partition *partition, const struct record *record)
{
	source->unwatched++;
	source->records_since++;
	source->bytes_since += record->key.length + record->value.length;
	if (source->records_since < source->wake_records &&
		source->bytes_since < source->wake_bytes)
		return;
	source->records_since = 0;
	source->bytes_since = 0;
	kafka_wake(source->client, partition);
}

/* Was its log compared since the connection was made that this came over? */
static bool is_compared(struct kafka_source *source,
	struct kafka_partition *partition, const rd_kafka_message_t *message)
{
	int32_t broker = rd_kafka_message_broker_id(message);
	if (partition->broker >= 0 && partition->broker != broker)
		return false; /* it has another leader now */
	partition->broker = broker;
	return kafka_connections_known(
		source->connections, broker, &partition->connections);
}

static int take_record(struct kafka_source *source,
	struct kafka_partition *partition, rd_kafka_message_t *message,
	struct source_event *event, struct fault *fault)
{
	if (message->offset < partition->expected)
		return SOURCE_IDLE; /* a fetch that began anew */
	if (!is_compared(source, partition, message))
		return kafka_hold(source, partition, fault);
	struct record *record = &event->record;
	kafka_record_body(record, message);
	record->log = partition->log;
	int rc = kafka_record_headers(record, &source->headers, message, fault);
	if (rc == KAFKA_HEADERS_UNREADABLE)
		return kafka_fail_once_more(source, partition,
			"its headers are damaged", event, fault);
	if (rc != 0)
		return rc;
	if (record->timestamp_us == TIMESTAMP_NONE)
		record->timestamp_us = partition->record_time_us;
	if (record->timestamp_us > partition->record_time_us)
		partition->record_time_us = record->timestamp_us;
	partition->expected = record->next_offset;
	partition->newest = trail_footprint(record);
	if (partition->trail.count == 0) /* nothing to know the log by yet */
		trail_note(&partition->trail, &partition->newest);
	partition->delivered = true;
	partition->failures = 0;
	partition->at_end = false;
	partition->asked_end = false;
	kafka_reach(source, partition);
	keep_queue_filled(source, partition, record);
	return kafka_event(event, SOURCE_RECORD, partition);
}

/* Committed records behind an open transaction are not given out: that is no
 * error, and no progress. */
static void watch_transactions(
	struct kafka_source *source, struct kafka_partition *partition)
{
	int64_t low = 0, high = 0;
	if (rd_kafka_get_watermark_offsets(source->client, partition->topic,
		    partition->number, &low,
		    &high) != RD_KAFKA_RESP_ERR_NO_ERROR ||
		high <= partition->expected) {
		partition->kept_us = 0;
		return;
	}
	if (partition->kept_us == 0 ||
		partition->kept_offset != partition->expected) {
		partition->kept_us = partition->end_us;
		partition->kept_offset = partition->expected;
	}
	if (partition->end_us - partition->kept_us < HELD_GAP_US)
		return;
	partition->kept_us = partition->end_us;
	struct fault text = {0};
	fault_set(&text, FAULT_BROKER,
		"%s:%" PRId32 " is held at offset %" PRId64 " by a transaction "
		"that stays open, while its log goes on to %" PRId64
		": see kafka-transactions.sh find-hanging",
		partition->topic, partition->number, partition->expected, high);
	kafka_tell(source, NOTICE_ONCE, &text);
}

/* What was taken is all there was when there was last nothing to take: the
 * message itself may have lain here since. */
static int take_end(struct kafka_source *source,
	struct kafka_partition *partition, const rd_kafka_message_t *message,
	struct source_event *event, struct fault *fault)
{
	partition->asked_end = false;
	if (message->offset < partition->expected)
		return SOURCE_IDLE; /* an end that was passed by since */
	if (!is_compared(source, partition, message))
		return kafka_hold(source, partition, fault);
	int rc = kafka_judge_end(
		source, partition, message->offset, event, fault);
	if (rc != SOURCE_IDLE)
		return rc;
	partition->expected = message->offset;
	partition->at_end = true;
	partition->end_us = kafka_now_us(source);
	watch_transactions(source, partition);
	kafka_reach(source, partition);
	kafka_event(event, SOURCE_END, partition);
	event->next_offset = message->offset;
	event->as_of_us = source->empty_wall_us;
	return SOURCE_END;
}

static int take_error(struct kafka_source *source,
	struct kafka_partition *partition, const rd_kafka_message_t *message,
	struct source_event *event, struct fault *fault)
{
	if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
		return take_end(source, partition, message, event, fault);
	switch (kafka_policy(message->err)) {
	case POLICY_NONE:
		return SOURCE_IDLE;
	case POLICY_RETRY:
		/* Lost records, another log, or a broker that is behind: what
		 * its bounds and records say decides. */
		return kafka_check_again(source, partition, 0, fault);
	case POLICY_WAIT:
		tell_trouble(source, message->err, partition->topic);
		return SOURCE_IDLE;
	default:
		return kafka_fail_once_more(source, partition,
			rd_kafka_message_errstr(message), event, fault);
	}
}

/* Owns `message` from here on. */
int kafka_take_message(struct kafka_source *source, rd_kafka_message_t *message,
	struct source_event *event, struct fault *fault)
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
