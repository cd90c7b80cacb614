/*
 * Where a store stands: its offsets, and the digests of its views there, as of
 * one snapshot. Two that stand at the same offsets can be compared.
 */
#ifndef HOLDFAST_INGEST_COMMAND_STANDING_H
#define HOLDFAST_INGEST_COMMAND_STANDING_H

#include "store/reader.h"

struct standing_place {
	const char *topic;
	int32_t partition;
	uint32_t incarnation;
	int64_t first_offset, next_offset;
	int64_t as_of_us;
};

struct standing_view {
	const char *name;
	struct digest digest;
};

struct standing {
	struct standing_place *places; /* places[0..place_count) */
	size_t place_count;
	struct standing_view *views; /* views[0..view_count) */
	size_t view_count;
	struct digest digest;	 /* of all */
	int64_t parked, cleared; /* updates, letters */
};

/* All of it is in `arena`, and outlives the reader. Errors: as
 * reader_summary(). */
int standing_read(struct standing *out, struct reader *reader,
	struct arena *arena, struct fault *fault);

/* Has `a` taken anything that `b` has not? */
bool standing_is_ahead(const struct standing *a, const struct standing *b);

/*
 * Can the log take `behind` to where `ahead` is? Errors: FAULT_REFUSED: not
 * what came from a file that was loaded, or from a log that is gone.
 */
int standing_can_follow(const struct standing *behind,
	const struct standing *ahead, struct fault *fault);

#endif
