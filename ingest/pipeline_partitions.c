/*
 * The pipeline's partitions: started where the store says, unless it says that
 * they are stopped; and what the source finds wrong, noted there.
 */
#include "ingest/pipeline_inside.h"
#include "schema/policy.h"
#include "store/decisions.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Before it tries again: only stopping ends it. */
static bool can_wait(
	struct pipeline *pipeline, int rc, const struct fault *why, bool *told)
{
	if (!policy_passes(policy_of_fault(rc)) ||
		atomic_load(pipeline->options->stop))
		return false;
	struct fault text;
	fault_set(&text, rc,
		"waiting, and going on by itself when this ends: %s",
		why->text);
	if (!*told)
		pipeline_tell(pipeline, text.text);
	*told = true;
	stages_wait(pipeline->stages, PIPELINE_WAIT_MS);
	return true;
}

/* The store's word on what was announced, however long its disk is full. */
static int find_announced(struct pipeline *pipeline, struct fault *fault)
{
	struct fault why = {0};
	bool told = false;
	int rc;
	do {
		rc = store_partitions(pipeline->options->store,
			pipeline->announced, pipeline->announced_count, &why);
	} while (can_wait(pipeline, rc, &why, &told));
	return rc < 0 ? fault_set(fault, rc, "%s", why.text) : rc;
}

/* The reason of a stop that the source found: the word its text begins with. */
#define REASON_BYTES 32
#define REASON_UNREADABLE "unreadable"

static const char *reason_of(const char *text, char out[REASON_BYTES])
{
	size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz_");
	if (length == 0 || length >= REASON_BYTES ||
		strncmp(text + length, ": ", 2) != 0)
		return REASON_UNREADABLE;
	memcpy(out, text, length);
	out[length] = '\0';
	return out;
}

struct pipeline_partition *pipeline_find(
	struct pipeline *pipeline, const struct log *log)
{
	for (size_t i = 0; i < pipeline->partition_count; i++)
		if (pipeline->partitions[i].log == log)
			return &pipeline->partitions[i];
	return NULL;
}

/* NULL: out of memory. */
static struct pipeline_partition *add(
	struct pipeline *pipeline, const struct log *log, int64_t log_start)
{
	size_t count = pipeline->partition_count + 1;
	struct pipeline_partition *larger = realloc(
		pipeline->partitions, count * sizeof *pipeline->partitions);
	if (larger == NULL)
		return NULL;
	pipeline->partitions = larger;
	pipeline->partition_count = count;
	struct pipeline_partition *added = &larger[count - 1];
	*added = (struct pipeline_partition){
		.log = log, .log_start = log_start, .course = COURSE_RUNS};
	return added;
}

static void be_judged(struct pipeline *pipeline,
	struct pipeline_partition *partition, bool judged)
{
	pipeline->judged -= partition->judged && !partition->well;
	pipeline->well -= partition->well;
	partition->judged = judged;
	partition->well = false;
	pipeline->judged += judged;
}

/* 1: the store says that it is stopped. *lasts: until it is resumed. */
static int why_stopped(struct pipeline *pipeline, const struct log *log,
	bool *lasts, struct fault *fault)
{
	const char *reason = "";
	arena_reset(&pipeline->arena);
	int rc = store_why_stopped(pipeline->options->store, log,
		&pipeline->arena, &reason, fault);
	*lasts = rc == 1 && stop_lasts(reason);
	return rc;
}

/* What is committed must not exceed what is durable (promise P4). It does after
 * a restore, a rollback or lost commits, and until the first batch lands, or
 * where none will: so it is told before anything is taken. The source tells
 * where that lowers it. */
static void commit_stored(
	struct pipeline *pipeline, const struct store_partition *stored)
{
	source_commit(pipeline->options->source, &stored->log,
		stored->accounts.next_offset);
}

/* Start it at the source where the store says. */
static int take_up(struct pipeline *pipeline,
	struct pipeline_partition *partition,
	const struct store_partition *stored, struct fault *fault)
{
	struct store *store = pipeline->options->store;
	struct source_position position = {
		.log = &stored->log,
		.next_offset = stored->accounts.next_offset,
		.record_time_us = stored->record_time_us,
		.trail = &stored->trail,
		.cluster_id = stored->cluster_id,
		.at_end_us = stored->at_end_us,
		.end_offset = stored->end_offset,
	};
	partition->log = &stored->log;
	partition->course = COURSE_RUNS;
	pipeline->to_the_brim = false; /* it may be behind */
	store_stopped(store, &stored->log, false);
	int rc = source_start(pipeline->options->source, &position, fault);
	if (rc == 0)
		commit_stored(pipeline, stored);
	return rc;
}

static int announce(struct pipeline *pipeline,
	const struct store_partition *stored, int64_t log_start,
	struct fault *fault)
{
	struct pipeline_partition *partition =
		add(pipeline, &stored->log, log_start);
	bool lasts = false;
	if (partition == NULL)
		return fault_set(fault, FAULT_OOM, "no memory for a partition");
	int rc = why_stopped(pipeline, &stored->log, &lasts, fault);
	if (rc < 0)
		return rc;
	if (!lasts) {
		be_judged(pipeline, partition, rc == 1);
		return take_up(pipeline, partition, stored, fault);
	}
	struct fault text;
	fault_set(&text, FAULT_LOG,
		"%s:%" PRId32 " takes no records, as it was stopped: "
		"`holdfast status` says why, and what to run",
		stored->log.topic, stored->log.partition);
	pipeline_tell(pipeline, text.text);
	partition->course = COURSE_NOT_STARTED;
	store_stopped(pipeline->options->store, &stored->log, true);
	commit_stored(pipeline, stored);
	/* Nor does anybody wait for its end. */
	return source_pause(
		pipeline->options->source, &stored->log, true, fault);
}

static int add_log(
	struct pipeline *pipeline, const struct log *log, struct fault *fault)
{
	const struct source_schema *source = schema_source(
		store_schema(pipeline->options->store), log->topic);
	assert(source != NULL); /* sources are opened with its topics */
	return stages_add_log(pipeline->stages, log, source, fault);
}

static const char *keep_name(struct pipeline *pipeline, const char *name)
{
	return name == NULL ? ""
			    : arena_copy(&pipeline->names, slice_of(name)).data;
}

static int keep_announced(struct pipeline *pipeline,
	const struct source_event *event, struct fault *fault)
{
	size_t count = pipeline->announced_count + 1;
	struct store_announced *larger = realloc(
		pipeline->announced, count * sizeof *pipeline->announced);
	if (larger == NULL)
		return fault_set(fault, FAULT_OOM, "no memory for a partition");
	pipeline->announced = larger;
	struct store_announced *kept = &larger[count - 1];
	struct clock *clock = pipeline->options->clock;
	*kept = (struct store_announced){
		.topic = keep_name(pipeline, event->topic),
		.partition = event->partition,
		.log_start = event->log_start,
		.now_us = clock->wall_us(clock),
		.cluster_id = keep_name(pipeline, event->cluster_id),
	};
	if (kept->topic == NULL || kept->cluster_id == NULL)
		return fault_set(fault, FAULT_OOM, "no memory for a partition");
	pipeline->announced_count = count;
	return 0;
}

/* Where to go on is the store's word. Those that are announced together are
 * noted together: each would be a commit of its own. */
int pipeline_start(struct pipeline *pipeline, const struct source_event *event,
	struct fault *fault)
{
	int rc = keep_announced(pipeline, event, fault);
	if (rc < 0 || event->more)
		return rc;
	rc = pipeline_settle(pipeline, fault);
	if (rc == 0)
		rc = find_announced(pipeline, fault);
	for (size_t i = 0; rc == 0 && i < pipeline->announced_count; i++) {
		const struct store_announced *one = &pipeline->announced[i];
		rc = add_log(pipeline, &one->stored->log, fault);
		if (rc == 0)
			rc = announce(
				pipeline, one->stored, one->log_start, fault);
	}
	pipeline->announced_count = 0;
	arena_reset(&pipeline->names);
	return rc;
}

/* However long the disk is full. */
static int stop_in_store(struct pipeline *pipeline,
	const struct store_stop *stop, struct fault *fault)
{
	struct fault why = {0};
	bool told = false;
	int rc;
	do {
		rc = store_stop_partition(
			pipeline->options->store, stop, NULL, &why);
	} while (can_wait(pipeline, rc, &why, &told));
	return rc < 0 ? fault_set(fault, rc, "%s", why.text) : 0;
}

/* For other processes to see; what a person stopped stays so. */
static int note_stop(struct pipeline *pipeline,
	const struct source_event *event, struct fault *fault)
{
	struct clock *clock = pipeline->options->clock;
	char word[REASON_BYTES];
	const struct store_stop stop = {
		.log = event->log,
		.reason = reason_of(event->fault.text, word),
		.detail = event->fault.text,
		.since_us = clock->wall_us(clock),
		.log_start = event->log_start,
	};
	bool lasts = false;
	int rc = why_stopped(pipeline, event->log, &lasts, fault);
	if (rc < 0 || lasts)
		return rc < 0 ? rc : 0;
	return stop_in_store(pipeline, &stop, fault);
}

bool pipeline_all_stopped(const struct pipeline *pipeline)
{
	return pipeline->partition_count > 0 &&
	       pipeline->stopped == pipeline->partition_count;
}

int pipeline_stop(struct pipeline *pipeline, const struct source_event *event,
	struct fault *fault)
{
	int rc = pipeline_settle(pipeline, fault);
	if (rc < 0)
		return rc;
	struct pipeline_partition *partition =
		pipeline_find(pipeline, event->log);
	assert(partition != NULL); /* it was started */
	be_judged(pipeline, partition, false);
	partition->course = COURSE_STOPPED;
	store_stopped(pipeline->options->store, event->log, true);
	if (pipeline->stopped++ == 0)
		pipeline->first_stop = event->fault;
	pipeline_tell(pipeline, event->fault.text);
	if (pipeline->options->stays && pipeline_all_stopped(pipeline))
		pipeline_tell(pipeline,
			"every partition is stopped: no records are taken "
			"until one is resumed; `holdfast status` says why, and "
			"what to run");
	return note_stop(pipeline, event, fault);
}

void pipeline_runs_well(struct pipeline *pipeline, const struct log *log)
{
	if (pipeline->judged == 0)
		return;
	struct pipeline_partition *partition = pipeline_find(pipeline, log);
	if (partition == NULL || !partition->judged || partition->well)
		return;
	partition->well = true;
	pipeline->well++;
	pipeline->judged--;
}

static int clear_stop(
	struct pipeline *pipeline, const struct log *log, struct fault *fault)
{
	struct fault why = {0};
	bool told = false;
	int rc;
	do {
		rc = store_resume_partition(
			pipeline->options->store, log, NULL, &why);
	} while (can_wait(pipeline, rc, &why, &told));
	return rc < 0 ? fault_set(fault, rc, "%s", why.text) : 0;
}

int pipeline_clear_stops(struct pipeline *pipeline, struct fault *fault)
{
	if (pipeline->well == 0)
		return 0;
	int rc = pipeline_settle(pipeline, fault);
	for (size_t i = 0; rc == 0 && i < pipeline->partition_count; i++) {
		struct pipeline_partition *one = &pipeline->partitions[i];
		if (!one->well)
			continue;
		be_judged(pipeline, one, false);
		rc = clear_stop(pipeline, one->log, fault);
	}
	return rc;
}

/* It was stopped while it ran, by somebody. */
static int hold_back(struct pipeline *pipeline,
	struct pipeline_partition *partition, struct fault *fault)
{
	be_judged(pipeline, partition, false);
	partition->course = COURSE_HELD;
	store_stopped(pipeline->options->store, partition->log, true);
	return source_pause(
		pipeline->options->source, partition->log, true, fault);
}

/* Where the store says, which may be a new log. One that was held when the
 * source found it changed is paused there still. */
static int start_where_stored(struct pipeline *pipeline,
	struct pipeline_partition *partition, struct fault *fault)
{
	const struct store_partition *stored = NULL;
	struct source *source = pipeline->options->source;
	int rc = store_partition(pipeline->options->store,
		partition->log->topic, partition->log->partition,
		partition->log_start, &stored, fault);
	if (rc == 0 && &stored->log != partition->log)
		rc = add_log(pipeline, &stored->log, fault);
	if (rc == 0 && partition->course != COURSE_RUNS)
		rc = source_pause(source, partition->log, false, fault);
	return rc < 0 ? rc : take_up(pipeline, partition, stored, fault);
}

/* It is stopped no more. One that is being judged may have been moved before
 * its verdict came: that would be of where it was. */
static int go_on(struct pipeline *pipeline,
	struct pipeline_partition *partition, struct fault *fault)
{
	if (partition->course == COURSE_HELD) {
		partition->course = COURSE_RUNS;
		pipeline->to_the_brim = false;
		store_stopped(pipeline->options->store, partition->log, false);
		return source_pause(pipeline->options->source, partition->log,
			false, fault);
	}
	pipeline->stopped -= partition->course == COURSE_STOPPED;
	be_judged(pipeline, partition, false);
	return start_where_stored(pipeline, partition, fault);
}

int pipeline_start_again(struct pipeline *pipeline,
	struct pipeline_partition *partition, struct fault *fault)
{
	assert(partition->course == COURSE_RUNS);
	return start_where_stored(pipeline, partition, fault);
}

int pipeline_hold(struct pipeline *pipeline,
	struct pipeline_partition *partition, const struct store_stop *stop,
	struct fault *fault)
{
	assert(partition->course == COURSE_RUNS);
	int rc = stop_in_store(pipeline, stop, fault);
	return rc < 0 ? rc : hold_back(pipeline, partition, fault);
}

int pipeline_release(struct pipeline *pipeline,
	struct pipeline_partition *partition, struct fault *fault)
{
	int rc = clear_stop(pipeline, partition->log, fault);
	if (rc < 0 || partition->course == COURSE_RUNS)
		return rc;
	return go_on(pipeline, partition, fault);
}

int pipeline_review(struct pipeline *pipeline, struct fault *fault)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < pipeline->partition_count; i++) {
		struct pipeline_partition *one = &pipeline->partitions[i];
		bool lasts = false;
		rc = why_stopped(pipeline, one->log, &lasts, fault);
		if (rc < 0)
			return rc;
		bool runs = one->course == COURSE_RUNS;
		bool resumed = rc == 0 && (!runs || one->judged);
		bool stopped = rc == 1 && runs && (lasts || !one->judged);
		rc = 0;
		if (stopped)
			rc = hold_back(pipeline, one, fault);
		else if (resumed)
			rc = go_on(pipeline, one, fault);
	}
	return rc;
}

/* As many as a message holds. */
#define NAMES_BYTES 512

int pipeline_name_held(struct pipeline *pipeline, struct fault *fault)
{
	char names[NAMES_BYTES] = "";
	size_t used = 0, held = 0;
	for (size_t i = 0; i < pipeline->partition_count; i++) {
		const struct pipeline_partition *one = &pipeline->partitions[i];
		const char *reason = "";
		if (one->course == COURSE_RUNS || one->course == COURSE_STOPPED)
			continue;
		arena_reset(&pipeline->arena);
		int rc = store_why_stopped(pipeline->options->store, one->log,
			&pipeline->arena, &reason, fault);
		if (rc < 0)
			return rc;
		held++;
		int length = snprintf(names + used, sizeof names - used,
			"%s%s:%" PRId32 " (%s)", used == 0 ? "" : ", ",
			one->log->topic, one->log->partition, reason);
		if (length > 0 && (size_t)length < sizeof names - used)
			used += (size_t)length;
		else
			names[used] = '\0';
	}
	if (held == 0)
		return 0;
	return fault_set(fault, FAULT_LOG,
		"all others are at the end, and %zu of %zu partitions take no "
		"records: %s%s. `holdfast status` says why; a paused one goes "
		"on with `holdfast resume TOPIC:PARTITION`",
		held, pipeline->partition_count, names,
		used == 0 ? "see there" : "");
}
