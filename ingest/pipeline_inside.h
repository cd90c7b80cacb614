/*
 * What pipeline.c and pipeline_partitions.c share: the pipeline's insides.
 */
#ifndef HOLDFAST_INGEST_PIPELINE_INSIDE_H
#define HOLDFAST_INGEST_PIPELINE_INSIDE_H

#include "ingest/pipeline.h"
#include "ingest/stages.h"

#define PIPELINE_WAIT_MS 100 /* how long a stop signal may go unseen */

enum course {
	COURSE_RUNS,
	COURSE_HELD,	    /* stopped in the store: paused at the source */
	COURSE_NOT_STARTED, /* it was stopped when the source announced it */
	COURSE_STOPPED	    /* the source found why */
};

struct pipeline_partition {
	const struct log *log; /* its newest incarnation */
	int64_t log_start;     /* as announced */
	enum course course;
	bool judged; /* a stop stands in the store that was found once: gone
			when a record or the end comes */
	bool well;   /* it came */
};

struct pipeline {
	const struct pipeline_options *options;
	struct stages *stages;
	struct pipeline_result result;
	struct pipeline_partition *partitions; /* in order of announcement */
	size_t partition_count;
	size_t stopped;		 /* of them, by the source */
	size_t judged;		 /* of them, and not well yet */
	size_t well;		 /* of them, and their stop still stands */
	struct fault first_stop; /* why the first one stopped */
	struct arena arena;	 /* of one question to the store */
	bool done;		 /* the source has no more */
	bool attended;		 /* to a want, in the turn before */
	bool leaves;		 /* the store is another one now */
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

/* Something of `log` came: what was found wrong with it once is over. */
void pipeline_runs_well(struct pipeline *pipeline, const struct log *log);

/* Take the stops of those partitions out of the store. */
int pipeline_clear_stops(struct pipeline *pipeline, struct fault *fault);

/* Look at every stop again, while nothing is in flight: the store was in other
 * hands. */
int pipeline_review(struct pipeline *pipeline, struct fault *fault);

#endif
