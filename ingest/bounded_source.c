#include "ingest/bounded_source.h"

#include "schema/arena.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* What is known of a partition: its limit, its log once it was started. */
struct bound {
	struct source_limit limit; /* its topic is owned */
	const struct log *log;	   /* NULL: not started */
	int64_t position;	   /* all below was given, or is not there */
	int64_t end;		   /* of the log, where it was last told */
	bool told;		   /* that it is at its limit */
	bool pausing;		   /* by who uses this source */
	bool held;		   /* at the source behind, for its limit */
	/* It came and lies beyond the limit: given when that is raised. The
	 * source behind goes on after it. */
	bool has_record;
	struct record record; /* in `arena` */
	struct arena arena;
};

struct bounded_source {
	struct source base;
	struct source *inner;
	struct bound **bounds;
	size_t count;
	size_t next; /* to be asked first, so that each gets its turn */
};

static struct bounded_source *of(struct source *source)
{
	return (struct bounded_source *)source;
}

static struct bound *find(
	struct bounded_source *bounded, const char *topic, int32_t partition)
{
	for (size_t i = 0; i < bounded->count; i++) {
		struct bound *bound = bounded->bounds[i];
		if (bound->limit.partition == partition &&
			strcmp(bound->limit.topic, topic) == 0)
			return bound;
	}
	return NULL;
}

static void bound_free(struct bound *bound)
{
	if (bound == NULL)
		return;
	free((void *)(uintptr_t)bound->limit.topic);
	arena_finish(&bound->arena);
	free(bound);
}

/* A partition that may give nothing yet. NULL: out of memory. */
static struct bound *add(
	struct bounded_source *bounded, const char *topic, int32_t partition)
{
	struct bound **larger = realloc(
		bounded->bounds, (bounded->count + 1) * sizeof(*larger));
	if (larger == NULL)
		return NULL;
	bounded->bounds = larger;
	struct bound *bound = calloc(1, sizeof *bound);
	if (bound == NULL)
		return NULL;
	bound->limit = (struct source_limit){.topic = strdup(topic),
		.partition = partition,
		.next_offset = INT64_MIN,
		.as_of_us = TIMESTAMP_NONE};
	bound->end = INT64_MIN;
	if (bound->limit.topic == NULL) {
		bound_free(bound);
		return NULL;
	}
	larger[bounded->count++] = bound;
	return bound;
}

static struct bound *find_or_add(struct bounded_source *bounded,
	const char *topic, int32_t partition, struct fault *fault)
{
	struct bound *bound = find(bounded, topic, partition);
	if (bound == NULL)
		bound = add(bounded, topic, partition);
	if (bound == NULL)
		fault_set(fault, FAULT_OOM, "no memory for a partition");
	return bound;
}

/* Held at the source behind for either reason. */
static int hold(struct bounded_source *bounded, struct bound *bound, bool held,
	bool pausing, struct fault *fault)
{
	bool was = bound->held || bound->pausing;
	bound->held = held;
	bound->pausing = pausing;
	bool is = held || pausing;
	if (bound->log == NULL || is == was)
		return 0;
	return source_pause(bounded->inner, bound->log, is, fault);
}

int bounded_source_limit(struct bounded_source *bounded,
	const struct source_limit *limit, struct fault *fault)
{
	struct bound *bound =
		find_or_add(bounded, limit->topic, limit->partition, fault);
	if (bound == NULL)
		return FAULT_OOM;
	bool stopped = limit->stopped && !bound->limit.stopped;
	bound->limit.stopped = limit->stopped;
	if (limit->next_offset == bound->limit.next_offset && stopped)
		bound->told = false;
	if (limit->next_offset <= bound->limit.next_offset)
		return 0;
	bound->limit.next_offset = limit->next_offset;
	bound->limit.as_of_us = limit->as_of_us;
	bound->told = bound->position >= limit->next_offset;
	/* What came beyond the old limit is given first. */
	bool held =
		bound->has_record && bound->record.offset >= limit->next_offset;
	return bound->has_record && !held
		       ? 0 /* released when that is given */
		       : hold(bounded, bound, held, bound->pausing, fault);
}

static int64_t left_of(const struct bound *bound)
{
	int64_t limit = bound->limit.next_offset;
	if (limit == INT64_MAX)
		return bound->end != INT64_MIN && bound->position >= bound->end
			       ? 0
			       : INT64_MAX;
	return limit > bound->position ? limit - bound->position : 0;
}

int64_t bounded_source_left(const struct bounded_source *bounded)
{
	int64_t all = 0;
	for (size_t i = 0; i < bounded->count; i++) {
		int64_t left = left_of(bounded->bounds[i]);
		all = left > INT64_MAX - all ? INT64_MAX : all + left;
	}
	return all;
}

/* A record's bytes, kept. False: out of memory. */
static bool keep(struct bound *bound, const struct record *record)
{
	arena_reset(&bound->arena);
	struct record kept = *record;
	size_t size = record->header_count * sizeof(struct header);
	struct header *headers = arena_take(&bound->arena, size);
	bool whole = headers != NULL;
	kept.key = arena_copy(&bound->arena, record->key);
	kept.value = arena_copy(&bound->arena, record->value);
	whole = whole && (kept.key.data != NULL || record->key.data == NULL) &&
		(kept.value.data != NULL || record->value.data == NULL);
	for (size_t i = 0; whole && i < record->header_count; i++) {
		const struct header *from = &record->headers[i];
		headers[i].name = arena_copy(&bound->arena, from->name);
		headers[i].value = arena_copy(&bound->arena, from->value);
		whole = headers[i].name.data != NULL &&
			(headers[i].value.data != NULL ||
				from->value.data == NULL);
	}
	kept.headers = headers;
	bound->record = kept;
	bound->has_record = whole;
	return whole;
}

/* Nothing lies behind the limit, as far as the source behind told. */
static bool ends_there(const struct bound *bound)
{
	return bound->limit.stopped ||
	       (!bound->has_record && bound->end == bound->limit.next_offset);
}

/* It has come to its limit: said once. */
static int tell_limit(struct bound *bound, struct source_event *event)
{
	if (bound->told || bound->limit.next_offset == INT64_MIN)
		return SOURCE_IDLE;
	bound->told = true;
	bound->position = bound->limit.next_offset;
	*event = (struct source_event){.log = bound->log,
		.next_offset = bound->limit.next_offset,
		.as_of_us = bound->limit.as_of_us};
	return ends_there(bound) ? SOURCE_END : SOURCE_LIMIT;
}

static int give_record(struct bounded_source *bounded, struct bound *bound,
	struct source_event *event, struct fault *fault)
{
	bound->has_record = false;
	bound->position = bound->record.next_offset;
	*event = (struct source_event){
		.record = bound->record, .log = bound->record.log};
	int rc = hold(bounded, bound, false, bound->pausing, fault);
	return rc < 0 ? rc : SOURCE_RECORD;
}

/* A record, or an end that lies between an old limit and a new one: the source
 * behind tells it once. */
static bool waits(const struct bound *bound)
{
	return bound->has_record ||
	       (bound->log != NULL && !bound->told &&
		       bound->end >= bound->limit.next_offset);
}

/* What waited for a limit to be raised. */
static int give_waiting(struct bounded_source *bounded,
	struct source_event *event, struct fault *fault)
{
	for (size_t i = 0; i < bounded->count; i++) {
		size_t index = (bounded->next + i) % bounded->count;
		struct bound *bound = bounded->bounds[index];
		if (bound->pausing || !waits(bound))
			continue;
		bounded->next = index + 1;
		if (bound->has_record &&
			bound->record.offset < bound->limit.next_offset)
			return give_record(bounded, bound, event, fault);
		int outcome = tell_limit(bound, event);
		if (outcome != SOURCE_IDLE)
			return outcome;
	}
	return SOURCE_IDLE;
}

static struct bound *bound_of(
	struct bounded_source *bounded, const struct log *log)
{
	struct bound *bound = find(bounded, log->topic, log->partition);
	assert(bound != NULL); /* it was started */
	return bound;
}

static int judge_record(struct bounded_source *bounded,
	struct source_event *event, struct fault *fault)
{
	struct bound *bound = bound_of(bounded, event->record.log);
	if (event->record.offset < bound->limit.next_offset) {
		bound->position = event->record.next_offset;
		return SOURCE_RECORD;
	}
	assert(!bound->has_record); /* it is held since then */
	if (!keep(bound, &event->record))
		return fault_set(fault, FAULT_OOM, "no memory for a record");
	int rc = hold(bounded, bound, true, bound->pausing, fault);
	return rc < 0 ? rc : tell_limit(bound, event);
}

/* The end of the log is at the limit, beyond it, or before it. */
static int judge_end(struct bounded_source *bounded, struct source_event *event)
{
	struct bound *bound = bound_of(bounded, event->log);
	bound->end = event->next_offset;
	if (event->next_offset < bound->limit.next_offset) {
		bound->position = event->next_offset;
		return SOURCE_END;
	}
	/* That the limit is the log's end, too, is more than was told. */
	if (event->next_offset == bound->limit.next_offset)
		bound->told = false;
	return tell_limit(bound, event);
}

static int poll_inner(struct bounded_source *bounded,
	struct source_event *event, uint32_t timeout_ms, struct fault *fault)
{
	int outcome = source_poll(bounded->inner, event, timeout_ms, fault);
	if (outcome == SOURCE_RECORD)
		return judge_record(bounded, event, fault);
	if (outcome == SOURCE_END)
		return judge_end(bounded, event);
	return outcome;
}

static int bounded_poll(struct source *source, struct source_event *event,
	uint32_t timeout_ms, struct fault *fault)
{
	struct bounded_source *bounded = of(source);
	int outcome = give_waiting(bounded, event, fault);
	return outcome != SOURCE_IDLE
		       ? outcome
		       : poll_inner(bounded, event, timeout_ms, fault);
}

static int bounded_start(struct source *source,
	const struct source_position *position, struct fault *fault)
{
	struct bounded_source *bounded = of(source);
	struct bound *bound = find_or_add(
		bounded, position->log->topic, position->log->partition, fault);
	if (bound == NULL)
		return FAULT_OOM;
	/* Started anew it is paused only if who uses this source wants that. */
	int rc = hold(bounded, bound, false, bound->pausing, fault);
	if (rc < 0)
		return rc;
	bound->log = position->log;
	bound->position = position->next_offset;
	bound->end = INT64_MIN;
	bound->told = bound->position == bound->limit.next_offset;
	bound->has_record = false;
	return source_start(bounded->inner, position, fault);
}

static int bounded_pause(struct source *source, const struct log *log,
	bool pause, struct fault *fault)
{
	struct bounded_source *bounded = of(source);
	struct bound *bound = bound_of(bounded, log);
	return hold(bounded, bound, bound->held, pause, fault);
}

/* Not ours to say: the live generation's owner does. */
static void bounded_commit(
	struct source *source, const struct log *log, int64_t next_offset)
{
	(void)source;
	(void)log;
	(void)next_offset;
}

static void bounded_close(struct source *source)
{
	struct bounded_source *bounded = of(source);
	source_close(bounded->inner);
	for (size_t i = 0; i < bounded->count; i++)
		bound_free(bounded->bounds[i]);
	free((void *)bounded->bounds);
	free(bounded);
}

int bounded_source_open(
	struct bounded_source **out, struct source *inner, struct fault *fault)
{
	static const struct source_ops ops = {
		.poll = bounded_poll,
		.start = bounded_start,
		.pause = bounded_pause,
		.commit = bounded_commit,
		.close = bounded_close,
	};
	*out = calloc(1, sizeof **out);
	if (*out == NULL) {
		source_close(inner);
		return fault_set(fault, FAULT_OOM, "no memory for a source");
	}
	(*out)->base.ops = &ops;
	(*out)->inner = inner;
	return 0;
}

struct source *bounded_source_of(struct bounded_source *bounded)
{
	return &bounded->base;
}
