/* Decoding holdfast's own envelope. */
#include "tests/lib/check.h"
#include "tests/lib/decode_rig.h"

#include <stdio.h>
#include <string.h>

/* Members of an envelope whose id and view are right. */
struct judged {
	const char *members;
	enum reason reason;
	const char *detail; /* part of it */
};

static const struct update *decode(
	struct rig *rig, const char *topic, const char *members)
{
	char value[1024];
	int length = snprintf(
		value, sizeof value, "{'id': 1, 'view': 'card', %s}", members);
	assert_in_range(length, 1, sizeof value - 1);
	return rig_decode(rig, topic, value);
}

static void check_judged(
	struct rig *rig, const char *topic, const struct judged *judged)
{
	const struct update *update = decode(rig, topic, judged->members);
	assert_int_equal(rig->out.update_count, 1);
	assert_true(update->has_key);
	if (update->reason != judged->reason)
		fail_msg("%s: %s: %s", judged->members,
			reason_name(update->reason), update->detail);
	if (judged->reason != REASON_NONE &&
		strstr(update->detail, judged->detail) == NULL)
		fail_msg("%s: %s", judged->members, update->detail);
}

#define C1 "'entity': {'card_id': 'c1'}"

static void an_upsert_sets_what_it_names_in_the_order_of_the_view(void **state)
{
	struct rig *rig = *state;
	const struct update *update = decode(rig, "card",
		C1 ", 'op': 'upsert', 'event_time': '2026-11-23T08:20:47Z',"
		   " 'trace': {'any': 1}, 'features': {'flag': true,"
		   " 'photo': 'AP/+', 'txns': 2, 'score': 1, 'country': null,"
		   " 'vector': [1, 2.5, -0.0]}");
	assert_int_equal(update->reason, REASON_NONE);
	assert_int_equal(update->operation, OPERATION_UPSERT);
	assert_true(slice_equal(update->entity[0].as.bytes, slice_of("c1")));
	assert_int_equal(update->event_us, RIG_TIME_US - 1000000);
	static const size_t order[] = {0, 2, 3, 5, 6, 7};
	assert_int_equal(update->assignment_count, 6);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(update->assignments[i].feature, order[i]);
	assert_int_equal(update->assignments[0].value.as.integer, 2);
	assert_int_equal(update->assignments[1].value.state, VALUE_NULL);
	assert_true(update->assignments[2].value.as.real == 1.0);
	assert_int_equal(update->assignments[3].value.as.integer, 1);
	assert_memory_equal(
		update->assignments[4].value.as.bytes.data, "\x00\xff\xfe", 3);
	assert_memory_equal(update->assignments[5].value.as.bytes.data,
		"\0\0\x80\x3f\0\0\x20\x40\0\0\0\0", 12);
}

static void op_defaults_to_upsert_and_rules_over_features(void **state)
{
	struct rig *rig = *state;
	static const struct judged cases[] = {
		{C1 ", 'features': {'txns': 1}", REASON_NONE, NULL},
		{C1 ", 'op': 'replace', 'features': {'txns': 1}", REASON_NONE,
			NULL},
		{C1 ", 'op': 'replace', 'features': {}", REASON_NONE, NULL},
		{C1 ", 'op': 'replace'", REASON_NONE, NULL},
		{C1 ", 'op': 'delete', 'features': {}", REASON_NONE, NULL},
		{C1 ", 'op': 'delete'", REASON_NONE, NULL},
		{C1 ", 'op': 'delete', 'features': {'txns': 1}",
			REASON_BAD_EVENT, "a delete has no features"},
		{C1 ", 'features': {}", REASON_BAD_EVENT, "at least one"},
		{C1, REASON_BAD_EVENT, "at least one"},
		{C1 ", 'features': null", REASON_BAD_EVENT, "an object"},
		{C1 ", 'features': [1]", REASON_BAD_EVENT, "an object"},
		{C1 ", 'op': 'UPSERT', 'features': {'txns': 1}",
			REASON_BAD_EVENT, "upsert, replace or delete"},
		{C1 ", 'op': null, 'features': {'txns': 1}", REASON_BAD_EVENT,
			"upsert, replace or delete"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		check_judged(rig, "card", &cases[i]);
}

static void the_first_wrong_thing_wins(void **state)
{
	struct rig *rig = *state;
#define FROM_TIME "'event_time': 1, 'features': {'txns': 'x', 'score': 2}"
#define FROM_TYPES "'features': {'txns': 'x', 'score': 2, 'new': 1}"
	static const struct judged cases[] = {
		{"'op': 'x', 'entity': 7, " FROM_TIME, REASON_BAD_EVENT, "op"},
		{FROM_TIME, REASON_MISSING_ENTITY, "\"card_id\""},
		{"'entity': null, " FROM_TIME, REASON_MISSING_ENTITY, ""},
		{"'entity': {}, " FROM_TIME, REASON_MISSING_ENTITY, ""},
		{"'entity': 'c1', " FROM_TIME, REASON_BAD_ENTITY, "object"},
		{"'entity': {'card_id': 7}, " FROM_TIME, REASON_BAD_ENTITY,
			"7 where string"},
		{"'entity': {'card_id': 'c', 'x': 1}, " FROM_TIME,
			REASON_BAD_ENTITY, "does not join on"},
		{C1 ", " FROM_TIME, REASON_EVENT_TIME_UNREADABLE, "1 is not"},
		{C1 ", " FROM_TYPES, REASON_UNKNOWN_FEATURE,
			"view \"card\" has no \"new\""},
		{C1 ", 'features': {'score': 2, 'txns': 'x'}",
			REASON_TYPE_MISMATCH, "feature \"txns\""},
		{C1 ", 'features': {'score': 2, 'vector': [1]}",
			REASON_WRONG_LENGTH, "feature \"vector\""},
		{C1 ", 'features': {'score': 2}", REASON_OUT_OF_BOUNDS,
			"feature \"score\": 2 is more than the maximum 1"},
	};
#undef FROM_TIME
#undef FROM_TYPES
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		check_judged(rig, "card_reject", &cases[i]);
}

static void an_unknown_view_parks_before_anything_else_is_judged(void **state)
{
	struct rig *rig = *state;
	const struct update *update = rig_decode(rig, "card",
		"{'id': 1, 'view': 'later', 'op': 'x', 'entity': 7}");
	assert_int_equal(update->reason, REASON_UNKNOWN_VIEW);
	assert_true(update->parks);
	assert_true(update->has_key);
	assert_null(update->view);
	assert_true(slice_equal(update->view_name, slice_of("later")));
	assert_non_null(strstr(update->detail, "\"later\""));
}

/* 2 + 40 x 2 bytes; the 63rd is the first half of a letter. */
static void a_long_unknown_name_is_cut_between_characters(void **state)
{
	struct rig *rig = *state;
#define A10                                                                    \
	"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"                             \
	"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
	const struct update *update = rig_decode(
		rig, "card", "{'id': 1, 'view': 'xx" A10 A10 A10 A10 "'}");
	assert_string_equal(
		update->detail, "no view \"xx" A10 A10 A10 "\" in the schema");
#undef A10
}

static void a_view_must_be_named(void **state)
{
	struct rig *rig = *state;
	static const char *const values[] = {
		"{'id': 1}", "{'id': 1, 'view': null}", "{'id': 1, 'view': 7}"};
	for (size_t i = 0; i < 3; i++) {
		const struct update *update =
			rig_decode(rig, "card", values[i]);
		assert_int_equal(update->reason, REASON_BAD_EVENT);
		assert_true(update->has_key);
		assert_false(update->parks);
		assert_null(update->view_name.data);
	}
}

static void what_is_no_object_is_no_envelope(void **state)
{
	struct rig *rig = *state;
	static const char *const values[] = {"[]", "7", "'a'", "null", "true"};
	for (size_t i = 0; i < 5; i++) {
		const struct update *update =
			rig_decode(rig, "card", values[i]);
		assert_int_equal(update->reason, REASON_BAD_EVENT);
		assert_false(update->has_key);
		assert_int_equal(rig->out.update_count, 1);
	}
}

static void an_unknown_feature_is_ignored_parked_or_rejected(void **state)
{
	struct rig *rig = *state;
	static const char some[] =
		C1 ", 'features': {'new': 1, 'txns': 1, 'newer': 2}";
	static const char none[] = C1 ", 'features': {'new': 1}";
	const struct update *update = decode(rig, "card", some);
	assert_int_equal(update->reason, REASON_NONE);
	assert_int_equal(update->assignment_count, 1);
	assert_int_equal(update->ignored_features, 2);
	update = decode(rig, "card", none);
	assert_int_equal(update->reason, REASON_NONE);
	assert_int_equal(update->assignment_count, 0);
	assert_int_equal(update->ignored_features, 1);
	update = decode(rig, "card_park", some);
	assert_int_equal(update->reason, REASON_UNKNOWN_FEATURE);
	assert_true(update->parks);
	assert_int_equal(update->ignored_features, 0);
	update = decode(rig, "card_reject", some);
	assert_int_equal(update->reason, REASON_UNKNOWN_FEATURE);
	assert_false(update->parks);
	assert_non_null(strstr(update->detail, "\"new\""));
}

static void an_envelope_without_id_follows_the_source(void **state)
{
	struct rig *rig = *state;
	static const char value[] =
		"{'view': 'card', " C1 ", 'features': {'txns': 1}}";
	assert_int_equal(rig_decode(rig, "card", value)->reason, REASON_NO_KEY);
	assert_int_equal(
		rig_decode(rig, "card_park", value)->reason, REASON_NONE);
	rig_header(rig, "Idempotency-Key", "k");
	assert_int_equal(rig_decode(rig, "card", value)->reason, REASON_NONE);
}

static void event_time_may_be_a_number_where_its_unit_is_stated(void **state)
{
	struct rig *rig = *state;
	static const struct {
		const char *topic, *time;
		int64_t us;
	} cases[] = {
		{"card_s", "1795422047", RIG_TIME_US - 1000000},
		{"card_us", "1795422047000001", RIG_TIME_US - 999999},
		{"card_us", "'2026-11-23T08:20:47Z'", RIG_TIME_US - 1000000},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char members[256];
		int length = snprintf(members, sizeof members,
			C1 ", 'features': {'txns': 1}, 'event_time': %s",
			cases[i].time);
		assert_in_range(length, 1, sizeof members - 1);
		const struct update *update =
			decode(rig, cases[i].topic, members);
		assert_int_equal(update->reason, REASON_NONE);
		assert_int_equal(update->event_us, cases[i].us);
	}
}

static void a_structured_cloud_event_may_carry_an_envelope(void **state)
{
	struct rig *rig = *state;
	rig_header(rig, "content-type", "application/cloudevents+json");
	const struct update *update = rig_decode(rig, "card",
		"{'id': 'e', 'source': 's', 'data': {'view': 'card', " C1
		", 'features': {'txns': 1}}}");
	assert_int_equal(update->reason, REASON_NONE);
	assert_int_equal(update->assignments[0].value.as.integer, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RIG(an_upsert_sets_what_it_names_in_the_order_of_the_view),
		WITH_RIG(op_defaults_to_upsert_and_rules_over_features),
		WITH_RIG(the_first_wrong_thing_wins),
		WITH_RIG(an_unknown_view_parks_before_anything_else_is_judged),
		WITH_RIG(a_long_unknown_name_is_cut_between_characters),
		WITH_RIG(a_view_must_be_named),
		WITH_RIG(what_is_no_object_is_no_envelope),
		WITH_RIG(an_unknown_feature_is_ignored_parked_or_rejected),
		WITH_RIG(an_envelope_without_id_follows_the_source),
		WITH_RIG(event_time_may_be_a_number_where_its_unit_is_stated),
		WITH_RIG(a_structured_cloud_event_may_carry_an_envelope),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
