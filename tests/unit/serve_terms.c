/*
 * Every combination of choices, of what the store holds, of lag and of age, as
 * it comes out of a lookup and out of Feast's contract. What is expected is
 * worked out here, from design section 7 and the brief mapping to Feast's
 * words in store/serve/API.md.
 */
#include "tests/lib/check.h"
#include "tests/lib/exchange_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const choices[] = {"serve", "default", "fail"};
enum { SERVE, DEFAULT, FAIL };

/* An entity of each kind, and what the store holds of it. */
static const struct kind {
	const char *id;
	bool held, null, old, deleted;
} kinds[] = {
	{.id = "new", .held = true},
	{.id = "old", .held = true, .old = true},
	{.id = "newnull", .held = true, .null = true},
	{.id = "oldnull", .held = true, .null = true, .old = true},
	{.id = "deleted", .deleted = true},
	{.id = "never"},
};

#define NEW "2026-01-02T03:04:05Z"
#define OLD "2005-01-02T03:04:05Z"

struct circumstances {
	int when_missing, when_expired, when_behind;
	bool behind, has_default;
	const struct kind *kind;
};

/* What is to come out. */
struct outcome {
	const char *status, *reason; /* "fresh", "" */
	const char *value;	     /* JSON */
};

/* Which of three things is wrong decides: m(issing), e(xpired), b(ehind), or
 * nothing. */
static char decisive(const struct circumstances *is)
{
	int worst = -1;
	char which = ' ';
	if (!is->kind->held) {
		which = 'm';
		worst = is->when_missing;
	} else if (is->kind->old) {
		which = 'e';
		worst = is->when_expired;
	}
	if (is->behind && is->when_behind > worst)
		which = 'b';
	return which;
}

static struct outcome expected(const struct circumstances *is)
{
	const char *stored = is->kind->null || !is->kind->held ? "null" : "7";
	int choice;
	struct outcome out = {.value = stored};
	switch (decisive(is)) {
	case ' ':
		return (struct outcome){"fresh", "", stored};
	case 'm':
		out.status = "missing";
		out.reason = is->kind->deleted ? "deleted" : "missing";
		choice = is->when_missing;
		break;
	case 'e':
		out.status = "expired";
		out.reason = "ttl";
		choice = is->when_expired;
		break;
	default:
		out.status = "behind";
		out.reason = "max_lag";
		choice = is->when_behind;
	}
	if (choice == FAIL)
		return (struct outcome){"refused", out.reason, "null"};
	if (choice == DEFAULT && is->has_default)
		return (struct outcome){"default", out.reason, "-1"};
	if (choice == DEFAULT)
		return (struct outcome){"missing", out.reason, "null"};
	return out;
}

/* Digits of *number, mixed radix. */
static int digit(int *number, int radix)
{
	int value = *number % radix;
	*number /= radix;
	return value;
}

static struct circumstances circumstances_of(int number)
{
	return (struct circumstances){
		.when_missing = digit(&number, 3),
		.when_expired = digit(&number, 3),
		.when_behind = digit(&number, 3),
		.behind = digit(&number, 2),
		.has_default = digit(&number, 2),
		.kind = &kinds[digit(&number, 6)],
	};
}
#define COMBINATIONS (3 * 3 * 3 * 2 * 2 * 6)

/* "v021": the view with these choices. */
static const char *view_of(const struct circumstances *is)
{
	static char name[8];
	snprintf(name, sizeof name, "v%d%d%d", is->when_missing,
		is->when_expired, is->when_behind);
	return name;
}

#define SCHEMA_BYTES_MAX 32768

static char *make_schema(void)
{
	char *text = malloc(SCHEMA_BYTES_MAX);
	assert_non_null(text);
	size_t length = (size_t)sprintf(text, "{'views': {");
	for (int i = 0; i < 27; i++) {
		struct circumstances is = circumstances_of(i);
		length += (size_t)snprintf(text + length,
			SCHEMA_BYTES_MAX - length,
			"%s'%s': {'entity': {'id': 'string'}, 'features': {"
			"'with': {'type': 'int64', 'default': -1},"
			"'without': {'type': 'int64'}}, 'ttl': '3650d',"
			"'serve': {'max_lag': '5s', 'when_missing': '%s',"
			"'when_expired': '%s', 'when_behind': '%s'}}",
			i == 0 ? "" : ",", view_of(&is),
			choices[is.when_missing], choices[is.when_expired],
			choices[is.when_behind]);
	}
	snprintf(text + length, SCHEMA_BYTES_MAX - length,
		"}, 'sources': {'log': {}}}");
	return text;
}

static void take(struct exchange_rig *rig, const char *view,
	const struct kind *kind, const char *rest)
{
	char event[512];
	snprintf(event, sizeof event,
		"{'id': '%s %s %c', 'view': '%s', 'entity': {'id': '%s'},"
		" 'event_time': '%s', %s}",
		view, kind->id, rest[1], view, kind->id, kind->old ? OLD : NEW,
		rest);
	event_store_take(&rig->store, "log", event);
}

static void fill(struct exchange_rig *rig, const char *view)
{
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		const struct kind *kind = &kinds[i];
		if (kind->held || kind->deleted)
			take(rig, view, kind,
				kind->null ? "'features': {'with': null,"
					     " 'without': null}"
					   : "'features': {'with': 7,"
					     " 'without': 7}");
		if (kind->deleted)
			take(rig, view, kind, "'op': 'delete'");
	}
}

static int setup(void **state)
{
	struct exchange_rig *rig = calloc(1, sizeof *rig);
	char *schema = make_schema();
	assert_non_null(rig);
	exchange_rig_make(rig, schema);
	free(schema);
	for (int i = 0; i < 27; i++) {
		struct circumstances is = circumstances_of(i);
		fill(rig, view_of(&is));
	}
	event_store_mark(&rig->store, "log", EXCHANGE_RIG_AS_OF_US);
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

static void set_clock(struct exchange_rig *rig, const struct circumstances *is)
{
	rig->exchange.now_us =
		EXCHANGE_RIG_AS_OF_US + (is->behind ? 5000001 : 5000000);
}

/* Ask for one feature of one entity; `more` are members of the request. */
static unsigned ask(struct exchange_rig *rig, const struct circumstances *is,
	const char *view, const char *more)
{
	char body[512];
	set_clock(rig, is);
	snprintf(body, sizeof body,
		"{'features': ['%s:%s'], 'entities': {'id': ['%s']}%s}", view,
		is->has_default ? "with" : "without", is->kind->id, more);
	return exchange_rig_post(rig, "/v1/lookup", body);
}

static const char *text_at(const struct exchange_rig *rig, const char *pointer)
{
	const char *text = json_string_value(exchange_rig_at(rig, pointer));
	return text == NULL ? "" : text;
}

/* The status of the reply's one value: its exception, else the view's. */
static struct outcome answered(
	const struct exchange_rig *rig, unsigned status, const char *view)
{
	static char value[32];
	char pointer[64];
	if (status == 412)
		return (struct outcome){
			"refused", text_at(rig, "/refused/0/reason"), "null"};
	snprintf(pointer, sizeof pointer, "/views/%s/values/0/0", view);
	json_t *json = exchange_rig_at(rig, pointer);
	snprintf(value, sizeof value, json_is_null(json) ? "null" : "%lld",
		(long long)json_integer_value(json));
	snprintf(pointer, sizeof pointer, "/views/%s/exceptions/0", view);
	json_t *said = exchange_rig_at(rig, pointer);
	if (said == NULL) {
		snprintf(pointer, sizeof pointer, "/views/%s", view);
		said = exchange_rig_at(rig, pointer);
	}
	const char *reason = json_string_value(json_object_get(said, "reason"));
	return (struct outcome){
		json_string_value(json_object_get(said, "status")),
		reason == NULL ? "" : reason, value};
}

static void compare(const struct circumstances *is,
	const struct outcome *wanted, const struct outcome *got)
{
	if (strcmp(got->status, wanted->status) != 0 ||
		strcmp(got->reason, wanted->reason) != 0 ||
		strcmp(got->value, wanted->value) != 0)
		fail_msg("%s, missing %s, expired %s, behind %s%s: %s %s %s, "
			 "not %s %s %s",
			is->kind->id, choices[is->when_missing],
			choices[is->when_expired], choices[is->when_behind],
			is->behind ? ", behind" : "", got->status, got->reason,
			got->value, wanted->status, wanted->reason,
			wanted->value);
}

static void a_view_answers_by_its_terms(void **state)
{
	struct exchange_rig *rig = *state;
	for (int i = 0; i < COMBINATIONS; i++) {
		struct circumstances is = circumstances_of(i);
		struct outcome wanted = expected(&is);
		unsigned status = ask(rig, &is, view_of(&is), "");
		struct outcome got = answered(rig, status, view_of(&is));
		compare(&is, &wanted, &got);
	}
}

/* The loosest view, and all choices from the request. */
static void a_request_tightens(void **state)
{
	struct exchange_rig *rig = *state;
	for (int i = 0; i < COMBINATIONS; i++) {
		struct circumstances is = circumstances_of(i);
		struct outcome wanted = expected(&is);
		char more[256];
		snprintf(more, sizeof more,
			", 'when_missing': '%s', 'when_expired': '%s',"
			" 'when_behind': '%s', 'max_lag': '1h',"
			" 'ttl': '9999d'",
			choices[is.when_missing], choices[is.when_expired],
			choices[is.when_behind]);
		unsigned status = ask(rig, &is, "v000", more);
		struct outcome got = answered(rig, status, "v000");
		compare(&is, &wanted, &got);
	}
}

static void a_request_never_loosens(void **state)
{
	struct exchange_rig *rig = *state;
	for (int i = 0; i < COMBINATIONS; i++) {
		struct circumstances is = circumstances_of(i);
		struct outcome wanted = expected(&is);
		unsigned status = ask(rig, &is, view_of(&is),
			", 'when_missing': 'serve', 'when_expired': 'serve',"
			" 'when_behind': 'serve', 'max_lag': '365d'");
		struct outcome got = answered(rig, status, view_of(&is));
		compare(&is, &wanted, &got);
	}
}

static void limits_of_a_request_tighten_too(void **state)
{
	struct exchange_rig *rig = *state;
	struct circumstances is = {.kind = &kinds[0]};
	unsigned status = ask(rig, &is, "v000", ", 'max_lag': '4999ms'");
	struct outcome got = answered(rig, status, "v000");
	assert_string_equal(got.status, "behind");
	status = ask(rig, &is, "v000", ", 'ttl': '30d'");
	got = answered(rig, status, "v000");
	assert_string_equal(got.status, "expired");
	assert_string_equal(got.value, "7");
}

/* Feast's word for it. PRESENT and NULL_VALUE are what the store holds. */
static const char *feast_status(
	const struct circumstances *is, const struct outcome *outcome)
{
	if (strcmp(outcome->status, "fresh") == 0 ||
		strcmp(outcome->status, "behind") == 0)
		return is->kind->null ? "NULL_VALUE" : "PRESENT";
	return is->kind->held ? "OUTSIDE_MAX_AGE" : "NOT_FOUND";
}

static unsigned ask_as_feast(
	struct exchange_rig *rig, const struct circumstances *is)
{
	char body[256];
	set_clock(rig, is);
	snprintf(body, sizeof body,
		"{'features': ['%s:%s'], 'entities': {'id': ['%s']}}",
		view_of(is), is->has_default ? "with" : "without",
		is->kind->id);
	return exchange_rig_post(rig, "/get-online-features", body);
}

static void feast_is_answered_by_the_same_terms(void **state)
{
	struct exchange_rig *rig = *state;
	for (int i = 0; i < COMBINATIONS; i++) {
		struct circumstances is = circumstances_of(i);
		struct outcome wanted = expected(&is);
		bool refused = strcmp(wanted.status, "refused") == 0;
		unsigned status = ask_as_feast(rig, &is);
		assert_int_equal(status, refused ? 412 : 200);
		assert_non_null(rig->exchange.reply.truth);
		assert_int_equal(rig->exchange.reply.truth->lag_us,
			is.behind ? 5000001 : 5000000);
		if (refused) {
			assert_true(json_is_string(rig->reply));
			continue;
		}
		char text[128];
		snprintf(text, sizeof text,
			"{'values': [%s], 'statuses': ['%s'],"
			" 'event_timestamps': ['%s']}",
			wanted.value, feast_status(&is, &wanted),
			!is.kind->held ? "1970-01-01T00:00:00Z"
			: is.kind->old ? OLD
				       : NEW);
		exchange_rig_has(rig, "/results/1", text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_view_answers_by_its_terms),
		cmocka_unit_test(a_request_tightens),
		cmocka_unit_test(a_request_never_loosens),
		cmocka_unit_test(limits_of_a_request_tighten_too),
		cmocka_unit_test(feast_is_answered_by_the_same_terms),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
