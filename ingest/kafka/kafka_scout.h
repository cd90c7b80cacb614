/*
 * The scout: a thread that asks the cluster what polling must not wait for.
 *
 * It finds partitions, at once and then every `metadata_refresh_ms`, and judges
 * logs when it is asked to. Its clients are its own and live for one look
 * only. Whatever it waits for, the polling thread goes on. Internal to
 * ingest/kafka/.
 */
#ifndef HOLDFAST_INGEST_KAFKA_KAFKA_SCOUT_H
#define HOLDFAST_INGEST_KAFKA_KAFKA_SCOUT_H

#include "ingest/kafka/kafka_config.h"
#include "ingest/kafka/kafka_survey.h"

struct kafka_scout; /* opaque */

struct kafka_scout_options {
	struct kafka_settings settings; /* borrowed during the call */
	const char *group_id;		/* borrowed during the call */
	const char *const *topics;	/* topics[0..topic_count), copied */
	size_t topic_count;
	uint32_t metadata_refresh_ms;
	/* Called when an answer is there, from the scout's thread. */
	void (*wake)(void *payload);
	void *payload;
};

/* On success the caller owns *out, on failure it is NULL. Errors: FAULT_USAGE,
 * FAULT_OOM. */
int kafka_scout_open(struct kafka_scout **out,
	const struct kafka_scout_options *options, struct fault *fault);

/* Have a log judged; copies. Errors: FAULT_OOM. */
int kafka_scout_ask(struct kafka_scout *scout,
	const struct kafka_question *question, struct fault *fault);

/* Take an answer; cheap while there is none. Errors: FAULT_OOM, of the scout's
 * own thread, which has ended then. */
#define KAFKA_SCOUT_NOTHING 0
#define KAFKA_SCOUT_ANSWER 1
int kafka_scout_take(struct kafka_scout *scout, struct kafka_answer *answer,
	struct fault *fault);

/* Wait up to `timeout_ms` for the thread to end; one that still waits for a
 * broker then is left to end by itself. NULL is allowed. */
void kafka_scout_close(struct kafka_scout *scout, int64_t timeout_ms);

#endif
