/* The server over loopback on real stores, which come, change and go. */
#include "store/serve/serve.h"
#include "tests/lib/check.h"
#include "tests/lib/event_store.h"
#include "tests/lib/exposition_check.h"
#include "tests/lib/http_client.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char schema[] =
	"{'views': {'user': {'entity': {'user_id': 'int64'}, 'features': {"
	"   'tier': {'type': 'string'}}}},"
	"'sources': {'log': {}}}";

#define SECOND_US INT64_C(1000000)
#define PAGE_BYTES 65536

struct rig {
	struct directory directory;
	char path[DIRECTORY_PATH_MAX + 16]; /* a link to the store served */
	struct event_store stores[2];
	size_t store_count;
	struct serve_options options;
	struct serve *serve;
	uint16_t port;
	struct client client;
	struct client_reply reply;
	char text[PAGE_BYTES];
};

/* The server's wall clock: the test's, so that time passes when it says so. */
static atomic_int_fast64_t ahead_us;

static int64_t shifted_us(void)
{
	return event_store_now_us() + atomic_load(&ahead_us);
}

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof *rig);
	assert_non_null(rig);
	directory_make(&rig->directory);
	assert_true(snprintf(rig->path, sizeof rig->path, "%s/store",
			    rig->directory.path) > 0);
	atomic_store(&ahead_us, 0);
	rig->options = serve_options_default();
	rig->options.store_path = rig->path;
	rig->options.port = 0;
	rig->options.threads = 2;
	rig->options.wall_us = shifted_us;
	rig->client.socket = -1;
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;
	client_close(&rig->client);
	serve_stop(rig->serve);
	for (size_t i = 0; i < rig->store_count; i++)
		event_store_remove(&rig->stores[i]);
	directory_remove(&rig->directory);
	free(rig);
	return 0;
}

static void start(struct rig *rig)
{
	struct fault fault = {0};
	if (serve_start(&rig->serve, &rig->options, &fault) < 0)
		fail_msg("%s", fault.text);
	rig->port = serve_port(rig->serve);
	client_open(&rig->client, rig->port);
}

/* A store where user 1 has that tier. */
static struct event_store *make_store(struct rig *rig, const char *tier)
{
	char event[256];
	struct event_store *store = &rig->stores[rig->store_count++];
	event_store_make(store, schema);
	assert_true(snprintf(event, sizeof event,
			    "{'id': '1', 'view': 'user', 'entity': {"
			    "'user_id': 1}, 'features': {'tier': '%s'}}",
			    tier) > 0);
	event_store_take(store, "log", event);
	return store;
}

/* Serve this store from now on, at once. */
static void put_store(struct rig *rig, const struct event_store *store)
{
	char aside[sizeof rig->path + 8];
	assert_true(snprintf(aside, sizeof aside, "%s.new", rig->path) > 0);
	assert_int_equal(symlink(store->directory.path, aside), 0);
	assert_int_equal(rename(aside, rig->path), 0);
}

static unsigned get(struct rig *rig, const char *target)
{
	client_get(&rig->client, target);
	assert_true(client_reply(&rig->client, &rig->reply));
	return rig->reply.status;
}

static bool replied(const struct rig *rig, const char *text)
{
	return strstr(rig->reply.body, text) != NULL;
}

static double metric(struct rig *rig, const char *series)
{
	assert_int_equal(
		client_ask(rig->port, "/metrics", rig->text, PAGE_BYTES), 200);
	return exposition_value(rig->text, series);
}

static void a_store_made_later_is_served(void **state)
{
	struct rig *rig = *state;
	start(rig);
	assert_int_equal(get(rig, "/v1/views/user/1"), 503);
	assert_true(replied(rig, "store_unreadable"));
	assert_int_equal(get(rig, "/readyz"), 503);
	assert_int_equal(get(rig, "/livez"), 200);
	put_store(rig, make_store(rig, "gold"));
	while (get(rig, "/v1/views/user/1") == 503)
		usleep(1000);
	assert_int_equal(rig->reply.status, 200);
	assert_true(replied(rig, "[[\"gold\"]]"));
	assert_int_equal(get(rig, "/readyz"), 200);
}

/* Until the server was seen to notice a sign of life of `store`. */
static void await_watched(struct rig *rig, struct event_store *store)
{
	do {
		event_store_mark(store, "log", event_store_now_us());
		assert_int_equal(client_ask(rig->port, "/metrics", rig->text,
					 PAGE_BYTES),
			200);
	} while (strstr(rig->text, "ingest_seen_timestamp") == NULL);
}

static void a_replaced_store_is_noticed(void **state)
{
	struct rig *rig = *state;
	struct event_store *store = make_store(rig, "gold");
	struct event_store *other = make_store(rig, "silver");
	put_store(rig, store);
	start(rig);
	await_watched(rig, store);
	/* Both threads have their reader. */
	for (int i = 0; i < 8; i++) {
		assert_int_equal(client_ask(rig->port, "/v1/views/user/1",
					 rig->text, PAGE_BYTES),
			200);
		assert_non_null(strstr(rig->text, "gold"));
	}
	put_store(rig, other);
	/* No lookup fails meanwhile, and soon none is of the old store. */
	for (int right = 0; right < 100;) {
		assert_int_equal(client_ask(rig->port, "/v1/views/user/1",
					 rig->text, PAGE_BYTES),
			200);
		right = strstr(rig->text, "silver") != NULL ? right + 1 : 0;
	}
}

static void a_removed_store_is_not_served_on(void **state)
{
	struct rig *rig = *state;
	struct event_store *store = make_store(rig, "gold");
	put_store(rig, store);
	start(rig);
	assert_int_equal(get(rig, "/v1/views/user/1"), 200);
	await_watched(rig, store);
	assert_int_equal(unlink(rig->path), 0);
	while (get(rig, "/v1/views/user/1") == 200)
		usleep(1000);
	assert_int_equal(rig->reply.status, 503);
	put_store(rig, store);
	while (get(rig, "/v1/views/user/1") == 503)
		usleep(1000);
	assert_int_equal(rig->reply.status, 200);
}

static void a_store_removed_at_once_is_not_served_on(void **state)
{
	struct rig *rig = *state;
	put_store(rig, make_store(rig, "gold"));
	start(rig);
	/* Perhaps before anybody watches. */
	(void)get(rig, "/v1/views/user/1");
	assert_int_equal(unlink(rig->path), 0);
	while (get(rig, "/v1/views/user/1") == 200)
		usleep(1000);
	assert_int_equal(rig->reply.status, 503);
}

static void what_is_stored_is_answered_at_once(void **state)
{
	struct rig *rig = *state;
	struct event_store *store = make_store(rig, "gold");
	put_store(rig, store);
	start(rig);
	for (int i = 0; i < 100; i++) {
		char event[256], expected[64];
		assert_true(snprintf(event, sizeof event,
				    "{'id': 'n%d', 'view': 'user', 'entity': "
				    "{'user_id': 1}, 'features': {'tier': "
				    "'t%d'}}",
				    i, i) > 0);
		assert_true(snprintf(expected, sizeof expected, "[[\"t%d\"]]",
				    i) > 0);
		event_store_take(store, "log", event);
		assert_int_equal(get(rig, "/v1/views/user/1"), 200);
		assert_true(replied(rig, expected));
	}
}

static void a_request_waits_for_what_it_must_see(void **state)
{
	struct rig *rig = *state;
	struct event_store *store = make_store(rig, "gold");
	put_store(rig, store);
	rig->options.wait_time_us = 60 * SECOND_US;
	start(rig);
	client_get(&rig->client, "/v1/views/user/1?at_least=log:0:2&wait=60s");
	while (metric(rig, "holdfast_requests_waiting") < 1)
		usleep(1000);
	event_store_take(store, "log",
		"{'id': '2', 'view': 'user', 'entity': {'user_id': 1},"
		" 'features': {'tier': 'silver'}}");
	assert_true(client_reply(&rig->client, &rig->reply));
	assert_int_equal(rig->reply.status, 200);
	assert_true(replied(rig, "[[\"silver\"]]"));
	while (metric(rig, "holdfast_requests_waiting") > 0)
		usleep(1000);
}

static void a_request_waits_no_longer_than_it_wants(void **state)
{
	struct rig *rig = *state;
	put_store(rig, make_store(rig, "gold"));
	start(rig);
	assert_int_equal(
		get(rig, "/v1/views/user/1?at_least=log:0:2&wait=20ms"), 412);
	assert_true(replied(rig, "position_not_taken"));
	assert_int_equal(
		get(rig, "/v1/views/user/1?at_least=log:0:1&wait=20ms"), 200);
}

static void ingest_that_stores_nothing_is_down(void **state)
{
	struct rig *rig = *state;
	struct event_store *store = make_store(rig, "gold");
	put_store(rig, store);
	start(rig);
	await_watched(rig, store);
	assert_int_equal(get(rig, "/readyz?verbose"), 200);
	assert_true(replied(rig, "[+]ingest ok"));
	atomic_store(&ahead_us, 4 * SECOND_US);
	assert_int_equal(get(rig, "/readyz?verbose"), 200);
	assert_true(replied(rig, "[!]ingest degraded"));
	assert_int_equal(metric(rig, "holdfast_ingest_up"), 0);
	/* Another one. */
	event_store_mark(store, "log", event_store_now_us());
	while (metric(rig, "holdfast_ingest_up") < 1)
		usleep(1000);
	assert_int_equal(get(rig, "/readyz?verbose"), 200);
	assert_true(replied(rig, "[+]ingest ok"));
}

static int run_sql(const char *directory, const char *sql)
{
	char path[DIRECTORY_PATH_MAX + 16];
	sqlite3 *db = NULL;
	sqlite3_stmt *statement = NULL;
	int result = 0;
	assert_true(
		snprintf(path, sizeof path, "%s/features.db", directory) > 0);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(
		sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
	if (sqlite3_step(statement) == SQLITE_ROW)
		result = sqlite3_column_int(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return result;
}

static void a_damaged_row_is_never_served(void **state)
{
	struct rig *rig = *state;
	struct event_store *store = make_store(rig, "gold");
	event_store_take(store, "log",
		"{'id': '2', 'view': 'user', 'entity': {'user_id': 2},"
		" 'features': {'tier': 'silver'}}");
	put_store(rig, store);
	start(rig);
	assert_int_equal(get(rig, "/v1/views/user/1"), 200);
	run_sql(store->directory.path,
		"UPDATE user SET tier = 'lead' WHERE user_id = 1");
	for (int i = 0; i < 10; i++) {
		assert_int_equal(get(rig, "/v1/views/user/1"), 503);
		assert_false(replied(rig, "lead"));
		assert_int_equal(get(rig, "/v1/views/user/2"), 200);
		assert_true(replied(rig, "silver"));
	}
}

/* A snapshot that is kept for the next lookup must not hold the writer's log
 * back when there is none: then a checkpoint could never start it anew. */
static void a_server_without_requests_holds_nothing_back(void **state)
{
	struct rig *rig = *state;
	struct event_store *store = make_store(rig, "gold");
	put_store(rig, store);
	start(rig);
	assert_int_equal(get(rig, "/v1/views/user/1"), 200);
	while (run_sql(store->directory.path,
		       "PRAGMA wal_checkpoint(RESTART)") != 0)
		usleep(1000);
}

static void metrics_of_a_server_at_work_are_well_formed(void **state)
{
	struct rig *rig = *state;
	put_store(rig, make_store(rig, "gold"));
	start(rig);
	for (int i = 0; i < 50; i++)
		assert_int_equal(get(rig, "/v1/views/user/1"), 200);
	assert_int_equal(get(rig, "/v1/views/nobody/1"), 404);
	assert_int_equal(get(rig, "/metrics"), 200);
	exposition_check(rig->reply.body, "holdfast_");
	assert_int_equal(exposition_value(rig->reply.body,
				 "holdfast_http_requests_total{endpoint="
				 "\"/v1/views\",code=\"2xx\"}"),
		50);
	assert_int_equal(exposition_value(rig->reply.body,
				 "holdfast_http_requests_total{endpoint="
				 "\"/v1/views\",code=\"4xx\"}"),
		1);
	assert_int_equal(exposition_value(rig->reply.body,
				 "holdfast_lookup_values_total{status="
				 "\"fresh\"}"),
		50);
	assert_int_equal(
		exposition_value(rig->reply.body, "holdfast_connections"), 1);
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RIG(a_store_made_later_is_served),
		WITH_RIG(a_replaced_store_is_noticed),
		WITH_RIG(a_removed_store_is_not_served_on),
		WITH_RIG(a_store_removed_at_once_is_not_served_on),
		WITH_RIG(what_is_stored_is_answered_at_once),
		WITH_RIG(a_request_waits_for_what_it_must_see),
		WITH_RIG(a_request_waits_no_longer_than_it_wants),
		WITH_RIG(ingest_that_stores_nothing_is_down),
		WITH_RIG(a_damaged_row_is_never_served),
		WITH_RIG(a_server_without_requests_holds_nothing_back),
		WITH_RIG(metrics_of_a_server_at_work_are_well_formed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
