#include "tests/lib/exchange_double.h"

#include "store/serve/endpoints.h"
#include "store/serve/errors.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

static struct {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	unsigned slow;
	bool released;
	atomic_bool taken;
	atomic_uint runs;
} script = {.mutex = PTHREAD_MUTEX_INITIALIZER,
	.changed = PTHREAD_COND_INITIALIZER};

void exchange_double_reset(void)
{
	script.slow = 0;
	script.released = false;
	atomic_store(&script.taken, false);
	atomic_store(&script.runs, 0);
}

void exchange_double_await_slow(unsigned count)
{
	pthread_mutex_lock(&script.mutex);
	while (script.slow < count)
		pthread_cond_wait(&script.changed, &script.mutex);
	pthread_mutex_unlock(&script.mutex);
}

void exchange_double_release(void)
{
	pthread_mutex_lock(&script.mutex);
	script.released = true;
	pthread_cond_broadcast(&script.changed);
	pthread_mutex_unlock(&script.mutex);
}

void exchange_double_take(void)
{
	atomic_store(&script.taken, true);
}

unsigned exchange_double_runs(void)
{
	return atomic_load(&script.runs);
}

static int reply(struct exchange *exchange, unsigned status, const char *body)
{
	exchange->reply = (struct reply){.status = status,
		.content_type = "application/json",
		.body = slice_of(body)};
	exchange->endpoint = ENDPOINT_LOOKUP;
	return EXCHANGE_REPLY;
}

static int echo(struct exchange *exchange)
{
	static const char *const methods[] = {"GET", "HEAD", "POST", "OTHER"};
	const struct request *request = &exchange->request;
	return reply(exchange, 200,
		arena_print(exchange->arena, "%s\n%.*s\n%.*s\n",
			methods[request->method], (int)request->target.length,
			request->target.data, (int)request->body.length,
			request->body.data));
}

static int answer_long(struct exchange *exchange)
{
	char *body = arena_take(exchange->arena, EXCHANGE_DOUBLE_LONG + 1);
	memset(body, 'l', EXCHANGE_DOUBLE_LONG);
	body[EXCHANGE_DOUBLE_LONG] = '\0';
	return reply(exchange, 200, body);
}

static int answer_slowly(struct exchange *exchange)
{
	pthread_mutex_lock(&script.mutex);
	script.slow++;
	pthread_cond_broadcast(&script.changed);
	while (!script.released)
		pthread_cond_wait(&script.changed, &script.mutex);
	pthread_mutex_unlock(&script.mutex);
	return reply(exchange, 200, "\"slow\"");
}

static int answer_taken(struct exchange *exchange)
{
	if (atomic_load(&script.taken))
		return reply(exchange, 200, "\"taken\"");
	exchange->wait_us = exchange->limits.wait_time_us;
	if (exchange->waited_us >= exchange->wait_us)
		return reply(exchange, 412, "\"not taken\"");
	return EXCHANGE_WAIT;
}

static int answer_truth(struct exchange *exchange)
{
	struct lookup_answer *truth =
		arena_take(exchange->arena, sizeof *truth);
	*truth = (struct lookup_answer){.generation = "g7",
		.as_of_us = INT64_C(1795422048123000),
		.lag_us = 96000,
		.position = slice_of("payments.v1:0:182")};
	(void)reply(exchange, 200, "{}");
	exchange->reply.truth = truth;
	exchange->reply.retry_after_s = 7;
	exchange->reply.allow = "GET, HEAD";
	return EXCHANGE_REPLY;
}

static int answer_store(struct exchange *exchange)
{
	if (exchange->reader == NULL)
		return reply(exchange, 503, exchange->why_unreadable);
	return reply(exchange, 200,
		arena_print(exchange->arena, "%s %s",
			reader_store_id(exchange->reader),
			reader_generation(exchange->reader)));
}

static bool starts(const struct exchange *exchange, const char *path)
{
	struct slice target = exchange->request.target;
	size_t length = strlen(path);
	return target.length >= length &&
	       memcmp(target.data, path, length) == 0;
}

int exchange_run(struct exchange *exchange, struct fault *fault)
{
	atomic_fetch_add(&script.runs, 1);
	if (starts(exchange, "/echo"))
		return echo(exchange);
	if (starts(exchange, "/long"))
		return answer_long(exchange);
	if (starts(exchange, "/slow"))
		return answer_slowly(exchange);
	if (starts(exchange, "/wait"))
		return answer_taken(exchange);
	if (starts(exchange, "/truth"))
		return answer_truth(exchange);
	if (starts(exchange, "/store"))
		return answer_store(exchange);
	if (starts(exchange, "/readyz"))
		return health_readyz(exchange, fault);
	if (starts(exchange, "/metrics"))
		return metrics_write(exchange, fault);
	if (starts(exchange, "/corrupt")) {
		(void)reply(exchange, 503, "\"corrupt\"");
		return fault_set(fault, FAULT_CORRUPT, "as the test wants it");
	}
	return reply(exchange, 404, "\"no route\"");
}

void exchange_refuse(
	struct exchange *exchange, enum error error, const char *message)
{
	error_reply(exchange, error, message);
}
