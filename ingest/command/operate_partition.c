/* holdfast pause, resume: which partitions take records. */
#include "ingest/command/command.h"
#include "ingest/command/operate.h"
#include "schema/load.h"
#include "store/decisions.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TARGET_BYTES 300 /* a topic's name has 249 at most */

static void target_print(const struct log *log, char out[TARGET_BYTES])
{
	if (snprintf(out, TARGET_BYTES, "%s:%" PRId32, log->topic,
		    log->partition) < 0)
		out[0] = '\0';
}

/* One partition that is asked for. */
struct quest {
	const struct control *control;
	const struct store_partition *partition;
	struct decision decision;
	bool named;	   /* not just as one of all */
	const char *state; /* what it is now; in `arena` */
	struct arena arena;
};

typedef int quest_action(struct quest *quest, struct fault *fault);

/* What is over without anybody's word is no pause. */
static bool is_over_by_itself(const char *reason)
{
	static const char *const reasons[] = {
		STOP_FULL, STOP_DEAD_FULL, STOP_AHEAD, STOP_WINDOW};
	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
		if (strcmp(reason, reasons[i]) == 0)
			return true;
	return false;
}

static int pause_one(struct quest *quest, struct fault *fault)
{
	struct store *store = quest->control->store;
	const struct decision *decision = &quest->decision;
	const char *reason = NULL;
	int rc = store_why_stopped(
		store, &quest->partition->log, &quest->arena, &reason, fault);
	if (rc < 0)
		return rc;
	quest->state = STOP_PAUSED;
	if (rc == 1 && !is_over_by_itself(reason)) {
		quest->state = arena_print(
			&quest->arena, "stopped before: %s", reason);
		return 0;
	}
	const char *detail = arena_print(&quest->arena, "by %s%s%s",
		decision->who, decision->because[0] == '\0' ? "" : ": ",
		decision->because);
	const struct store_stop stop = {
		.log = &quest->partition->log,
		.reason = STOP_PAUSED,
		.detail = detail == NULL ? "" : detail,
		.since_us = decision->at_us,
	};
	return store_stop_partition(store, &stop, decision, fault);
}

/* Unnamed, what somebody decided, to pause or to roll back: the rest wants to
 * be looked at. */
static int resume_one(struct quest *quest, struct fault *fault)
{
	struct store *store = quest->control->store;
	const char *reason = NULL;
	int rc = store_why_stopped(
		store, &quest->partition->log, &quest->arena, &reason, fault);
	if (rc < 0)
		return rc;
	quest->state = "was not stopped";
	if (rc == 0)
		return 0;
	bool ours = quest->named || strcmp(reason, STOP_PAUSED) == 0 ||
		    strcmp(reason, STOP_ROLLED_BACK) == 0;
	quest->state = arena_print(&quest->arena,
		ours ? "resumed, was %s" : "still stopped: %s", reason);
	if (!ours)
		return 0;
	rc = store_resume_partition(
		store, &quest->partition->log, &quest->decision, fault);
	return rc < 0 ? rc : 0;
}

static int refuse(
	const struct quest *quest, const char *reason, struct fault *fault)
{
	const struct log *log = &quest->partition->log;
	return fault_set(fault, FAULT_REFUSED,
		"%s:%" PRId32 " is not stopped for %s, or where its log starts "
		"is not known yet: `holdfast status` says what it is stopped "
		"for",
		log->topic, log->partition, reason);
}

static int accept_gap(struct quest *quest, struct fault *fault)
{
	int64_t lost = quest->partition->accounts.lost;
	int rc = store_accept_gap(quest->control->store, &quest->partition->log,
		&quest->decision, fault);
	if (rc == 1)
		return refuse(quest, STOP_LOST, fault);
	const struct store_accounts *now = &quest->partition->accounts;
	quest->state = arena_print(&quest->arena,
		"resumed at offset %" PRId64 ", %" PRId64 " lost",
		now->next_offset, now->lost - lost);
	return rc;
}

static int new_log(struct quest *quest, struct fault *fault)
{
	int rc = store_new_log(quest->control->store, &quest->partition->log,
		&quest->decision, fault);
	if (rc == 1)
		return refuse(quest, STOP_CHANGED, fault);
	quest->state = "resumed with the new log, from its start";
	return rc;
}

/* Do `action`, and add what came of it to `list`. */
static int act_on(struct quest *quest, quest_action *action, json_t *list,
	struct fault *fault)
{
	char target[TARGET_BYTES];
	target_print(&quest->partition->log, target);
	quest->decision.target = target;
	quest->arena = ARENA_INIT;
	int rc = action(quest, fault);
	if (rc == 0 &&
		json_array_append_new(list,
			json_pack("{s:s, s:s}", "partition", target, "state",
				quest->state == NULL ? "" : quest->state)) < 0)
		rc = fault_set(fault, FAULT_OOM, "out of memory");
	arena_finish(&quest->arena);
	return rc;
}

/* Its newest incarnation is the one that takes records. */
static bool is_newest(
	const struct store *store, const struct store_partition *partition)
{
	for (size_t i = 0; i < store_partition_count(store); i++) {
		const struct store_partition *other =
			store_partition_at(store, i);
		if (other->log.incarnation > partition->log.incarnation &&
			other->log.partition == partition->log.partition &&
			strcmp(other->log.topic, partition->log.topic) == 0)
			return false;
	}
	return true;
}

static bool is_meant(
	const struct store_partition *partition, const json_t *arguments)
{
	const char *topic =
		json_string_value(json_object_get(arguments, "topic"));
	json_int_t number =
		json_integer_value(json_object_get(arguments, "partition"));
	if (topic == NULL && load_is_topic(partition->log.topic))
		return false; /* nothing comes of it by itself */
	return topic == NULL || (strcmp(partition->log.topic, topic) == 0 &&
					partition->log.partition == number);
}

static int check(const json_t *arguments, struct fault *fault)
{
	const json_t *topic = json_object_get(arguments, "topic");
	const json_t *number = json_object_get(arguments, "partition");
	if ((topic == NULL) == (number == NULL) &&
		(topic == NULL ||
			(json_is_string(topic) && json_is_integer(number))))
		return 0;
	return fault_set(fault, FAULT_USAGE,
		"`topic` is a text and `partition` a number, or both are left "
		"out");
}

static int unknown(const json_t *arguments, struct fault *fault)
{
	return fault_set(fault, FAULT_USAGE,
		"the store has no partition %s:%" JSON_INTEGER_FORMAT
		": `holdfast status` lists them",
		json_string_value(json_object_get(arguments, "topic")),
		json_integer_value(json_object_get(arguments, "partition")));
}

static struct quest quest_of(const struct control *control,
	const json_t *arguments, const char *what)
{
	const char *because =
		json_string_value(json_object_get(arguments, "because"));
	return (struct quest){
		.control = control,
		.decision = {.at_us = control->now_us,
			.who = control->who,
			.what = what,
			.because = because == NULL ? "" : because},
		.named = json_object_get(arguments, "topic") != NULL,
	};
}

/* Every partition that is meant. */
static int act(struct quest *quest, quest_action *action,
	const json_t *arguments, json_t **reply, struct fault *fault)
{
	const struct store *store = quest->control->store;
	/* Those there are now: an action may add one. */
	size_t count = store_partition_count(store);
	json_t *list = json_array();
	int rc = check(arguments, fault);
	for (size_t i = 0; rc == 0 && i < count; i++) {
		quest->partition = store_partition_at(store, i);
		if (is_meant(quest->partition, arguments) &&
			is_newest(store, quest->partition))
			rc = act_on(quest, action, list, fault);
	}
	if (rc == 0 && quest->named && json_array_size(list) == 0)
		rc = unknown(arguments, fault);
	if (rc == 0)
		*reply = json_pack("{s:O}", "partitions", list);
	json_decref(list);
	return rc;
}

int control_pause(const struct control *control, const json_t *arguments,
	json_t **reply, struct fault *fault)
{
	struct quest quest = quest_of(control, arguments, "pause");
	return act(&quest, pause_one, arguments, reply, fault);
}

int control_resume(const struct control *control, const json_t *arguments,
	json_t **reply, struct fault *fault)
{
	const json_t *gap = json_object_get(arguments, "accept_gap");
	const json_t *new = json_object_get(arguments, "new_log");
	bool named = json_object_get(arguments, "topic") != NULL;
	if ((gap != NULL && new != NULL) ||
		((gap != NULL || new != NULL) && !named))
		return fault_set(fault, FAULT_USAGE,
			"--accept-gap and --new-log are each of one "
			"TOPIC:PARTITION");
	struct quest quest = quest_of(control, arguments,
		gap != NULL   ? "accept gap"
		: new != NULL ? "new log"
			      : "resume");
	return act(&quest,
		gap != NULL   ? accept_gap
		: new != NULL ? new_log
			      : resume_one,
		arguments, reply, fault);
}

struct partition_options {
	char *because;
	bool accept_gap, new_log; /* of resume alone */
};

static const struct field fields[] = {
	{"because", FIELD_TEXT, offsetof(struct partition_options, because),
		NULL, 0, 0, "TEXT", "why, for the record"},
	{"accept-gap", FIELD_FLAG,
		offsetof(struct partition_options, accept_gap), NULL, 0, 0,
		NULL,
		"records_lost: go on at the log's start, counting what is "
		"missing as lost; deletes_lost: go on with what may have been "
		"deleted"},
	{"new-log", FIELD_FLAG, offsetof(struct partition_options, new_log),
		NULL, 0, 0, NULL,
		"log_changed: take the present log, from its start"},
};
#define PAUSE_FIELDS 1

static int prepare(
	const struct options *options, json_t *arguments, struct fault *fault)
{
	const struct partition_options *own = options->own;
	int failed = 0;
	if (own->because != NULL)
		failed |= json_object_set_new(
			arguments, "because", json_string(own->because));
	if (own->accept_gap)
		failed |= json_object_set_new(
			arguments, "accept_gap", json_true());
	if (own->new_log)
		failed |=
			json_object_set_new(arguments, "new_log", json_true());
	if (options->argument_count == 1) {
		int32_t number = 0;
		char *topic = options->arguments[0];
		int rc = partition_parse(topic, &number, fault);
		if (rc < 0)
			return rc;
		failed |= json_object_set_new(
			arguments, "topic", json_string(topic));
		failed |= json_object_set_new(
			arguments, "partition", json_integer(number));
	}
	return failed == 0 ? 0
			   : fault_set(fault, FAULT_USAGE,
				     "names and reasons are UTF-8 text");
}

static void tell(const json_t *reply)
{
	const json_t *list = json_object_get(reply, "partitions");
	size_t i = 0;
	const json_t *one = NULL;
	json_array_foreach(list, i, one)
	{
		printf("%s: %s\n",
			json_string_value(json_object_get(one, "partition")),
			json_string_value(json_object_get(one, "state")));
	}
	if (json_array_size(list) == 0)
		puts("the store has no partitions yet");
}

int command_pause(int argc, char **argv)
{
	static const struct options_spec spec = {
		.usage = "pause [TOPIC:PARTITION] [--because TEXT]",
		.summary = "Takes no records of a partition, or of all that "
			   "the store knows, until `holdfast resume`:\nalso "
			   "after a restart. What was taken stays served; its "
			   "lag grows. Works on a running service\nand on a "
			   "store that nobody runs.",
		.fields = fields,
		.field_count = PAUSE_FIELDS,
		.arguments_max = 1,
		.configured = true,
		.json = true,
	};
	struct partition_options own = {0};
	return operating_run(
		&(const struct operating){"pause", &spec, &own, prepare, tell},
		argc, argv);
}

int command_resume(int argc, char **argv)
{
	static const struct options_spec spec = {
		.usage = "resume [TOPIC:PARTITION [--accept-gap | --new-log]] "
			 "[--because TEXT]",
		.summary = "Takes records again, where the store says: of one "
			   "partition, whatever it was stopped for, or\nof all "
			   "that are paused or rolled back. What was found "
			   "wrong with a log "
			   "is looked at anew.",
		.fields = fields,
		.field_count = sizeof fields / sizeof fields[0],
		.arguments_max = 1,
		.configured = true,
		.json = true,
	};
	struct partition_options own = {0};
	return operating_run(
		&(const struct operating){"resume", &spec, &own, prepare, tell},
		argc, argv);
}
