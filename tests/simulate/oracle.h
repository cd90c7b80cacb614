/*
 * The oracle: what design.md says becomes of records, taken one by one in order
 * of arrival. Naive, and shares no code with schema/ or store/.
 *
 * Keys are never let go here: a copy beyond the window is a new event by the
 * rule alone.
 */
#ifndef HOLDFAST_TESTS_SIMULATE_ORACLE_H
#define HOLDFAST_TESTS_SIMULATE_ORACLE_H

#include "tests/simulate/event.h"

#include <sqlite3.h>

struct oracle_version {
	int64_t time_us;
	int log, incarnation;
	int64_t offset;
	int place;
};

struct oracle_row {
	bool has_floor;
	struct oracle_version floor;
	bool has[EVENT_FEATURES];
	int64_t value[EVENT_FEATURES];
	struct oracle_version version[EVENT_FEATURES];
};

enum oracle_fate {
	ORACLE_APPLIED,
	ORACLE_SUPERSEDED,
	ORACLE_DUPLICATE,
	ORACLE_PARKED,
	ORACLE_DEAD,
	ORACLE_FATES
};

struct oracle_account {
	int64_t first, next, lost, taken, gaps, skipped, updates, redelivered,
		late, cleared;
	int64_t fates[ORACLE_FATES];
};

/* Of a dead or parked update. */
struct oracle_letter {
	int log, incarnation;
	int64_t offset;
	int place;
	const char *reason;
	bool parked, overtaken;
	bool left;    /* settled by retry, or cleared */
	bool retried; /* is being taken up */
};

struct oracle_holder {
	const struct event *event; /* NULL: it gave its key back */
	int64_t time_us;	   /* of its record */
	long letter;		   /* of a dead one, else -1 */
	bool stays; /* dead or parked: as long as its row lives */
};

struct oracle {
	int64_t window_us;
	int64_t decisions; /* of operators */
	struct oracle_row rows[EVENT_VIEWS][EVENT_ENTITIES];
	struct oracle_account accounts[EVENT_PARTITIONS][EVENT_INCARNATIONS];
	int incarnations[EVENT_PARTITIONS]; /* the newest */
	struct oracle_letter *letters;
	size_t letter_count, letter_room;
	struct oracle_holder *holders;
	size_t holder_count, holder_room;
};

void oracle_init(struct oracle *oracle, int64_t window_us);
void oracle_finish(struct oracle *oracle);

/* A record arrives. */
void oracle_take(
	struct oracle *oracle, int log, const struct event_record *record);
/* The log was read to its end there. */
void oracle_end(struct oracle *oracle, int log, int64_t next_offset);

/* An operator takes the letter of that update up, with force; or has it leave.
 */
void oracle_retry(struct oracle *oracle, int log, int incarnation,
	const struct event_record *record, int place);
void oracle_clear(struct oracle *oracle, int log, int incarnation,
	int64_t offset, int place);

/* An operator goes on behind a gap; or with another log, from there: of each
 * partition EVENT_INCARNATIONS - 1 times at most. */
void oracle_accept_gap(struct oracle *oracle, int log, int64_t next_offset);
void oracle_new_log(struct oracle *oracle, int log, int64_t first_offset);

/* What the store's file holds against what it should. "" where it agrees, else
 * what differs, in why[0..size). */
void oracle_compare(
	const struct oracle *oracle, sqlite3 *db, char *why, size_t size);

#endif
