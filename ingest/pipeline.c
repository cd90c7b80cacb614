#include "ingest/pipeline.h"

#include "ingest/stages.h"

#include <assert.h>
#include <inttypes.h>

#define IDLE_POLL_MS 100 /* how long a stop signal may go unseen */
#define WAIT_MS 100
/* A batch closes when its records may hold so many updates: decoded and being
 * merged each takes some 400 bytes, whatever its record is long. */
#define BATCH_UPDATES 200000

struct pipeline {
	const struct pipeline_options *options;
	struct stages *stages;
	struct pipeline_result result;
	size_t partitions, stopped; /* started, and stopped of them */
	bool done;		    /* the source has no more */
	struct fault first_stop;    /* why the first partition stopped */
};

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

static void tell(struct pipeline *pipeline, const char *text)
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

static int window_full(struct fault *fault)
{
	return fault_set(fault, FAULT_REFUSED,
		"key_window_full: the key window is at "
		"store.key_window_max_bytes and nothing can be let go: raise "
		"it, or shorten store.key_window");
}

/* Take in what went through all stages. */
static int land(struct pipeline *pipeline, struct fault *fault)
{
	struct flight *flight;
	struct fault trouble;
	if (stages_trouble(pipeline->stages, &trouble))
		tell(pipeline, trouble.text);
	while ((flight = stages_landed(pipeline->stages)) != NULL) {
		if (flight->outcome == STORE_WINDOW_FULL)
			return window_full(fault);
		if (flight->outcome != STORE_DURABLE) {
			if (fault != NULL)
				*fault = flight->fault;
			return fault_wrap(fault, flight->outcome,
				"applying a batch of %zu records",
				flight->record_count);
		}
		commit_landed(pipeline, flight);
		add_up(&pipeline->result, flight);
		stages_release(pipeline->stages);
	}
	return 0;
}

/* Wait until every batch that was sent has landed. */
static int drain(struct pipeline *pipeline, struct fault *fault)
{
	int rc = land(pipeline, fault);
	while (rc == 0 && stages_in_flight(pipeline->stages) > 0) {
		stages_wait(pipeline->stages, WAIT_MS);
		rc = land(pipeline, fault);
	}
	return rc;
}

/* Send what is there and wait for it: then the store may be touched. */
static int settle(struct pipeline *pipeline, struct fault *fault)
{
	struct flight *flight = stages_filling(pipeline->stages);
	if (flight != NULL && !flight_is_empty(flight))
		stages_send(pipeline->stages);
	return drain(pipeline, fault);
}

/* Before it tries again: only stopping ends it. */
static bool can_wait(
	struct pipeline *pipeline, int rc, const struct fault *why, bool *told)
{
	bool passes = rc == FAULT_FULL || rc == FAULT_BUSY;
	if (!passes || atomic_load(pipeline->options->stop))
		return false;
	struct fault text;
	fault_set(&text, rc,
		"waiting, and going on by itself when this ends: %s",
		why->text);
	if (!*told)
		tell(pipeline, text.text);
	*told = true;
	stages_wait(pipeline->stages, WAIT_MS);
	return true;
}

/* The store's word on a partition, however long its disk is full. */
static int find_partition(struct pipeline *pipeline,
	const struct source_event *event, const struct store_partition **out,
	struct fault *fault)
{
	struct fault why = {0};
	bool told = false;
	int rc;
	do {
		rc = store_partition(pipeline->options->store, event->topic,
			event->partition, event->log_start, out, &why);
	} while (can_wait(pipeline, rc, &why, &told));
	return rc < 0 ? fault_set(fault, rc, "%s", why.text) : rc;
}

static int identify(struct pipeline *pipeline,
	const struct store_partition *partition,
	const struct source_event *event, struct fault *fault)
{
	if (event->cluster_id == NULL || event->cluster_id[0] == '\0' ||
		strcmp(event->cluster_id, partition->cluster_id) == 0)
		return 0;
	struct fault why = {0};
	bool told = false;
	int rc;
	do {
		rc = store_identify(pipeline->options->store, &partition->log,
			event->cluster_id, partition->topic_id, &why);
	} while (can_wait(pipeline, rc, &why, &told));
	return rc < 0 ? fault_set(fault, rc, "%s", why.text) : rc;
}

/* A partition the source announced: where to go on is the store's word. */
static int start_partition(struct pipeline *pipeline,
	const struct source_event *event, struct fault *fault)
{
	struct store *store = pipeline->options->store;
	const struct store_partition *partition = NULL;
	const struct source_schema *source =
		schema_source(store_schema(store), event->topic);
	assert(source != NULL); /* sources are opened with its topics */
	int rc = settle(pipeline, fault);
	if (rc == 0)
		rc = find_partition(pipeline, event, &partition, fault);
	if (rc < 0)
		return rc;
	assert(partition != NULL);
	rc = stages_add_log(pipeline->stages, &partition->log, source, fault);
	if (rc < 0)
		return rc;
	struct source_position position = {
		.log = &partition->log,
		.next_offset = partition->accounts.next_offset,
		.record_time_us = partition->record_time_us,
		.trail = &partition->trail,
		.cluster_id = partition->cluster_id,
	};
	rc = source_start(pipeline->options->source, &position, fault);
	if (rc == 0)
		rc = identify(pipeline, partition, event, fault);
	pipeline->partitions++;
	return rc;
}

static int stop_partition(struct pipeline *pipeline,
	const struct source_event *event, struct fault *fault)
{
	int rc = settle(pipeline, fault);
	if (rc < 0)
		return rc;
	store_stopped(pipeline->options->store, event->log, true);
	if (pipeline->stopped++ == 0)
		pipeline->first_stop = event->fault;
	tell(pipeline, event->fault.text);
	return 0;
}

static int take_event(struct pipeline *pipeline, struct flight *flight,
	int outcome, const struct source_event *event, struct fault *fault)
{
	if (flight_is_empty(flight))
		flight->opened_us = now_us(pipeline);
	switch (outcome) {
	case SOURCE_RECORD:
		flight->updates_most += stages_updates_most(
			pipeline->stages, event->record.log);
		return flight_add_record(flight, &event->record, fault);
	case SOURCE_END: {
		struct store_mark mark = {
			event->log, event->next_offset, event->as_of_us};
		return flight_add_mark(flight, &mark, fault);
	}
	case SOURCE_PARTITION:
		return start_partition(pipeline, event, fault);
	case SOURCE_STOPPED:
		return stop_partition(pipeline, event, fault);
	case SOURCE_NOTICE:
		tell(pipeline, event->fault.text);
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

static int turn(struct pipeline *pipeline, struct fault *fault)
{
	struct flight *flight = stages_filling(pipeline->stages);
	if (flight == NULL) {
		stages_wait(pipeline->stages, WAIT_MS);
		return land(pipeline, fault);
	}
	struct source_event event;
	int outcome = source_poll(pipeline->options->source, &event,
		poll_timeout_ms(pipeline, flight), fault);
	if (outcome < 0)
		return outcome;
	int rc = take_event(pipeline, flight, outcome, &event, fault);
	if (rc < 0)
		return rc;
	flight = stages_filling(pipeline->stages);
	if (flight != NULL && is_ready(pipeline, flight))
		stages_send(pipeline->stages);
	return land(pipeline, fault);
}

static bool must_go_on(const struct pipeline *pipeline)
{
	bool all_stopped = pipeline->partitions > 0 &&
			   pipeline->stopped == pipeline->partitions;
	return !pipeline->done && !all_stopped &&
	       !atomic_load(pipeline->options->stop);
}

int pipeline_run(const struct pipeline_options *options,
	struct pipeline_result *result, struct fault *fault)
{
	assert(options->batch_records >= 1);
	assert(options->batch_records <= STORE_BATCH_RECORDS_MAX);
	struct pipeline pipeline = {.options = options};
	int rc = stages_open(&pipeline.stages, options, fault);
	while (rc == 0 && must_go_on(&pipeline))
		rc = turn(&pipeline, fault);
	if (rc == 0)
		rc = settle(&pipeline, fault);
	stages_close(pipeline.stages);
	pipeline.result.stopped_partitions = (int64_t)pipeline.stopped;
	if (result != NULL)
		*result = pipeline.result;
	if (rc == 0 && pipeline.stopped > 0)
		return fault_set(fault, FAULT_LOG,
			"%zu of %zu partitions stopped, the first: %s",
			pipeline.stopped, pipeline.partitions,
			pipeline.first_stop.text);
	return rc;
}
