/*
 * What explains that a rebuilt generation differs: decisions about letters, and
 * about what the log lost. Both took the same log; what is expected is written
 * down by hand.
 */
#include "ingest/command/rebuild_causes.h"
#include "ingest/retry.h"
#include "store/decisions.h"
#include "store/generations.h"
#include "tests/lib/check.h"
#include "tests/lib/event_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TOPIC "events"
#define SCHEMA                                                                 \
	"{'views': {'account': {'entity': {'id': 'int64'},"                    \
	" 'features': {'count': {'type': 'int64', 'merge': 'sum'},"            \
	" 'label': {'type': 'string'}}}},"                                     \
	" 'sources': {'events': {}}}"
#define TOLD_BYTES 1024
#define HOUR_US (3600 * INT64_C(1000000))

static const struct decision decision = {.at_us = 1795422048000000,
	.who = "ada",
	.what = "accept gap",
	.target = "events:0",
	.because = "a test"};

struct rig {
	struct event_store live;
	struct store *built;
	char told[TOLD_BYTES]; /* "entity feature: why" and a newline each */
	struct causes *causes;
};

static void good(int rc, const struct fault *fault)
{
	if (rc != 0)
		fail_msg("%d: %s", rc, fault->text);
}

static int setup(void **state)
{
	static struct rig rig;
	struct fault fault = {0};
	memset(&rig, 0, sizeof rig);
	event_store_make(&rig.live, SCHEMA);
	struct store_options options = store_options_default();
	options.path = rig.live.directory.path;
	const struct store_build build = {.origin = "the log"};
	good(store_build(&rig.built, &options, &build, &fault), &fault);
	*state = &rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;
	store_close(rig->built);
	event_store_remove(&rig->live);
	return 0;
}

/* Where, and how it is to be taken. */
struct spot {
	int32_t partition;
	int64_t offset;
	int64_t max_skew_us; /* 0: the default */
	bool crashes;	     /* parked unseen */
};

static struct store_record record_at(struct rig *rig, struct store *store,
	const struct spot *spot, const char *value)
{
	struct fault fault = {0};
	const struct store_partition *partition = NULL;
	good(store_partition(store, TOPIC, spot->partition, spot->offset,
		     &partition, &fault),
		&fault);
	char *text = arena_take(&rig->live.arena, strlen(value) + 1);
	assert_non_null(text);
	memcpy(text, value, strlen(value) + 1);
	for (char *at = text; (at = strchr(at, '\'')) != NULL;)
		*at = '"';
	return (struct store_record){.record = {.form = RECORD_MESSAGE,
					     .log = &partition->log,
					     .offset = spot->offset,
					     .next_offset = spot->offset + 1,
					     .timestamp_us = decision.at_us,
					     .value = slice_of(text)}};
}

static void take(struct rig *rig, struct store *store, const struct spot *spot,
	const char *value)
{
	struct fault fault = {0};
	struct decoder decoder = rig->live.decoder;
	struct store_record record = record_at(rig, store, spot, value);
	struct update parked = {.reason = REASON_CRASH_LOOP,
		.parks = true,
		.detail = "it ended the process"};
	if (spot->max_skew_us > 0)
		decoder.max_skew_us = spot->max_skew_us;
	decoder.schema = store_schema(store);
	good(decode_record(&decoder, schema_source(decoder.schema, TOPIC),
		     &record.record, &rig->live.arena, &record.decoded, &fault),
		&fault);
	if (spot->crashes)
		record.decoded = (struct decoded){decision.at_us, &parked, 1};
	const struct store_batch batch = {.records = &record,
		.record_count = 1,
		.due_us = decision.at_us};
	good(store_apply(store, &batch, NULL, &fault), &fault);
}

static void both(struct rig *rig, int64_t offset, const char *value)
{
	const struct spot spot = {.offset = offset};
	take(rig, rig->live.store, &spot, value);
	take(rig, rig->built, &spot, value);
}

static bool decided(void *payload, const struct difference *one)
{
	struct rig *rig = payload;
	const char *why = causes_of(rig->causes, one);
	size_t length = strlen(rig->told);
	(void)snprintf(rig->told + length, sizeof rig->told - length,
		"%" PRId64 " %s: %s\n", one->entity[0].as.integer,
		one->left_feature->name, why == NULL ? "?" : why);
	return why != NULL;
}

/* How many of the differences decisions explain; what was told is in *rig. */
static int64_t compare(struct rig *rig)
{
	struct fault fault = {0};
	struct reader *live = NULL, *built = NULL;
	struct diff diff = {0};
	const char *path = rig->live.directory.path;
	const struct diff_options options = {
		.decided = decided, .payload = rig};
	good(reader_open(&live, path, 1000, &fault), &fault);
	good(reader_open_generation(&built, path, "g2", 1000, &fault), &fault);
	good(causes_find(&rig->causes, live, built, &rig->live.decoder, &fault),
		&fault);
	good(readers_compare(
		     live, built, &options, &rig->live.arena, &diff, &fault),
		&fault);
	causes_free(rig->causes);
	reader_close(live);
	reader_close(built);
	return diff.views[0].by_decision;
}

static void a_letter_that_was_forced_in_explains_what_it_brought(void **state)
{
	struct rig *rig = *state;
	struct fault fault = {0};
	struct retry_result result = {0};
	const int64_t id = 1;
	both(rig, 0,
		"{'id': 1, 'view': 'account', 'entity': {'id': 7},"
		" 'features': {'count': 2}}");
	both(rig, 1,
		"{'id': 1, 'view': 'account', 'entity': {'id': 9},"
		" 'features': {'count': 4}}");
	const struct retry_request request = {.store = rig->live.store,
		.decoder = rig->live.decoder,
		.kind = LETTER_DEAD,
		.ids = &id,
		.count = 1,
		.how = {.force = true, .attempts_max = 1},
		.uncounted = true};
	good(retry_letters(&request, &result, &fault), &fault);
	assert_int_equal(result.verdict.fate, RETRY_APPLIED);
	/* newer than what was forced: its version tells nothing any more */
	both(rig, 2,
		"{'id': 3, 'view': 'account', 'entity': {'id': 9},"
		" 'features': {'count': 1}}");
	assert_int_equal(compare(rig), 1);
	assert_string_equal(
		rig->told, "9 count: dead 1 of the new one: key_reused\n");
}

static void it_does_not_explain_other_features(void **state)
{
	struct rig *rig = *state;
	const struct spot first = {.offset = 0, .crashes = true};
	const struct spot same = {.offset = 0};
	const struct spot second = {.offset = 1};
	const char *counts = "{'id': 1, 'view': 'account', 'entity':"
			     " {'id': 7}, 'features': {'count': 2}}";
	take(rig, rig->live.store, &first, counts);
	take(rig, rig->built, &same, counts);
	take(rig, rig->live.store, &second,
		"{'id': 2, 'view': 'account', 'entity': {'id': 7},"
		" 'features': {'label': 'one'}}");
	take(rig, rig->built, &second,
		"{'id': 2, 'view': 'account', 'entity': {'id': 7},"
		" 'features': {'label': 'two'}}");
	assert_int_equal(compare(rig), 1);
	assert_string_equal(rig->told,
		"7 count: parked 1 of the live one: crash_loop\n7 label: ?\n");
}

static void one_that_was_dropped_explains_what_it_would_have_brought(
	void **state)
{
	struct rig *rig = *state;
	const int64_t id = 1;
	const struct spot strict = {.offset = 0, .max_skew_us = 1};
	const struct spot lax = {.offset = 0, .max_skew_us = 3 * HOUR_US};
	/* an hour and a second after its record */
	const char *early = "{'id': 1, 'view': 'account', 'entity': {'id': 5},"
			    " 'event_time': '2026-11-23T09:20:49Z',"
			    " 'features': {'label': 'soon'}}";
	rig->live.decoder.max_skew_us = 3 * HOUR_US; /* as it is now */
	take(rig, rig->live.store, &strict, early);
	take(rig, rig->built, &lax, early);
	assert_int_equal(
		store_acknowledge(rig->live.store, &id, 1, &decision, NULL), 1);
	assert_int_equal(compare(rig), 1);
	assert_string_equal(rig->told,
		"5 label: dead 1 of the live one: event_time_in_future,"
		" dropped\n");
}

static void copies_of_one_event_are_one_letter(void **state)
{
	struct rig *rig = *state;
	/* an hour and a second after its record, in either partition */
	const char *early = "{'id': 1, 'view': 'account', 'entity': {'id': 7},"
			    " 'event_time': '2026-11-23T09:20:49Z',"
			    " 'features': {'label': 'soon'}}";
	const struct spot here = {.offset = 0, .max_skew_us = 1};
	const struct spot there = {
		.partition = 1, .offset = 0, .max_skew_us = 1};
	rig->live.decoder.max_skew_us = 3 * HOUR_US; /* as it is now */
	take(rig, rig->live.store, &here, early);
	take(rig, rig->live.store, &there, early);
	take(rig, rig->built, &there, early);
	take(rig, rig->built, &here, early);
	const struct spot next = {.offset = 1};
	take(rig, rig->live.store, &next,
		"{'id': 2, 'view': 'account', 'entity': {'id': 7},"
		" 'features': {'label': 'one'}}");
	take(rig, rig->built, &next,
		"{'id': 2, 'view': 'account', 'entity': {'id': 7},"
		" 'features': {'label': 'two'}}");
	assert_int_equal(compare(rig), 0);
	assert_string_equal(rig->told, "7 label: ?\n");
}

static const char *const numbered[] = {
	"{'id': 1, 'view': 'account', 'entity': {'id': 1},"
	" 'features': {'count': 1}}",
	"{'id': 2, 'view': 'account', 'entity': {'id': 2},"
	" 'features': {'count': 1}}",
	"{'id': 3, 'view': 'account', 'entity': {'id': 3},"
	" 'features': {'count': 1}}"};

static void a_gap_that_was_accepted_explains_what_lay_in_it(void **state)
{
	struct rig *rig = *state;
	struct fault fault = {0};
	const struct spot spots[] = {
		{.offset = 0}, {.offset = 1}, {.offset = 2}};
	take(rig, rig->live.store, &spots[0], numbered[0]);
	const struct store_partition *partition = NULL;
	good(store_partition(rig->live.store, TOPIC, 0, 0, &partition, &fault),
		&fault);
	const struct store_stop lost = {.log = &partition->log,
		.reason = STOP_LOST,
		.detail = "found",
		.log_start = 2};
	good(store_stop_partition(rig->live.store, &lost, NULL, &fault),
		&fault);
	good(store_accept_gap(
		     rig->live.store, &partition->log, &decision, &fault),
		&fault);
	take(rig, rig->live.store, &spots[2], numbered[2]);
	take(rig, rig->built, &spots[0], numbered[0]);
	take(rig, rig->built, &spots[1], numbered[1]);
	take(rig, rig->built, &spots[2],
		"{'id': 3, 'view': 'account', 'entity': {'id': 3},"
		" 'features': {'count': 5}}");
	assert_int_equal(compare(rig), 1);
	assert_string_equal(rig->told,
		"3 count: ?\n2 count: gap 1 to 2 of events:0 accepted\n");
}

static void what_the_log_lost_explains_what_is_missing(void **state)
{
	struct rig *rig = *state;
	const struct spot spots[] = {
		{.offset = 0}, {.offset = 1}, {.offset = 2}};
	for (int i = 0; i < 3; i++)
		take(rig, rig->live.store, &spots[i], numbered[i]);
	take(rig, rig->built, &spots[1], numbered[1]);
	take(rig, rig->built, &spots[2], numbered[2]);
	assert_int_equal(compare(rig), 1);
	assert_string_equal(
		rig->told, "1 count: events:0@0 was not taken again\n");
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_RIG(a_letter_that_was_forced_in_explains_what_it_brought),
		WITH_RIG(it_does_not_explain_other_features),
		WITH_RIG(
			one_that_was_dropped_explains_what_it_would_have_brought),
		WITH_RIG(copies_of_one_event_are_one_letter),
		WITH_RIG(a_gap_that_was_accepted_explains_what_lay_in_it),
		WITH_RIG(what_the_log_lost_explains_what_is_missing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
