/* Lines of NDJSON: as records to take, and as records to send. */
#include "schema/line.h"
#include "tests/lib/check.h"
#include "tests/lib/decode_rig.h"

#include <string.h>

#define EVENT "{'id': 1, 'card': 'c1', 'status': 1, 'amount': 5}"

static bool same_update(const struct update *a, const struct update *b)
{
	return memcmp(a->key, b->key, KEY_BYTES) == 0 &&
	       a->content == b->content && a->event_us == b->event_us &&
	       a->reason == b->reason &&
	       a->assignment_count == b->assignment_count;
}

static void a_line_is_the_value_or_holds_it(void **state)
{
	struct rig *rig = *state;
	static const char *const lines[] = {"{'value': " EVENT
					    ", 'timestamp': 1795422048000}",
		"{'timestamp': '2026-11-23T08:20:48Z', 'value': " EVENT
		", 'headers': {}, 'key': 'k'}",
		"{'timestamp': '2026-11-23T08:20:48Z', 'value': " EVENT
		", 'headers': null, 'key': null}"};
	struct update message = *rig_decode(rig, "pay", EVENT);
	for (size_t i = 0; i < 3; i++) {
		const struct update *update =
			rig_decode_line(rig, "pay", lines[i]);
		assert_true(same_update(&message, update));
		assert_int_equal(rig->out.timestamp_us, RIG_TIME_US);
	}
	const struct update *bare = rig_decode_line(rig, "pay", EVENT);
	assert_int_equal(bare->reason, REASON_NO_EVENT_TIME);
	assert_true(bare->content == message.content);
}

/* With any member more it is an event that happens to have a `value`. */
static void an_object_with_other_members_is_a_value(void **state)
{
	struct rig *rig = *state;
	const struct update *update = rig_decode_line(rig, "pay",
		"{'value': null, 'id': 1, 'card': 'c1', 'status': 1,"
		" 'at': '2026-11-23T08:20:48Z'}");
	assert_int_equal(update->reason, REASON_NONE);
	assert_int_equal(update->operation, OPERATION_UPSERT);
	assert_null(rig_decode_line(rig, "pay", "{'key': 'c1'}"));
}

static void a_line_without_timestamp_takes_the_time_of_its_event(void **state)
{
	struct rig *rig = *state;
	const struct update *update = rig_decode_line(rig, "pay",
		"{'id': 1, 'card': 'c1', 'status': 1,"
		" 'at': '2099-01-01T00:00:00Z'}"); /* after nothing known */
	assert_int_equal(update->reason, REASON_NONE);
	assert_int_equal(rig->out.timestamp_us, update->event_us);
	update = rig_decode_line(rig, "pay",
		"{'id': 1, 'card': 'c1', 'status': 1, 'at': '1999'}");
	assert_int_equal(update->reason, REASON_EVENT_TIME_UNREADABLE);
	assert_int_equal(rig->out.timestamp_us, TIMESTAMP_NONE);
	update = rig_decode_line(rig, "pay",
		"{'id': 1, 'card': 7, 'status': 1,"
		" 'at': '2026-11-23T08:20:48Z'}");
	assert_int_equal(update->reason, REASON_BAD_ENTITY);
	assert_int_equal(rig->out.timestamp_us, RIG_TIME_US);
	assert_null(rig_decode_line(
		rig, "pay", "{'card': 'c', 'at': '2026-11-23T08:20:48Z'}"));
	assert_int_equal(rig->out.timestamp_us, RIG_TIME_US);
}

static void a_timestamp_bounds_the_time_of_its_event(void **state)
{
	struct rig *rig = *state;
	const struct update *update = rig_decode_line(rig, "pay",
		"{'value': {'id': 1, 'card': 'c1', 'status': 1,"
		" 'at': '2026-11-23T09:20:49Z'}, 'timestamp': 1795422048000}");
	assert_int_equal(update->reason, REASON_EVENT_TIME_IN_FUTURE);
	assert_int_equal(rig->out.timestamp_us, RIG_TIME_US);
}

static void headers_and_key_of_a_line_count(void **state)
{
	struct rig *rig = *state;
	rig_header(rig, "idempotency-key", "k");
	struct update message = *rig_decode(rig, "pay", EVENT);
	rig_plain(rig);
	const struct update *update = rig_decode_line(rig, "pay",
		"{'value': " EVENT ", 'timestamp': 1795422048000,"
		" 'headers': {'other': null, 'Idempotency-Key': '\\\"k\\\"'}}");
	assert_true(same_update(&message, update));
	update = rig_decode_line(rig, "pay",
		"{'value': null, 'timestamp': 1795422048000,"
		" 'key': {'card': 'c1'}}");
	assert_int_equal(update->reason, REASON_NONE);
	assert_int_equal(update->operation, OPERATION_DELETE);
	assert_true(slice_equal(update->entity[0].as.bytes, slice_of("c1")));
	update = rig_decode_line(rig, "click",
		"{'value': null, 'timestamp': 1795422048000, 'key': 5}");
	assert_int_equal(update->entity[0].as.integer, 5);
}

static void a_whole_record_replaces_what_stands_around_the_line(void **state)
{
	struct rig *rig = *state;
	struct update message = *rig_decode(rig, "pay", EVENT);
	rig_header(rig, "idempotency-key", "k");
	rig->record.key = slice_of("other");
	const struct update *update = rig_decode_line(rig, "pay",
		"{'value': " EVENT ", 'timestamp': 1795422048000,"
		" 'headers': {'a': 'b'}}");
	assert_true(same_update(&message, update));
	update = rig_decode_line(
		rig, "pay", "{'value': null, 'timestamp': 1795422048000}");
	assert_int_equal(update->reason, REASON_MISSING_ENTITY);
}

static void wrong_members_of_a_record_are_a_bad_event(void **state)
{
	struct rig *rig = *state;
	static const char *const lines[] = {
		"{'value': 1, 'timestamp': 'now'}",
		"{'value': 1, 'timestamp': true}",
		"{'value': 1, 'timestamp': 1.5}",
		"{'value': 1, 'timestamp': -1}",
		"{'value': 1, 'timestamp': '1969-12-31T23:59:59Z'}",
		"{'value': 1, 'timestamp': 9223372036854775807}",
		"{'value': 1, 'headers': []}",
		"{'value': 1, 'headers': {'a': 1}}",
	};
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		const struct update *update =
			rig_decode_line(rig, "pay", lines[i]);
		assert_int_equal(rig->out.update_count, 1);
		assert_int_equal(update->reason, REASON_BAD_EVENT);
		assert_false(update->has_key);
	}
}

static void the_object_around_a_value_adds_no_depth(void **state)
{
	struct rig *rig = *state;
	rig->decoder.depth_max = 3;
	static const struct {
		const char *line;
		enum reason reason;
	} cases[] = {
		{"{'value': {'id': 1, 'card': 'c', 'status': 1, 'x': [[]]},"
		 " 'timestamp': 1795422048000}",
			REASON_NONE},
		{"{'value': {'id': 1, 'card': 'c', 'status': 1, 'x': [[[]]]},"
		 " 'timestamp': 1795422048000}",
			REASON_TOO_DEEP},
		{"{'id': 1, 'card': 'c', 'status': 1, 'x': [[]],"
		 " 'at': '2026-11-23T08:20:48Z'}",
			REASON_NONE},
		{"{'id': 1, 'card': 'c', 'status': 1, 'x': [[[]]],"
		 " 'at': '2026-11-23T08:20:48Z'}",
			REASON_TOO_DEEP},
	};
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(
			rig_decode_line(rig, "pay", cases[i].line)->reason,
			cases[i].reason);
}

/* A line as it is to be sent; NULL: absent. */
struct sent {
	const char *line, *key, *value;
	int64_t timestamp_us;
};

static void check_slice(struct slice given, const char *expected)
{
	if (expected == NULL)
		assert_null(given.data);
	else if (!slice_equal(given, slice_of(expected)))
		fail_msg("%.*s", (int)given.length, given.data);
}

static void lines_are_sent_as_they_were_written(void **state)
{
	(void)state;
	static const struct sent cases[] = {
		{" {\"a\": 12.30} ", NULL, "{\"a\": 12.30}", TIMESTAMP_NONE},
		{"7", NULL, "7", TIMESTAMP_NONE},
		{"{\"value\":1}", NULL, "1", TIMESTAMP_NONE},
		{"{\"value\":null}", NULL, NULL, TIMESTAMP_NONE},
		{"{\"value\": \"a\\\"}\" }", NULL, "\"a\\\"}\"",
			TIMESTAMP_NONE},
		{"{\"key\":\"k\",\"value\": {\"b\": [1.10, \"},{\"],"
		 "\"big\":99999999999999999999}, \"timestamp\": 1500}",
			"k",
			"{\"b\": [1.10, \"},{\"],\"big\":99999999999999999999}",
			1500000},
		{"{\"timestamp\":\"1970-01-01T00:00:01Z\",\"value\":[[],{}]"
		 ",\"key\":{\"a\": 1}}",
			"{\"a\":1}", "[[],{}]", 1000000},
		{"{\"v\\u0061lue\":2,\"key\":42}", "42", "2", TIMESTAMP_NONE},
		{"{\"key\": \"\", \"value\": \"\"}", "", "\"\"",
			TIMESTAMP_NONE},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct arena arena = ARENA_INIT;
		struct record record;
		struct fault fault = {0};
		assert_int_equal(line_parse(slice_of(cases[i].line), &arena,
					 &record, &fault),
			0);
		assert_int_equal(record.form, RECORD_MESSAGE);
		check_slice(record.key, cases[i].key);
		check_slice(record.value, cases[i].value);
		assert_int_equal(record.timestamp_us, cases[i].timestamp_us);
		arena_finish(&arena);
	}
}

static void headers_are_sent(void **state)
{
	(void)state;
	struct arena arena = ARENA_INIT;
	struct record record;
	struct fault fault = {0};
	assert_int_equal(
		line_parse(slice_of("{\"value\":1,\"headers\":{\"a\":\"x\","
				    "\"b\":null,\"c\":\"\"}}"),
			&arena, &record, &fault),
		0);
	assert_int_equal(record.header_count, 3);
	check_slice(record.headers[0].name, "a");
	check_slice(record.headers[0].value, "x");
	check_slice(record.headers[1].value, NULL);
	check_slice(record.headers[2].name, "c");
	check_slice(record.headers[2].value, "");
	arena_finish(&arena);
}

static void what_can_not_be_sent_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *line, *says;
	} cases[] = {
		{"", "not JSON"},
		{"{\"value\":1", "not JSON (bad_json)"},
		{"{\"a\":1,\"a\":2}", "duplicate_member"},
		{"{\"value\":1,\"timestamp\":true}", "timestamp must be"},
		{"{\"value\":1,\"headers\":7}", "headers must be"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct arena arena = ARENA_INIT;
		struct record record;
		struct fault fault = {0};
		assert_int_equal(line_parse(slice_of(cases[i].line), &arena,
					 &record, &fault),
			FAULT_USAGE);
		assert_non_null(strstr(fault.text, cases[i].says));
		arena_finish(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RIG(a_line_is_the_value_or_holds_it),
		WITH_RIG(an_object_with_other_members_is_a_value),
		WITH_RIG(a_line_without_timestamp_takes_the_time_of_its_event),
		WITH_RIG(a_timestamp_bounds_the_time_of_its_event),
		WITH_RIG(headers_and_key_of_a_line_count),
		WITH_RIG(a_whole_record_replaces_what_stands_around_the_line),
		WITH_RIG(wrong_members_of_a_record_are_a_bad_event),
		WITH_RIG(the_object_around_a_value_adds_no_depth),
		cmocka_unit_test(lines_are_sent_as_they_were_written),
		cmocka_unit_test(headers_are_sent),
		cmocka_unit_test(what_can_not_be_sent_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
