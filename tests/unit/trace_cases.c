/*
 * The trace of updates, case by case: letters that were cleared, schemas that
 * were changed, deletes that were forgotten, and what the key window says.
 * (tests/unit/trace.c traces random streams.)
 */
#include "store/decisions.h"
#include "store/generations.h"
#include "store/schema_change.h"
#include "store/trace.h"
#include "tests/lib/check.h"
#include "tests/lib/store_rig.h"

#include <stdlib.h>
#include <string.h>

static const struct decision decision = {.at_us = STORE_RIG_TIME_US,
	.who = "ada",
	.what = "a test",
	.target = "alpha",
	.because = "it has to be"};

static void check_ok(int rc, const struct fault *fault)
{
	if (rc < 0)
		fail_msg("%d: %s", rc, fault->text);
}

static struct store_rig_event event(int64_t offset, enum reason reason)
{
	return (struct store_rig_event){.offset = offset,
		.record_s = offset,
		.key = 1 + (unsigned)offset,
		.content = (uint64_t)offset,
		.id = 7,
		.count = 1,
		.reason = reason};
}

static void take(struct store_rig *rig, int64_t offset, enum reason reason)
{
	const struct store_rig_event one = event(offset, reason);
	(void)store_rig_take(rig, &one);
}

/* Dead letter `id` is seen, and leaves. */
static void clear_letter(struct store_rig *rig, int64_t id)
{
	struct fault fault = {0};
	struct letter_whole whole;
	struct retry_verdict verdict;
	assert_int_equal(
		store_acknowledge(rig->store, &id, 1, &decision, &fault), 1);
	assert_int_equal(store_letter(rig->store, LETTER_DEAD, id, &rig->arena,
				 &whole, &fault),
		1);
	const struct store_record record = {.record = whole.record};
	const struct store_retry leaves = {
		.letter = &whole.letter, .record = &record};
	const struct store_retry_options options = {.clear = true};
	check_ok(
		store_retry(rig->store, &leaves, 1, &options, &verdict, &fault),
		&fault);
	assert_int_equal(verdict.fate, RETRY_CLEARED);
}

struct tracing {
	struct store_rig *rig;
	struct reader *reader;
	struct trace *trace;
};

/* NULL: of the live one. */
static int begin(struct store_rig *rig, const char *generation,
	struct tracing *out, struct fault *fault)
{
	const struct trace_options options = {
		.key_window_us = rig->options.key_window_us,
		.key_window_keys = rig->options.key_window_keys};
	*out = (struct tracing){.rig = rig};
	const char *path = rig->directory.path;
	check_ok(generation == NULL ? reader_open(&out->reader, path, 0, fault)
				    : reader_open_generation(&out->reader, path,
					      generation, 0, fault),
		fault);
	int rc = trace_open(&out->trace, out->reader, &options, fault);
	return rc < 0 ? rc : trace_begin(out->trace, fault);
}

static struct tracing trace_live(struct store_rig *rig)
{
	struct fault fault = {0};
	struct tracing tracing;
	check_ok(begin(rig, NULL, &tracing, &fault), &fault);
	return tracing;
}

static void end(struct tracing *tracing)
{
	trace_close(tracing->trace);
	reader_close(tracing->reader);
}

static struct proof judge(
	struct tracing *tracing, const struct store_rig_event *one)
{
	struct fault fault = {0};
	struct proof proof;
	struct store_record record = store_rig_record(tracing->rig, one);
	struct update *update = record.decoded.updates;
	if (update->view != NULL)
		update->view = schema_view(
			reader_schema(tracing->reader), update->view_name);
	record.record.log =
		&trace_partition(tracing->trace, "alpha", one->partition)->log;
	check_ok(trace_record(tracing->trace, &record.record, &fault), &fault);
	check_ok(trace_update(tracing->trace, &record, update,
			 &tracing->rig->arena, &proof, &fault),
		&fault);
	return proof;
}

static void check(struct tracing *tracing, const struct store_rig_event *one,
	enum proof_answer answer, enum proof_why why)
{
	const struct proof proof = judge(tracing, one);
	if (proof.answer != answer || proof.why != why)
		fail_msg("offset %d: %s: %s", (int)one->offset,
			proof_answer_name(proof.answer),
			proof_why_text(proof.why));
}

static void a_letter_that_is_there_explains_its_update(void **state)
{
	struct store_rig *rig = *state;
	const struct store_rig_event dead = event(0, REASON_TYPE_MISMATCH);
	const struct store_rig_event parked = event(1, REASON_UNKNOWN_VIEW);
	(void)store_rig_take(rig, &dead);
	(void)store_rig_take(rig, &parked);
	struct tracing tracing = trace_live(rig);
	check(&tracing, &dead, PROOF_DEAD, PROOF_WHY_LETTER);
	check(&tracing, &parked, PROOF_PARKED, PROOF_WHY_LETTER);
	assert_memory_equal(trace_secret(tracing.trace),
		store_secret(rig->store), SECRET_BYTES);
	end(&tracing);
}

/* Two refused, a copy of the first, whose letter is cleared; the other one went
 * behind the store's back. */
static struct tracing trace_cleared(
	struct store_rig *rig, struct store_rig_event events[3])
{
	for (int64_t offset = 0; offset < 3; offset++)
		events[offset] = event(offset, REASON_TYPE_MISMATCH);
	events[1].key = events[0].key;
	events[1].content = events[0].content;
	(void)store_rig_take(rig, &events[0]);
	struct store_tally tally = store_rig_take(rig, &events[1]);
	assert_int_equal(tally.dispositions[DISPOSITION_DUPLICATE], 1);
	take(rig, 2, REASON_TYPE_MISMATCH);
	clear_letter(rig, 1);
	store_rig_tamper(rig, "DELETE FROM _dead WHERE id = 2");
	store_rig_tamper(rig, "DELETE FROM _key WHERE offset = 2");
	return trace_live(rig);
}

static void a_letter_that_was_cleared_explains_one_update_and_its_copies(
	void **state)
{
	struct store_rig *rig = *state;
	struct store_rig_event events[3];
	struct tracing tracing = trace_cleared(rig, events);
	check(&tracing, &events[0], PROOF_DEAD, PROOF_WHY_CLEARED);
	check(&tracing, &events[1], PROOF_DUPLICATE, PROOF_WHY_COPY);
	check(&tracing, &events[0], PROOF_DUPLICATE, PROOF_WHY_COPY);
	check(&tracing, &events[2], PROOF_MISSING, PROOF_WHY_NO_LETTER);
	end(&tracing);
}

static void what_is_given_back_explains_another_and_no_copy(void **state)
{
	struct store_rig *rig = *state;
	struct store_rig_event events[3];
	struct tracing tracing = trace_cleared(rig, events);
	check(&tracing, &events[0], PROOF_DEAD, PROOF_WHY_CLEARED);
	trace_give_cleared_back(tracing.trace);
	check(&tracing, &events[2], PROOF_DEAD, PROOF_WHY_CLEARED);
	check(&tracing, &events[1], PROOF_MISSING, PROOF_WHY_NO_LETTER);
	end(&tracing);
}

/* A proof that is gone on with later: no letter explains two updates. */
static void what_was_explained_is_known_to_who_goes_on(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct store_rig_event events[3];
	struct trace_spent nothing, spent;
	struct tracing tracing = trace_cleared(rig, events);
	check_ok(trace_spent(tracing.trace, &nothing, &fault), &fault);
	assert_int_equal(nothing.letters, 0);
	assert_int_equal(nothing.count, 0);
	check(&tracing, &events[0], PROOF_DEAD, PROOF_WHY_CLEARED);
	check_ok(trace_spent(tracing.trace, &spent, &fault), &fault);
	assert_int_equal(spent.letters, 1);
	assert_int_equal(spent.count, 1);
	end(&tracing);
	tracing = trace_live(rig);
	check_ok(trace_spend(tracing.trace, &spent, &fault), &fault);
	check(&tracing, &events[1], PROOF_DUPLICATE, PROOF_WHY_COPY);
	check(&tracing, &events[2], PROOF_MISSING, PROOF_WHY_NO_LETTER);
	end(&tracing);
	tracing = trace_live(rig);
	check_ok(trace_spend(tracing.trace, &nothing, &fault), &fault);
	check(&tracing, &events[2], PROOF_DEAD, PROOF_WHY_CLEARED);
	end(&tracing);
	free(nothing.keys);
	free(spent.keys);
}

static void one_without_a_key_is_explained_by_a_cleared_letter_once(
	void **state)
{
	struct store_rig *rig = *state;
	struct store_rig_event events[2];
	for (int64_t offset = 0; offset < 2; offset++) {
		events[offset] = event(offset, REASON_TYPE_MISMATCH);
		events[offset].key = 0;
		(void)store_rig_take(rig, &events[offset]);
	}
	clear_letter(rig, 1);
	clear_letter(rig, 2);
	struct tracing tracing = trace_live(rig);
	check(&tracing, &events[0], PROOF_DEAD, PROOF_WHY_CLEARED);
	trace_give_cleared_back(tracing.trace);
	check(&tracing, &events[0], PROOF_DEAD, PROOF_WHY_CLEARED);
	check(&tracing, &events[1], PROOF_DEAD, PROOF_WHY_CLEARED);
	check(&tracing, &events[1], PROOF_MISSING, PROOF_WHY_NO_LETTER);
	end(&tracing);
}

static void what_is_beyond_the_offsets_taken_is_ahead(void **state)
{
	struct store_rig *rig = *state;
	const struct store_rig_event next = event(1, REASON_NONE);
	take(rig, 0, REASON_NONE);
	struct tracing tracing = trace_live(rig);
	check(&tracing, &next, PROOF_AHEAD, PROOF_WHY_NOT_YET);
	end(&tracing);
}

static void a_record_that_ended_the_process_is_not_to_be_decoded(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct update parked = {.reason = REASON_CRASH_LOOP,
		.parks = true,
		.detail = "it ended the process"};
	const struct store_rig_event one = event(0, REASON_NONE);
	struct store_record record = store_rig_record(rig, &one);
	record.decoded =
		(struct decoded){record.record.timestamp_us, &parked, 1};
	const struct store_batch batch = {
		.records = &record, .record_count = 1};
	check_ok(store_apply(rig->store, &batch, NULL, &fault), &fault);
	take(rig, 1, REASON_UNKNOWN_VIEW);
	struct tracing tracing = trace_live(rig);
	record.record.log = &trace_partition(tracing.trace, "alpha", 0)->log;
	assert_int_equal(
		trace_record(tracing.trace, &record.record, &fault), 1);
	record.record.offset = 1;
	assert_int_equal(
		trace_record(tracing.trace, &record.record, &fault), 0);
	assert_null(trace_partition(tracing.trace, "alpha", 9));
	end(&tracing);
}

static void the_key_window_says_what_became_of_an_update(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	take(rig, 0, REASON_NONE);
	take(rig, 1, REASON_TYPE_MISMATCH);
	take(rig, 2, REASON_UNKNOWN_VIEW);
	struct tracing tracing = trace_live(rig);
	const struct log *log =
		&trace_partition(tracing.trace, "alpha", 0)->log;
	struct trace_key keys[4];
	for (int64_t i = 0; i < 4; i++)
		keys[i] = (struct trace_key){
			.version = {.log = log, .offset = i}};
	check_ok(trace_find_keys(tracing.trace, keys, 4, &fault), &fault);
	assert_string_equal(keys[0].state, "taken");
	assert_string_equal(keys[1].state, "dead");
	assert_string_equal(keys[2].state, "parked");
	assert_null(keys[3].state);
	assert_int_equal(keys[1].record_time_us, STORE_RIG_TIME_US + SECOND_US);
	assert_int_equal(keys[3].record_time_us, TIMESTAMP_NONE);
	end(&tracing);
}

static const char wider_text[] =
	"{\"views\": {"
	" \"account\": {\"entity\": {\"id\": \"int64\"}, \"features\": {"
	"  \"count\": {\"type\": \"int64\", \"merge\": \"sum\"},"
	"  \"label\": {\"type\": \"string\"},"
	"  \"more\": {\"type\": \"string\"}}},"
	" \"pair\": {\"entity\": {\"shop\": \"string\", \"item\": \"int64\"},"
	"  \"features\": {\"low\": {\"type\": \"int64\", \"merge\": "
	"\"min\"}}}},"
	"\"sources\": {\"alpha\": {}, \"beta\": {}}}";

static void widen(struct store_rig *rig)
{
	struct fault fault = {0};
	struct schema *wanted = NULL;
	bool changed = false;
	check_ok(schema_parse(&wanted, slice_of(wider_text), "wanted", &fault),
		&fault);
	check_ok(store_take_schema(
			 &rig->store, wanted, &decision, &changed, &fault),
		&fault);
	assert_true(changed);
	schema_free(wanted);
}

static bool predates(struct tracing *tracing, int32_t partition, int64_t offset)
{
	const struct record record = {
		.log = &trace_partition(tracing->trace, "alpha", partition)
				->log,
		.offset = offset};
	return trace_predates_schema(tracing->trace, &record);
}

static void what_was_taken_before_a_schema_change_is_known(void **state)
{
	struct store_rig *rig = *state;
	take(rig, 0, REASON_NONE);
	take(rig, 1, REASON_NONE);
	struct tracing tracing = trace_live(rig);
	assert_false(predates(&tracing, 0, 0));
	assert_null(trace_schema_before(tracing.trace, 0));
	end(&tracing);
	widen(rig);
	take(rig, 2, REASON_NONE);
	(void)store_rig_partition(rig, 1);
	tracing = trace_live(rig);
	assert_true(predates(&tracing, 0, 1));
	assert_false(predates(&tracing, 0, 2));
	/* a log that came since */
	assert_false(predates(&tracing, 1, 0));
	const struct schema *before = trace_schema_before(tracing.trace, 0);
	assert_non_null(before);
	assert_int_equal(before->views[0].feature_count, 2);
	assert_null(trace_schema_before(tracing.trace, 1));
	end(&tracing);
}

static void offsets_of_a_schema_change_that_make_no_sense_are_damage(
	void **state)
{
	struct store_rig *rig = *state;
	static const char *const texts[] = {"x", "0:5 ", "1", "1:", "1:5",
		"1:-5 ", "4294967296:1 ", "1:5 2"};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct fault fault = {0};
		struct tracing tracing;
		const struct column text = column_text(slice_of(texts[i]));
		check_ok(meta_put(rig->store->db, META_SCHEMA_OFFSETS, &text,
				 &fault),
			&fault);
		assert_int_equal(
			begin(rig, NULL, &tracing, &fault), FAULT_CORRUPT);
		assert_non_null(strstr(fault.text, "schema_offsets"));
		assert_null(tracing.trace);
		end(&tracing);
	}
}

/* Of the second log of three it says nothing: that counts as never taken. */
static void logs_that_a_schema_change_does_not_name_were_not_there(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	for (int32_t i = 0; i < 3; i++)
		(void)store_rig_partition(rig, i);
	const struct column text = column_text(slice_of("3:7 1:4 "));
	check_ok(meta_put(rig->store->db, META_SCHEMA_OFFSETS, &text, &fault),
		&fault);
	struct tracing tracing = trace_live(rig);
	assert_true(predates(&tracing, 0, 3));
	assert_false(predates(&tracing, 0, 4));
	assert_false(predates(&tracing, 1, 0));
	assert_true(predates(&tracing, 2, 6));
	assert_false(predates(&tracing, 2, 7));
	end(&tracing);
}

static void what_deletes_cut_off_is_doubted_when_they_are_forgotten(
	void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct store *live = rig->store;
	const struct store_build build = {.origin = "the log"};
	int64_t forgotten = 0;
	const struct store_rig_event set = event(0, REASON_NONE);
	const struct store_rig_event away = event(1, REASON_NONE);
	check_ok(store_build(&rig->store, &rig->options, &build, &fault),
		&fault);
	(void)store_rig_take(rig, &set);
	struct store_record record = store_rig_record(rig, &away);
	record.decoded.updates[0].operation = OPERATION_DELETE;
	record.decoded.updates[0].assignment_count = 0;
	const struct store_batch batch = {
		.records = &record, .record_count = 1};
	check_ok(store_apply(rig->store, &batch, NULL, &fault), &fault);
	check_ok(store_forget_deletes(rig->store,
			 STORE_RIG_TIME_US + 5 * SECOND_US, &forgotten, &fault),
		&fault);
	assert_int_equal(forgotten, 1);
	struct tracing tracing;
	check_ok(begin(rig, "g2", &tracing, &fault), &fault);
	check(&tracing, &set, PROOF_UNPROVEN, PROOF_WHY_FORGOTTEN);
	end(&tracing);
	store_close(rig->store);
	rig->store = live;
}

/* A row that can't be read says nothing of what it holds. */
static void a_damaged_row_is_told(void **state)
{
	struct store_rig *rig = *state;
	const struct store_rig_event one = event(0, REASON_NONE);
	(void)store_rig_take(rig, &one);
	store_rig_tamper(rig, "UPDATE account SET count = count + 1");
	struct tracing tracing = trace_live(rig);
	check(&tracing, &one, PROOF_MISSING, PROOF_WHY_DAMAGED);
	end(&tracing);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(a_letter_that_is_there_explains_its_update),
		WITH_STORE(
			a_letter_that_was_cleared_explains_one_update_and_its_copies),
		WITH_STORE(what_is_given_back_explains_another_and_no_copy),
		WITH_STORE(what_was_explained_is_known_to_who_goes_on),
		WITH_STORE(
			one_without_a_key_is_explained_by_a_cleared_letter_once),
		WITH_STORE(what_is_beyond_the_offsets_taken_is_ahead),
		WITH_STORE(
			a_record_that_ended_the_process_is_not_to_be_decoded),
		WITH_STORE(the_key_window_says_what_became_of_an_update),
		WITH_STORE(what_was_taken_before_a_schema_change_is_known),
		WITH_STORE(
			offsets_of_a_schema_change_that_make_no_sense_are_damage),
		WITH_STORE(
			logs_that_a_schema_change_does_not_name_were_not_there),
		WITH_STORE(
			what_deletes_cut_off_is_doubted_when_they_are_forgotten),
		WITH_STORE(a_damaged_row_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
