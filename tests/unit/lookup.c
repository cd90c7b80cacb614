/* Lookups on a real store: values with the truth about them, from one
 * snapshot. */
#include "store/lookup.h"
#include "store/decisions.h"
#include "tests/lib/check.h"
#include "tests/lib/store_rig.h"

#include <string.h>

#define NOW_US (STORE_RIG_TIME_US + 1000 * SECOND_US)
enum { COUNT, LABEL }; /* features of `account` */

struct asking {
	struct store_rig *rig;
	struct reader *reader;
	struct lookup_part part;
	struct lookup_question question;
	struct lookup_answer answer;
	struct value entities[8];
	struct fault fault;
};

static const size_t both_features[] = {COUNT, LABEL};

/* Both features of the accounts ids[0..count). */
static void begin(struct asking *asking, struct store_rig *rig,
	const int64_t *ids, size_t count)
{
	*asking = (struct asking){.rig = rig};
	if (reader_open(&asking->reader, rig->directory.path, 0,
		    &asking->fault) < 0)
		fail_msg("%s", asking->fault.text);
	for (size_t i = 0; i < count; i++)
		asking->entities[i] = (struct value){
			.state = VALUE_SET, .as.integer = ids[i]};
	asking->part = (struct lookup_part){
		.view = reader_schema(asking->reader)->views,
		.features = both_features,
		.feature_count = 2,
		.entities = asking->entities,
		.entity_count = count,
	};
	asking->question = (struct lookup_question){
		.parts = &asking->part,
		.part_count = 1,
		.row_count = count,
		.terms = terms_loosest(),
		.now_us = NOW_US,
	};
}

static int ask(struct asking *asking)
{
	return reader_look_up(asking->reader, &asking->question,
		&asking->rig->arena, &asking->answer, &asking->fault);
}

static void ask_well(struct asking *asking)
{
	int rc = ask(asking);
	if (rc != LOOKUP_ANSWERED)
		fail_msg("%d: %s", rc, asking->fault.text);
}

static const struct lookup_value *value_of(
	const struct asking *asking, size_t row, size_t feature)
{
	return &lookup_row(&asking->answer.parts[0], row)[feature];
}

static void end(struct asking *asking)
{
	reader_close(asking->reader);
}

static struct store_record record_of(
	struct store_rig *rig, int64_t second, int64_t id, int64_t count)
{
	struct store_rig_event event = {
		.offset = store_rig_partition(rig, 0)->accounts.next_offset,
		.record_s = second,
		.id = id,
		.count = count};
	return store_rig_record(rig, &event);
}

static void take_record(struct store_rig *rig, struct store_record *record)
{
	struct fault fault = {0};
	struct store_batch batch = {.records = record, .record_count = 1};
	assert_int_equal(store_apply(rig->store, &batch, NULL, &fault), 0);
}

static void take(
	struct store_rig *rig, int64_t second, int64_t id, int64_t count)
{
	struct store_record record = record_of(rig, second, id, count);
	take_record(rig, &record);
}

static void take_label(struct store_rig *rig, int64_t second, int64_t id,
	enum value_state state)
{
	struct store_record record = record_of(rig, second, id, 0);
	record.decoded.updates[0].assignments[0].feature = LABEL;
	record.decoded.updates[0].assignments[0].value =
		(struct value){.state = state, .as.bytes = slice_of("blue")};
	take_record(rig, &record);
}

static void take_delete(struct store_rig *rig, int64_t second, int64_t id)
{
	struct store_record record = record_of(rig, second, id, 0);
	record.decoded.updates[0].operation = OPERATION_DELETE;
	record.decoded.updates[0].assignment_count = 0;
	take_record(rig, &record);
}

/* Topic `name`, partition 0, was read to its end at `as_of_us`. */
static void mark(struct store_rig *rig, const char *name, int64_t as_of_us)
{
	struct fault fault = {0};
	const struct store_partition *partition = NULL;
	assert_int_equal(
		store_partition(rig->store, name, 0, 0, &partition, &fault), 0);
	struct store_mark mark = {.log = &partition->log,
		.next_offset = partition->accounts.next_offset,
		.as_of_us = as_of_us};
	struct store_batch batch = {.marks = &mark, .mark_count = 1};
	assert_int_equal(store_apply(rig->store, &batch, NULL, &fault), 0);
}

static void each_value_says_what_it_is(void **state)
{
	struct store_rig *rig = *state;
	take(rig, 1, 1, 5);
	take_label(rig, 3, 1, VALUE_SET);
	take_label(rig, 4, 2, VALUE_NULL);
	take(rig, 5, 3, 9);
	take_delete(rig, 6, 3);
	struct asking asking;
	begin(&asking, rig, (const int64_t[]){1, 2, 3, 4}, 4);
	ask_well(&asking);
	static const struct {
		enum value_state state;
		enum value_status status;
		enum value_reason reason;
		int64_t second; /* of its event time; -1: none */
	} wanted[4][2] = {
		{{VALUE_SET, VALUE_FRESH, VALUE_REASON_NONE, 1},
			{VALUE_SET, VALUE_FRESH, VALUE_REASON_NONE, 3}},
		/* the sum of nothing is 0, a label has no default */
		{{VALUE_SET, VALUE_DEFAULT, VALUE_REASON_MISSING, -1},
			{VALUE_NULL, VALUE_FRESH, VALUE_REASON_NONE, 4}},
		{{VALUE_SET, VALUE_DEFAULT, VALUE_REASON_DELETED, -1},
			{VALUE_UNSET, VALUE_MISSING, VALUE_REASON_DELETED, -1}},
		{{VALUE_SET, VALUE_DEFAULT, VALUE_REASON_MISSING, -1},
			{VALUE_UNSET, VALUE_MISSING, VALUE_REASON_MISSING, -1}},
	};
	for (size_t row = 0; row < 4; row++)
		for (size_t i = 0; i < 2; i++) {
			const struct lookup_value *value =
				value_of(&asking, row, i);
			int64_t second = wanted[row][i].second;
			assert_int_equal(
				value->value.state, wanted[row][i].state);
			assert_int_equal(
				value->verdict.status, wanted[row][i].status);
			assert_int_equal(
				value->verdict.reason, wanted[row][i].reason);
			assert_true(
				value->event_time_us ==
				(second < 0 ? TIMESTAMP_NONE
					    : STORE_RIG_TIME_US +
							second * SECOND_US));
		}
	assert_int_equal(value_of(&asking, 0, COUNT)->value.as.integer, 5);
	end(&asking);
}

static void a_row_has_the_time_of_its_newest_feature(void **state)
{
	struct store_rig *rig = *state;
	take_label(rig, 3, 1, VALUE_SET);
	take(rig, 1, 1, 5);
	struct asking asking;
	begin(&asking, rig, (const int64_t[]){1, 2}, 2);
	asking.part.feature_count = 1; /* the count alone */
	ask_well(&asking);
	const struct lookup_part_answer *part = asking.answer.parts;
	assert_true(lookup_row_event_time_us(part, 0) ==
		    STORE_RIG_TIME_US + 3 * SECOND_US);
	assert_true(lookup_row_event_time_us(part, 1) == TIMESTAMP_NONE);
	end(&asking);
}

static void one_entity_answers_every_row(void **state)
{
	struct store_rig *rig = *state;
	take(rig, 1, 1, 5);
	struct asking asking;
	begin(&asking, rig, (const int64_t[]){1}, 1);
	asking.question.row_count = 500;
	ask_well(&asking);
	assert_int_equal(value_of(&asking, 499, COUNT)->value.as.integer, 5);
	assert_ptr_equal(value_of(&asking, 0, 0), value_of(&asking, 499, 0));
	end(&asking);
}

static void as_of_is_that_of_the_partition_furthest_behind(void **state)
{
	struct store_rig *rig = *state;
	struct asking asking;
	mark(rig, "alpha", NOW_US - 7 * SECOND_US);
	begin(&asking, rig, (const int64_t[]){1}, 1);
	ask_well(&asking); /* of beta, nothing was ever read */
	assert_true(asking.answer.as_of_us == TIMESTAMP_NONE);
	assert_true(asking.answer.lag_us == LAG_UNKNOWN);
	mark(rig, "beta", NOW_US - 2 * SECOND_US);
	ask_well(&asking);
	assert_true(asking.answer.as_of_us == NOW_US - 7 * SECOND_US);
	assert_true(asking.answer.lag_us == 7 * SECOND_US);
	mark(rig, "alpha", NOW_US - SECOND_US);
	ask_well(&asking);
	assert_true(asking.answer.lag_us == 2 * SECOND_US);
	asking.question.now_us = NOW_US - 10 * SECOND_US;
	ask_well(&asking); /* our clock is behind that of ingest */
	assert_true(asking.answer.lag_us == 0);
	end(&asking);
}

static void terms_of_the_question_apply(void **state)
{
	struct store_rig *rig = *state;
	struct asking asking;
	take(rig, 990, 1, 5);
	take(rig, 100, 2, 6);
	mark(rig, "alpha", NOW_US - 4 * SECOND_US);
	mark(rig, "beta", NOW_US);
	begin(&asking, rig, (const int64_t[]){1, 2, 3}, 3);
	asking.part.feature_count = 1;
	asking.question.terms = (struct terms){4 * SECOND_US, 60 * SECOND_US,
		CHOICE_FAIL, CHOICE_FAIL, CHOICE_DEFAULT};
	ask_well(&asking);
	assert_false(asking.answer.parts[0].behind);
	assert_int_equal(asking.answer.refused, 1);
	assert_int_equal(
		value_of(&asking, 1, 0)->verdict.status, VALUE_REFUSED);
	assert_int_equal(value_of(&asking, 1, 0)->value.state, VALUE_UNSET);
	assert_int_equal(
		value_of(&asking, 2, 0)->verdict.status, VALUE_DEFAULT);
	assert_int_equal(value_of(&asking, 2, 0)->value.as.integer, 0);
	asking.question.now_us++;
	ask_well(&asking);
	assert_true(asking.answer.parts[0].behind);
	assert_int_equal(asking.answer.refused, 3);
	end(&asking);
}

static void a_position_waits_for_what_it_names(void **state)
{
	struct store_rig *rig = *state;
	struct asking asking;
	struct position position;
	take(rig, 1, 1, 5);
	mark(rig, "beta", NOW_US);
	begin(&asking, rig, (const int64_t[]){1}, 1);
	ask_well(&asking);
	assert_string_equal(asking.answer.position.data, "alpha:0:1,beta:0:0");
	assert_int_equal(position_parse(slice_of("alpha:0:2"), &rig->arena,
				 &position, &asking.fault),
		0);
	asking.question.at_least = &position;
	assert_int_equal(ask(&asking), LOOKUP_NOT_YET);
	take(rig, 2, 1, 5);
	ask_well(&asking);
	assert_int_equal(value_of(&asking, 0, COUNT)->value.as.integer, 10);
	end(&asking);
}

static void a_damaged_row_is_not_served(void **state)
{
	struct store_rig *rig = *state;
	struct asking asking;
	take(rig, 1, 1, 5);
	take(rig, 1, 2, 6);
	begin(&asking, rig, (const int64_t[]){2, 1}, 2);
	store_rig_tamper(rig, "UPDATE account SET count = 50 WHERE id = 1");
	assert_int_equal(ask(&asking), FAULT_CORRUPT);
	asking.part.entity_count = 1;
	asking.question.row_count = 1;
	ask_well(&asking); /* the other one is as good as before */
	end(&asking);
}

static void a_log_that_is_younger_than_the_reader_is_known(void **state)
{
	struct store_rig *rig = *state;
	struct asking asking;
	begin(&asking, rig, (const int64_t[]){1}, 1);
	ask_well(&asking);
	take(rig, 1, 1, 5);
	ask_well(&asking);
	assert_int_equal(value_of(&asking, 0, COUNT)->value.as.integer, 5);
	assert_string_equal(asking.answer.position.data, "alpha:0:1");
	end(&asking);
}

static const struct decision decision = {.at_us = NOW_US,
	.who = "ann",
	.what = "hold",
	.target = "account",
	.because = "garbage"};

static void expect(const struct asking *asking, size_t feature,
	enum value_status status, enum value_reason reason)
{
	const struct lookup_value *value = value_of(asking, 0, feature);
	assert_int_equal(value->verdict.status, status);
	assert_int_equal(value->verdict.reason, reason);
}

static void what_is_held_back_is_not_served(void **state)
{
	struct store_rig *rig = *state;
	struct asking asking;
	take(rig, 1, 1, 5);
	take_label(rig, 1, 1, VALUE_SET);
	begin(&asking, rig, (const int64_t[]){1}, 1);
	assert_int_equal(store_hold(rig->store, "account", "count",
				 CHOICE_DEFAULT, &decision, &asking.fault),
		0);
	ask_well(&asking);
	expect(&asking, COUNT, VALUE_DEFAULT, VALUE_REASON_HOLD);
	assert_int_equal(value_of(&asking, 0, COUNT)->value.as.integer, 0);
	expect(&asking, LABEL, VALUE_FRESH, VALUE_REASON_NONE);
	assert_int_equal(store_hold(rig->store, "account", NULL, CHOICE_FAIL,
				 &decision, &asking.fault),
		0);
	ask_well(&asking);
	expect(&asking, COUNT, VALUE_REFUSED, VALUE_REASON_HOLD);
	expect(&asking, LABEL, VALUE_REFUSED, VALUE_REASON_HOLD);
	assert_int_equal(asking.answer.refused, 2);
	assert_int_equal(store_release(rig->store, "account", NULL, &decision,
				 &asking.fault),
		0);
	ask_well(&asking);
	expect(&asking, COUNT, VALUE_DEFAULT, VALUE_REASON_HOLD);
	expect(&asking, LABEL, VALUE_FRESH, VALUE_REASON_NONE);
	assert_int_equal(store_release(rig->store, "account", "count",
				 &decision, &asking.fault),
		0);
	assert_int_equal(store_release(rig->store, "account", "count",
				 &decision, &asking.fault),
		1);
	ask_well(&asking);
	expect(&asking, COUNT, VALUE_FRESH, VALUE_REASON_NONE);
	assert_int_equal(
		store_rig_ask(rig, "SELECT count(*) FROM _decision"), 4);
	end(&asking);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(each_value_says_what_it_is),
		WITH_STORE(a_row_has_the_time_of_its_newest_feature),
		WITH_STORE(one_entity_answers_every_row),
		WITH_STORE(as_of_is_that_of_the_partition_furthest_behind),
		WITH_STORE(terms_of_the_question_apply),
		WITH_STORE(a_position_waits_for_what_it_names),
		WITH_STORE(a_damaged_row_is_not_served),
		WITH_STORE(what_is_held_back_is_not_served),
		WITH_STORE(a_log_that_is_younger_than_the_reader_is_known),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
