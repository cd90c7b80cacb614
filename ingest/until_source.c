#include "ingest/until_source.h"

#include <stdlib.h>

struct until_source {
	struct source base;
	struct source *inner;
	int64_t until_us;
	bool *over; /* by log id - 1: it came to the moment */
	size_t count;
};

static struct until_source *of(struct source *source)
{
	return (struct until_source *)source;
}

static bool is_over(const struct until_source *until, const struct log *log)
{
	return log->id <= until->count && until->over[log->id - 1];
}

/* Its end is where this record is. */
static int end_there(struct until_source *until, struct source_event *event,
	struct fault *fault)
{
	const struct log *log = event->record.log;
	const int64_t offset = event->record.offset;
	until->over[log->id - 1] = true;
	int rc = source_pause(until->inner, log, true, fault);
	if (rc < 0)
		return rc;
	*event = (struct source_event){
		.log = log, .next_offset = offset, .as_of_us = until->until_us};
	return SOURCE_END;
}

static int until_poll(struct source *source, struct source_event *event,
	uint32_t timeout_ms, struct fault *fault)
{
	struct until_source *until = of(source);
	int outcome = source_poll(until->inner, event, timeout_ms, fault);
	bool record = outcome == SOURCE_RECORD;
	if (!record && outcome != SOURCE_END)
		return outcome;
	if (is_over(until, record ? event->record.log : event->log))
		return SOURCE_IDLE; /* on its way when it was held */
	if (!record || event->record.timestamp_us <= until->until_us)
		return outcome;
	return end_there(until, event, fault);
}

static int until_start(struct source *source,
	const struct source_position *position, struct fault *fault)
{
	struct until_source *until = of(source);
	size_t id = position->log->id;
	if (id > until->count) {
		bool *larger = realloc(until->over, id * sizeof *larger);
		if (larger == NULL)
			return fault_set(
				fault, FAULT_OOM, "no memory for a partition");
		until->over = larger;
		for (; until->count < id; until->count++)
			larger[until->count] = false;
	}
	return source_start(until->inner, position, fault);
}

static int until_pause(struct source *source, const struct log *log, bool pause,
	struct fault *fault)
{
	struct until_source *until = of(source);
	return is_over(until, log)
		       ? 0
		       : source_pause(until->inner, log, pause, fault);
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
	free(until->over);
	free(until);
}

int until_source_open(struct source **out, struct source *inner,
	int64_t until_us, struct fault *fault)
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
	until->until_us = until_us;
	*out = &until->base;
	return 0;
}
