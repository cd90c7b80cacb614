/*
 * The merge: cases worked out by hand from design section 5, then properties
 * over orders, splits and copies of random events.
 */
#include "schema/merge.h"
#include "tests/lib/chance.h"
#include "tests/lib/check.h"
#include "tests/lib/rows.h"

#include <stdlib.h>
#include <string.h>

#define UPSERT OPERATION_UPSERT
#define REPLACE OPERATION_REPLACE
#define DELETE OPERATION_DELETE

struct step {
	enum operation operation;
	int64_t seconds; /* event time */
	const char *features;
	const char *disposition;
	const char *row; /* afterwards */
};

static struct merged apply(struct rows_rig *rig, const struct view *view,
	struct row *row, const struct step *step, int64_t offset)
{
	struct update update =
		rows_update(rig, view, step->operation, step->features);
	struct version version = rows_version(rig, step->seconds, 0, offset);
	return merge(view, row, &update, &version);
}

/* Steps one after the other, each at the next offset. */
static void check_steps(
	struct rows_rig *rig, const struct step *steps, size_t count)
{
	struct row row = rows_empty(rig, rig->view);
	for (size_t i = 0; i < count; i++) {
		struct merged merged =
			apply(rig, rig->view, &row, &steps[i], (int64_t)i);
		assert_string_equal(disposition_name(merged.disposition),
			steps[i].disposition);
		assert_string_equal(
			rows_print(rig, rig->view, &row), steps[i].row);
	}
}

#define CHECK_STEPS(rig, steps)                                                \
	check_steps(rig, steps, sizeof(steps) / sizeof((steps)[0]))

static void the_newest_value_wins_feature_by_feature(void **state)
{
	static const struct step steps[] = {
		{UPSERT, 10, "last=1", "applied", "last=1@10"},
		{UPSERT, 5, "last=2", "superseded", "last=1@10"},
		{UPSERT, 5, "last=2 word=x", "applied", "last=1@10 word=x@5"},
		{UPSERT, 7, "last=3 word=y", "applied", "last=1@10 word=y@7"},
		{UPSERT, 11, "last=4", "applied", "last=4@11 word=y@7"},
		{UPSERT, 6, "last=9 word=z", "superseded",
			"last=4@11 word=y@7"},
	};
	CHECK_STEPS(*state, steps);
}

static void at_the_same_time_the_later_offset_wins(void **state)
{
	static const struct step steps[] = {
		{UPSERT, 10, "last=1", "applied", "last=1@10"},
		{UPSERT, 10, "last=2", "applied", "last=2@10"},
	};
	CHECK_STEPS(*state, steps);
}

static void null_is_a_value(void **state)
{
	static const struct step steps[] = {
		{UPSERT, 10, "last=null", "applied", "last=null@10"},
		{UPSERT, 5, "last=2", "superseded", "last=null@10"},
		{UPSERT, 12, "last=2", "applied", "last=2@12"},
		{UPSERT, 14, "last=null", "applied", "last=null@14"},
	};
	CHECK_STEPS(*state, steps);
}

static void accumulators_take_everything_however_late(void **state)
{
	static const struct step steps[] = {
		{UPSERT, 10, "sum=3 min=3 max=3 money=3", "applied",
			"sum=3@10 money=3@10 min=3@10 max=3@10"},
		{UPSERT, 5, "sum=4 min=4 max=4", "applied",
			"sum=7@10 money=3@10 min=3@10 max=4@10"},
		{UPSERT, 12, "sum=-9 min=-9 max=-9 money=-303", "applied",
			"sum=-2@12 money=-300@12 min=-9@12 max=4@12"},
		{UPSERT, 1, "min=7 max=0", "applied",
			"sum=-2@12 money=-300@12 min=-9@12 max=4@12"},
	};
	CHECK_STEPS(*state, steps);
}

static void a_delete_unsets_what_is_older(void **state)
{
	static const struct step steps[] = {
		{UPSERT, 10, "last=1 sum=5", "applied", "sum=5@10 last=1@10"},
		{UPSERT, 20, "word=x", "applied",
			"sum=5@10 last=1@10 word=x@20"},
		{DELETE, 15, "", "applied", "floor@15 word=x@20"},
		{UPSERT, 14, "last=2 sum=1", "superseded",
			"floor@15 word=x@20"},
		{UPSERT, 16, "last=3 sum=2", "applied",
			"floor@15 sum=2@16 last=3@16 word=x@20"},
		{DELETE, 13, "", "superseded",
			"floor@15 sum=2@16 last=3@16 word=x@20"},
		{DELETE, 30, "", "applied", "floor@30"},
		{UPSERT, 29, "last=4", "superseded", "floor@30"},
	};
	CHECK_STEPS(*state, steps);
}

static void a_delete_of_nothing_is_remembered(void **state)
{
	static const struct step steps[] = {
		{DELETE, 10, "", "applied", "floor@10"},
		{UPSERT, 9, "last=1 sum=1", "superseded", "floor@10"},
		{DELETE, 9, "", "superseded", "floor@10"},
		{DELETE, 11, "", "applied", "floor@11"},
		{UPSERT, 12, "last=1", "applied", "floor@11 last=1@12"},
	};
	CHECK_STEPS(*state, steps);
}

/* What a sum would be without its older part nobody knows any more. */
static void a_late_delete_leaves_newer_accumulators_whole(void **state)
{
	static const struct step steps[] = {
		{UPSERT, 5, "sum=1 max=1 last=1", "applied",
			"sum=1@5 max=1@5 last=1@5"},
		{UPSERT, 20, "sum=2", "applied", "sum=3@20 max=1@5 last=1@5"},
		{DELETE, 10, "", "applied", "floor@10 sum=3@20"},
		{UPSERT, 8, "sum=100", "superseded", "floor@10 sum=3@20"},
		{UPSERT, 11, "sum=100", "applied", "floor@10 sum=103@20"},
	};
	CHECK_STEPS(*state, steps);
}

static void late_deletes_are_told(void **state)
{
	struct rows_rig *rig = *state;
	struct row row = rows_empty(rig, rig->view);
	const struct step sum = {UPSERT, 20, "sum=1 last=1", "", ""};
	const struct step late = {DELETE, 10, "", "", ""};
	const struct step later = {REPLACE, 15, "sum=4", "", ""};
	const struct step newest = {DELETE, 30, "", "", ""};
	const struct step last = {UPSERT, 50, "last=1", "", ""};
	const struct step harmless = {DELETE, 40, "", "", ""};
	assert_false(apply(rig, rig->view, &row, &sum, 0).late_delete);
	assert_true(apply(rig, rig->view, &row, &late, 1).late_delete);
	assert_true(apply(rig, rig->view, &row, &later, 2).late_delete);
	assert_false(apply(rig, rig->view, &row, &newest, 3).late_delete);
	apply(rig, rig->view, &row, &last, 4);
	assert_false(apply(rig, rig->view, &row, &harmless, 5).late_delete);
	assert_string_equal(
		rows_print(rig, rig->view, &row), "floor@40 last=1@50");
}

static void a_replace_is_the_whole_row_as_of_its_time(void **state)
{
	static const struct step steps[] = {
		{UPSERT, 10, "last=1 word=x sum=5", "applied",
			"sum=5@10 last=1@10 word=x@10"},
		{REPLACE, 20, "last=2 sum=7", "applied",
			"floor@20 sum=7@20 last=2@20"},
		{UPSERT, 15, "word=y sum=1", "superseded",
			"floor@20 sum=7@20 last=2@20"},
		{UPSERT, 25, "sum=1 word=z", "applied",
			"floor@20 sum=8@25 last=2@20 word=z@25"},
		{REPLACE, 22, "sum=100 last=3 word=w max=1", "applied",
			"floor@22 sum=8@25 max=1@22 last=3@22 word=z@25"},
		{REPLACE, 21, "last=9", "superseded",
			"floor@22 sum=8@25 max=1@22 last=3@22 word=z@25"},
		{REPLACE, 30, "", "applied", "floor@30"},
		{REPLACE, 31, "last=null", "applied", "floor@31 last=null@31"},
	};
	CHECK_STEPS(*state, steps);
}

static void a_sum_beyond_its_type_kills_the_whole_update(void **state)
{
	static const struct step steps[] = {
		{UPSERT, 1, "sum=9223372036854775807", "applied",
			"sum=9223372036854775807@1"},
		{UPSERT, 2, "sum=1 last=1", "dead",
			"sum=9223372036854775807@1"},
		{UPSERT, 3, "sum=-1 last=2", "applied",
			"sum=9223372036854775806@3 last=2@3"},
		{UPSERT, 4, "sum=1", "applied",
			"sum=9223372036854775807@4 last=2@3"},
		{UPSERT, 5, "money=999999999999999", "applied",
			"sum=9223372036854775807@4 money=999999999999999@5 "
			"last=2@3"},
		{UPSERT, 6, "money=1", "dead",
			"sum=9223372036854775807@4 money=999999999999999@5 "
			"last=2@3"},
		{DELETE, 7, "", "applied", "floor@7"},
		{UPSERT, 8, "sum=-9223372036854775808 money=-999999999999999",
			"applied",
			"floor@7 sum=-9223372036854775808@8 "
			"money=-999999999999999@8"},
		{UPSERT, 9, "sum=-1", "dead",
			"floor@7 sum=-9223372036854775808@8 "
			"money=-999999999999999@8"},
		{UPSERT, 9, "money=-1", "dead",
			"floor@7 sum=-9223372036854775808@8 "
			"money=-999999999999999@8"},
		/* Below the floor nothing is added, so nothing overflows. */
		{UPSERT, 6, "sum=-1", "superseded",
			"floor@7 sum=-9223372036854775808@8 "
			"money=-999999999999999@8"},
		{REPLACE, 10, "sum=-1", "applied", "floor@10 sum=-1@10"},
	};
	CHECK_STEPS(*state, steps);
}

static void an_overflow_names_its_feature(void **state)
{
	struct rows_rig *rig = *state;
	struct row row = rows_empty(rig, rig->view);
	const struct step first = {UPSERT, 1, "money=999999999999999", "", ""};
	const struct step second = {UPSERT, 2, "sum=1 money=1", "", ""};
	apply(rig, rig->view, &row, &first, 0);
	struct merged merged = apply(rig, rig->view, &row, &second, 1);
	assert_int_equal(merged.reason, REASON_OVERFLOW);
	assert_string_equal(rig->view->features[merged.feature].name, "money");
}

static void equal_versions_are_the_same_update(void **state)
{
	struct rows_rig *rig = *state;
	struct row row = rows_empty(rig, rig->plain);
	const struct step upsert = {UPSERT, 5, "a=1", "", ""};
	const struct step delete = {DELETE, 6, "", "", ""};
	assert_int_equal(apply(rig, rig->plain, &row, &upsert, 7).disposition,
		DISPOSITION_APPLIED);
	assert_int_equal(apply(rig, rig->plain, &row, &upsert, 7).disposition,
		DISPOSITION_SUPERSEDED);
	assert_int_equal(apply(rig, rig->plain, &row, &delete, 8).disposition,
		DISPOSITION_APPLIED);
	assert_int_equal(apply(rig, rig->plain, &row, &delete, 8).disposition,
		DISPOSITION_SUPERSEDED);
}

/* Ties are decided by topic, partition, offset, place; whoever comes first. */
static void ties_are_decided_by_coordinates(void **state)
{
	struct rows_rig *rig = *state;
	struct version order[] = {rows_version(rig, 5, 0, 9),
		rows_version(rig, 5, 1, 3), rows_version(rig, 5, 1, 4),
		rows_version(rig, 5, 1, 4), rows_version(rig, 5, 2, 1)};
	order[3].place = 1;
	for (size_t i = 0; i + 1 < 5; i++) {
		struct update newer =
			rows_update(rig, rig->plain, UPSERT, "a=2");
		struct update older =
			rows_update(rig, rig->plain, UPSERT, "a=1");
		struct row row = rows_empty(rig, rig->plain);
		merge(rig->plain, &row, &newer, &order[i + 1]);
		merge(rig->plain, &row, &older, &order[i]);
		assert_int_equal(row.cells[0].value.as.integer, 2);
		row = rows_empty(rig, rig->plain);
		merge(rig->plain, &row, &older, &order[i]);
		merge(rig->plain, &row, &newer, &order[i + 1]);
		assert_int_equal(row.cells[0].value.as.integer, 2);
	}
}

/* Random events of one entity, to be taken in many orders. */
#define EVENTS 12
#define ORDERS 40
#define SETS 200

struct event {
	struct update update;
	struct version version;
};

struct events {
	struct rows_rig *rig;
	const struct view *view;
	struct chance chance;
	struct event events[EVENTS];
};

static struct value some_value(
	struct chance *chance, const struct feature *feature)
{
	static const char *const words[] = {"", "x", "yy"};
	struct value value = {.state = VALUE_SET};
	if (feature->merge == MERGE_LAST && chance_percent(chance, 20))
		value.state = VALUE_NULL;
	else if (type_is_bytes(feature->type.kind))
		value.as.bytes = slice_of(words[chance_below(chance, 3)]);
	else
		value.as.integer = (int64_t)chance_below(chance, 100) - 50;
	return value;
}

static void make_event(
	struct events *events, struct event *event, enum operation operation)
{
	const struct view *view = events->view;
	struct chance *chance = &events->chance;
	event->update = rows_update(events->rig, view, operation, "");
	for (size_t i = 0; i < view->feature_count; i++)
		if (operation != DELETE && chance_percent(chance, 50))
			event->update
				.assignments[event->update.assignment_count++] =
				(struct assignment){i,
					some_value(chance, &view->features[i])};
	event->version =
		rows_version(events->rig, (int64_t)chance_below(chance, 6),
			chance_below(chance, 3), event - events->events);
}

/* Upserts alone, or one of four something else. */
static void make_events(struct events *events, bool upserts)
{
	for (size_t i = 0; i < EVENTS; i++) {
		enum operation operation = UPSERT;
		if (!upserts && chance_percent(&events->chance, 25))
			operation = chance_percent(&events->chance, 50)
					    ? DELETE
					    : REPLACE;
		make_event(events, &events->events[i], operation);
	}
}

static void shuffle(struct events *events)
{
	for (size_t i = EVENTS - 1; i > 0; i--) {
		size_t other = chance_below(&events->chance, i + 1);
		struct event event = events->events[i];
		events->events[i] = events->events[other];
		events->events[other] = event;
	}
}

/* Take them all; `copies` percent of them twice. */
static struct row take_all(struct events *events, unsigned copies)
{
	struct row row = rows_empty(events->rig, events->view);
	for (size_t i = 0; i < EVENTS; i++) {
		const struct event *event = &events->events[i];
		merge(events->view, &row, &event->update, &event->version);
		if (chance_percent(&events->chance, copies)) {
			event = &events->events[chance_below(
				&events->chance, i + 1)];
			merge(events->view, &row, &event->update,
				&event->version);
		}
	}
	return row;
}

static void check_orders(struct events *events, bool upserts, unsigned copies)
{
	for (uint64_t set = 0; set < SETS; set++) {
		events->chance.state = set;
		arena_reset(&events->rig->arena);
		make_events(events, upserts);
		struct row row = take_all(events, 0);
		for (int order = 0; order < ORDERS; order++) {
			shuffle(events);
			struct row other = take_all(events, copies);
			compare_rows(events->view, &row, &other);
		}
	}
}

static void upserts_give_the_same_row_in_any_order(void **state)
{
	struct rows_rig *rig = *state;
	struct events events = {.rig = rig, .view = rig->view};
	check_orders(&events, true, 0);
}

static void plain_views_allow_deletes_and_copies_in_any_order(void **state)
{
	struct rows_rig *rig = *state;
	struct events events = {.rig = rig, .view = rig->plain};
	check_orders(&events, false, 0);
	check_orders(&events, false, 50);
}

/* In whatever order events come, what a row shows of a feature was set at or
 * after the newest delete; and of `last` it is the newest upsert after it. */
static void nothing_deleted_comes_back(void **state)
{
	struct rows_rig *rig = *state;
	struct events events = {.rig = rig, .view = rig->view};
	for (uint64_t set = 0; set < SETS * 10; set++) {
		events.chance.state = set;
		arena_reset(&rig->arena);
		make_events(&events, false);
		struct row row = take_all(&events, 0);
		for (size_t i = 0; i < rig->view->feature_count; i++)
			if (row.has_floor &&
				row.cells[i].value.state != VALUE_UNSET)
				assert_true(
					version_compare(&row.cells[i].version,
						&row.floor) >= 0);
	}
}

static void a_refused_update_leaves_the_row_alone(void **state)
{
	struct rows_rig *rig = *state;
	struct events events = {.rig = rig, .view = rig->view};
	for (uint64_t set = 0; set < SETS; set++) {
		events.chance.state = set;
		arena_reset(&rig->arena);
		make_events(&events, false);
		struct row row = rows_empty(rig, rig->view);
		for (size_t i = 0; i < EVENTS; i++) {
			const struct event *event = &events.events[i];
			struct row before = rows_copy(rig, rig->view, &row);
			struct merged merged = merge(rig->view, &row,
				&event->update, &event->version);
			if (merged.disposition != DISPOSITION_APPLIED)
				compare_rows(rig->view, &row, &before);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ROWS(the_newest_value_wins_feature_by_feature),
		WITH_ROWS(at_the_same_time_the_later_offset_wins),
		WITH_ROWS(null_is_a_value),
		WITH_ROWS(accumulators_take_everything_however_late),
		WITH_ROWS(a_delete_unsets_what_is_older),
		WITH_ROWS(a_delete_of_nothing_is_remembered),
		WITH_ROWS(a_late_delete_leaves_newer_accumulators_whole),
		WITH_ROWS(late_deletes_are_told),
		WITH_ROWS(a_replace_is_the_whole_row_as_of_its_time),
		WITH_ROWS(a_sum_beyond_its_type_kills_the_whole_update),
		WITH_ROWS(an_overflow_names_its_feature),
		WITH_ROWS(equal_versions_are_the_same_update),
		WITH_ROWS(ties_are_decided_by_coordinates),
		WITH_ROWS(upserts_give_the_same_row_in_any_order),
		WITH_ROWS(plain_views_allow_deletes_and_copies_in_any_order),
		WITH_ROWS(nothing_deleted_comes_back),
		WITH_ROWS(a_refused_update_leaves_the_row_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
