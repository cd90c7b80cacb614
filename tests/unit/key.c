/* Idempotency keys and content: what makes two updates the same event. The
 * hashes were computed with a SipHash-2-4 in Python that agrees with the
 * vectors of its authors, over the bytes that key.h and canonical.h describe,
 * under the secret 00 01 … 0f. They are stored: they never change. */
#include "tests/lib/check.h"
#include "tests/lib/decode_rig.h"

#include <stdio.h>
#include <string.h>

static void check_key(const struct update *update, const char *expected)
{
	char text[2 * KEY_BYTES + 1] = "";
	assert_non_null(update);
	assert_true(update->has_key);
	for (size_t i = 0; i < KEY_BYTES; i++)
		assert_int_equal(
			snprintf(text + 2 * i, 3, "%02x", update->key[i]), 2);
	assert_string_equal(text, expected);
}

static bool same_key(const struct update *a, const struct update *b)
{
	return memcmp(a->key, b->key, KEY_BYTES) == 0;
}

#define PAID "'card': 'c1', 'status': 'paid'"

static void each_kind_of_key_has_its_hash(void **state)
{
	struct rig *rig = *state;
	const struct update *update;
	update = rig_decode(rig, "pay", "{'id': 'p1', " PAID "}");
	check_key(update, "4f2bb872a412ded09e0bf095852d89de");
	update = rig_decode(rig, "pay", "{'id': 7, " PAID "}");
	check_key(update, "e95ef1b6f2a5ab13c4bcf7be1bd5899a");
	update = rig_decode(rig, "loose", "{'score': 1, " PAID "}");
	check_key(update, "75b013a7f09ab4e95f6ccd51541c404a");
	rig_header(rig, "ce_source", "/svc/drivers");
	rig_header(rig, "ce_id", "9f1c");
	update = rig_decode(rig, "pay", "{'id': 7, " PAID "}");
	check_key(update, "25d38356026992562da1cfde22b837e4");
	rig_header(rig, "idempotency-key", "abc");
	update = rig_decode(rig, "pay", "{'payee': 'c2', 'received': 1}");
	assert_int_equal(update->place, 1);
	check_key(update, "4ec2bed8cb97d8c4187ba097680af404");
}

static void the_header_counts_however_it_is_written(void **state)
{
	struct rig *rig = *state;
	static const char value[] = "{'id': 7, " PAID "}";
	rig_header(rig, "idempotency-key", "abc");
	struct update plain = *rig_decode(rig, "pay", value);
	rig_plain(rig);
	rig_header(rig, "IDEMPOTENCY-Key", "\"abc\"");
	assert_true(same_key(&plain, rig_decode(rig, "pay", value)));
	rig_plain(rig);
	rig_header(rig, "idempotency-key", "first");
	rig_header(rig, "other", "x");
	rig_header(rig, "idempotency-key", "abc");
	assert_true(same_key(&plain, rig_decode(rig, "pay", value)));
}

static void an_empty_header_is_no_key(void **state)
{
	struct rig *rig = *state;
	static const char value[] = "{'id': 7, " PAID "}";
	static const char *const empties[] = {"", "\"\"", NULL};
	struct update by_id = *rig_decode(rig, "pay", value);
	for (size_t i = 0; i < 3; i++) {
		rig_plain(rig);
		rig_header(rig, "idempotency-key", empties[i]);
		rig_header(rig, "ce_id", "without a source");
		assert_true(same_key(&by_id, rig_decode(rig, "pay", value)));
	}
}

static void binary_and_structured_cloud_events_are_the_same_event(void **state)
{
	struct rig *rig = *state;
	rig_header(rig, "ce_source", "/svc");
	rig_header(rig, "ce_id", "1");
	struct update binary =
		*rig_decode(rig, "pay", "{" PAID ", 'amount': 2.5}");
	rig_plain(rig);
	rig_header(rig, "content-type",
		"application/CloudEvents+json; charset=utf-8");
	rig_header(rig, "ce_id", "not to be trusted");
	struct update structured = *rig_decode(rig, "pay",
		"{'specversion': '1.0', 'id': '1', 'source': '/svc',"
		" 'data': {" PAID ", 'amount': 2.5}}");
	assert_int_equal(structured.reason, REASON_NONE);
	assert_true(same_key(&binary, &structured));
	assert_int_equal(structured.assignments[1].value.as.integer, 250);
	assert_true(binary.content == structured.content);
}

static void ids_differ_by_type_but_not_by_how_a_number_is_written(void **state)
{
	struct rig *rig = *state;
	struct update seven = *rig_decode(rig, "pay", "{'id': 7, " PAID "}");
	struct update real = *rig_decode(rig, "pay", "{'id': 7.0, " PAID "}");
	struct update text = *rig_decode(rig, "pay", "{'id': '7', " PAID "}");
	struct update yes = *rig_decode(rig, "pay", "{'id': true, " PAID "}");
	assert_true(same_key(&seven, &real));
	assert_false(same_key(&seven, &text));
	assert_false(same_key(&seven, &yes));
}

static void a_key_counts_within_its_view_and_place(void **state)
{
	struct rig *rig = *state;
	rig_decode(rig, "pay",
		"{'id': 7, " PAID ", 'payee': 'c1', 'received': 1}");
	assert_int_equal(rig->out.update_count, 2);
	assert_string_equal(rig->out.updates[0].view->name, "card");
	assert_string_equal(rig->out.updates[1].view->name, "card");
	assert_false(same_key(&rig->out.updates[0], &rig->out.updates[1]));
}

static void the_place_is_counted_before_when(void **state)
{
	struct rig *rig = *state;
	struct update second = rig_decode(rig, "pay",
		"{'id': 7, " PAID ", 'payee': 'c1', 'received': 1}")[1];
	const struct update *alone = rig_decode(rig, "pay",
		"{'id': 7, 'status': 'open', 'payee': 'c1', 'received': 1}");
	assert_int_equal(rig->out.update_count, 1);
	assert_int_equal(alone->place, 1);
	assert_true(same_key(&second, alone));
}

static void all_ids_are_needed(void **state)
{
	struct rig *rig = *state;
	static const char *const incomplete[] = {
		"{'user': {'id': 1}, 'items': ['a'], 'n': 5}",
		"{'user': {'id': 1}, 'items': ['a'], 'n': 5, 'session': null}",
		"{'user': {'id': 1}, 'items': ['a'], 'n': 5, 'session': {}}",
		"{'user': {'id': 1}, 'items': ['a'], 'n': 5, 'session': []}"};
	struct update whole = *rig_decode(rig, "click",
		"{'user': {'id': 1}, 'items': ['a'], 'n': 5, 'session': 's'}");
	struct update positional = *rig_decode(rig, "click", incomplete[0]);
	assert_false(same_key(&whole, &positional));
	for (size_t i = 1; i < 4; i++)
		assert_true(same_key(
			&positional, rig_decode(rig, "click", incomplete[i])));
	rig->record.offset++;
	assert_false(
		same_key(&positional, rig_decode(rig, "click", incomplete[0])));
}

/* An id that the parser may have rounded could be that of another event. */
static void an_id_that_lost_digits_is_none(void **state)
{
	struct rig *rig = *state;
	static const char exact[] =
		"{'id': 9007199254740993, 'trace': 1, " PAID "}";
	static const char rounded[] =
		"{'id': 9007199254740993, 'trace': 99999999999999999999, " PAID
		"}";
	static const char small[] =
		"{'id': 7, 'trace': 99999999999999999999, " PAID "}";
	assert_int_equal(rig_decode(rig, "pay", exact)->reason, REASON_NONE);
	assert_int_equal(
		rig_decode(rig, "pay", rounded)->reason, REASON_NO_KEY);
	check_key(rig_decode(rig, "pay", small),
		"e95ef1b6f2a5ab13c4bcf7be1bd5899a");
}

static void without_a_key_the_source_decides(void **state)
{
	struct rig *rig = *state;
	const struct update *update = rig_decode(
		rig, "pay", "{" PAID ", 'payee': 'c2', 'received': 1}");
	assert_int_equal(rig->out.update_count, 1);
	assert_int_equal(update->reason, REASON_NO_KEY);
	assert_false(update->has_key);
	assert_int_equal(update->place, 0);
	update = rig_decode(rig, "loose", "{'card': 'c1', 'score': 1}");
	assert_int_equal(update->reason, REASON_NONE);
	assert_true(update->has_key);
}

static void a_record_that_updates_nothing_needs_no_key(void **state)
{
	struct rig *rig = *state;
	assert_null(rig_decode(rig, "pay", "{'card': 'c1'}"));
	assert_int_equal(rig->out.timestamp_us, RIG_TIME_US);
}

static uint64_t content(struct rig *rig, const char *topic, const char *value)
{
	const struct update *update = rig_decode(rig, topic, value);
	assert_non_null(update);
	return update->content;
}

static void content_has_its_hash(void **state)
{
	struct rig *rig = *state;
	assert_true(content(rig, "pay",
			    "{" PAID ", 'amount': 12.34, 'country': 'DE',"
			    " 'id': 1}") == UINT64_C(0xe86de977ff0d51e4));
	assert_true(content(rig, "card",
			    "{'id': 1, 'view': 'card', 'features': {"
			    "'spend': 1.5, 'country': 'DE'},"
			    " 'entity': {'card_id': 'c1'}}") ==
		    UINT64_C(0x98fc88a8c6951f06));
}

static void content_is_what_the_update_takes(void **state)
{
	struct rig *rig = *state;
	uint64_t base = content(rig, "pay",
		"{'id': 1, " PAID
		", 'amount': 2, 'at': '2026-11-23T08:00:00Z'}");
	static const char *const same[] = {
		"{'id': 2, " PAID
		", 'amount': 2, 'at': '2026-11-23T08:00:00Z'}",
		"{'at': '2026-11-23T08:00:00Z', 'amount': 2.0, " PAID ","
		" 'id': 1, 'sent_at': 5, 'trace': {'id': []}}",
		"{'id': 1, 'card': 'c1', 'status': 1, 'amount': 2,"
		" 'at': '2026-11-23T08:00:00Z'}"};
	static const char *const other[] = {
		"{'id': 1, " PAID
		", 'amount': 3, 'at': '2026-11-23T08:00:00Z'}",
		"{'id': 1, " PAID
		", 'amount': 2, 'at': '2026-11-23T08:00:01Z'}",
		"{'id': 1, " PAID ", 'amount': 2}",
		"{'id': 1, " PAID ", 'amount': '2',"
		" 'at': '2026-11-23T08:00:00Z'}",
		"{'id': 1, " PAID ", 'amount': 2, 'country': null,"
		" 'at': '2026-11-23T08:00:00Z'}",
		"{'id': 1, 'card': 'c2', 'status': 'paid', 'amount': 2,"
		" 'at': '2026-11-23T08:00:00Z'}"};
	for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
		assert_true(content(rig, "pay", same[i]) == base);
	for (size_t i = 0; i < sizeof other / sizeof other[0]; i++)
		assert_true(content(rig, "pay", other[i]) != base);
}

static void headers_are_not_content(void **state)
{
	struct rig *rig = *state;
	static const char value[] = "{'id': 1, " PAID "}";
	uint64_t base = content(rig, "pay", value);
	rig_header(rig, "traceparent", "00-1");
	rig_header(rig, "idempotency-key", "k");
	rig->record.timestamp_us++;
	rig->record.offset++;
	assert_true(content(rig, "pay", value) == base);
}

static void an_envelope_is_content_whatever_its_order(void **state)
{
	struct rig *rig = *state;
	uint64_t base = content(rig, "card",
		"{'id': 1, 'view': 'card', 'entity': {'card_id': 'c1'},"
		" 'features': {'txns': 1, 'spend': 2}}");
	assert_true(
		base ==
		content(rig, "card",
			"{'features': {'spend': 2.0, 'txns': 1}, 'id': 'other',"
			" 'entity': {'card_id': 'c1'}, 'view': 'card'}"));
	assert_true(
		base !=
		content(rig, "card",
			"{'id': 1, 'view': 'card', 'entity': {'card_id': 'c1'},"
			" 'features': {'txns': 1, 'spend': 2}, 'op': "
			"'upsert'}"));
	assert_true(
		base !=
		content(rig, "card",
			"{'id': 1, 'view': 'card', 'entity': {'card_id': 'c1'},"
			" 'features': {'txns': 2, 'spend': 1}}"));
}

static void another_secret_gives_other_keys_and_the_same_content(void **state)
{
	struct rig *rig = *state;
	static const char value[] = "{'id': 1, " PAID "}";
	struct update base = *rig_decode(rig, "pay", value);
	rig->decoder.secret[0] = 99;
	const struct update *update = rig_decode(rig, "pay", value);
	assert_false(same_key(&base, update));
	assert_true(base.content == update->content);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RIG(each_kind_of_key_has_its_hash),
		WITH_RIG(the_header_counts_however_it_is_written),
		WITH_RIG(an_empty_header_is_no_key),
		WITH_RIG(binary_and_structured_cloud_events_are_the_same_event),
		WITH_RIG(ids_differ_by_type_but_not_by_how_a_number_is_written),
		WITH_RIG(a_key_counts_within_its_view_and_place),
		WITH_RIG(the_place_is_counted_before_when),
		WITH_RIG(all_ids_are_needed),
		WITH_RIG(an_id_that_lost_digits_is_none),
		WITH_RIG(without_a_key_the_source_decides),
		WITH_RIG(a_record_that_updates_nothing_needs_no_key),
		WITH_RIG(content_has_its_hash),
		WITH_RIG(content_is_what_the_update_takes),
		WITH_RIG(headers_are_not_content),
		WITH_RIG(an_envelope_is_content_whatever_its_order),
		WITH_RIG(another_secret_gives_other_keys_and_the_same_content),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
