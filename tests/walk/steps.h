/*
 * Steps of which chapters are made. Results: 0, or a fault in stage->fault.
 */
#ifndef HOLDFAST_TESTS_WALK_STEPS_H
#define HOLDFAST_TESTS_WALK_STEPS_H

#include "store/generation_diff.h"
#include "store/generations.h"
#include "tests/walk/stage.h"

#define STEP_LETTERS 16 /* more than there are */

/* A store that took all there is. */
int step_take_all(struct stage *stage);

/* All features of two cards, of which one is there; twice, of both kinds. */
int step_look_up(struct stage *stage);

/* Through the open reader, as replay and why do it. */
int step_trace(struct stage *stage);

/* Dead letters leave with `clear`. */
int step_retry(struct stage *stage, enum letter_kind kind, const int64_t *ids,
	int count, bool clear);

/* What operators hold back: card:spend stays so. */
int step_hold(struct stage *stage);

/* Partition 0 of a topic is stopped for `reason`, asked about, and, unless
 * `end` is NULL, taken up again by it. */
int step_stop(struct stage *stage, int topic, const char *reason,
	int (*end)(struct store *, const struct log *, const struct decision *,
		struct fault *));

/* One named by its time, kept as the only one. */
int step_backup(struct stage *stage);

/* A generation beside the live one. */
struct building {
	struct store_build build;
	int first, end;		  /* batches: first to before end */
	bool carries;		  /* what the live one has beside the log */
	const char *view;	  /* which alone is built; NULL: all */
	int64_t forget_before_us; /* 0: no delete is forgotten */
};
int step_build(struct stage *stage, const struct building *building);

/* The live generation with another. `options` may be NULL. */
int step_compare(struct stage *stage, const char *generation,
	const struct diff_options *options);

/* The generation made last, in the stage's arena. */
int step_newest(struct stage *stage, const char **newest);

/* A schema that goes in place, and takes its place. */
extern const char *const step_schema_text;
int step_change_schema(struct stage *stage);

#endif
