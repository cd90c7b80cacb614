/*
 * Random streams go through the store; then each of their updates is traced.
 * What the twin (tests/lib/twin.h) says became of it, the trace must say too:
 * or that it is held, where its key was let go. Nothing may be missing, but
 * what was taken away behind the store's back.
 *
 * Every seed is printed before it runs. HOLDFAST_SEED=n begins with that seed,
 * HOLDFAST_ROUNDS=n runs so many.
 */
#include "store/trace.h"
#include "store/writer.h"
#include "tests/lib/check.h"
#include "tests/lib/directory.h"
#include "tests/lib/random_batches.h"
#include "tests/lib/twin.h"

#include <inttypes.h>
#include <stdlib.h>

#define ROUNDS 20
#define BATCHES 60
#define SEGMENT_ROWS 4 /* so that keys are let go in so short a life */

/* An update that was taken, and what the twin said. */
struct kept {
	struct record record;
	struct update update;
	enum disposition disposition;
};

struct rig {
	struct directory directory;
	struct random_batches random;
	struct store_options options;
	struct store *store;
	struct twin *twin;
	struct kept *kept;
	size_t count;
	/* Of the last tracing, by index of `kept`. */
	struct proof *proofs;
	size_t by_answer[PROOF_ANSWER_COUNT];
};

static void good(int rc, const struct fault *fault)
{
	if (rc < 0)
		fail_msg("%d: %s", rc, fault->text);
}

static void keep(void *payload, const struct record *record,
	const struct update *update, enum disposition disposition)
{
	struct rig *rig = payload;
	rig->kept = realloc(rig->kept, (rig->count + 1) * sizeof *rig->kept);
	assert_non_null(rig->kept);
	rig->kept[rig->count++] = (struct kept){*record, *update, disposition};
}

static void rig_open(struct rig *rig, enum random_clocks clocks, uint64_t seed)
{
	struct fault fault = {0};
	*rig = (struct rig){0};
	random_batches_init(&rig->random, clocks, seed);
	directory_make(&rig->directory);
	rig->options = store_options_default();
	rig->options.path = rig->directory.path;
	rig->options.schema = rig->random.schema;
	rig->options.key_window_us = RANDOM_WINDOW_US;
	if (clocks == CLOCKS_FORWARD)
		rig->options.key_window_keys =
			chance_below(&rig->random.chance, 30);
	good(twin_open(&rig->twin, &rig->options, &fault), &fault);
	twin_tell(rig->twin, keep, rig);
	good(store_open(&rig->store, &rig->options, &fault), &fault);
	rig->store->keys.segment_rows = SEGMENT_ROWS;
	for (int i = 0; i < 3; i++)
		random_partition_add(&rig->random);
}

static void rig_close(struct rig *rig)
{
	store_close(rig->store);
	twin_close(rig->twin);
	random_batches_finish(&rig->random);
	directory_remove(&rig->directory);
	free(rig->kept);
	free(rig->proofs);
}

static void feed(struct rig *rig)
{
	struct fault fault = {0};
	const struct log *logs[RANDOM_PARTITIONS_MAX];
	for (size_t i = 0; i < rig->random.partition_count; i++) {
		const struct log *log = &rig->random.partitions[i].log;
		const struct store_partition *real, *twin;
		good(store_partition(rig->store, log->topic, log->partition,
			     RANDOM_FIRST_OFFSET, &real, &fault),
			&fault);
		good(twin_partition(rig->twin, log->topic, log->partition,
			     RANDOM_FIRST_OFFSET, &twin, &fault),
			&fault);
		logs[i] = &real->log;
	}
	for (int i = 0; i < BATCHES; i++) {
		struct store_batch batch = random_batch(&rig->random);
		struct store_batch aimed = random_aim(
			&rig->random, &batch, store_schema(rig->store), logs);
		good(store_apply(rig->store, &aimed, NULL, &fault), &fault);
		good(twin_apply(rig->twin, &batch, NULL, &fault), &fault);
	}
}

static struct proof trace_one(struct trace *trace, const struct reader *reader,
	const struct kept *kept, struct arena *arena)
{
	struct fault fault = {0};
	struct proof proof;
	struct update update = kept->update;
	struct store_record record = {.record = kept->record,
		.decoded = {kept->record.timestamp_us, &update, 1}};
	const struct log *log = kept->record.log;
	record.record.log =
		&trace_partition(trace, log->topic, log->partition)->log;
	if (update.view != NULL)
		update.view =
			schema_view(reader_schema(reader), update.view_name);
	good(trace_record(trace, &record.record, &fault), &fault);
	good(trace_update(trace, &record, &update, arena, &proof, &fault),
		&fault);
	return proof;
}

/* As replay does it: the whole log again, through a reader. */
static void trace_all(struct rig *rig)
{
	struct fault fault = {0};
	struct reader *reader;
	struct trace *trace;
	struct arena arena = ARENA_INIT;
	const struct trace_options options = {
		rig->options.key_window_us, rig->options.key_window_keys};
	good(reader_open(&reader, rig->directory.path, 1000, &fault), &fault);
	good(trace_open(&trace, reader, &options, &fault), &fault);
	good(trace_begin(trace, &fault), &fault);
	free(rig->proofs);
	rig->proofs = calloc(rig->count, sizeof *rig->proofs);
	assert_non_null(rig->proofs);
	memset(rig->by_answer, 0, sizeof rig->by_answer);
	for (size_t i = 0; i < rig->count; i++) {
		arena_reset(&arena);
		rig->proofs[i] =
			trace_one(trace, reader, &rig->kept[i], &arena);
		rig->by_answer[rig->proofs[i].answer]++;
	}
	trace_close(trace);
	reader_close(reader);
	arena_finish(&arena);
}

/* What may be said of an update of which the store said that. */
static bool is_true(enum disposition said, enum proof_answer answer)
{
	/* A copy may have the key by now, taken over from another event's. */
	bool copied = answer == PROOF_DUPLICATE;
	switch (said) {
	case DISPOSITION_PARKED:
		return answer == PROOF_PARKED;
	case DISPOSITION_DEAD:
		return answer == PROOF_DEAD;
	case DISPOSITION_SUPERSEDED:
		return answer == PROOF_SUPERSEDED || answer == PROOF_HELD ||
		       copied;
	case DISPOSITION_DUPLICATE:
		return answer == PROOF_DUPLICATE || answer == PROOF_HELD;
	default: /* applied, and perhaps overtaken since */
		return answer == PROOF_APPLIED || answer == PROOF_HELD ||
		       answer == PROOF_SUPERSEDED || copied;
	}
}

static void say(const struct rig *rig, size_t i)
{
	const struct kept *kept = &rig->kept[i];
	fail_msg("%s:%" PRId32 " @%" PRId64 ".%" PRIu32
		 " was %s, and is %s: %s (view %s, feature %zu)",
		kept->record.log->topic, kept->record.log->partition,
		kept->record.offset, kept->update.place,
		disposition_name(kept->disposition),
		proof_answer_name(rig->proofs[i].answer),
		proof_why_text(rig->proofs[i].why),
		kept->update.view == NULL ? "none" : kept->update.view->name,
		rig->proofs[i].feature);
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);
	return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

typedef void check(struct rig *rig);

static void run_rounds(enum random_clocks clocks, check *then)
{
	uint64_t seed = number_of("HOLDFAST_SEED", 1);
	uint64_t end = seed + number_of("HOLDFAST_ROUNDS", ROUNDS);
	for (; seed < end; seed++) {
		struct rig rig;
		print_message("seed %" PRIu64 "\n", seed);
		rig_open(&rig, clocks, seed);
		feed(&rig);
		trace_all(&rig);
		for (size_t i = 0; i < rig.count; i++)
			if (!is_true(rig.kept[i].disposition,
				    rig.proofs[i].answer))
				say(&rig, i);
		then(&rig);
		rig_close(&rig);
	}
}

static void nothing_more(struct rig *rig)
{
	assert_int_equal(rig->by_answer[PROOF_MISSING], 0);
}

/* Where no key goes, only those that gave their key to a later event are not
 * proven by it. */
static void nearly_all_is_proven(struct rig *rig)
{
	assert_in_range(rig->by_answer[PROOF_HELD], 0, rig->count / 3);
}

static void each_update_is_what_the_store_said(void **state)
{
	(void)state;
	run_rounds(CLOCKS_FORWARD, nothing_more);
}

static void keys_prove_what_versions_cannot(void **state)
{
	(void)state;
	run_rounds(CLOCKS_WILD, nearly_all_is_proven);
}

static void tamper(const struct rig *rig, const char *sql)
{
	sqlite3 *db = NULL;
	struct directory file = directory_entry(&rig->directory, "features.db");
	assert_int_equal(
		sqlite3_open_v2(file.path, &db, SQLITE_OPEN_READWRITE, NULL),
		SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static bool is_valid_of(const struct kept *kept, const char *view)
{
	return kept->disposition != DISPOSITION_DEAD &&
	       kept->disposition != DISPOSITION_PARKED &&
	       kept->update.view != NULL &&
	       strcmp(kept->update.view->name, view) == 0;
}

/* All rows of one view: its updates are missing, but those that nothing is
 * claimed of, and no other one. */
static void rows_go(struct rig *rig)
{
	size_t missing = 0;
	tamper(rig, "DELETE FROM account; DELETE FROM _deleted_account");
	trace_all(rig);
	for (size_t i = 0; i < rig->count; i++) {
		bool gone = rig->proofs[i].answer == PROOF_MISSING;
		missing += gone;
		if (!is_valid_of(&rig->kept[i], "account") && gone)
			say(rig, i);
		if (is_valid_of(&rig->kept[i], "account") && !gone &&
			rig->proofs[i].answer != PROOF_DUPLICATE &&
			rig->kept[i].update.assignment_count > 0)
			say(rig, i);
	}
	assert_in_range(missing, 1, rig->count);
}

/* What was refused, and the copies of it, which nothing else explains. */
static void letters_go(struct rig *rig)
{
	tamper(rig, "DELETE FROM _dead; DELETE FROM _parked");
	trace_all(rig);
	for (size_t i = 0; i < rig->count; i++) {
		enum disposition said = rig->kept[i].disposition;
		enum proof_answer answer = rig->proofs[i].answer;
		bool letter =
			said == DISPOSITION_DEAD || said == DISPOSITION_PARKED;
		bool valid = rig->kept[i].update.reason == REASON_NONE;
		/* A valid one was refused for its key, or a sum. */
		if (letter && !valid && answer != PROOF_MISSING &&
			answer != PROOF_DUPLICATE)
			say(rig, i);
		if (answer == PROOF_MISSING && !letter &&
			said != DISPOSITION_DUPLICATE)
			say(rig, i);
	}
}

/* Keys of updates that can't have been let go. */
static void keys_go(struct rig *rig)
{
	size_t taken = 0;
	tamper(rig, "DELETE FROM _key WHERE state = 'taken'");
	rig->options.key_window_keys = 1000000;
	trace_all(rig);
	for (size_t i = 0; i < rig->count; i++)
		taken += rig->proofs[i].answer == PROOF_MISSING;
	assert_in_range(taken, 1, rig->count);
}

static void rows_that_went_are_missed(void **state)
{
	(void)state;
	run_rounds(CLOCKS_FORWARD, rows_go);
}

static void letters_that_went_are_missed(void **state)
{
	(void)state;
	run_rounds(CLOCKS_FORWARD, letters_go);
}

static void keys_that_went_are_missed(void **state)
{
	(void)state;
	run_rounds(CLOCKS_FORWARD, keys_go);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_update_is_what_the_store_said),
		cmocka_unit_test(keys_prove_what_versions_cannot),
		cmocka_unit_test(rows_that_went_are_missed),
		cmocka_unit_test(letters_that_went_are_missed),
		cmocka_unit_test(keys_that_went_are_missed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
