/*
 * HTTP as clients see it, whatever the answers are: tests/lib/exchange_double.c
 * gives them.
 */
#include "store/serve/serve.h"
#include "tests/lib/check.h"
#include "tests/lib/exchange_double.h"
#include "tests/lib/exposition_check.h"
#include "tests/lib/http_client.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MILLISECOND_US INT64_C(1000)
#define SECOND_US INT64_C(1000000)

struct rig {
	struct serve_options options;
	struct serve *serve;
	uint16_t port;
	struct client client;
	struct client_reply reply;
};

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof *rig);
	rig->options = serve_options_default();
	rig->options.store_path = "/nonexistent";
	rig->options.port = 0;
	rig->options.threads = 2;
	rig->client.socket = -1;
	exchange_double_reset();
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;
	client_close(&rig->client);
	serve_stop(rig->serve);
	free(rig);
	return 0;
}

static void start(struct rig *rig)
{
	struct fault fault = {0};
	if (serve_start(&rig->serve, &rig->options, &fault) < 0)
		fail_msg("%s", fault.text);
	rig->port = serve_port(rig->serve);
}

static void start_and_connect(struct rig *rig)
{
	start(rig);
	client_open(&rig->client, rig->port);
}

static void expect_reply(struct rig *rig, unsigned status, const char *body)
{
	assert_true(client_reply(&rig->client, &rig->reply));
	assert_int_equal(rig->reply.status, status);
	if (body != NULL)
		assert_string_equal(rig->reply.body, body);
}

static void expect_header(struct rig *rig, const char *name, const char *value)
{
	char text[256];
	const char *found = client_header(&rig->reply, name, text, sizeof text);
	if (value == NULL)
		assert_null(found);
	else
		assert_string_equal(found == NULL ? "" : found, value);
}

static double metric(struct rig *rig, const char *series)
{
	static char text[65536];
	assert_int_equal(
		client_ask(rig->port, "/metrics", text, sizeof text), 200);
	return exposition_value(text, series);
}

static void one_connection_answers_thousands_of_requests(void **state)
{
	struct rig *rig = *state;
	start_and_connect(rig);
	for (int i = 0; i < 3000; i++) {
		char target[32], expected[64];
		assert_true(snprintf(target, sizeof target, "/echo/%d", i) > 0);
		assert_true(snprintf(expected, sizeof expected, "GET\n%s\n\n",
				    target) > 0);
		client_get(&rig->client, target);
		expect_reply(rig, 200, expected);
	}
}

static void requests_sent_ahead_are_answered_in_order(void **state)
{
	struct rig *rig = *state;
	start_and_connect(rig);
	for (int i = 0; i < 100; i++)
		client_post(&rig->client, "/echo", i % 2 == 0 ? "even" : "odd");
	for (int i = 0; i < 100; i++)
		expect_reply(rig, 200,
			i % 2 == 0 ? "POST\n/echo\neven\n"
				   : "POST\n/echo\nodd\n");
}

static void the_target_arrives_as_it_was_sent(void **state)
{
	struct rig *rig = *state;
	start_and_connect(rig);
	client_get(&rig->client, "//echo/%2F../%00?a=%26&b&a=+");
	expect_reply(rig, 404, NULL);
	client_get(&rig->client, "/echo/a%2Fb%00%ZZ/../c?x=%26y&&z=+#f");
	expect_reply(rig, 200, "GET\n/echo/a%2Fb%00%ZZ/../c?x=%26y&&z=+#f\n\n");
}

static void head_is_get_without_the_body(void **state)
{
	struct rig *rig = *state;
	start_and_connect(rig);
	client_send(&rig->client, "HEAD /truth HTTP/1.1\r\nHost: test\r\n\r\n");
	assert_true(client_reply_head(&rig->client, &rig->reply));
	assert_int_equal(rig->reply.status, 200);
	expect_header(rig, "Content-Length", "2");
	/* And no byte of it: the next reply follows at once. */
	client_get(&rig->client, "/echo");
	expect_reply(rig, 200, "GET\n/echo\n\n");
}

static void other_methods_reach_the_exchange(void **state)
{
	struct rig *rig = *state;
	start_and_connect(rig);
	client_send(&rig->client,
		"DELETE /echo HTTP/1.1\r\nHost: test\r\n\r\n"
		"PUT /echo HTTP/1.1\r\nHost: test\r\nContent-Length: "
		"2\r\n\r\nab"
		"BREW /echo HTTP/1.1\r\nHost: test\r\n\r\n");
	expect_reply(rig, 200, "OTHER\n/echo\n\n");
	expect_reply(rig, 200, "OTHER\n/echo\nab\n");
	expect_reply(rig, 200, "OTHER\n/echo\n\n");
}

static void a_replys_headers_are_sent(void **state)
{
	struct rig *rig = *state;
	start_and_connect(rig);
	client_get(&rig->client, "/truth");
	expect_reply(rig, 200, "{}");
	expect_header(rig, "Content-Type", "application/json");
	expect_header(rig, "Retry-After", "7");
	expect_header(rig, "Allow", "GET, HEAD");
	expect_header(rig, "Holdfast-Generation", "g7");
	expect_header(rig, "Holdfast-As-Of", "2026-11-23T08:20:48.123Z");
	expect_header(rig, "Holdfast-Lag-Ms", "96");
	expect_header(rig, "Holdfast-Position", "payments.v1:0:182");
	client_get(&rig->client, "/echo");
	expect_reply(rig, 200, NULL);
	expect_header(rig, "Retry-After", NULL);
	expect_header(rig, "Holdfast-Generation", NULL);
}

static void a_body_may_come_in_any_pieces(void **state)
{
	struct rig *rig = *state;
	start_and_connect(rig);
	client_send(&rig->client,
		"POST /echo HTTP/1.1\r\nHost: test\r\n"
		"Content-Type: application/x-www-form-urlencoded\r\n"
		"Transfer-Encoding: chunked\r\n\r\n"
		"5\r\nhello\r\n");
	client_send(&rig->client, "7\r\n, world\r\n0\r\n\r\n");
	expect_reply(rig, 200, "POST\n/echo\nhello, world\n");
	client_send(&rig->client,
		"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\n"
		"a");
	client_send(&rig->client, "b");
	client_send(&rig->client, "c");
	expect_reply(rig, 200, "POST\n/echo\nabc\n");
}

static void who_expects_100_is_told_to_continue(void **state)
{
	struct rig *rig = *state;
	start_and_connect(rig);
	client_send(&rig->client,
		"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n"
		"Expect: 100-continue\r\n\r\n");
	assert_true(client_reply_head(&rig->client, &rig->reply));
	assert_int_equal(rig->reply.status, 100);
	client_send(&rig->client, "ok");
	expect_reply(rig, 200, "POST\n/echo\nok\n");
}

static void a_long_reply_arrives_whole(void **state)
{
	struct rig *rig = *state;
	start_and_connect(rig);
	for (int i = 0; i < 3; i++) {
		client_get(&rig->client, "/long");
		expect_reply(rig, 200, NULL);
		assert_int_equal(rig->reply.body_length, EXCHANGE_DOUBLE_LONG);
		for (size_t at = 0; at < EXCHANGE_DOUBLE_LONG; at += 4096)
			assert_int_equal(rig->reply.body[at], 'l');
	}
}

static void a_body_at_the_limit_is_taken(void **state)
{
	struct rig *rig = *state;
	enum { LIMIT = 100000 };
	rig->options.body_bytes_max = LIMIT;
	start_and_connect(rig);
	char *body = malloc(LIMIT);
	memset(body, 'b', LIMIT);
	client_send(&rig->client, "POST /echo HTTP/1.1\r\nHost: test\r\n"
				  "Content-Length: 100000\r\n\r\n");
	assert_true(client_send_bytes(&rig->client, body, LIMIT));
	expect_reply(rig, 200, NULL);
	assert_int_equal(
		rig->reply.body_length, LIMIT + strlen("POST\n/echo\n\n"));
	free(body);
}

/* Send up to `bytes` of body, in chunks or not; how much was sent when the
 * server had enough of it. */
static size_t send_much(struct client *client, size_t bytes, bool chunked)
{
	static const char piece[65536] = "p";
	size_t sent = 0;
	while (sent < bytes) {
		if ((chunked && !client_send_bytes(client, "10000\r\n", 7)) ||
			!client_send_bytes(client, piece, sizeof piece) ||
			(chunked && !client_send_bytes(client, "\r\n", 2)))
			break;
		sent += sizeof piece;
	}
	return sent;
}

#define HUGE_BYTES ((size_t)100 << 20)

static void a_body_of_100_mb_is_refused_unread(void **state)
{
	struct rig *rig = *state;
	start_and_connect(rig);
	client_send(&rig->client, "POST /echo HTTP/1.1\r\nHost: test\r\n"
				  "Content-Length: 104857600\r\n\r\n");
	/* Even one who sends all of it before reading finds the reply. */
	assert_true(send_much(&rig->client, HUGE_BYTES, false) < HUGE_BYTES);
	expect_reply(rig, 413, NULL);
	expect_header(rig, "Content-Type", "application/json");
	expect_header(rig, "Connection", "close");
	assert_int_equal(exchange_double_runs(), 0);
}

static void who_is_refused_while_sending_is_not_reset(void **state)
{
	struct rig *rig = *state;
	start_and_connect(rig);
	client_send(&rig->client, "POST /echo HTTP/1.1\r\nHost: test\r\n"
				  "Content-Length: 104857600\r\n\r\n");
	assert_int_equal(send_much(&rig->client, 131072, false), 131072);
	expect_reply(rig, 413, NULL);
	assert_true(client_closed(&rig->client));
	assert_false(rig->client.reset);
}

static void a_body_of_100_mb_in_chunks_is_refused_at_the_limit(void **state)
{
	struct rig *rig = *state;
	start_and_connect(rig);
	client_send(&rig->client, "POST /echo HTTP/1.1\r\nHost: test\r\n"
				  "Transfer-Encoding: chunked\r\n\r\n");
	assert_true(send_much(&rig->client, HUGE_BYTES, true) < HUGE_BYTES);
	expect_reply(rig, 413, NULL);
	expect_header(rig, "Content-Type", "application/json");
	expect_header(rig, "Connection", "close");
	assert_true(client_closed(&rig->client));
	assert_int_equal(exchange_double_runs(), 0);
}

static void a_nul_in_the_target_does_not_shorten_it(void **state)
{
	struct rig *rig = *state;
	static const char *const targets[] = {
		"/echo/a\0b", "/echo/a\0", "/echo/a?b=\0c", "/echo/\0a?b=c"};
	static const size_t lengths[] = {9, 8, 11, 12};
	start(rig);
	for (size_t i = 0; i < 4; i++) {
		client_open(&rig->client, rig->port);
		client_send(&rig->client, "GET ");
		assert_true(client_send_bytes(
			&rig->client, targets[i], lengths[i]));
		client_send(&rig->client, " HTTP/1.1\r\nHost: test\r\n\r\n");
		/* Newer libmicrohttpd refuses it itself, and closes. */
		if (client_reply_head(&rig->client, &rig->reply))
			assert_int_equal(rig->reply.status, 400);
		client_close(&rig->client);
	}
	assert_int_equal(exchange_double_runs(), 0);
}

static void unclear_bodies_are_refused(void **state)
{
	struct rig *rig = *state;
	static const char *const headers[] = {
		"Content-Length: 2\r\nContent-Length: 3\r\n",
		"content-length: 2\r\ntransfer-encoding: chunked\r\n",
		"Transfer-Encoding: gzip\r\n",
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: "
		"chunked\r\n",
		/* What some would take for these headers, and others not. */
		"Content-Length : 2\r\n",
		"Transfer-Encoding : chunked\r\nContent-Length: 2\r\n",
		"Transfer-Encoding:\r\n chunked\r\nContent-Length: 2\r\n",
		"Content-Length: 0\r\n 2\r\n", " Content-Length: 2\r\n"};
	start(rig);
	for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
		client_open(&rig->client, rig->port);
		client_send(&rig->client, "POST /echo HTTP/1.1\r\n");
		client_send(&rig->client, headers[i]);
		client_send(&rig->client, "Host: test\r\n\r\n{}");
		assert_true(client_reply_head(&rig->client, &rig->reply));
		assert_int_equal(rig->reply.status, 400);
		expect_header(rig, "Connection", "close");
		client_close(&rig->client);
	}
	assert_int_equal(exchange_double_runs(), 0);
}

static void headers_beyond_all_measure_are_refused(void **state)
{
	struct rig *rig = *state;
	start_and_connect(rig);
	client_send(&rig->client, "GET /echo HTTP/1.1\r\nHost: test\r\n");
	for (int i = 0; i < 2000; i++)
		if (!client_send_bytes(&rig->client,
			    "X-Padding: 0123456789012345678901234567890\r\n",
			    44))
			break;
	if (client_reply_head(&rig->client, &rig->reply))
		assert_in_range(rig->reply.status, 400, 499);
	/* And nobody else has noticed. */
	assert_int_equal(client_ask(rig->port, "/echo", NULL, 0), 200);
}

static void who_sends_a_byte_now_and_then_is_cut_off(void **state)
{
	struct rig *rig = *state;
	static const char *const beginnings[] = {
		/* the request line, headers, a body */
		"GET ", "GET /echo HTTP/1.1\r\nHost: test\r\nX: ",
		"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: "
		"1000000\r\n\r\n"};
	rig->options.request_time_us = 200 * MILLISECOND_US;
	rig->options.idle_time_us = 200 * MILLISECOND_US;
	start(rig);
	for (size_t i = 0; i < 3; i++) {
		client_open(&rig->client, rig->port);
		client_send(&rig->client, beginnings[i]);
		/* Never idle: each byte comes well before any limit. */
		while (client_send_bytes(&rig->client, "x", 1))
			usleep(1000);
		client_close(&rig->client);
	}
	assert_int_equal(exchange_double_runs(), 0);
}

static void who_does_not_read_its_reply_is_cut_off(void **state)
{
	struct rig *rig = *state;
	rig->options.request_time_us = 200 * MILLISECOND_US;
	start_and_connect(rig);
	for (int i = 0; i < 16; i++)
		client_get(&rig->client, "/long");
	while (metric(rig, "holdfast_connections_cut_off_total") < 1)
		usleep(1000);
	/* What the kernels hold of the replies is less than was asked for. */
	size_t whole = 0;
	while (client_reply(&rig->client, &rig->reply))
		whole++;
	assert_true(whole < 16);
}

/* Ask until that is the answer. */
static void await_status(
	const struct rig *rig, const char *target, unsigned status)
{
	enum { TRIES = 10000 };
	for (int i = 0; i < TRIES; i++) {
		if (client_ask(rig->port, target, NULL, 0) == status)
			return;
		usleep(1000);
	}
	fail_msg("%s was never answered with %u", target, status);
}

static void large_replies_that_nobody_reads_have_a_limit_together(void **state)
{
	struct rig *rig = *state;
	rig->options.replies_bytes_max = EXCHANGE_DOUBLE_LONG * 3 / 2;
	start_and_connect(rig);
	for (int i = 0; i < 16; i++)
		client_get(&rig->client, "/long");
	await_status(rig, "/long", 503);
	assert_int_equal(client_ask(rig->port, "/echo", NULL, 0), 200);
	client_close(&rig->client);
	rig->client.socket = -1;
	await_status(rig, "/long", 200);
}

static void idle_connections_are_closed(void **state)
{
	struct rig *rig = *state;
	rig->options.idle_time_us = 100 * MILLISECOND_US;
	start_and_connect(rig);
	client_get(&rig->client, "/echo");
	expect_reply(rig, 200, NULL);
	assert_true(client_closed(&rig->client));
}

static void idle_connections_beyond_the_limit_make_room(void **state)
{
	struct rig *rig = *state;
	enum { LIMIT = 8, MANY = 200 };
	static struct client many[MANY];
	rig->options.connections_max = LIMIT;
	start(rig);
	for (int i = 0; i < MANY; i++) {
		client_open(&many[i], rig->port);
		client_get(&many[i], "/echo");
		assert_true(client_reply(&many[i], &rig->reply));
		assert_int_equal(rig->reply.status, 200);
	}
	/* The oldest had to go, the newest is there. */
	assert_true(client_closed(&many[0]));
	client_get(&many[MANY - 1], "/echo");
	assert_true(client_reply(&many[MANY - 1], &rig->reply));
	for (int i = 0; i < MANY; i++)
		client_close(&many[i]);
}

static void where_all_are_busy_others_get_503(void **state)
{
	struct rig *rig = *state;
	struct client waiting[2];
	rig->options.connections_max = 2;
	rig->options.wait_time_us = 60 * SECOND_US;
	start(rig);
	for (int i = 0; i < 2; i++) {
		client_open(&waiting[i], rig->port);
		client_get(&waiting[i], "/wait");
	}
	while (exchange_double_runs() < 2)
		usleep(1000);
	client_open(&rig->client, rig->port);
	client_get(&rig->client, "/echo");
	expect_reply(rig, 503, NULL);
	expect_header(rig, "Retry-After", "1");
	expect_header(rig, "Connection", "close");
	expect_header(rig, "Content-Type", "application/json");
	assert_true(client_closed(&rig->client));
	exchange_double_take();
	serve_stop(rig->serve);
	rig->serve = NULL;
	for (int i = 0; i < 2; i++)
		client_close(&waiting[i]);
}

static void the_connections_of_thousands_who_left_are_free_again(void **state)
{
	struct rig *rig = *state;
	rig->options.connections_max = 4;
	start(rig);
	for (int i = 0; i < 2000; i++)
		assert_int_equal(client_ask(rig->port, "/echo", NULL, 0), 200);
}

static void a_request_waits_until_its_time_is_over(void **state)
{
	struct rig *rig = *state;
	rig->options.wait_time_us = 50 * MILLISECOND_US;
	start_and_connect(rig);
	client_get(&rig->client, "/wait");
	expect_reply(rig, 412, "\"not taken\"");
	/* Asked at first, at the end, and not all the time: now and then the
	 * pool looks for a store, which is a reason to ask. */
	assert_in_range(exchange_double_runs(), 2, 4);
}

static void who_waits_is_not_cut_off(void **state)
{
	struct rig *rig = *state;
	rig->options.request_time_us = 20 * MILLISECOND_US;
	rig->options.idle_time_us = 20 * MILLISECOND_US;
	rig->options.wait_time_us = 500 * MILLISECOND_US;
	start_and_connect(rig);
	client_get(&rig->client, "/wait");
	expect_reply(rig, 412, "\"not taken\"");
}

static void while_some_wait_others_are_answered(void **state)
{
	struct rig *rig = *state;
	struct client waiting[20];
	rig->options.wait_time_us = 60 * SECOND_US;
	start(rig);
	for (int i = 0; i < 20; i++) {
		client_open(&waiting[i], rig->port);
		client_get(&waiting[i], "/wait");
	}
	client_open(&rig->client, rig->port);
	for (int i = 0; i < 100; i++) {
		client_get(&rig->client, "/echo");
		expect_reply(rig, 200, NULL);
	}
	for (int i = 0; i < 20; i++)
		client_close(&waiting[i]);
}

static void too_many_who_wait_get_503(void **state)
{
	struct rig *rig = *state;
	struct client first;
	rig->options.wait_time_us = 60 * SECOND_US;
	rig->options.waiting_max = 1;
	start(rig);
	client_open(&first, rig->port);
	client_get(&first, "/wait");
	while (metric(rig, "holdfast_requests_waiting") < 1)
		usleep(1000);
	client_open(&rig->client, rig->port);
	client_get(&rig->client, "/wait");
	expect_reply(rig, 503, NULL);
	expect_header(rig, "Retry-After", "1");
	client_close(&first);
}

static void *stop(void *payload)
{
	struct rig *rig = payload;
	serve_stop(rig->serve);
	return NULL;
}

static void a_stop_finishes_a_request_under_way(void **state)
{
	struct rig *rig = *state;
	pthread_t stopper;
	rig->options.stop_time_us = 60 * SECOND_US;
	start_and_connect(rig);
	client_get(&rig->client, "/slow");
	exchange_double_await_slow(1);
	assert_int_equal(pthread_create(&stopper, NULL, stop, rig), 0);
	exchange_double_release();
	expect_reply(rig, 200, "\"slow\"");
	assert_true(client_closed(&rig->client));
	pthread_join(stopper, NULL);
	rig->serve = NULL;
}

static void a_stop_lets_a_request_arrive_whole(void **state)
{
	struct rig *rig = *state;
	struct client other;
	pthread_t stopper;
	rig->options.stop_time_us = 60 * SECOND_US;
	start_and_connect(rig);
	client_send(&rig->client, "POST /echo HTTP/1.1\r\nHost: test\r\n"
				  "Expect: 100-continue\r\n"
				  "Content-Length: 8\r\n\r\n");
	/* It is under way. */
	assert_true(client_reply_head(&rig->client, &rig->reply));
	assert_int_equal(rig->reply.status, 100);
	assert_int_equal(pthread_create(&stopper, NULL, stop, rig), 0);
	while (client_try_open(&other, rig->port))
		client_close(&other);
	for (int i = 0; i < 8; i++) {
		usleep(1000);
		assert_true(client_send_bytes(&rig->client, "b", 1));
	}
	expect_reply(rig, 200, "POST\n/echo\nbbbbbbbb\n");
	expect_header(rig, "Connection", "close");
	pthread_join(stopper, NULL);
	rig->serve = NULL;
}

static void a_stop_answers_those_who_wait(void **state)
{
	struct rig *rig = *state;
	rig->options.wait_time_us = 60 * SECOND_US;
	rig->options.stop_time_us = 60 * SECOND_US;
	start_and_connect(rig);
	client_get(&rig->client, "/wait");
	while (metric(rig, "holdfast_requests_waiting") < 1)
		usleep(1000);
	serve_stop(rig->serve);
	rig->serve = NULL;
	expect_reply(rig, 412, "\"not taken\"");
	expect_header(rig, "Connection", "close");
}

static void a_stop_does_not_wait_for_the_idle(void **state)
{
	struct rig *rig = *state;
	struct client idle[50];
	rig->options.stop_time_us = 3600 * SECOND_US;
	start(rig);
	for (int i = 0; i < 50; i++) {
		client_open(&idle[i], rig->port);
		if (i % 2 == 0)
			client_get(&idle[i], "/echo");
	}
	for (int i = 0; i < 50; i += 2)
		assert_true(client_reply(&idle[i], &rig->reply));
	serve_stop(rig->serve);
	rig->serve = NULL;
	for (int i = 0; i < 50; i++)
		client_close(&idle[i]);
}

static void a_stop_ends_in_the_end(void **state)
{
	struct rig *rig = *state;
	rig->options.stop_time_us = 50 * MILLISECOND_US;
	start_and_connect(rig);
	client_send(&rig->client, "POST /echo HTTP/1.1\r\nHost: test\r\n"
				  "Content-Length: 10\r\n\r\nhalf");
	client_send(&rig->client, "way");
	serve_stop(rig->serve);
	rig->serve = NULL;
	assert_false(client_reply(&rig->client, &rig->reply));
}

static void a_port_in_use_is_named(void **state)
{
	struct rig *rig = *state;
	struct serve *second = NULL;
	struct fault fault = {0};
	start(rig);
	rig->options.port = rig->port;
	assert_int_equal(serve_start(&second, &rig->options, &fault), FAULT_IO);
	assert_null(second);
	char port[16];
	assert_true(snprintf(port, sizeof port, "%d", rig->port) > 0);
	assert_non_null(strstr(fault.text, port));
}

static void an_address_is_one_in_numbers(void **state)
{
	struct rig *rig = *state;
	struct fault fault = {0};
	rig->options.address = "localhost";
	assert_int_equal(
		serve_start(&rig->serve, &rig->options, &fault), FAULT_USAGE);
	assert_non_null(strstr(fault.text, "localhost"));
	rig->options.address = "::1";
	if (serve_start(&rig->serve, &rig->options, &fault) == 0)
		assert_int_not_equal(serve_port(rig->serve), 0);
}

static void a_body_that_stops_halfway_is_no_request(void **state)
{
	struct rig *rig = *state;
	start_and_connect(rig);
	client_send(&rig->client, "POST /echo HTTP/1.1\r\nHost: test\r\n"
				  "Content-Length: 10\r\n\r\nhalf");
	client_close(&rig->client);
	assert_int_equal(client_ask(rig->port, "/echo", NULL, 0), 200);
	assert_int_equal(exchange_double_runs(), 1);
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RIG(one_connection_answers_thousands_of_requests),
		WITH_RIG(requests_sent_ahead_are_answered_in_order),
		WITH_RIG(the_target_arrives_as_it_was_sent),
		WITH_RIG(head_is_get_without_the_body),
		WITH_RIG(other_methods_reach_the_exchange),
		WITH_RIG(a_replys_headers_are_sent),
		WITH_RIG(a_body_may_come_in_any_pieces),
		WITH_RIG(who_expects_100_is_told_to_continue),
		WITH_RIG(a_long_reply_arrives_whole),
		WITH_RIG(a_body_at_the_limit_is_taken),
		WITH_RIG(a_body_of_100_mb_is_refused_unread),
		WITH_RIG(who_is_refused_while_sending_is_not_reset),
		WITH_RIG(a_body_of_100_mb_in_chunks_is_refused_at_the_limit),
		WITH_RIG(a_body_that_stops_halfway_is_no_request),
		WITH_RIG(a_nul_in_the_target_does_not_shorten_it),
		WITH_RIG(unclear_bodies_are_refused),
		WITH_RIG(headers_beyond_all_measure_are_refused),
		WITH_RIG(who_sends_a_byte_now_and_then_is_cut_off),
		WITH_RIG(who_does_not_read_its_reply_is_cut_off),
		WITH_RIG(large_replies_that_nobody_reads_have_a_limit_together),
		WITH_RIG(idle_connections_are_closed),
		WITH_RIG(idle_connections_beyond_the_limit_make_room),
		WITH_RIG(where_all_are_busy_others_get_503),
		WITH_RIG(the_connections_of_thousands_who_left_are_free_again),
		WITH_RIG(a_request_waits_until_its_time_is_over),
		WITH_RIG(who_waits_is_not_cut_off),
		WITH_RIG(while_some_wait_others_are_answered),
		WITH_RIG(too_many_who_wait_get_503),
		WITH_RIG(a_stop_finishes_a_request_under_way),
		WITH_RIG(a_stop_lets_a_request_arrive_whole),
		WITH_RIG(a_stop_answers_those_who_wait),
		WITH_RIG(a_stop_does_not_wait_for_the_idle),
		WITH_RIG(a_stop_ends_in_the_end),
		WITH_RIG(a_port_in_use_is_named),
		WITH_RIG(an_address_is_one_in_numbers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
