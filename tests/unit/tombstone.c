/* Null values: deletes of the entity in the record's key. */
#include "tests/lib/check.h"
#include "tests/lib/decode_rig.h"

#include <string.h>

static const struct update *tombstone(
	struct rig *rig, const char *topic, const char *key)
{
	rig->record.key =
		key == NULL ? (struct slice){NULL, 0} : rig_json(rig, key);
	return rig_decode(rig, topic, NULL);
}

static void check_card(const struct rig *rig, const char *card_id)
{
	const struct update *update = rig->out.updates;
	assert_int_equal(rig->out.update_count, 1);
	assert_int_equal(update->reason, REASON_NONE);
	assert_int_equal(update->operation, OPERATION_DELETE);
	assert_int_equal(update->assignment_count, 0);
	assert_true(update->has_key);
	assert_string_equal(update->view->name, "card");
	assert_true(slice_equal(update->entity[0].as.bytes, slice_of(card_id)));
	assert_int_equal(update->event_us, RIG_TIME_US);
}

static void the_key_of_a_single_join_key_is_its_value(void **state)
{
	struct rig *rig = *state;
	static const struct {
		const char *key, *card_id;
	} cases[] = {
		{"'c1'", "c1"},
		{"{'card': 'c1'}", "c1"},    /* where the mapping has it */
		{"{'card_id': 'c1'}", "c1"}, /* under its own name */
		{"card-4711", "card-4711"},  /* no JSON: its text */
		{"4711", "4711"},	     /* JSON by accident */
		{"007", "007"},
		{"1e3", "1e3"},
		{"true", "true"},
		{"99999999999999999999", "99999999999999999999"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		tombstone(rig, "loose", cases[i].key);
		check_card(rig, cases[i].card_id);
	}
}

static void an_entity_is_deleted_once_a_record(void **state)
{
	struct rig *rig = *state;
	tombstone(rig, "pay", "{'card': 'c1', 'payee': 'c1'}");
	check_card(rig, "c1");
	assert_int_equal(rig->out.updates[0].place, 0);
	const struct update *update =
		tombstone(rig, "pay", "{'card': 'c1', 'payee': 'c2'}");
	assert_int_equal(rig->out.update_count, 2);
	assert_int_equal(update[1].place, 1);
	assert_true(slice_equal(update[1].entity[0].as.bytes, slice_of("c2")));
}

static void views_whose_entity_is_not_in_the_key_are_left_alone(void **state)
{
	struct rig *rig = *state;
	const struct update *update =
		tombstone(rig, "click", "{'user': {'id': 5}}");
	assert_int_equal(rig->out.update_count, 1);
	assert_string_equal(update->view->name, "user");
	assert_int_equal(update->place, 1);
	assert_int_equal(update->entity[0].as.integer, 5);
	update = tombstone(rig, "click", "{'user_id': 5, 'item_id': 'a'}");
	assert_int_equal(rig->out.update_count, 2);
	assert_string_equal(update[0].view->name, "pair");
	update = tombstone(rig, "click", "5");
	assert_int_equal(rig->out.update_count, 1);
	assert_string_equal(update[0].view->name, "user");
}

static void a_key_without_entity_is_a_dead_letter(void **state)
{
	struct rig *rig = *state;
	static const char *const keys[] = {
		NULL, "", "null", "[]", "{}", "{'card': null}", "\xff"};
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		const struct update *update = tombstone(rig, "pay", keys[i]);
		assert_int_equal(rig->out.update_count, 1);
		assert_int_equal(update->reason, REASON_MISSING_ENTITY);
		assert_true(update->has_key);
		assert_int_equal(update->place, 0);
		assert_non_null(strstr(update->detail, "key"));
	}
}

static void an_entity_of_the_wrong_type_is_a_dead_letter(void **state)
{
	struct rig *rig = *state;
	const struct update *update = tombstone(rig, "click", "'5'");
	assert_int_equal(rig->out.update_count, 1);
	assert_int_equal(update->reason, REASON_BAD_ENTITY);
	update = tombstone(rig, "pay", "{'card': 7}");
	assert_int_equal(update->reason, REASON_BAD_ENTITY);
}

static void the_key_of_an_envelope_topic_names_view_and_entity(void **state)
{
	struct rig *rig = *state;
	tombstone(rig, "card", "{'view': 'card', 'entity': {'card_id': 'c1'}}");
	check_card(rig, "c1");
	const struct update *update = tombstone(
		rig, "card", "{'view': 'later', 'entity': {'card_id': 'c'}}");
	assert_int_equal(update->reason, REASON_UNKNOWN_VIEW);
	assert_true(update->parks);
	assert_true(slice_equal(update->view_name, slice_of("later")));
	assert_int_equal(tombstone(rig, "card", "{'view': 'card'}")->reason,
		REASON_MISSING_ENTITY);
	assert_int_equal(
		tombstone(rig, "card", "{'view': 'card', 'entity': 7}")->reason,
		REASON_BAD_ENTITY);
}

static void the_key_of_an_envelope_topic_of_another_shape_is_a_dead_letter(
	void **state)
{
	struct rig *rig = *state;
	static const char *const keys[] = {NULL, "", "c1", "'c1'", "[]", "{}",
		"{'entity': {'card_id': 'c1'}}", "{'view': 7}"};
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		const struct update *update = tombstone(rig, "card", keys[i]);
		assert_int_equal(rig->out.update_count, 1);
		assert_int_equal(update->reason, REASON_MISSING_ENTITY);
		assert_true(update->has_key);
	}
}

/* A delete is idempotent by its version, so that its position will do. */
static void the_position_identifies_unless_a_header_does(void **state)
{
	struct rig *rig = *state;
	struct update first = *tombstone(rig, "pay", "'c1'");
	rig->record.offset++;
	struct update second = *tombstone(rig, "pay", "'c1'");
	assert_memory_not_equal(first.key, second.key, KEY_BYTES);
	assert_true(first.content == second.content);
	rig_header(rig, "idempotency-key", "k");
	first = *tombstone(rig, "pay", "'c1'");
	rig->record.offset++;
	second = *tombstone(rig, "pay", "'c1'");
	assert_memory_equal(first.key, second.key, KEY_BYTES);
}

static void the_time_is_that_of_cloud_event_or_record(void **state)
{
	struct rig *rig = *state;
	rig_header(rig, "ce_time", "2026-11-23T08:20:47Z");
	assert_int_equal(
		tombstone(rig, "pay", "'c1'")->event_us, RIG_TIME_US - 1000000);
	rig_plain(rig);
	rig->record.timestamp_us = TIMESTAMP_NONE;
	assert_int_equal(
		tombstone(rig, "pay", "'c1'")->reason, REASON_NO_EVENT_TIME);
}

static void a_value_that_is_empty_is_not_null(void **state)
{
	struct rig *rig = *state;
	rig->record.key = rig_json(rig, "'c1'");
	const struct update *update = rig_decode(rig, "pay", "");
	assert_int_equal(update->reason, REASON_BAD_JSON);
	assert_false(update->has_key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RIG(the_key_of_a_single_join_key_is_its_value),
		WITH_RIG(an_entity_is_deleted_once_a_record),
		WITH_RIG(views_whose_entity_is_not_in_the_key_are_left_alone),
		WITH_RIG(a_key_without_entity_is_a_dead_letter),
		WITH_RIG(an_entity_of_the_wrong_type_is_a_dead_letter),
		WITH_RIG(the_key_of_an_envelope_topic_names_view_and_entity),
		WITH_RIG(
			the_key_of_an_envelope_topic_of_another_shape_is_a_dead_letter),
		WITH_RIG(the_position_identifies_unless_a_header_does),
		WITH_RIG(the_time_is_that_of_cloud_event_or_record),
		WITH_RIG(a_value_that_is_empty_is_not_null),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
