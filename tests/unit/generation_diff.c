/*
 * What two generations hold differently, by whose schemas and decisions. Both
 * are stores of their own here; what is expected is written down by hand.
 */
#include "store/generation_diff.h"
#include "tests/lib/check.h"
#include "tests/lib/event_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOLD_BYTES 2048

static const char schema[] =
	"{'views': {'card': {'entity': {'id': 'int64'}, 'features': {"
	"  'n': {'type': 'int64'}, 'name': {'type': 'string'}}},"
	" 'pair': {'entity': {'shop': 'string', 'item': 'int64'},"
	"  'features': {'low': {'type': 'int64'}}}},"
	" 'sources': {'log': {'missing_key': 'position'}}}";

struct rig {
	struct event_store left, right;
	struct reader *one, *other; /* names in `diff` are theirs */
	char told[TOLD_BYTES];
	struct diff diff;
	struct fault fault;
	int begun_rc;	     /* what `begun` returns */
	const char *decided; /* the feature that a decision explains */
};

static struct rig *make(const char *left, const char *right)
{
	struct rig *rig = calloc(1, sizeof *rig);
	assert_non_null(rig);
	event_store_make(&rig->left, left);
	event_store_make(&rig->right, right);
	return rig;
}

static int set_up(void **state)
{
	*state = make(schema, schema);
	return 0;
}

static void close_readers(struct rig *rig)
{
	reader_close(rig->one);
	reader_close(rig->other);
	rig->one = rig->other = NULL;
}

static void finish(struct rig *rig)
{
	close_readers(rig);
	event_store_remove(&rig->left);
	event_store_remove(&rig->right);
	free(rig);
}

static int tear_down(void **state)
{
	finish(*state);
	return 0;
}
#define WITH_BOTH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static void left(struct rig *rig, const char *event)
{
	event_store_take(&rig->left, "log", event);
}

static void right(struct rig *rig, const char *event)
{
	event_store_take(&rig->right, "log", event);
}

static void both(struct rig *rig, const char *event)
{
	left(rig, event);
	right(rig, event);
}

static int begun(void *payload, struct fault *fault)
{
	const struct rig *rig = payload;
	return rig->begun_rc == 0 ? 0
				  : fault_set(fault, rig->begun_rc, "not now");
}

static const char *name_of(const struct difference *one)
{
	return one->left_feature != NULL ? one->left_feature->name
					 : one->right_feature->name;
}

static bool decided(void *payload, const struct difference *one)
{
	const struct rig *rig = payload;
	return rig->decided != NULL && strcmp(rig->decided, name_of(one)) == 0;
}

/* "n s;" where the schemas explain it, "n d;" a decision, "n;" nothing. */
static void differs(void *payload, const struct difference *one)
{
	struct rig *rig = payload;
	size_t length = strlen(rig->told);
	(void)snprintf(rig->told + length, sizeof rig->told - length, "%s%s;",
		name_of(one),
		one->by_schema	   ? " s"
		: one->by_decision ? " d"
				   : "");
}

static int compare(struct rig *rig, const char *view)
{
	const struct diff_options options = {.view = view,
		.begun = begun,
		.decided = decided,
		.differs = differs,
		.payload = rig};
	rig->told[0] = '\0';
	close_readers(rig);
	if (reader_open(&rig->one, rig->left.directory.path, 0, &rig->fault) <
			0 ||
		reader_open(&rig->other, rig->right.directory.path, 0,
			&rig->fault) < 0)
		fail_msg("%s", rig->fault.text);
	return readers_compare(rig->one, rig->other, &options, &rig->left.arena,
		&rig->diff, &rig->fault);
}

static const struct diff_view *compare_well(struct rig *rig, const char *view)
{
	if (compare(rig, view) != 0)
		fail_msg("%s", rig->fault.text);
	return rig->diff.views;
}

static void what_is_the_same_is_counted_and_not_told(void **state)
{
	struct rig *rig = *state;
	both(rig, "{'view': 'card', 'entity': {'id': 1}, 'features':"
		  " {'n': 5}}");
	both(rig, "{'view': 'card', 'entity': {'id': 2}, 'features':"
		  " {'name': null}}");
	both(rig, "{'view': 'pair', 'entity': {'shop': 'a', 'item': 1},"
		  " 'features': {'low': 3}}");
	const struct diff_view *views = compare_well(rig, NULL);
	assert_int_equal(rig->diff.count, 2);
	assert_string_equal(views[0].name, "card");
	assert_int_equal(views[0].same, 2);
	assert_int_equal(views[1].same, 1);
	assert_int_equal(views[0].differing + views[1].differing, 0);
	assert_string_equal(rig->told, "");
}

static void other_values_and_unset_ones_differ(void **state)
{
	struct rig *rig = *state;
	left(rig, "{'view': 'card', 'entity': {'id': 1}, 'features':"
		  " {'n': 5, 'name': 'a'}}");
	right(rig, "{'view': 'card', 'entity': {'id': 1}, 'features':"
		   " {'n': 6, 'name': 'a'}}");
	left(rig, "{'view': 'card', 'entity': {'id': 2}, 'features':"
		  " {'n': 5, 'name': null}}");
	right(rig, "{'view': 'card', 'entity': {'id': 2}, 'features':"
		   " {'n': 5}}");
	rig->decided = "name";
	const struct diff_view *card = compare_well(rig, "card");
	assert_int_equal(rig->diff.count, 1);
	assert_int_equal(card->same, 0);
	assert_int_equal(card->differing, 2);
	assert_int_equal(card->features, 2);
	assert_int_equal(card->by_decision, 1);
	assert_int_equal(card->by_schema, 0);
	assert_string_equal(rig->told, "n;name d;");
}

static void entities_that_only_one_has_are_told_by_their_features(void **state)
{
	struct rig *rig = *state;
	left(rig, "{'view': 'card', 'entity': {'id': 1}, 'features':"
		  " {'n': 5}}");
	right(rig, "{'view': 'card', 'entity': {'id': 2}, 'features':"
		   " {'name': 'b'}}");
	both(rig, "{'view': 'card', 'entity': {'id': 3}, 'features':"
		  " {'n': 5}}");
	right(rig, "{'view': 'card', 'entity': {'id': 3}, 'op': 'delete'}");
	const struct diff_view *card = compare_well(rig, "card");
	assert_int_equal(card->left, 2);
	assert_int_equal(card->right, 1);
	assert_int_equal(card->differing, 0);
	assert_int_equal(card->left_deleted, 0);
	assert_int_equal(card->right_deleted, 1);
	assert_string_equal(rig->told, "n;n;name;");
}

/* Nobody needs to be told, or asked. */
static void differences_are_counted_for_who_does_not_listen(void **state)
{
	struct rig *rig = *state;
	struct reader *one = NULL, *other = NULL;
	static const struct diff_options silent = {0};
	left(rig, "{'view': 'card', 'entity': {'id': 1}, 'features':"
		  " {'n': 5}}");
	assert_int_equal(
		reader_open(&one, rig->left.directory.path, 0, NULL), 0);
	assert_int_equal(
		reader_open(&other, rig->right.directory.path, 0, NULL), 0);
	assert_int_equal(readers_compare(one, other, &silent, &rig->left.arena,
				 &rig->diff, NULL),
		0);
	assert_int_equal(rig->diff.views[0].left, 1);
	assert_int_equal(rig->diff.views[0].features, 1);
	assert_int_equal(rig->diff.views[0].by_decision, 0);
	reader_close(one);
	reader_close(other);
}

static void what_keeps_the_caller_from_it_ends_it(void **state)
{
	struct rig *rig = *state;
	rig->begun_rc = FAULT_BUSY;
	assert_int_equal(compare(rig, NULL), FAULT_BUSY);
	assert_string_equal(rig->fault.text, "not now");
}

#define EACH(n, s, v, t, low, high, gone)                                      \
	"{'views': {'card': {'entity': {'id': 'int64'}, 'features': {"         \
	"  'n': {'type': 'int64', 'merge': '" n "'},"                          \
	"  's': {'type': 'decimal(" s ")'},"                                   \
	"  'v': {'type': 'float32[" v "]'},"                                   \
	"  't': {'type': 'string', 'max_length': " t "},"                      \
	"  'low': {'type': 'int64', 'minimum': " low "},"                      \
	"  'high': {'type': 'int64', 'maximum': " high "},"                    \
	"  '" gone "': {'type': 'bool'},"                                      \
	"  'same': {'type': 'int64'}}}},"                                      \
	" 'sources': {'log': {'missing_key': 'position'}}}"

/* Each feature is another one but `same`, all by another of its members. */
static void what_the_schemas_say_otherwise_explains_a_difference(void **state)
{
	(void)state;
	struct rig *rig = make(EACH("last", "1", "1", "5", "0", "9", "gone"),
		EACH("max", "2", "2", "6", "1", "8", "more"));
	left(rig, "{'view': 'card', 'entity': {'id': 1}, 'features': {"
		  "'n': 1, 's': 1.5, 'v': [1], 't': 'a', 'low': 1,"
		  " 'high': 1, 'gone': true, 'same': 1}}");
	right(rig, "{'view': 'card', 'entity': {'id': 1}, 'features': {"
		   "'n': 2, 's': 1.55, 'v': [1, 2], 't': 'b', 'low': 2,"
		   " 'high': 2, 'more': true, 'same': 2}}");
	const struct diff_view *card = compare_well(rig, NULL);
	assert_int_equal(card->differing, 1);
	assert_int_equal(card->features, 9);
	assert_int_equal(card->by_schema, 8);
	assert_string_equal(
		rig->told, "n s;s s;v s;t s;low s;high s;gone s;same;more s;");
	finish(rig);
}

/* A value of another type is another one, whatever it is. */
static void a_feature_of_another_type_differs(void **state)
{
	(void)state;
	struct rig *rig = make(
		"{'views': {'card': {'entity': {'id': 'int64'}, 'features':"
		" {'n': {'type': 'int64'}}}},"
		" 'sources': {'log': {'missing_key': 'position'}}}",
		"{'views': {'card': {'entity': {'id': 'int64'}, 'features':"
		" {'n': {'type': 'timestamp'}}}},"
		" 'sources': {'log': {'missing_key': 'position'}}}");
	left(rig, "{'view': 'card', 'entity': {'id': 1}, 'features':"
		  " {'n': 0}}");
	right(rig, "{'view': 'card', 'entity': {'id': 1}, 'features':"
		   " {'n': '1970-01-01T00:00:00Z'}}");
	assert_int_equal(compare_well(rig, NULL)->by_schema, 1);
	finish(rig);
}

static void views_of_one_schema_or_of_other_keys_are_not_compared(void **state)
{
	static const char more[] =
		"{'views': {"
		" 'own': {'entity': {'id': 'int64'}, 'features':"
		"  {'n': {'type': 'int64'}}},"
		" 'kind': {'entity': {'id': 'string'}, 'features':"
		"  {'n': {'type': 'int64'}}},"
		" 'name': {'entity': {'other': 'int64'}, 'features':"
		"  {'n': {'type': 'int64'}}},"
		" 'count': {'entity': {'id': 'int64', 'too': 'int64'},"
		"  'features': {'n': {'type': 'int64'}}}}, 'sources': {}}";
	static const char less[] =
		"{'views': {"
		" 'kind': {'entity': {'id': 'int64'}, 'features':"
		"  {'n': {'type': 'int64'}}},"
		" 'name': {'entity': {'id': 'int64'}, 'features':"
		"  {'n': {'type': 'int64'}}},"
		" 'count': {'entity': {'id': 'int64'},"
		"  'features': {'n': {'type': 'int64'}}},"
		" 'late': {'entity': {'id': 'int64'}, 'features':"
		"  {'n': {'type': 'int64'}}}}, 'sources': {}}";
	(void)state;
	struct rig *rig = make(more, less);
	const struct diff_view *views = compare_well(rig, NULL);
	assert_int_equal(rig->diff.count, 5);
	for (size_t i = 0; i < 5; i++) {
		bool late = strcmp(views[i].name, "late") == 0;
		bool own = strcmp(views[i].name, "own") == 0;
		assert_int_equal(views[i].only_left, !late);
		assert_int_equal(views[i].only_right, !own);
	}
	assert_string_equal(compare_well(rig, "late")->name, "late");
	assert_int_equal(rig->diff.count, 1);
	(void)compare_well(rig, "nothing");
	assert_int_equal(rig->diff.count, 0);
	finish(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_BOTH(what_is_the_same_is_counted_and_not_told),
		WITH_BOTH(other_values_and_unset_ones_differ),
		WITH_BOTH(
			entities_that_only_one_has_are_told_by_their_features),
		WITH_BOTH(differences_are_counted_for_who_does_not_listen),
		WITH_BOTH(what_keeps_the_caller_from_it_ends_it),
		cmocka_unit_test(
			what_the_schemas_say_otherwise_explains_a_difference),
		cmocka_unit_test(a_feature_of_another_type_differs),
		cmocka_unit_test(
			views_of_one_schema_or_of_other_keys_are_not_compared),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
