/*
 * Offsets for Kafka's dashboards: behind the store, never ahead of it.
 *
 * At most one commit is on its way; what is given meanwhile goes with the next
 * one, the newest of each partition. Nothing but what was given is committed.
 * Internal to ingest/kafka/, and to the polling thread.
 */
#ifndef HOLDFAST_INGEST_KAFKA_KAFKA_COMMIT_H
#define HOLDFAST_INGEST_KAFKA_KAFKA_COMMIT_H

#include "ingest/kafka/kafka_partitions.h"

struct kafka_commits {
	rd_kafka_t *client;		   /* borrowed */
	rd_kafka_queue_t *queue;	   /* where results arrive */
	bool (*may_commit)(void *payload); /* NULL: always */
	void *payload;
	bool wanted; /* some partition has one to send */
	bool outstanding;
	int64_t next_us; /* monotonic: not to be sent before */
};

void kafka_commits_init(struct kafka_commits *commits, rd_kafka_t *client);

/* Want `next_offset` committed. */
void kafka_commits_want(struct kafka_commits *commits,
	struct kafka_partition *partition, int64_t next_offset);

/* Take a result, send what is wanted. 1: the last one failed, `why` tells. */
int kafka_commits_serve(struct kafka_commits *commits,
	struct kafka_partitions *partitions, int64_t now_us, struct fault *why);

/* Send what is wanted and wait for it up to `timeout_ms`; then free all but
 * the client. */
void kafka_commits_finish(struct kafka_commits *commits,
	struct kafka_partitions *partitions, int timeout_ms);

#endif
