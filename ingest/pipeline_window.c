/*
 * The pipeline while the key window is full: who is ahead waits for the slowest
 * partition, one that nobody is behind stops, and they go on when there is
 * room. What was in flight is taken again. Source: design section 6.
 */
#include "ingest/ahead.h"
#include "ingest/pipeline_inside.h"
#include "schema/policy.h"
#include "store/decisions.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define LOOK_EVERY_US 1000000
/* There is room again: below the mark at which others had to wait, so that it
 * does not stop and go. */
#define ROOM_NUMERATOR 3
#define ROOM_DENOMINATOR 4
static_assert(ROOM_NUMERATOR * STORE_WINDOW_KEPT <
		      (STORE_WINDOW_KEPT - 1) * ROOM_DENOMINATOR,
	"less than what is full");

static int64_t now_us(struct pipeline *pipeline)
{
	struct clock *clock = pipeline->options->clock;
	return clock->monotonic_us(clock);
}

static struct runner runner_of(
	struct pipeline *pipeline, const struct pipeline_partition *partition)
{
	struct store *store = pipeline->options->store;
	const struct log *log = partition->log;
	return (struct runner){
		store_partition_at(store, log->id - 1)->record_time_us,
		store_at_end(store, log)};
}

/* Where the slowest of those that run is, while nothing is in flight. *name is
 * it, or NULL. */
static int64_t find_slowest(struct pipeline *pipeline, const struct log **name)
{
	int64_t slowest = INT64_MAX;
	*name = NULL;
	for (size_t i = 0; i < pipeline->partition_count; i++) {
		const struct pipeline_partition *one = &pipeline->partitions[i];
		if (one->course != COURSE_RUNS)
			continue;
		struct runner runner = runner_of(pipeline, one);
		int64_t its_us = slowest_us(&runner, 1);
		if (its_us < slowest) {
			slowest = its_us;
			*name = one->log;
		}
	}
	return slowest;
}

void pipeline_window_is_full(
	struct pipeline *pipeline, const struct flight *flight)
{
	for (size_t i = 0; i < pipeline->partition_count; i++)
		pipeline->partitions[i].brought = false;
	const struct log *log = NULL;
	for (size_t i = 0; i < flight->record_count; i++) {
		if (flight->records[i].record.log == log)
			continue;
		log = flight->records[i].record.log;
		struct pipeline_partition *one = pipeline_find(pipeline, log);
		if (one != NULL)
			one->brought = true;
	}
	stages_abandon(pipeline->stages);
	pipeline->window_full = true;
}

/* What was in flight comes again, from where the store is. */
static int take_again(struct pipeline *pipeline, struct fault *fault)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < pipeline->partition_count; i++)
		if (pipeline->partitions[i].course == COURSE_RUNS)
			rc = pipeline_start_again(
				pipeline, &pipeline->partitions[i], fault);
	return rc;
}

static int hold(struct pipeline *pipeline, struct pipeline_partition *one,
	enum window_hold why, const struct fault *detail, struct fault *fault)
{
	struct clock *clock = pipeline->options->clock;
	const char *reason =
		why == WINDOW_HOLD_AHEAD ? STOP_AHEAD : STOP_WINDOW;
	const struct store_stop stop = {one->log, reason, detail->text,
		clock->wall_us(clock), LOG_START_UNKNOWN};
	struct fault text;
	int rc = pipeline_hold(pipeline, one, &stop, fault);
	if (rc < 0)
		return rc;
	/* It is not at its end: keys that it may still bring copies of stay,
	 * should the slowest pass it before it goes on. */
	if (why == WINDOW_HOLD_AHEAD)
		store_stopped(pipeline->options->store, one->log, false);
	pipeline->window_held += one->window_hold == WINDOW_HOLD_NONE;
	one->window_hold = why;
	fault_set(&text, FAULT_LOG, "%s:%" PRId32 " waits, %s: %s",
		one->log->topic, one->log->partition, reason, detail->text);
	pipeline_tell(pipeline, text.text);
	return 0;
}

static int hold_ahead(struct pipeline *pipeline, int64_t slowest,
	const struct log *name, struct fault *fault)
{
	struct fault detail;
	struct store_window window = store_window(pipeline->options->store);
	fault_set(&detail, FAULT_LOG,
		"%" PRId64 " keys fill the key window "
		"(store.key_window_max_bytes), and %s:%" PRId32
		" is behind and must pass them first: it goes on by itself "
		"when that has caught up or there is room",
		window.keys, name->topic, name->partition);
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < pipeline->partition_count; i++) {
		struct pipeline_partition *one = &pipeline->partitions[i];
		struct runner runner = runner_of(pipeline, one);
		if (one->course != COURSE_RUNS || !is_ahead(&runner, slowest))
			continue;
		rc = hold(pipeline, one, WINDOW_HOLD_AHEAD, &detail, fault);
	}
	return rc;
}

static int hold_alone(struct pipeline *pipeline, struct fault *fault)
{
	struct store_window window = store_window(pipeline->options->store);
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < pipeline->partition_count; i++) {
		struct pipeline_partition *one = &pipeline->partitions[i];
		struct fault detail;
		if (one->course != COURSE_RUNS || !one->brought)
			continue;
		fault_set(&detail, FAULT_LOG,
			"%" PRId64 " keys fill the key window, and none can be "
			"let go yet: raise store.key_window_max_bytes or "
			"shorten store.key_window, and start again; it goes on "
			"by itself when there is room, and tries with "
			"`holdfast resume %s:%" PRId32 "`",
			window.keys, one->log->topic, one->log->partition);
		rc = hold(pipeline, one, WINDOW_HOLD_ALONE, &detail, fault);
	}
	return rc;
}

static bool somebody_is_ahead(struct pipeline *pipeline, int64_t slowest)
{
	for (size_t i = 0; i < pipeline->partition_count; i++) {
		const struct pipeline_partition *one = &pipeline->partitions[i];
		struct runner runner = runner_of(pipeline, one);
		if (one->course == COURSE_RUNS && is_ahead(&runner, slowest))
			return true;
	}
	return false;
}

/* Its stop may be somebody else's by now, or none. */
static int release(struct pipeline *pipeline, struct pipeline_partition *one,
	struct fault *fault)
{
	const char *reason = "";
	arena_reset(&pipeline->arena);
	int rc = store_why_stopped(pipeline->options->store, one->log,
		&pipeline->arena, &reason, fault);
	if (rc < 0)
		return rc;
	one->window_hold = WINDOW_HOLD_NONE;
	pipeline->window_held--;
	if (strcmp(reason, STOP_AHEAD) != 0 && strcmp(reason, STOP_WINDOW) != 0)
		return 0;
	struct fault text;
	fault_set(&text, FAULT_LOG, "%s:%" PRId32 " goes on: %s is over",
		one->log->topic, one->log->partition, reason);
	rc = pipeline_release(pipeline, one, fault);
	if (rc == 0)
		pipeline_tell(pipeline, text.text);
	return rc;
}

/* Who was ahead waits no longer when nobody is behind it any more. */
static bool must_wait(struct pipeline *pipeline,
	const struct pipeline_partition *one, int64_t slowest)
{
	struct runner runner = runner_of(pipeline, one);
	return one->window_hold == WINDOW_HOLD_ALONE ||
	       is_ahead(&runner, slowest);
}

/* Those that need not wait any more. */
static int let_go_on(struct pipeline *pipeline, int64_t slowest, bool room,
	struct fault *fault)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < pipeline->partition_count; i++) {
		struct pipeline_partition *one = &pipeline->partitions[i];
		if (one->window_hold != WINDOW_HOLD_NONE &&
			(room || !must_wait(pipeline, one, slowest)))
			rc = release(pipeline, one, fault);
	}
	return rc;
}

int pipeline_window_clear(struct pipeline *pipeline, struct fault *fault)
{
	const struct log *name = NULL;
	bool to_the_brim = pipeline->to_the_brim;
	int64_t slowest = find_slowest(pipeline, &name);
	pipeline->window_full = false;
	pipeline->window_us = now_us(pipeline);
	/* The slowest may have overtaken who waited for it. */
	int rc = let_go_on(pipeline, slowest, false, fault);
	slowest = find_slowest(pipeline, &name);
	bool ahead = name != NULL && somebody_is_ahead(pipeline, slowest);
	if (rc == 0)
		rc = take_again(pipeline, fault);
	if (rc == 0 && ahead)
		rc = hold_ahead(pipeline, slowest, name, fault);
	else if (rc == 0 && to_the_brim)
		rc = hold_alone(pipeline, fault);
	/* Nobody is behind those that are left: theirs is the room that is
	 * kept. After one stopped, it is found out anew who they are. */
	pipeline->to_the_brim = ahead || !to_the_brim;
	return rc;
}

/* Keys go with batches, and while all wait there are none. */
static int let_keys_go(struct pipeline *pipeline, struct fault *fault)
{
	static const struct store_batch nothing;
	int rc = store_apply(pipeline->options->store, &nothing, NULL, fault);
	bool passes = rc == STORE_OUTCOME_UNKNOWN ||
		      policy_passes(policy_of_fault(rc));
	return passes ? 0 : rc;
}

static int look(struct pipeline *pipeline, bool done, struct fault *fault)
{
	const struct log *name = NULL;
	int rc = let_keys_go(pipeline, fault);
	if (rc < 0)
		return rc;
	int64_t slowest = done ? INT64_MAX : find_slowest(pipeline, &name);
	struct store_window window = store_window(pipeline->options->store);
	bool room = window.bytes / ROOM_NUMERATOR <
		    window.max_bytes / ROOM_DENOMINATOR;
	if (room)
		pipeline->to_the_brim = false;
	return let_go_on(pipeline, slowest, room, fault);
}

int pipeline_window_look(struct pipeline *pipeline, struct fault *fault)
{
	bool done = pipeline->done && pipeline->window_held > 0;
	bool due = now_us(pipeline) - pipeline->window_us >= LOOK_EVERY_US;
	if (!done && ((pipeline->window_held == 0 && !pipeline->to_the_brim) ||
			     !due))
		return 0;
	int rc = pipeline_settle(pipeline, fault);
	if (rc < 0 || pipeline->window_full)
		return rc;
	pipeline->window_us = now_us(pipeline);
	size_t held = pipeline->window_held;
	rc = look(pipeline, done, fault);
	if (pipeline->window_held < held)
		pipeline->done = false;
	return rc;
}
