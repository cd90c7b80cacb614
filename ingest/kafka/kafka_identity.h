/*
 * Is it still the log that the store took its records from?
 *
 * A short-lived consumer reads the record that the trail's newest step tells
 * of, and where that one is gone, the older ones, and compares. Then it does so
 * with one that was noted before the last comparison: of a log that took
 * another's place unseen, records may have been taken since, and the newest is
 * one of them. Waits for
 * answers, and so belongs to the scout's thread (kafka_scout.h). Internal to
 * ingest/kafka/. Source: design section 6, log identity.
 */
#ifndef HOLDFAST_INGEST_KAFKA_KAFKA_IDENTITY_H
#define HOLDFAST_INGEST_KAFKA_KAFKA_IDENTITY_H

#include "schema/fault.h"
#include "schema/trail.h"

#include <librdkafka/rdkafka.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KAFKA_CLUSTER_ID_SIZE 64 /* Kafka's own are 22 characters */

/* A look's client that can't be freed within is left to itself. */
#define KAFKA_FAREWELL_MS 1000

/* Partitions compared at once. Each may cost a whole batch of records, of
 * which one is looked at. */
#define KAFKA_IDENTITY_PARTITIONS_MAX 64

struct kafka_question {
	const char *topic; /* borrowed for the scout's life */
	size_t topic_index;
	int32_t partition;
	uint64_t life; /* of the partition, comes back with the answer */
	bool running;  /* being read: records may leave behind its back */
	int64_t next_offset;
	int64_t compared; /* up to there it was the log when last compared; -1:
			     the whole trail was not, since the start */
	struct trail trail;
	char cluster_id[KAFKA_CLUSTER_ID_SIZE]; /* as stored, "" unknown */
};

enum kafka_verdict {
	VERDICT_UNKNOWN,    /* nobody could be asked: ask again */
	VERDICT_SAME,	    /* or there is nothing to compare */
	VERDICT_UNVERIFIED, /* what was noted is gone: go on, and say so */
	VERDICT_CHANGED,    /* another log, or a shorter one */
	VERDICT_LOST	    /* the log starts behind what was taken */
};

struct kafka_judgement {
	enum kafka_verdict verdict;
	int64_t compared;   /* SAME: up to there now, or -1 as above */
	bool gone;	    /* UNKNOWN: Kafka does not know the topic */
	bool other_cluster; /* the records are the same, the cluster is not */
	char cluster_id[KAFKA_CLUSTER_ID_SIZE]; /* as it is now */
	int64_t low;	    /* first offset the log holds; -1: unknown */
	struct fault fault; /* what to tell; code 0: nothing */
};

/* Judge questions[0..count), count <= KAFKA_IDENTITY_PARTITIONS_MAX, with
 * clients of `conf`. Returns early, with what is known, when `stop` is set.
 * Errors: FAULT_OOM. */
int kafka_identity_judge(const rd_kafka_conf_t *conf, const atomic_bool *stop,
	const struct kafka_question *questions, size_t count,
	struct kafka_judgement *judgements, struct fault *fault);

#endif
