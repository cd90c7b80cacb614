/* libholdfast: what a program gets that looks features up in process. */
#include "store/decisions.h"
#include "store/generations.h"
#include "store/library_inside.h"
#include "store/reader_inside.h"
#include "store/schema_change.h"
#include "tests/lib/check.h"
#include "tests/lib/event_store.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECOND_US INT64_C(1000000)
/* 2020-01-02T03:04:05.678901Z, counted by hand with `date -d`. */
#define OLD "'2020-01-02T03:04:05.678901Z'"
#define OLD_US INT64_C(1577934245678901)

static const char schema[] =
	"{'views': {"
	" 'card': {'entity': {'card_id': 'string'}, 'features': {"
	"  'number': {'type': 'int64'},"
	"  'sum': {'type': 'int64', 'merge': 'sum'},"
	"  'spend': {'type': 'decimal(2)'},"
	"  'score': {'type': 'float64'},"
	"  'flag': {'type': 'bool'},"
	"  'name': {'type': 'string', 'default': 'nobody'},"
	"  'photo': {'type': 'bytes'},"
	"  'seen': {'type': 'timestamp'},"
	"  'vector': {'type': 'float32[3]', 'default': [1, 2, 3]},"
	"  'empty': {'type': 'int64', 'default': null}},"
	"  'serve': {'when_missing': 'default'}},"
	" 'user': {'entity': {'user_id': 'int64'},"
	"  'features': {'age': {'type': 'int64'}},"
	"  'serve': {'when_expired': 'serve'}},"
	" 'pair': {'entity': {'user_id': 'int64', 'item': 'string'},"
	"  'features': {'clicks': {'type': 'int64'}}},"
	" 'other': {'entity': {'user_id': 'string'},"
	"  'features': {'age': {'type': 'int64'}}},"
	" 'more': {'entity': {'user_id': 'string'},"
	"  'features': {'age': {'type': 'int64'}}},"
	" 'kind': {'entity': {'id': 'int64'},"
	"  'features': {'age': {'type': 'int64'}}},"
	" 'gone': {'entity': {'user_id': 'string'},"
	"  'features': {'age': {'type': 'int64'}}}},"
	"'services': {'fraud': ['user:age', 'card:score']},"
	"'sources': {'log': {'missing_key': 'position'}}}";

struct bed {
	struct event_store events;
	struct holdfast *store;
	struct holdfast_query *query;
	const struct holdfast_answer *answer;
	struct holdfast_error error;
};

static int set_up(void **state)
{
	struct bed *bed = calloc(1, sizeof *bed);
	assert_non_null(bed);
	event_store_make(&bed->events, schema);
	if (holdfast_open(&bed->store, bed->events.directory.path, 0,
		    &bed->error) < 0)
		fail_msg("%s", bed->error.text);
	*state = bed;
	return 0;
}

static int tear_down(void **state)
{
	struct bed *bed = *state;
	holdfast_close(bed->store);
	event_store_remove(&bed->events);
	free(bed);
	return 0;
}
#define WITH_LIBRARY(test)                                                     \
	cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static void take(struct bed *bed, const char *event)
{
	event_store_take(&bed->events, "log", event);
}

/* Another query, of up to 12 features named in one text: "card:sum card:flag".
 */
static int prepare(struct bed *bed, const char *features,
	const struct holdfast_terms *terms)
{
	char words[512];
	const char *list[12];
	size_t count = 0;
	holdfast_query_free(bed->query);
	assert_true(strlen(features) < sizeof words);
	memcpy(words, features, strlen(features) + 1);
	for (char *word = strtok(words, " "); word != NULL && count < 12;
		word = strtok(NULL, " "))
		list[count++] = word;
	return holdfast_query_new(
		&bed->query, bed->store, list, count, terms, &bed->error);
}

static void prepare_well(struct bed *bed, const char *features)
{
	if (prepare(bed, features, NULL) != HOLDFAST_OK)
		fail_msg("%s", bed->error.text);
}

static void bind_text(struct bed *bed, size_t key, const char *text)
{
	holdfast_bind_text(bed->query, key, &text, NULL, 1);
}

static void bind_integer(struct bed *bed, size_t key, int64_t integer)
{
	holdfast_bind_int64(bed->query, key, &integer, 1);
}

static int look_up(struct bed *bed)
{
	return holdfast_lookup(bed->query, &bed->answer, &bed->error);
}

static void look_up_well(struct bed *bed)
{
	int rc = look_up(bed);
	if (rc != HOLDFAST_OK)
		fail_msg("%d: %s", rc, rc < 0 ? bed->error.text : "");
}

static const struct holdfast_value *value(
	const struct bed *bed, size_t row, size_t feature)
{
	const struct holdfast_answer *answer = bed->answer;
	assert_true(row < answer->row_count);
	assert_true(feature < answer->feature_count);
	return &answer->values[row * answer->feature_count + feature];
}

static void check_mistake(struct bed *bed, int rc, const char *why)
{
	assert_int_equal(rc, HOLDFAST_ERROR_USAGE);
	assert_int_equal(bed->error.code, rc);
	if (strstr(bed->error.text, why) == NULL)
		fail_msg("\"%s\" is not in: %s", why, bed->error.text);
}

/* ---- Values ----------------------------------------------------------- */

#define ALL                                                                    \
	"card:number card:sum card:spend card:score card:flag card:name "      \
	"card:photo card:seen card:vector card:empty"
enum { NUMBER, SUM, SPEND, SCORE, FLAG, NAME, PHOTO, SEEN, VECTOR, EMPTY };

static void take_full_card(struct bed *bed)
{
	take(bed, "{'view': 'card', 'entity': {'card_id': 'a/b \303\244'},"
		  " 'event_time': " OLD ", 'features': {"
		  "'number': 9007199254740993, 'sum': -9223372036854775808,"
		  "'spend': -12.34, 'score': 0.1, 'flag': true,"
		  "'name': 'M\303\274ller', 'photo': 'AP8K',"
		  "'seen': '1999-12-31T23:59:59.000001Z',"
		  "'vector': [1.5, -2, 0.25], 'empty': null}}");
}

static void every_type_comes_back_as_it_was_stored(void **state)
{
	struct bed *bed = *state;
	take_full_card(bed);
	prepare_well(bed, ALL);
	bind_text(bed, 0, "a/b \303\244");
	look_up_well(bed);
	assert_int_equal(bed->answer->row_count, 1);
	assert_int_equal(bed->answer->feature_count, 10);
	for (size_t i = 0; i < 10; i++) {
		assert_int_equal(
			value(bed, 0, i)->status, HOLDFAST_STATUS_FRESH);
		assert_int_equal(
			value(bed, 0, i)->reason, HOLDFAST_REASON_NONE);
		assert_int_equal(value(bed, 0, i)->event_time_us, OLD_US);
	}
	static const uint8_t types[] = {HOLDFAST_TYPE_INT64,
		HOLDFAST_TYPE_INT64, HOLDFAST_TYPE_DECIMAL,
		HOLDFAST_TYPE_FLOAT64, HOLDFAST_TYPE_BOOL, HOLDFAST_TYPE_STRING,
		HOLDFAST_TYPE_BYTES, HOLDFAST_TYPE_TIMESTAMP,
		HOLDFAST_TYPE_VECTOR, HOLDFAST_TYPE_NULL};
	for (size_t i = 0; i < 10; i++)
		assert_int_equal(value(bed, 0, i)->type, types[i]);
	/* Beyond 2^53: a double would make it ...992. */
	assert_true(
		value(bed, 0, NUMBER)->as.integer == INT64_C(9007199254740993));
	assert_true(value(bed, 0, SUM)->as.integer == INT64_MIN);
	assert_int_equal(value(bed, 0, SPEND)->as.integer, -1234);
	assert_int_equal(value(bed, 0, SPEND)->scale, 2);
	assert_true(value(bed, 0, SCORE)->as.real == 0.1);
	assert_int_equal(value(bed, 0, FLAG)->as.integer, 1);
	/* 1999-12-31T23:59:59Z is 946684799 s. */
	assert_int_equal(
		value(bed, 0, SEEN)->as.integer, INT64_C(946684799000001));
}

static void texts_end_with_a_nul_and_vectors_are_floats(void **state)
{
	struct bed *bed = *state;
	take_full_card(bed);
	prepare_well(bed, ALL);
	bind_text(bed, 0, "a/b \303\244");
	look_up_well(bed);
	assert_int_equal(value(bed, 0, NAME)->length, 7);
	assert_string_equal(value(bed, 0, NAME)->as.text, "M\303\274ller");
	assert_int_equal(value(bed, 0, PHOTO)->length, 3);
	assert_memory_equal(value(bed, 0, PHOTO)->as.bytes, "\0\377\n", 3);
	const struct holdfast_value *vector = value(bed, 0, VECTOR);
	assert_int_equal(vector->length, 3);
	assert_int_equal((uintptr_t)vector->as.vector % sizeof(float), 0);
	assert_true(vector->as.vector[0] == 1.5F &&
		    vector->as.vector[1] == -2 && vector->as.vector[2] == .25F);
}

static void numbers_are_had_as_doubles(void **state)
{
	struct bed *bed = *state;
	take_full_card(bed);
	prepare_well(bed, ALL);
	bind_text(bed, 0, "a/b \303\244");
	look_up_well(bed);
	static const double wanted[] = {9007199254740992.0, -0x1p63, -12.34,
		0.1, 1, -7, -7, 946684799000001.0, -7, -7};
	for (size_t i = 0; i < 10; i++)
		assert_true(holdfast_number(value(bed, 0, i), -7) == wanted[i]);
}

static void defaults_stand_in_and_say_so(void **state)
{
	struct bed *bed = *state;
	prepare_well(bed, ALL);
	bind_text(bed, 0, "nobody knows it");
	look_up_well(bed);
	/* A sum to which nothing contributed is 0. */
	static const struct {
		uint8_t status, type;
	} wanted[] = {
		[NUMBER] = {HOLDFAST_STATUS_MISSING, HOLDFAST_TYPE_NONE},
		[SUM] = {HOLDFAST_STATUS_DEFAULT, HOLDFAST_TYPE_INT64},
		[SPEND] = {HOLDFAST_STATUS_MISSING, HOLDFAST_TYPE_NONE},
		[SCORE] = {HOLDFAST_STATUS_MISSING, HOLDFAST_TYPE_NONE},
		[FLAG] = {HOLDFAST_STATUS_MISSING, HOLDFAST_TYPE_NONE},
		[NAME] = {HOLDFAST_STATUS_DEFAULT, HOLDFAST_TYPE_STRING},
		[PHOTO] = {HOLDFAST_STATUS_MISSING, HOLDFAST_TYPE_NONE},
		[SEEN] = {HOLDFAST_STATUS_MISSING, HOLDFAST_TYPE_NONE},
		[VECTOR] = {HOLDFAST_STATUS_DEFAULT, HOLDFAST_TYPE_VECTOR},
		[EMPTY] = {HOLDFAST_STATUS_DEFAULT, HOLDFAST_TYPE_NULL},
	};
	for (size_t i = 0; i < 10; i++) {
		assert_int_equal(value(bed, 0, i)->status, wanted[i].status);
		assert_int_equal(value(bed, 0, i)->type, wanted[i].type);
		assert_int_equal(
			value(bed, 0, i)->reason, HOLDFAST_REASON_MISSING);
		assert_true(
			value(bed, 0, i)->event_time_us == HOLDFAST_TIME_NONE);
	}
	assert_int_equal(value(bed, 0, SUM)->as.integer, 0);
	assert_string_equal(value(bed, 0, NAME)->as.text, "nobody");
	assert_true(value(bed, 0, VECTOR)->as.vector[2] == 3);
}

static void what_was_deleted_is_told_from_what_never_was(void **state)
{
	struct bed *bed = *state;
	take(bed, "{'view': 'user', 'entity': {'user_id': 1},"
		  " 'features': {'age': 30}}");
	take(bed, "{'view': 'user', 'entity': {'user_id': 1}, 'op': 'delete'}");
	prepare_well(bed, "user:age");
	holdfast_bind_int64(bed->query, 0, (const int64_t[]){1, 2}, 2);
	look_up_well(bed);
	assert_int_equal(value(bed, 0, 0)->reason, HOLDFAST_REASON_DELETED);
	assert_int_equal(value(bed, 1, 0)->reason, HOLDFAST_REASON_MISSING);
	assert_int_equal(value(bed, 0, 0)->status, HOLDFAST_STATUS_MISSING);
	assert_int_equal(value(bed, 1, 0)->status, HOLDFAST_STATUS_MISSING);
}

/* ---- Terms ------------------------------------------------------------ */

static void take_old_age(struct bed *bed)
{
	take(bed, "{'view': 'user', 'entity': {'user_id': 1},"
		  " 'event_time': " OLD ", 'features': {'age': 30}}");
}

static void an_old_value_is_expired(void **state)
{
	struct bed *bed = *state;
	struct holdfast_terms terms = {.ttl_us = 3600 * SECOND_US};
	take_old_age(bed);
	assert_int_equal(prepare(bed, "user:age", &terms), HOLDFAST_OK);
	bind_integer(bed, 0, 1);
	look_up_well(bed);
	assert_int_equal(value(bed, 0, 0)->status, HOLDFAST_STATUS_EXPIRED);
	assert_int_equal(value(bed, 0, 0)->reason, HOLDFAST_REASON_TTL);
	assert_int_equal(value(bed, 0, 0)->as.integer, 30);
	terms.when_expired = HOLDFAST_CHOICE_DEFAULT;
	assert_int_equal(prepare(bed, "user:age", &terms), HOLDFAST_OK);
	bind_integer(bed, 0, 1);
	look_up_well(bed);
	assert_int_equal(value(bed, 0, 0)->status, HOLDFAST_STATUS_MISSING);
	assert_int_equal(value(bed, 0, 0)->type, HOLDFAST_TYPE_NONE);
	assert_int_equal(value(bed, 0, 0)->event_time_us, OLD_US);
	terms.ttl_us = SECOND_US * 86400 * 365 * 100;
	assert_int_equal(prepare(bed, "user:age", &terms), HOLDFAST_OK);
	bind_integer(bed, 0, 1);
	look_up_well(bed);
	assert_int_equal(value(bed, 0, 0)->status, HOLDFAST_STATUS_FRESH);
}

static void lag_is_told_and_judged(void **state)
{
	struct bed *bed = *state;
	struct holdfast_terms terms = {.max_lag_us = 60 * SECOND_US};
	assert_int_equal(prepare(bed, "user:age", &terms), HOLDFAST_OK);
	bind_integer(bed, 0, 1);
	look_up_well(bed);
	assert_true(bed->answer->as_of_us == HOLDFAST_TIME_NONE);
	assert_true(bed->answer->lag_us == HOLDFAST_LAG_UNKNOWN);
	assert_true(bed->answer->views[0].behind);
	take_old_age(bed);
	int64_t as_of_us = event_store_now_us() - 600 * SECOND_US;
	event_store_mark(&bed->events, "log", as_of_us);
	int64_t before_us = event_store_now_us();
	look_up_well(bed);
	int64_t after_us = event_store_now_us();
	assert_true(bed->answer->lag_us >= before_us - bed->answer->as_of_us);
	assert_true(bed->answer->lag_us <= after_us - bed->answer->as_of_us);
	assert_int_equal(bed->answer->view_count, 1);
	assert_string_equal(bed->answer->views[0].name, "user");
	assert_int_equal(bed->answer->views[0].as_of_us, bed->answer->as_of_us);
	assert_int_equal(bed->answer->views[0].lag_us, bed->answer->lag_us);
}

static void a_pipeline_that_is_behind_marks_its_values(void **state)
{
	struct bed *bed = *state;
	struct holdfast_terms terms = {.max_lag_us = 1};
	take_old_age(bed);
	assert_int_equal(prepare(bed, "user:age", &terms), HOLDFAST_OK);
	bind_integer(bed, 0, 1);
	look_up_well(bed);
	assert_int_equal(value(bed, 0, 0)->status, HOLDFAST_STATUS_BEHIND);
	assert_int_equal(value(bed, 0, 0)->reason, HOLDFAST_REASON_MAX_LAG);
	assert_int_equal(value(bed, 0, 0)->as.integer, 30);
	assert_true(bed->answer->views[0].behind);
}

static void one_refused_value_withholds_all(void **state)
{
	struct bed *bed = *state;
	struct holdfast_terms terms = {.when_missing = HOLDFAST_CHOICE_FAIL};
	take_full_card(bed);
	assert_int_equal(
		prepare(bed, "card:number card:name", &terms), HOLDFAST_OK);
	const char *cards[] = {"a/b \303\244", "nobody knows it"};
	holdfast_bind_text(bed->query, 0, cards, NULL, 2);
	assert_int_equal(look_up(bed), HOLDFAST_REFUSED);
	assert_int_equal(bed->answer->refused, 2);
	assert_int_equal(value(bed, 0, 0)->status, HOLDFAST_STATUS_FRESH);
	assert_int_equal(value(bed, 1, 0)->status, HOLDFAST_STATUS_REFUSED);
	assert_int_equal(value(bed, 1, 0)->reason, HOLDFAST_REASON_MISSING);
	for (size_t row = 0; row < 2; row++)
		for (size_t i = 0; i < 2; i++) {
			assert_int_equal(
				value(bed, row, i)->type, HOLDFAST_TYPE_NONE);
			assert_int_equal(value(bed, row, i)->as.integer, 0);
		}
}

static void terms_that_make_no_sense_are_refused(void **state)
{
	struct bed *bed = *state;
	struct holdfast_terms terms = {.max_lag_us = -1};
	check_mistake(bed, prepare(bed, "user:age", &terms), "negative");
	terms = (struct holdfast_terms){.ttl_us = -1};
	check_mistake(bed, prepare(bed, "user:age", &terms), "negative");
	int three = 3;
	terms = (struct holdfast_terms){0};
	memcpy(&terms.when_expired, &three, sizeof three);
	check_mistake(
		bed, prepare(bed, "user:age", &terms), "no holdfast_choice");
}

/* ---- Several rows and views ------------------------------------------- */

static void one_user_is_asked_with_many_items(void **state)
{
	struct bed *bed = *state;
	take(bed, "{'view': 'user', 'entity': {'user_id': 7},"
		  " 'features': {'age': 30}}");
	take(bed, "{'view': 'pair', 'entity': {'user_id': 7, 'item': 'x'},"
		  " 'features': {'clicks': 1}}");
	take(bed, "{'view': 'pair', 'entity': {'user_id': 7, 'item': 'y'},"
		  " 'features': {'clicks': 2}}");
	prepare_well(bed, "pair:clicks user:age");
	size_t count;
	const struct holdfast_key *keys =
		holdfast_query_keys(bed->query, &count);
	assert_int_equal(count, 2);
	assert_string_equal(keys[0].name, "user_id");
	assert_int_equal(keys[0].type, HOLDFAST_TYPE_INT64);
	assert_string_equal(keys[1].name, "item");
	assert_int_equal(keys[1].type, HOLDFAST_TYPE_STRING);
	bind_integer(bed, 0, 7);
	const char *items[] = {"y", "none", "x"};
	holdfast_bind_text(bed->query, 1, items, NULL, 3);
	look_up_well(bed);
	assert_int_equal(bed->answer->row_count, 3);
	static const int64_t clicks[] = {2, -1, 1};
	for (size_t row = 0; row < 3; row++) {
		assert_true(
			holdfast_number(value(bed, row, 0), -1) == clicks[row]);
		assert_int_equal(value(bed, row, 1)->as.integer, 30);
	}
	assert_int_equal(bed->answer->view_count, 2);
}

static void rows_and_features_come_in_the_order_asked_for(void **state)
{
	struct bed *bed = *state;
	enum { ROWS = 300 };
	int64_t users[ROWS];
	const char *cards[ROWS];
	char text[300];
	for (int i = 0; i < 5; i++) {
		snprintf(text, sizeof text,
			"{'view': 'user', 'entity': {'user_id': %d},"
			" 'features': {'age': %d}}",
			i, 20 + i);
		take(bed, text);
		snprintf(text, sizeof text,
			"{'view': 'card', 'entity': {'card_id': 'c%d'},"
			" 'features': {'number': %d, 'score': 0.5}}",
			i, 40 + i);
		take(bed, text);
	}
	static const char *const names[] = {"c0", "c1", "c2", "c3", "c4"};
	for (size_t i = 0; i < ROWS; i++) {
		users[i] = (int64_t)(i * 3 % 5);
		cards[i] = names[i * 2 % 5];
	}
	prepare_well(bed, "card:score user:age card:number user:age");
	holdfast_bind_text(bed->query, 0, cards, NULL, ROWS);
	holdfast_bind_int64(bed->query, 1, users, ROWS);
	look_up_well(bed);
	assert_int_equal(bed->answer->row_count, ROWS);
	for (size_t i = 0; i < ROWS; i++) {
		assert_true(value(bed, i, 0)->as.real == 0.5);
		assert_int_equal(value(bed, i, 1)->as.integer, 20 + i * 3 % 5);
		assert_int_equal(value(bed, i, 2)->as.integer, 40 + i * 2 % 5);
		assert_int_equal(value(bed, i, 3)->as.integer, 20 + i * 3 % 5);
	}
}

static void an_empty_batch_has_an_empty_answer(void **state)
{
	struct bed *bed = *state;
	prepare_well(bed, "pair:clicks");
	bind_integer(bed, 0, 7);
	holdfast_bind_text(bed->query, 1, NULL, NULL, 0);
	look_up_well(bed);
	assert_int_equal(bed->answer->row_count, 0);
	assert_string_equal(bed->answer->generation, "g1");
}

static void keys_stay_bound_until_they_are_bound_again(void **state)
{
	struct bed *bed = *state;
	take_old_age(bed);
	prepare_well(bed, "user:age");
	bind_integer(bed, 0, 1);
	look_up_well(bed);
	look_up_well(bed);
	assert_int_equal(value(bed, 0, 0)->as.integer, 30);
	bind_integer(bed, 0, 2);
	look_up_well(bed);
	assert_int_equal(value(bed, 0, 0)->type, HOLDFAST_TYPE_NONE);
}

static void texts_may_come_with_lengths(void **state)
{
	struct bed *bed = *state;
	take_full_card(bed);
	prepare_well(bed, "card:flag");
	const char *card = "a/b \303\244 and more";
	const size_t length = 6;
	holdfast_bind_text(bed->query, 0, &card, &length, 1);
	look_up_well(bed);
	assert_int_equal(value(bed, 0, 0)->status, HOLDFAST_STATUS_FRESH);
}

/* ---- Queries ---------------------------------------------------------- */

static void names_that_are_not_there_are_told(void **state)
{
	struct bed *bed = *state;
	check_mistake(bed, prepare(bed, "card:nam", NULL),
		"view card: there is no feature nam: did you mean name?");
	assert_null(bed->query);
	check_mistake(bed, prepare(bed, "cards:name", NULL),
		"there is no view cards: did you mean card?");
	check_mistake(bed, prepare(bed, "name", NULL), "\"name\"");
	check_mistake(bed, prepare(bed, "", NULL), "0 features");
	check_mistake(bed, prepare(bed, "user:age other:age", NULL),
		"differ in the type of key user_id");
	check_mistake(bed,
		holdfast_query_service(
			&bed->query, bed->store, "frau", NULL, &bed->error),
		"no service frau");
	assert_null(bed->query);
}

static void too_much_is_not_asked_at_once(void **state)
{
	struct bed *bed = *state;
	/* The list is not looked at. */
	check_mistake(bed,
		holdfast_query_new(&bed->query, bed->store, NULL,
			HOLDFAST_FEATURES_MAX + 1, NULL, &bed->error),
		"10001 features: a query asks for 1 to 10000");
	assert_null(bed->query);
}

static void a_service_is_asked_under_terms_that_make_sense(void **state)
{
	struct bed *bed = *state;
	const struct holdfast_terms negative = {.ttl_us = -1};
	check_mistake(bed,
		holdfast_query_service(&bed->query, bed->store, "fraud",
			&negative, &bed->error),
		"a limit is negative");
	assert_null(bed->query);
}

static void queries_are_freed_in_any_order(void **state)
{
	struct bed *bed = *state;
	struct holdfast_query *queries[3];
	take_old_age(bed);
	for (size_t i = 0; i < 3; i++) {
		bed->query = NULL;
		prepare_well(bed, "user:age");
		queries[i] = bed->query;
	}
	holdfast_query_free(queries[1]);
	holdfast_query_free(queries[0]);
	holdfast_query_free(NULL);
	bed->query = queries[2];
	bind_integer(bed, 0, 1);
	look_up_well(bed);
}

static void a_query_tells_what_it_asks(void **state)
{
	struct bed *bed = *state;
	prepare_well(bed, "card:vector card:spend user:age");
	size_t count;
	const struct holdfast_feature *features =
		holdfast_query_features(bed->query, &count);
	assert_int_equal(count, 3);
	assert_string_equal(features[0].view, "card");
	assert_string_equal(features[0].name, "vector");
	assert_int_equal(features[0].type, HOLDFAST_TYPE_VECTOR);
	assert_int_equal(features[0].length, 3);
	assert_int_equal(features[1].type, HOLDFAST_TYPE_DECIMAL);
	assert_int_equal(features[1].scale, 2);
	assert_string_equal(features[2].view, "user");
	const struct holdfast_key *keys =
		holdfast_query_keys(bed->query, &count);
	assert_int_equal(count, 2);
	assert_string_equal(keys[0].name, "card_id");
	assert_string_equal(keys[1].name, "user_id");
}

static void a_service_asks_for_its_features(void **state)
{
	struct bed *bed = *state;
	assert_int_equal(holdfast_query_service(&bed->query, bed->store,
				 "fraud", NULL, &bed->error),
		HOLDFAST_OK);
	size_t count;
	const struct holdfast_feature *features =
		holdfast_query_features(bed->query, &count);
	assert_int_equal(count, 2);
	assert_string_equal(features[0].name, "age");
	assert_string_equal(features[1].name, "score");
}

static void wrong_bindings_are_told_and_answer_nobody(void **state)
{
	struct bed *bed = *state;
	take_old_age(bed);
	prepare_well(bed, "user:age");
	check_mistake(bed, look_up(bed), "user_id is not bound");
	bind_integer(bed, 0, 1);
	look_up_well(bed);
	bind_integer(bed, 1, 1);
	check_mistake(bed, look_up(bed), "no key number 1");
	assert_null(bed->answer);
	/* Not the entity of before. */
	check_mistake(bed, look_up(bed), "user_id is not bound");
	bind_text(bed, 0, "1");
	bind_integer(bed, 5, 1); /* the first mistake is told */
	check_mistake(bed, look_up(bed), "user_id is of type int64");
	int64_t *many = calloc(HOLDFAST_ROWS_MAX + 1, sizeof *many);
	holdfast_bind_int64(bed->query, 0, many, HOLDFAST_ROWS_MAX + 1);
	check_mistake(bed, look_up(bed), "100001 rows");
	free(many);
	bind_integer(bed, 0, 1);
	look_up_well(bed);
}

static void texts_that_can_be_no_key_are_told(void **state)
{
	struct bed *bed = *state;
	prepare_well(bed, "pair:clicks");
	const char *items[] = {"x", "y\0z", "w"};
	bind_integer(bed, 0, 1);
	holdfast_bind_text(bed->query, 1, items, (const size_t[]){1, 3, 1}, 3);
	check_mistake(bed, look_up(bed), "key item: row 1: a NUL");
	bind_integer(bed, 0, 1);
	items[2] = NULL;
	holdfast_bind_text(bed->query, 1, items, NULL, 3);
	check_mistake(bed, look_up(bed), "key item: row 2: no text");
	bind_integer(bed, 0, 1);
	holdfast_bind_text(bed->query, 1, items,
		(const size_t[]){HOLDFAST_KEY_BYTES_MAX + 1}, 1);
	check_mistake(bed, look_up(bed), "key item: row 0: longer");
	holdfast_bind_int64(bed->query, 0, (const int64_t[]){1, 2}, 2);
	holdfast_bind_text(bed->query, 1, items, (const size_t[]){1, 1, 0}, 3);
	check_mistake(bed, look_up(bed), "key item: row 2: no text");
}

static void keys_of_different_counts_are_told(void **state)
{
	struct bed *bed = *state;
	prepare_well(bed, "pair:clicks");
	const char *items[] = {"x", "y", "z"};
	holdfast_bind_int64(bed->query, 0, (const int64_t[]){1, 2}, 2);
	holdfast_bind_text(bed->query, 1, items, NULL, 3);
	check_mistake(bed, look_up(bed), "item is bound to 3 rows");
}

/* ---- Time: positions, generations, damage ----------------------------- */

static void a_position_brings_back_what_was_seen(void **state)
{
	struct bed *bed = *state;
	take_old_age(bed);
	prepare_well(bed, "user:age");
	bind_integer(bed, 0, 1);
	look_up_well(bed);
	assert_string_equal(bed->answer->position, "log:0:1");
	assert_int_equal(holdfast_lookup_at_least(bed->query, "log:0:2", 0,
				 &bed->answer, &bed->error),
		HOLDFAST_NOT_YET);
	assert_null(bed->answer);
	take_old_age(bed);
	assert_int_equal(holdfast_lookup_at_least(bed->query, "log:0:2", 0,
				 &bed->answer, &bed->error),
		HOLDFAST_OK);
	assert_string_equal(bed->answer->position, "log:0:2");
	check_mistake(bed,
		holdfast_lookup_at_least(
			bed->query, "log", 0, &bed->answer, &bed->error),
		"log");
}

static void *write_later(void *argument)
{
	struct bed *bed = argument;
	usleep(20000);
	take_old_age(bed);
	return NULL;
}

static void a_lookup_waits_for_its_position(void **state)
{
	struct bed *bed = *state;
	pthread_t writer;
	take_old_age(bed);
	prepare_well(bed, "user:age");
	bind_integer(bed, 0, 1);
	assert_int_equal(pthread_create(&writer, NULL, write_later, bed), 0);
	assert_int_equal(holdfast_lookup_at_least(bed->query, "log:0:2", 60000,
				 &bed->answer, &bed->error),
		HOLDFAST_OK);
	assert_string_equal(bed->answer->position, "log:0:2");
	pthread_join(writer, NULL);
}

static struct directory entry(const struct event_store *store, const char *name)
{
	return directory_entry(&store->directory, name);
}

/* The file of `from` becomes generation `name` of the bed's store, live. */
static void switch_to(
	struct bed *bed, struct event_store *from, const char *name)
{
	char file[64];
	store_close(from->store);
	from->store = NULL;
	snprintf(file, sizeof file, "generations/%s.db", name);
	struct directory old = entry(from, "generations/g1.db");
	struct directory new = entry(&bed->events, file);
	struct directory link = entry(&bed->events, "features.db");
	assert_int_equal(rename(old.path, new.path), 0);
	assert_int_equal(unlink(link.path), 0);
	assert_int_equal(symlink(file, link.path), 0);
}

static void a_switched_generation_is_read_at_once_when_told(void **state)
{
	struct bed *bed = *state;
	struct event_store next;
	take_old_age(bed);
	prepare_well(bed, "user:age");
	bind_integer(bed, 0, 1);
	look_up_well(bed);
	assert_int_equal(
		holdfast_refresh(bed->store, &bed->error), HOLDFAST_OK);
	event_store_make(&next, schema);
	event_store_take(&next, "log",
		"{'view': 'user', 'entity': {'user_id': 1},"
		" 'features': {'age': 31}}");
	switch_to(bed, &next, "g2");
	assert_int_equal(
		holdfast_refresh(bed->store, &bed->error), HOLDFAST_REOPENED);
	look_up_well(bed);
	assert_string_equal(bed->answer->generation, "g2");
	assert_int_equal(value(bed, 0, 0)->as.integer, 31);
	event_store_remove(&next);
}

/* The same views, and one more feature of the user's. */
static struct schema *wider_schema(void)
{
	static const char old[] = "'features': {'age'";
	static const char new[] = "'features': {'level': {'type': 'int64'},"
				  " 'age'";
	char text[sizeof schema + sizeof new];
	struct schema *parsed = NULL;
	const char *at = strstr(schema, old);
	assert_non_null(at);
	int length = snprintf(text, sizeof text, "%.*s%s%s", (int)(at - schema),
		schema, new, at + sizeof old - 1);
	assert_true(length > 0 && (size_t)length < sizeof text);
	for (char *quote = text; *quote != '\0'; quote++)
		if (*quote == '\'')
			*quote = '"';
	assert_int_equal(
		schema_parse(&parsed, slice_of(text), "wider", NULL), 0);
	return parsed;
}

static void a_schema_that_was_changed_is_followed_by_the_next_lookup(
	void **state)
{
	struct bed *bed = *state;
	const struct decision decision = {1, "ada", "schema apply", "", ""};
	struct fault fault = {0};
	struct schema *wanted = wider_schema();
	bool changed = false;
	take_old_age(bed);
	prepare_well(bed, "user:age");
	bind_integer(bed, 0, 1);
	look_up_well(bed);
	int64_t age = value(bed, 0, 0)->as.integer;
	if (store_take_schema(&bed->events.store, wanted, &decision, &changed,
		    &fault) < 0)
		fail_msg("%s", fault.text);
	assert_true(changed);
	look_up_well(bed);
	assert_int_equal(value(bed, 0, 0)->as.integer, age);
	prepare_well(bed, "user:level user:age");
	bind_integer(bed, 0, 1);
	look_up_well(bed);
	assert_int_equal(value(bed, 0, 1)->as.integer, age);
	schema_free(wanted);
}

static void nothing_is_changed_while_a_generation_is_built(void **state)
{
	struct bed *bed = *state;
	const struct decision decision = {1, "ada", "schema apply", "", ""};
	struct store_options options = store_options_default();
	const struct store_build build = {.origin = "the log"};
	struct fault fault = {0};
	struct store *built = NULL;
	struct schema *wanted = wider_schema();
	bool changed = false;
	options.path = bed->events.directory.path;
	options.ballast_bytes = 0;
	if (store_build(&built, &options, &build, &fault) < 0)
		fail_msg("%s", fault.text);
	assert_int_equal(store_take_schema(&bed->events.store, wanted,
				 &decision, &changed, &fault),
		FAULT_REFUSED);
	store_close(built);
	schema_free(wanted);
}

static void a_switched_generation_is_seen_within_a_second(void **state)
{
	struct bed *bed = *state;
	struct event_store next;
	prepare_well(bed, "user:age");
	bind_integer(bed, 0, 1);
	event_store_make(&next, schema);
	switch_to(bed, &next, "g2");
	/* A second ago, and after the clock was set back. */
	bed->store->checked_us = event_store_now_us() - SECOND_US;
	look_up_well(bed);
	assert_string_equal(bed->answer->generation, "g2");
	bed->store->checked_us = event_store_now_us() + 3600 * SECOND_US;
	look_up_well(bed);
	assert_true(bed->store->checked_us <= event_store_now_us());
	event_store_remove(&next);
}

static void an_answer_lives_on_when_another_query_reopens_the_store(
	void **state)
{
	struct bed *bed = *state;
	struct event_store next;
	prepare_well(bed, "card:name card:vector");
	bind_text(bed, 0, "nowhere");
	look_up_well(bed);
	event_store_make(&next, schema);
	switch_to(bed, &next, "g2");
	assert_int_equal(
		holdfast_refresh(bed->store, &bed->error), HOLDFAST_REOPENED);
	assert_string_equal(bed->answer->generation, "g1");
	assert_string_equal(bed->answer->views[0].name, "card");
	assert_string_equal(value(bed, 0, 0)->as.text, "nobody");
	assert_true(value(bed, 0, 1)->as.vector[2] == 3);
	event_store_remove(&next);
}

static void a_query_that_the_new_schema_does_not_fit_is_told(void **state)
{
	static const char changed[] =
		"{'views': {"
		" 'user': {'entity': {'user_id': 'int64'}, 'features': {"
		"  'weight': {'type': 'int64'}, 'age': {'type': 'int64'}}},"
		" 'pair': {'entity': {'item': 'string', 'user_id': 'int64'},"
		"  'features': {'clicks': {'type': 'int64'}}},"
		" 'more': {'entity': {'user_id': 'string', 'day': 'int64'},"
		"  'features': {'age': {'type': 'int64'}}},"
		" 'other': {'entity': {'person': 'string'},"
		"  'features': {'age': {'type': 'int64'}}},"
		" 'kind': {'entity': {'id': 'string'},"
		"  'features': {'age': {'type': 'int64'}}},"
		" 'card': {'entity': {'card_id': 'string'}, 'features': {"
		"  'spend': {'type': 'decimal(3)'},"
		"  'vector': {'type': 'float32[4]'}}}},"
		"'sources': {'log': {'missing_key': 'position'}}}";
	static const struct {
		const char *feature, *why;
	} cases[] = {
		{"pair:clicks", "view pair: key"},
		{"card:spend", "view card: feature spend"},
		{"card:vector", "view card: feature vector"},
		{"card:name", "there is no feature name"},
		{"kind:age", "view kind: key id"},
		{"other:age", "view other: key user_id"},
		{"more:age", "view more: the number of keys"},
		{"gone:age", "there is no view gone"},
	};
	enum { CASES = sizeof cases / sizeof cases[0] };
	struct bed *bed = *state;
	struct event_store next;
	struct holdfast_query *kept, *queries[CASES];
	prepare_well(bed, "user:age");
	bind_integer(bed, 0, 1);
	kept = bed->query;
	for (size_t i = 0; i < CASES; i++) {
		bed->query = NULL;
		prepare_well(bed, cases[i].feature);
		queries[i] = bed->query;
	}
	event_store_make(&next, changed);
	event_store_take(&next, "log",
		"{'view': 'user', 'entity': {'user_id': 1},"
		" 'features': {'age': 32, 'weight': 70}}");
	switch_to(bed, &next, "g2");
	assert_int_equal(
		holdfast_refresh(bed->store, &bed->error), HOLDFAST_REOPENED);
	for (size_t i = 0; i < CASES; i++) {
		bed->query = queries[i];
		check_mistake(bed, look_up(bed), cases[i].why);
		check_mistake(bed, look_up(bed), cases[i].why);
	}
	/* The feature has another number there. */
	bed->query = kept;
	look_up_well(bed);
	assert_int_equal(value(bed, 0, 0)->as.integer, 32);
	event_store_remove(&next);
}

static void a_kept_snapshot_is_the_newest_one(void **state)
{
	struct bed *bed = *state;
	struct event_store next;
	holdfast_keep(bed->store, true);
	prepare_well(bed, "user:age");
	bind_integer(bed, 0, 1);
	for (int age = 40; age < 45; age++) {
		char text[200];
		snprintf(text, sizeof text,
			"{'view': 'user', 'entity': {'user_id': 1},"
			" 'features': {'age': %d}}",
			age);
		take(bed, text);
		for (int i = 0; i < 2; i++) {
			look_up_well(bed);
			assert_int_equal(value(bed, 0, 0)->as.integer, age);
		}
	}
	assert_true(sqlite3_stmt_busy(bed->store->reader->anchor));
	holdfast_rest(bed->store);
	assert_false(sqlite3_stmt_busy(bed->store->reader->anchor));
	/* Also by the reader of another generation. */
	event_store_make(&next, schema);
	switch_to(bed, &next, "g2");
	assert_int_equal(
		holdfast_refresh(bed->store, &bed->error), HOLDFAST_REOPENED);
	look_up_well(bed);
	look_up_well(bed);
	assert_true(sqlite3_stmt_busy(bed->store->reader->anchor));
	holdfast_keep(bed->store, false);
	assert_false(sqlite3_stmt_busy(bed->store->reader->anchor));
	look_up_well(bed);
	assert_false(sqlite3_stmt_busy(bed->store->reader->anchor));
	event_store_remove(&next);
}

static void a_store_that_is_gone_is_still_read(void **state)
{
	struct bed *bed = *state;
	take_old_age(bed);
	prepare_well(bed, "user:age");
	bind_integer(bed, 0, 1);
	look_up_well(bed);
	struct directory link = entry(&bed->events, "features.db");
	assert_int_equal(unlink(link.path), 0);
	bed->store->checked_us = 0;
	look_up_well(bed);
	assert_int_equal(value(bed, 0, 0)->as.integer, 30);
	assert_int_equal(holdfast_refresh(bed->store, &bed->error),
		HOLDFAST_ERROR_NO_STORE);
	look_up_well(bed);
}

static void tamper(struct bed *bed, const char *sql)
{
	sqlite3 *db = NULL;
	struct directory file = entry(&bed->events, "features.db");
	assert_int_equal(
		sqlite3_open_v2(file.path, &db, SQLITE_OPEN_READWRITE, NULL),
		SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void a_damaged_row_is_never_served(void **state)
{
	struct bed *bed = *state;
	take_old_age(bed);
	take(bed, "{'view': 'user', 'entity': {'user_id': 2},"
		  " 'features': {'age': 20}}");
	prepare_well(bed, "user:age");
	tamper(bed, "UPDATE user SET age = age + 1 WHERE user_id = 1");
	bind_integer(bed, 0, 1);
	assert_int_equal(look_up(bed), HOLDFAST_ERROR_CORRUPT);
	assert_null(bed->answer);
	bind_integer(bed, 0, 2);
	look_up_well(bed);
	/* Mended, it is served again, by a new reader within a second. */
	tamper(bed, "UPDATE user SET age = age - 1 WHERE user_id = 1");
	unsigned openings = bed->store->openings;
	bed->store->checked_us = 0;
	bind_integer(bed, 0, 1);
	look_up_well(bed);
	assert_int_equal(bed->store->openings, openings + 1);
	assert_int_equal(value(bed, 0, 0)->as.integer, 30);
}

/* ---- The rest --------------------------------------------------------- */

static void what_is_no_store_is_told(void **state)
{
	struct bed *bed = *state;
	struct holdfast *store = bed->store;
	assert_int_equal(holdfast_open(&store, "/nowhere", 0, &bed->error),
		HOLDFAST_ERROR_NO_STORE);
	assert_null(store);
	assert_non_null(strstr(bed->error.text, "/nowhere"));
	/* Nobody has to listen. */
	assert_int_equal(holdfast_open(&store, "/nowhere", 0, NULL),
		HOLDFAST_ERROR_NO_STORE);
	holdfast_close(NULL);
	holdfast_query_free(NULL);
}

static void a_store_tells_who_it_is(void **state)
{
	struct bed *bed = *state;
	assert_string_equal(holdfast_version(), HOLDFAST_VERSION);
	assert_string_equal(
		holdfast_store_id(bed->store), store_id(bed->events.store));
	assert_string_equal(
		holdfast_schema(bed->store), bed->events.schema->text);
	assert_string_equal(
		holdfast_status_name(HOLDFAST_STATUS_EXPIRED), "expired");
	assert_string_equal(
		holdfast_reason_name(HOLDFAST_REASON_MAX_LAG), "max_lag");
	assert_string_equal(
		holdfast_type_name(HOLDFAST_TYPE_TIMESTAMP), "timestamp");
	assert_string_equal(holdfast_type_name(-1), "none");
	assert_string_equal(holdfast_type_name(10), "none");
	assert_string_equal(holdfast_status_name(-1), "unknown");
	assert_string_equal(holdfast_status_name(6), "unknown");
	assert_string_equal(holdfast_reason_name(-1), "unknown");
	assert_string_equal(holdfast_reason_name(7), "unknown");
}

/* Counted by the linker's --wrap, in the rooms that libholdfast is made of. */
static size_t allocations;
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

void *__wrap_malloc(size_t size)
{
	allocations++;
	return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	allocations++;
	return __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
	allocations++;
	return __real_realloc(memory, size);
}

static void lookups_allocate_nothing(void **state)
{
	struct bed *bed = *state;
	take_full_card(bed);
	prepare_well(bed, ALL);
	const char *cards[] = {"a/b \303\244", "none", "a/b \303\244"};
	holdfast_bind_text(bed->query, 0, cards, NULL, 3);
	look_up_well(bed);
	assert_true(allocations > 0);
	size_t before = allocations;
	for (int i = 0; i < 100; i++) {
		holdfast_bind_text(bed->query, 0, cards, NULL, 3);
		look_up_well(bed);
	}
	assert_int_equal(allocations, before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_LIBRARY(every_type_comes_back_as_it_was_stored),
		WITH_LIBRARY(texts_end_with_a_nul_and_vectors_are_floats),
		WITH_LIBRARY(numbers_are_had_as_doubles),
		WITH_LIBRARY(defaults_stand_in_and_say_so),
		WITH_LIBRARY(what_was_deleted_is_told_from_what_never_was),
		WITH_LIBRARY(an_old_value_is_expired),
		WITH_LIBRARY(lag_is_told_and_judged),
		WITH_LIBRARY(a_pipeline_that_is_behind_marks_its_values),
		WITH_LIBRARY(one_refused_value_withholds_all),
		WITH_LIBRARY(terms_that_make_no_sense_are_refused),
		WITH_LIBRARY(one_user_is_asked_with_many_items),
		WITH_LIBRARY(rows_and_features_come_in_the_order_asked_for),
		WITH_LIBRARY(an_empty_batch_has_an_empty_answer),
		WITH_LIBRARY(keys_stay_bound_until_they_are_bound_again),
		WITH_LIBRARY(texts_may_come_with_lengths),
		WITH_LIBRARY(names_that_are_not_there_are_told),
		WITH_LIBRARY(too_much_is_not_asked_at_once),
		WITH_LIBRARY(a_service_is_asked_under_terms_that_make_sense),
		WITH_LIBRARY(queries_are_freed_in_any_order),
		WITH_LIBRARY(a_query_tells_what_it_asks),
		WITH_LIBRARY(a_service_asks_for_its_features),
		WITH_LIBRARY(wrong_bindings_are_told_and_answer_nobody),
		WITH_LIBRARY(texts_that_can_be_no_key_are_told),
		WITH_LIBRARY(keys_of_different_counts_are_told),
		WITH_LIBRARY(a_position_brings_back_what_was_seen),
		WITH_LIBRARY(a_lookup_waits_for_its_position),
		WITH_LIBRARY(a_switched_generation_is_read_at_once_when_told),
		WITH_LIBRARY(
			a_schema_that_was_changed_is_followed_by_the_next_lookup),
		WITH_LIBRARY(nothing_is_changed_while_a_generation_is_built),
		WITH_LIBRARY(a_switched_generation_is_seen_within_a_second),
		WITH_LIBRARY(
			an_answer_lives_on_when_another_query_reopens_the_store),
		WITH_LIBRARY(a_query_that_the_new_schema_does_not_fit_is_told),
		WITH_LIBRARY(a_kept_snapshot_is_the_newest_one),
		WITH_LIBRARY(a_store_that_is_gone_is_still_read),
		WITH_LIBRARY(a_damaged_row_is_never_served),
		WITH_LIBRARY(what_is_no_store_is_told),
		WITH_LIBRARY(a_store_tells_who_it_is),
		WITH_LIBRARY(lookups_allocate_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
