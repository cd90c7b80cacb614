/*
 * Records that ended the process, as a generation knows them: those of its
 * letters that are there as crash_loop, one that was found and is not taken
 * yet, and those that another generation knew before this one took its place
 * at lower offsets. Whoever else takes the same log must not look into them
 * either.
 *
 * Threads: culprits_hold() on any, while nobody reads.
 */
#ifndef HOLDFAST_STORE_CULPRITS_H
#define HOLDFAST_STORE_CULPRITS_H

#include "store/letter.h"
#include "store/reader.h"

#define CULPRIT_ANY_LOG (-1)

struct culprit {
	const char *topic;
	int32_t partition;
	int64_t incarnation; /* CULPRIT_ANY_LOG: generations count theirs */
	int64_t offset;
};

struct culprits {
	/* items[0..count): few, since each took some twenty starts to find */
	struct culprit *items;
	size_t count, capacity;
	int64_t seen[2]; /* by enum letter_kind: the newest letter looked at */
	struct arena names;
};

#define CULPRITS_INIT                                                          \
	{                                                                      \
		.names = ARENA_INIT                                            \
	}

/* Add those that the generation under `reader` came to know since, of the
 * newest log of each partition. Always the same generation.
 * Errors: as reader_get(), FAULT_OOM. */
int culprits_read(
	struct culprits *culprits, struct reader *reader, struct fault *fault);

/* Is it one of them? */
bool culprits_hold(
	const struct culprits *culprits, const struct record *record);

void culprits_finish(struct culprits *culprits);

#endif
