#include "ingest/until_source.h"

#include <stdlib.h>

struct course {
	bool over;    /* it came to the moment */
	bool pausing; /* by who uses this source */
};

struct until_source {
	struct source base;
	struct source *inner;
	struct until_options options;
	struct course *courses; /* by log id - 1: courses[0..count) */
	size_t count;
};

static struct until_source *of(struct source *source)
{
	return (struct until_source *)source;
}

/* NULL: out of memory. */
static struct course *course_of(
	struct until_source *until, const struct log *log)
{
	if (log->id > until->count) {
		struct course *larger =
			realloc(until->courses, log->id * sizeof *larger);
		if (larger == NULL)
			return NULL;
		until->courses = larger;
		while (until->count < log->id)
			larger[until->count++] = (struct course){0};
	}
	return &until->courses[log->id - 1];
}

static int no_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_OOM, "no memory for a partition");
}

/* Held at the source behind for either reason. */
static int hold(struct until_source *until, const struct log *log, bool over,
	bool pausing, struct fault *fault)
{
	struct course *course = course_of(until, log);
	if (course == NULL)
		return no_memory(fault);
	bool was = course->over || course->pausing;
	*course = (struct course){over, pausing};
	return was == (over || pausing)
		       ? 0
		       : source_pause(until->inner, log, !was, fault);
}

/* Its end is where this record is. */
static int end_there(struct until_source *until, struct source_event *event,
	const struct course *course, struct fault *fault)
{
	const struct log *log = event->record.log;
	const int64_t offset = event->record.offset;
	int rc = hold(until, log, true, course->pausing, fault);
	if (rc < 0)
		return rc;
	*event = (struct source_event){.log = log,
		.next_offset = offset,
		.as_of_us = until->options.until_us};
	return SOURCE_END;
}

/* 1: the record is behind the moment. */
static int is_later(const struct until_source *until,
	const struct record *record, struct fault *fault)
{
	const struct until_options *options = &until->options;
	int64_t time_us = record->timestamp_us;
	int rc = 0;
	if (time_us == TIMESTAMP_NONE && options->time_of != NULL)
		rc = options->time_of(
			options->payload, record, &time_us, fault);
	return rc < 0 ? rc : time_us > options->until_us;
}

static int check_found(const struct until_source *until,
	const struct source_event *event, struct fault *fault)
{
	const struct until_options *options = &until->options;
	int rc = options->found == NULL
			 ? 0
			 : options->found(options->log_payload, event, fault);
	return rc < 0 ? rc : SOURCE_PARTITION;
}

static int until_poll(struct source *source, struct source_event *event,
	uint32_t timeout_ms, struct fault *fault)
{
	struct until_source *until = of(source);
	int outcome = source_poll(until->inner, event, timeout_ms, fault);
	bool record = outcome == SOURCE_RECORD;
	if (outcome == SOURCE_PARTITION)
		return check_found(until, event, fault);
	if (!record && outcome != SOURCE_END)
		return outcome;
	const struct course *course =
		course_of(until, record ? event->record.log : event->log);
	if (course == NULL)
		return no_memory(fault);
	if (course->over)
		return SOURCE_IDLE; /* on its way when it was held */
	int later = record ? is_later(until, &event->record, fault) : 0;
	if (later < 0)
		return later;
	return later == 1 ? end_there(until, event, course, fault) : outcome;
}

/* Anew, too: then what came from there comes again. */
static int until_start(struct source *source,
	const struct source_position *position, struct fault *fault)
{
	struct until_source *until = of(source);
	const struct course *course = course_of(until, position->log);
	if (course == NULL)
		return no_memory(fault);
	int rc = hold(until, position->log, false, course->pausing, fault);
	struct source_position known = *position;
	if (until->options.know != NULL)
		until->options.know(until->options.log_payload, &known);
	return rc < 0 ? rc : source_start(until->inner, &known, fault);
}

static int until_pause(struct source *source, const struct log *log, bool pause,
	struct fault *fault)
{
	struct until_source *until = of(source);
	const struct course *course = course_of(until, log);
	if (course == NULL)
		return no_memory(fault);
	return hold(until, log, course->over, pause, fault);
}

/* Not ours to say: the live generation's owner does. */
static void until_commit(
	struct source *source, const struct log *log, int64_t next_offset)
{
	(void)source;
	(void)log;
	(void)next_offset;
}

static void until_close(struct source *source)
{
	struct until_source *until = of(source);
	source_close(until->inner);
	free(until->courses);
	free(until);
}

int until_source_open(struct source **out, struct source *inner,
	const struct until_options *options, struct fault *fault)
{
	static const struct source_ops ops = {until_poll, until_start,
		until_pause, until_commit, until_close};
	struct until_source *until = calloc(1, sizeof *until);
	*out = NULL;
	if (until == NULL) {
		source_close(inner);
		return fault_set(fault, FAULT_OOM, "no memory for a source");
	}
	until->base.ops = &ops;
	until->inner = inner;
	until->options = *options;
	*out = &until->base;
	return 0;
}
