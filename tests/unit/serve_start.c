/* How a server starts: settings that make no sense, ports that are taken, and
 * too few file descriptors. */
#include "store/serve/serve.h"
#include "tests/lib/check.h"
#include "tests/lib/exchange_double.h"
#include "tests/lib/http_client.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

struct rig {
	struct serve_options options;
	struct serve *serve;
	struct client client;
	struct client_reply reply;
	struct fault fault;
	pthread_mutex_t lock;
	char said[4096]; /* all notices: the readers of the store have theirs */
};

static void hear(void *payload, const char *text)
{
	struct rig *rig = payload;
	pthread_mutex_lock(&rig->lock);
	strncat(rig->said, text, sizeof rig->said - strlen(rig->said) - 1);
	pthread_mutex_unlock(&rig->lock);
}

static bool has_heard(struct rig *rig, const char *text)
{
	pthread_mutex_lock(&rig->lock);
	bool heard = strstr(rig->said, text) != NULL;
	pthread_mutex_unlock(&rig->lock);
	return heard;
}

static int set_up(void **state)
{
	struct rig *rig = calloc(1, sizeof *rig);
	assert_non_null(rig);
	rig->options = serve_options_default();
	rig->options.store_path = "/nonexistent";
	rig->options.port = 0;
	rig->options.threads = 1;
	rig->options.notice = hear;
	rig->options.payload = rig;
	rig->client.socket = -1;
	pthread_mutex_init(&rig->lock, NULL);
	exchange_double_reset();
	*state = rig;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *rig = *state;
	client_close(&rig->client);
	serve_stop(rig->serve);
	pthread_mutex_destroy(&rig->lock);
	free(rig);
	return 0;
}
#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static void start(struct rig *rig)
{
	if (serve_start(&rig->serve, &rig->options, &rig->fault) < 0)
		fail_msg("%s", rig->fault.text);
}

static void check_refused(
	struct rig *rig, const struct serve_options *options, const char *why)
{
	struct serve *serve = NULL;
	assert_int_equal(
		serve_start(&serve, options, &rig->fault), FAULT_USAGE);
	assert_null(serve);
	if (strstr(rig->fault.text, why) == NULL)
		fail_msg("\"%s\" is not in: %s", why, rig->fault.text);
}

static void settings_that_make_no_sense_are_refused_by_name(void **state)
{
	struct rig *rig = *state;
	struct serve_options options = rig->options;
	options.threads = 0;
	check_refused(rig, &options, "serve.threads: 0 is not between 1 and");
	options.threads = 257;
	check_refused(rig, &options, "serve.threads: 257");
	options = rig->options;
	options.connections_max = 0;
	check_refused(rig, &options, "serve.connections_max: 0");
	options.connections_max = 1000001;
	check_refused(rig, &options,
		"serve.connections_max: 1000001 is not between 1 and 1000000");
	options = rig->options;
	options.body_bytes_max = 0;
	check_refused(rig, &options, "must be more than 0");
	options = rig->options;
	options.request_time_us = 0;
	check_refused(rig, &options, "must be more than 0");
	options = rig->options;
	options.idle_time_us = 0;
	check_refused(rig, &options, "must be more than 0");
}

static void allow(rlim_t soft)
{
	struct rlimit limit;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = soft;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* The client has its descriptor before there are none. */
static void who_comes_while_descriptors_are_short_is_answered_later(
	void **state)
{
	static const struct timespec pause = {0, 5000000};
	struct rig *rig = *state;
	struct rlimit before;
	start(rig);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	const struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons(serve_port(rig->serve)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	rig->client.socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(rig->client.socket >= 0);
	allow(3);
	assert_int_equal(
		connect(rig->client.socket, (const struct sockaddr *)&address,
			sizeof address),
		0);
	while (!has_heard(rig, "can't take connections: "))
		(void)nanosleep(&pause, NULL);
	allow(before.rlim_cur);
	assert_true(has_heard(rig, "lower serve.connections_max"));
	client_get(&rig->client, "/echo/x");
	assert_true(client_reply(&rig->client, &rig->reply));
	assert_int_equal(rig->reply.status, 200);
}

/* Last, since the process keeps that limit. */
static void a_limit_of_open_files_limits_connections(void **state)
{
	struct rig *rig = *state;
	const struct rlimit low = {.rlim_cur = 200, .rlim_max = 300};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	rig->options.connections_max = 1000;
	start(rig);
	assert_true(has_heard(rig, "the limit of open files, 300, allows "));
	assert_true(has_heard(rig, "not serve.connections_max = 1000"));
	client_open(&rig->client, serve_port(rig->serve));
	client_get(&rig->client, "/echo/x");
	assert_true(client_reply(&rig->client, &rig->reply));
	assert_int_equal(rig->reply.status, 200);
}

static void so_does_one_that_is_too_low_for_any(void **state)
{
	struct rig *rig = *state;
	const struct rlimit low = {.rlim_cur = 60, .rlim_max = 60};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	rig->options.notice = NULL; /* nobody needs to listen */
	start(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RIG(settings_that_make_no_sense_are_refused_by_name),
		WITH_RIG(
			who_comes_while_descriptors_are_short_is_answered_later),
		WITH_RIG(a_limit_of_open_files_limits_connections),
		WITH_RIG(so_does_one_that_is_too_low_for_any),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
