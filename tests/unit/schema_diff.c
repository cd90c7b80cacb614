/* What may change in place, and what needs a rebuild. */
#include "schema/schema_diff.h"
#include "tests/lib/check.h"

#include <stdio.h>
#include <string.h>

#define FEATURES "'txns': {'type': 'int64', 'merge': 'sum'}"
#define VIEW(features, rest)                                                   \
	"'views': {'card': {'entity': {'id': 'int64'}, 'features': {" features \
	"}" rest "}}"
#define MAPPED                                                                 \
	"{'view': 'card', 'entity': {'id': '/card'},"                          \
	" 'features': {'txns': {'const': 1}}}"
#define SOURCE(updates, rest)                                                  \
	", 'sources': {'pay': {'id': '/id', 'updates': [" updates "]" rest "}" \
	"}"

static struct schema *parse(const char *text)
{
	char json[4096];
	struct schema *schema = NULL;
	struct fault fault = {0};
	int length = snprintf(json, sizeof json, "{%s}", text);
	assert_true(length > 0 && (size_t)length < sizeof json);
	for (char *at = json; *at != '\0'; at++)
		if (*at == '\'')
			*at = '"';
	int rc = schema_parse(&schema, slice_of(json), "test", &fault);
	if (rc < 0)
		fail_msg("%s", fault.text);
	return schema;
}

struct told {
	size_t count, refused;
	char first[512], why[512];
};

static struct told compare(const char *from, const char *to)
{
	struct arena arena = ARENA_INIT;
	struct schema *held = parse(from), *wanted = parse(to);
	struct schema_diff diff;
	struct told told = {0};
	assert_int_equal(schema_compare(held, wanted, &arena, &diff, NULL), 0);
	told.count = diff.count;
	told.refused = diff.refused;
	for (size_t i = diff.count; i-- > 0;) {
		const struct schema_change *one = &diff.changes[i];
		bool first = diff.refused == 0 || one->why != NULL;
		if (first)
			(void)snprintf(
				told.first, sizeof told.first, "%s", one->what);
		if (one->why != NULL)
			(void)snprintf(
				told.why, sizeof told.why, "%s", one->why);
	}
	schema_free(held);
	schema_free(wanted);
	arena_finish(&arena);
	return told;
}

static void check_in_place(const char *from, const char *to, const char *what)
{
	struct told told = compare(from, to);
	if (told.refused > 0)
		fail_msg("refused: %s: %s", told.first, told.why);
	assert_true(told.count > 0);
	assert_non_null(strstr(told.first, what));
}

static void check_refused(const char *from, const char *to, const char *what)
{
	struct told told = compare(from, to);
	assert_true(told.refused > 0);
	if (strstr(told.first, what) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", what, told.first);
	assert_true(strlen(told.why) > 20);
}

static void the_same_schema_changes_nothing(void **state)
{
	(void)state;
	const char *all = VIEW(FEATURES, ", 'ttl': '1d'")
		SOURCE(MAPPED, "") ", 'services': {'s': ['card:txns']}";
	assert_int_equal(compare(all, all).count, 0);
	assert_int_equal(
		compare(VIEW(FEATURES, ""),
			VIEW("'txns': {'merge': 'sum', 'type': 'int64'}", ""))
			.count,
		0);
}

static void what_is_new_goes_in_place(void **state)
{
	(void)state;
	const char *from = VIEW(FEATURES, "") SOURCE(MAPPED, "");
	check_in_place(from,
		VIEW(FEATURES ", 'limit': {'type': 'decimal(2)'}", "")
			SOURCE(MAPPED, ""),
		"view card: feature limit is new (decimal(2))");
	check_in_place(from,
		"'views': {'a': {'entity': {'k': 'string'},"
		" 'features': {'x': {'type': 'bool'}}}, 'card':"
		" {'entity': {'id': 'int64'}, 'features': {" FEATURES
		"}}}" SOURCE(MAPPED, ""),
		"view a is new");
	check_in_place(from, VIEW(FEATURES, "") SOURCE(MAPPED ", " MAPPED, ""),
		"source pay: update 1 of view card is new, for what "
		"comes from now on");
	check_in_place(from, VIEW(FEATURES, "") SOURCE(MAPPED, "}, 'more': {"),
		"source more: is new");
	check_in_place(from,
		VIEW(FEATURES, "")
			SOURCE(MAPPED, "") ", 'services': {'s': ['card:txns']}",
		"service s is new");
}

static void how_it_is_served_goes_in_place(void **state)
{
	(void)state;
	const char *from = VIEW("'a': {'type': 'string', 'max_length': 4}",
		"") ", 'services': {'s': ['card:a']}";
	check_in_place(from,
		VIEW("'a': {'type': 'string', 'max_length': 4,"
		     " 'default': 'x'}",
			"") ", 'services': {'s': ['card:a']}",
		"default differs");
	check_in_place(from,
		VIEW("'a': {'type': 'string', 'max_length': 4}",
			", 'ttl': '5m'") ", 'services': {'s': ['card:a']}",
		"ttl differs");
	check_in_place(from,
		VIEW("'a': {'type': 'string', 'max_length': 4}",
			", 'serve': {'max_lag': '5s'}") ", 'services': {'s': "
							"['card:a']}",
		"serve differs");
	check_in_place(from,
		VIEW("'a': {'type': 'string', 'max_length': 4}", ""),
		"service s is gone");
}

static void limits_may_only_widen(void **state)
{
	(void)state;
	const char *text = VIEW("'a': {'type': 'string', 'max_length': 4}", "");
	check_in_place(text, VIEW("'a': {'type': 'string'}", ""),
		"max_length is more");
	check_in_place(text,
		VIEW("'a': {'type': 'string', 'max_length': 5}", ""),
		"max_length is more");
	check_refused(text,
		VIEW("'a': {'type': 'string', 'max_length': 3}", ""),
		"max_length is less");
	check_refused(VIEW("'a': {'type': 'string'}", ""), text,
		"max_length is less");
	const char *bound =
		VIEW("'a': {'type': 'int64', 'minimum': 0, 'maximum': 9}", "");
	check_in_place(bound,
		VIEW("'a': {'type': 'int64', 'minimum': -1, 'maximum': 9}", ""),
		"minimum is wider");
	check_in_place(bound, VIEW("'a': {'type': 'int64', 'minimum': 0}", ""),
		"maximum is wider");
	check_refused(bound,
		VIEW("'a': {'type': 'int64', 'minimum': 1, 'maximum': 9}", ""),
		"minimum is narrower");
	check_refused(bound,
		VIEW("'a': {'type': 'int64', 'minimum': 0, 'maximum': 8}", ""),
		"maximum is narrower");
	check_refused(VIEW("'a': {'type': 'int64'}", ""), bound,
		"minimum is narrower");
}

static void what_is_stored_keeps_its_rule(void **state)
{
	(void)state;
	const char *from = VIEW(FEATURES, "");
	check_refused(from,
		VIEW("'txns': {'type': 'decimal(0)', 'merge': 'sum'}", ""),
		"type int64 becomes decimal(0)");
	check_refused(
		from, VIEW("'txns': {'type': 'int64'}", ""), "merge differs");
	check_refused(from,
		VIEW("'count': {'type': 'int64', 'merge': 'sum'}", ""),
		"feature txns is gone");
	check_refused(from,
		"'views': {'card': {'entity': {'id': 'string'},"
		" 'features': {" FEATURES "}}}",
		"entity differs");
	check_refused(from,
		"'views': {'card': {'entity': {'id': 'int64', 'b': 'int64'},"
		" 'features': {" FEATURES "}}}",
		"entity differs");
	check_refused(from,
		"'views': {'cards': {'entity': {'id': 'int64'},"
		" 'features': {" FEATURES "}}}",
		"view card is gone");
}

static void events_stay_the_events_they_were(void **state)
{
	(void)state;
	const char *from = VIEW(FEATURES ", 'a': {'type': 'int64'}", "")
		SOURCE(MAPPED, "");
	const char *views = VIEW(FEATURES ", 'a': {'type': 'int64'}", "");
	const char *const others[][2] = {
		{", 'sources': {}", "source pay: is gone"},
		{", 'sources': {'pay': {}}", "its mapping is gone"},
		{", 'sources': {'pay': {'id': '/key', 'updates': [" MAPPED
		 "]}}",
			"id differs"},
		{SOURCE(MAPPED, ", 'event_time': '/at'"), "event_time differs"},
		{SOURCE("{'view': 'card', 'entity': {'id': '/other'},"
			" 'features': {'txns': {'const': 1}}}",
			 ""),
			"update 0 differs"},
		{SOURCE("{'view': 'card', 'entity': {'id': '/card'},"
			" 'features': {'txns': {'const': 2}}}",
			 ""),
			"update 0 differs"},
		{SOURCE("{'view': 'card', 'entity': {'id': '/card'},"
			" 'features': {'txns': {'const': 1}, 'a': '/a'}}",
			 ""),
			"update 0 differs"},
		{SOURCE("{'view': 'card', 'entity': {'id': '/card'},"
			" 'when': {'/is': 'x'},"
			" 'features': {'txns': {'const': 1}}}",
			 ""),
			"update 0 differs"},
		{SOURCE("{'view': 'card', 'op': 'replace',"
			" 'entity': {'id': '/card'},"
			" 'features': {'txns': {'const': 1}}}",
			 ""),
			"update 0 differs"},
	};
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		char to[2048];
		int length =
			snprintf(to, sizeof to, "%s%s", views, others[i][0]);
		assert_true(length > 0 && (size_t)length < sizeof to);
		check_refused(from, to, others[i][1]);
	}
}

static void who_has_no_key_may_be_taken_but_not_refused_later(void **state)
{
	(void)state;
	const char *position = VIEW(FEATURES, "")
		SOURCE(MAPPED, ", 'missing_key': 'position'");
	const char *reject = VIEW(FEATURES, "") SOURCE(MAPPED, "");
	check_in_place(reject, position, "missing_key differs");
	check_refused(position, reject, "missing_key differs");
}

static void features_may_move_and_are_known_by_name(void **state)
{
	(void)state;
	const char *from = VIEW("'a': {'type': 'bool'}, 'txns': {'type':"
				" 'int64'}",
		"") SOURCE(MAPPED, "") ", 'services': {'s': ['card:txns']}";
	const char *to = VIEW("'txns': {'type': 'int64'}, 'a': {'type':"
			      " 'bool'}",
		"") SOURCE(MAPPED, "") ", 'services': {'s': ['card:txns']}";
	assert_int_equal(compare(from, to).count, 1);
	check_in_place(from, to, "another order");
}

static void columns_differ_where_names_or_their_order_do(void **state)
{
	(void)state;
	struct schema *a = parse(VIEW("'x': {'type': 'bool'}", ""));
	struct schema *b = parse(VIEW(
		"'x': {'type': 'bool', 'default': true}", ", 'ttl': '1s'"));
	struct schema *c =
		parse(VIEW("'w': {'type': 'bool'}, 'x': {'type': 'bool'}", ""));
	struct schema *d =
		parse(VIEW("'x': {'type': 'bool'}, 'w': {'type': 'bool'}", ""));
	assert_false(view_has_other_columns(a->views, b->views));
	assert_true(view_has_other_columns(a->views, c->views));
	assert_true(view_has_other_columns(c->views, d->views));
	schema_free(a);
	schema_free(b);
	schema_free(c);
	schema_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_schema_changes_nothing),
		cmocka_unit_test(what_is_new_goes_in_place),
		cmocka_unit_test(how_it_is_served_goes_in_place),
		cmocka_unit_test(limits_may_only_widen),
		cmocka_unit_test(what_is_stored_keeps_its_rule),
		cmocka_unit_test(events_stay_the_events_they_were),
		cmocka_unit_test(
			who_has_no_key_may_be_taken_but_not_refused_later),
		cmocka_unit_test(features_may_move_and_are_known_by_name),
		cmocka_unit_test(columns_differ_where_names_or_their_order_do),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
