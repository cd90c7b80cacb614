#include "ingest/pipeline.h"

#include "ingest/pipeline_inside.h"

#include <assert.h>
#include <stdlib.h>

#define IDLE_POLL_MS 100 /* how long a stop signal may go unseen */
/* A batch closes when its records may hold so many updates: decoded and being
 * merged each takes some 400 bytes, whatever its record is long. */
#define BATCH_UPDATES 200000

struct pipeline_options pipeline_options_default(void)
{
	return (struct pipeline_options){
		.decoder = {.value_bytes_max = VALUE_BYTES_MAX,
			.depth_max = DEPTH_MAX,
			.max_skew_us = MAX_SKEW_US},
		.threads = true,
		.linger_us = 3000,
		.batch_age_us = 1000000,
		.batch_records = STORE_BATCH_RECORDS_MAX,
		.batch_bytes = 64 * 1024 * 1024,
	};
}

static int64_t now_us(const struct pipeline *pipeline)
{
	struct clock *clock = pipeline->options->clock;
	return clock->monotonic_us(clock);
}

void pipeline_tell(struct pipeline *pipeline, const char *text)
{
	if (pipeline->options->notice != NULL)
		pipeline->options->notice(pipeline->options->payload, text);
}

/* Kafka learns what is durable, and never more (promise P4). */
static void commit_landed(
	struct pipeline *pipeline, const struct flight *flight)
{
	struct source *source = pipeline->options->source;
	for (size_t i = 0; i < flight->record_count; i++) {
		const struct record *record = &flight->records[i].record;
		bool last = i + 1 == flight->record_count ||
			    flight->records[i + 1].record.log != record->log;
		if (last)
			source_commit(source, record->log, record->next_offset);
	}
	for (size_t i = 0; i < flight->mark_count; i++)
		source_commit(source, flight->marks[i].log,
			flight->marks[i].next_offset);
}

static void add_up(struct pipeline_result *result, const struct flight *flight)
{
	const struct store_tally *tally = &flight->tally;
	result->tally.records += tally->records;
	result->tally.skipped += tally->skipped;
	result->tally.redelivered += tally->redelivered;
	for (size_t i = 0; i < DISPOSITION_COUNT; i++)
		result->tally.dispositions[i] += tally->dispositions[i];
	result->tally.commit_us += tally->commit_us;
	result->commit_us += tally->commit_us;
	result->decode_us += flight->decode_us;
	result->apply_us += flight->apply_us;
	result->batches++;
}

/* Take in what went through all stages. */
static int land(struct pipeline *pipeline, struct fault *fault)
{
	struct flight *flight;
	struct fault trouble;
	if (stages_trouble(pipeline->stages, &trouble))
		pipeline_tell(pipeline, trouble.text);
	while ((flight = stages_landed(pipeline->stages)) != NULL) {
		if (flight->outcome == STORE_WINDOW_FULL) {
			pipeline_window_is_full(pipeline, flight);
			return 0;
		}
		if (flight->outcome != STORE_DURABLE) {
			if (fault != NULL)
				*fault = flight->fault;
			return fault_wrap(fault, flight->outcome,
				"applying a batch of %zu records",
				flight->record_count);
		}
		commit_landed(pipeline, flight);
		add_up(&pipeline->result, flight);
		if (pipeline->options->landed != NULL)
			pipeline->options->landed(
				pipeline->options->payload, &flight->tally);
		if (caution_tell_landed(&pipeline->caution, flight, &trouble))
			pipeline_tell(pipeline, trouble.text);
		stages_release(pipeline->stages);
	}
	return 0;
}

/* Wait until every batch that was sent has landed. */
static int drain(struct pipeline *pipeline, struct fault *fault)
{
	int rc = land(pipeline, fault);
	while (rc == 0 && stages_in_flight(pipeline->stages) > 0) {
		stages_wait(pipeline->stages, PIPELINE_WAIT_MS);
		rc = land(pipeline, fault);
	}
	return rc;
}

static int send(struct pipeline *pipeline, const struct flight *flight,
	struct fault *fault)
{
	int rc = caution_note(&pipeline->caution, flight, fault);
	if (rc == 0)
		stages_send(pipeline->stages, pipeline->to_the_brim);
	return rc;
}

static int send_what_is_there(struct pipeline *pipeline, struct fault *fault)
{
	struct flight *flight = stages_filling(pipeline->stages);
	int rc = 0;
	if (flight != NULL && !flight_is_empty(flight))
		rc = send(pipeline, flight, fault);
	return rc;
}

/* Send what is there and wait for it: then the store may be touched. */
int pipeline_settle(struct pipeline *pipeline, struct fault *fault)
{
	int rc = send_what_is_there(pipeline, fault);
	return rc < 0 ? rc : drain(pipeline, fault);
}

static int take_record(struct pipeline *pipeline, struct flight *flight,
	const struct record *record, struct fault *fault)
{
	pipeline_runs_well(pipeline, record->log);
	flight->updates_most +=
		stages_updates_most(pipeline->stages, record->log);
	int rc = caution_feed(&pipeline->caution, record->log, fault);
	return rc < 0 ? rc : flight_add_record(flight, record, fault);
}

static int take_event(struct pipeline *pipeline, struct flight *flight,
	int outcome, const struct source_event *event, struct fault *fault)
{
	if (flight_is_empty(flight))
		flight->opened_us = now_us(pipeline);
	switch (outcome) {
	case SOURCE_RECORD:
		return take_record(pipeline, flight, &event->record, fault);
	case SOURCE_END:
	case SOURCE_LIMIT: {
		pipeline_runs_well(pipeline, event->log);
		struct store_mark mark = {event->log, event->next_offset,
			event->as_of_us, outcome == SOURCE_LIMIT};
		return flight_add_mark(flight, &mark, fault);
	}
	case SOURCE_PARTITION:
		return pipeline_start(pipeline, event, fault);
	case SOURCE_STOPPED:
		return pipeline_stop(pipeline, event, fault);
	case SOURCE_NOTICE:
		pipeline_tell(pipeline, event->fault.text);
		return 0;
	case SOURCE_DONE:
		pipeline->done = true;
		return 0;
	default:
		return 0;
	}
}

/* Full, old, or lingered long enough with nothing in flight before it. */
static bool is_ready(struct pipeline *pipeline, const struct flight *flight)
{
	const struct pipeline_options *options = pipeline->options;
	if (flight_is_empty(flight))
		return false;
	if (flight->record_count >= options->batch_records ||
		flight->record_count >= pipeline->caution.batch_records ||
		flight->arena.total_bytes >= options->batch_bytes ||
		flight->updates_most >= BATCH_UPDATES)
		return true;
	int64_t age_us = now_us(pipeline) - flight->opened_us;
	return age_us >= options->batch_age_us ||
	       (age_us >= options->linger_us &&
		       stages_in_flight(pipeline->stages) == 0);
}

/* Not longer than the open batch may linger, nor a stop go unseen. */
static uint32_t poll_timeout_ms(
	struct pipeline *pipeline, const struct flight *flight)
{
	if (flight_is_empty(flight))
		return IDLE_POLL_MS;
	int64_t left_us = flight->opened_us + pipeline->options->linger_us -
			  now_us(pipeline);
	if (left_us <= 0)
		return stages_in_flight(pipeline->stages) == 0 ? 0 : 1;
	uint32_t left_ms = (uint32_t)((left_us + 999) / 1000);
	return left_ms < IDLE_POLL_MS ? left_ms : IDLE_POLL_MS;
}

/* One step towards having nothing in flight, then what is wanted. */
static int attend(struct pipeline *pipeline, struct fault *fault)
{
	int rc = send_what_is_there(pipeline, fault);
	if (rc == 0 && stages_in_flight(pipeline->stages) > 0)
		stages_wait(pipeline->stages, PIPELINE_WAIT_MS);
	if (rc == 0)
		rc = land(pipeline, fault);
	if (rc < 0 || pipeline->window_full ||
		stages_in_flight(pipeline->stages) > 0)
		return rc;
	const struct pipeline_options *options = pipeline->options;
	rc = options->attend(options->payload, fault);
	pipeline->attended = true;
	pipeline->leaves = rc == PIPELINE_LEAVE;
	return rc != 0 ? rc : pipeline_review(pipeline, fault);
}

/* A turn of polling after each that was attended to: who asks again and again
 * does not keep records away. */
static bool is_wanted(struct pipeline *pipeline)
{
	const struct pipeline_options *options = pipeline->options;
	bool attended = pipeline->attended;
	pipeline->attended = false;
	return !attended && options->wants != NULL &&
	       options->wants(options->payload);
}

static int poll(
	struct pipeline *pipeline, struct flight *flight, struct fault *fault)
{
	struct source_event event;
	int outcome = source_poll(pipeline->options->source, &event,
		poll_timeout_ms(pipeline, flight), fault);
	if (outcome < 0)
		return outcome;
	int rc = take_event(pipeline, flight, outcome, &event, fault);
	if (rc == 0)
		rc = pipeline_clear_stops(pipeline, fault);
	if (rc < 0)
		return rc;
	flight = stages_filling(pipeline->stages);
	if (flight != NULL && is_ready(pipeline, flight))
		rc = send(pipeline, flight, fault);
	return rc < 0 ? rc : land(pipeline, fault);
}

/* What the store suspects. */
static void look_back(struct pipeline *pipeline)
{
	struct fault text;
	caution_init(&pipeline->caution, pipeline->options->store);
	pipeline->caution.convicted = pipeline->options->convicted;
	pipeline->caution.payload = pipeline->options->payload;
	if (caution_tell_start(&pipeline->caution, &text))
		pipeline_tell(pipeline, text.text);
}

/*
 * With every flight under way nothing is polled, however long the disk takes.
 * That costs nothing with librdkafka, since we assign by ourselves (read in its
 * source, 2.0.2):
 *
 * - max.poll.interval.ms binds members: its timer is started only where there
 *   is a subscription (rdkafka_cgrp.c, rd_kafka_cgrp_assign());
 * - fetches, connections, metadata and what was given it to commit are its own
 *   threads'; what they fetch stops at queued.max.messages.kbytes;
 * - errors wait in the queue until we poll, and are told later; the log does
 *   not go through it (kafka_config.c). An OAUTHBEARER token that ran out
 *   meanwhile is renewed by the first poll.
 *
 * To pause everything and poll on would cost: a pause throws away what is
 * queued, and its thread looks only a second later whether it is over.
 */
static int turn(struct pipeline *pipeline, struct fault *fault)
{
	if (pipeline->window_full)
		return pipeline_window_clear(pipeline, fault);
	int rc = pipeline_window_look(pipeline, fault);
	if (rc < 0 || pipeline->window_full)
		return rc;
	struct flight *flight = stages_filling(pipeline->stages);
	if (is_wanted(pipeline))
		return attend(pipeline, fault);
	bool alone = caution_alone(&pipeline->caution) &&
		     stages_in_flight(pipeline->stages) > 0;
	if (flight == NULL || alone) {
		stages_wait(pipeline->stages, PIPELINE_WAIT_MS);
		return land(pipeline, fault);
	}
	return poll(pipeline, flight, fault);
}

static bool must_go_on(const struct pipeline *pipeline)
{
	bool ends = pipeline_all_stopped(pipeline) && !pipeline->options->stays;
	return !pipeline->done && !ends &&
	       !atomic_load(pipeline->options->stop);
}

/* Until there is nothing to do, and all that was polled has landed. */
static int take_turns(struct pipeline *pipeline, struct fault *fault)
{
	int rc = 0;
	while (rc == 0 && must_go_on(pipeline))
		rc = turn(pipeline, fault);
	assert(rc <= 0 || pipeline->leaves);
	return rc == 0 ? pipeline_settle(pipeline, fault) : rc;
}

/* Where the key window had no room for it, it is taken again. */
static int end_or_go_on(struct pipeline *pipeline, struct fault *fault)
{
	if (!pipeline->window_full)
		return pipeline_window_look(pipeline, fault);
	pipeline->done = false;
	return pipeline_window_clear(pipeline, fault);
}

static int stream(struct pipeline *pipeline, struct fault *fault)
{
	int rc;
	do {
		rc = take_turns(pipeline, fault);
		if (rc == 0 && !atomic_load(pipeline->options->stop))
			rc = end_or_go_on(pipeline, fault);
	} while (rc == 0 && must_go_on(pipeline));
	return rc;
}

int pipeline_run(const struct pipeline_options *options,
	struct pipeline_result *result, struct fault *fault)
{
	assert(options->batch_records >= 1);
	assert(options->batch_records <= STORE_BATCH_RECORDS_MAX);
	struct pipeline pipeline = {
		.options = options, .arena = ARENA_INIT, .names = ARENA_INIT};
	look_back(&pipeline);
	int rc = stages_open(
		&pipeline.stages, options, &pipeline.caution, fault);
	if (rc == 0)
		rc = stream(&pipeline, fault);
	const bool told_to_stop = atomic_load(options->stop);
	if (rc == 0 && pipeline.done && pipeline.stopped == 0 && !told_to_stop)
		rc = pipeline_name_held(&pipeline, fault);
	stages_close(pipeline.stages);
	caution_finish(&pipeline.caution);
	free(pipeline.partitions);
	free(pipeline.announced);
	arena_finish(&pipeline.arena);
	arena_finish(&pipeline.names);
	pipeline.result.stopped_partitions = (int64_t)pipeline.stopped;
	if (result != NULL)
		*result = pipeline.result;
	if (rc == 0 && pipeline.stopped > 0 && !told_to_stop)
		return fault_set(fault, FAULT_LOG,
			"%zu of %zu partitions stopped, the first: %s",
			pipeline.stopped, pipeline.partition_count,
			pipeline.first_stop.text);
	return rc;
}
