/*
 * An operator who takes dead letters up, with force, or has them leave, and has
 * stopped partitions go on, at random moments.
 */
#ifndef HOLDFAST_TESTS_SIMULATE_HAND_H
#define HOLDFAST_TESTS_SIMULATE_HAND_H

#include "store/store.h"
#include "tests/simulate/log.h"

struct hand {
	struct store *store;
	struct log_source *log;
	struct chance *chance;
	unsigned percent; /* of turns */
};

/* What the pipeline asks (ingest/pipeline.h). */
bool hand_wants(struct hand *hand);
int hand_attend(struct hand *hand, struct fault *fault);

/* Have one go on that is stopped for what is wrong with its log. 1: there is
 * none. */
int hand_resume(struct hand *hand, struct fault *fault);

#endif
