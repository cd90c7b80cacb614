/*
 * The partitions of the topics: where each one stands.
 *
 * Internal to ingest/kafka/, and to the polling thread.
 */
#ifndef HOLDFAST_INGEST_KAFKA_KAFKA_PARTITIONS_H
#define HOLDFAST_INGEST_KAFKA_KAFKA_PARTITIONS_H

#include "ingest/kafka/kafka_identity.h"
#include "ingest/kafka/kafka_topic.h"
#include "schema/trail.h"
#include "schema/version.h"

#include <librdkafka/rdkafka.h>

enum partition_state {
	PARTITION_FOUND,   /* announced, and not told where to start */
	PARTITION_PENDING, /* its log is to be compared before it is read */
	PARTITION_RUNNING, /* assigned */
	PARTITION_STOPPED  /* until it is started anew */
};

struct kafka_partition {
	const char *topic; /* the table's */
	size_t topic_index;
	int32_t number;
	enum partition_state state;
	uint64_t life; /* counts starts: answers to an earlier one are void */
	const struct log *log; /* of the latest start; NULL before it */

	int64_t expected; /* the next offset to deliver; older ones are not */
	int64_t record_time_us;	 /* largest timestamp delivered or stored */
	struct trail trail;	 /* as stored at the start, and newer checks */
	int64_t compared;	 /* up to there it was its log, see
				    kafka_identity.h; -1: unknown */
	struct footprint newest; /* of the last record delivered */
	bool delivered;		 /* there is a `newest` */
	int32_t broker;		 /* where it is fetched from; -1: unknown yet */
	uint64_t connections;	 /* so many of librdkafka's were there when its
				    log was compared; see kafka_connections.h */
	uint64_t asked_connections; /* the same, of the question on its way */
	int64_t held_us; /* monotonic: when a newer one held it back */
	char cluster_id[KAFKA_CLUSTER_ID_SIZE]; /* as stored at the start */

	bool paused;	/* what librdkafka was told, or will be when assigned */
	bool at_end;	/* its end was reached and no record came since */
	bool asked_end; /* made to report its end again */
	int64_t end_us; /* monotonic: when it was last reported */
	int64_t kept_us, kept_offset; /* by an open transaction: since when,
					 monotonic, or 0; and where */
	bool questioned;	      /* an answer is on its way */
	int64_t asked_us;	      /* monotonic: when it was last asked of */
	int64_t question_us;	      /* monotonic: not to be asked before */
	bool unverified;	      /* was said already */
	int64_t gone_us;	 /* monotonic: its topic is gone since; or 0 */
	int failures;		 /* in a row, without a record between */
	int64_t goal;		 /* until_end: its end at the start; or -1 */
	int64_t target;		 /* the goal, while it is waited for; or -1 */
	int64_t found_committed; /* by our group, before the first start or
				    commit; -1: nothing, or it was judged */
	struct kafka_cleanup cleanup; /* what its log keeps */
	int64_t found_high;	      /* its end when it was found */
	int64_t whole_us;     /* wall clock: when its end was last reached,
				 or it was first noted; 0: unknown */
	int64_t whole_offset; /* that end; -1: none */
	int64_t commit_next;  /* wanted in Kafka; -1: nothing yet */
	int64_t committed;    /* last one that was sent there */
};

struct kafka_topic {
	char *name;
	struct kafka_partition **partitions; /* [number], NULL: not found */
	size_t partition_count;
};

struct kafka_partitions {
	struct kafka_topic *topics;
	size_t topic_count;
	struct kafka_topic *latest;   /* where the last record was */
	struct kafka_partition **all; /* in order of discovery */
	size_t count, capacity;
};

/* Copies the names. Errors: FAULT_OOM. */
int kafka_partitions_init(struct kafka_partitions *partitions,
	const char *const *topics, size_t topic_count, struct fault *fault);
void kafka_partitions_finish(struct kafka_partitions *partitions);

/* NULL where it was never found. */
struct kafka_partition *kafka_partitions_find(
	struct kafka_partitions *partitions, const char *topic, int32_t number);

/* The one found at topics[topic_index], new or not. *out is new where its log
 * is NULL and its life 0. Errors: FAULT_OOM. */
int kafka_partitions_add(struct kafka_partitions *partitions,
	size_t topic_index, int32_t number, struct kafka_partition **out,
	struct fault *fault);

/* Add it to a list for librdkafka. */
void kafka_partitions_put(rd_kafka_topic_partition_list_t *list,
	const struct kafka_partition *partition, int64_t offset);

#endif
