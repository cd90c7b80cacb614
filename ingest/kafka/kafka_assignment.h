/*
 * What librdkafka is told of partitions: the restricted profile, in one place.
 *
 * Our own assignment, without a group; explicit offsets, never a seek; nothing
 * is resumed that was not paused. All from the polling thread. Internal to
 * ingest/kafka/. Source: librdkafka 2.0.2 rewinds a partition that is resumed
 * without being paused, and takes a seek's timeout a thousandfold short.
 */
#ifndef HOLDFAST_INGEST_KAFKA_KAFKA_ASSIGNMENT_H
#define HOLDFAST_INGEST_KAFKA_KAFKA_ASSIGNMENT_H

#include "ingest/kafka/kafka_partitions.h"

/* Read it from partition->expected on, paused if it is. Errors: FAULT_BROKER.
 */
int kafka_assign(rd_kafka_t *client, const struct kafka_partition *partition,
	struct fault *fault);

/* No record of it comes out any more. Errors: FAULT_BROKER. */
int kafka_unassign(rd_kafka_t *client, const struct kafka_partition *partition,
	struct fault *fault);

/* For an assigned one; partition->paused says which. Errors: FAULT_BROKER. */
int kafka_pause(rd_kafka_t *client, const struct kafka_partition *partition,
	struct fault *fault);

/*
 * Wake the thread that fetches from this partition's leader.
 *
 * Where its queue was full or its partitions were paused, librdkafka lets it
 * sleep for up to 1 s, whatever happens meanwhile. Any request to the same
 * broker wakes it: this one's answer is not waited for.
 */
void kafka_wake(rd_kafka_t *client, const struct kafka_partition *partition);

/*
 * Make librdkafka ask the broker again for those that are at their end and
 * have not said so since `before_us`: they report their end once more, or
 * bring records. One at a time for each partition: an answer that is late is
 * waited for, not thrown away.
 */
void kafka_ask_ends(rd_kafka_t *client, struct kafka_partitions *partitions,
	int64_t before_us);

#endif
