/* Tables for people. */
#include "ingest/command/table.h"
#include "ingest/command/size.h"
#include "tests/lib/check.h"

#include <stdio.h>
#include <stdlib.h>

static char *printed(const struct table *table)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	assert_non_null(out);
	assert_true(table_print(table, out));
	assert_int_equal(fclose(out), 0);
	return text;
}

static void columns_are_as_wide_as_their_widest_cell(void **state)
{
	(void)state;
	static const struct column columns[] = {
		{"name", false}, {"rows", true}, {"why", false}};
	struct table *table = table_new(columns, 3);
	table_add(table, "card");
	table_add(table, "%d", 10000);
	table_add(table, "fine");
	table_add(table, "merchants");
	table_add(table, "%d", 7);
	table_add(table, "-");
	char *text = printed(table);
	assert_string_equal(text, "name        rows  why\n"
				  "card       10000  fine\n"
				  "merchants      7  -\n");
	free(text);
	table_free(table);
}

static void characters_count_not_bytes(void **state)
{
	(void)state;
	static const struct column columns[] = {{"city", false}, {"n", true}};
	struct table *table = table_new(columns, 2);
	table_add(table, "Köln");
	table_add(table, "1");
	table_add(table, "Trier");
	table_add(table, "2");
	char *text = printed(table);
	assert_string_equal(text, "city   n\n"
				  "Köln   1\n"
				  "Trier  2\n");
	free(text);
	table_free(table);
}

static void without_rows_the_headings_stand_alone(void **state)
{
	(void)state;
	static const struct column columns[] = {{"view", false}};
	struct table *table = table_new(columns, 1);
	char *text = printed(table);
	assert_string_equal(text, "view\n");
	free(text);
	table_free(table);
}

static void sizes_are_printed_for_people(void **state)
{
	(void)state;
	static const struct {
		int64_t bytes;
		const char *text;
	} cases[] = {{0, "0 B"}, {312, "312 B"}, {1024, "1 KiB"},
		{1536, "1.5 KiB"}, {209715200, "200 MiB"},
		{INT64_C(8589934592), "8 GiB"}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char out[SIZE_TEXT];
		assert_string_equal(
			size_print(cases[i].bytes, out), cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_as_wide_as_their_widest_cell),
		cmocka_unit_test(characters_count_not_bytes),
		cmocka_unit_test(without_rows_the_headings_stand_alone),
		cmocka_unit_test(sizes_are_printed_for_people),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
