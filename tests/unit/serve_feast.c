/*
 * Feast's contract, as its clients of all versions read it: contracts A and B,
 * list K. Expected replies are written down by hand after
 * feast-dev/feast, sdk/python/feast/feature_server.py, feature_server_utils.py
 * and infra/online_stores/remote.py.
 */
#include "tests/lib/check.h"
#include "tests/lib/exchange_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char schema[] =
	"{'views': {"
	" 'driver': {'entity': {'driver_id': 'int64'}, 'features': {"
	"   'conv_rate': {'type': 'float64'}, 'trips': {'type': 'int64'},"
	"   'city': {'type': 'string'}, 'seen': {'type': 'timestamp'},"
	"   'active': {'type': 'bool'}, 'photo': {'type': 'bytes'},"
	"   'emb': {'type': 'float32[2]'}, 'fee': {'type': 'decimal(2)'}},"
	"  'ttl': '3650d', 'serve': {'when_expired': 'serve'}},"
	" 'route': {'entity': {'driver_id': 'int64', 'zone': 'string'},"
	"  'features': {'km': {'type': 'int64'}, 'city': {'type': 'string'}}},"
	" 'strict': {'entity': {'driver_id': 'int64'}, 'features': {"
	"   'score': {'type': 'int64'}}, 'serve': {'when_missing': 'fail'}}},"
	"'services': {'svc': ['driver:trips', 'route:km', 'driver:conv_rate']},"
	"'sources': {'log': {}}}";

static const char *const events[] = {
	"{'id': '1', 'view': 'driver', 'entity': {'driver_id': 1001},"
	" 'event_time': '2026-01-02T03:04:05.678Z', 'features': {"
	" 'conv_rate': 1, 'trips': 308, 'city': 'K\303\266ln, \\\"x\\\"',"
	" 'seen': '2026-01-02T03:04:05.999999Z', 'active': true,"
	" 'photo': 'AP8=', 'emb': [1, 2.5], 'fee': 3}}",
	"{'id': '2', 'view': 'driver', 'entity': {'driver_id': 1002},"
	" 'event_time': '2026-01-02T03:04:05Z', 'features': {"
	" 'conv_rate': null, 'trips': 9007199254740993}}",
	"{'id': '3', 'view': 'driver', 'entity': {'driver_id': 1003},"
	" 'event_time': '2005-01-02T03:04:05.000001Z', 'features': {"
	" 'conv_rate': 0.25, 'seen': '1969-12-31T23:59:59.5Z'}}",
	"{'id': '4', 'view': 'route', 'entity': {'driver_id': 1001,"
	" 'zone': 'a'}, 'event_time': '2026-01-02T03:04:05Z', 'features': {"
	" 'km': 7, 'city': 'Bonn'}}",
	"{'id': '5', 'view': 'route', 'entity': {'driver_id': 1001,"
	" 'zone': ''}, 'event_time': '2026-01-02T03:04:05Z', 'features': {"
	" 'km': 8}}",
	"{'id': '6', 'view': 'strict', 'entity': {'driver_id': 1001},"
	" 'event_time': '2026-01-02T03:04:05Z', 'features': {'score': 5}}",
	"{'id': '7', 'view': 'driver', 'entity': {"
	"'driver_id': 9007199254740993}, 'event_time':"
	" '2026-01-02T03:04:05Z', 'features': {'trips': 1}}",
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
	unsigned status = exchange_rig_post(rig, "/get-online-features", body);
	if (status != 200)
		fail_msg("%u for %s: %.*s", status, body,
			(int)rig->exchange.reply.body.length,
			rig->exchange.reply.body.data);
}

static bool has_text(const struct exchange_rig *rig, const char *text)
{
	return memmem(rig->exchange.reply.body.data,
		       rig->exchange.reply.body.length, text,
		       strlen(text)) != NULL;
}

#define EPOCH "'1970-01-01T00:00:00Z'"

/* K 1, 2, 3, 7: what a client since 0.64 sends, and all that it gets. */
static void columns_are_per_feature_and_keys_come_first(void **state)
{
	struct exchange_rig *rig = *state;
	asked(rig, "{'entities': {'driver_id': [1001, 4]},"
		   " 'full_feature_names': false,"
		   " 'include_feature_view_version_metadata': false,"
		   " 'features': ['driver:conv_rate', 'driver:trips']}");
	exchange_rig_has(rig, "",
		"{'results': ["
		"{'values': [1001, 4], 'statuses': ['PRESENT', 'PRESENT'],"
		" 'event_timestamps': [" EPOCH ", " EPOCH "]},"
		"{'values': [1.0, null], 'statuses': ['PRESENT', 'NOT_FOUND'],"
		" 'event_timestamps': ['2026-01-02T03:04:05.678Z', " EPOCH "]},"
		"{'values': [308, null], 'statuses': ['PRESENT', 'NOT_FOUND'],"
		" 'event_timestamps': ['2026-01-02T03:04:05.678Z', " EPOCH
		"]}],"
		"'metadata': {'feature_names': ['driver_id', 'conv_rate',"
		" 'trips']}}");
	assert_int_equal(rig->exchange.endpoint, ENDPOINT_FEAST);
	assert_string_equal(rig->exchange.reply.truth->generation, "g1");
	assert_int_equal(rig->exchange.reply.truth->lag_us, 1000000);
	assert_int_equal(rig->exchange.entities, 2);
}

/* What a client before 0.64 sends. */
static void an_old_client_is_answered_as_well(void **state)
{
	struct exchange_rig *rig = *state;
	asked(rig, "{'features': ['driver:trips'], 'entities':"
		   " {'driver_id': [1001, 1002]}}");
	exchange_rig_has(
		rig, "/metadata/feature_names", "['driver_id', 'trips']");
	exchange_rig_has(rig, "/results/1/event_timestamps/0",
		"'2026-01-02T03:04:05.678Z'");
}

/* K 4, 5 */
static void null_and_expired_values_have_their_own_status(void **state)
{
	struct exchange_rig *rig = *state;
	asked(rig, "{'features': ['driver:conv_rate'], 'entities':"
		   " {'driver_id': [1002, 1003]}}");
	exchange_rig_has(rig, "/results/1",
		"{'values': [null, 0.25],"
		" 'statuses': ['NULL_VALUE', 'OUTSIDE_MAX_AGE'],"
		" 'event_timestamps': ['2026-01-02T03:04:05Z',"
		" '2005-01-02T03:04:05.000001Z']}");
}

/* K 6 */
static void full_names_have_two_underscores(void **state)
{
	struct exchange_rig *rig = *state;
	asked(rig, "{'features': ['driver:city', 'route:city'],"
		   " 'full_feature_names': true, 'entities':"
		   " {'zone': ['a'], 'driver_id': [1001]}}");
	exchange_rig_has(rig, "/metadata/feature_names",
		"['zone', 'driver_id', 'driver__city', 'route__city']");
	exchange_rig_has(rig, "/results/0/values", "['a']");
	exchange_rig_has(rig, "/results/1/values", "[1001]");
	exchange_rig_has(rig, "/results/2/values", "['K\303\266ln, \\'x\\'']");
	exchange_rig_has(rig, "/results/3/values", "['Bonn']");
}

/* K 8, 9, 10, 12 and A.3's types */
static void each_type_is_as_feast_prints_it(void **state)
{
	struct exchange_rig *rig = *state;
	asked(rig, "{'features': ['driver:trips', 'driver:conv_rate',"
		   " 'driver:seen', 'driver:active', 'driver:photo',"
		   " 'driver:emb', 'driver:fee'],"
		   " 'entities': {'driver_id': [1001]}}");
	static const char *const values[] = {"[308]", "[1.0]", "[1767323045]",
		"[true]", "['AP8=']", "[[1.0, 2.5]]", "[3.0]"};
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
		char pointer[32];
		snprintf(pointer, sizeof pointer, "/results/%zu/values", i + 1);
		exchange_rig_has(rig, pointer, values[i]);
	}
	assert_true(has_text(rig, "[[1.0,2.5]]"));
	asked(rig, "{'features': ['driver:trips'], 'entities':"
		   " {'driver_id': [1002, 9007199254740993]}}");
	assert_true(has_text(rig, "[1002,9007199254740993]"));
	assert_true(has_text(rig, "[9007199254740993,1]"));
	asked(rig, "{'features': ['driver:seen'], 'entities':"
		   " {'driver_id': [1003]}}");
	exchange_rig_has(rig, "/results/1/values", "[-1]");
}

/* K 11, 21 */
static void zero_rows_are_empty_columns(void **state)
{
	struct exchange_rig *rig = *state;
	asked(rig, "{'features': ['driver:emb', 'strict:score'],"
		   " 'entities': {'driver_id': []}}");
	exchange_rig_has(rig, "/results",
		"[{'values': [], 'statuses': [], 'event_timestamps': []},"
		" {'values': [], 'statuses': [], 'event_timestamps': []},"
		" {'values': [], 'statuses': [], 'event_timestamps': []}]");
	asked(rig, "{'features': ['driver:emb'], 'entities':"
		   " {'driver_id': [7]}}");
	exchange_rig_has(rig, "/results/1/values", "[null]");
}

static void a_service_wins_over_features(void **state)
{
	struct exchange_rig *rig = *state;
	asked(rig, "{'feature_service': 'svc', 'features': ['nonsense'],"
		   " 'entities': {'driver_id': [1001], 'zone': ['a']}}");
	exchange_rig_has(rig, "/metadata/feature_names",
		"['driver_id', 'zone', 'trips', 'conv_rate', 'km']");
	exchange_rig_has(rig, "/results/4/values", "[7]");
	asked(rig, "{'feature_service': null, 'features': ['driver:trips'],"
		   " 'entities': {'driver_id': [1001]}}");
	exchange_rig_has(
		rig, "/metadata/feature_names", "['driver_id', 'trips']");
}

/* K 20; join keys of views that are not asked for come back, as from Feast's
 * own server, and what is no join key does not. */
static void what_feast_ignores_is_ignored(void **state)
{
	struct exchange_rig *rig = *state;
	asked(rig, "{'features': ['driver:trips'], 'request_context': {},"
		   " 'anything': [1], 'entities': {'zone': ['a'],"
		   " 'driver_id': [1001], 'other': [1, 2], 'another': 7}}");
	exchange_rig_has(rig, "/metadata/feature_names",
		"['zone', 'driver_id', 'trips']");
	exchange_rig_has(rig, "/results/0/values", "['a']");
}

static void references_may_say_latest(void **state)
{
	struct exchange_rig *rig = *state;
	asked(rig, "{'features': ['driver@latest:trips', 'driver@:city',"
		   " 'driver@LATEST:seen'], 'entities': {'driver_id': [1001]},"
		   " 'full_feature_names': true}");
	exchange_rig_has(rig, "/metadata/feature_names",
		"['driver_id', 'driver__trips', 'driver__city',"
		" 'driver__seen']");
}

/* K 16, 17: the exchange never sees a Content-Type. */
static void the_path_may_have_slashes_to_spare(void **state)
{
	struct exchange_rig *rig = *state;
	static const char *const targets[] = {"//get-online-features",
		"/get-online-features/", "///get-online-features//",
		"/get-online-features?x=1"};
	for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++)
		assert_int_equal(
			exchange_rig_post(rig, targets[i],
				"{'features': ['driver:trips'], 'entities':"
				" {'driver_id': [1001]}}"),
			200);
}

/* K 19 */
static void composite_keys_are_whole_or_refused(void **state)
{
	struct exchange_rig *rig = *state;
	asked(rig, "{'features': ['route:km'], 'entities': {'driver_id':"
		   " [1001, 1001, 1001], 'zone': ['a', '', 'b']}}");
	exchange_rig_has(rig, "/results/2/values", "[7, 8, null]");
	assert_int_equal(exchange_rig_post(rig, "/get-online-features",
				 "{'features': ['route:km'], 'entities':"
				 " {'driver_id': [1001]}}"),
		422);
	exchange_rig_has(rig, "/detail/0/loc", "['body', 'entities', 'zone']");
}

/* What FeastError.from_error_detail() makes of the body. */
static json_t *feast_error(const struct exchange_rig *rig)
{
	assert_true(json_is_string(rig->reply));
	json_t *error = json_loads(json_string_value(rig->reply), 0, NULL);
	assert_non_null(error);
	assert_string_equal(json_string_value(json_object_get(error, "module")),
		"feast.errors");
	return error;
}

/* K 14, 15: errors that Feast's clients raise again by their class. */
static void errors_are_feasts_own(void **state)
{
	struct exchange_rig *rig = *state;
	static const struct {
		const char *body;
		unsigned status;
		const char *name, *says;
	} cases[] = {
		{"{'features': ['drivr:trips'], 'entities': {'driver_id':"
		 " [1]}}",
			404, "FeatureViewNotFoundException", "\"driver\""},
		{"{'features': ['driver@v2:trips'], 'entities': {'driver_id':"
		 " [1]}}",
			404, "FeatureViewNotFoundException", "driver@v2"},
		{"{'features': ['driver:trip'], 'entities': {'driver_id':"
		 " [1]}}",
			404, "FeastObjectNotFoundException", "\"trips\""},
		{"{'feature_service': 'svc2', 'entities': {'driver_id': [1]}}",
			404, "FeatureServiceNotFoundException", "\"svc\""},
		{"{'features': ['driver:city', 'route:city'], 'entities':"
		 " {'driver_id': [1], 'zone': ['a']}}",
			400, "FeatureNameCollisionError", "city"},
		{"{'features': ['driver:city', 'driver:city'], 'entities':"
		 " {'driver_id': [1]}}",
			400, "FeatureNameCollisionError", "city"},
		{"{'features': ['driver:city', 'driver:city'], 'entities':"
		 " {'driver_id': [1]}, 'full_feature_names': true}",
			400, "FeatureNameCollisionError", "city"},
		{"{'features': ['strict:score'], 'entities': {'driver_id':"
		 " [1001, 1]}}",
			412, "FeastError", "strict:score of row 1"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_int_equal(exchange_rig_post(rig, "/get-online-features",
					 cases[i].body),
			cases[i].status);
		json_t *error = feast_error(rig);
		assert_string_equal(
			json_string_value(json_object_get(error, "class")),
			cases[i].name);
		const char *message =
			json_string_value(json_object_get(error, "message"));
		if (strstr(message, cases[i].says) == NULL)
			fail_msg("%s: %s", cases[i].body, message);
		json_decref(error);
	}
}

/* K 14, 15: requests that are not of the form, as FastAPI says it. */
static void requests_of_no_form_are_unprocessable(void **state)
{
	struct exchange_rig *rig = *state;
	static const struct {
		const char *body, *loc, *says;
	} cases[] = {
		{"", "['body']", "empty"},
		{"{", "['body']", "JSON"},
		{"[]", "['body']", "object"},
		{"{'entities': {'driver_id': [1]}}", "['body', 'features']",
			"feature_service"},
		{"{'features': [], 'entities': {'driver_id': [1]}}",
			"['body', 'features']", "feature_service"},
		{"{'features': ['trips'], 'entities': {'driver_id': [1]}}",
			"['body', 'features']", "view:feature"},
		{"{'features': [7], 'entities': {'driver_id': [1]}}",
			"['body', 'features']", "string"},
		{"{'feature_service': 7, 'entities': {'driver_id': [1]}}",
			"['body', 'feature_service']", "string"},
		{"{'features': ['driver:trips'], 'full_feature_names': 1,"
		 " 'entities': {'driver_id': [1]}}",
			"['body', 'full_feature_names']", "true or false"},
		{"{'features': ['driver:trips']}", "['body', 'entities']",
			"object"},
		{"{'features': ['driver:trips'], 'entities': []}",
			"['body', 'entities']", "object"},
		{"{'features': ['driver:trips'], 'entities': {}}",
			"['body', 'entities', 'driver_id']", "driver_id"},
		{"{'features': ['driver:trips'], 'entities':"
		 " {'driver_id': 1001}}",
			"['body', 'entities', 'driver_id']", "list"},
		{"{'features': ['driver:trips'], 'entities':"
		 " {'driver_id': [1, null]}}",
			"['body', 'entities', 'driver_id']", "row 1"},
		{"{'features': ['driver:trips'], 'entities':"
		 " {'driver_id': ['1001']}}",
			"['body', 'entities', 'driver_id']", "a string"},
		{"{'features': ['driver:trips'], 'entities':"
		 " {'driver_id': [1001.0]}}",
			"['body', 'entities', 'driver_id']", "1001.0"},
		{"{'features': ['driver:trips'], 'entities':"
		 " {'driver_id': [9223372036854775808]}}",
			"['body', 'entities', 'driver_id']", "too large"},
		{"{'features': ['route:km'], 'entities':"
		 " {'driver_id': [1, 2], 'zone': ['a']}}",
			"['body', 'entities', 'zone']", "one length"},
		{"{'features': ['route:km'], 'entities':"
		 " {'driver_id': [1], 'zone': ['a\\u0000']}}",
			"['body', 'entities', 'zone']", "NUL"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		unsigned status = exchange_rig_post(
			rig, "/get-online-features", cases[i].body);
		if (status != 422)
			fail_msg("%s: %u", cases[i].body, status);
		exchange_rig_has(rig, "/detail/0/loc", cases[i].loc);
		const char *message = json_string_value(
			exchange_rig_at(rig, "/detail/0/msg"));
		if (strstr(message, cases[i].says) == NULL)
			fail_msg("%s: %s", cases[i].body, message);
	}
}

/* K 25 */
static void what_this_store_does_not_do_is_404_and_says_why(void **state)
{
	struct exchange_rig *rig = *state;
	static const char *const paths[] = {"/search",
		"/retrieve-online-documents", "/push", "/write-to-online-store",
		"//materialize", "/materialize-incremental/"};
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		assert_int_equal(exchange_rig_post(rig, paths[i], "{}"), 404);
		json_t *error = feast_error(rig);
		const char *message =
			json_string_value(json_object_get(error, "message"));
		assert_non_null(strstr(message, "this store"));
		json_decref(error);
		assert_int_equal(rig->exchange.endpoint, ENDPOINT_NONE);
	}
}

static void limits_and_faults_have_feasts_form_too(void **state)
{
	struct exchange_rig *rig = *state;
	rig->exchange.limits.entities_max = 1;
	assert_int_equal(exchange_rig_post(rig, "/get-online-features",
				 "{'features': ['driver:trips'], 'entities':"
				 " {'driver_id': [1, 2]}}"),
		413);
	json_decref(feast_error(rig));
	assert_int_equal(exchange_rig_get(rig, "/get-online-features"), 405);
	json_decref(feast_error(rig));
	assert_string_equal(rig->exchange.reply.allow, "POST");
	rig->exchange.reader = NULL;
	rig->exchange.why_unreadable = "gone";
	assert_int_equal(
		exchange_rig_post(rig, "/get-online-features", "{}"), 503);
	assert_int_equal(rig->exchange.reply.retry_after_s, 1);
	json_decref(feast_error(rig));
}

#define HERE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HERE(columns_are_per_feature_and_keys_come_first),
		HERE(an_old_client_is_answered_as_well),
		HERE(null_and_expired_values_have_their_own_status),
		HERE(full_names_have_two_underscores),
		HERE(each_type_is_as_feast_prints_it),
		HERE(zero_rows_are_empty_columns),
		HERE(a_service_wins_over_features),
		HERE(what_feast_ignores_is_ignored),
		HERE(references_may_say_latest),
		HERE(the_path_may_have_slashes_to_spare),
		HERE(composite_keys_are_whole_or_refused),
		HERE(errors_are_feasts_own),
		HERE(requests_of_no_form_are_unprocessable),
		HERE(what_this_store_does_not_do_is_404_and_says_why),
		HERE(limits_and_faults_have_feasts_form_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
