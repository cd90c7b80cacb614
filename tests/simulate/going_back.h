/*
 * What operators do to builds of the store: another one is built from the log
 * or from a backup, takes the live one's place, is rolled back, dropped; and
 * backups are made. At random moments of a run, each as one step between two
 * batches, through every crash that comes.
 *
 * Each build has its own order of arrival: what the oracle holds it against.
 */
#ifndef HOLDFAST_TESTS_SIMULATE_GOING_BACK_H
#define HOLDFAST_TESTS_SIMULATE_GOING_BACK_H

#include "tests/simulate/world.h"

#define PAST_GENERATIONS 32 /* more are not built in one run */
#define PAST_BACKUPS 4

enum completeness {
	PAST_NOT,
	PAST_MAYBE, /* it died when it was to be told */
	PAST_COMPLETE
};

struct past_generation {
	bool exists;
	enum completeness complete;
	int64_t nexts[EVENT_PARTITIONS]; /* when it was last looked at */
	struct arrivals arrivals;	 /* of the live one it is the log's */
};

struct past_backup {
	bool made;
	struct arrivals arrivals; /* what it holds, and more perhaps */
};

struct past {
	struct chance chance;
	int steps_left;
	unsigned percent;   /* of turns */
	int live;	    /* its number; 0: nothing was opened yet */
	int turning_to;	    /* may be live at the next start; 0: none */
	bool turning_stops; /* and then takes nothing */
	bool stands;	    /* rolled back, and not resumed, at: */
	int64_t stands_at[EVENT_PARTITIONS];
	bool may_stand; /* partitions: rolled back, and not resumed */
	struct past_generation generations[PAST_GENERATIONS];
	struct past_backup backups[PAST_BACKUPS]; /* "b0", "b1", ... */
	size_t backups_begun;
};

/* NULL: no memory. */
struct past *past_new(uint64_t seed, int steps, unsigned percent);
void past_free(struct past *past); /* NULL is allowed */

/* The store was opened: it must be one of those that may be live now. */
void past_started(struct world *world);

/* Take records again, after a rollback. 1: nothing is rolled back. Errors: as
 * store_resume_partition(). */
int past_resume(struct world *world, struct fault *fault);

/* What the pipeline asks (ingest/pipeline.h). */
bool past_wants(struct world *world);
int past_attend(struct world *world, struct fault *fault);

#endif
