/* A row's stored form: what comes out went in, and damage is damage. */
#include "schema/row.h"
#include "tests/lib/chance.h"
#include "tests/lib/check.h"
#include "tests/lib/rows.h"

#include <string.h>

static struct log_table logs_of(struct rows_rig *rig)
{
	return (struct log_table){rig->by_id, ROWS_LOGS};
}

static void put(struct rows_rig *rig, struct row *row, const char *features,
	struct version version)
{
	struct update update =
		rows_update(rig, rig->view, OPERATION_UPSERT, features);
	assert_int_equal(merge(rig->view, row, &update, &version).disposition,
		DISPOSITION_APPLIED);
}

static const char *text_of(struct rows_rig *rig, struct slice column)
{
	return column.data == NULL ? "absent"
				   : arena_copy(&rig->arena, column).data;
}

static const char *encoded(struct rows_rig *rig, const struct row *row)
{
	struct slice column;
	assert_true(row_encode_versions(rig->view, row, &rig->arena, &column));
	return text_of(rig, column);
}

/* What a row is read from: values, NULL where there is none. */
static struct row columns_of(struct rows_rig *rig, const struct row *row)
{
	struct row columns = rows_empty(rig, rig->view);
	for (size_t i = 0; i < rig->view->feature_count; i++)
		if (row->cells[i].value.state == VALUE_SET)
			columns.cells[i].value = row->cells[i].value;
	return columns;
}

/* Store it and read it again. */
static void check_round_trip(struct rows_rig *rig, const struct row *row)
{
	struct slice floor, versions;
	struct fault fault = {0};
	struct row read = columns_of(rig, row);
	struct version version = row_version(rig->view, row);
	assert_true(row_encode_floor(row, &rig->arena, &floor));
	assert_true(
		row_encode_versions(rig->view, row, &rig->arena, &versions));
	assert_int_equal(
		row_decode_floor(&read, floor, logs_of(rig), &fault), 0);
	assert_int_equal(row_decode_versions(rig->view, &read, &version,
				 versions, logs_of(rig), &fault),
		0);
	compare_rows(rig->view, row, &read);
}

#define ALL "sum=1 money=1 min=1 max=1 last=1 word=x"

static void a_row_of_one_version_needs_no_column(void **state)
{
	struct rows_rig *rig = *state;
	struct row row = rows_empty(rig, rig->view);
	assert_false(row_is_present(rig->view, &row));
	put(rig, &row, ALL, rows_version(rig, 5, 0, 7));
	assert_true(row_is_present(rig->view, &row));
	assert_string_equal(encoded(rig, &row), "absent");
	check_round_trip(rig, &row);
}

/* Times relative to the row's, logs by number. */
static void the_column_reads_as_its_comment_says(void **state)
{
	struct rows_rig *rig = *state;
	struct row row = rows_empty(rig, rig->view);
	put(rig, &row, "sum=1 last=null", rows_version(rig, 5, 0, 7));
	assert_string_equal(encoded(rig, &row), ",-,-,-,n,-");
	put(rig, &row, "max=1", rows_version(rig, 7, 2, 9));
	assert_string_equal(
		encoded(rig, &row), "-2000000/1/7/0,-,-,,n-2000000/1/7/0,-");
	check_round_trip(rig, &row);
	row.cells[0].value.state = VALUE_UNSET;
	row.cells[4].value.state = VALUE_UNSET;
	struct version late = rows_version(rig, 7, 2, 8);
	late.place = 3;
	put(rig, &row, "word=x", late);
	assert_string_equal(encoded(rig, &row), "-,-,-,,-,0/3/8/3");
	check_round_trip(rig, &row);
}

static void a_floor_reads_as_a_version(void **state)
{
	struct rows_rig *rig = *state;
	struct slice column;
	struct row row = rows_empty(rig, rig->view);
	assert_true(row_encode_floor(&row, &rig->arena, &column));
	assert_string_equal(text_of(rig, column), "absent");
	row.has_floor = true;
	row.floor = rows_version(rig, 0, 1, 12);
	row.floor.place = 1;
	assert_true(row_encode_floor(&row, &rig->arena, &column));
	assert_string_equal(text_of(rig, column), "1795422048000000/2/12/1");
}

static struct version some_version(struct rows_rig *rig, struct chance *chance)
{
	struct version version = rows_version(rig,
		(int64_t)chance_below(chance, 5), chance_below(chance, 3),
		(int64_t)chance_below(chance, 4));
	version.place = (uint32_t)chance_below(chance, 2);
	/* Extremes, whose distances do not fit into 64 bits. */
	if (chance_percent(chance, 5))
		version.event_us = INT64_MIN;
	if (chance_percent(chance, 5))
		version.event_us = INT64_MAX;
	if (chance_percent(chance, 5))
		version.offset = INT64_MAX;
	if (chance_percent(chance, 5))
		version.place = UINT32_MAX;
	return version;
}

static struct row some_row(struct rows_rig *rig, struct chance *chance)
{
	struct row row = rows_empty(rig, rig->view);
	row.has_floor = chance_percent(chance, 50);
	row.floor = some_version(rig, chance);
	for (size_t i = 0; i < rig->view->feature_count; i++) {
		struct cell *cell = &row.cells[i];
		cell->version = some_version(rig, chance);
		cell->value.state = (enum value_state)chance_below(chance, 3);
		cell->value.as.bytes = slice_of("x");
		if (i < 5) /* all but the last are integers */
			cell->value.as.integer = 7;
	}
	return row;
}

static void every_row_survives(void **state)
{
	struct rows_rig *rig = *state;
	for (uint64_t seed = 0; seed < 5000; seed++) {
		struct chance chance = {seed};
		arena_reset(&rig->arena);
		struct row row = some_row(rig, &chance);
		if (row_is_present(rig->view, &row))
			check_round_trip(rig, &row);
	}
}

static int decode(struct rows_rig *rig, const struct row *row,
	const char *column, struct row *read)
{
	struct fault fault = {0};
	struct version version = rows_version(rig, 5, 0, 7);
	*read = columns_of(rig, row);
	return row_decode_versions(rig->view, read, &version, slice_of(column),
		logs_of(rig), &fault);
}

static void what_does_not_fit_the_values_is_damage(void **state)
{
	struct rows_rig *rig = *state;
	static const char *const columns[] = {"-", "-,-,-,-,-,-", ",-,-,-,n,",
		",-,-,-,n,-,", ",-,-,-,n,-,-", "n,-,-,-,n,-", ",-,-,-,,-",
		",-,-,-,-n,-", ",,-,-,n,-", "0/4/1/0,-,-,-,n,-",
		"0/0/1/0,-,-,-,n,-", "0/-1/1/0,-,-,-,n,-", "0/1/1,-,-,-,n,-",
		"0/1/1/-1,-,-,-,n,-", "x,-,-,-,n,-",
		"0/1/1/4294967296,-,-,-,n,-", "0/1/1/0/0,-,-,-,n,-",
		" ,-,-,-,n,-", ",-,-,-,n,- ",
		"99999999999999999999/1/1/0,-,-,-,n,-"};
	struct row read, row = rows_empty(rig, rig->view);
	put(rig, &row, "sum=1 last=null", rows_version(rig, 5, 0, 7));
	assert_int_equal(decode(rig, &row, ",-,-,-,n,-", &read), 0);
	compare_rows(rig->view, &row, &read);
	for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
		int rc = decode(rig, &row, columns[i], &read);
		if (rc != FAULT_CORRUPT)
			fail_msg("\"%s\" was read as %s", columns[i],
				rows_print(rig, rig->view, &read));
	}
}

static void younger_features_are_unset(void **state)
{
	struct rows_rig *rig = *state;
	struct row read, row = rows_empty(rig, rig->view);
	put(rig, &row, "sum=1", rows_version(rig, 5, 0, 7));
	assert_int_equal(decode(rig, &row, ",-", &read), 0);
	compare_rows(rig->view, &row, &read);
	row = rows_empty(rig, rig->view);
	put(rig, &row, "sum=1 money=1 min=1", rows_version(rig, 5, 0, 7));
	struct fault fault = {0};
	struct version version = rows_version(rig, 5, 0, 7);
	read = columns_of(rig, &row);
	assert_int_equal(row_decode_versions(rig->view, &read, &version,
				 (struct slice){NULL, 0}, logs_of(rig), &fault),
		0);
	compare_rows(rig->view, &row, &read);
}

static void a_value_without_version_is_damage(void **state)
{
	struct rows_rig *rig = *state;
	struct row read, row = rows_empty(rig, rig->view);
	put(rig, &row, "sum=1 word=x", rows_version(rig, 5, 0, 7));
	assert_int_equal(decode(rig, &row, ",-,-,-,-", &read), FAULT_CORRUPT);
	assert_int_equal(decode(rig, &row, "", &read), FAULT_CORRUPT);
}

static void a_damaged_floor_is_damage(void **state)
{
	struct rows_rig *rig = *state;
	static const char *const columns[] = {"", "1", "1/1/1", "1/1/1/",
		"1/1/1/0/", "1/9/1/0", "/1/1/0", "1/1/1/0 ", "-"};
	struct row row = rows_empty(rig, rig->view);
	for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
		struct fault fault = {0};
		assert_int_equal(row_decode_floor(&row, slice_of(columns[i]),
					 logs_of(rig), &fault),
			FAULT_CORRUPT);
	}
}

/* Any change of a byte is found, or gives a row that could be one. */
static void no_damage_is_beyond_reading(void **state)
{
	struct rows_rig *rig = *state;
	static const char characters[] = "0123456789-/,n x";
	for (uint64_t seed = 0; seed < 5000; seed++) {
		struct chance chance = {seed};
		struct slice column;
		struct row read;
		arena_reset(&rig->arena);
		struct row row = some_row(rig, &chance);
		if (!row_is_present(rig->view, &row))
			continue;
		assert_true(row_encode_versions(
			rig->view, &row, &rig->arena, &column));
		if (column.data == NULL)
			continue;
		char text[1024];
		assert_true(column.length < sizeof text);
		memcpy(text, column.data, column.length);
		text[column.length] = '\0';
		text[chance_below(&chance, column.length)] =
			characters[chance_below(&chance, 16)];
		if (decode(rig, &row, text, &read) == 0)
			(void)row_version(rig->view, &read);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ROWS(a_row_of_one_version_needs_no_column),
		WITH_ROWS(the_column_reads_as_its_comment_says),
		WITH_ROWS(a_floor_reads_as_a_version),
		WITH_ROWS(every_row_survives),
		WITH_ROWS(what_does_not_fit_the_values_is_damage),
		WITH_ROWS(younger_features_are_unset),
		WITH_ROWS(a_value_without_version_is_damage),
		WITH_ROWS(a_damaged_floor_is_damage),
		WITH_ROWS(no_damage_is_beyond_reading),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
