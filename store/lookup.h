/*
 * Lookups with the whole truth: features of one or many entities, over one or
 * several views, from one snapshot, each value with its status.
 *
 * This is the one place where answers are made: HTTP, Feast's contract, `get`
 * and libholdfast only phrase questions and print answers.
 * Source: design section 7.
 */
#ifndef HOLDFAST_STORE_LOOKUP_H
#define HOLDFAST_STORE_LOOKUP_H

#include "schema/arena.h"
#include "schema/fault.h"
#include "store/position.h"
#include "store/reader.h"
#include "store/terms.h"

/* What is asked of one view. */
struct lookup_part {
	const struct view *view; /* of reader_schema() */
	const size_t *features;	 /* features[0..feature_count), in the view */
	size_t feature_count;
	/* entities[0..entity_count * view->key_count), row by row, all set.
	 * entity_count is the question's row_count, or 1: then that entity
	 * answers every row (one user, 500 items). */
	const struct value *entities;
	size_t entity_count;
};

struct lookup_question {
	const struct lookup_part *parts; /* parts[0..part_count) */
	size_t part_count;
	size_t row_count;
	struct terms terms;		 /* beside each view's own */
	const struct position *at_least; /* NULL: any state will do */
	int64_t now_us;			 /* wall clock, for lag and age */
};

struct lookup_value {
	struct value value;    /* VALUE_UNSET when missing or refused */
	int64_t event_time_us; /* of the stored value; TIMESTAMP_NONE: none */
	struct verdict verdict;
};

struct lookup_part_answer {
	const struct lookup_part *part;
	int64_t as_of_us; /* of this view; TIMESTAMP_NONE: never read whole */
	int64_t lag_us;	  /* or LAG_UNKNOWN; never negative */
	bool behind;	  /* beyond the terms' max_lag, or of a backup */
	enum value_reason why_behind;
	/* values[0..part->entity_count * part->feature_count) */
	const struct lookup_value *values;
	/* row_event_time_us[0..part->entity_count): largest of the entity's
	 * features', asked for or not; TIMESTAMP_NONE when it is not there */
	const int64_t *row_event_time_us;
};

struct lookup_answer {
	const char *generation;	  /* "g1" */
	int64_t as_of_us, lag_us; /* of the view that is furthest behind */
	struct slice position;	  /* of what feeds these views; a C string */
	const struct lookup_part_answer *parts; /* as in the question */
	size_t part_count;
	size_t refused; /* values the terms refuse: then nothing is served */
};

enum lookup_outcome {
	LOOKUP_ANSWERED = 0,
	LOOKUP_NOT_YET = 1 /* at_least is not taken: ask again, later */
};

/*
 * Answer from one snapshot. *out is in `arena` and valid as long as that is
 * not reset. Threads: as the reader.
 * Errors: FAULT_CORRUPT (a damaged row is never served, nor a view of which
 * damage is remembered), FAULT_IO, FAULT_BUSY, FAULT_OOM.
 */
int reader_look_up(struct reader *reader,
	const struct lookup_question *question, struct arena *arena,
	struct lookup_answer *out, struct fault *fault);

/* The values of row `row`, which may be shared by all rows. */
static inline const struct lookup_value *lookup_row(
	const struct lookup_part_answer *answer, size_t row)
{
	size_t entity = answer->part->entity_count == 1 ? 0 : row;
	return answer->values + entity * answer->part->feature_count;
}

/* The event time of row `row`. */
static inline int64_t lookup_row_event_time_us(
	const struct lookup_part_answer *answer, size_t row)
{
	size_t entity = answer->part->entity_count == 1 ? 0 : row;
	return answer->row_event_time_us[entity];
}

#endif
