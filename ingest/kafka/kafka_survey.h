/*
 * Which partitions are there, and which of them are new?
 *
 * Waits for answers, and so belongs to the scout's thread (kafka_scout.h).
 * Internal to ingest/kafka/.
 */
#ifndef HOLDFAST_INGEST_KAFKA_KAFKA_SURVEY_H
#define HOLDFAST_INGEST_KAFKA_KAFKA_SURVEY_H

#include "ingest/kafka/kafka_identity.h"
#include "ingest/kafka/kafka_topic.h"

enum kafka_answer_kind {
	ANSWER_PARTITION, /* a partition that was not announced before */
	ANSWER_COMPLETE,  /* all partitions of all topics were found */
	ANSWER_JUDGEMENT, /* of a question */
	ANSWER_NOTICE,	  /* judgement.fault tells */
	ANSWER_TROUBLE	  /* the same, and again while it lasts */
};

struct kafka_answer {
	enum kafka_answer_kind kind;
	size_t topic_index;
	int32_t partition;
	int64_t low, high;	      /* PARTITION */
	int64_t committed;	      /* PARTITION, by our group; or -1 */
	struct kafka_cleanup cleanup; /* PARTITION: what its log keeps */
	bool more;		      /* PARTITION: another follows at once */
	uint64_t life;		      /* JUDGEMENT, as in the question */
	struct kafka_judgement judgement; /* PARTITION: the cluster's id only */
};

/* Takes an answer; copies. Errors: FAULT_OOM. */
typedef int (*kafka_give)(
	void *payload, const struct kafka_answer *answer, struct fault *fault);

struct kafka_survey {
	struct kafka_surveyed *topics; /* topics[0..topic_count) */
	size_t topic_count;
	bool complete;		  /* was given */
	const atomic_bool *stop;  /* end a look early, with what there is */
	const atomic_bool *hurry; /* put off what can wait for another look */
};

/* Copies the names; `stop` and `hurry` are the caller's to set. Errors:
 * FAULT_OOM; call kafka_survey_finish() all the same. */
int kafka_survey_init(struct kafka_survey *survey, const char *const *topics,
	size_t topic_count, struct fault *fault);
void kafka_survey_finish(struct kafka_survey *survey);

/* A topic's name, for the survey's life. */
const char *kafka_survey_topic(const struct kafka_survey *survey, size_t index);

/* Look once, and give what is new: partitions, what a topic lacks, that all is
 * found. 1: something is missing, look again soon. Errors: FAULT_OOM. */
int kafka_survey_look(struct kafka_survey *survey, const rd_kafka_conf_t *conf,
	kafka_give give, void *payload, struct fault *fault);

/* Topics that were found and of which nobody asked yet whether they bound their
 * producers' clocks. Asking warns of those that don't. A broker that does not
 * know the question takes seconds a topic: first what partitions wait for, and
 * what is left when `hurry` is set stays due. Errors: FAULT_OOM. */
bool kafka_survey_clocks_due(const struct kafka_survey *survey);
int kafka_survey_judge_clocks(struct kafka_survey *survey,
	const rd_kafka_conf_t *conf, kafka_give give, void *payload,
	struct fault *fault);

#endif
