/*
 * A source that follows a script, and a clock that stands still but for it.
 *
 * The script is one list of steps for all partitions of one topic, in the order
 * in which a poll gives them. Records of a partition are numbered from 0 by the
 * script; those below the offset it was started at are left out, as a log
 * would.
 */
#ifndef HOLDFAST_TESTS_SCRIPT_SOURCE_H
#define HOLDFAST_TESTS_SCRIPT_SOURCE_H

#include "ingest/clock.h"
#include "ingest/source.h"

#include <stdatomic.h>

#define SCRIPT_PARTITIONS_MAX 8

/* Time passes with polls: a little with each, its timeout where it is idle. */
struct script_clock {
	struct clock clock; /* first */
	atomic_int_least64_t now_us;
};
void script_clock_init(struct script_clock *clock);

struct script_source {
	struct source source; /* first */
	struct script_step *steps;
	size_t step_count, next;
	const char *topic;
	struct script_clock *clock;
	bool until_end; /* done behind the last step, else idle */
	/* As a real log: a partition that is started anew gives its records
	 * and ends again from there, and while it is paused, none. */
	bool rewinds;
	uint32_t poll_us;  /* what a poll takes of the clock's time */
	atomic_bool *stop; /* set by script_stop_all() */
	/* What is durable of a log: what is committed must not be more. */
	int64_t (*durable)(void *payload, const struct log *log);
	void *payload;

	struct {
		const struct log *log;
		int64_t made;		/* records the script has */
		int64_t start_offset;	/* as started */
		const char *cluster_id; /* the same */
		int64_t committed;	/* the last; -1: none */
		size_t starts, commits; /* calls */
		bool paused;
	} partitions[SCRIPT_PARTITIONS_MAX];
	int64_t record_time_us;
	size_t awaiting; /* polls spent on script_await() */
	int ordered;
};

/* The caller sets topic, clock and what else it wants before the first poll;
 * source_close() frees the steps, not the struct. */
void script_init(struct script_source *script);

/* As a real log that is followed: idle at its end, and it rewinds; of topic
 * `alpha`, with a clock of its own. */
void script_follow(struct script_source *script, struct script_clock *clock);

/* For tests of a source that wraps one. Start a log at `offset`, of which
 * nothing more is known. The next event that is not idle; SOURCE_IDLE: there is
 * none. */
void script_begin(struct source *source, const struct log *log, int64_t offset);
int script_next(struct source *source, struct source_event *event);

void script_announce(struct script_source *script, int32_t partition);
/* A record; `value` is copied, its timestamp is the clock's start. */
void script_record(
	struct script_source *script, int32_t partition, const char *value);
/* So many offsets that hold nothing. */
void script_gap(struct script_source *script, int32_t partition, int64_t count);
void script_end(struct script_source *script, int32_t partition);
void script_stop(
	struct script_source *script, int32_t partition, const char *why);
void script_notice(struct script_source *script, const char *text);
void script_idle(struct script_source *script); /* one poll finds nothing */
/* Nothing more until all records of the partition so far are committed; fails
 * the test when that takes too many polls. */
void script_await(struct script_source *script, int32_t partition);
void script_stop_all(struct script_source *script); /* as a signal would */
void script_break(struct script_source *script);    /* FAULT_BROKER */
/* script_ordered() says so until the step behind it is polled. */
void script_order(struct script_source *script, int order);
int script_ordered(const struct script_source *script);

/* Record timestamps from here on, instead of the clock's start. */
void script_record_time(struct script_source *script, int64_t time_us);

/* When script_init() began; record timestamps are this. */
#define SCRIPT_TIME_US INT64_C(1795422048000000)

#endif
