/* Decoding mapped records: order of judgement, event time, mappings. */
#include "tests/lib/check.h"
#include "tests/lib/decode_rig.h"

#include <string.h>

/* A record's value, and what becomes of its first update. */
struct judged {
	const char *value;
	enum reason reason;
	const char *detail; /* part of it */
};

static void check_judged(
	struct rig *rig, const char *topic, const struct judged *judged)
{
	const struct update *update = rig_decode(rig, topic, judged->value);
	if (update == NULL)
		fail_msg("%s: no update", judged->value);
	else if (update->reason != judged->reason)
		fail_msg("%s: %s: %s", judged->value,
			reason_name(update->reason), update->detail);
	else if (judged->reason == REASON_NONE)
		assert_null(update->detail);
	else if (strstr(update->detail, judged->detail) == NULL)
		fail_msg("%s: %s", judged->value, update->detail);
}

static void faults_of_the_record_give_one_update_without_key(void **state)
{
	struct rig *rig = *state;
	static const struct judged cases[] = {
		{"", REASON_BAD_JSON, "end of file"},
		{"{'id': 1,", REASON_BAD_JSON, "byte 9"},
		{"{'id': 1} x", REASON_BAD_JSON, "end of file expected"},
		{"{'id': 1, 'x': 1e999}", REASON_BAD_JSON, "overflow"},
		{"{'id': '\xff'}", REASON_BAD_UTF8, "0xff"},
		{"{'id': 1, 'id': 1}", REASON_DUPLICATE_MEMBER, "duplicate"},
		{"{'card': 'c', 'status': 1}", REASON_NO_KEY, "missing_key"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_judged(rig, "pay", &cases[i]);
		assert_int_equal(rig->out.update_count, 1);
		assert_false(rig->out.updates[0].has_key);
		assert_int_equal(rig->out.updates[0].place, 0);
		assert_null(rig->out.updates[0].view);
		assert_int_equal(rig->out.timestamp_us, RIG_TIME_US);
	}
}

static void length_and_depth_are_limited(void **state)
{
	struct rig *rig = *state;
	static const struct judged fits = {
		"{'id': 1, 'card': 'c', 'status': 1, 'x': [[[]]]}", REASON_NONE,
		NULL};
	static const struct judged deep = {
		"{'id': 1, 'card': 'c', 'status': 1, 'x': [[[]]]}",
		REASON_TOO_DEEP, "deeper than 3"};
	static const struct judged lengthy = {
		"{'id': 1, 'card': 'c', 'status': 1, 'x': [[[]]]}",
		REASON_TOO_LONG, "48 bytes, the limit is 47"};
	rig->decoder.depth_max = 4;
	rig->decoder.value_bytes_max = strlen(fits.value);
	check_judged(rig, "pay", &fits);
	rig->decoder.depth_max = 3;
	check_judged(rig, "pay", &deep);
	rig->decoder.value_bytes_max--;
	check_judged(rig, "pay", &lengthy); /* before it is parsed */
}

static void an_update_has_all_that_the_event_says(void **state)
{
	struct rig *rig = *state;
	const struct update *update = rig_decode(rig, "pay",
		"{'id': 1, 'card': 'c1', 'status': 'paid', 'amount': 12.34,"
		" 'country': 'DE', 'at': '2026-11-23T08:20:48.5Z'}");
	assert_int_equal(rig->out.update_count, 1);
	assert_int_equal(update->reason, REASON_NONE);
	assert_string_equal(update->view->name, "card");
	assert_true(slice_equal(update->view_name, slice_of("card")));
	assert_int_equal(update->operation, OPERATION_UPSERT);
	assert_true(slice_equal(update->entity[0].as.bytes, slice_of("c1")));
	assert_int_equal(update->event_us, RIG_TIME_US + 500000);
	assert_int_equal(update->assignment_count, 3);
	assert_int_equal(update->assignments[0].feature, 0);
	assert_int_equal(update->assignments[0].value.as.integer, 1);
	assert_int_equal(update->assignments[1].feature, 1);
	assert_int_equal(update->assignments[1].value.as.integer, 1234);
	assert_int_equal(update->assignments[2].feature, 2);
	assert_true(slice_equal(
		update->assignments[2].value.as.bytes, slice_of("DE")));
}

static void a_pointer_that_finds_nothing_leaves_its_feature_out(void **state)
{
	struct rig *rig = *state;
	const struct update *update = rig_decode(rig, "pay",
		"{'id': 1, 'card': 'c1', 'status': 'paid', 'country': null}");
	assert_int_equal(update->reason, REASON_NONE);
	assert_int_equal(update->assignment_count, 2);
	assert_int_equal(update->assignments[0].feature, 0);
	assert_int_equal(update->assignments[1].feature, 2);
	assert_int_equal(update->assignments[1].value.state, VALUE_NULL);
}

static void an_upsert_with_no_feature_left_is_no_update(void **state)
{
	struct rig *rig = *state;
	assert_null(rig_decode(rig, "pay", "{'id': 1, 'payee': 'c1'}"));
	assert_null(rig_decode(rig, "pay", "7"));
	assert_null(rig_decode(rig, "pay", "null"));
	assert_null(rig_decode(rig, "pay", "[{'received': 1}]"));
}

static void conditions_choose_among_the_listed_values(void **state)
{
	struct rig *rig = *state;
	static const struct {
		const char *value;
		size_t updates;
	} cases[] = {
		{"{'id': 1, 'card': 'c', 'status': 'paid'}", 1},
		{"{'id': 1, 'card': 'c', 'status': 1}", 1},
		{"{'id': 1, 'card': 'c', 'status': 1.0}", 1},
		{"{'id': 1, 'card': 'c', 'status': null}", 1},
		{"{'id': 1, 'card': 'c', 'status': 'open'}", 0},
		{"{'id': 1, 'card': 'c', 'status': '1'}", 0},
		{"{'id': 1, 'card': 'c', 'status': true}", 0},
		{"{'id': 1, 'card': 'c', 'status': ['paid']}", 0},
		{"{'id': 1, 'card': 'c'}", 0},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		rig_decode(rig, "pay", cases[i].value);
		if (rig->out.update_count != cases[i].updates)
			fail_msg("%s", cases[i].value);
	}
}

static void all_conditions_must_hold(void **state)
{
	struct rig *rig = *state;
	const struct update *update = rig_decode(rig, "click",
		"{'user': {'id': 1}, 'type': 'gone', 'sure': true}");
	assert_int_equal(rig->out.update_count, 1);
	assert_int_equal(update->place, 2);
	assert_int_equal(update->operation, OPERATION_DELETE);
	assert_int_equal(update->assignment_count, 0);
	assert_null(rig_decode(rig, "click",
		"{'user': {'id': 1}, 'type': 'gone', 'sure': false}"));
}

static void a_replace_without_features_empties_the_row(void **state)
{
	struct rig *rig = *state;
	const struct update *update = rig_decode(rig, "click",
		"{'user': {'id': 1}, 'type': 'reset', 'items': ['a'], 'n': 4}");
	assert_int_equal(rig->out.update_count, 2);
	assert_string_equal(update[0].view->name, "pair");
	assert_int_equal(update[0].entity[0].as.integer, 1);
	assert_true(slice_equal(update[0].entity[1].as.bytes, slice_of("a")));
	assert_string_equal(update[1].view->name, "user");
	assert_int_equal(update[1].operation, OPERATION_REPLACE);
	assert_int_equal(update[1].reason, REASON_NONE);
	assert_int_equal(update[1].assignment_count, 0);
}

static void entities_are_judged_without_coercion(void **state)
{
	struct rig *rig = *state;
	static const struct judged cases[] = {
		{"{'user': {'id': 1}, 'items': ['a'], 'n': 4}", REASON_NONE,
			NULL},
		{"{'user': {'id': 1}, 'items': [''], 'n': 4}", REASON_NONE,
			NULL},
		{"{'user': {'id': 1}, 'items': [], 'n': 4}",
			REASON_MISSING_ENTITY, "\"item_id\""},
		{"{'user': {'id': null}, 'items': ['a'], 'n': 4}",
			REASON_MISSING_ENTITY, "\"user_id\""},
		{"{'n': 4}", REASON_MISSING_ENTITY, "\"user_id\""},
		{"{'user': {'id': 1.0}, 'items': ['a'], 'n': 4}",
			REASON_BAD_ENTITY, "1.0 where int64"},
		{"{'user': {'id': '1'}, 'items': ['a'], 'n': 4}",
			REASON_BAD_ENTITY, "\"user_id\": a string"},
		{"{'user': {'id': 1}, 'items': [7], 'n': 4}", REASON_BAD_ENTITY,
			"\"item_id\": 7 where string"},
		{"{'user': {'id': 1}, 'items': ['a\\u0000'], 'n': 4}",
			REASON_BAD_ENTITY, "NUL"},
		{"{'user': {'id': 9223372036854775808}, 'items': ['a'],"
		 " 'n': 4}",
			REASON_BAD_ENTITY, "too large"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		check_judged(rig, "click", &cases[i]);
}

static void the_first_wrong_thing_wins(void **state)
{
	struct rig *rig = *state;
#define WRONG_FROM_TIME "'at': 'x', 'amount': 'x', 'country': 'abc'"
	static const struct judged cases[] = {
		{"{'id': 1, 'card': 7, 'status': 1, " WRONG_FROM_TIME "}",
			REASON_BAD_ENTITY, "card_id"},
		{"{'id': 1, 'card': 'c', 'status': 1, " WRONG_FROM_TIME "}",
			REASON_EVENT_TIME_UNREADABLE, "RFC 3339"},
		{"{'id': 1, 'card': 'c', 'status': 1, 'amount': 'x',"
		 " 'country': 'abc'}",
			REASON_TYPE_MISMATCH, "feature \"spend\": a string"},
		/* types before bounds, although spend comes first */
		{"{'id': 1, 'card': 'c', 'status': 1, 'country': 7,"
		 " 'amount': 1e15}",
			REASON_OUT_OF_RANGE, "\"spend\""},
		{"{'id': 1, 'card': 'c', 'status': 1, 'country': 'abc',"
		 " 'amount': 1}",
			REASON_OUT_OF_BOUNDS, "3 bytes, max_length is 2"},
		{"{'id': 1, 'card': 'c', 'status': 1, 'amount': null}",
			REASON_TYPE_MISMATCH, "null can't be accumulated"},
	};
#undef WRONG_FROM_TIME
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_judged(rig, "pay", &cases[i]);
		assert_true(rig->out.updates[0].has_key);
		assert_false(rig->out.updates[0].parks);
	}
}

static void a_wrong_update_leaves_its_neighbours_alone(void **state)
{
	struct rig *rig = *state;
	const struct update *update = rig_decode(rig, "pay",
		"{'id': 1, 'card': 'c', 'status': 1, 'amount': 'x',"
		" 'payee': 'd', 'received': 5}");
	assert_int_equal(rig->out.update_count, 2);
	assert_int_equal(update[0].reason, REASON_TYPE_MISMATCH);
	assert_int_equal(update[1].reason, REASON_NONE);
	assert_int_equal(update[1].place, 1);
	assert_int_equal(update[1].assignments[0].value.as.integer, 500);
}

static void numbers_that_nobody_maps_do_not_matter(void **state)
{
	struct rig *rig = *state;
	static const struct judged cases[] = {
		{"{'id': 1, 'card': 'c', 'status': 1, 'amount': 12.34,"
		 " 'huge': 123456789012345678901234567890}",
			REASON_NONE, NULL},
		{"{'id': 1, 'card': 'c', 'status': 1,"
		 " 'amount': 123456789012345678901234567890}",
			REASON_OUT_OF_RANGE, "\"spend\""},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		check_judged(rig, "pay", &cases[i]);
}

static void event_times_are_read_in_the_unit_of_their_source(void **state)
{
	struct rig *rig = *state;
	static const struct {
		const char *topic, *value;
		int64_t us;
	} cases[] = {
		{"click",
			"{'user': {'id': 1}, 'items': ['a'], 'n': 4,"
			" 'ms': 1795422048001}",
			RIG_TIME_US + 1000},
		{"click",
			"{'user': {'id': 1}, 'items': ['a'], 'n': 4,"
			" 'ms': '2026-11-23T08:20:48.002Z'}",
			RIG_TIME_US + 2000},
		{"click", "{'user': {'id': 1}, 'items': ['a'], 'n': 4}",
			RIG_TIME_US},
		{"click",
			"{'user': {'id': 1}, 'items': ['a'], 'n': 4,"
			" 'ms': 1795422048001, 'x': 99999999999999999999}",
			RIG_TIME_US + 1000},
		{"pay",
			"{'id': 1, 'card': 'c', 'status': 1,"
			" 'at': '2000-01-01T00:00:00Z'}",
			INT64_C(946684800000000)},
		{"pay",
			"{'id': 1, 'card': 'c', 'status': 1,"
			" 'at': '2026-11-23T09:20:48Z'}",
			RIG_TIME_US + MAX_SKEW_US},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct update *update =
			rig_decode(rig, cases[i].topic, cases[i].value);
		assert_int_equal(update->reason, REASON_NONE);
		assert_int_equal(update->event_us, cases[i].us);
		assert_int_equal(rig->out.timestamp_us, RIG_TIME_US);
	}
}

static void event_times_that_can_not_be_are_refused(void **state)
{
	struct rig *rig = *state;
#define PAY "{'id': 1, 'card': 'c', 'status': 1, 'at': "
	static const struct judged by_text[] = {
		{PAY "'2026-11-23'}", REASON_EVENT_TIME_UNREADABLE, "a string"},
		{PAY "null}", REASON_EVENT_TIME_UNREADABLE, "null is not"},
		{PAY "1795422048}", REASON_EVENT_TIME_UNREADABLE,
			"1795422048 is not"},
		{PAY "{}}", REASON_EVENT_TIME_UNREADABLE, "an object"},
		{PAY "'1999-12-31T23:59:59.999999Z'}",
			REASON_EVENT_TIME_IMPLAUSIBLE,
			"1999-12-31T23:59:59.999999Z is before"},
		{PAY "'2026-11-23T09:20:48.000001Z'}",
			REASON_EVENT_TIME_IN_FUTURE,
			"2026-11-23T09:20:48.000001Z, more than max_skew"},
	};
#undef PAY
#define CLICK "{'user': {'id': 1}, 'items': ['a'], 'n': 4, 'ms': "
	static const struct judged by_number[] = {
		{CLICK "1795422048001.5}", REASON_EVENT_TIME_UNREADABLE, ""},
		{CLICK "1795422048001.0}", REASON_EVENT_TIME_UNREADABLE, ""},
		{CLICK "true}", REASON_EVENT_TIME_UNREADABLE, ""},
		{CLICK "9223372036854775807}", REASON_EVENT_TIME_UNREADABLE,
			""},
		{CLICK "99999999999999999999}", REASON_EVENT_TIME_UNREADABLE,
			""},
		{CLICK "0}", REASON_EVENT_TIME_IMPLAUSIBLE,
			"1970-01-01T00:00:00Z"},
		{CLICK "-9223372036854775}", REASON_EVENT_TIME_IMPLAUSIBLE, ""},
		{CLICK "9223372036854775}", REASON_EVENT_TIME_IN_FUTURE, ""},
	};
#undef CLICK
	for (size_t i = 0; i < sizeof by_text / sizeof by_text[0]; i++)
		check_judged(rig, "pay", &by_text[i]);
	for (size_t i = 0; i < sizeof by_number / sizeof by_number[0]; i++)
		check_judged(rig, "click", &by_number[i]);
}

static void without_any_time_there_is_no_event(void **state)
{
	struct rig *rig = *state;
	static const struct judged timeless = {
		"{'card': 'c', 'score': 1}", REASON_NO_EVENT_TIME, "no"};
	static const struct judged ancient = {"{'card': 'c', 'score': 1}",
		REASON_EVENT_TIME_IMPLAUSIBLE, "1970-01-01T00:00:00Z"};
	rig->record.timestamp_us = TIMESTAMP_NONE;
	rig->record.value = rig_json(rig, timeless.value);
	check_judged(rig, "loose", &timeless);
	assert_int_equal(rig->out.timestamp_us, TIMESTAMP_NONE);
	rig->record.timestamp_us = 0;
	check_judged(rig, "loose", &ancient);
	assert_int_equal(rig->out.timestamp_us, 0);
}

static void the_time_of_a_cloud_event_stands_in_for_a_missing_one(void **state)
{
	struct rig *rig = *state;
	static const char without[] = "{'id': 1, 'card': 'c', 'status': 1}";
	rig_header(rig, "ce_time", "2026-11-23T08:20:47Z");
	assert_int_equal(rig_decode(rig, "pay", without)->event_us,
		RIG_TIME_US - 1000000);
	const struct update *update = rig_decode(rig, "pay",
		"{'id': 1, 'card': 'c', 'status': 1,"
		" 'at': '2026-11-23T08:20:46Z'}");
	assert_int_equal(update->event_us, RIG_TIME_US - 2000000);
	rig_header(rig, "ce_time", "yesterday");
	assert_int_equal(rig_decode(rig, "pay", without)->reason,
		REASON_EVENT_TIME_UNREADABLE);
	rig_plain(rig);
	rig_header(rig, "content-type", "application/cloudevents+json");
	update = rig_decode(rig, "loose",
		"{'time': '2026-11-23T08:20:45Z',"
		" 'data': {'card': 'c', 'score': 1}}");
	assert_int_equal(update->event_us, RIG_TIME_US - 3000000);
	update = rig_decode(rig, "loose",
		"{'time': null, 'data': {'card': 'c', 'score': 1}}");
	assert_int_equal(update->event_us, RIG_TIME_US);
	update = rig_decode(
		rig, "loose", "{'time': 5, 'data': {'card': 'c', 'score': 1}}");
	assert_int_equal(update->reason, REASON_EVENT_TIME_UNREADABLE);
}

static void a_structured_cloud_event_needs_its_data(void **state)
{
	struct rig *rig = *state;
	static const struct judged cases[] = {
		{"[]", REASON_BAD_EVENT, "must be an object"},
		{"{'id': '1', 'source': 's'}", REASON_BAD_EVENT,
			"without data"},
		{"{'id': '1', 'source': 's', 'data_base64': 'e30='}",
			REASON_BAD_EVENT, "data_base64"},
	};
	rig_header(rig, "content-type", "application/cloudevents");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_judged(rig, "pay", &cases[i]);
		assert_false(rig->out.updates[0].has_key);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RIG(faults_of_the_record_give_one_update_without_key),
		WITH_RIG(length_and_depth_are_limited),
		WITH_RIG(an_update_has_all_that_the_event_says),
		WITH_RIG(a_pointer_that_finds_nothing_leaves_its_feature_out),
		WITH_RIG(an_upsert_with_no_feature_left_is_no_update),
		WITH_RIG(conditions_choose_among_the_listed_values),
		WITH_RIG(all_conditions_must_hold),
		WITH_RIG(a_replace_without_features_empties_the_row),
		WITH_RIG(entities_are_judged_without_coercion),
		WITH_RIG(the_first_wrong_thing_wins),
		WITH_RIG(a_wrong_update_leaves_its_neighbours_alone),
		WITH_RIG(numbers_that_nobody_maps_do_not_matter),
		WITH_RIG(event_times_are_read_in_the_unit_of_their_source),
		WITH_RIG(event_times_that_can_not_be_are_refused),
		WITH_RIG(without_any_time_there_is_no_event),
		WITH_RIG(the_time_of_a_cloud_event_stands_in_for_a_missing_one),
		WITH_RIG(a_structured_cloud_event_needs_its_data),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
