/* What the server tells of itself: health, metrics, the status page; without
 * sockets. Expected figures are counted by hand from the events below. */
#include "store/decisions.h"
#include "store/serve/exposition.h"
#include "tests/lib/check.h"
#include "tests/lib/exchange_rig.h"
#include "tests/lib/exposition_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char schema[] =
	"{'views': {"
	" 'card': {'entity': {'card_id': 'string'}, 'features': {"
	"   'txns': {'type': 'int64', 'merge': 'sum'}},"
	"   'serve': {'max_lag': '5s', 'when_behind': 'fail'}},"
	" 'user': {'entity': {'user_id': 'int64'}, 'features': {"
	"   'tier': {'type': 'string'}}}},"
	"'sources': {'log': {}}}";

static const char *const events[] = {
	"{'id': '1', 'view': 'card', 'entity': {'card_id': 'a'},"
	" 'event_time': '2026-01-02T03:04:05Z', 'features': {'txns': 3}}",
	"{'id': '2', 'view': 'card', 'entity': {'card_id': 'b'},"
	" 'event_time': '2026-01-02T03:04:05Z', 'features': {'txns': 3}}",
	"{'id': '3', 'view': 'card', 'entity': {'card_id': 'b'},"
	" 'event_time': '2026-01-03T03:04:05Z', 'op': 'delete'}",
	"{'id': '4', 'view': 'user', 'entity': {'user_id': 1},"
	" 'event_time': '2026-01-02T03:04:05Z', 'features': {'tier': 'x'}}",
};

struct figures_rig {
	struct exchange_rig rig;
	struct counters_shard shards[2];
	struct reader *reader;
	char *text; /* the reply's body */
};

static int setup(void **state)
{
	struct figures_rig *rig = calloc(1, sizeof *rig);
	assert_non_null(rig);
	exchange_rig_make(&rig->rig, schema);
	for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
		exchange_rig_take(&rig->rig, events[i]);
	for (size_t i = 0; i < 2; i++)
		counters_join(&rig->rig.counters, &rig->shards[i]);
	rig->reader = rig->rig.reader;
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct figures_rig *rig = *state;
	exchange_rig_remove(&rig->rig);
	free(rig->text);
	free(rig);
	return 0;
}

/* Ask; returns the reply's text. */
static const char *get(struct figures_rig *rig, const char *target,
	unsigned status, const char *type)
{
	const struct reply *reply = &rig->rig.exchange.reply;
	assert_int_equal(exchange_rig_get(&rig->rig, target), status);
	assert_string_equal(reply->content_type, type);
	free(rig->text);
	rig->text = strndup(reply->body.data, reply->body.length);
	assert_non_null(rig->text);
	return rig->text;
}

static void lose_store(struct figures_rig *rig, const char *why)
{
	rig->rig.exchange.reader = NULL;
	rig->rig.exchange.why_unreadable = why;
}

static void see_ingest(struct figures_rig *rig, int64_t before_now_us)
{
	atomic_store(&rig->rig.counters.ingest_seen_us,
		rig->rig.exchange.now_us - before_now_us);
}

#define TEXT "text/plain; charset=utf-8"
#define JSON "application/json"
#define HTML "text/html; charset=utf-8"
#define EXPOSITION "text/plain; version=0.0.4; charset=utf-8"

static void a_process_that_answers_is_alive(void **state)
{
	struct figures_rig *rig = *state;
	lose_store(rig, "there is none");
	assert_string_equal(get(rig, "/livez", 200, TEXT), "ok\n");
	assert_string_equal(get(rig, "/livez?verbose", 200, TEXT),
		"[+]process ok\nlivez check passed\n");
}

static void a_server_that_can_read_its_store_is_ready(void **state)
{
	struct figures_rig *rig = *state;
	see_ingest(rig, 1000000);
	assert_string_equal(get(rig, "/readyz", 200, TEXT), "ok\n");
	assert_string_equal(get(rig, "/health", 200, TEXT), "ok\n");
	assert_string_equal(get(rig, "/readyz?verbose", 200, TEXT),
		"[+]store ok: generation g1\n[+]ingest ok\n"
		"readyz check passed\n");
	assert_string_equal(get(rig, "/readyz?verbosely", 200, TEXT), "ok\n");
	assert_non_null(
		strstr(get(rig, "/readyz?a=b&verbose=1", 200, TEXT), "passed"));
}

static void without_its_store_it_is_not(void **state)
{
	struct figures_rig *rig = *state;
	lose_store(rig, "/x holds no store");
	get(rig, "/readyz", 503, JSON);
	exchange_rig_has(&rig->rig, "/error/code", "'store_unreadable'");
	exchange_rig_has(&rig->rig, "/error/message", "'/x holds no store'");
	assert_int_equal(rig->rig.exchange.reply.retry_after_s, 1);
	get(rig, "/health", 503, JSON);
	assert_non_null(strstr(get(rig, "/readyz?verbose", 503, TEXT),
		"[-]store failed: /x holds no store\n"));
	assert_non_null(strstr(rig->text, "readyz check failed\n"));
}

static void while_ingest_is_down_it_is_ready_and_says_so(void **state)
{
	struct figures_rig *rig = *state;
	see_ingest(rig, 3000001);
	assert_string_equal(get(rig, "/readyz", 200, TEXT), "ok\n");
	const char *text = get(rig, "/readyz?verbose", 200, TEXT);
	assert_non_null(strstr(text, "[!]ingest degraded"));
	assert_non_null(strstr(text, "readyz check passed\n"));
	/* Exactly three seconds are not more than that. */
	see_ingest(rig, 3000000);
	assert_non_null(
		strstr(get(rig, "/readyz?verbose", 200, TEXT), "[+]ingest ok"));
}

static void a_server_just_started_does_not_judge_ingest(void **state)
{
	struct figures_rig *rig = *state;
	atomic_store(&rig->rig.counters.started_us,
		rig->rig.exchange.now_us - 1000000);
	assert_non_null(
		strstr(get(rig, "/readyz?verbose", 200, TEXT), "[+]ingest ok"));
	assert_int_equal(exposition_value(get(rig, "/metrics", 200, EXPOSITION),
				 "holdfast_ingest_up"),
		1);
	rig->rig.exchange.now_us += 3000000;
	assert_non_null(strstr(get(rig, "/readyz?verbose", 200, TEXT),
		"[!]ingest degraded: nothing was stored since this server was "
		"started"));
}

static void expect(struct figures_rig *rig, const char *series, double value)
{
	double found = exposition_value(rig->text, series);
	if (found != value)
		fail_msg("%s is %f, not %f", series, found, value);
}

static void metrics_tell_of_the_store(void **state)
{
	struct figures_rig *rig = *state;
	see_ingest(rig, 2000000);
	exposition_check(get(rig, "/metrics", 200, EXPOSITION), "holdfast_");
	expect(rig, "holdfast_store_readable", 1);
	expect(rig, "holdfast_ingest_up", 1);
	expect(rig, "holdfast_ingest_seen_timestamp_seconds", 1893455999);
	expect(rig,
		"holdfast_partition_next_offset{topic=\"log\",partition=\"0\"}",
		4);
	expect(rig,
		"holdfast_records_taken_total{topic=\"log\",partition=\"0\"}",
		4);
	expect(rig,
		"holdfast_update_dispositions{topic=\"log\",partition=\"0\","
		"disposition=\"applied\"}",
		4);
	expect(rig,
		"holdfast_partition_as_of_timestamp_seconds{topic=\"log\","
		"partition=\"0\"}",
		1893456000);
	expect(rig,
		"holdfast_partition_lag_seconds{topic=\"log\",partition=\"0\"}",
		1);
	expect(rig, "holdfast_view_rows{view=\"card\"}", 1);
	expect(rig, "holdfast_view_deleted_entities{view=\"card\"}", 1);
	expect(rig, "holdfast_view_rows{view=\"user\"}", 1);
	expect(rig, "holdfast_view_lag_seconds{view=\"user\"}", 1);
	expect(rig, "holdfast_crash_search_records", 0);
	assert_true(exposition_value(rig->text, "holdfast_store_file_bytes") +
			    exposition_value(
				    rig->text, "holdfast_store_wal_bytes") >
		    4096);
}

static void metrics_tell_of_the_server_without_a_store(void **state)
{
	struct figures_rig *rig = *state;
	lose_store(rig, "there is none");
	atomic_store(&rig->rig.counters.connections, 17);
	atomic_store(&rig->rig.counters.turned_away, 3);
	exposition_check(get(rig, "/metrics", 200, EXPOSITION), "holdfast_");
	expect(rig, "holdfast_store_readable", 0);
	expect(rig, "holdfast_connections", 17);
	expect(rig, "holdfast_turned_away_total", 3);
	assert_null(strstr(rig->text, "holdfast_view_rows"));
}

static void count(struct figures_rig *rig, size_t shard, unsigned status,
	int64_t latency_us)
{
	const uint64_t values[VALUE_STATUS_COUNT] = {
		[VALUE_FRESH] = 5, [VALUE_MISSING] = 1};
	const struct counters_reply reply = {.endpoint = ENDPOINT_LOOKUP,
		.status = status,
		.latency_us = latency_us,
		.entities = 2,
		.values = values};
	counters_count(&rig->shards[shard], &reply);
}

static void requests_of_all_threads_are_added_up(void **state)
{
	struct figures_rig *rig = *state;
	count(rig, 0, 200, 10);
	count(rig, 0, 200, 25);
	count(rig, 1, 412, 26);
	count(rig, 1, 503, 60000000);
	exposition_check(get(rig, "/metrics", 200, EXPOSITION), "holdfast_");
#define LOOKUP "{endpoint=\"/v1/lookup\""
	expect(rig, "holdfast_http_requests_total" LOOKUP ",code=\"2xx\"}", 2);
	expect(rig, "holdfast_http_requests_total" LOOKUP ",code=\"4xx\"}", 1);
	expect(rig, "holdfast_http_requests_total" LOOKUP ",code=\"5xx\"}", 1);
	expect(rig,
		"holdfast_http_request_duration_seconds_bucket" LOOKUP
		",le=\"2.5e-05\"}",
		2);
	expect(rig,
		"holdfast_http_request_duration_seconds_bucket" LOOKUP
		",le=\"5e-05\"}",
		3);
	expect(rig,
		"holdfast_http_request_duration_seconds_bucket" LOOKUP
		",le=\"5\"}",
		3);
	expect(rig, "holdfast_http_request_duration_seconds_count" LOOKUP "}",
		4);
	expect(rig, "holdfast_http_request_duration_seconds_sum" LOOKUP "}",
		60.000061);
	expect(rig, "holdfast_lookup_entities_total" LOOKUP "}", 8);
	expect(rig, "holdfast_lookup_values_total{status=\"fresh\"}", 20);
	expect(rig, "holdfast_lookup_values_total{status=\"missing\"}", 4);
}

static void the_page_is_whole_and_needs_nothing_else(void **state)
{
	struct figures_rig *rig = *state;
	count(rig, 0, 200, 10);
	see_ingest(rig, 1000000);
	const char *page = get(rig, "/", 200, HTML);
	assert_ptr_equal(strstr(page, "<!doctype html>"), page);
	assert_non_null(strstr(page, "</html>"));
	assert_non_null(strstr(page, "Lookups are answered"));
	assert_non_null(strstr(page, "generation g1"));
	assert_non_null(strstr(page, "<td>card<td>1.0 s"));
	assert_non_null(strstr(page, "5.0 s, then fail"));
	assert_non_null(strstr(page, "<td>log:0<td>1.0 s"));
	assert_non_null(strstr(page, "/v1/lookup"));
	assert_null(strstr(page, "http:"));
	assert_null(strstr(page, "https:"));
	assert_null(strstr(page, "src="));
	assert_null(strstr(page, "<script"));
}

static void the_page_tells_that_ingest_is_down(void **state)
{
	struct figures_rig *rig = *state;
	see_ingest(rig, 10000000);
	const char *page = get(rig, "/", 200, HTML);
	assert_non_null(strstr(page, "Ingest is down"));
	assert_non_null(strstr(page, "since 2029-12-31 23:59:51 UTC"));
	assert_null(strstr(page, "Lookups are answered</b>"));
}

static void stop(struct figures_rig *rig, const char *topic)
{
	struct store *store = rig->rig.store.store;
	const struct store_partition *partition = NULL;
	assert_int_equal(store_partition(store, topic, 0, 0, &partition,
				 &rig->rig.fault),
		0);
	const struct store_stop stop = {&partition->log, STOP_PAUSED, "by ada",
		EXCHANGE_RIG_AS_OF_US, LOG_START_UNKNOWN};
	assert_int_equal(
		store_stop_partition(store, &stop, NULL, &rig->rig.fault), 0);
}

static void who_stopped_every_partition_is_not_told_that_ingest_is_down(
	void **state)
{
	struct figures_rig *rig = *state;
	const struct store_partition *other = NULL;
	stop(rig, "log");
	see_ingest(rig, 10000000);
	const char *page = get(rig, "/", 200, HTML);
	assert_non_null(strstr(page, "Every partition is stopped"));
	assert_null(strstr(page, "Ingest is down"));
	assert_non_null(strstr(get(rig, "/readyz?verbose", 200, TEXT),
		"[!]ingest degraded: every partition is paused or stopped"));
	assert_int_equal(exposition_value(get(rig, "/metrics", 200, EXPOSITION),
				 "holdfast_ingest_up"),
		1);
	/* One that is not could bring something. */
	assert_int_equal(store_partition(rig->rig.store.store, "other", 0, 0,
				 &other, &rig->rig.fault),
		0);
	assert_non_null(strstr(get(rig, "/", 200, HTML), "Ingest is down"));
	stop(rig, "other");
	assert_null(strstr(get(rig, "/", 200, HTML), "Ingest is down"));
}

static void the_page_tells_that_a_view_is_behind(void **state)
{
	struct figures_rig *rig = *state;
	const char *page = get(rig, "/", 200, HTML);
	assert_null(strstr(page, "<td>card<td class=warn>"));
	rig->rig.exchange.now_us += 6000000;
	page = get(rig, "/", 200, HTML);
	assert_non_null(strstr(page, "<td>card<td class=warn>7.0 s"));
	assert_non_null(strstr(page, "<td>user<td>7.0 s"));
}

static void the_page_escapes_what_it_shows(void **state)
{
	struct figures_rig *rig = *state;
	lose_store(rig, "<script>alert('x')</script> & \"y\"");
	const char *page = get(rig, "/", 200, HTML);
	assert_non_null(strstr(page, "Lookups get 503"));
	assert_non_null(strstr(page,
		"&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; "
		"&quot;y&quot;"));
	assert_null(strstr(page, "<script"));
}

static void labels_are_escaped(void **state)
{
	struct figures_rig *rig = *state;
	struct buffer out = BUFFER_INIT(&rig->rig.arena);
	struct exposition exposition = {.out = &out};
	const struct labels labels = {
		{{"topic", "a\"b\\c\nd"}, {"partition", "0"}}};
	exposition_family(&exposition, "lag_seconds", FAMILY_GAUGE, "Lag.");
	exposition_seconds(&exposition, &labels, -1500000);
	exposition_seconds(&exposition, NULL, 7);
	buffer_byte(&out, '\0');
	assert_string_equal((const char *)out.data,
		"# HELP holdfast_lag_seconds Lag.\n"
		"# TYPE holdfast_lag_seconds gauge\n"
		"holdfast_lag_seconds{topic=\"a\\\"b\\\\c\\nd\","
		"partition=\"0\"} -1.500000\n"
		"holdfast_lag_seconds 0.000007\n");
	exposition_check((const char *)out.data, "holdfast_");
}

static void a_summary_is_the_status_without_the_keys(void **state)
{
	struct figures_rig *rig = *state;
	struct reader_status whole, summary;
	struct fault fault = {0};
	assert_int_equal(
		reader_status(rig->reader, &rig->rig.arena, &whole, &fault), 0);
	assert_int_equal(
		reader_summary(rig->reader, &rig->rig.arena, &summary, &fault),
		0);
	assert_int_equal(whole.keys, 4);
	assert_int_equal(summary.keys, KEYS_UNCOUNTED);
	assert_int_equal(summary.view_count, whole.view_count);
	assert_int_equal(summary.partition_count, whole.partition_count);
	assert_int_equal(summary.views[0].rows, 1);
	assert_int_equal(summary.views[0].as_of_us, EXCHANGE_RIG_AS_OF_US);
	assert_memory_equal(
		&summary.digest, &whole.digest, sizeof whole.digest);
}

static void the_data_version_differs_after_each_batch(void **state)
{
	struct figures_rig *rig = *state;
	struct fault fault = {0};
	uint32_t before = 0, same = 0, after = 0;
	reader_keep(rig->reader, true);
	assert_int_equal(exchange_rig_get(&rig->rig, "/v1/views/user/1"), 200);
	assert_int_equal(reader_data_version(rig->reader, &before, &fault), 0);
	assert_int_equal(reader_data_version(rig->reader, &same, &fault), 0);
	assert_int_equal(same, before);
	/* Also where a lookup's snapshot is kept. */
	assert_int_equal(exchange_rig_get(&rig->rig, "/v1/views/user/1"), 200);
	exchange_rig_take(&rig->rig,
		"{'id': '9', 'view': 'user', 'entity': {'user_id': 2},"
		" 'event_time': '2026-01-02T03:04:05Z',"
		" 'features': {'tier': 'y'}}");
	assert_int_equal(reader_data_version(rig->reader, &after, &fault), 0);
	assert_int_not_equal(after, before);
	/* And lookups notice, too. */
	assert_int_equal(exchange_rig_get(&rig->rig, "/v1/views/user/2"), 200);
	exchange_rig_has(&rig->rig, "/views/user/values", "[['y']]");
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RIG(a_process_that_answers_is_alive),
		WITH_RIG(a_server_that_can_read_its_store_is_ready),
		WITH_RIG(without_its_store_it_is_not),
		WITH_RIG(while_ingest_is_down_it_is_ready_and_says_so),
		WITH_RIG(a_server_just_started_does_not_judge_ingest),
		WITH_RIG(metrics_tell_of_the_store),
		WITH_RIG(metrics_tell_of_the_server_without_a_store),
		WITH_RIG(requests_of_all_threads_are_added_up),
		WITH_RIG(the_page_is_whole_and_needs_nothing_else),
		WITH_RIG(the_page_tells_that_ingest_is_down),
		WITH_RIG(
			who_stopped_every_partition_is_not_told_that_ingest_is_down),
		WITH_RIG(the_page_tells_that_a_view_is_behind),
		WITH_RIG(the_page_escapes_what_it_shows),
		WITH_RIG(labels_are_escaped),
		WITH_RIG(a_summary_is_the_status_without_the_keys),
		WITH_RIG(the_data_version_differs_after_each_batch),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
