#include "tests/fuzz/fuzz.h"

#include "tests/lib/exchange_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char schema[] =
	"{'views': {"
	" 'num': {'entity': {'n': 'int64'}, 'features': {"
	"  'n_own': {'type': 'int64'}, 'real': {'type': 'float64'},"
	"  'list': {'type': 'float32[2]'}, 'label': {'type': 'string',"
	"  'default': '-'}}},"
	" 'text': {'entity': {'s': 'string'}, 'features': {"
	"  's_own': {'type': 'string'}, 'seen': {'type': 'timestamp'},"
	"  'flag': {'type': 'bool'}, 'raw': {'type': 'bytes'}},"
	"  'serve': {'when_missing': 'serve'}},"
	" 'pair': {'entity': {'s': 'string', 'n': 'int64'}, 'features': {"
	"  's_own': {'type': 'string'}, 'n_own': {'type': 'int64'},"
	"  'fee': {'type': 'decimal(2)', 'default': 1}}, 'ttl': '30d',"
	"  'serve': {'when_expired': 'default'}},"
	" 'strict': {'entity': {'n': 'int64'}, 'features': {"
	"  'n_own': {'type': 'int64'}}, 'ttl': '30d', 'serve': {"
	"  'max_lag': '500ms', 'when_behind': 'fail'}}},"
	"'services': {'all': ['num:n_own', 'text:s_own', 'pair:fee'],"
	" 'some': ['text:s_own', 'text:flag']},"
	"'sources': {'log': {}}}";

/* Numbers and strings that are entities, each by itself and in pairs. */
static const char *const numbers[] = {
	"0", "1", "-1", "42", "9007199254740993", "9223372036854775807"};
static const char *const strings[] = {
	"", "a", "a/b", "a,b", "..", "%", "42", "K\303\266ln", "'\\u0001", "+"};
#define NUMBERS (sizeof numbers / sizeof numbers[0])
#define STRINGS (sizeof strings / sizeof strings[0])

static struct exchange_rig rig;

/* JSON in tests is written with single quotes; a string with one of its own
 * needs another spelling. */
static const char *spelled(const char *text)
{
	return text[0] == '\'' ? "\\u0027\\u0001" : text;
}

static void take(const char *view, const char *entity, const char *features)
{
	static int id;
	char event[1024];
	snprintf(event, sizeof event,
		"{'id': '%d', 'view': '%s', 'entity': {%s}, 'event_time':"
		" '2026-01-02T03:04:05.678Z', 'features': {%s}}",
		id++, view, entity, features);
	event_store_take(&rig.store, "log", event);
}

static void take_number(const char *number)
{
	char entity[64], features[256];
	snprintf(entity, sizeof entity, "'n': %s", number);
	snprintf(features, sizeof features,
		"'n_own': %s, 'real': 0.1, 'list': [1, 0.1]", number);
	take("num", entity, features);
	snprintf(features, sizeof features, "'n_own': %s", number);
	take("strict", entity, features);
}

static void take_string(const char *string)
{
	char entity[64], features[256];
	snprintf(entity, sizeof entity, "'s': '%s'", spelled(string));
	snprintf(features, sizeof features,
		"'s_own': '%s', 'flag': true, 'raw': 'AP8=',"
		" 'seen': '2026-01-02T03:04:05Z'",
		spelled(string));
	take("text", entity, features);
}

static void take_pair(const char *string, const char *number)
{
	char entity[128], features[256];
	snprintf(entity, sizeof entity, "'s': '%s', 'n': %s", spelled(string),
		number);
	snprintf(features, sizeof features, "'s_own': '%s', 'n_own': %s",
		spelled(string), number);
	take("pair", entity, features);
}

static void finish(void)
{
	exchange_rig_remove(&rig);
}

void fuzz_start(void)
{
	exchange_rig_make(&rig, schema);
	for (size_t i = 0; i < NUMBERS; i++)
		take_number(numbers[i]);
	for (size_t i = 0; i < STRINGS; i++)
		take_string(strings[i]);
	for (size_t i = 0; i < STRINGS; i++)
		take_pair(strings[i], numbers[i % NUMBERS]);
	event_store_mark(&rig.store, "log", EXCHANGE_RIG_AS_OF_US);
	rig.exchange.limits.entities_max = 50;
	rig.exchange.limits.features_max = 10;
	atexit(finish);
}

static void must(int holds, const char *what)
{
	if (holds)
		return;
	const struct request *request = &rig.exchange.request;
	const struct slice body = rig.exchange.reply.body;
	fprintf(stderr, "%s\n%.*s\n%.*s\nreply %u: %.*s\n", what,
		(int)request->target.length, request->target.data,
		(int)request->body.length, request->body.data,
		rig.exchange.reply.status, (int)body.length, body.data);
	abort();
}

static int is_known(unsigned status)
{
	static const unsigned known[] = {
		200, 400, 404, 405, 412, 413, 422, 503};
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (known[i] == status)
			return 1;
	return 0;
}

/* The value of row `row` in what a body has under entities: a list, or one for
 * all rows. */
static json_t *entity_at(json_t *entities, const char *key, size_t row)
{
	json_t *column = json_object_get(entities, key);
	return json_is_array(column) ? json_array_get(column, row) : column;
}

/* In a body with a number beyond int64 all integers were read as reals. */
static int is_same(const json_t *value, const json_t *asked)
{
	if (json_is_real(asked))
		return json_number_value(value) == json_real_value(asked);
	return json_equal(value, asked);
}

/* "n_own" of a row is the row's "n", or it is not there. */
static void must_be_own(
	json_t *entities, const char *feature, size_t row, const json_t *value)
{
	char key[2] = {feature[0], '\0'};
	if (strcmp(feature + 1, "_own") != 0 || json_is_null(value))
		return;
	must(is_same(value, entity_at(entities, key, row)),
		"another entity's data");
}

static void check_view(json_t *entities, json_t *view)
{
	json_t *names = json_object_get(view, "features");
	json_t *rows = json_object_get(view, "values");
	size_t row, i;
	json_t *values, *value;
	must(json_array_size(rows) ==
			json_array_size(json_object_get(view, "event_time")),
		"as many times as rows");
	json_array_foreach(rows, row, values)
	{
		must(json_array_size(values) == json_array_size(names),
			"as many values as features");
		json_array_foreach(values, i, value) must_be_own(entities,
			json_string_value(json_array_get(names, i)), row,
			value);
	}
}

static void check_views(json_t *entities, json_t *reply)
{
	const char *name;
	json_t *view;
	must(json_is_object(json_object_get(reply, "views")), "views");
	json_object_foreach(json_object_get(reply, "views"), name, view)
		check_view(entities, view);
}

/* Feast's columns. */
static void check_results(json_t *entities, json_t *reply)
{
	json_t *names = json_object_get(
		json_object_get(reply, "metadata"), "feature_names");
	json_t *results = json_object_get(reply, "results");
	size_t i, row;
	json_t *result, *value;
	must(json_array_size(names) == json_array_size(results),
		"as many results as names");
	json_array_foreach(results, i, result)
	{
		const char *name = json_string_value(json_array_get(names, i));
		const char *bare = strstr(name, "__");
		json_t *values = json_object_get(result, "values");
		must(json_array_size(values) == json_array_size(json_object_get(
							result, "statuses")),
			"as many statuses as values");
		json_array_foreach(values, row, value) must_be_own(
			entities, bare == NULL ? name : bare + 2, row, value);
	}
}

/* Decode in place, in another way than path.c does. */
static void decode(char *text)
{
	char *out = text;
	unsigned byte;
	for (const char *in = text; *in != '\0'; out++)
		if (sscanf(in, "%%%2x", &byte) == 1) {
			*out = (char)byte;
			in += 3;
		} else {
			*out = *in++;
		}
	*out = '\0';
}

/* Split "{view}/{key}/{key}" in place; returns the number of keys. */
static size_t split_keys(char *path, char *keys[2])
{
	size_t count = 0;
	for (char *at = path; *at != '\0'; at++)
		if (*at == '/') {
			*at = '\0';
			must(count < 2, "no more keys than a view has");
			keys[count++] = at + 1;
		}
	return count;
}

/* The keys of /v1/views/{view}/{key}…; NULL where they are too long for this.
 * `pair` has s and n, the others have one of the two. */
static json_t *path_entities(struct slice target)
{
	char copy[512], *keys[2] = {NULL};
	if (target.length >= sizeof copy)
		return NULL;
	memcpy(copy, target.data, target.length);
	copy[target.length] = '\0';
	copy[strcspn(copy, "?")] = '\0';
	char *path = strstr(copy, "v1/views/");
	must(path != NULL, "the route in the path");
	size_t count = split_keys(path + strlen("v1/views/"), keys);
	json_t *entities = json_object();
	for (size_t i = 0; i < count; i++) {
		decode(keys[i]);
		if (count == 1 || i == 0)
			json_object_set_new(
				entities, "s", json_string(keys[i]));
		if (count == 1 || i == 1)
			json_object_set_new(entities, "n",
				json_integer(strtoll(keys[i], NULL, 10)));
	}
	return entities;
}

static void check_answer(json_t *reply)
{
	const struct request *request = &rig.exchange.request;
	if (rig.exchange.endpoint == ENDPOINT_VIEW) {
		json_t *entities = path_entities(request->target);
		if (entities != NULL)
			check_views(entities, reply);
		json_decref(entities);
		return;
	}
	json_t *body = json_loadb(
		request->body.data, request->body.length, JSON_ALLOW_NUL, NULL);
	if (body == NULL) /* with numbers beyond int64, elsewhere in it */
		body = json_loadb(request->body.data, request->body.length,
			JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);
	must(body != NULL, "an answer to no JSON");
	json_t *entities = json_object_get(body, "entities");
	if (rig.exchange.endpoint == ENDPOINT_LOOKUP)
		check_views(entities, reply);
	else
		check_results(entities, reply);
	json_decref(body);
}

static void check_reply(void)
{
	const struct reply *reply = &rig.exchange.reply;
	must(reply->content_type != NULL && reply->body.data != NULL,
		"a reply");
	must(is_known(reply->status), "a known status");
	if (strcmp(reply->content_type, "application/json") != 0) {
		must(rig.exchange.endpoint >= ENDPOINT_LIVEZ &&
				rig.exchange.endpoint <= ENDPOINT_PAGE,
			"JSON");
		return;
	}
	json_t *json = json_loadb(reply->body.data, reply->body.length,
		JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
	must(json != NULL, "valid JSON");
	if (reply->status == 200)
		check_answer(json);
	json_decref(json);
}

static enum http_method method_of(struct slice word)
{
	static const char *const names[] = {
		[HTTP_GET] = "GET", [HTTP_HEAD] = "HEAD", [HTTP_POST] = "POST"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (slice_equal(slice_of(names[i]), word))
			return (enum http_method)i;
	return HTTP_OTHER;
}

/* Cut off what is before `separator`, or all of it. */
static struct slice cut(struct slice *rest, char separator)
{
	struct slice piece = *rest;
	const char *end = memchr(rest->data, separator, rest->length);
	size_t skipped = 0;
	if (end != NULL) {
		piece.length = (size_t)(end - rest->data);
		skipped = 1;
	}
	rest->data += piece.length + skipped;
	rest->length -= piece.length + skipped;
	return piece;
}

void fuzz_one(const uint8_t *data, size_t size)
{
	/* A copy of the exact size: a byte too many is found. */
	char *copy = malloc(size + 1);
	if (copy == NULL)
		return;
	memcpy(copy, data, size);
	struct slice rest = {copy, size};
	struct slice line = cut(&rest, '\n');
	struct exchange *exchange = &rig.exchange;
	arena_reset(&rig.arena);
	exchange->request.method = method_of(cut(&line, ' '));
	exchange->request.target = line;
	exchange->request.body = rest;
	exchange->waited_us = 0;
	int rc = exchange_run(exchange, &rig.fault);
	if (rc == EXCHANGE_WAIT) {
		must(exchange->wait_us > 0, "something to wait for");
		exchange->waited_us = exchange->wait_us;
		rc = exchange_run(exchange, &rig.fault);
	}
	must(rc == EXCHANGE_REPLY, "no fault");
	check_reply();
	free(copy);
}
