/*
 * What schema/schema_diff.c and schema_diff_source.c share.
 */
#ifndef HOLDFAST_SCHEMA_SCHEMA_COMPARE_H
#define HOLDFAST_SCHEMA_SCHEMA_COMPARE_H

#include "schema/schema_diff.h"

struct diff {
	const struct schema *held, *wanted;
	struct arena *arena;
	struct schema_change *changes;
	size_t count, room, refused;
	bool failed; /* out of memory */
};

/* One more. `what` NULL: out of memory, which is remembered. */
void diff_add(struct diff *diff, const char *why, const char *what);

/* Topics, and how they map onto views. */
void diff_sources(struct diff *diff);

#endif
