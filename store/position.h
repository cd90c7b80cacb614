/*
 * Positions: how far each partition was taken, as a text that travels.
 *
 * Every answer carries one; a request that brings it back as `at_least` is
 * answered from a state that holds at least as much: read your write, and
 * monotonic reads across replicas. To callers it is opaque. The form is
 *
 *     payments.v1:0:182,1:99,refunds:0:5
 *
 * topic:partition:next_offset, a topic left out where it is the one before;
 * bytes of a topic outside [A-Za-z0-9._-] percent-encoded; an incarnation other
 * than 0 behind the partition, as 3@1. It holds no number of the store's own,
 * so another store of the same log understands it.
 */
#ifndef HOLDFAST_STORE_POSITION_H
#define HOLDFAST_STORE_POSITION_H

#include "schema/arena.h"
#include "schema/buffer.h"
#include "schema/fault.h"
#include "store/store.h"

#define POSITION_ENTRIES_MAX 10000 /* partitions of one store, generously */

struct position_entry {
	struct slice topic; /* decoded */
	int32_t partition;
	uint32_t incarnation;
	int64_t next_offset;
};

struct position {
	const struct position_entry *entries; /* entries[0..count) */
	size_t count;
};

/* Append `partition`'s entry; `previous` is the one printed before it, or
 * NULL. */
void position_print(struct buffer *out, const struct store_partition *partition,
	const struct store_partition *previous);

/* Parse into *out, in `arena`; an empty text is the position that everything
 * has taken. Errors: FAULT_USAGE (no position), FAULT_OOM. */
int position_parse(struct slice text, struct arena *arena, struct position *out,
	struct fault *fault);

/* Does a store whose partitions are partitions[0..count) hold as much? A newer
 * incarnation than the entry's holds all of it; a partition it does not know
 * holds nothing. */
bool position_taken(const struct position *position,
	struct store_partition *const *partitions, size_t count);

#endif
