/* What the store's owner does about letters when it is asked
 * (ingest/command/control.h). */
#include "ingest/command/control.h"
#include "ingest/command/dead.h"
#include "ingest/retry.h"
#include "store/decisions.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TARGET_BYTES 128

/* Which letters an action is about. */
struct aim {
	int64_t *ids; /* owned; ids[0..count) */
	size_t count;
	int64_t least, most; /* of them */
	struct decision decision;
	char target[TARGET_BYTES];
};

static int id_order(const void *left, const void *right)
{
	int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
	return a < b ? -1 : a > b;
}

/* One named twice would be taken up twice in one transaction. */
static int check_distinct(struct aim *aim, struct fault *fault)
{
	int64_t *sorted = calloc(aim->count, sizeof *sorted);
	if (sorted == NULL)
		return fault_set(fault, FAULT_OOM, "no memory for letters");
	memcpy(sorted, aim->ids, aim->count * sizeof *sorted);
	qsort(sorted, aim->count, sizeof *sorted, id_order);
	aim->least = sorted[0];
	aim->most = sorted[aim->count - 1];
	int rc = 0;
	for (size_t i = 1; rc == 0 && i < aim->count; i++)
		if (sorted[i] == sorted[i - 1])
			rc = fault_set(fault, FAULT_USAGE,
				"\"ids\" names letter %" PRId64 " twice",
				sorted[i]);
	free(sorted);
	return rc;
}

static int read_ids(
	const json_t *arguments, struct aim *aim, struct fault *fault)
{
	const json_t *list = json_object_get(arguments, "ids");
	aim->count = json_array_size(list);
	if (aim->count == 0 || aim->count > DEAD_AT_ONCE)
		return fault_set(fault, FAULT_USAGE,
			"\"ids\" is an array of 1 to %d ids", DEAD_AT_ONCE);
	aim->ids = calloc(aim->count, sizeof *aim->ids);
	if (aim->ids == NULL)
		return fault_set(fault, FAULT_OOM, "no memory for letters");
	for (size_t i = 0; i < aim->count; i++)
		aim->ids[i] = json_integer_value(json_array_get(list, i));
	return check_distinct(aim, fault);
}

/* "dead 12", "parked 3 to 90 (7 letters)". */
static int read_aim(const struct control *control, const json_t *arguments,
	const char *what, struct aim *aim, struct fault *fault)
{
	const char *because =
		json_string_value(json_object_get(arguments, "because"));
	const char *kind = json_is_true(json_object_get(arguments, "parked"))
				   ? "parked"
				   : "dead";
	*aim = (struct aim){.decision = {.at_us = control->now_us,
				    .who = control->who,
				    .what = what,
				    .because = because == NULL ? "" : because}};
	int rc = read_ids(arguments, aim, fault);
	if (rc < 0)
		return rc;
	assert(aim->ids != NULL);
	if (aim->count == 1)
		(void)snprintf(aim->target, TARGET_BYTES, "%s %" PRId64, kind,
			aim->ids[0]);
	else
		(void)snprintf(aim->target, TARGET_BYTES,
			"%s %" PRId64 " to %" PRId64 " (%zu letters)", kind,
			aim->least, aim->most, aim->count);
	return 0;
}

static struct decoder decoder_of(const struct config *config)
{
	return (struct decoder){
		.value_bytes_max = (size_t)config->ingest.value_bytes_max,
		.depth_max = (uint32_t)config->ingest.depth_max,
		.max_skew_us = config->ingest.max_skew_us,
	};
}

static const char *fate_name(const struct retry_result *result)
{
	static const char *const names[] = {
		[RETRY_APPLIED] = "applied",
		[RETRY_SUPERSEDED] = "superseded",
		[RETRY_DUPLICATE] = "duplicate",
		[RETRY_OVERTAKEN] = "overtaken",
		[RETRY_DEAD] = "still broken",
		[RETRY_PARKED] = "still parked",
		[RETRY_CLEARED] = "cleared",
	};
	return result->found ? names[result->verdict.fate] : "gone";
}

/* [{"id", "fate", "reason"}, …] */
static json_t *list_results(const struct retry_result *results, size_t count)
{
	json_t *list = json_array();
	int failed = 0;
	for (size_t i = 0; list != NULL && i < count; i++) {
		enum reason reason = results[i].found
					     ? results[i].verdict.reason
					     : REASON_NONE;
		failed |= json_array_append_new(list,
			json_pack("{s:I, s:s, s:s}", "id",
				(json_int_t)results[i].id, "fate",
				fate_name(&results[i]), "reason",
				reason == REASON_NONE ? ""
						      : reason_name(reason)));
	}
	if (failed == 0)
		return list;
	json_decref(list);
	return NULL;
}

static int retry(const struct control *control, const json_t *arguments,
	const struct aim *aim, struct retry_result *results,
	struct fault *fault)
{
	bool dry = json_is_true(json_object_get(arguments, "dry_run"));
	struct decision decision = aim->decision;
	decision.target = aim->target;
	const struct retry_request request = {
		.store = control->store,
		.decoder = decoder_of(control->config),
		.kind = json_is_true(json_object_get(arguments, "parked"))
				? LETTER_PARKED
				: LETTER_DEAD,
		.ids = aim->ids,
		.count = aim->count,
		.how = {.dry_run = dry,
			.force = json_is_true(
				json_object_get(arguments, "force")),
			.attempts_max = INT64_MAX,
			.decision = &decision},
		.uncounted = true,
	};
	int rc = retry_letters(&request, results, fault);
	return rc == STORE_OUTCOME_UNKNOWN
		       ? fault_wrap(fault, FAULT_BUSY,
				 "nobody knows whether the last of them are "
				 "done: ask again, what is settled is not "
				 "done twice")
		       : rc;
}

int control_dead_retry(const struct control *control, const json_t *arguments,
	json_t **reply, struct fault *fault)
{
	struct aim aim;
	struct retry_result *results = NULL;
	/* A replay judges by it what it finds, too (store/trace.c). */
	bool force = json_is_true(json_object_get(arguments, "force"));
	int rc = read_aim(control, arguments,
		force ? DECISION_FORCED : DECISION_RETRIED, &aim, fault);
	if (rc == 0)
		results = calloc(aim.count, sizeof *results);
	if (rc == 0 && results == NULL)
		rc = fault_set(fault, FAULT_OOM, "no memory for letters");
	if (rc == 0)
		rc = retry(control, arguments, &aim, results, fault);
	if (rc == 0 && results != NULL)
		*reply = json_pack(
			"{s:o?}", "results", list_results(results, aim.count));
	free(results);
	free(aim.ids);
	return rc;
}

int control_dead_drop(const struct control *control, const json_t *arguments,
	json_t **reply, struct fault *fault)
{
	struct aim aim;
	int rc = read_aim(control, arguments, "dead drop", &aim, fault);
	if (rc == 0 && aim.decision.because[0] == '\0')
		rc = fault_set(fault, FAULT_USAGE,
			"say why with --because: it stays on the record");
	if (rc == 0) {
		aim.decision.target = aim.target;
		rc = store_acknowledge(control->store, aim.ids, aim.count,
			&aim.decision, fault);
	}
	if (rc >= 0)
		*reply = json_pack("{s:i}", "dropped", rc);
	free(aim.ids);
	return rc < 0 ? rc : 0;
}

int control_dead_exported(const struct control *control,
	const json_t *arguments, json_t **reply, struct fault *fault)
{
	const json_t *id = json_object_get(arguments, "id");
	(void)reply; /* there is nothing to say */
	if (!json_is_integer(id) || json_integer_value(id) < 1)
		return fault_set(fault, FAULT_USAGE,
			"\"id\" is the id of the last dead letter exported");
	return store_note_export(control->store, json_integer_value(id), fault);
}
