/*
 * A source that notes what it gives: the order of arrival at the build that
 * takes from it.
 */
#ifndef HOLDFAST_TESTS_SIMULATE_NOTED_H
#define HOLDFAST_TESTS_SIMULATE_NOTED_H

#include "ingest/source.h"
#include "tests/simulate/log.h"

struct noted_source {
	struct source source; /* first */
	struct source *inner; /* not owned */
	const struct event_world *world;
	struct arrivals *arrivals;
};

/* All but the source itself is borrowed, for its life. */
void noted_source_init(struct noted_source *noted, struct source *inner,
	const struct event_world *world, struct arrivals *arrivals);

#endif
