/*
 * A run's world, and how it is looked at: what run.c and its neighbours share.
 */
#ifndef HOLDFAST_TESTS_SIMULATE_WORLD_H
#define HOLDFAST_TESTS_SIMULATE_WORLD_H

#include "schema/schema.h"
#include "store/store.h"
#include "tests/simulate/hand.h"
#include "tests/simulate/oracle.h"
#include "tests/simulate/run.h"

#include <stdatomic.h>

#define PATH_BYTES 512

struct world {
	const struct run_plan *plan;
	struct run_result *result;
	struct disk *disk;
	struct chance chance, secrets, hand_chance;
	struct hand hand;
	struct event_world events;
	struct arrivals arrivals;
	struct log_source log;
	struct oracle oracle;
	struct schema *schema;
	struct store *store;
	struct fault fault;
	char path[PATH_BYTES];
	int crashes_left;
	uint64_t window_bytes; /* raised where one partition alone fills it */
	bool tainted;	       /* the disk lied, or rotted: it may be refused */
	bool over;	       /* and was found, or was not */
	size_t taken_over;     /* arrivals when another owner had gone; or 0 */
	struct log_source rival; /* what that one reads */
	atomic_bool stop;	 /* the pipeline is asked to end */
	struct past *past;	 /* NULL: one generation, for good */
	bool goes_back;		 /* its turn, rather than another hand's */
};

/* The first violation counts. */
__attribute__((format(printf, 2, 3))) void violate(
	struct world *world, const char *format, ...);
bool is_violated(const struct world *world);

/* Does the store stand behind a beginning of what arrived, and hold what the
 * oracle makes of it? Nothing goes wrong while somebody looks. */
void world_check(struct world *world);

/* The same of a store that nobody reads yet, and of what arrived there; which
 * is cut to what it holds. */
void world_check_build(
	struct world *world, struct store *build, struct arrivals *arrivals);

/* How the store is opened. */
struct store_options world_options(const struct world *world);

/* Keys that are let go together: few, here. */
void world_prepare(struct store *store);

#endif
