/*
 * holdfast why: what is known of an entity, gathered by why.c and printed by
 * why_text.c.
 */
#ifndef HOLDFAST_INGEST_COMMAND_WHY_H
#define HOLDFAST_INGEST_COMMAND_WHY_H

#include "ingest/replay.h"
#include "store/letter_list.h"

#define WHY_LETTERS_MAX 1000 /* of one entity; more are counted */

struct why {
	const char *generation;
	const struct view *view;
	const struct value *entity; /* entity[0..view->key_count) */
	size_t feature; /* only this one; view->feature_count: all */
	bool found;
	struct row row;
	/* Of the features that are set, in the view's order, and last, where
	 * there is one, of the floor: keys[0..key_count). */
	struct trace_key *keys;
	size_t key_count;
	const struct reader_hold *holds; /* that act on it */
	size_t hold_count;
	struct letter_whole *letters; /* of it: dead, then parked */
	size_t letter_count;
	int64_t letters_more;  /* not kept for want of room */
	int64_t letters_whole; /* of records that could not be decoded */
};

void why_print(const struct why *why);

/* The object up to, not with, its end: "log" may follow. */
void why_print_json(const struct why *why);

/* One event of it in the log. */
void why_print_event(const struct why *why, const struct replay_update *update,
	bool json, bool first);

/* Is the feature one that is asked for? */
static inline bool why_wants(const struct why *why, size_t feature)
{
	return why->feature == why->view->feature_count ||
	       why->feature == feature;
}

#endif
