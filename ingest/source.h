/*
 * The source: where records come from, in the order a partition holds them.
 *
 * Two implementations ship: Kafka (ingest/kafka/kafka_source.h) and an NDJSON
 * file (ingest/file_source.h). A source never decides where to start: it
 * announces partitions, and is told by source_start() what the store has
 * taken. Everything it has to say comes out of source_poll(), one event at a
 * time.
 *
 * Threads: all calls from one thread.
 */
#ifndef HOLDFAST_INGEST_SOURCE_H
#define HOLDFAST_INGEST_SOURCE_H

#include "schema/fault.h"
#include "schema/record.h"
#include "schema/trail.h"

#include <stdbool.h>
#include <stdint.h>

enum source_outcome {
	SOURCE_IDLE = 0,      /* nothing within the timeout */
	SOURCE_RECORD = 1,    /* event->record */
	SOURCE_END = 2,	      /* a partition was read to its present end */
	SOURCE_PARTITION = 3, /* a partition to start: answer source_start() */
	SOURCE_STOPPED = 4,   /* a partition stopped, for event->fault */
	SOURCE_NOTICE = 5,    /* something an operator should know: the text in
				 event->fault; goes on */
	SOURCE_DONE = 6, /* `until_end`: all that was there at the start came,
			  of partitions that are not held back */
	SOURCE_LIMIT = 7 /* as END, where the partition's log may go on */
};

struct source_event {
	struct record record;  /* borrowed until the next poll */
	const struct log *log; /* of END, LIMIT, STOPPED; NULL for a NOTICE */
	const char *topic;     /* PARTITION, borrowed until the next poll */
	int32_t partition;
	int64_t log_start;	/* PARTITION: first offset the log still holds;
				   STOPPED too, or -1: unknown */
	int64_t next_offset;	/* END, LIMIT: position of the end; PARTITION:
				   the same, or -1: unknown */
	int64_t as_of_us;	/* END: wall clock; all there was then came */
	const char *cluster_id; /* PARTITION: "" while unknown */
	bool more; /* PARTITION: another one follows at once, without waiting
		      for this one's source_start() */
	struct fault fault; /* STOPPED, NOTICE */
};

/* What the store has taken of a partition. */
struct source_position {
	const struct log *log; /* borrowed for the source's life */
	int64_t next_offset;
	int64_t record_time_us;	   /* TIMESTAMP_NONE before the first */
	const struct trail *trail; /* copied */
	const char *cluster_id;	   /* as stored; copied; "" while unknown */
	/* Wall clock: when its end was last reached, or it was first noted; 0:
	 * nobody knows. And that end. Of use where a log is compacted. */
	int64_t at_end_us;
	int64_t end_offset; /* -1: none */
};

struct source;

struct source_ops {
	int (*poll)(struct source *source, struct source_event *event,
		uint32_t timeout_ms, struct fault *fault);
	int (*start)(struct source *source,
		const struct source_position *position, struct fault *fault);
	int (*pause)(struct source *source, const struct log *log, bool pause,
		struct fault *fault);
	void (*commit)(struct source *source, const struct log *log,
		int64_t next_offset);
	void (*close)(struct source *source);
};

/* First member of every implementation. */
struct source {
	const struct source_ops *ops;
};

/* An enum source_outcome. A fault is for the whole source: give up.
 * Errors: FAULT_IO, FAULT_BROKER, FAULT_OOM. */
int source_poll(struct source *source, struct source_event *event,
	uint32_t timeout_ms, struct fault *fault);

/* Go on with an announced partition at position->next_offset, for the first
 * time or anew: what came from behind it comes again. Checks that the log is
 * the one the trail was taken from. What is wrong with the log comes as
 * SOURCE_STOPPED, later. Errors: FAULT_OOM, FAULT_BROKER. */
int source_start(struct source *source, const struct source_position *position,
	struct fault *fault);

/* Hold records of one partition back, or let them come again, whether it was
 * started or only announced. Calling it twice with the same `pause` does
 * nothing. Errors: FAULT_BROKER. */
int source_pause(struct source *source, const struct log *log, bool pause,
	struct fault *fault);

/* Everything below next_offset is durable, and nothing above: for dashboards.
 * Also of one that was only announced; what Kafka has more is told as a NOTICE,
 * once. Best effort. */
void source_commit(
	struct source *source, const struct log *log, int64_t next_offset);

/* Free, within bounded time. NULL is allowed. */
void source_close(struct source *source);

#endif
