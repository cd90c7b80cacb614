/*
 * What a generation that is being built asks of the live one's owner: to stand
 * still, to go on, to make room.
 */
#include "ingest/command/control.h"
#include "store/decisions.h"
#include "store/generations.h"

#include <inttypes.h>
#include <string.h>

static bool is_newest(const struct store *store, size_t index)
{
	const struct log *log = &store_partition_at(store, index)->log;
	for (size_t i = index + 1; i < store_partition_count(store); i++) {
		const struct log *other = &store_partition_at(store, i)->log;
		if (other->partition == log->partition &&
			strcmp(other->topic, log->topic) == 0)
			return false;
	}
	return true;
}

/* 1: it is stopped for *reason, in `arena`. */
static int why(const struct control *control, size_t index, struct arena *arena,
	const char **reason, struct fault *fault)
{
	arena_reset(arena);
	return store_why_stopped(control->store,
		&store_partition_at(control->store, index)->log, arena, reason,
		fault);
}

/* Whatever else a partition is stopped for, it stands still already; but not
 * where the pipeline ends it, which it may do at any moment. */
static bool stands_still(const char *reason)
{
	return strcmp(reason, STOP_AHEAD) != 0 &&
	       strcmp(reason, STOP_WINDOW) != 0;
}

static int stop_one(const struct control *control, size_t index, const char *to,
	struct arena *arena, struct fault *fault)
{
	const char *reason;
	int rc = why(control, index, arena, &reason, fault);
	if (rc < 0 || (rc == 1 && stands_still(reason)))
		return rc < 0 ? rc : 0;
	const char *detail = arena_print(arena,
		"generation %.16s is about to take this one's place", to);
	const struct store_stop stop = {
		.log = &store_partition_at(control->store, index)->log,
		.reason = STOP_SWITCHING,
		.detail = detail == NULL ? "" : detail,
		.since_us = control->now_us,
		.log_start = LOG_START_UNKNOWN};
	return store_stop_partition(control->store, &stop, NULL, fault);
}

int control_switch_begin(const struct control *control, const json_t *arguments,
	json_t **reply, struct fault *fault)
{
	struct arena arena = ARENA_INIT;
	const char *to =
		json_string_value(json_object_get(arguments, "generation"));
	int rc = 0;
	(void)reply;
	for (size_t i = 0; rc == 0 && i < store_partition_count(control->store);
		i++)
		if (is_newest(control->store, i))
			rc = stop_one(control, i, to == NULL ? "" : to, &arena,
				fault);
	arena_finish(&arena);
	return rc;
}

int switch_stands(struct store *store, struct fault *fault)
{
	const struct control control = {.store = store};
	struct arena arena = ARENA_INIT;
	int stands = 0;
	for (size_t i = 0; stands == 0 && i < store_partition_count(store);
		i++) {
		const char *reason;
		int rc = why(&control, i, &arena, &reason, fault);
		stands = rc == 1 ? strcmp(reason, STOP_SWITCHING) == 0 : rc;
	}
	arena_finish(&arena);
	return stands;
}

int switch_abandon(struct store *store, struct fault *fault)
{
	const struct control control = {.store = store};
	struct arena arena = ARENA_INIT;
	int rc = 0;
	for (size_t i = 0; rc >= 0 && i < store_partition_count(store); i++) {
		const char *reason;
		rc = why(&control, i, &arena, &reason, fault);
		if (rc == 1 && strcmp(reason, STOP_SWITCHING) == 0)
			rc = store_resume_partition(store,
				&store_partition_at(store, i)->log, NULL,
				fault);
	}
	arena_finish(&arena);
	return rc < 0 ? rc : 0;
}

int control_switch_abandon(const struct control *control,
	const json_t *arguments, json_t **reply, struct fault *fault)
{
	(void)arguments;
	(void)reply;
	return switch_abandon(control->store, fault);
}

int control_switch(const struct control *control, const json_t *arguments,
	json_t **reply, struct fault *fault)
{
	const char *generation =
		json_string_value(json_object_get(arguments, "generation"));
	const char *because =
		json_string_value(json_object_get(arguments, "because"));
	if (generation == NULL)
		return fault_set(fault, FAULT_USAGE,
			"`generation` names the one to turn to");
	(void)reply;
	const struct decision decision = {.at_us = control->now_us,
		.who = control->who,
		.what = "switch",
		.target = generation,
		.because = because == NULL ? "" : because};
	const struct store_switch to = {.generation = generation,
		.exactly = true,
		.decision = &decision};
	return store_switch(control->owner, &to, fault);
}
