/*
 * Damage that was found, remembered beside a generation: what is kept, what it
 * concerns, and that a note which can't be read concerns everything.
 */
#include "store/damage.h"
#include "tests/lib/check.h"
#include "tests/lib/directory.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define AT_US INT64_C(1795422048203000) /* 2026-11-23T08:20:48.203Z */

struct rig {
	struct directory directory, database, note;
	struct fault fault;
};

static int set_up(void **state)
{
	struct rig *rig = calloc(1, sizeof *rig);
	assert_non_null(rig);
	directory_make(&rig->directory);
	rig->database = directory_entry(&rig->directory, "g1.db");
	rig->note = directory_entry(&rig->directory, "g1.db" DAMAGE_SUFFIX);
	*state = rig;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *rig = *state;
	directory_remove(&rig->directory);
	free(rig);
	return 0;
}
#define WITH_NOTE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static struct damage damage_of(const char *text, const char *view)
{
	struct damage damage = {.at_us = AT_US, .by = "verify"};
	damage_add(&damage, text);
	if (view != NULL)
		damage_add_view(&damage, view);
	return damage;
}

static void write_well(struct rig *rig, const struct damage *damage)
{
	if (damage_write(rig->database.path, damage, &rig->fault) != 0)
		fail_msg("%s", rig->fault.text);
}

static struct damage read_note(const struct rig *rig)
{
	struct damage damage;
	damage_read(rig->database.path, &damage);
	return damage;
}

static void what_was_found_is_remembered(void **state)
{
	struct rig *rig = *state;
	assert_false(read_note(rig).found);
	struct damage written = damage_of("a row of card", "card");
	damage_add(&written, "a later one");
	damage_add_view(&written, "route");
	damage_add_view(&written, "card");
	write_well(rig, &written);
	const struct damage read = read_note(rig);
	assert_true(read.found);
	assert_int_equal(read.at_us, AT_US);
	assert_string_equal(read.by, "verify");
	assert_string_equal(read.text, "a row of card");
	assert_true(damage_concerns(&read, "card"));
	assert_true(damage_concerns(&read, "route"));
	assert_true(damage_concerns_lookups(&read));
	/* and no view whose name is but a part of one */
	assert_false(damage_concerns(&read, "car"));
	assert_false(damage_concerns(&read, "ard"));
	assert_false(damage_concerns(&read, "oute"));
}

static void what_concerns_no_view_concerns_no_lookup(void **state)
{
	struct rig *rig = *state;
	const struct damage written = damage_of("a row\nof keys", NULL);
	write_well(rig, &written);
	const struct damage read = read_note(rig);
	assert_true(read.found);
	assert_false(damage_concerns_lookups(&read));
	assert_false(damage_concerns(&read, "card"));
	assert_string_equal(read.text, "a row of keys"); /* one line */
	const struct damage none = {0};
	assert_false(damage_concerns_lookups(&none));
	assert_false(damage_concerns(&none, "card"));
}

static void a_look_that_finds_less_forgets_nothing(void **state)
{
	struct rig *rig = *state;
	const struct damage first = damage_of("one", "card");
	const struct damage second = damage_of("other", "route");
	write_well(rig, &first);
	write_well(rig, &second);
	struct damage read = read_note(rig);
	assert_true(damage_concerns(&read, "card"));
	assert_true(damage_concerns(&read, "route"));
	assert_false(damage_concerns(&read, "more"));
	struct damage all = damage_of("all", NULL);
	all.all = true;
	write_well(rig, &all);
	write_well(rig, &first);
	read = read_note(rig);
	assert_true(read.all);
	assert_true(damage_concerns(&read, "more"));
	assert_true(damage_concerns_lookups(&read));
}

/* More names than fit: then it concerns all. */
static void views_without_end_are_all_views(void **state)
{
	struct rig *rig = *state;
	char name[16];
	struct damage many = damage_of("much", NULL);
	for (int i = 0; !many.all && i < 100000; i++) {
		(void)snprintf(name, sizeof name, "view_%d", i);
		damage_add_view(&many, name);
	}
	assert_true(many.all);
	assert_true(damage_concerns(&many, "view_0"));
	assert_true(damage_concerns(&many, "another"));
	write_well(rig, &many);
	assert_true(read_note(rig).all);
}

static void a_note_that_can_not_be_read_concerns_everything(void **state)
{
	struct rig *rig = *state;
	static const char *const notes[] = {"", "found", "nonsense\n",
		"found 2026-11-23T08:20:48Z by verify\n",
		"found 2026-11-23T08:20:48Z by verify\nlookups all\n",
		"found 2026-11-23T08:20:48Z by verify\nlookups all\nwrong: x",
		"found 2026-11-23T08:20:48Z verify\nlookups all\nwrong: x\n",
		"found yesterday by verify\nlookups none\nwrong: x\n"};
	for (size_t i = 0; i < sizeof notes / sizeof notes[0]; i++) {
		file_write(rig->note.path, notes[i]);
		const struct damage read = read_note(rig);
		assert_true(read.found);
		assert_true(damage_concerns(&read, "card"));
		assert_int_equal(damage_fault(&read, "the store", &rig->fault),
			FAULT_CORRUPT);
		assert_non_null(strstr(rig->fault.text, "an unknown time"));
	}
	assert_int_equal(unlink(rig->note.path), 0);
	assert_int_equal(mkdir(rig->note.path, 0700), 0);
	assert_true(read_note(rig).all);
	assert_int_equal(rmdir(rig->note.path), 0);
	/* a link is nobody's note, wherever it leads */
	assert_int_equal(symlink("nowhere", rig->note.path), 0);
	assert_true(read_note(rig).all);
}

static void it_is_told_with_who_when_and_what_to_do(void **state)
{
	struct rig *rig = *state;
	const struct damage damage = damage_of("a row of card", "card");
	assert_int_equal(
		damage_fault(&damage, "view card", &rig->fault), FAULT_CORRUPT);
	assert_string_equal(rig->fault.text,
		"view card is damaged, as verify found at "
		"2026-11-23T08:20:48.203Z: a row of card: `holdfast restore "
		"BACKUP` or `holdfast rebuild` replaces it, `holdfast verify` "
		"looks again");
}

static void it_is_forgotten_when_nothing_is_wrong_any_more(void **state)
{
	struct rig *rig = *state;
	const struct damage damage = damage_of("a row of card", "card");
	assert_int_equal(damage_forget(rig->database.path, &rig->fault), 0);
	write_well(rig, &damage);
	assert_int_equal(damage_forget(rig->database.path, &rig->fault), 0);
	assert_false(read_note(rig).found);
}

static void where_nothing_can_be_written_is_told(void **state)
{
	struct rig *rig = *state;
	char path[2 * PATH_MAX];
	const struct damage damage = damage_of("a row of card", "card");
	struct directory gone = directory_entry(&rig->directory, "no/g1.db");
	assert_true(damage_write(gone.path, &damage, &rig->fault) < 0);
	assert_non_null(strstr(rig->fault.text, "can't make"));
	assert_int_equal(mkdir(rig->note.path, 0700), 0);
	assert_true(damage_write(rig->database.path, &damage, &rig->fault) < 0);
	assert_non_null(strstr(rig->fault.text, "can't rename to"));
	assert_true(damage_forget(rig->database.path, &rig->fault) < 0);
	assert_non_null(strstr(rig->fault.text, "can't remove"));
	memset(path, 'x', sizeof path);
	path[PATH_MAX - 2] = '\0';
	assert_int_equal(damage_write(path, &damage, &rig->fault), FAULT_USAGE);
	assert_int_equal(damage_forget(path, &rig->fault), FAULT_USAGE);
	struct damage read;
	damage_read(path, &read);
	assert_false(read.found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_NOTE(what_was_found_is_remembered),
		WITH_NOTE(what_concerns_no_view_concerns_no_lookup),
		WITH_NOTE(a_look_that_finds_less_forgets_nothing),
		WITH_NOTE(views_without_end_are_all_views),
		WITH_NOTE(a_note_that_can_not_be_read_concerns_everything),
		WITH_NOTE(it_is_told_with_who_when_and_what_to_do),
		WITH_NOTE(it_is_forgotten_when_nothing_is_wrong_any_more),
		WITH_NOTE(where_nothing_can_be_written_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
