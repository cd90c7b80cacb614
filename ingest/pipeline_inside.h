/*
 * What pipeline.c, pipeline_partitions.c and pipeline_window.c share: the
 * pipeline's insides.
 */
#ifndef HOLDFAST_INGEST_PIPELINE_INSIDE_H
#define HOLDFAST_INGEST_PIPELINE_INSIDE_H

#include "ingest/caution.h"
#include "ingest/pipeline.h"
#include "ingest/stages.h"
#include "store/decisions.h"

#define PIPELINE_WAIT_MS 100 /* how long a stop signal may go unseen */

enum course {
	COURSE_RUNS,
	COURSE_HELD,	    /* stopped in the store: paused at the source */
	COURSE_NOT_STARTED, /* it was stopped when the source announced it */
	COURSE_STOPPED	    /* the source found why */
};

enum window_hold {
	WINDOW_HOLD_NONE,
	WINDOW_HOLD_AHEAD, /* waits for who is behind */
	WINDOW_HOLD_ALONE  /* nobody is */
};

struct pipeline_partition {
	const struct log *log; /* its newest incarnation */
	int64_t log_start;     /* as announced */
	enum course course;
	bool judged; /* a stop stands in the store that was found once: gone
			when a record or the end comes */
	bool well;   /* it came */
	enum window_hold window_hold; /* held for the key window, unless
					 somebody resumed it since */
	bool brought; /* records of the last batch that the window had no room
			 for */
};

struct pipeline {
	const struct pipeline_options *options;
	struct stages *stages;
	struct caution caution;
	struct pipeline_result result;
	struct pipeline_partition *partitions; /* in order of announcement */
	size_t partition_count;
	size_t stopped;		 /* of them, by the source */
	size_t judged;		 /* of them, and not well yet */
	size_t well;		 /* of them, and their stop still stands */
	struct fault first_stop; /* why the first one stopped */
	struct arena arena;	 /* of one question to the store */
	struct store_announced *announced; /* and not started yet */
	size_t announced_count;
	struct arena names; /* theirs */
	bool done;	    /* the source has no more */
	bool window_full;   /* a batch did not fit: pipeline_window_clear()
			       comes before the next poll */
	bool to_the_brim;   /* store_batch's, of what is sent */
	size_t window_held; /* partitions with a window_hold */
	int64_t window_us;  /* monotonic: when it was last looked at */
	bool attended;	    /* to a want, in the turn before */
	bool leaves;	    /* the store is another one now */
};

void pipeline_tell(struct pipeline *pipeline, const char *text);

/* Send what is there and wait for it: then the store may be touched.
 * Errors: those of the batches. */
int pipeline_settle(struct pipeline *pipeline, struct fault *fault);

/* A partition the source announced, or stopped. Errors: as pipeline_run(). */
int pipeline_start(struct pipeline *pipeline, const struct source_event *event,
	struct fault *fault);
int pipeline_stop(struct pipeline *pipeline, const struct source_event *event,
	struct fault *fault);

/* By the source, and there are some. */
bool pipeline_all_stopped(const struct pipeline *pipeline);

/* Something of `log` came: what was found wrong with it once is over. */
void pipeline_runs_well(struct pipeline *pipeline, const struct log *log);

/* Take the stops of those partitions out of the store. */
int pipeline_clear_stops(struct pipeline *pipeline, struct fault *fault);

/* Look at every stop again, while nothing is in flight: the store was in other
 * hands. */
int pipeline_review(struct pipeline *pipeline, struct fault *fault);

/* NULL: it was never announced. */
struct pipeline_partition *pipeline_find(
	struct pipeline *pipeline, const struct log *log);

/* While nothing is in flight. Start one that runs again, where the store is;
 * stop one that runs; let one that was stopped so go on.
 * Errors: as pipeline_run(). */
int pipeline_start_again(struct pipeline *pipeline,
	struct pipeline_partition *partition, struct fault *fault);
int pipeline_hold(struct pipeline *pipeline,
	struct pipeline_partition *partition, const struct store_stop *stop,
	struct fault *fault);
int pipeline_release(struct pipeline *pipeline,
	struct pipeline_partition *partition, struct fault *fault);

/* Are there partitions that take no records? Errors: FAULT_LOG says which and
 * what to run; those of the store. */
int pipeline_name_held(struct pipeline *pipeline, struct fault *fault);

/* `flight` found the key window full: it and all behind it are abandoned. */
void pipeline_window_is_full(
	struct pipeline *pipeline, const struct flight *flight);

/* Then say who waits, and take what was abandoned again. Errors: as
 * pipeline_run(). */
int pipeline_window_clear(struct pipeline *pipeline, struct fault *fault);

/* Once a second while partitions wait for the window: may they go on? Also when
 * the source is done with the others; then it may not be done after all. */
int pipeline_window_look(struct pipeline *pipeline, struct fault *fault);

#endif
