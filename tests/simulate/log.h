/*
 * The simulated log: a source that gives the records of an event world, with
 * what Kafka does to them on the way. It stalls, brings partitions in any
 * interleaving, gives records again, and tells of ends that are none for long.
 *
 * All that it gives is noted, in order: the oracle's order of arrival.
 */
#ifndef HOLDFAST_TESTS_SIMULATE_LOG_H
#define HOLDFAST_TESTS_SIMULATE_LOG_H

#include "ingest/clock.h"
#include "ingest/source.h"
#include "tests/lib/chance.h"
#include "tests/simulate/disk.h"
#include "tests/simulate/event.h"

/* Percent of polls. */
struct log_habits {
	unsigned stall, again, end, produce;
	size_t run_length; /* records of one partition in a row, at most */
};

enum arrival_kind {
	ARRIVAL_RECORD,
	ARRIVAL_END,
	ARRIVAL_RETRY, /* an operator takes a dead letter up */
	ARRIVAL_CLEAR  /* or has it leave */
};

struct arrival {
	enum arrival_kind kind;
	int log;
	const struct event_record *record; /* NULL: of the end */
	int64_t next_offset;		   /* of the end */
	int place;			   /* of a letter */
};

struct log_partition {
	const struct log *log; /* NULL: not started since the last restart */
	size_t next;	       /* records[next] comes next */
	bool paused;
	bool end_told;
	int64_t committed; /* the largest ever: durable, promise P4 */
};

struct log_source {
	struct source source; /* first */
	struct clock clock;
	const struct event_world *world;
	struct disk *disk; /* whose clock counts */
	struct chance chance;
	struct log_habits habits;
	int64_t drift_us; /* partitions are not further apart, in record time */
	int64_t produced_us; /* records up to here are in the log */
	int announced;
	int current; /* partition of the run of records under way */
	size_t run_left;
	struct log_partition partitions[EVENT_PARTITIONS];
	struct arrival *arrivals;
	size_t arrival_count, arrival_room;
};

void log_source_init(struct log_source *log, const struct event_world *world,
	struct disk *disk, uint64_t seed);
void log_source_finish(struct log_source *log);

/* The process starts again: nothing is announced. */
void log_source_restart(struct log_source *log);

/* Something else arrives at the store. */
void log_source_arrive(struct log_source *log, const struct arrival *arrival);

/* Its clock, from that of the disk. */
struct clock *log_clock(struct log_source *log);

#endif
