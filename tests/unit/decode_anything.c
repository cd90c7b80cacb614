/* Whatever a record holds, decoding it ends well: seeds, cut, spliced and
 * changed at random, always the same way. Run under the sanitizers it finds
 * what reads or writes where it must not. */
#include "tests/lib/check.h"
#include "tests/lib/decode_rig.h"

#include <string.h>

#define ROUNDS 60000 /* a second or so in a debug build */
#define TEXT_BYTES_MAX 2048

static const char *const seeds[] = {
	"{'id': 1, 'card': 'c1', 'status': 'paid', 'amount': 12.34,"
	" 'country': 'DE', 'at': '2026-11-23T08:20:48.5Z', 'payee': 'c2',"
	" 'received': 1e2}",
	"{'session': 's', 'n': 4, 'user': {'id': 1}, 'items': ['a', 2],"
	" 'ms': 1795422048001, 'type': 'gone', 'sure': true}",
	"{'id': '018f3c1e-7b2a', 'view': 'card', 'entity': {'card_id': 'c1'},"
	" 'event_time': '2026-11-23T08:20:48.123Z', 'op': 'upsert',"
	" 'features': {'txns': 1, 'spend': -0.0, 'country': null, 'score': 1,"
	" 'seen': '2026-11-23T08:20:48Z', 'flag': false, 'photo': 'AP/+',"
	" 'vector': [1, 2.5, 1e38], 'new': {}}}",
	"{'view': 'pair', 'id': 9223372036854775808, 'entity':"
	" {'user_id': 9007199254740993, 'item_id': '\\u0000'},"
	" 'op': 'replace', 'features': {'clicks': 1.0}}",
	"{'key': {'view': 'card', 'entity': {'card_id': 'c1'}},"
	" 'value': null, 'headers': {'idempotency-key': 'k'},"
	" 'timestamp': 1795422048000}",
	"{'source': '/s', 'id': '1', 'time': '2026-11-23T08:20:48Z',"
	" 'data': {'view': 'user', 'entity': {'user_id': 5},"
	" 'features': {'last': 99999999999999999999, 'x': 1e999}}}",
	"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
	"",
};
#define SEEDS (sizeof seeds / sizeof seeds[0])

static const char *const topics[] = {"pay", "click", "loose", "card", "card_s",
	"card_us", "card_park", "card_reject"};

/* What a change puts in: tokens that mean something somewhere. */
static const char *const tokens[] = {"null", "true", "'", "\\", "{", "}", "[",
	"]", ",", ":", "-", "0", "1e999", "-0.0", "9223372036854775807",
	"9223372036854775808", "1.5", "'view'", "'card'", "'value'",
	"'features'", "'entity'", "'op': 'delete'", "'id': 2", "\xff", "\xc3",
	"\\u0000", "\\ud800", "'1999-01-01T00:00:00Z'", "//", "~", "AP/+"};
#define TOKENS (sizeof tokens / sizeof tokens[0])

struct random {
	uint64_t state;
};

/* xorshift64 (Marsaglia 2003). */
static size_t below(struct random *random, size_t limit)
{
	random->state ^= random->state << 13;
	random->state ^= random->state >> 7;
	random->state ^= random->state << 17;
	return (size_t)(random->state >> 16) % limit;
}

struct text {
	char bytes[TEXT_BYTES_MAX];
	size_t length;
};

static void replace(
	struct text *text, size_t at, size_t count, struct slice with)
{
	size_t rest = text->length - at - count;
	if (at + with.length + rest > TEXT_BYTES_MAX)
		return;
	memmove(text->bytes + at + with.length, text->bytes + at + count, rest);
	memcpy(text->bytes + at, with.data, with.length);
	text->length = at + with.length + rest;
}

static void change(struct random *random, struct text *text)
{
	size_t at = below(random, text->length + 1);
	size_t count = below(random, text->length - at + 1);
	switch (below(random, 5)) {
	case 0: /* put a token in */
		replace(text, at, 0, slice_of(tokens[below(random, TOKENS)]));
		break;
	case 1: /* or in place of a few bytes */
		replace(text, at, count < 4 ? count : below(random, 4),
			slice_of(tokens[below(random, TOKENS)]));
		break;
	case 2: /* cut some out */
		replace(text, at, below(random, 8) == 0 ? count : count % 6,
			slice_of(""));
		break;
	case 3: /* any byte */
		if (at < text->length)
			text->bytes[at] = (char)below(random, 256);
		break;
	default: /* the end of another seed */
		replace(text, at, count, slice_of(seeds[below(random, SEEDS)]));
		break;
	}
}

static struct slice mutant(struct random *random, struct text *text)
{
	struct slice seed = slice_of(seeds[below(random, SEEDS)]);
	memcpy(text->bytes, seed.data, seed.length);
	text->length = seed.length;
	for (size_t i = below(random, 4); i > 0; i--)
		change(random, text);
	for (size_t i = 0; i < text->length; i++)
		if (text->bytes[i] == '\'')
			text->bytes[i] = '"';
	return (struct slice){text->bytes, text->length};
}

static void check_valid(const struct update *update)
{
	assert_non_null(update->view);
	assert_true(update->has_key);
	assert_null(update->detail);
	for (size_t i = 0; i < update->view->key_count; i++)
		assert_int_equal(update->entity[i].state, VALUE_SET);
	for (size_t i = 0; i < update->assignment_count; i++) {
		const struct assignment *assignment = &update->assignments[i];
		assert_true(assignment->feature < update->view->feature_count);
		assert_true(
			i == 0 || assignment->feature >
					  update->assignments[i - 1].feature);
		assert_int_not_equal(assignment->value.state, VALUE_UNSET);
	}
	assert_true(update->operation != OPERATION_DELETE ||
		    update->assignment_count == 0);
}

static void check_update(const struct update *update)
{
	assert_true(update->reason < REASON_COUNT);
	assert_true(update->reason != REASON_OVERFLOW);	  /* merge's */
	assert_true(update->reason != REASON_KEY_REUSED); /* the window's */
	if (update->reason == REASON_NONE) {
		check_valid(update);
		return;
	}
	assert_non_null(update->detail);
	assert_int_equal(update->has_key || update->place == 0, true);
	assert_true(!update->parks || update->reason == REASON_UNKNOWN_VIEW ||
		    update->reason == REASON_UNKNOWN_FEATURE);
}

static void set_record(struct rig *rig, struct random *random,
	struct text *value, struct text *key)
{
	static const char *const types[] = {
		"application/json", "application/cloudevents+json", NULL};
	rig_plain(rig);
	rig->record.form = below(random, 2) == 0 ? RECORD_LINE : RECORD_MESSAGE;
	if (below(random, 3) == 0)
		rig->record.timestamp_us = TIMESTAMP_NONE;
	if (below(random, 8) != 0 || rig->record.form == RECORD_LINE)
		rig->record.value = mutant(random, value);
	if (below(random, 2) == 0)
		rig->record.key = mutant(random, key);
	if (below(random, 3) == 0)
		rig_header(rig, "content-type", types[below(random, 3)]);
	if (below(random, 4) == 0)
		rig_header(rig, "idempotency-key", "k");
}

static void whatever_a_record_holds_decoding_ends_well(void **state)
{
	struct rig *rig = *state;
	struct random random = {20261123};
	struct arena arena = ARENA_INIT;
	struct text value, key;
	size_t good = 0, bad = 0;
	for (size_t i = 0; i < ROUNDS; i++) {
		struct fault fault = {0};
		struct decoded out;
		set_record(rig, &random, &value, &key);
		arena_reset(&arena);
		assert_int_equal(decode_record(&rig->decoder,
					 schema_source(rig->schema,
						 topics[below(&random, 8)]),
					 &rig->record, &arena, &out, &fault),
			0);
		for (size_t j = 0; j < out.update_count; j++) {
			check_update(&out.updates[j]);
			good += out.updates[j].reason == REASON_NONE;
			bad += out.updates[j].reason != REASON_NONE;
		}
	}
	/* The mutants must reach both sides of every judgement. */
	assert_true(good > ROUNDS / 50);
	assert_true(bad > ROUNDS / 10);
	arena_finish(&arena);
}

static void every_beginning_of_an_event_ends_well(void **state)
{
	struct rig *rig = *state;
	for (size_t i = 0; i < SEEDS; i++) {
		struct slice whole = rig_json(rig, seeds[i]);
		for (size_t length = 0; length < whole.length; length++) {
			char cut[TEXT_BYTES_MAX];
			memcpy(cut, seeds[i], length);
			cut[length] = '\0';
			const struct update *update =
				rig_decode(rig, topics[i % 8], cut);
			assert_non_null(update);
			check_update(update);
			assert_false(update->has_key);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RIG(whatever_a_record_holds_decoding_ends_well),
		WITH_RIG(every_beginning_of_an_event_ends_well),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
