#include "ingest/stages.h"

#include "ingest/retry.h"
#include "schema/policy.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define RETRY_FIRST_MS 10
#define RETRY_MAX_MS 1000
#define KEPT_TIMES 2 /* a batch's bytes as they came, and decoded */

/* Batches are numbered; number n lives in flights[n % FLIGHTS]. Each stage has
 * a count of what it finished, so polled >= decoded >= applied >= released. */
struct stages {
	const struct pipeline_options *options;
	const struct caution *caution;
	struct decoder decoder;
	struct arena scratch;		      /* the decoder's */
	const struct source_schema **sources; /* by log id - 1 */
	size_t source_count;
	struct flight flights[FLIGHTS];

	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t changed;
	uint64_t polled, decoded, applied, released;
	bool closing, failed;
	struct fault trouble; /* why a batch waits; code 0: nothing new */

	bool threads_run;
	pthread_t decode_thread, apply_thread;
};

static struct flight *flight_at(struct stages *stages, uint64_t number)
{
	return &stages->flights[number % FLIGHTS];
}

static int64_t now_us(const struct stages *stages)
{
	struct clock *clock = stages->options->clock;
	return clock->monotonic_us(clock);
}

static int decode(
	struct stages *stages, struct flight *flight, struct store_record *item)
{
	if (caution_is(stages->caution, &item->record))
		return caution_park(stages->caution, &item->record,
			&flight->arena, &item->decoded, &flight->fault);
	const struct source_schema *source =
		stages->sources[item->record.log->id - 1];
	return decode_record(&stages->decoder, source, &item->record,
		&flight->arena, &item->decoded, &flight->fault);
}

/* Decode every record where it lies. */
static void decode_flight(struct stages *stages, struct flight *flight)
{
	int64_t start_us = now_us(stages);
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < flight->record_count; i++)
		rc = decode(stages, flight, &flight->records[i]);
	flight->outcome = rc;
	flight->decode_us = now_us(stages) - start_us;
}

static bool must_stop(struct stages *stages)
{
	pthread_mutex_lock(&stages->mutex);
	bool closing = stages->closing;
	pthread_mutex_unlock(&stages->mutex);
	return closing || atomic_load(stages->options->stop);
}

static void pause_ms(uint32_t ms)
{
	struct timespec span = {ms / 1000, (long)(ms % 1000) * 1000000};
	(void)nanosleep(&span, NULL);
}

/* Does it pass if we wait? Then the batch is tried again: records that were
 * durable after all are dropped by the fence. */
static bool passes(int outcome)
{
	return outcome == STORE_OUTCOME_UNKNOWN ||
	       policy_passes(policy_of_fault(outcome));
}

/* For the polling thread to tell, once a batch. A commit whose outcome is
 * unknown left its reason, too. */
static void note_trouble(struct stages *stages, const struct fault *why)
{
	pthread_mutex_lock(&stages->mutex);
	fault_set(&stages->trouble, FAULT_BUSY,
		"waiting, and going on by itself when this ends: %s",
		why->text);
	pthread_mutex_unlock(&stages->mutex);
}

/* Told to stop while the batch waits: it is taken up at the next start. */
static int gave_up(const struct flight *flight, int outcome)
{
	return outcome == STORE_OUTCOME_UNKNOWN ? flight->fault.code : outcome;
}

static int apply_until_durable(struct stages *stages, struct flight *flight)
{
	struct store_batch batch = flight_batch(flight);
	uint32_t wait_ms = RETRY_FIRST_MS;
	for (;;) {
		int outcome = store_apply(stages->options->store, &batch,
			&flight->tally, &flight->fault);
		if (passes(outcome) && must_stop(stages))
			return gave_up(flight, outcome);
		if (!passes(outcome))
			return outcome;
		if (wait_ms == RETRY_FIRST_MS)
			note_trouble(stages, &flight->fault);
		pause_ms(wait_ms);
		wait_ms =
			wait_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : wait_ms * 2;
	}
}

static void apply_flight(
	struct stages *stages, struct flight *flight, bool caught_up)
{
	if (flight->outcome < 0)
		return; /* it could not even be decoded */
	struct clock *clock = stages->options->clock;
	int64_t start_us = now_us(stages);
	flight->due_us = clock->wall_us(clock) + RETRY_FIRST_US;
	flight->outcome = apply_until_durable(stages, flight);
	if (flight->outcome == STORE_DURABLE)
		flight->outcome = store_checkpoint(
			stages->options->store, caught_up, &flight->fault);
	flight->apply_us = now_us(stages) - start_us;
}

static void *decode_loop(void *payload)
{
	struct stages *stages = payload;
	pthread_mutex_lock(&stages->mutex);
	while (!stages->closing) {
		if (stages->decoded == stages->polled) {
			pthread_cond_wait(&stages->changed, &stages->mutex);
			continue;
		}
		struct flight *flight = flight_at(stages, stages->decoded);
		pthread_mutex_unlock(&stages->mutex);
		decode_flight(stages, flight);
		pthread_mutex_lock(&stages->mutex);
		stages->decoded++;
		pthread_cond_broadcast(&stages->changed);
	}
	pthread_mutex_unlock(&stages->mutex);
	return NULL;
}

static void *apply_loop(void *payload)
{
	struct stages *stages = payload;
	pthread_mutex_lock(&stages->mutex);
	while (!stages->closing) {
		if (stages->failed || stages->applied == stages->decoded) {
			pthread_cond_wait(&stages->changed, &stages->mutex);
			continue;
		}
		struct flight *flight = flight_at(stages, stages->applied);
		bool caught_up = stages->polled == stages->applied + 1;
		pthread_mutex_unlock(&stages->mutex);
		apply_flight(stages, flight, caught_up);
		pthread_mutex_lock(&stages->mutex);
		stages->failed = flight->outcome != STORE_DURABLE;
		stages->applied++;
		pthread_cond_broadcast(&stages->changed);
	}
	pthread_mutex_unlock(&stages->mutex);
	return NULL;
}

static int start_threads(struct stages *stages, struct fault *fault)
{
	if (pthread_create(&stages->decode_thread, NULL, decode_loop, stages))
		return fault_set(fault, FAULT_IO, "can't start a thread");
	if (pthread_create(&stages->apply_thread, NULL, apply_loop, stages)) {
		pthread_mutex_lock(&stages->mutex);
		stages->closing = true;
		pthread_cond_broadcast(&stages->changed);
		pthread_mutex_unlock(&stages->mutex);
		pthread_join(stages->decode_thread, NULL);
		return fault_set(fault, FAULT_IO, "can't start a thread");
	}
	stages->threads_run = true;
	return 0;
}

int stages_open(struct stages **out, const struct pipeline_options *options,
	const struct caution *caution, struct fault *fault)
{
	*out = NULL;
	struct stages *stages = calloc(1, sizeof *stages);
	if (stages == NULL)
		return fault_set(fault, FAULT_OOM, "no memory for batches");
	stages->options = options;
	stages->caution = caution;
	stages->decoder = options->decoder;
	stages->decoder.schema = store_schema(options->store);
	memcpy(stages->decoder.secret, store_secret(options->store),
		SECRET_BYTES);
	stages->decoder.scratch = &stages->scratch;
	pthread_mutex_init(&stages->mutex, NULL);
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&stages->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	int rc = 0;
	for (int i = 0; rc == 0 && i < FLIGHTS; i++)
		rc = flight_init(&stages->flights[i], options->batch_records,
			KEPT_TIMES * options->batch_bytes, fault);
	if (rc == 0 && options->threads)
		rc = start_threads(stages, fault);
	if (rc < 0)
		stages_close(stages);
	else
		*out = stages;
	return rc;
}

void stages_close(struct stages *stages)
{
	if (stages == NULL)
		return;
	pthread_mutex_lock(&stages->mutex);
	stages->closing = true;
	pthread_cond_broadcast(&stages->changed);
	pthread_mutex_unlock(&stages->mutex);
	if (stages->threads_run) {
		pthread_join(stages->decode_thread, NULL);
		pthread_join(stages->apply_thread, NULL);
	}
	pthread_cond_destroy(&stages->changed);
	pthread_mutex_destroy(&stages->mutex);
	for (int i = 0; i < FLIGHTS; i++)
		flight_finish(&stages->flights[i]);
	arena_finish(&stages->scratch);
	free((void *)stages->sources);
	free(stages);
}

int stages_add_log(struct stages *stages, const struct log *log,
	const struct source_schema *source, struct fault *fault)
{
	assert(stages_in_flight(stages) == 0);
	if (log->id > stages->source_count) {
		const struct source_schema **larger = realloc(
			(void *)stages->sources, log->id * sizeof(*larger));
		if (larger == NULL)
			return fault_set(
				fault, FAULT_OOM, "no memory for a partition");
		for (size_t i = stages->source_count; i < log->id; i++)
			larger[i] = NULL;
		stages->sources = larger;
		stages->source_count = log->id;
	}
	stages->sources[log->id - 1] = source;
	return 0;
}

size_t stages_updates_most(const struct stages *stages, const struct log *log)
{
	const struct source_schema *source = stages->sources[log->id - 1];
	return source->envelope ? 1 : source->update_count;
}

struct flight *stages_filling(struct stages *stages)
{
	if (stages_in_flight(stages) == FLIGHTS)
		return NULL;
	return flight_at(stages, stages->polled);
}

void stages_send(struct stages *stages, bool to_the_brim)
{
	struct flight *filled = stages_filling(stages);
	assert(filled != NULL);
	filled->to_the_brim = to_the_brim;
	if (!stages->options->threads) {
		struct flight *flight = flight_at(stages, stages->polled++);
		decode_flight(stages, flight);
		stages->decoded++;
		apply_flight(stages, flight, false);
		stages->applied++;
		return;
	}
	pthread_mutex_lock(&stages->mutex);
	stages->polled++;
	pthread_cond_broadcast(&stages->changed);
	pthread_mutex_unlock(&stages->mutex);
}

struct flight *stages_landed(struct stages *stages)
{
	pthread_mutex_lock(&stages->mutex);
	bool landed = stages->released < stages->applied;
	pthread_mutex_unlock(&stages->mutex);
	return landed ? flight_at(stages, stages->released) : NULL;
}

void stages_release(struct stages *stages)
{
	pthread_mutex_lock(&stages->mutex);
	assert(stages->released < stages->applied);
	flight_reset(flight_at(stages, stages->released));
	stages->released++;
	pthread_mutex_unlock(&stages->mutex);
}

void stages_abandon(struct stages *stages)
{
	pthread_mutex_lock(&stages->mutex);
	while (stages->decoded < stages->polled)
		pthread_cond_wait(&stages->changed, &stages->mutex);
	for (int i = 0; i < FLIGHTS; i++)
		flight_reset(&stages->flights[i]);
	stages->applied = stages->released = stages->polled;
	stages->failed = false;
	pthread_mutex_unlock(&stages->mutex);
}

bool stages_trouble(struct stages *stages, struct fault *out)
{
	pthread_mutex_lock(&stages->mutex);
	bool found = stages->trouble.code != 0;
	if (found)
		*out = stages->trouble;
	stages->trouble.code = 0;
	pthread_mutex_unlock(&stages->mutex);
	return found;
}

size_t stages_in_flight(struct stages *stages)
{
	pthread_mutex_lock(&stages->mutex);
	size_t count = (size_t)(stages->polled - stages->released);
	pthread_mutex_unlock(&stages->mutex);
	return count;
}

static struct timespec deadline_after(uint32_t timeout_ms)
{
	struct timespec at;
	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += timeout_ms / 1000;
	at.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (at.tv_nsec >= 1000000000) {
		at.tv_nsec -= 1000000000;
		at.tv_sec++;
	}
	return at;
}

void stages_wait(struct stages *stages, uint32_t timeout_ms)
{
	struct timespec deadline = deadline_after(timeout_ms);
	pthread_mutex_lock(&stages->mutex);
	int rc = 0;
	while (rc == 0 && stages->applied == stages->released)
		rc = pthread_cond_timedwait(
			&stages->changed, &stages->mutex, &deadline);
	pthread_mutex_unlock(&stages->mutex);
}
