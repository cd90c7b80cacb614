/*
 * The judgements that mapped events and envelopes share, in the order of
 * design section 4: entity, event time, types, bounds.
 */
#include "schema/decoding.h"
#include "schema/json.h"
#include "schema/pointer.h"
#include "schema/rfc3339.h"

#include <inttypes.h>

/* 2000-01-01T00:00:00Z: what claims to be older is a wrong unit. */
#define EVENT_TIME_FIRST_US INT64_C(946684800000000)

bool update_blame(struct update *update, enum reason reason, const char *detail)
{
	update->reason = reason;
	update->detail = detail == NULL ? reason_advice(reason) : detail;
	return false;
}

bool judge_entity(
	struct decoding *decoding, struct update *update, json_t *const *entity)
{
	const struct view *view = update->view;
	update->entity = decoding_take(
		decoding, view->key_count * sizeof *update->entity);
	if (update->entity == NULL)
		return false;
	for (size_t i = 0; i < view->key_count; i++) {
		enum reason reason = convert_key(&decoding->converter,
			&view->keys[i], entity[i], &update->entity[i]);
		if (reason != REASON_NONE)
			return update_blame(
				update, reason, decoding->converter.detail);
	}
	return true;
}

static void refuse_time(
	struct event_time *time, enum reason reason, const char *detail)
{
	time->reason = reason;
	time->detail = detail;
}

/* An integer in the unit that the source states. */
static bool integer_time(
	struct decoding *decoding, const json_t *json, int64_t *out_us)
{
	static const int64_t unit_us[] = {[TIME_UNIT_S] = 1000000,
		[TIME_UNIT_MS] = 1000,
		[TIME_UNIT_US] = 1};
	enum time_unit unit = decoding->source->event_time_unit;
	int64_t number = 0;
	return unit != TIME_UNIT_NONE &&
	       convert_integer(&decoding->converter, json, &number) ==
		       REASON_NONE &&
	       !__builtin_mul_overflow(number, unit_us[unit], out_us);
}

static bool read_time(
	struct decoding *decoding, const json_t *json, int64_t *out_us)
{
	struct slice text = {json_string_value(json), json_string_length(json)};
	if (json_is_string(json))
		return rfc3339_parse(text, out_us);
	return integer_time(decoding, json, out_us);
}

/* Where the time is found: event, CloudEvent, record. */
static void find_time(struct decoding *decoding)
{
	static const char rule[] =
		"an RFC 3339 time, or an integer if the source has an "
		"event_time_unit";
	struct event_time *time = &decoding->event_time;
	time->reason = REASON_NONE;
	if (time->json != NULL) {
		if (!read_time(decoding, time->json, &time->us))
			refuse_time(time, REASON_EVENT_TIME_UNREADABLE,
				arena_print(decoding->arena, "%s is not %s",
					convert_describe(
						decoding->arena, time->json),
					rule));
	} else if (decoding->cloud.has_time) {
		if (!rfc3339_parse(decoding->cloud.time, &time->us))
			refuse_time(time, REASON_EVENT_TIME_UNREADABLE,
				"the CloudEvent's time is not RFC 3339");
	} else if (decoding->record.timestamp_us != TIMESTAMP_NONE) {
		time->us = decoding->record.timestamp_us;
	} else {
		refuse_time(time, REASON_NO_EVENT_TIME, NULL);
	}
}

void decoding_read_time(struct decoding *decoding)
{
	struct event_time *time = &decoding->event_time;
	int64_t record_us = decoding->record.timestamp_us;
	char text[RFC3339_SIZE];
	if (decoding->source->has_event_time)
		time->json = pointer_find(
			&decoding->source->event_time, decoding->document);
	find_time(decoding);
	if (time->reason != REASON_NONE)
		return;
	if (time->us < EVENT_TIME_FIRST_US)
		refuse_time(time, REASON_EVENT_TIME_IMPLAUSIBLE,
			arena_print(decoding->arena,
				"%s is before the year 2000",
				rfc3339_print(time->us, text)));
	else if (record_us != TIMESTAMP_NONE &&
		 time->us - decoding->decoder->max_skew_us > record_us)
		refuse_time(time, REASON_EVENT_TIME_IN_FUTURE,
			arena_print(decoding->arena,
				"%s, more than max_skew after the record",
				rfc3339_print(time->us, text)));
}

bool judge_time(struct decoding *decoding, struct update *update)
{
	const struct event_time *time = &decoding->event_time;
	update->event_us = time->us;
	return time->reason == REASON_NONE ||
	       update_blame(update, time->reason, time->detail);
}

static bool judge_types(struct decoding *decoding, struct update *update,
	const struct taken *taken, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct assignment *assignment = &update->assignments[i];
		assignment->feature = taken[i].feature;
		if (taken[i].json == NULL) {
			assignment->value = *taken[i].constant;
			continue;
		}
		enum reason reason = convert_feature(&decoding->converter,
			&update->view->features[taken[i].feature],
			taken[i].json, &assignment->value);
		if (reason != REASON_NONE)
			return update_blame(
				update, reason, decoding->converter.detail);
	}
	return true;
}

static bool judge_bounds(struct decoding *decoding, struct update *update)
{
	for (size_t i = 0; i < update->assignment_count; i++) {
		const struct assignment *assignment = &update->assignments[i];
		enum reason reason = convert_bounds(&decoding->converter,
			&update->view->features[assignment->feature],
			&assignment->value);
		if (reason != REASON_NONE)
			return update_blame(
				update, reason, decoding->converter.detail);
	}
	return true;
}

bool judge_features(struct decoding *decoding, struct update *update,
	const struct taken *taken, size_t count)
{
	update->assignments =
		decoding_take(decoding, count * sizeof *update->assignments);
	if (update->assignments == NULL)
		return false;
	if (!judge_types(decoding, update, taken, count))
		return false;
	update->assignment_count = count;
	return judge_bounds(decoding, update);
}
