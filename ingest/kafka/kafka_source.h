/*
 * Kafka as a source: every partition of the topics, by own assignment.
 *
 * Starts each partition at the offset the store says, after comparing the log
 * with the trail (design section 6, log identity). New partitions are found by
 * metadata refresh. Follows the restricted profile for librdkafka 2.0.2: single
 * rd_kafka_consumer_poll(), all control calls from the polling thread, own
 * paused set, never seek.
 */
#ifndef HOLDFAST_INGEST_KAFKA_KAFKA_SOURCE_H
#define HOLDFAST_INGEST_KAFKA_KAFKA_SOURCE_H

#include "ingest/clock.h"
#include "ingest/kafka/kafka_config.h"
#include "ingest/source.h"

struct kafka_source_options {
	struct kafka_settings settings; /* the operator's; borrowed */
	const char *group_id;		/* for commits and dashboards */
	const char *const *topics;	/* topics[0..topic_count), borrowed */
	size_t topic_count;
	int32_t only_partition; /* of each; -1: all */
	struct clock *clock;
	/* Asked before offsets are committed, on the polling thread: false puts
	 * it off. NULL: they always may. */
	bool (*may_commit)(void *payload);
	void *payload;
	/* May a topic of these be compacted? Where not, `why` has the text.
	 * Asked on the polling thread. NULL: they all may. */
	bool (*compaction_safe)(
		const void *payload, const char *topic, struct fault *why);
	const void *compaction_payload;
	bool until_end; /* done when all that was there at the start came */
	uint32_t metadata_refresh_ms; /* finds new partitions */
	uint32_t identity_check_ms; /* each running log is compared so often */
	uint32_t topic_gone_ms;	    /* a topic away for so long was deleted */
	uint32_t close_timeout_ms;  /* bound of source_close() */
};

struct kafka_source_options kafka_source_options_default(void);

/* On success the caller owns *out and closes it with source_close(); on failure
 * it is NULL. A broker that is down is no failure: polling waits for it.
 * Errors: FAULT_USAGE (refused setting), FAULT_OOM. */
int kafka_source_open(struct source **out,
	const struct kafka_source_options *options, struct fault *fault);

#endif
