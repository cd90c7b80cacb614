/*
 * Feeds: which partitions a view's events come from, and so how far behind the
 * view is.
 */
#ifndef HOLDFAST_STORE_FEEDS_H
#define HOLDFAST_STORE_FEEDS_H

#include "schema/buffer.h"
#include "schema/schema.h"
#include "store/partitions.h"

struct feed {
	/* partitions[0..count): newest incarnations, by topic and number */
	struct store_partition **partitions;
	size_t count;
	bool complete; /* every source of the view was read */
};

struct feeds {
	struct feed *views;	/* by index in the schema */
	struct feed all;	/* of every view */
	size_t partition_count; /* they were made for so many */
	struct arena memory;
};

/* Bring them up to date: does nothing while there are no more partitions.
 * Errors: FAULT_OOM. */
int feeds_update(struct feeds *feeds, const struct schema *schema,
	const struct partitions *partitions, struct fault *fault);
void feeds_finish(struct feeds *feeds);

/* The moment up to which everything is taken: the earliest of the partitions';
 * TIMESTAMP_NONE when something was never read. */
int64_t feed_as_of_us(const struct feed *feed);

/* Append the feed's position (store/position.h). */
void feed_position(const struct feed *feed, struct buffer *out);

#endif
