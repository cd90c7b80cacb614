/*
 * The simulated log: a source that gives the records of an event world, with
 * what Kafka does to them on the way. It stalls, brings partitions in any
 * interleaving, gives records again, and tells of ends that are none for long.
 * Logs are trimmed, cut off, made anew, written over and compacted beneath it;
 * commits are lost, or come late; the wall clock jumps.
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

/* Percent of polls, where nothing else is said. */
struct log_habits {
	unsigned stall, again, end, produce;
	size_t run_length;    /* records of one partition in a row, at most */
	unsigned trouble;     /* per mille of polls: something happens to a
				 partition's log */
	unsigned jump;	      /* per mille: the wall clock jumps */
	unsigned lose_commit; /* percent of commits: lost, or late */
	int laggard;	      /* this partition comes last; -1: none */
	bool backlog;	      /* all is there at the start */
};

enum arrival_kind {
	ARRIVAL_RECORD,
	ARRIVAL_END,
	ARRIVAL_RETRY, /* an operator takes a dead letter up */
	ARRIVAL_CLEAR, /* or has it leave */
	ARRIVAL_GAP,   /* or goes on behind a gap */
	ARRIVAL_NEW_LOG
};

struct arrival {
	enum arrival_kind kind;
	int log;
	const struct event_record *record; /* NULL: of no record */
	int64_t next_offset;		   /* of the end; or where it goes on */
	int place;			   /* of a letter */
	int incarnation;		   /* of the log that it is of */
};

/* Both of two instances on one store tell what they gave here. */
struct arrivals {
	struct arrival *items;
	size_t count, room;
	size_t landed; /* durable, as far as the pipeline was told */
};

struct log_partition {
	const struct log *log; /* NULL: not started since the last restart */
	size_t next;	       /* records[next] comes next */
	int64_t highest;       /* behind all that was given or told of */
	struct trail trail;    /* of what was taken */
	bool paused;
	bool end_told;
	bool at_end;   /* and nothing came since: the store takes it so */
	bool unjudged; /* is it still the same log? */
	bool stopped;  /* it is not, or lacks what was not taken */
	/* Stops that were told of it: bits LOG_STOP_*. */
	unsigned stops;
	int64_t committed;	   /* the largest ever: durable, promise P4 */
	int committed_incarnation; /* the newest that was */
	int64_t kafka;		   /* what Kafka has of that */
	int64_t late; /* a commit that is still under way; 0: none */
};

#define LOG_STOP_LOST 1U
#define LOG_STOP_CHANGED 2U

#define LOG_WHY_BYTES 256

struct log_source {
	struct source source; /* first */
	struct clock clock;
	struct event_world *world;
	struct disk *disk; /* whose clock counts */
	struct chance chance;
	struct log_habits habits;
	/* No further apart, in record time, from one that was told to be at
	 * its end. */
	int64_t drift_us;
	int64_t produced_us; /* records up to here are in the log */
	int announced;
	int current; /* partition of the run of records under way */
	size_t run_left;
	int troubles_left;
	bool abandons;	    /* the window may be full */
	int64_t polls_left; /* it must come to its end within */
	struct log_partition partitions[EVENT_PARTITIONS];
	struct arrivals *arrivals; /* borrowed */
	char why[LOG_WHY_BYTES];   /* what must not be; "": nothing */
};

void log_source_init(struct log_source *log, struct event_world *world,
	struct disk *disk, struct arrivals *arrivals, uint64_t seed);

/* The process starts again: nothing is announced. */
void log_source_restart(struct log_source *log);

/* Did all come of the partitions that run, and is none in doubt? */
bool log_source_is_done(const struct log_source *log);
/* So many are stopped, for what is wrong with their logs. */
int log_source_stopped(const struct log_source *log);

/* Something else arrives at the store. */
void arrive(struct arrivals *arrivals, const struct arrival *arrival);

/* By topic and partition. */
int log_index(const char *topic, int partition);

/* Its clock, from that of the disk. */
struct clock *log_clock(struct log_source *log);

#endif
