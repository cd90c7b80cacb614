#include "tests/lib/script_source.h"

#include "tests/lib/check.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define AWAIT_POLLS_MAX 1000000
#define NEXT_POLLS 50 /* more than any such script has steps */

enum script_kind {
	STEP_ANNOUNCE,
	STEP_RECORD,
	STEP_END,
	STEP_STOP,
	STEP_NOTICE,
	STEP_IDLE,
	STEP_AWAIT,
	STEP_STOP_ALL,
	STEP_BREAK,
	STEP_ORDER
};

struct script_step {
	enum script_kind kind;
	int32_t partition;
	int64_t offset; /* RECORD: its own; END, AWAIT: behind the last */
	char *text;	/* owned: value of a record, or why */
	int order;
	int64_t time_us; /* of a record */
	bool given;	 /* where the script rewinds */
};

static int64_t clock_monotonic(struct clock *clock)
{
	return atomic_load(&((struct script_clock *)clock)->now_us);
}

void script_clock_init(struct script_clock *clock)
{
	clock->clock = (struct clock){clock_monotonic, clock_monotonic};
	atomic_init(&clock->now_us, SCRIPT_TIME_US);
}

static struct script_step *add(
	struct script_source *script, enum script_kind kind, int32_t partition)
{
	script->steps = realloc(script->steps,
		(script->step_count + 1) * sizeof *script->steps);
	assert_non_null(script->steps);
	struct script_step *step = &script->steps[script->step_count++];
	*step = (struct script_step){.kind = kind, .partition = partition};
	if (partition >= 0)
		step->offset = script->partitions[partition].made;
	step->time_us = script->record_time_us;
	return step;
}

void script_announce(struct script_source *script, int32_t partition)
{
	add(script, STEP_ANNOUNCE, partition);
}

void script_record(
	struct script_source *script, int32_t partition, const char *value)
{
	struct script_step *step = add(script, STEP_RECORD, partition);
	step->text = strdup(value);
	assert_non_null(step->text);
	script->partitions[partition].made++;
}

void script_record_time(struct script_source *script, int64_t time_us)
{
	script->record_time_us = time_us;
}

void script_gap(struct script_source *script, int32_t partition, int64_t count)
{
	script->partitions[partition].made += count;
}

void script_end(struct script_source *script, int32_t partition)
{
	add(script, STEP_END, partition);
}

void script_stop(
	struct script_source *script, int32_t partition, const char *why)
{
	add(script, STEP_STOP, partition)->text = strdup(why);
}

void script_notice(struct script_source *script, const char *text)
{
	add(script, STEP_NOTICE, -1)->text = strdup(text);
}

void script_idle(struct script_source *script)
{
	add(script, STEP_IDLE, -1);
}

void script_await(struct script_source *script, int32_t partition)
{
	add(script, STEP_AWAIT, partition);
}

void script_stop_all(struct script_source *script)
{
	add(script, STEP_STOP_ALL, -1);
}

void script_break(struct script_source *script)
{
	add(script, STEP_BREAK, -1);
}

void script_order(struct script_source *script, int order)
{
	add(script, STEP_ORDER, -1)->order = order;
}

int script_ordered(const struct script_source *script)
{
	return script->ordered;
}

static int idle(struct script_source *script, uint32_t timeout_ms)
{
	/* Where others do the work they need the processor, not time. */
	(void)sched_yield();
	atomic_fetch_add(&script->clock->now_us, (int64_t)timeout_ms * 1000);
	return SOURCE_IDLE;
}

/* Idle until it is committed. */
static bool is_awaited(
	struct script_source *script, const struct script_step *step)
{
	if (step->kind != STEP_AWAIT)
		return false;
	assert_true(script->awaiting++ < AWAIT_POLLS_MAX);
	return script->partitions[step->partition].committed < step->offset;
}

static int give_record(struct script_source *script,
	const struct script_step *step, struct source_event *event)
{
	const struct log *log = script->partitions[step->partition].log;
	assert_non_null(log);
	event->record = (struct record){
		.form = RECORD_MESSAGE,
		.log = log,
		.offset = step->offset,
		.next_offset = step->offset + 1,
		.timestamp_us = step->time_us,
		.value = slice_of(step->text),
	};
	return SOURCE_RECORD;
}

static int give(struct script_source *script, const struct script_step *step,
	struct source_event *event)
{
	switch (step->kind) {
	case STEP_ANNOUNCE:
		event->topic = script->topic;
		event->partition = step->partition;
		event->cluster_id = "";
		return SOURCE_PARTITION;
	case STEP_RECORD:
		return give_record(script, step, event);
	case STEP_END:
		event->log = script->partitions[step->partition].log;
		event->next_offset = step->offset;
		event->as_of_us = atomic_load(&script->clock->now_us);
		return SOURCE_END;
	case STEP_STOP:
		event->log = script->partitions[step->partition].log;
		fault_set(&event->fault, FAULT_LOG, "%s", step->text);
		return SOURCE_STOPPED;
	case STEP_NOTICE:
		fault_set(&event->fault, FAULT_LOG, "%s", step->text);
		return SOURCE_NOTICE;
	default:
		return SOURCE_IDLE;
	}
}

/* Below where its partition was started: not the source's to give. */
static bool is_taken(
	const struct script_source *script, const struct script_step *step)
{
	return step->kind == STEP_RECORD &&
	       step->offset < script->partitions[step->partition].start_offset;
}

static bool is_of_log(const struct script_step *step)
{
	return step->kind == STEP_RECORD || step->kind == STEP_END;
}

/* The first step that was not given and is not held back; NULL: none, or it
 * must wait. Then script->next is behind the last. */
static const struct script_step *next_left(struct script_source *script)
{
	for (size_t i = 0; i < script->step_count; i++) {
		struct script_step *step = &script->steps[i];
		if (step->given ||
			(is_of_log(step) &&
				script->partitions[step->partition].paused))
			continue;
		if (is_awaited(script, step))
			return NULL;
		step->given = true;
		if (step->kind != STEP_AWAIT && !is_taken(script, step))
			return step;
	}
	script->next = script->step_count;
	return NULL;
}

/* What a partition gave from `offset` on, it gives again. */
static void rewind_to(
	struct script_source *script, int32_t partition, int64_t offset)
{
	for (size_t i = 0; i < script->step_count; i++) {
		struct script_step *step = &script->steps[i];
		if (is_of_log(step) && step->partition == partition &&
			step->offset >= offset)
			step->given = false;
	}
}

/* The step that is due; NULL: none, or it must wait. */
static const struct script_step *next_step(struct script_source *script)
{
	if (script->rewinds)
		return next_left(script);
	while (script->next < script->step_count) {
		const struct script_step *step = &script->steps[script->next];
		if (is_awaited(script, step))
			return NULL;
		script->next++;
		if (step->kind != STEP_AWAIT && !is_taken(script, step))
			return step;
	}
	return NULL;
}

static int script_poll(struct source *source, struct source_event *event,
	uint32_t timeout_ms, struct fault *fault)
{
	struct script_source *script = (struct script_source *)source;
	*event = (struct source_event){0};
	atomic_fetch_add(&script->clock->now_us, script->poll_us);
	const struct script_step *step = next_step(script);
	if (step == NULL && script->next == script->step_count &&
		script->until_end)
		return SOURCE_DONE;
	if (step == NULL)
		return idle(script, timeout_ms);
	if (step->kind == STEP_BREAK)
		return fault_set(fault, FAULT_BROKER, "the broker said no");
	script->ordered = step->order;
	if (step->kind == STEP_STOP_ALL)
		atomic_store(script->stop, true);
	int outcome = give(script, step, event);
	return outcome == SOURCE_IDLE ? idle(script, timeout_ms) : outcome;
}

static int script_start(struct source *source,
	const struct source_position *position, struct fault *fault)
{
	struct script_source *script = (struct script_source *)source;
	(void)fault;
	size_t index = (size_t)position->log->partition;
	script->partitions[index].log = position->log;
	script->partitions[index].start_offset = position->next_offset;
	script->partitions[index].cluster_id = position->cluster_id;
	if (script->partitions[index].starts++ > 0)
		rewind_to(script, position->log->partition,
			position->next_offset);
	return 0;
}

static int script_pause(struct source *source, const struct log *log,
	bool pause, struct fault *fault)
{
	struct script_source *script = (struct script_source *)source;
	(void)fault;
	script->partitions[log->partition].paused = pause;
	return 0;
}

/* Promise P4: what is committed never exceeds what is durable. */
static void script_commit(
	struct source *source, const struct log *log, int64_t next_offset)
{
	struct script_source *script = (struct script_source *)source;
	if (script->durable != NULL)
		assert_true(
			next_offset <= script->durable(script->payload, log));
	script->partitions[log->partition].committed = next_offset;
	script->partitions[log->partition].commits++;
}

static void script_close(struct source *source)
{
	struct script_source *script = (struct script_source *)source;
	for (size_t i = 0; i < script->step_count; i++)
		free(script->steps[i].text);
	free(script->steps);
	script->steps = NULL;
	script->step_count = 0;
}

static const struct source_ops script_ops = {.poll = script_poll,
	.start = script_start,
	.pause = script_pause,
	.commit = script_commit,
	.close = script_close};

void script_init(struct script_source *script)
{
	*script = (struct script_source){.source = {&script_ops},
		.until_end = true,
		.poll_us = 1,
		.record_time_us = SCRIPT_TIME_US};
	for (size_t i = 0; i < SCRIPT_PARTITIONS_MAX; i++)
		script->partitions[i].committed = -1;
}

void script_follow(struct script_source *script, struct script_clock *clock)
{
	script_clock_init(clock);
	script_init(script);
	script->topic = "alpha";
	script->clock = clock;
	script->until_end = false;
	script->rewinds = true;
}

void script_begin(struct source *source, const struct log *log, int64_t offset)
{
	struct fault fault = {0};
	const struct trail trail = {0};
	const struct source_position position = {.log = log,
		.next_offset = offset,
		.record_time_us = TIMESTAMP_NONE,
		.trail = &trail,
		.cluster_id = ""};
	assert_int_equal(source_start(source, &position, &fault), 0);
}

int script_next(struct source *source, struct source_event *event)
{
	struct fault fault = {0};
	int outcome = SOURCE_IDLE;
	for (int i = 0; outcome == SOURCE_IDLE && i < NEXT_POLLS; i++)
		outcome = source_poll(source, event, 1, &fault);
	return outcome;
}
