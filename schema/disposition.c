#include "schema/disposition.h"

#include <assert.h>

static const char *const disposition_names[DISPOSITION_COUNT] = {
	[DISPOSITION_APPLIED] = "applied",
	[DISPOSITION_SUPERSEDED] = "superseded",
	[DISPOSITION_DUPLICATE] = "duplicate",
	[DISPOSITION_PARKED] = "parked",
	[DISPOSITION_DEAD] = "dead",
};

static const struct {
	const char *name;
	const char *advice;
} reasons[REASON_COUNT] = {
	[REASON_NONE] = {"none", "nothing is wrong"},
	[REASON_BAD_JSON] = {"bad_json",
		"the value is not JSON: correct the producer, send it again"},
	[REASON_BAD_UTF8] = {"bad_utf8",
		"the value is not UTF-8: correct the producer's encoding"},
	[REASON_DUPLICATE_MEMBER] = {"duplicate_member",
		"an object names a member twice: send each once"},
	[REASON_TOO_DEEP] = {"too_deep",
		"nested beyond ingest.depth_max: send it flatter"},
	[REASON_TOO_LONG] = {"too_long",
		"longer than ingest.value_bytes_max: send less, or raise it"},
	[REASON_BAD_EVENT] = {"bad_event",
		"not an event: correct its members, op or features"},
	[REASON_NO_KEY] = {"no_key",
		"no idempotency key: send one, or set the source's missing_key "
		"to position"},
	[REASON_KEY_REUSED] = {"key_reused",
		"another event took this key: give each event its own"},
	[REASON_UNKNOWN_VIEW] = {"unknown_view",
		"no such view in the schema: it waits for a schema that has "
		"it"},
	[REASON_MISSING_ENTITY] = {"missing_entity",
		"no value for an entity key: correct the event or the mapping"},
	[REASON_BAD_ENTITY] = {"bad_entity",
		"an entity key of the wrong type: correct the event"},
	[REASON_EVENT_TIME_UNREADABLE] = {"event_time_unreadable",
		"send RFC 3339, or state the source's event_time_unit"},
	[REASON_EVENT_TIME_IMPLAUSIBLE] = {"event_time_implausible",
		"before the year 2000: check the source's event_time_unit"},
	[REASON_EVENT_TIME_IN_FUTURE] = {"event_time_in_future",
		"beyond ingest.max_skew after the record: check the producer's "
		"clock"},
	[REASON_NO_EVENT_TIME] = {"no_event_time",
		"neither event nor record has a time: send one"},
	[REASON_UNKNOWN_FEATURE] = {"unknown_feature",
		"the view has no such feature: extend the schema or the event"},
	[REASON_TYPE_MISMATCH] = {"type_mismatch",
		"a value of another type than the schema's: correct the event"},
	[REASON_OUT_OF_RANGE] = {"out_of_range",
		"a number the type can't hold: correct the event or the type"},
	[REASON_WRONG_LENGTH] = {"wrong_length",
		"a vector of another length than the schema's"},
	[REASON_OUT_OF_BOUNDS] = {"out_of_bounds",
		"beyond the feature's minimum, maximum or max_length"},
	[REASON_OVERFLOW] = {"overflow",
		"the sum can't hold it: replace or delete the entity, or use a "
		"wider type"},
	[REASON_LATE_DELETE] = {"late_delete",
		"retried behind newer contributions, which it can't take back: "
		"send a delete or replace of today"},
	[REASON_CRASH_LOOP] = {"crash_loop",
		"taking it ended the process again and again: report it, then "
		"retry it with a version that can"},
};

const char *disposition_name(enum disposition disposition)
{
	assert(disposition < DISPOSITION_COUNT);
	return disposition_names[disposition];
}

const char *reason_name(enum reason reason)
{
	assert(reason < REASON_COUNT);
	return reasons[reason].name;
}

enum reason reason_parse(struct slice name)
{
	for (enum reason reason = 0; reason < REASON_COUNT; reason++)
		if (slice_equal(name, slice_of(reasons[reason].name)))
			return reason;
	return REASON_NONE;
}

const char *reason_advice(enum reason reason)
{
	assert(reason < REASON_COUNT);
	return reasons[reason].advice;
}

enum policy reason_policy(enum reason reason)
{
	assert(reason < REASON_COUNT);
	switch (reason) {
	case REASON_NONE:
		return POLICY_NONE;
	case REASON_UNKNOWN_VIEW:
	case REASON_CRASH_LOOP:
		return POLICY_PARK;
	default:
		return POLICY_DEAD;
	}
}

/* The reasons but NONE. What is wrong and what to do is one sentence. */
static bool reason_at(size_t index, struct policy_entry *out)
{
	if (index + 1 >= REASON_COUNT)
		return false;
	enum reason reason = (enum reason)(index + 1);
	*out = (struct policy_entry){0, reason_name(reason),
		reason_policy(reason), reason_advice(reason), ""};
	return true;
}

const struct policy_family *reason_codes(void)
{
	static const struct policy_family family = {"event",
		"none: these are all; unknown_feature parks where its source "
		"says so",
		reason_at};
	return &family;
}
