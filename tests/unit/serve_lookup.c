/* Lookups over HTTP, without sockets: questions, answers, mistakes. Expected
 * replies are design section 7's forms, written down by hand. */
#include "tests/lib/check.h"
#include "tests/lib/exchange_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char schema[] =
	"{'views': {"
	" 'card': {'entity': {'card_id': 'string'}, 'features': {"
	"   'txns': {'type': 'int64', 'merge': 'sum'},"
	"   'spend': {'type': 'decimal(2)', 'merge': 'sum'},"
	"   'country': {'type': 'string', 'default': 'ZZ'},"
	"   'score': {'type': 'float64'}, 'seen': {'type': 'timestamp'},"
	"   'flag': {'type': 'bool'}, 'raw': {'type': 'bytes'},"
	"   'emb': {'type': 'float32[3]'}},"
	"   'ttl': '3650d', 'serve': {'when_expired': 'serve',"
	"   'when_missing': 'serve'}},"
	" 'pair': {'entity': {'shop': 'string', 'item': 'int64'},"
	"   'features': {'low': {'type': 'int64', 'merge': 'min'}}},"
	" 'user': {'entity': {'user_id': 'int64'}, 'features': {"
	"   'tier': {'type': 'string'},"
	"   'age': {'type': 'int64', 'default': -1}}},"
	" 'member': {'entity': {'user_id': 'int64', 'shop': 'string'},"
	"   'features': {'points': {'type': 'int64'}}}},"
	"'services': {'fraud': ['user:tier', 'card:txns', 'card:country']},"
	"'sources': {'log': {}}}";

static const char *const events[] = {
	"{'id': '1', 'view': 'card', 'entity': {'card_id': '4711'},"
	" 'event_time': '2026-01-02T03:04:05.678Z', 'features': {"
	" 'txns': 3, 'spend': 12.5, 'country': 'DE', 'score': 1,"
	" 'seen': '2026-01-02T00:00:00Z', 'flag': true, 'raw': 'AP8=',"
	" 'emb': [1, 2.5, 0.1]}}",
	"{'id': '2', 'view': 'card', 'entity': {'card_id': 'a/b,c?&%'},"
	" 'event_time': '2026-01-02T03:04:05Z', 'features': {'txns': 1}}",
	"{'id': '3', 'view': 'card', 'entity': {'card_id': ''},"
	" 'event_time': '2026-01-02T03:04:05Z', 'features': {'txns': 2}}",
	"{'id': '4', 'view': 'card', 'entity': {'card_id': 'old'},"
	" 'event_time': '2005-01-02T03:04:05Z', 'features': {'txns': 9,"
	" 'country': null}}",
	"{'id': '5', 'view': 'card', 'entity': {'card_id': 'gone'},"
	" 'event_time': '2026-01-02T03:04:05Z', 'features': {'txns': 1}}",
	"{'id': '6', 'view': 'card', 'entity': {'card_id': 'gone'},"
	" 'event_time': '2026-01-03T03:04:05Z', 'op': 'delete'}",
	"{'id': '7', 'view': 'pair', 'entity': {'shop': 's', 'item': 1},"
	" 'event_time': '2026-01-02T03:04:05Z', 'features': {'low': 11}}",
	"{'id': '8', 'view': 'pair', 'entity': {'shop': 's', 'item': 2},"
	" 'event_time': '2026-01-02T03:04:05Z', 'features': {'low': 12}}",
	"{'id': '9', 'view': 'pair', 'entity': {'shop': '', 'item': 0},"
	" 'event_time': '2026-01-02T03:04:05Z', 'features': {'low': 0}}",
	"{'id': '10', 'view': 'user', 'entity': {'user_id': 42},"
	" 'event_time': '2026-01-02T03:04:05Z', 'features': {"
	" 'tier': 'gold', 'age': 7}}",
	"{'id': '11', 'view': 'user', 'entity': "
	"{'user_id': 9007199254740993},"
	" 'event_time': '2026-01-02T03:04:05Z', 'features': {"
	" 'tier': 'K\303\266nig \\u0001 \\\\', 'age': 9223372036854775807}}",
	"{'id': '12', 'view': 'user', 'entity': {'user_id': -1},"
	" 'event_time': '2026-01-02T03:04:05Z', 'features': {'age': 1}}",
	"{'id': '13', 'view': 'member', 'entity': {'user_id': 42,"
	" 'shop': 's'}, 'event_time': '2026-01-02T03:04:05Z',"
	" 'features': {'points': 5}}",
};

static int setup(void **state)
{
	struct exchange_rig *rig = calloc(1, sizeof *rig);
	assert_non_null(rig);
	exchange_rig_make(rig, schema);
	for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
		exchange_rig_take(rig, events[i]);
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct exchange_rig *rig = *state;
	exchange_rig_remove(rig);
	free(rig);
	return 0;
}

static void asked(struct exchange_rig *rig, const char *body)
{
	unsigned status = exchange_rig_post(rig, "/v1/lookup", body);
	if (status != 200)
		fail_msg("%u for %s: %.*s", status, body,
			(int)rig->exchange.reply.body.length,
			rig->exchange.reply.body.data);
}

static void one_entity_by_its_path(void **state)
{
	struct exchange_rig *rig = *state;
	assert_int_equal(exchange_rig_get(rig, "/v1/views/card/4711"), 200);
	exchange_rig_has(rig, "/generation", "'g1'");
	exchange_rig_has(rig, "/as_of", "'2030-01-01T00:00:00Z'");
	exchange_rig_has(rig, "/lag_ms", "1000");
	exchange_rig_has(rig, "/position", "'log:0:13'");
	exchange_rig_has(rig, "/views",
		"{'card': {'status': 'fresh', 'lag_ms': 1000,"
		" 'features': ['txns', 'spend', 'country', 'score', 'seen',"
		"  'flag', 'raw', 'emb'],"
		" 'values': [[3, 12.5, 'DE', 1.0, '2026-01-02T00:00:00Z',"
		"  true, 'AP8=', [1.0, 2.5, 0.1]]],"
		" 'event_time': ['2026-01-02T03:04:05.678Z'],"
		" 'exceptions': []}}");
	assert_int_equal(rig->exchange.endpoint, ENDPOINT_VIEW);
	assert_int_equal(rig->exchange.entities, 1);
	assert_int_equal(rig->exchange.values[VALUE_FRESH], 8);
}

static void decimals_and_large_integers_keep_their_digits(void **state)
{
	struct exchange_rig *rig = *state;
	exchange_rig_get(rig, "/v1/views/card/4711?features=spend");
	assert_non_null(memmem(rig->exchange.reply.body.data,
		rig->exchange.reply.body.length, "[[12.50]]", 9));
	exchange_rig_get(rig, "/v1/views/user/9007199254740993");
	exchange_rig_has(rig, "/views/user/values",
		"[['K\303\266nig \\u0001 \\\\', 9223372036854775807]]");
}

static void features_of_a_path_are_in_its_order(void **state)
{
	struct exchange_rig *rig = *state;
	exchange_rig_get(rig, "/v1/views/card/4711?features=country,txns");
	exchange_rig_has(rig, "/views/card/features", "['country', 'txns']");
	exchange_rig_has(rig, "/views/card/values", "[['DE', 3]]");
}

static const struct {
	const char *target;
	unsigned status;
	const char *value; /* NULL: an error */
	const char *error;
} keys_in_paths[] = {
	{"/v1/views/card/4711?features=txns", 200, "3", ""},
	{"//v1/views/card/4711?features=txns", 200, "3", ""},
	{"http://h/v1/views/card/4711?features=txns", 200, "3", ""},
	{"/v1/views/%63ard/%34711?features=txns", 200, "3", ""},
	{"/v1/views/card/4711?features=%74xns", 200, "3", ""},
	{"/v1/views/card/a%2Fb%2Cc%3F%26%25?features=txns", 200, "1", ""},
	{"/v1/views/card/a%2fb,c%3F&%25?features=txns", 200, "1", ""},
	{"/v1/views/card/?features=txns", 200, "2", ""},
	/* nobody's rows */
	{"/v1/views/card/4711%20?features=txns", 200, "null", ""},
	{"/v1/views/card/..?features=txns", 200, "null", ""},
	{"/v1/views/card/%2e%2e?features=txns", 200, "null", ""},
	{"/v1/views/card/a+b?features=txns", 200, "null", ""},
	{"/v1/views/card/47%2511?features=txns", 200, "null", ""},
	/* no keys at all */
	{"/v1/views/card", 400, NULL, "bad_path"},
	{"/v1/views/card/4711/", 400, NULL, "bad_path"},
	{"/v1/views/card//4711", 400, NULL, "bad_path"},
	{"/v1/views/card/a/b,c", 400, NULL, "bad_path"},
	{"/v1/views/card/../user/42", 400, NULL, "bad_path"},
	{"/v1/views/card/4711%00", 400, NULL, "bad_path"},
	{"/v1/views/card/%004711", 400, NULL, "bad_path"},
	{"/v1/views/card/47%1", 400, NULL, "bad_path"},
	{"/v1/views/card/47%", 400, NULL, "bad_path"},
	{"/v1/views/card/47%zz", 400, NULL, "bad_path"},
	{"/v1/views/card/%c3", 400, NULL, "bad_path"},
	{"/v1/views/card/\303", 400, NULL, "bad_path"},
	/* int64: one spelling each */
	{"/v1/views/pair/s/1", 200, "11", ""},
	{"/v1/views/pair//0", 200, "0", ""},
	{"/v1/views/pair/s/%31", 200, "11", ""},
	{"/v1/views/pair/s/3?when_missing=serve", 200, "null", ""},
	{"/v1/views/pair/s/01", 400, NULL, "bad_entity"},
	{"/v1/views/pair/s/+1", 400, NULL, "bad_entity"},
	{"/v1/views/pair/s/%2B1", 400, NULL, "bad_entity"},
	{"/v1/views/pair/s/%201", 400, NULL, "bad_entity"},
	{"/v1/views/pair/s/1%20", 400, NULL, "bad_entity"},
	{"/v1/views/pair/s/1.0", 400, NULL, "bad_entity"},
	{"/v1/views/pair/s/1e0", 400, NULL, "bad_entity"},
	{"/v1/views/pair/s/0x1", 400, NULL, "bad_entity"},
	{"/v1/views/pair//-0", 400, NULL, "bad_entity"},
	{"/v1/views/pair//00", 400, NULL, "bad_entity"},
	{"/v1/views/pair/s/", 400, NULL, "bad_entity"},
	{"/v1/views/pair/s/-", 400, NULL, "bad_entity"},
	{"/v1/views/pair/1/s", 400, NULL, "bad_entity"},
	{"/v1/views/pair/s/9223372036854775808", 400, NULL, "bad_entity"},
	{"/v1/views/pair/s/18446744073709551617", 400, NULL, "bad_entity"},
	{"/v1/views/pair/s/1%00", 400, NULL, "bad_path"},
	{"/v1/views/pair/s", 400, NULL, "bad_path"},
	{"/v1/views/pair/s/1/1", 400, NULL, "bad_path"},
};

/* What the path's keys stand for: the value of txns or low, or an error. */
static void keys_in_paths_are_what_they_say(void **state)
{
	struct exchange_rig *rig = *state;
	for (size_t i = 0; i < sizeof keys_in_paths / sizeof keys_in_paths[0];
		i++) {
		const char *view =
			strstr(keys_in_paths[i].target, "/pair/") != NULL
				? "/views/pair/values/0/0"
				: "/views/card/values/0/0";
		unsigned status =
			exchange_rig_get(rig, keys_in_paths[i].target);
		if (status != keys_in_paths[i].status ||
			strcmp(exchange_rig_error(rig),
				keys_in_paths[i].error) != 0)
			fail_msg("%s: %u %s", keys_in_paths[i].target, status,
				exchange_rig_error(rig));
		if (keys_in_paths[i].value != NULL)
			exchange_rig_has(rig, view, keys_in_paths[i].value);
	}
}

static void extreme_integers_are_keys(void **state)
{
	struct exchange_rig *rig = *state;
	assert_int_equal(
		exchange_rig_get(rig, "/v1/views/user/-9223372036854775808"),
		200);
	assert_int_equal(
		exchange_rig_get(rig, "/v1/views/user/9223372036854775807"),
		200);
	exchange_rig_get(rig, "/v1/views/user/-1?features=age");
	exchange_rig_has(rig, "/views/user/values", "[[1]]");
}

static void one_user_and_several_items(void **state)
{
	struct exchange_rig *rig = *state;
	asked(rig, "{'features': ['user:tier', 'pair:low'], 'entities': "
		   "{'user_id': 42, 'shop': 's', 'item': [1, 3, 2]},"
		   " 'when_missing': 'serve'}");
	exchange_rig_has(rig, "/views/user",
		"{'status': 'fresh', 'lag_ms': 1000, 'features': ['tier'],"
		" 'values': [['gold'], ['gold'], ['gold']], 'event_time': ["
		"'2026-01-02T03:04:05Z', '2026-01-02T03:04:05Z',"
		" '2026-01-02T03:04:05Z'], 'exceptions': []}");
	/* `low` has no default, and the view's own terms ask for it */
	exchange_rig_has(rig, "/views/pair",
		"{'status': 'fresh', 'lag_ms': 1000, 'features': ['low'],"
		" 'values': [[11], [null], [12]], 'event_time': ["
		"'2026-01-02T03:04:05Z', null, '2026-01-02T03:04:05Z'],"
		" 'exceptions': [{'row': 1, 'status': 'missing',"
		" 'reason': 'missing'}]}");
	assert_int_equal(rig->exchange.entities, 4);
	assert_int_equal(rig->exchange.values[VALUE_FRESH], 3);
	assert_int_equal(rig->exchange.values[VALUE_MISSING], 1);
}

static void one_key_serves_every_view_that_has_it(void **state)
{
	struct exchange_rig *rig = *state;
	asked(rig, "{'features': ['member:points', 'user:age', 'pair:low'],"
		   " 'entities': {'user_id': [42, -1], 'shop': 's',"
		   " 'item': 2}}");
	exchange_rig_has(rig, "/views/member/values", "[[5], [null]]");
	exchange_rig_has(rig, "/views/user/values", "[[7], [1]]");
	exchange_rig_has(rig, "/views/pair/values", "[[12], [12]]");
}

static void a_service_is_a_list_of_features(void **state)
{
	struct exchange_rig *rig = *state;
	asked(rig, "{'service': 'fraud', 'entities': {'user_id': 42,"
		   " 'card_id': ['4711']}}");
	exchange_rig_has(rig, "/views/user/features", "['tier']");
	exchange_rig_has(rig, "/views/card/features", "['txns', 'country']");
	exchange_rig_has(rig, "/views/card/values", "[[3, 'DE']]");
	const char *first = json_object_iter_key(
		json_object_iter(exchange_rig_at(rig, "/views")));
	assert_string_equal(first, "user");
}

static void without_lists_there_is_one_row(void **state)
{
	struct exchange_rig *rig = *state;
	asked(rig, "{'features': ['user:age'], 'entities': {'user_id': 42}}");
	exchange_rig_has(rig, "/views/user/values", "[[7]]");
	asked(rig, "{'features': ['user:age'], 'entities': {'user_id': [42]}}");
	exchange_rig_has(rig, "/views/user/values", "[[7]]");
}

static void no_rows_are_an_answer_too(void **state)
{
	struct exchange_rig *rig = *state;
	asked(rig, "{'features': ['user:age', 'card:txns'], 'entities': "
		   "{'user_id': [], 'card_id': '4711'}}");
	exchange_rig_has(rig, "/views/user",
		"{'status': 'fresh', 'lag_ms': 1000, 'features': ['age'],"
		" 'values': [], 'event_time': [], 'exceptions': []}");
	exchange_rig_has(rig, "/views/card/values", "[]");
	exchange_rig_has(rig, "/lag_ms", "1000");
}

static void the_same_entity_may_come_twice(void **state)
{
	struct exchange_rig *rig = *state;
	asked(rig, "{'features': ['user:age'], 'entities': "
		   "{'user_id': [42, -1, 42]}}");
	exchange_rig_has(rig, "/views/user/values", "[[7], [1], [7]]");
}

static void exceptions_say_why(void **state)
{
	struct exchange_rig *rig = *state;
	asked(rig, "{'features': ['card:txns', 'card:country', 'card:score'],"
		   " 'entities': {'card_id': ['4711', 'nobody', 'old', 'gone',"
		   " 'a/b,c?&%']}}");
	exchange_rig_has(rig, "/views/card/values",
		"[[3, 'DE', 1.0], [null, null, null], [9, null, null],"
		" [null, null, null], [1, null, null]]");
	exchange_rig_has(rig, "/views/card/exceptions",
		"[{'row': 1, 'status': 'missing', 'reason': 'missing'},"
		" {'row': 2, 'feature': 'txns', 'status': 'expired',"
		"  'reason': 'ttl', 'event_time': '2005-01-02T03:04:05Z'},"
		" {'row': 2, 'feature': 'country', 'status': 'expired',"
		"  'reason': 'ttl', 'event_time': '2005-01-02T03:04:05Z'},"
		" {'row': 2, 'feature': 'score', 'status': 'missing',"
		"  'reason': 'missing'},"
		" {'row': 3, 'status': 'missing', 'reason': 'deleted'},"
		" {'row': 4, 'feature': 'country', 'status': 'missing',"
		"  'reason': 'missing'},"
		" {'row': 4, 'feature': 'score', 'status': 'missing',"
		"  'reason': 'missing'}]");
	exchange_rig_has(rig, "/views/card/event_time",
		"['2026-01-02T03:04:05.678Z', null, '2005-01-02T03:04:05Z',"
		" null, '2026-01-02T03:04:05Z']");
}

static void one_exception_does_for_a_row_that_shares_it(void **state)
{
	struct exchange_rig *rig = *state;
	asked(rig, "{'features': ['card:txns', 'card:country'],"
		   " 'entities': {'card_id': ['old']}}");
	exchange_rig_has(rig, "/views/card/exceptions",
		"[{'row': 0, 'status': 'expired', 'reason': 'ttl',"
		" 'event_time': '2005-01-02T03:04:05Z'}]");
	asked(rig, "{'features': ['card:txns', 'card:country'],"
		   " 'entities': {'card_id': ['old']},"
		   " 'when_expired': 'default'}");
	exchange_rig_has(rig, "/views/card/values", "[[0, 'ZZ']]");
	exchange_rig_has(rig, "/views/card/exceptions",
		"[{'row': 0, 'status': 'default', 'reason': 'ttl'}]");
}

static void a_row_of_several_times_names_each(void **state)
{
	struct exchange_rig *rig = *state;
	exchange_rig_take(rig,
		"{'id': '20', 'view': 'card', 'entity': {'card_id': 'older'},"
		" 'event_time': '2004-01-02T03:04:05Z', 'features':"
		" {'txns': 9}}");
	exchange_rig_take(rig,
		"{'id': '21', 'view': 'card', 'entity': {'card_id': 'older'},"
		" 'event_time': '2006-01-02T03:04:05Z', 'features':"
		" {'country': 'DE'}}");
	asked(rig, "{'features': ['card:txns', 'card:country'],"
		   " 'entities': {'card_id': ['older']}}");
	exchange_rig_has(rig, "/views/card/exceptions",
		"[{'row': 0, 'feature': 'txns', 'status': 'expired',"
		"  'reason': 'ttl', 'event_time': '2004-01-02T03:04:05Z'},"
		" {'row': 0, 'feature': 'country', 'status': 'expired',"
		"  'reason': 'ttl', 'event_time': '2006-01-02T03:04:05Z'}]");
	exchange_rig_has(
		rig, "/views/card/event_time", "['2006-01-02T03:04:05Z']");
}

static void a_view_that_is_behind_says_it_once(void **state)
{
	struct exchange_rig *rig = *state;
	asked(rig, "{'features': ['card:txns', 'user:age'], 'entities': "
		   "{'card_id': ['4711', 'nobody'], 'user_id': 42},"
		   " 'max_lag': '999ms'}");
	exchange_rig_has(rig, "/views/card/status", "'behind'");
	exchange_rig_has(rig, "/views/card/reason", "'max_lag'");
	exchange_rig_has(rig, "/views/card/values", "[[3], [null]]");
	exchange_rig_has(rig, "/views/card/exceptions",
		"[{'row': 1, 'status': 'missing', 'reason': 'missing'}]");
	exchange_rig_has(rig, "/views/user/exceptions", "[]");
	assert_int_equal(rig->exchange.values[VALUE_BEHIND], 2);
	asked(rig, "{'features': ['card:txns'], 'entities': "
		   "{'card_id': '4711'}, 'max_lag': '1s'}");
	exchange_rig_has(rig, "/views/card/status", "'fresh'");
	assert_null(exchange_rig_at(rig, "/views/card/reason"));
}

static void what_nobody_knows_is_null(void **state)
{
	struct exchange_rig *rig = *state;
	struct fault fault = {0};
	const struct store_partition *partition;
	/* A partition of the log that was never read to its end. */
	assert_int_equal(store_partition(rig->store.store, "log", 1, 0,
				 &partition, &fault),
		0);
	asked(rig, "{'features': ['user:age'], 'entities': {'user_id': 42}}");
	exchange_rig_has(rig, "/as_of", "null");
	exchange_rig_has(rig, "/lag_ms", "null");
	exchange_rig_has(rig, "/views/user/lag_ms", "null");
	exchange_rig_has(rig, "/views/user/values", "[[7]]");
}

static void a_refusal_names_what_is_refused(void **state)
{
	struct exchange_rig *rig = *state;
	assert_int_equal(exchange_rig_post(rig, "/v1/lookup",
				 "{'features': ['user:tier', 'card:txns',"
				 " 'card:score'], 'entities': {'user_id': 42,"
				 " 'card_id': ['4711', 'nobody', 'old']},"
				 " 'when_missing': 'fail',"
				 " 'when_expired': 'fail'}"),
		412);
	assert_string_equal(exchange_rig_error(rig), "refused");
	exchange_rig_has(rig, "/generation", "'g1'");
	exchange_rig_has(rig, "/as_of", "'2030-01-01T00:00:00Z'");
	exchange_rig_has(rig, "/lag_ms", "1000");
	exchange_rig_has(rig, "/position", "'log:0:13'");
	exchange_rig_has(rig, "/refused",
		"[{'view': 'card', 'feature': 'txns', 'row': 1,"
		"  'reason': 'missing'},"
		" {'view': 'card', 'feature': 'score', 'row': 1,"
		"  'reason': 'missing'},"
		" {'view': 'card', 'feature': 'txns', 'row': 2,"
		"  'reason': 'ttl'},"
		" {'view': 'card', 'feature': 'score', 'row': 2,"
		"  'reason': 'missing'}]");
	exchange_rig_has(rig, "/refused_count", "4");
	assert_null(exchange_rig_at(rig, "/views"));
	assert_int_equal(rig->exchange.values[VALUE_REFUSED], 4);
}

static void a_long_refusal_stays_short(void **state)
{
	struct exchange_rig *rig = *state;
	char body[4096];
	int length = snprintf(body, sizeof body,
		"{'features': ['user:age'], 'when_behind': 'fail',"
		" 'max_lag': '0s', 'entities': {'user_id': [0");
	for (int i = 1; i < 150; i++)
		length += snprintf(
			body + length, sizeof body - (size_t)length, ",%d", i);
	snprintf(body + length, sizeof body - (size_t)length, "]}}");
	assert_int_equal(exchange_rig_post(rig, "/v1/lookup", body), 412);
	assert_int_equal(
		json_array_size(exchange_rig_at(rig, "/refused")), 100);
	exchange_rig_has(rig, "/refused_count", "150");
	exchange_rig_has(rig, "/refused/99",
		"{'view': 'user', 'feature': 'age', 'row': 99,"
		" 'reason': 'max_lag'}");
}

static void at_least_waits_and_then_gives_up(void **state)
{
	struct exchange_rig *rig = *state;
	static const char later[] =
		"{'features': ['user:age'], 'entities': "
		"{'user_id': 42}, 'at_least': 'log:0:14'%s}";
	char body[256];
	snprintf(body, sizeof body, later, "");
	exchange_rig_post(rig, "/v1/lookup", body);
	assert_int_equal(rig->rc, EXCHANGE_WAIT);
	assert_int_equal(rig->exchange.wait_us, 2000000);
	rig->exchange.waited_us = 1999999;
	exchange_rig_post(rig, "/v1/lookup", body);
	assert_int_equal(rig->rc, EXCHANGE_WAIT);
	rig->exchange.waited_us = 2000000;
	assert_int_equal(exchange_rig_post(rig, "/v1/lookup", body), 412);
	assert_string_equal(exchange_rig_error(rig), "position_not_taken");
	rig->exchange.waited_us = 0;
	snprintf(body, sizeof body, later, ", 'wait': '0s'");
	assert_int_equal(exchange_rig_post(rig, "/v1/lookup", body), 412);
	snprintf(body, sizeof body, later, ", 'wait': '500ms'");
	exchange_rig_post(rig, "/v1/lookup", body);
	assert_int_equal(rig->exchange.wait_us, 500000);
	snprintf(body, sizeof body, later, ", 'wait': '1d'");
	exchange_rig_post(rig, "/v1/lookup", body);
	assert_int_equal(rig->exchange.wait_us, 2000000);
	/* What it waits for comes. */
	exchange_rig_take(rig,
		"{'id': '14', 'view': 'user', 'entity': {'user_id': 42},"
		" 'event_time': '2026-01-03T00:00:00Z', 'features':"
		" {'age': 8}}");
	asked(rig, body);
	exchange_rig_has(rig, "/views/user/values", "[[8]]");
	assert_int_equal(exchange_rig_get(rig,
				 "/v1/views/user/42?at_least=log:0:14&wait=0s"),
		200);
	assert_int_equal(
		exchange_rig_get(
			rig, "/v1/views/user/42?at_least=log%3A0:15&wait=0s"),
		412);
}

static const struct {
	const char *body;
	unsigned status;
	const char *error;
	const char *says; /* part of the message */
} mistakes[] = {
	{"", 400, "bad_json", "empty"},
	{"{", 400, "bad_json", "byte 1"},
	{"[]", 400, "bad_json", "object"},
	{"null", 400, "bad_json", "object"},
	{"{} x", 400, "bad_json", "JSON"},
	{"{'features': ['user:age'], 'features': []}", 400, "bad_json",
		"duplicate"},
	{"\377", 400, "bad_json", "JSON"},
	{"{'features': ['user:age'], 'entities': {'user_id': 1e999}}", 400,
		"bad_json", "JSON"},
	{"{'entities': {'user_id': 1}}", 400, "bad_features", "features"},
	{"{'features': [], 'entities': {'user_id': 1}}", 400, "bad_features",
		"list"},
	{"{'features': 'user:age', 'entities': {'user_id': 1}}", 400,
		"bad_features", "list"},
	{"{'features': [1], 'entities': {'user_id': 1}}", 400, "bad_features",
		"features[0]"},
	{"{'features': ['age'], 'entities': {'user_id': 1}}", 400,
		"bad_features", "view:feature"},
	{"{'features': ['user:age'], 'service': 'fraud', 'entities': "
	 "{'user_id': 1}}",
		400, "bad_features", "either"},
	{"{'service': 7, 'entities': {'user_id': 1}}", 400, "bad_features",
		"service"},
	{"{'features': ['user:age', 'user:tier', 'user:age'],"
	 " 'entities': {'user_id': 1}}",
		400, "same_feature", "user:age"},
	{"{'features': ['usr:age'], 'entities': {'user_id': 1}}", 404,
		"unknown_view", "\"user\""},
	{"{'features': ['zzzzzz:age'], 'entities': {'user_id': 1}}", 404,
		"unknown_view", "zzzzzz"},
	{"{'features': ['user:tiers'], 'entities': {'user_id': 1}}", 404,
		"unknown_feature", "\"tier\""},
	{"{'features': ['user:'], 'entities': {'user_id': 1}}", 404,
		"unknown_feature", "user"},
	{"{'service': 'fraude', 'entities': {'user_id': 1}}", 404,
		"unknown_service", "\"fraud\""},
	{"{'features': ['user:age'], 'entity': {'user_id': 1}}", 400,
		"bad_member", "\"entities\""},
	{"{'features': ['user:age'], 'zzzzzzzzzzzz': 1}", 400, "bad_member",
		"leave it out"},
	{"{'features': ['user:age']}", 400, "bad_entity", "object"},
	{"{'features': ['user:age'], 'entities': [1]}", 400, "bad_entity",
		"object"},
	{"{'features': ['user:age'], 'entities': {}}", 400, "bad_entity",
		"\"user_id\""},
	{"{'features': ['pair:low'], 'entities': {'shop': 's'}}", 400,
		"bad_entity", "\"item\""},
	{"{'features': ['user:age'], 'entities': {'user_id': 1,"
	 " 'usr_id': 1}}",
		400, "bad_entity", "user_id"},
	{"{'features': ['user:age'], 'entities': {'user_id': 1,"
	 " 'card_id': 'x'}}",
		400, "bad_entity", "card_id"},
	{"{'features': ['pair:low'], 'entities': {'shop': ['s', 't'],"
	 " 'item': [1]}}",
		400, "bad_entity", "shop has 2 values"},
	{"{'features': ['user:age'], 'entities': {'user_id': '42'}}", 400,
		"bad_entity", "a string where int64"},
	{"{'features': ['user:age'], 'entities': {'user_id': "
	 "[42, 42.0]}}",
		400, "bad_entity", "row 1"},
	{"{'features': ['user:age'], 'entities': {'user_id': true}}", 400,
		"bad_entity", "true"},
	{"{'features': ['user:age'], 'entities': {'user_id': null}}", 400,
		"bad_entity", "no value"},
	{"{'features': ['user:age'], 'entities': {'user_id': [[42]]}}", 400,
		"bad_entity", "an array"},
	{"{'features': ['user:age'], 'entities': {'user_id': "
	 "{'a': 1}}}",
		400, "bad_entity", "an object"},
	{"{'features': ['user:age'], 'entities': {'user_id': "
	 "9223372036854775808}}",
		400, "bad_entity", "too large"},
	{"{'features': ['card:txns'], 'entities': {'card_id': 4711}}", 400,
		"bad_entity", "4711 where string"},
	{"{'features': ['card:txns'], 'entities': {'card_id': "
	 "'4711\\u0000'}}",
		400, "bad_entity", "NUL"},
	{"{'features': ['user:age'], 'entities': {'user_id': 1},"
	 " 'max_lag': 5}",
		400, "bad_terms", "max_lag"},
	{"{'features': ['user:age'], 'entities': {'user_id': 1},"
	 " 'max_lag': '5'}",
		400, "bad_terms", "5s"},
	{"{'features': ['user:age'], 'entities': {'user_id': 1},"
	 " 'max_lag': '-5s'}",
		400, "bad_terms", "-5s"},
	{"{'features': ['user:age'], 'entities': {'user_id': 1},"
	 " 'ttl': '0s'}",
		400, "bad_terms", "ttl"},
	{"{'features': ['user:age'], 'entities': {'user_id': 1},"
	 " 'ttl': '99999999999999d'}",
		400, "bad_terms", "ttl"},
	{"{'features': ['user:age'], 'entities': {'user_id': 1},"
	 " 'when_behind': 'drop'}",
		400, "bad_terms", "serve"},
	{"{'features': ['user:age'], 'entities': {'user_id': 1},"
	 " 'wait': 'long'}",
		400, "bad_terms", "wait"},
	{"{'features': ['user:age'], 'entities': {'user_id': 1},"
	 " 'at_least': 'yesterday'}",
		400, "bad_position", "yesterday"},
};

/* Each is a 4xx of that code. */
static void mistakes_are_told(void **state)
{
	struct exchange_rig *rig = *state;
	for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
		unsigned status =
			exchange_rig_post(rig, "/v1/lookup", mistakes[i].body);
		const char *message = json_string_value(
			exchange_rig_at(rig, "/error/message"));
		if (status != mistakes[i].status ||
			strcmp(exchange_rig_error(rig), mistakes[i].error) !=
				0 ||
			strstr(message, mistakes[i].says) == NULL)
			fail_msg("%s: %u %s %s", mistakes[i].body, status,
				exchange_rig_error(rig), message);
		assert_int_equal(rig->rc, 0);
		assert_int_equal(rig->exchange.reply.retry_after_s, 0);
	}
}

static void mistakes_in_queries_are_told(void **state)
{
	struct exchange_rig *rig = *state;
	static const struct {
		const char *query;
		unsigned status;
		const char *error, *says;
	} cases[] = {
		{"feature=age", 400, "bad_member", "\"features\""},
		{"features=age&features=tier", 400, "bad_member", "twice"},
		{"features=", 404, "unknown_feature", "\"\""},
		{"features=age,", 404, "unknown_feature", "\"\""},
		{"features=user:age", 404, "unknown_feature", "user:age"},
		{"features=age,age", 400, "same_feature", "age"},
		{"features=ag", 404, "unknown_feature", "\"age\""},
		{"features=%zz", 400, "bad_path", "features"},
		{"%00=1", 400, "bad_path", "NUL"},
		{"max_lag", 400, "bad_terms", "max_lag"},
		{"max_lag=%35s%00", 400, "bad_path", "NUL"},
		{"when_missing=nothing", 400, "bad_terms", "nothing"},
		{"at_least=1", 400, "bad_position", "at_least"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char target[256];
		snprintf(target, sizeof target, "/v1/views/user/42?%s",
			cases[i].query);
		unsigned status = exchange_rig_get(rig, target);
		const char *message = json_string_value(
			exchange_rig_at(rig, "/error/message"));
		if (status != cases[i].status ||
			strcmp(exchange_rig_error(rig), cases[i].error) != 0 ||
			strstr(message, cases[i].says) == NULL)
			fail_msg("%s: %u %s %s", target, status,
				exchange_rig_error(rig), message);
	}
	assert_int_equal(exchange_rig_get(rig, "/v1/views/user/42?"), 200);
	assert_int_equal(
		exchange_rig_get(rig, "/v1/views/user/42?&max_lag=%35s&"), 200);
	assert_int_equal(exchange_rig_get(rig, "/v1/views/usr/42"), 404);
	assert_string_equal(exchange_rig_error(rig), "unknown_view");
	assert_int_equal(exchange_rig_get(rig, "/v1/views/"), 404);
	assert_int_equal(exchange_rig_get(rig, "/v1/views"), 400);
}

static void every_route_takes_its_methods(void **state)
{
	struct exchange_rig *rig = *state;
	static const struct {
		const char *target;
		enum http_method method;
		unsigned status;
		const char *allow;
	} cases[] = {
		{"/v1/lookup", HTTP_GET, 405, "POST"},
		{"/v1/lookup", HTTP_HEAD, 405, "POST"},
		{"/v1/lookup", HTTP_OTHER, 405, "POST"},
		{"/v1/views/user/42", HTTP_HEAD, 200, NULL},
		{"/v1/views/user/42", HTTP_POST, 405, "GET, HEAD"},
		{"/get-online-features", HTTP_GET, 405, "POST"},
		{"/livez", HTTP_GET, 200, NULL},
		{"/livez/", HTTP_HEAD, 200, NULL},
		{"//readyz", HTTP_GET, 200, NULL},
		{"/health", HTTP_GET, 200, NULL},
		{"/health?verbose", HTTP_GET, 200, NULL},
		{"/metrics", HTTP_GET, 200, NULL},
		{"/metrics", HTTP_POST, 405, "GET, HEAD"},
		{"/", HTTP_GET, 200, NULL},
		{"/?x", HTTP_GET, 200, NULL},
		{"", HTTP_GET, 404, NULL},
		{"*", HTTP_OTHER, 404, NULL},
		{"/v1", HTTP_GET, 404, NULL},
		{"/v1/lookups", HTTP_POST, 404, NULL},
		{"/v1//lookup", HTTP_POST, 404, NULL},
		{"/V1/lookup", HTTP_POST, 404, NULL},
		{"/v1/viewsuser/42", HTTP_GET, 404, NULL},
		{"/..", HTTP_GET, 404, NULL},
		{"/../../etc/passwd", HTTP_GET, 404, NULL},
		{"/%2e%2e/", HTTP_GET, 404, NULL},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		unsigned status = exchange_rig_send(rig, cases[i].method,
			cases[i].target, (struct slice){NULL, 0});
		const char *allow = rig->exchange.reply.allow;
		if (status != cases[i].status)
			fail_msg("%s: %u", cases[i].target, status);
		if (cases[i].allow == NULL)
			assert_null(allow);
		else
			assert_string_equal(allow, cases[i].allow);
	}
	assert_int_equal(exchange_rig_post(rig, "//v1/lookup/",
				 "{'features': ['user:age'], 'entities': "
				 "{'user_id': 42}}"),
		200);
	assert_int_equal(rig->exchange.endpoint, ENDPOINT_LOOKUP);
}

static void too_much_is_refused_before_it_is_looked_up(void **state)
{
	struct exchange_rig *rig = *state;
	rig->exchange.limits.entities_max = 2;
	assert_int_equal(exchange_rig_post(rig, "/v1/lookup",
				 "{'features': ['user:age'], 'entities': "
				 "{'user_id': [1, 2, 3]}}"),
		413);
	assert_string_equal(exchange_rig_error(rig), "too_many");
	assert_int_equal(exchange_rig_post(rig, "/v1/lookup",
				 "{'features': ['user:age'], 'entities': "
				 "{'user_id': [1, 2]}}"),
		200);
	rig->exchange.limits.features_max = 2;
	assert_int_equal(exchange_rig_post(rig, "/v1/lookup",
				 "{'service': 'fraud', 'entities': "
				 "{'user_id': 1, 'card_id': ''}}"),
		413);
	assert_int_equal(exchange_rig_get(rig, "/v1/views/card/4711"), 413);
	assert_int_equal(exchange_rig_get(rig, "/v1/views/user/42"), 200);
	assert_int_equal(rig->exchange.reply.retry_after_s, 0);
}

/* Rows and features may each be within their limits, and their product not. */
static void a_reply_has_a_limit_of_its_own(void **state)
{
	struct exchange_rig *rig = *state;
	enum { ROWS = 500001 };
	static const char start[] = "{\"features\":[\"user:age\","
				    "\"user:tier\"],\"entities\":"
				    "{\"user_id\":[7";
	char *body = malloc(sizeof start + (size_t)2 * ROWS + 4);
	assert_non_null(body);
	memcpy(body, start, sizeof start - 1);
	char *at = body + sizeof start - 1;
	for (int i = 1; i < ROWS; i++) {
		*at++ = ',';
		*at++ = '7';
	}
	memcpy(at, "]}}", 4);
	rig->exchange.limits.entities_max = ROWS;
	assert_int_equal(exchange_rig_post(rig, "/v1/lookup", body), 413);
	assert_string_equal(exchange_rig_error(rig), "too_many");
	free(body);
}

static void without_a_store_callers_are_told_to_come_back(void **state)
{
	struct exchange_rig *rig = *state;
	rig->exchange.reader = NULL;
	rig->exchange.why_unreadable = "/data: there is no store";
	assert_int_equal(exchange_rig_get(rig, "/v1/views/user/42"), 503);
	assert_string_equal(exchange_rig_error(rig), "store_unreadable");
	assert_int_equal(rig->exchange.reply.retry_after_s, 1);
	assert_non_null(strstr(
		json_string_value(exchange_rig_at(rig, "/error/message")),
		"there is no store"));
	assert_int_equal(exchange_rig_post(rig, "/v1/lookup", "{"), 503);
	assert_int_equal(exchange_rig_get(rig, "/nothing"), 404);
	assert_int_equal(exchange_rig_get(rig, "/livez"), 200);
}

#define HERE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HERE(one_entity_by_its_path),
		HERE(decimals_and_large_integers_keep_their_digits),
		HERE(features_of_a_path_are_in_its_order),
		HERE(keys_in_paths_are_what_they_say),
		HERE(extreme_integers_are_keys),
		HERE(one_user_and_several_items),
		HERE(one_key_serves_every_view_that_has_it),
		HERE(a_service_is_a_list_of_features),
		HERE(without_lists_there_is_one_row),
		HERE(no_rows_are_an_answer_too),
		HERE(the_same_entity_may_come_twice),
		HERE(exceptions_say_why),
		HERE(one_exception_does_for_a_row_that_shares_it),
		HERE(a_row_of_several_times_names_each),
		HERE(a_view_that_is_behind_says_it_once),
		HERE(what_nobody_knows_is_null),
		HERE(a_refusal_names_what_is_refused),
		HERE(a_long_refusal_stays_short),
		HERE(at_least_waits_and_then_gives_up),
		HERE(mistakes_are_told),
		HERE(mistakes_in_queries_are_told),
		HERE(every_route_takes_its_methods),
		HERE(too_much_is_refused_before_it_is_looked_up),
		HERE(a_reply_has_a_limit_of_its_own),
		HERE(without_a_store_callers_are_told_to_come_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
