#include "tests/lib/exchange_rig.h"

#include "tests/lib/check.h"

#include <stdlib.h>
#include <string.h>

static const char *quoted(struct exchange_rig *rig, const char *text)
{
	struct slice copy = arena_copy(&rig->arena, slice_of(text));
	assert_non_null(copy.data);
	char *at = arena_take(&rig->arena, copy.length + 1);
	assert_non_null(at);
	for (size_t i = 0; i <= copy.length; i++)
		at[i] = (char)(text[i] == '\'' ? '"' : text[i]);
	return at;
}

void exchange_rig_make(struct exchange_rig *rig, const char *schema)
{
	*rig = (struct exchange_rig){0};
	event_store_make(&rig->store, schema);
	event_store_mark(&rig->store, "log", EXCHANGE_RIG_AS_OF_US);
	if (reader_open(&rig->reader, rig->store.directory.path, 0,
		    &rig->fault) < 0)
		fail_msg("%s", rig->fault.text);
	rig->exchange = (struct exchange){
		.reader = rig->reader,
		.limits = {.entities_max = 1000,
			.features_max = 100,
			.wait_time_us = 2000000},
		.now_us = EXCHANGE_RIG_AS_OF_US + 1000000,
		.arena = &rig->arena,
		.counters = &rig->counters,
	};
}

void exchange_rig_remove(struct exchange_rig *rig)
{
	json_decref(rig->reply);
	reader_close(rig->reader);
	arena_finish(&rig->arena);
	event_store_remove(&rig->store);
}

void exchange_rig_take(struct exchange_rig *rig, const char *event)
{
	event_store_take(&rig->store, "log", event);
	event_store_mark(&rig->store, "log", EXCHANGE_RIG_AS_OF_US);
}

unsigned exchange_rig_send(struct exchange_rig *rig, enum http_method method,
	const char *target, struct slice body)
{
	struct exchange *exchange = &rig->exchange;
	json_decref(rig->reply);
	rig->reply = NULL;
	exchange->request = (struct request){method, slice_of(target), body};
	rig->rc = exchange_run(exchange, &rig->fault);
	if (rig->rc == EXCHANGE_WAIT)
		return 0;
	assert_non_null(exchange->reply.content_type);
	if (strcmp(exchange->reply.content_type, "application/json") == 0) {
		json_error_t error;
		rig->reply = json_loadb(exchange->reply.body.data,
			exchange->reply.body.length,
			JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
		if (rig->reply == NULL)
			fail_msg("no JSON: %s in %.*s", error.text,
				(int)exchange->reply.body.length,
				exchange->reply.body.data);
	}
	return exchange->reply.status;
}

unsigned exchange_rig_get(struct exchange_rig *rig, const char *target)
{
	arena_reset(&rig->arena);
	return exchange_rig_send(
		rig, HTTP_GET, target, (struct slice){NULL, 0});
}

unsigned exchange_rig_post(
	struct exchange_rig *rig, const char *target, const char *body)
{
	arena_reset(&rig->arena);
	return exchange_rig_send(
		rig, HTTP_POST, target, slice_of(quoted(rig, body)));
}

json_t *exchange_rig_at(const struct exchange_rig *rig, const char *pointer)
{
	json_t *at = rig->reply;
	while (at != NULL && *pointer == '/') {
		char token[128];
		size_t length = strcspn(++pointer, "/");
		assert_true(length < sizeof token);
		memcpy(token, pointer, length);
		token[length] = '\0';
		pointer += length;
		at = json_is_array(at)
			     ? json_array_get(at, strtoul(token, NULL, 10))
			     : json_object_get(at, token);
	}
	return at;
}

void exchange_rig_has(
	struct exchange_rig *rig, const char *pointer, const char *json)
{
	json_error_t error;
	json_t *there = exchange_rig_at(rig, pointer);
	json_t *wanted = json_loads(quoted(rig, json), JSON_DECODE_ANY, &error);
	if (wanted == NULL)
		fail_msg("the test's own JSON: %s in %s", error.text, json);
	if (there == NULL || !json_equal(there, wanted))
		fail_msg("%s is not %s in %.*s", pointer, json,
			(int)rig->exchange.reply.body.length,
			rig->exchange.reply.body.data);
	json_decref(wanted);
}

const char *exchange_rig_error(const struct exchange_rig *rig)
{
	const char *code =
		json_string_value(exchange_rig_at(rig, "/error/code"));
	return code == NULL ? "" : code;
}
