/*
 * What may be said of an update that its log brings again, case by case. The
 * random streams of trace.c try the rest.
 */
#include "schema/proof.h"
#include "tests/lib/check.h"
#include "tests/lib/rows.h"

#include <string.h>

#define UPSERT OPERATION_UPSERT
#define REPLACE OPERATION_REPLACE
#define DELETE OPERATION_DELETE

/* The update under trial is always the one at offset 5, 10 s. */
#define OFFSET 5
#define SECONDS 10

/* What else the row was made of, each at its own offset and time. */
struct merged_before {
	enum operation operation;
	int64_t seconds, offset;
	const char *features; /* NULL: no more */
};

/* NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): as they read */
struct trial {
	enum operation operation;
	const char *features;
	struct proof_evidence evidence; /* but for the row, and `taken` */
	struct merged_before row[4];
	const char *answer;
	enum proof_why why;
};

static struct row make_row(
	struct rows_rig *rig, const struct merged_before *before)
{
	struct row row = rows_empty(rig, rig->view);
	for (size_t i = 0; i < 4 && before[i].features != NULL; i++) {
		struct update update = rows_update(rig, rig->view,
			before[i].operation, before[i].features);
		struct version version = rows_version(
			rig, before[i].seconds, 0, before[i].offset);
		(void)merge(rig->view, &row, &update, &version);
	}
	return row;
}

static void check_trials(
	struct rows_rig *rig, const struct trial *trials, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct trial *trial = &trials[i];
		struct row row = make_row(rig, trial->row);
		struct update update = rows_update(
			rig, rig->view, trial->operation, trial->features);
		struct version version = rows_version(rig, SECONDS, 0, OFFSET);
		struct proof_evidence evidence = trial->evidence;
		update.event_us = version.event_us;
		evidence.row = &row;
		evidence.taken = true;
		struct proof proof = proof_judge(&update, &version, &evidence);
		if (strcmp(proof_answer_name(proof.answer), trial->answer) !=
				0 ||
			proof.why != trial->why)
			fail_msg("trial %zu: %s (%s), not %s", i,
				proof_answer_name(proof.answer),
				proof_why_text(proof.why), trial->answer);
	}
}

#define CHECK_TRIALS(rig, trials)                                              \
	check_trials(rig, trials, sizeof(trials) / sizeof((trials)[0]))

#define KEY_IS_ITS_OWN                                                         \
	{                                                                      \
		.holder = HOLDER_ITSELF                                        \
	}
#define NO_KEY_ANY_MORE                                                        \
	{                                                                      \
		.holder = HOLDER_NONE                                          \
	}

static void with_its_key_the_row_must_be_as_new(void **state)
{
	static const struct trial trials[] = {
		{UPSERT, "last=1", KEY_IS_ITS_OWN,
			{{UPSERT, SECONDS, OFFSET, "last=1"}}, "applied",
			PROOF_WHY_IN_ROW},
		{UPSERT, "last=1", KEY_IS_ITS_OWN,
			{{UPSERT, SECONDS, OFFSET, "last=2"}}, "missing",
			PROOF_WHY_OTHER_VALUE},
		{UPSERT, "last=1", KEY_IS_ITS_OWN,
			{{UPSERT, SECONDS, OFFSET + 1, "last=2"}}, "superseded",
			PROOF_WHY_NEWER},
		{UPSERT, "last=1", KEY_IS_ITS_OWN,
			{{UPSERT, SECONDS, OFFSET - 1, "last=1"}}, "missing",
			PROOF_WHY_OLDER},
		{UPSERT, "last=1 word=x", KEY_IS_ITS_OWN,
			{{UPSERT, SECONDS + 1, 9, "last=2"}}, "missing",
			PROOF_WHY_OLDER},
		{UPSERT, "last=1 word=x", KEY_IS_ITS_OWN,
			{{UPSERT, SECONDS + 1, 9, "last=2"},
				{UPSERT, SECONDS, OFFSET, "word=x"}},
			"applied", PROOF_WHY_IN_ROW},
		{UPSERT, "last=1", KEY_IS_ITS_OWN,
			{{DELETE, SECONDS + 1, 9, ""}}, "superseded",
			PROOF_WHY_DELETED},
		{UPSERT, "last=1", KEY_IS_ITS_OWN, {{0}}, "missing",
			PROOF_WHY_NO_ROW},
	};
	CHECK_TRIALS(*state, trials);
}

static void contributions_are_proven_by_their_key(void **state)
{
	static const struct trial trials[] = {
		{UPSERT, "sum=1", KEY_IS_ITS_OWN,
			{{UPSERT, SECONDS + 5, 9, "sum=7"}}, "applied",
			PROOF_WHY_CONTRIBUTED},
		{UPSERT, "sum=1", KEY_IS_ITS_OWN,
			{{UPSERT, SECONDS - 5, 1, "sum=7"}}, "missing",
			PROOF_WHY_OLDER},
		{UPSERT, "sum=1", KEY_IS_ITS_OWN,
			{{DELETE, SECONDS + 1, 9, ""}}, "superseded",
			PROOF_WHY_DELETED},
		{UPSERT, "sum=1", NO_KEY_ANY_MORE,
			{{UPSERT, SECONDS + 5, 9, "sum=7"}}, "held",
			PROOF_WHY_OLD_SUM},
		{UPSERT, "sum=1", NO_KEY_ANY_MORE,
			{{UPSERT, SECONDS - 5, 1, "sum=7"}}, "missing",
			PROOF_WHY_OLDER},
	};
	CHECK_TRIALS(*state, trials);
}

static void minima_and_maxima_are_at_least_as_far(void **state)
{
	static const struct trial trials[] = {
		{UPSERT, "min=5", KEY_IS_ITS_OWN,
			{{UPSERT, SECONDS + 5, 9, "min=3"}}, "applied",
			PROOF_WHY_CONTRIBUTED},
		{UPSERT, "min=5", KEY_IS_ITS_OWN,
			{{UPSERT, SECONDS + 5, 9, "min=7"}}, "missing",
			PROOF_WHY_OTHER_VALUE},
		{UPSERT, "max=5", KEY_IS_ITS_OWN,
			{{UPSERT, SECONDS + 5, 9, "max=3"}}, "missing",
			PROOF_WHY_OTHER_VALUE},
		/* To what was newer, a replace did not contribute. */
		{REPLACE, "max=5", KEY_IS_ITS_OWN,
			{{UPSERT, SECONDS + 5, 9, "max=3"},
				{REPLACE, SECONDS, OFFSET, "max=5"}},
			"applied", PROOF_WHY_IN_ROW},
	};
	CHECK_TRIALS(*state, trials);
}

static void deletes_and_replaces_leave_a_floor(void **state)
{
	static const struct trial trials[] = {
		{DELETE, "", KEY_IS_ITS_OWN, {{DELETE, SECONDS, OFFSET, ""}},
			"applied", PROOF_WHY_IN_ROW},
		{DELETE, "", KEY_IS_ITS_OWN,
			{{DELETE, SECONDS, OFFSET, ""},
				{UPSERT, SECONDS + 1, 9, "last=1"}},
			"applied", PROOF_WHY_IN_ROW},
		{DELETE, "", KEY_IS_ITS_OWN, {{DELETE, SECONDS + 1, 9, ""}},
			"superseded", PROOF_WHY_DELETED},
		{DELETE, "", KEY_IS_ITS_OWN,
			{{UPSERT, SECONDS + 1, 9, "sum=1"}}, "missing",
			PROOF_WHY_OLDER_FLOOR},
		{DELETE, "", KEY_IS_ITS_OWN, {{DELETE, SECONDS - 1, 9, ""}},
			"missing", PROOF_WHY_OLDER_FLOOR},
		{REPLACE, "last=1", KEY_IS_ITS_OWN,
			{{REPLACE, SECONDS, OFFSET, "last=1"}}, "applied",
			PROOF_WHY_IN_ROW},
		{REPLACE, "last=1", KEY_IS_ITS_OWN,
			{{DELETE, SECONDS, OFFSET, ""}}, "missing",
			PROOF_WHY_OLDER},
		{DELETE, "", NO_KEY_ANY_MORE, {{DELETE, SECONDS + 1, 9, ""}},
			"held", PROOF_WHY_OLD},
	};
	CHECK_TRIALS(*state, trials);
}

/* A copy was taken in its place, and has other coordinates. */
static void beyond_the_key_window_a_copy_will_do(void **state)
{
	static const struct trial trials[] = {
		{UPSERT, "last=1", NO_KEY_ANY_MORE,
			{{UPSERT, SECONDS, OFFSET - 1, "last=1"}}, "held",
			PROOF_WHY_OLD},
		{UPSERT, "last=1", NO_KEY_ANY_MORE,
			{{UPSERT, SECONDS, OFFSET, "last=1"}}, "applied",
			PROOF_WHY_IN_ROW},
		{UPSERT, "last=1", NO_KEY_ANY_MORE,
			{{UPSERT, SECONDS - 1, 4, "last=1"}}, "missing",
			PROOF_WHY_OLDER},
		/* Without event times of their own, copies differ. */
		{UPSERT, "last=1", {.copy_span_us = 3000000},
			{{UPSERT, SECONDS - 1, 4, "last=1"}}, "held",
			PROOF_WHY_OLD},
		{DELETE, "", NO_KEY_ANY_MORE, {{DELETE, SECONDS, 4, ""}},
			"held", PROOF_WHY_OLD},
	};
	CHECK_TRIALS(*state, trials);
}

#define OTHER(...)                                                             \
	{                                                                      \
		.holder = HOLDER_OTHER, __VA_ARGS__                            \
	}

static void another_holder_of_the_key_says_what_became_of_it(void **state)
{
	static const struct trial trials[] = {
		{UPSERT, "last=1",
			OTHER(.same_content = true, .in_window = true,
				.holder_first = true),
			{{0}}, "duplicate", PROOF_WHY_COPY},
		{UPSERT, "last=1",
			OTHER(.same_content = true, .holder_has_letter = true,
				.holder_dead = true, .holder_first = true),
			{{0}}, "duplicate", PROOF_WHY_COPY},
		{UPSERT, "last=1",
			OTHER(.in_window = true, .holder_first = true), {{0}},
			"missing", PROOF_WHY_NO_LETTER},
		{UPSERT, "last=1",
			OTHER(.in_window = true, .holder_first = true,
				.cleared = true),
			{{0}}, "dead", PROOF_WHY_CLEARED},
		/* By force, a person had it applied. */
		{UPSERT, "last=1",
			OTHER(.in_window = true, .holder_first = true),
			{{UPSERT, SECONDS, OFFSET, "last=1"}}, "applied",
			PROOF_WHY_IN_ROW},
		/* One that came later took it over. */
		{UPSERT, "last=1", OTHER(.in_window = true),
			{{UPSERT, SECONDS + 1, 9, "last=2"}}, "held",
			PROOF_WHY_OLD},
		/* From one that is beyond the window it had taken it. */
		{UPSERT, "last=1",
			OTHER(.holder_first = true, .key_stays = true,
				.all_stay = true),
			{{UPSERT, SECONDS, OFFSET, "last=1"}}, "missing",
			PROOF_WHY_NO_KEY},
	};
	CHECK_TRIALS(*state, trials);
}

static void a_key_that_must_be_there_is_missed(void **state)
{
	static const struct trial trials[] = {
		{UPSERT, "last=1", {.key_stays = true, .all_stay = true},
			{{UPSERT, SECONDS, 9, "last=1"}}, "missing",
			PROOF_WHY_NO_KEY},
		{UPSERT, "last=1", {.key_stays = true},
			{{UPSERT, SECONDS, OFFSET, "last=1"}}, "missing",
			PROOF_WHY_NO_KEY},
		/* It may be a copy of one whose key went. */
		{UPSERT, "last=1", {.key_stays = true},
			{{UPSERT, SECONDS, 9, "last=1"}}, "held",
			PROOF_WHY_OLD},
		{UPSERT, "sum=1",
			{.key_stays = true, .all_stay = true, .cleared = true},
			{{UPSERT, SECONDS, 9, "sum=1"}}, "dead",
			PROOF_WHY_CLEARED},
	};
	CHECK_TRIALS(*state, trials);
}

#define FORGOTTEN                                                              \
	{                                                                      \
		.holder = HOLDER_ITSELF, .forgotten_before_us = INT64_MAX      \
	}

static void what_a_forgotten_delete_explains_is_not_missing(void **state)
{
	static const struct trial trials[] = {
		{UPSERT, "last=1", FORGOTTEN, {{0}}, "unproven",
			PROOF_WHY_FORGOTTEN},
		{DELETE, "", FORGOTTEN, {{0}}, "unproven", PROOF_WHY_FORGOTTEN},
		{UPSERT, "last=1", FORGOTTEN,
			{{UPSERT, SECONDS - 1, 4, "last=1"}}, "unproven",
			PROOF_WHY_FORGOTTEN},
		{UPSERT, "min=5", FORGOTTEN,
			{{UPSERT, SECONDS + 5, 9, "min=7"}}, "unproven",
			PROOF_WHY_FORGOTTEN},
		/* No delete gives a feature another value at its version. */
		{UPSERT, "last=1", FORGOTTEN,
			{{UPSERT, SECONDS, OFFSET, "last=2"}}, "missing",
			PROOF_WHY_OTHER_VALUE},
		/* Those of its time were kept. */
		{UPSERT, "last=1",
			{.holder = HOLDER_ITSELF, .forgotten_before_us = 1},
			{{0}}, "missing", PROOF_WHY_NO_ROW},
		{UPSERT, "last=1", FORGOTTEN,
			{{UPSERT, SECONDS, OFFSET, "last=1"}}, "applied",
			PROOF_WHY_IN_ROW},
	};
	CHECK_TRIALS(*state, trials);
}

static void what_was_forced_is_not_missing(void **state)
{
	static const struct trial trials[] = {
		{UPSERT, "last=1",
			OTHER(.in_window = true, .holder_first = true,
				.forced = true),
			{{UPSERT, SECONDS + 1, 9, "last=2"}}, "unproven",
			PROOF_WHY_FORCED},
		{UPSERT, "last=1",
			OTHER(.in_window = true, .holder_first = true),
			{{UPSERT, SECONDS + 1, 9, "last=2"}}, "missing",
			PROOF_WHY_NO_LETTER},
		{UPSERT, "last=1",
			OTHER(.in_window = true, .holder_first = true,
				.forced = true),
			{{UPSERT, SECONDS, OFFSET, "last=1"}}, "applied",
			PROOF_WHY_IN_ROW},
	};
	CHECK_TRIALS(*state, trials);
}

static struct proof judge_refused(const struct proof_evidence *evidence)
{
	static const struct log log = {.topic = "alpha", .id = 1};
	struct update update = {.reason = REASON_BAD_JSON, .has_key = true};
	struct version version = {.log = &log, .offset = OFFSET};
	return proof_judge(&update, &version, evidence);
}

static void what_cannot_be_applied_has_a_letter(void **state)
{
	(void)state;
	static const struct {
		struct proof_evidence evidence;
		enum proof_answer answer;
	} trials[] = {
		{{.taken = false}, PROOF_AHEAD},
		{{.taken = true}, PROOF_MISSING},
		{{.taken = true, .letter = PROOF_LETTER_DEAD}, PROOF_DEAD},
		{{.taken = true, .letter = PROOF_LETTER_PARKED}, PROOF_PARKED},
		{{.taken = true, .forced = true}, PROOF_MISSING},
		{{.taken = true, .cleared = true}, PROOF_DEAD},
		{{.taken = true, .copy_letter = true}, PROOF_DUPLICATE},
		{{.taken = true,
			 .holder = HOLDER_ITSELF,
			 .holder_has_letter = true,
			 .holder_dead = true},
			PROOF_MISSING},
		/* It was valid when it was taken. */
		{{.taken = true, .holder = HOLDER_ITSELF}, PROOF_HELD},
	};
	for (size_t i = 0; i < sizeof trials / sizeof trials[0]; i++)
		assert_int_equal(judge_refused(&trials[i].evidence).answer,
			trials[i].answer);
}

static void a_damaged_row_is_missing(void **state)
{
	struct rows_rig *rig = *state;
	struct update update = rows_update(rig, rig->view, UPSERT, "last=1");
	struct version version = rows_version(rig, SECONDS, 0, OFFSET);
	struct proof_evidence evidence = {
		.taken = true, .holder = HOLDER_ITSELF};
	assert_int_equal(proof_judge(&update, &version, &evidence).why,
		PROOF_WHY_DAMAGED);
}

static void answers_have_names(void **state)
{
	(void)state;
	for (int i = 0; i < PROOF_ANSWER_COUNT; i++) {
		enum proof_answer parsed = PROOF_ANSWER_COUNT;
		const char *name = proof_answer_name((enum proof_answer)i);
		assert_true(proof_answer_parse(slice_of(name), &parsed));
		assert_int_equal(parsed, i);
	}
	for (int i = 0; i < PROOF_WHY_COUNT; i++)
		assert_non_null(proof_why_text((enum proof_why)i));
	enum proof_answer none;
	assert_false(proof_answer_parse(slice_of("gone"), &none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ROWS(with_its_key_the_row_must_be_as_new),
		WITH_ROWS(contributions_are_proven_by_their_key),
		WITH_ROWS(minima_and_maxima_are_at_least_as_far),
		WITH_ROWS(deletes_and_replaces_leave_a_floor),
		WITH_ROWS(beyond_the_key_window_a_copy_will_do),
		WITH_ROWS(another_holder_of_the_key_says_what_became_of_it),
		WITH_ROWS(a_key_that_must_be_there_is_missed),
		WITH_ROWS(what_a_forgotten_delete_explains_is_not_missing),
		WITH_ROWS(what_was_forced_is_not_missing),
		cmocka_unit_test(what_cannot_be_applied_has_a_letter),
		WITH_ROWS(a_damaged_row_is_missing),
		cmocka_unit_test(answers_have_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
