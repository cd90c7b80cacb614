/* Out of memory, at every place where schema and decoder ask for some: they
 * say so, leak nothing, and never take half an event for a whole one. */
#include "schema/json.h"
#include "schema/line.h"
#include "tests/lib/check.h"
#include "tests/lib/decode_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How many requests to the arena go well before one fails; negative: all do.
 * The linker leads calls here (--wrap). */
static long countdown = -1;

static bool fails(void)
{
	return countdown >= 0 && countdown-- == 0;
}

/* Did the failure come? */
static bool end(void)
{
	bool reached = countdown < 0;
	countdown = -1;
	return reached;
}

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
void *__real_arena_take(struct arena *arena, size_t size);
void *__wrap_arena_take(struct arena *arena, size_t size);
void *__wrap_arena_take(struct arena *arena, size_t size)
{
	return fails() ? NULL : __real_arena_take(arena, size);
}

struct slice __real_arena_copy(struct arena *arena, struct slice bytes);
struct slice __wrap_arena_copy(struct arena *arena, struct slice bytes);
struct slice __wrap_arena_copy(struct arena *arena, struct slice bytes)
{
	return fails() ? (struct slice){NULL, 0}
		       : __real_arena_copy(arena, bytes);
}

/* The heap: once a request for a string of about 300 bytes came, nothing is
 * left. Not before: jansson's growing buffer asserts that it always grows. */
static bool exhaustible, exhausted;

/* How many requests to the heap go well before one fails; negative: all do. */
static long heap_countdown = -1;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
	if (heap_countdown >= 0 && heap_countdown-- == 0)
		return NULL;
	return exhausted ? NULL : __real_malloc(size);
}
/* NOLINTEND(bugprone-reserved-identifier) */

static void *json_take(size_t size)
{
	exhausted = exhausted || (exhaustible && size > 290 && size < 320);
	return malloc(size);
}

struct attempt {
	const char *topic, *value, *key;
	enum record_form form;
};

static const struct attempt attempts[] = {
	{"pay",
		"{'id': 1, 'card': 'c1', 'status': 1, 'amount': 5,"
		" 'country': 'DE', 'x': 99999999999999999999,"
		" 'payee': 'c2', 'received': 7}",
		NULL, RECORD_MESSAGE},
	{"card",
		"{'id': 1, 'view': 'card', 'entity': {'card_id': 'c1'},"
		" 'features': {'vector': [1, 2, 3], 'photo': 'AP/+',"
		" 'country': 'DE', 'txns': 1, 'new': 1}}",
		NULL, RECORD_MESSAGE},
	{"card", NULL, "{'view': 'card', 'entity': {'card_id': 'c1'}}",
		RECORD_MESSAGE},
	{"pay", NULL, "{'card': 'c1', 'payee': 'c2'}", RECORD_MESSAGE},
	{"loose", NULL, "plain", RECORD_MESSAGE},
	{"loose",
		"{'value': {'card': 'c1', 'score': 1}, 'key': {'a': 1},"
		" 'headers': {'idempotency-key': 'k'}, 'timestamp':"
		" 1795422048000}",
		NULL, RECORD_LINE},
	{"pay", "{'id': 1, 'card': 7, 'status': 1}", NULL, RECORD_MESSAGE},
	{"pay", "{'id': 1", NULL, RECORD_MESSAGE},
};

static void prepare(struct rig *rig, const struct attempt *attempt)
{
	rig_plain(rig);
	rig->record.form = attempt->form;
	if (attempt->value != NULL)
		rig->record.value = rig_json(rig, attempt->value);
	if (attempt->key != NULL)
		rig->record.key = rig_json(rig, attempt->key);
}

static int decode(struct rig *rig, const char *topic)
{
	struct fault fault = {0};
	const struct source_schema *source = schema_source(rig->schema, topic);
	return decode_record(&rig->decoder, source, &rig->record, &rig->arena,
		&rig->out, &fault);
}

/* What must not depend on memory; the words of a detail may. */
static void check_same(const struct decoded *a, const struct decoded *b)
{
	assert_int_equal(a->update_count, b->update_count);
	for (size_t i = 0; i < a->update_count; i++) {
		const struct update *left = &a->updates[i];
		const struct update *right = &b->updates[i];
		assert_int_equal(left->reason, right->reason);
		assert_int_equal(left->has_key, right->has_key);
		assert_memory_equal(left->key, right->key, KEY_BYTES);
		assert_true(left->content == right->content);
		assert_int_equal(
			left->assignment_count, right->assignment_count);
	}
}

static size_t fail_at_each_request(struct rig *rig, const char *topic)
{
	assert_int_equal(decode(rig, topic), 0);
	struct decoded whole = rig->out;
	size_t failed = 0;
	bool reached = true;
	for (long n = 0; reached; n++) {
		countdown = n;
		int rc = decode(rig, topic);
		reached = end();
		if (rc == 0)
			check_same(&whole, &rig->out);
		else
			assert_int_equal(rc, FAULT_OOM);
		failed += rc != 0;
	}
	return failed;
}

static void decoding_says_so_or_is_whole(void **state)
{
	struct rig *rig = *state;
	size_t failed = 0;
	for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++) {
		prepare(rig, &attempts[i]);
		failed += fail_at_each_request(rig, attempts[i].topic);
	}
	assert_true(failed > 50);
}

static void loading_a_schema_says_so(void **state)
{
	struct rig *rig = *state;
	struct slice text = slice_of(rig->schema->text);
	size_t failed = 0;
	bool reached = true;
	for (long n = 0; reached; n++) {
		struct schema *schema = NULL;
		struct fault fault = {0};
		countdown = n;
		int rc = schema_parse(&schema, text, "s.json", &fault);
		reached = end();
		if (rc == 0)
			assert_string_equal(schema->text, text.data);
		else
			assert_null(schema);
		if (rc != 0 && rc != FAULT_OOM)
			fail_msg("%s", fault.text);
		failed += rc != 0;
		schema_free(schema);
	}
	assert_true(failed > 100);
}

static void reading_a_line_says_so(void **state)
{
	struct rig *rig = *state;
	struct slice line = rig_json(
		rig, "{'value': [1], 'key': {'a': 1}, 'headers': {'b': 'c'}}");
	size_t failed = 0;
	bool reached = true;
	for (long n = 0; reached; n++) {
		struct record record;
		struct fault fault = {0};
		countdown = n;
		int rc = line_parse(line, &rig->arena, &record, &fault);
		reached = end();
		assert_true(rc == 0 || rc == FAULT_OOM);
		assert_true(rc != 0 || record.header_count == 1);
		failed += rc != 0;
	}
	assert_true(failed > 3);
}

/* jansson calls it an invalid token. */
static void a_string_without_room_is_not_the_fault_of_the_event(void **state)
{
	struct rig *rig = *state;
	char value[400];
	int length = snprintf(value, sizeof value,
		"{'id': 1, 'card': 'c1', 'status': 1, 'x': '%0300d'}", 0);
	assert_in_range(length, 1, sizeof value - 1);
	rig->record.value = rig_json(rig, value);
	json_set_alloc_funcs(json_take, free);
	assert_int_equal(decode(rig, "pay"), 0);
	exhaustible = true;
	int rc = decode(rig, "pay");
	assert_true(exhausted);
	exhausted = exhaustible = false;
	json_set_alloc_funcs(malloc, free);
	assert_int_equal(rc, FAULT_OOM);
}

/* jansson drops a byte of what is longer than its buffer where that can't grow:
 * here of the key. In a number it would end the process. */
static void what_was_short_once_is_neither_wrong_nor_changed(void **state)
{
	struct rig *rig = *state;
	size_t failed = 0;
	rig->record.value = rig_json(rig,
		"{'id': '018f3c1e-7b2a-7000-8000-0123456789ab', 'card': 'c1',"
		" 'status': 1, 'amount': 2, 'x': ['a', {'b': 'c'}]}");
	json_process_init();
	assert_int_equal(decode(rig, "pay"), 0);
	struct decoded whole = rig->out;
	bool reached = true;
	for (long n = 0; reached; n++) {
		heap_countdown = n;
		int rc = decode(rig, "pay");
		reached = heap_countdown < 0;
		heap_countdown = -1;
		if (rc == 0)
			check_same(&whole, &rig->out);
		else
			assert_int_equal(rc, FAULT_OOM);
		failed += rc != 0;
	}
	json_set_alloc_funcs(malloc, free);
	assert_true(failed > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RIG(decoding_says_so_or_is_whole),
		WITH_RIG(loading_a_schema_says_so),
		WITH_RIG(reading_a_line_says_so),
		WITH_RIG(a_string_without_room_is_not_the_fault_of_the_event),
		WITH_RIG(what_was_short_once_is_neither_wrong_nor_changed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
