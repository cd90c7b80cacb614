/*
 * Rows and updates as short texts, so that a test's cases fit on a line.
 *
 * "sum=3 last=null" in an update sets these; a decimal is written as its
 * unscaled integer. A row prints as "floor@20 sum=3@5 last=null@7": values with
 * the seconds of their event times, features in the schema's order, unset ones
 * left out.
 */
#ifndef HOLDFAST_TESTS_ROWS_H
#define HOLDFAST_TESTS_ROWS_H

#include "schema/merge.h"

/* Event times count from here. */
#define ROWS_TIME_US INT64_C(1795422048000000)
#define ROWS_LOGS 3

struct rows_rig {
	struct schema *schema;
	struct view *view;  /* string key `id`; features: see rows.c */
	struct view *plain; /* features `last` only */
	struct arena arena;
	struct log logs[ROWS_LOGS]; /* alpha:0, alpha:1, beta:0 */
	const struct log *by_id[ROWS_LOGS];
};

/* cmocka's setup and teardown: *state is a rig. */
int rows_setup(void **state);
int rows_teardown(void **state);
#define WITH_ROWS(test)                                                        \
	cmocka_unit_test_setup_teardown(test, rows_setup, rows_teardown)

/* An update of `view`, without entity and key. */
struct update rows_update(struct rows_rig *rig, const struct view *view,
	enum operation operation, const char *features);

/* `seconds` after the rig's time, from logs[log]. */
struct version rows_version(const struct rows_rig *rig, int64_t seconds,
	size_t log, int64_t offset);

const char *rows_print(
	struct rows_rig *rig, const struct view *view, const struct row *row);

struct row rows_empty(struct rows_rig *rig, const struct view *view);
struct row rows_copy(
	struct rows_rig *rig, const struct view *view, const struct row *row);

/* Values and states, versions, floor: fails the test where they differ. */
void compare_rows(
	const struct view *view, const struct row *a, const struct row *b);

#endif
