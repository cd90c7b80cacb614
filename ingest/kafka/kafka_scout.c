#include "ingest/kafka/kafka_scout.h"

#include "ingest/kafka/kafka_client.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A topic or partition that could not be found is looked for so often. */
#define RETRY_MS 1000
/* So long after a look its partitions have been asked about and started. */
#define CLOCKS_MS 1000

struct asked {
	struct asked *next;
	struct kafka_question question;
};

struct answered {
	struct answered *next;
	struct kafka_answer answer;
};

struct kafka_scout {
	rd_kafka_conf_t *conf;
	struct kafka_survey survey; /* the scout's thread only, but the names */
	uint32_t refresh_ms;
	void (*wake)(void *payload);
	void *payload;

	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	atomic_bool stop;
	atomic_bool asked;	  /* there are questions: they go first */
	atomic_bool answers_wait; /* spares the mutex when there is nothing */
	/* Under the mutex: */
	struct asked *questions, **questions_end;
	struct answered *answers, **answers_end;
	struct fault failed; /* why the thread ended, if it did */
	bool done;	     /* the thread has ended */
	bool abandoned;	     /* it frees itself */
};

static void destroy(struct kafka_scout *scout)
{
	while (scout->questions != NULL) {
		struct asked *next = scout->questions->next;
		free(scout->questions);
		scout->questions = next;
	}
	while (scout->answers != NULL) {
		struct answered *next = scout->answers->next;
		free(scout->answers);
		scout->answers = next;
	}
	kafka_survey_finish(&scout->survey);
	if (scout->conf != NULL)
		rd_kafka_conf_destroy(scout->conf);
	pthread_cond_destroy(&scout->changed);
	pthread_mutex_destroy(&scout->mutex);
	free(scout);
}

/* Hand an answer over. It is waited for no longer once `stop` is set: then
 * nobody may be there to be woken. */
static int answer(
	void *payload, const struct kafka_answer *given, struct fault *fault)
{
	struct kafka_scout *scout = payload;
	struct answered *node = malloc(sizeof *node);
	if (node == NULL)
		return fault_set(
			fault, FAULT_OOM, "no memory for what Kafka answered");
	node->next = NULL;
	node->answer = *given;
	pthread_mutex_lock(&scout->mutex);
	*scout->answers_end = node;
	scout->answers_end = &node->next;
	atomic_store(&scout->answers_wait, true);
	if (!atomic_load(&scout->stop))
		scout->wake(scout->payload);
	pthread_mutex_unlock(&scout->mutex);
	return 0;
}

static int judge(struct kafka_scout *scout,
	const struct kafka_question *questions, size_t count,
	struct fault *fault)
{
	struct kafka_judgement *judgements = calloc(count, sizeof *judgements);
	if (judgements == NULL)
		return fault_set(fault, FAULT_OOM, "no memory to compare logs");
	int rc = kafka_identity_judge(
		scout->conf, &scout->stop, questions, count, judgements, fault);
	for (size_t i = 0; i < count && rc == 0; i++) {
		struct kafka_answer given = {
			.kind = ANSWER_JUDGEMENT,
			.topic_index = questions[i].topic_index,
			.partition = questions[i].partition,
			.life = questions[i].life,
			.judgement = judgements[i],
		};
		rc = answer(scout, &given, fault);
	}
	free(judgements);
	return rc;
}

/* Take up to KAFKA_IDENTITY_PARTITIONS_MAX questions. */
static size_t take_questions(
	struct kafka_scout *scout, struct kafka_question *questions)
{
	size_t count = 0;
	pthread_mutex_lock(&scout->mutex);
	while (scout->questions != NULL &&
		count < KAFKA_IDENTITY_PARTITIONS_MAX) {
		struct asked *node = scout->questions;
		scout->questions = node->next;
		if (scout->questions == NULL)
			scout->questions_end = &scout->questions;
		questions[count++] = node->question;
		free(node);
	}
	atomic_store(&scout->asked, scout->questions != NULL);
	pthread_mutex_unlock(&scout->mutex);
	return count;
}

static int judge_asked(struct kafka_scout *scout, struct fault *fault)
{
	struct kafka_question *questions =
		calloc(KAFKA_IDENTITY_PARTITIONS_MAX, sizeof *questions);
	if (questions == NULL)
		return fault_set(fault, FAULT_OOM, "no memory to compare logs");
	size_t count = take_questions(scout, questions);
	int rc = count == 0 ? 0 : judge(scout, questions, count, fault);
	free(questions);
	return rc;
}

static struct timespec later(uint32_t ms)
{
	struct timespec at = {0};
	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += ms / 1000;
	at.tv_nsec += (long)(ms % 1000) * 1000000;
	if (at.tv_nsec >= 1000000000) {
		at.tv_nsec -= 1000000000;
		at.tv_sec++;
	}
	return at;
}

/* Sleep until there is a question, or it is time. */
static void sleep_until(
	struct kafka_scout *scout, const struct timespec *wake_at)
{
	int rc = 0;
	pthread_mutex_lock(&scout->mutex);
	while (rc == 0 && scout->questions == NULL &&
		!atomic_load(&scout->stop))
		rc = pthread_cond_timedwait(
			&scout->changed, &scout->mutex, wake_at);
	pthread_mutex_unlock(&scout->mutex);
}

static bool is_past(const struct timespec *at)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec != at->tv_sec ? now.tv_sec > at->tv_sec
					: now.tv_nsec >= at->tv_nsec;
}

static int judge_clocks(struct kafka_scout *scout, struct timespec *clocks_at,
	struct fault *fault)
{
	if (!is_past(clocks_at) || !kafka_survey_clocks_due(&scout->survey))
		return 0;
	int rc = kafka_survey_judge_clocks(
		&scout->survey, scout->conf, answer, scout, fault);
	*clocks_at = later(CLOCKS_MS); /* for what was put off */
	return rc;
}

/* Until something is asked, or due. */
static void rest(struct kafka_scout *scout, const struct timespec *look_at,
	const struct timespec *clocks_at)
{
	bool clocks = kafka_survey_clocks_due(&scout->survey);
	sleep_until(scout, clocks ? clocks_at : look_at);
}

static int work(struct kafka_scout *scout, struct fault *fault)
{
	struct timespec look_at = {0}, clocks_at = {0};
	int rc = 0;
	while (rc >= 0 && !atomic_load(&scout->stop)) {
		if (is_past(&look_at)) {
			rc = kafka_survey_look(&scout->survey, scout->conf,
				answer, scout, fault);
			look_at = later(rc == 0 ? scout->refresh_ms : RETRY_MS);
			clocks_at = later(CLOCKS_MS);
		}
		if (rc >= 0)
			rc = judge_asked(scout, fault);
		if (rc >= 0)
			rc = judge_clocks(scout, &clocks_at, fault);
		if (rc >= 0)
			rest(scout, &look_at, &clocks_at);
	}
	return rc;
}

static void *run(void *payload)
{
	struct kafka_scout *scout = payload;
	struct fault fault = {0};
	int rc = work(scout, &fault);
	pthread_mutex_lock(&scout->mutex);
	if (rc < 0) {
		scout->failed = fault;
		atomic_store(&scout->answers_wait, true);
		if (!atomic_load(&scout->stop))
			scout->wake(scout->payload);
	}
	scout->done = true;
	bool abandoned = scout->abandoned;
	pthread_cond_broadcast(&scout->changed);
	pthread_mutex_unlock(&scout->mutex);
	if (abandoned)
		destroy(scout);
	return NULL;
}

static int init_locks(struct kafka_scout *scout)
{
	pthread_condattr_t monotonic;
	int rc = pthread_mutex_init(&scout->mutex, NULL);
	if (rc != 0)
		return rc;
	rc = pthread_condattr_init(&monotonic);
	if (rc == 0) {
		pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
		rc = pthread_cond_init(&scout->changed, &monotonic);
		pthread_condattr_destroy(&monotonic);
	}
	if (rc != 0)
		pthread_mutex_destroy(&scout->mutex);
	return rc;
}

int kafka_scout_open(struct kafka_scout **out,
	const struct kafka_scout_options *options, struct fault *fault)
{
	*out = NULL;
	struct kafka_scout *scout = calloc(1, sizeof *scout);
	if (scout == NULL || init_locks(scout) != 0) {
		free(scout);
		return fault_set(fault, FAULT_OOM, "no memory for a thread");
	}
	scout->refresh_ms = options->metadata_refresh_ms;
	scout->wake = options->wake;
	scout->payload = options->payload;
	scout->questions_end = &scout->questions;
	scout->answers_end = &scout->answers;
	int rc = kafka_survey_init(
		&scout->survey, options->topics, options->topic_count, fault);
	scout->survey.stop = &scout->stop;
	scout->survey.hurry = &scout->asked;
	if (rc == 0)
		rc = kafka_client_conf(&scout->conf, &options->settings,
			KAFKA_READER, options->group_id, fault);
	if (rc == 0 && pthread_create(&scout->thread, NULL, run, scout) != 0)
		rc = fault_set(fault, FAULT_OOM, "no memory for a thread");
	if (rc != 0) {
		destroy(scout);
		return rc;
	}
	*out = scout;
	return 0;
}

int kafka_scout_ask(struct kafka_scout *scout,
	const struct kafka_question *question, struct fault *fault)
{
	struct asked *node = malloc(sizeof *node);
	if (node == NULL)
		return fault_set(fault, FAULT_OOM, "no memory to ask Kafka");
	node->next = NULL;
	node->question = *question;
	node->question.topic =
		kafka_survey_topic(&scout->survey, question->topic_index);
	pthread_mutex_lock(&scout->mutex);
	*scout->questions_end = node;
	scout->questions_end = &node->next;
	atomic_store(&scout->asked, true);
	pthread_cond_signal(&scout->changed);
	pthread_mutex_unlock(&scout->mutex);
	return 0;
}

int kafka_scout_take(struct kafka_scout *scout, struct kafka_answer *answer,
	struct fault *fault)
{
	if (!atomic_load_explicit(&scout->answers_wait, memory_order_relaxed))
		return KAFKA_SCOUT_NOTHING;
	int rc = KAFKA_SCOUT_NOTHING;
	pthread_mutex_lock(&scout->mutex);
	struct answered *node = scout->answers;
	if (node != NULL) {
		rc = KAFKA_SCOUT_ANSWER;
		scout->answers = node->next;
		if (scout->answers == NULL)
			scout->answers_end = &scout->answers;
		*answer = node->answer;
	} else if (scout->failed.code != 0) {
		rc = scout->failed.code;
		if (fault != NULL)
			*fault = scout->failed;
	} else {
		atomic_store(&scout->answers_wait, false);
	}
	pthread_mutex_unlock(&scout->mutex);
	free(node);
	return rc;
}

/* True where the thread has ended within the time. */
static bool await_done(struct kafka_scout *scout, int64_t timeout_ms)
{
	struct timespec until = later((uint32_t)timeout_ms);
	int rc = 0;
	while (rc == 0 && !scout->done)
		rc = pthread_cond_timedwait(
			&scout->changed, &scout->mutex, &until);
	return scout->done;
}

void kafka_scout_close(struct kafka_scout *scout, int64_t timeout_ms)
{
	if (scout == NULL)
		return;
	pthread_mutex_lock(&scout->mutex);
	atomic_store(&scout->stop, true);
	atomic_store(&scout->asked, true);
	pthread_cond_broadcast(&scout->changed);
	bool done = await_done(scout, timeout_ms < 0 ? 0 : timeout_ms);
	scout->abandoned = !done;
	pthread_t thread = scout->thread;
	pthread_mutex_unlock(&scout->mutex);
	if (done) {
		pthread_join(thread, NULL);
		destroy(scout);
	} else {
		pthread_detach(thread);
	}
}
