/*
 * Feeds: which partitions a view's events come from, and so how far behind the
 * view is.
 */
#ifndef HOLDFAST_STORE_FEEDS_H
#define HOLDFAST_STORE_FEEDS_H

#include "schema/arena.h"
#include "schema/schema.h"
#include "store/partitions.h"

struct feed {
	/* partitions[0..count): newest incarnations, by topic and number */
	struct store_partition **partitions;
	size_t count;
	bool complete;	       /* every source of the view was read */
	struct slice position; /* as a text; absent until somebody asks */
};

struct feeds {
	struct feed *views;	/* by index in the schema */
	struct feed all;	/* of every view */
	size_t partition_count; /* they were made for so many */
	size_t view_count;
	struct arena memory;
	struct arena texts; /* positions, as of the last update */
};

/* Bring them up to date with partitions that were read again.
 * Errors: FAULT_OOM. */
int feeds_update(struct feeds *feeds, const struct schema *schema,
	const struct partitions *partitions, struct fault *fault);
void feeds_finish(struct feeds *feeds);

/* The moment up to which everything is taken: the earliest of the partitions';
 * TIMESTAMP_NONE when something was never read. */
int64_t feed_as_of_us(const struct feed *feed);

/* The feed's position (store/position.h), a C string until the next update:
 * printed once for the many lookups between two batches. Absent: out of
 * memory. */
struct slice feeds_position(struct feeds *feeds, struct feed *feed);

#endif
