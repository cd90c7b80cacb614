/*
 * What store/library*.c share: libholdfast's insides.
 */
#ifndef HOLDFAST_STORE_LIBRARY_INSIDE_H
#define HOLDFAST_STORE_LIBRARY_INSIDE_H

#include "store/holdfast.h"
#include "store/lookup.h"

/* An open store and the reader that reads it now. */
struct holdfast {
	struct reader *reader;
	char *path;
	uint32_t busy_timeout_ms;
	bool keeps; /* as reader_keep() */
	/* Counts readers: queries were resolved for one of them. */
	unsigned openings;
	bool distrusted;    /* the last lookup failed in a way that may stay */
	int64_t checked_us; /* wall clock of the last look at the link */
	struct holdfast_query *queries; /* a list, by their `next` */
};

/* A key, bound: values[0..count). Grows, never shrinks. */
struct binding {
	struct value *values;
	size_t count, capacity;
	char *text; /* what texts point into */
	size_t text_capacity;
	bool bound;
};

/* A part of every question and where its keys come from. */
struct query_part {
	const struct view *view; /* of the reader it was resolved for */
	size_t *features;	 /* in the view: features[0..feature_count) */
	size_t feature_count;
	size_t *keys; /* in the query: keys[0..key_count) */
	size_t key_count;
};

/* Where a feature's value stands in an answer. */
struct query_place {
	size_t part, column;
};

/* A feature in the schema of the reader it was resolved for. */
struct wanted {
	const struct view *view;
	size_t feature;
};

struct holdfast_query {
	struct holdfast *store;
	struct holdfast_query *next;
	struct arena memory;  /* lives as long as the query */
	struct arena scratch; /* until the next lookup; holds the answer */
	unsigned opening;     /* resolved for this reader of the store's */
	struct terms terms;
	/* features[0..feature_count), and of each what it is and its place */
	struct holdfast_feature *features;
	struct wanted *wanted;
	struct query_place *places;
	size_t feature_count;
	struct query_part *parts;
	size_t part_count;
	struct holdfast_key *keys;
	struct binding *bindings; /* bindings[0..key_count) */
	size_t key_count;
	struct fault misbound; /* the first wrong binding; code 0: none */
};

int64_t library_wall_us(void);

/* Hand `fault` over and return its code. `error` may be NULL. */
int library_failed(struct holdfast_error *error, const struct fault *fault);

/* Once a second: go on with another reader where the store was replaced. */
void library_keep_current(struct holdfast *store, int64_t now_us);

/* After a lookup: did another generation take the place of the one it read?
 * Then the store's reader is another one now, and the lookup is to be made
 * again. */
bool library_follow(struct holdfast *store);

/* Find what the query wants in the schema of the store's present reader.
 * Errors: FAULT_USAGE where that has it no more, or differently. */
int query_resolve(struct holdfast_query *query, struct fault *fault);

/* Hand out `found`, of `rows` rows, as *out, in the query's scratch memory.
 * HOLDFAST_OK or HOLDFAST_REFUSED. Errors: FAULT_OOM. */
int answer_put(struct holdfast_query *query, const struct lookup_answer *found,
	size_t rows, const struct holdfast_answer **out, struct fault *fault);

/* Free without taking it from the store's list. */
void query_destroy(struct holdfast_query *query);

#endif
