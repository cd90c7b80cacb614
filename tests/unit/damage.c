/* Damage that was found stays known, to whoever comes after. */
#include "store/damage.h"
#include "store/generations.h"
#include "store/verify.h"
#include "tests/lib/check.h"
#include "tests/lib/store_rig.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void database_of(const struct store_rig *rig, char out[PATH_MAX])
{
	assert_in_range(snprintf(out, PATH_MAX, "%s/generations/g1.db",
				rig->directory.path),
		1, PATH_MAX - 1);
}

static void write_note(const struct store_rig *rig, const char *text)
{
	char database[PATH_MAX], path[PATH_MAX + 16];
	database_of(rig, database);
	assert_true(
		snprintf(path, sizeof path, "%s" DAMAGE_SUFFIX, database) > 0);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static struct damage read_note(const struct store_rig *rig)
{
	char database[PATH_MAX];
	struct damage damage;
	database_of(rig, database);
	damage_read(database, &damage);
	return damage;
}

static struct reader *open_reader(const struct store_rig *rig)
{
	struct fault fault = {0};
	struct reader *reader;
	if (reader_open(&reader, rig->directory.path, 0, &fault) < 0)
		fail_msg("%s", fault.text);
	return reader;
}

/* Verify and remember; what reader_remember() says. */
static int examine(struct store_rig *rig, int64_t at_us)
{
	struct fault fault = {0};
	struct verify_report report;
	struct reader *reader = open_reader(rig);
	if (reader_verify(reader, &rig->arena, &report, &fault) < 0)
		fail_msg("%s", fault.text);
	int rc = reader_remember(reader, &report, "a test", at_us, &fault);
	if (rc < 0)
		fail_msg("%s", fault.text);
	reader_close(reader);
	return rc;
}

/* reader_get() of account 1, or of a pair that nobody made. */
static int look_up(struct store_rig *rig, struct reader *reader, bool account)
{
	struct fault fault = {0};
	struct row row;
	const struct view *views = reader_schema(reader)->views;
	struct value entity[2] = {{.state = VALUE_SET, .as.integer = 1},
		{.state = VALUE_SET, .as.integer = 1}};
	if (!account)
		entity[0].as.bytes = slice_of("nowhere");
	return reader_get(reader, &views[account ? 0 : 1], entity, &rig->arena,
		&row, &fault);
}

static int look_up_anew(struct store_rig *rig, bool account)
{
	struct reader *reader = open_reader(rig);
	int rc = look_up(rig, reader, account);
	reader_close(reader);
	return rc;
}

static int open_store(struct store_rig *rig, bool damaged_too)
{
	struct fault fault = {0};
	struct store_options options = rig->options;
	struct store *store;
	options.damaged_too = damaged_too;
	int rc = store_open(&store, &options, &fault);
	store_close(store);
	return rc;
}

static void fill_and_close(struct store_rig *rig)
{
	static const struct store_rig_event events[] = {
		{.offset = 0, .key = 1, .id = 1, .count = 5},
		{.offset = 1, .key = 2, .id = 2, .count = 7},
		{.offset = 2, .key = 3, .reason = REASON_TYPE_MISMATCH},
	};
	for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
		store_rig_take(rig, &events[i]);
	store_rig_close(rig);
}

/* A row that went is one that no lookup can miss: it is not there. */
static void lose_row(const struct store_rig *rig)
{
	store_rig_tamper(rig, "CREATE TABLE keep AS SELECT * FROM account;"
			      "DELETE FROM account WHERE id = 1");
}

static void bring_row_back(const struct store_rig *rig)
{
	store_rig_tamper(rig, "DELETE FROM account;"
			      "INSERT INTO account SELECT * FROM keep;"
			      "DROP TABLE keep");
}

static void a_good_store_leaves_no_note(void **state)
{
	struct store_rig *rig = *state;
	fill_and_close(rig);
	assert_int_equal(examine(rig, 1), 0);
	assert_false(read_note(rig).found);
	assert_int_equal(look_up_anew(rig, true), 1);
	assert_int_equal(open_store(rig, false), 0);
}

static void what_was_found_in_a_view_keeps_its_lookups_unanswered(void **state)
{
	struct store_rig *rig = *state;
	fill_and_close(rig);
	lose_row(rig);
	assert_int_equal(look_up_anew(rig, true), 0); /* nothing to notice */
	assert_int_equal(examine(rig, STORE_RIG_TIME_US), VERIFY_NOTED);
	assert_int_equal(look_up_anew(rig, true), FAULT_CORRUPT);
	assert_int_equal(look_up_anew(rig, false), 0);
	struct damage damage = read_note(rig);
	assert_true(damage.found);
	assert_false(damage.all);
	assert_true(damage_concerns(&damage, "account"));
	assert_false(damage_concerns(&damage, "pair"));
	assert_int_equal(damage.at_us, STORE_RIG_TIME_US);
	assert_string_equal(damage.by, "a test");
	assert_non_null(strstr(damage.text, "account"));
}

static void whoever_read_before_answers_no_more_either(void **state)
{
	struct store_rig *rig = *state;
	fill_and_close(rig);
	lose_row(rig);
	struct reader *reader = open_reader(rig);
	reader_keep(reader, true);
	assert_int_equal(look_up(rig, reader, true), 0);
	assert_int_equal(examine(rig, 1), VERIFY_NOTED);
	assert_int_equal(look_up(rig, reader, true), FAULT_CORRUPT);
	reader_close(reader);
}

static void ingest_is_refused_but_to_turn_away(void **state)
{
	struct store_rig *rig = *state;
	fill_and_close(rig);
	lose_row(rig);
	assert_int_equal(examine(rig, 1), VERIFY_NOTED);
	assert_int_equal(open_store(rig, false), FAULT_CORRUPT);
	assert_int_equal(open_store(rig, true), 0);
}

static void an_owner_is_told(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	assert_int_equal(store_check_damage(rig->store, &fault), 0);
	write_note(rig, "found 2026-02-01T00:00:00Z by them\nlookups none\n"
			"wrong: this\n");
	assert_int_equal(store_check_damage(rig->store, &fault), FAULT_CORRUPT);
	assert_non_null(strstr(fault.text, "this"));
	assert_non_null(strstr(fault.text, "holdfast restore"));
}

static void damaged_letters_keep_no_lookup_back(void **state)
{
	struct store_rig *rig = *state;
	fill_and_close(rig);
	store_rig_tamper(rig, "UPDATE _dead SET detail = 'x'");
	assert_int_equal(examine(rig, 1), VERIFY_NOTED);
	assert_int_equal(look_up_anew(rig, true), 1);
	assert_int_equal(look_up_anew(rig, false), 0);
	assert_int_equal(open_store(rig, false), FAULT_CORRUPT);
}

static void tables_that_contradict_each_other_concern_all(void **state)
{
	struct store_rig *rig = *state;
	fill_and_close(rig);
	store_rig_tamper(rig, "DELETE FROM _dead");
	assert_int_equal(examine(rig, 1), VERIFY_NOTED);
	assert_int_equal(look_up_anew(rig, true), FAULT_CORRUPT);
	assert_int_equal(look_up_anew(rig, false), FAULT_CORRUPT);
}

static void it_ends_when_nothing_is_wrong_any_more(void **state)
{
	struct store_rig *rig = *state;
	fill_and_close(rig);
	lose_row(rig);
	assert_int_equal(examine(rig, 1), VERIFY_NOTED);
	bring_row_back(rig);
	assert_int_equal(look_up_anew(rig, true), FAULT_CORRUPT);
	assert_int_equal(examine(rig, 2), VERIFY_CLEARED);
	assert_int_equal(look_up_anew(rig, true), 1);
	assert_int_equal(open_store(rig, false), 0);
}

/* It looked at what was there before that. */
static void a_look_does_not_end_what_was_found_since(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct verify_report report;
	fill_and_close(rig);
	struct reader *reader = open_reader(rig);
	assert_int_equal(
		reader_verify(reader, &rig->arena, &report, &fault), 0);
	write_note(rig, "found 2026-02-01T00:00:00Z by them\nlookups all\n"
			"wrong: this\n");
	assert_int_equal(
		reader_remember(reader, &report, "a test", 1, &fault), 0);
	reader_close(reader);
	assert_true(read_note(rig).found);
}

static void what_was_found_before_is_added_to(void **state)
{
	struct store_rig *rig = *state;
	fill_and_close(rig);
	write_note(rig, "found 2026-02-01T00:00:00Z by them\nlookups pair \n"
			"wrong: this\n");
	lose_row(rig);
	assert_int_equal(examine(rig, 1), VERIFY_NOTED);
	struct damage damage = read_note(rig);
	assert_true(damage_concerns(&damage, "account"));
	assert_true(damage_concerns(&damage, "pair"));
	assert_false(damage_concerns(&damage, "air"));
}

static void a_note_that_can_not_be_read_concerns_all(void **state)
{
	struct store_rig *rig = *state;
	static const char *const notes[] = {"", "\n", "found",
		"found 2026-02-01T00:00:00Z by them\nlookups pa",
		"found yesterday by them\nlookups none\nwrong: this\n",
		"found 2026-02-01T00:00:00Z by them\nlookups none\nwrong: thi"};
	fill_and_close(rig);
	for (size_t i = 0; i < sizeof notes / sizeof notes[0]; i++) {
		write_note(rig, notes[i]);
		assert_int_equal(look_up_anew(rig, true), FAULT_CORRUPT);
		assert_int_equal(open_store(rig, false), FAULT_CORRUPT);
	}
	assert_int_equal(examine(rig, 1), VERIFY_CLEARED);
	assert_int_equal(look_up_anew(rig, true), 1);
}

static void more_views_than_are_listed_are_all(void **state)
{
	struct damage damage = {0};
	char name[32];
	(void)state;
	damage_add(&damage, "the first");
	damage_add(&damage, "the second");
	assert_string_equal(damage.text, "the first");
	assert_false(damage_concerns_lookups(&damage));
	for (int i = 0; i < DAMAGE_VIEWS_BYTES / 8; i++) {
		assert_true(snprintf(name, sizeof name, "view_%06d", i) > 0);
		damage_add_view(&damage, name);
		assert_true(damage_concerns(&damage, name));
	}
	assert_true(damage.all);
}

/* It leaves with the generation. */
static void a_dropped_generation_leaves_no_note(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	const struct store_build build = {.origin = "a test"};
	struct store *built;
	char path[PATH_MAX];
	fill_and_close(rig);
	assert_int_equal(store_build(&built, &rig->options, &build, &fault), 0);
	store_close(built);
	assert_true(snprintf(path, sizeof path,
			    "%s/generations/g2.db" DAMAGE_SUFFIX,
			    rig->directory.path) > 0);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fclose(file), 0);
	const struct store_build again = {.generation = "g2"};
	assert_int_equal(store_build(&built, &rig->options, &again, &fault),
		FAULT_CORRUPT);
	assert_int_equal(generation_drop(rig->directory.path, "g2", &fault), 0);
	assert_int_not_equal(access(path, F_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(a_good_store_leaves_no_note),
		WITH_STORE(
			what_was_found_in_a_view_keeps_its_lookups_unanswered),
		WITH_STORE(whoever_read_before_answers_no_more_either),
		WITH_STORE(ingest_is_refused_but_to_turn_away),
		WITH_STORE(an_owner_is_told),
		WITH_STORE(damaged_letters_keep_no_lookup_back),
		WITH_STORE(tables_that_contradict_each_other_concern_all),
		WITH_STORE(it_ends_when_nothing_is_wrong_any_more),
		WITH_STORE(a_look_does_not_end_what_was_found_since),
		WITH_STORE(what_was_found_before_is_added_to),
		WITH_STORE(a_note_that_can_not_be_read_concerns_all),
		cmocka_unit_test(more_views_than_are_listed_are_all),
		WITH_STORE(a_dropped_generation_leaves_no_note),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
