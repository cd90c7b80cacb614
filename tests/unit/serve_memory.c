/* Out of memory, at every place where an exchange asks for some: there is a
 * reply all the same, never half of one, and the next exchange is well. */
#include "tests/lib/check.h"
#include "tests/lib/exchange_rig.h"

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
/* NOLINTEND(bugprone-reserved-identifier) */

static const char schema[] =
	"{'views': {'card': {'entity': {'card_id': 'string'}, 'features': {"
	" 'txns': {'type': 'int64', 'merge': 'sum'},"
	" 'name': {'type': 'string'}, 'raw': {'type': 'bytes'},"
	" 'emb': {'type': 'float32[400]'}}},"
	" 'user': {'entity': {'user_id': 'int64'}, 'features': {"
	" 'age': {'type': 'int64'}}, 'serve': {'when_missing': 'fail'}}},"
	"'services': {'svc': ['card:txns', 'user:age']},"
	"'sources': {'log': {}}}";

static const struct attempt {
	enum http_method method;
	unsigned status;
	const char *target, *body;
} attempts[] = {
	{HTTP_GET, 200, "/v1/views/card/a%62?features=txns,name,emb&max_lag=5s",
		NULL},
	{HTTP_GET, 400, "/v1/views/card/a%62/x", NULL},
	{HTTP_GET, 404, "/v1/views/crd/ab", NULL},
	{HTTP_GET, 400, "/v1/views/card/ab?feature=1", NULL},
	{HTTP_POST, 200, "/v1/lookup",
		"{\"service\": \"svc\", \"entities\": {\"card_id\": [\"ab\","
		" \"x\", \"ab\"], \"user_id\": 42}, \"at_least\": "
		"\"log:0:1\"}"},
	{HTTP_POST, 412, "/v1/lookup",
		"{\"service\": \"svc\", \"entities\": {\"card_id\": \"ab\","
		" \"user_id\": [42, 1]}}"},
	{HTTP_POST, 404, "/v1/lookup", "{\"service\": \"svcs\"}"},
	{HTTP_POST, 404, "/v1/lookup", "{\"features\": [\"card:nam\"]}"},
	{HTTP_POST, 400, "/v1/lookup",
		"{\"features\": [\"card:name\"], \"entities\": {\"car_id\":"
		" 1}}"},
	{HTTP_POST, 400, "/v1/lookup", "{"},
	{HTTP_POST, 200, "/get-online-features",
		"{\"features\": [\"card:emb\", \"card:name\", \"user:age\"],"
		" \"entities\": {\"card_id\": [\"ab\"], \"user_id\": [42]}}"},
	{HTTP_POST, 412, "/get-online-features",
		"{\"features\": [\"user:age\"], \"entities\": {\"user_id\":"
		" [1]}}"},
	{HTTP_POST, 422, "/get-online-features",
		"{\"features\": [\"card:name\"], \"entities\": {}}"},
	{HTTP_POST, 404, "/push", "{}"},
	{HTTP_GET, 405, "/v1/lookup", NULL},
};

static void take_card(struct exchange_rig *rig)
{
	char event[4096];
	int length = snprintf(event, sizeof event,
		"{'id': '1', 'view': 'card', 'entity': {'card_id': 'ab'},"
		" 'event_time': '2026-01-02T03:04:05Z', 'features': {"
		"'txns': 1, 'name': 'x', 'raw': 'AP8=', 'emb': [0.125");
	for (int i = 1; i < 400; i++)
		length += snprintf(
			event + length, sizeof event - (size_t)length, ", 0.1");
	snprintf(event + length, sizeof event - (size_t)length, "]}}");
	exchange_rig_take(rig, event);
}

static int setup(void **state)
{
	struct exchange_rig *rig = calloc(1, sizeof *rig);
	assert_non_null(rig);
	exchange_rig_make(rig, schema);
	take_card(rig);
	exchange_rig_take(rig,
		"{'id': '2', 'view': 'user', 'entity': {'user_id': 42},"
		" 'event_time': '2026-01-02T03:04:05Z', 'features':"
		" {'age': 7}}");
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

static unsigned send(struct exchange_rig *rig, const struct attempt *attempt)
{
	arena_reset(&rig->arena);
	return exchange_rig_send(
		rig, attempt->method, attempt->target, slice_of(attempt->body));
}

/* A copy of the reply's body; freed by the caller. */
static char *copy_body(const struct exchange_rig *rig)
{
	struct slice body = rig->exchange.reply.body;
	char *copy = strndup(body.data, body.length);
	assert_non_null(copy);
	return copy;
}

/* Did the failure come? */
static bool fail_at(struct exchange_rig *rig, const struct attempt *attempt,
	long request, const char *whole)
{
	countdown = request;
	unsigned status = send(rig, attempt);
	bool reached = countdown < 0;
	countdown = -1;
	assert_true(rig->rc == 0 || rig->rc == FAULT_OOM);
	if (rig->rc == FAULT_OOM)
		assert_int_equal(status, 503);
	if (status == 503) {
		assert_int_equal(rig->exchange.reply.retry_after_s, 1);
		return reached;
	}
	assert_int_equal(status, attempt->status);
	if (status == 200) {
		char *body = copy_body(rig);
		assert_string_equal(body, whole);
		free(body);
	}
	return reached;
}

static void every_failure_has_a_reply(void **state)
{
	struct exchange_rig *rig = *state;
	for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++) {
		const struct attempt *attempt = &attempts[i];
		assert_int_equal(send(rig, attempt), attempt->status);
		char *whole = copy_body(rig);
		long failures = 0;
		while (fail_at(rig, attempt, failures, whole))
			failures++;
		assert_true(failures > 0);
		assert_int_equal(send(rig, attempt), attempt->status);
		free(whole);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			every_failure_has_a_reply, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
