#include "ingest/kafka/kafka_survey.h"

#include "ingest/kafka/kafka_client.h"
#include "ingest/kafka/kafka_discovery.h"
#include "ingest/kafka/kafka_topic.h"

#include <stdlib.h>
#include <string.h>

/* One topic, as far as it was found. */
struct kafka_surveyed {
	char *name;
	bool *found; /* found[0..capacity), by partition */
	size_t capacity;
	bool whole;    /* in the last look: all partitions */
	bool reported; /* why it was not found */
	bool judged;   /* whether it bounds its producers' clocks */
	struct kafka_cleanup cleanup; /* as of the newest partition */
	int cleanup_tries;	      /* in vain, in a row */
};

/* So often it is asked what a topic keeps, a second apart, before its
 * partitions go on without an answer. */
#define CLEANUP_TRIES 5

/* One look at the cluster. */
struct look {
	struct kafka_survey *survey;
	rd_kafka_t *client;
	kafka_give give;
	void *payload;
};

int kafka_survey_init(struct kafka_survey *survey, const char *const *topics,
	size_t topic_count, struct fault *fault)
{
	*survey = (struct kafka_survey){.topic_count = topic_count};
	survey->topics = calloc(topic_count, sizeof survey->topics[0]);
	for (size_t i = 0; survey->topics != NULL && i < topic_count; i++) {
		survey->topics[i].name = strdup(topics[i]);
		if (survey->topics[i].name == NULL)
			return fault_set(
				fault, FAULT_OOM, "no memory for topics");
	}
	if (survey->topics == NULL)
		return fault_set(fault, FAULT_OOM, "no memory for topics");
	return 0;
}

void kafka_survey_finish(struct kafka_survey *survey)
{
	for (size_t i = 0; survey->topics != NULL && i < survey->topic_count;
		i++) {
		free(survey->topics[i].name);
		free(survey->topics[i].found);
	}
	free(survey->topics);
	*survey = (struct kafka_survey){0};
}

const char *kafka_survey_topic(const struct kafka_survey *survey, size_t index)
{
	return survey->topics[index].name;
}

static int give_text(const struct look *look, enum kafka_answer_kind kind,
	const struct fault *text, struct fault *fault)
{
	struct kafka_answer given = {.kind = kind};
	given.judgement.fault = *text;
	return look->give(look->payload, &given, fault);
}

static int make_room(
	struct kafka_surveyed *topic, int32_t partition, struct fault *fault)
{
	size_t wanted = (size_t)partition + 1;
	if (wanted <= topic->capacity)
		return 0;
	bool *found = realloc(topic->found, wanted * sizeof *found);
	if (found == NULL)
		return fault_set(fault, FAULT_OOM,
			"no memory for partitions of %s", topic->name);
	memset(found + topic->capacity, 0,
		(wanted - topic->capacity) * sizeof *found);
	topic->found = found;
	topic->capacity = wanted;
	return 0;
}

/* bounds[0..*count) of those numbers that were not found before; the caller
 * frees. NULL with *count 0: none is new. */
static struct kafka_bounds *pick_new(struct kafka_surveyed *topic,
	const int32_t *numbers, size_t number_count, size_t *count,
	struct fault *fault)
{
	*count = 0;
	if (number_count == 0)
		return NULL;
	struct kafka_bounds *bounds = calloc(number_count, sizeof *bounds);
	if (bounds == NULL)
		fault_set(fault, FAULT_OOM, "no memory for partitions of %s",
			topic->name);
	for (size_t i = 0; bounds != NULL && i < number_count; i++) {
		if (make_room(topic, numbers[i], fault) != 0) {
			free(bounds);
			return NULL;
		}
		if (!topic->found[numbers[i]])
			bounds[(*count)++] = (struct kafka_bounds){
				.topic = topic->name, .partition = numbers[i]};
	}
	return bounds;
}

static int announce(const struct look *look, size_t topic_index,
	const struct kafka_bounds *bounds, const char *cluster_id, bool more,
	struct fault *fault)
{
	struct kafka_answer given = {
		.kind = ANSWER_PARTITION,
		.topic_index = topic_index,
		.partition = bounds->partition,
		.low = bounds->low,
		.high = bounds->high,
		.committed = bounds->committed,
		.cleanup = look->survey->topics[topic_index].cleanup,
		.more = more,
	};
	memcpy(given.judgement.cluster_id, cluster_id, KAFKA_CLUSTER_ID_SIZE);
	int rc = look->give(look->payload, &given, fault);
	if (rc == 0)
		look->survey->topics[topic_index].found[bounds->partition] =
			true;
	return rc;
}

static bool any_known(const struct kafka_bounds *bounds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (bounds[i].known)
			return true;
	return false;
}

static int announce_new(const struct look *look, size_t topic_index,
	struct kafka_bounds *bounds, size_t count, struct fault *fault)
{
	char cluster_id[KAFKA_CLUSTER_ID_SIZE] = "";
	kafka_find_bounds(look->client, bounds, count);
	kafka_find_committed(look->client, bounds, count);
	kafka_find_cluster(look->client, cluster_id, sizeof cluster_id);
	int rc = 0;
	for (size_t i = 0; i < count && rc == 0; i++) {
		if (bounds[i].known)
			rc = announce(look, topic_index, &bounds[i], cluster_id,
				any_known(bounds + i + 1, count - i - 1),
				fault);
		else
			look->survey->topics[topic_index].whole = false;
	}
	return rc;
}

/* What the topic's log keeps, before any of its records is taken. 1: nobody
 * answered, ask again. */
static int find_cleanup(const struct look *look, struct kafka_surveyed *topic,
	struct fault *fault)
{
	struct fault why = {0};
	enum kafka_cleanup_outcome outcome = kafka_topic_cleanup(look->client,
		topic->name, look->survey->stop, &topic->cleanup, &why);
	if (outcome == KAFKA_CLEANUP_UNREACHABLE &&
		++topic->cleanup_tries < CLEANUP_TRIES)
		return 1;
	topic->cleanup_tries = 0;
	if (outcome == KAFKA_CLEANUP_KNOWN || outcome == KAFKA_CLEANUP_UNASKED)
		return 0;
	return give_text(look, ANSWER_NOTICE, &why, fault);
}

/* What is new of a topic that is there. Takes `numbers`. */
static int look_inside(const struct look *look, size_t topic_index,
	int32_t *numbers, size_t number_count, struct fault *fault)
{
	struct kafka_surveyed *topic = &look->survey->topics[topic_index];
	struct fault oom = {0};
	size_t count = 0;
	struct kafka_bounds *bounds =
		pick_new(topic, numbers, number_count, &count, &oom);
	free(numbers);
	int rc = oom.code == 0 ? 0 : fault_set(fault, oom.code, "%s", oom.text);
	if (count > 0)
		rc = find_cleanup(look, topic, fault);
	if (count > 0 && rc == 0)
		rc = announce_new(look, topic_index, bounds, count, fault);
	topic->whole = topic->whole && rc == 0;
	free(bounds);
	return rc < 0 ? rc : 0;
}

static bool is_due(const struct kafka_surveyed *topic)
{
	return topic->whole && !topic->judged;
}

/* Once for each topic, and when nothing is in a hurry: it is only a warning. */
static int judge_clocks(const struct look *look, struct kafka_surveyed *topic,
	struct fault *fault)
{
	struct fault notice = {0};
	if (!is_due(topic))
		return 0;
	int rc = kafka_topic_clocks(
		look->client, topic->name, look->survey->hurry, &notice);
	topic->judged = rc != KAFKA_CLOCKS_PUT_OFF;
	if (rc != KAFKA_CLOCKS_UNBOUNDED)
		return 0;
	return give_text(look, ANSWER_NOTICE, &notice, fault);
}

static int look_at(
	const struct look *look, size_t topic_index, struct fault *fault)
{
	struct kafka_surveyed *topic = &look->survey->topics[topic_index];
	struct fault why = {0};
	int32_t *numbers = NULL;
	size_t count = 0;
	int rc = kafka_topic_partitions(
		look->client, topic->name, &numbers, &count, &why);
	if (rc < 0)
		return fault_set(fault, rc, "%s", why.text);
	topic->whole = rc == KAFKA_TOPIC_KNOWN;
	if (rc == KAFKA_TOPIC_UNKNOWN || rc == KAFKA_TOPIC_REFUSED) {
		bool reported = topic->reported;
		topic->reported = true;
		return reported ? 0
				: give_text(look, ANSWER_NOTICE, &why, fault);
	}
	if (topic->whole)
		topic->reported = false;
	return look_inside(look, topic_index, numbers, count, fault);
}

static bool all_whole(const struct kafka_survey *survey)
{
	for (size_t i = 0; i < survey->topic_count; i++)
		if (!survey->topics[i].whole)
			return false;
	return true;
}

static int look_at_all(const struct look *look, struct fault *fault)
{
	struct kafka_survey *survey = look->survey;
	size_t count = survey->topic_count;
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < count && !atomic_load(survey->stop);
		i++)
		rc = look_at(look, i, fault);
	if (rc == 0 && !survey->complete && all_whole(survey)) {
		struct kafka_answer given = {.kind = ANSWER_COMPLETE};
		rc = look->give(look->payload, &given, fault);
		survey->complete = true;
	}
	return rc;
}

/* The source's consumer has the same settings: what a client lacks now, say
 * file descriptors, it may have later. NULL: look again; or a fault in *rc. */
static rd_kafka_t *open_look(struct look *look, const rd_kafka_conf_t *conf,
	int *rc, struct fault *fault)
{
	struct fault why = {0};
	*rc = 0;
	if (kafka_client_open(&look->client, rd_kafka_conf_dup(conf),
		    KAFKA_READER, &why) != 0)
		*rc = give_text(look, ANSWER_TROUBLE, &why, fault);
	return look->client;
}

int kafka_survey_look(struct kafka_survey *survey, const rd_kafka_conf_t *conf,
	kafka_give give, void *payload, struct fault *fault)
{
	struct look look = {.survey = survey, .give = give, .payload = payload};
	int rc = 0;
	if (open_look(&look, conf, &rc, fault) == NULL)
		return rc < 0 ? rc : 1;
	rc = look_at_all(&look, fault);
	(void)kafka_client_close(look.client, KAFKA_FAREWELL_MS);
	if (rc != 0)
		return rc;
	return all_whole(survey) ? 0 : 1;
}

bool kafka_survey_clocks_due(const struct kafka_survey *survey)
{
	for (size_t i = 0; i < survey->topic_count; i++)
		if (is_due(&survey->topics[i]))
			return true;
	return false;
}

int kafka_survey_judge_clocks(struct kafka_survey *survey,
	const rd_kafka_conf_t *conf, kafka_give give, void *payload,
	struct fault *fault)
{
	struct look look = {.survey = survey, .give = give, .payload = payload};
	int rc = 0;
	if (open_look(&look, conf, &rc, fault) == NULL)
		return rc;
	for (size_t i = 0; rc == 0 && i < survey->topic_count &&
			   !atomic_load(survey->hurry);
		i++)
		rc = judge_clocks(&look, &survey->topics[i], fault);
	(void)kafka_client_close(look.client, KAFKA_FAREWELL_MS);
	return rc;
}
