#include "tests/lib/wrap_source.h"

#include "schema/arena.h"

#include <assert.h>
#include <stdlib.h>

#define BLOCK_RECORDS 300 /* a few batches of the smaller kind */
#define LOGS_MAX 64	  /* partitions of a test's topic */
#define COPY_DELAY_US 1000000

struct wrap_source {
	struct source base; /* first */
	struct source *inner;
	enum wrap_mode mode;

	/* The block being delivered: copies, to be delivered again. */
	struct arena arena;
	struct record block[BLOCK_RECORDS];
	size_t count;
	bool twin_due; /* the newest record comes a second time now */
	bool again;    /* the block comes again, from block[next] on */
	size_t next;
	/* What the inner source said while the block is delivered again. */
	int held_outcome;
	struct source_event held;

	int64_t offsets[LOGS_MAX]; /* RENUMBERED: the next, by log id - 1 */

	const struct log *logs[LOGS_MAX]; /* IN_TURN: as they were started */
	size_t log_count, turn;
};

static bool repeats(const struct wrap_source *wrap)
{
	return wrap->mode == WRAP_TWICE || wrap->mode == WRAP_RENUMBERED;
}

static int64_t *offset_of(struct wrap_source *wrap, const struct log *log)
{
	assert(log->id >= 1 && log->id <= LOGS_MAX);
	return &wrap->offsets[log->id - 1];
}

static int deliver(struct wrap_source *wrap, const struct record *record,
	struct source_event *event)
{
	event->record = *record;
	if (wrap->mode == WRAP_RENUMBERED) {
		event->record.offset = (*offset_of(wrap, record->log))++;
		event->record.next_offset = event->record.offset + 1;
	}
	return SOURCE_RECORD;
}

static int deliver_copy(struct wrap_source *wrap, const struct record *record,
	struct source_event *event)
{
	struct record copy = *record;
	copy.timestamp_us += COPY_DELAY_US;
	return deliver(wrap, &copy, event);
}

/* Flights have no headers. */
static int keep(struct wrap_source *wrap, const struct record *record,
	struct fault *fault)
{
	assert(record->header_count == 0);
	if (wrap->count == 0)
		arena_reset(&wrap->arena);
	struct record *copy = &wrap->block[wrap->count++];
	*copy = *record;
	copy->key = arena_copy(&wrap->arena, record->key);
	copy->value = arena_copy(&wrap->arena, record->value);
	if ((record->key.data != NULL && copy->key.data == NULL) ||
		(record->value.data != NULL && copy->value.data == NULL))
		return fault_set(fault, FAULT_OOM, "no memory for a copy");
	wrap->twin_due = true;
	return 0;
}

static int deliver_again(struct wrap_source *wrap, struct source_event *event)
{
	const struct record *record = &wrap->block[wrap->next++];
	if (wrap->next == wrap->count) {
		wrap->again = false;
		wrap->count = 0;
	}
	return deliver_copy(wrap, record, event);
}

static int deliver_held(struct wrap_source *wrap, struct source_event *event)
{
	int outcome = wrap->held_outcome;
	wrap->held_outcome = SOURCE_IDLE;
	*event = wrap->held;
	if (outcome == SOURCE_END && wrap->mode == WRAP_RENUMBERED)
		event->next_offset = *offset_of(wrap, event->log);
	return outcome;
}

static void begin_again(struct wrap_source *wrap)
{
	wrap->again = true;
	wrap->next = 0;
}

/* Something new of the inner source. */
static int poll_new(struct wrap_source *wrap, struct source_event *event,
	uint32_t timeout_ms, struct fault *fault)
{
	int outcome = source_poll(wrap->inner, event, timeout_ms, fault);
	if (outcome <= SOURCE_IDLE)
		return outcome;
	if (outcome == SOURCE_RECORD) {
		int rc = keep(wrap, &event->record, fault);
		return rc < 0 ? rc
			      : deliver(wrap, &wrap->block[wrap->count - 1],
					event);
	}
	wrap->held = *event;
	wrap->held_outcome = outcome;
	if (wrap->count == 0)
		return deliver_held(wrap, event);
	begin_again(wrap);
	return deliver_again(wrap, event);
}

static int poll_repeating(struct wrap_source *wrap, struct source_event *event,
	uint32_t timeout_ms, struct fault *fault)
{
	if (wrap->twin_due) {
		wrap->twin_due = false;
		const struct record *newest = &wrap->block[wrap->count - 1];
		if (wrap->count == BLOCK_RECORDS)
			begin_again(wrap);
		return deliver_copy(wrap, newest, event);
	}
	if (wrap->again)
		return deliver_again(wrap, event);
	if (wrap->held_outcome != SOURCE_IDLE)
		return deliver_held(wrap, event);
	return poll_new(wrap, event, timeout_ms, fault);
}

/* Those whose turn it was may go on; of the others nothing may come. */
static int check_turn(
	struct wrap_source *wrap, const struct log *log, struct fault *fault)
{
	for (size_t i = 0; i < wrap->log_count && i <= wrap->turn; i++)
		if (wrap->logs[i] == log)
			return 0;
	return fault_set(fault, FAULT_BROKER,
		"a record of %s:%d came before its turn", log->topic,
		(int)log->partition);
}

static int pass_turn(
	struct wrap_source *wrap, const struct log *ended, struct fault *fault)
{
	if (wrap->turn >= wrap->log_count || wrap->logs[wrap->turn] != ended)
		return 0; /* it was reported before */
	wrap->turn++;
	return wrap->turn == wrap->log_count
		       ? 0
		       : source_pause(wrap->inner, wrap->logs[wrap->turn],
				 false, fault);
}

static int wrap_poll(struct source *base, struct source_event *event,
	uint32_t timeout_ms, struct fault *fault)
{
	struct wrap_source *wrap = (struct wrap_source *)base;
	if (repeats(wrap))
		return poll_repeating(wrap, event, timeout_ms, fault);
	int outcome = source_poll(wrap->inner, event, timeout_ms, fault);
	if (outcome < 0 || wrap->mode != WRAP_IN_TURN)
		return outcome;
	int rc = 0;
	if (outcome == SOURCE_RECORD)
		rc = check_turn(wrap, event->record.log, fault);
	else if (outcome == SOURCE_END)
		rc = pass_turn(wrap, event->log, fault);
	/* Nobody waits for those that are held back; their turn comes. */
	else if (outcome == SOURCE_DONE && wrap->turn + 1 < wrap->log_count) {
		rc = pass_turn(wrap, wrap->logs[wrap->turn], fault);
		outcome = SOURCE_IDLE;
	}
	return rc < 0 ? rc : outcome;
}

static int wrap_start(struct source *base,
	const struct source_position *position, struct fault *fault)
{
	struct wrap_source *wrap = (struct wrap_source *)base;
	int rc = source_start(wrap->inner, position, fault);
	if (rc < 0 || wrap->mode != WRAP_IN_TURN)
		return rc;
	assert(wrap->log_count < LOGS_MAX);
	wrap->logs[wrap->log_count++] = position->log;
	bool waits = wrap->log_count - 1 > wrap->turn;
	return waits ? source_pause(wrap->inner, position->log, true, fault)
		     : 0;
}

static int wrap_pause(struct source *base, const struct log *log, bool pause,
	struct fault *fault)
{
	struct wrap_source *wrap = (struct wrap_source *)base;
	return source_pause(wrap->inner, log, pause, fault);
}

static void wrap_commit(
	struct source *base, const struct log *log, int64_t next_offset)
{
	struct wrap_source *wrap = (struct wrap_source *)base;
	if (wrap->mode != WRAP_RENUMBERED) /* Kafka has no such offsets */
		source_commit(wrap->inner, log, next_offset);
}

static void wrap_close(struct source *base)
{
	struct wrap_source *wrap = (struct wrap_source *)base;
	source_close(wrap->inner);
	arena_finish(&wrap->arena);
	free(wrap);
}

static const struct source_ops ops = {
	.poll = wrap_poll,
	.start = wrap_start,
	.pause = wrap_pause,
	.commit = wrap_commit,
	.close = wrap_close,
};

int wrap_source_open(struct source **out, struct source *inner,
	enum wrap_mode mode, struct fault *fault)
{
	*out = NULL;
	struct wrap_source *wrap = calloc(1, sizeof *wrap);
	if (wrap == NULL) {
		source_close(inner);
		return fault_set(fault, FAULT_OOM, "no memory for a source");
	}
	wrap->base.ops = &ops;
	wrap->inner = inner;
	wrap->mode = mode;
	*out = &wrap->base;
	return 0;
}
