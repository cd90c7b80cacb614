/*
 * What two generations of a store hold differently: entities that only one of
 * them has, and features whose values differ.
 */
#ifndef HOLDFAST_STORE_GENERATION_DIFF_H
#define HOLDFAST_STORE_GENERATION_DIFF_H

#include "store/reader.h"

/* A feature of an entity, by the views of both. Borrowed during the call. */
struct difference {
	const struct view *view;    /* of the left one */
	const struct value *entity; /* entity[0..view->key_count) */
	/* NULL: that one's entity, or view, does not have it. */
	const struct feature *left_feature, *right_feature;
	const struct cell *left, *right;
	bool by_schema;	  /* the feature is not the same in both schemas */
	bool by_decision; /* else: somebody's decision explains it */
};

/* Are entities named by the same keys? Else they are other entities. */
bool views_same_keys(const struct view *a, const struct view *b);

struct diff_view {
	const char *name;
	bool only_left, only_right; /* by the schemas; nothing is counted */
	int64_t same;		    /* entities */
	int64_t left, right;	    /* entities that only this one has */
	int64_t differing;	    /* entities that both have */
	int64_t features;	    /* of these, that differ */
	int64_t by_schema;	    /* of these, that are not the same in both
				       schemas */
	int64_t by_decision;	    /* of the others, that one explains */
	int64_t left_deleted, right_deleted;
};

struct diff {
	const struct diff_view *views; /* views[0..count) */
	size_t count;
};

struct diff_options {
	const char *view; /* only this one; NULL: all */
	/* Both are open, each on one snapshot from here on. */
	int (*begun)(void *payload, struct fault *fault);
	/* Does a decision explain it? Asked of what the schemas don't explain.
	 * NULL: none does. */
	bool (*decided)(void *payload, const struct difference *difference);
	/* Told of each; an entity that only one has is told by its features.
	 */
	void (*differs)(void *payload, const struct difference *difference);
	void *payload;
};

/*
 * Compare them view by view, into `arena`: the left one's views, then those
 * that only the right one has, by names that are the readers'. Takes as long as
 * reading all rows of both. Errors: as reader_get(), those of `begun`.
 */
int readers_compare(struct reader *left, struct reader *right,
	const struct diff_options *options, struct arena *arena,
	struct diff *out, struct fault *fault);

#endif
