/*
 * A Kafka source on a mock cluster, with somebody who answers it: a stand-in
 * for the pipeline that starts every partition where it is told to.
 */
#ifndef HOLDFAST_TESTS_KAFKA_RIG_H
#define HOLDFAST_TESTS_KAFKA_RIG_H

#include "ingest/kafka/kafka_source.h"
#include "tests/lib/mock_kafka.h"

#define RIG_PARTITIONS_MAX 16

struct rig_partition {
	struct log log;
	bool announced;
	int64_t log_start;	      /* as announced */
	struct source_position start; /* log NULL: at the log's start */
	struct trail trail;	      /* of what was delivered */
	int64_t next_offset;	      /* delivered so far */
	int records, ends;	      /* how many came */
	int64_t as_of_us;	      /* of the last END */
	bool stopped;
	int64_t held_at;    /* announced, it is not started: this is committed;
			       0: it is started */
	struct fault fault; /* of STOPPED */
};

struct kafka_rig {
	struct mock_kafka mock;
	struct kafka_source_options options;
	const char *topics[2];
	struct source *source;
	struct rig_partition partitions[RIG_PARTITIONS_MAX]; /* topics[0]'s */
	int others; /* PARTITIONs of further topics */
	int records, notices;
	bool done;
	struct fault notice; /* the last one */
	/* Told of each record; may be NULL. */
	void (*seen)(struct kafka_rig *rig, const struct record *record);
	void *payload;
};

/* A mock cluster, a topic "t" with so many partitions (0: none), and options
 * that fit both. */
void rig_start(struct kafka_rig *rig, int partitions);
/* The same, with more than one broker. */
void rig_start_brokers(struct kafka_rig *rig, int partitions, int brokers);
void rig_stop(struct kafka_rig *rig);

/* Open the source with rig->options; forget what came before. */
void rig_open(struct kafka_rig *rig);
void rig_close(struct kafka_rig *rig);

/* Where to start a partition when it is announced next. */
void rig_start_at(struct kafka_rig *rig, int partition, int64_t next_offset,
	const struct trail *trail);

/* Start an announced one, also anew. */
void rig_start_now(struct kafka_rig *rig, int partition, int64_t next_offset);

/* Poll once, take note of what came. */
int rig_poll(struct kafka_rig *rig, uint32_t timeout_ms);

/* Poll until `holds`, which must come true. */
typedef bool (*rig_condition)(const struct kafka_rig *rig);
void rig_until(struct kafka_rig *rig, rig_condition holds);

/* Poll until so many records came in all. */
void rig_until_records(struct kafka_rig *rig, int count);

/* Poll for a while: for what must not happen. */
void rig_for_ms(struct kafka_rig *rig, int64_t ms);

#endif
