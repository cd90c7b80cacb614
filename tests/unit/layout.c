/*
 * The store's directory: which names are its, what is refused, and what is
 * removed of what dead processes left. No store is opened.
 */
#include "store/layout.h"
#include "tests/lib/check.h"
#include "tests/lib/directory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct rig {
	struct directory directory;
	struct layout layout;
	struct fault fault;
};

static struct directory below(const struct rig *rig, const char *name)
{
	return directory_entry(&rig->directory, name);
}

static void make_directory(const struct rig *rig, const char *name)
{
	assert_int_equal(mkdir(below(rig, name).path, 0700), 0);
}

static void write_file(const struct rig *rig, const char *name)
{
	file_write(below(rig, name).path, "x");
}

static bool is_there(const struct rig *rig, const char *name)
{
	return access(below(rig, name).path, F_OK) == 0;
}

static void point_link(const struct rig *rig, const char *target)
{
	struct directory link = below(rig, "features.db");
	(void)unlink(link.path);
	assert_int_equal(symlink(target, link.path), 0);
}

static void find(struct rig *rig)
{
	bool exists = false;
	int rc = layout_find(
		&rig->layout, rig->directory.path, &exists, &rig->fault);
	if (rc != 0)
		fail_msg("%s", rig->fault.text);
}

/* A directory that holds g1, which is live. */
static int set_up(void **state)
{
	struct rig *rig = calloc(1, sizeof *rig);
	assert_non_null(rig);
	directory_make(&rig->directory);
	make_directory(rig, "generations");
	write_file(rig, "generations/g1.db");
	point_link(rig, "generations/g1.db");
	find(rig);
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
#define WITH_LAYOUT(test)                                                      \
	cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static void check_refused(struct rig *rig, int rc, int code, const char *why)
{
	assert_int_equal(rc, code);
	if (strstr(rig->fault.text, why) == NULL)
		fail_msg("\"%s\" is not in: %s", why, rig->fault.text);
}

/* "/x/x/…", of so many bytes: no name in it is too long by itself. */
static const char *path_of(char path[2 * PATH_MAX], size_t length)
{
	for (size_t i = 0; i < length; i++)
		path[i] = i % 2 == 0 ? '/' : 'x';
	path[length] = '\0';
	return path;
}

/* The longest name below it is "/generations/g1.draft", 21 bytes. */
static void a_path_that_leaves_no_room_for_names_is_refused(void **state)
{
	struct rig *rig = *state;
	char path[2 * PATH_MAX];
	bool exists = true;
	static const size_t too_long[] = {PATH_MAX - 21, PATH_MAX - 18,
		PATH_MAX - 12, PATH_MAX - 1, PATH_MAX, PATH_MAX + 1};
	for (size_t i = 0; i < sizeof too_long / sizeof too_long[0]; i++)
		check_refused(rig,
			layout_find(&rig->layout, path_of(path, too_long[i]),
				&exists, &rig->fault),
			FAULT_USAGE, "store.path: longer than");
	assert_int_equal(layout_find(&rig->layout, path_of(path, PATH_MAX - 22),
				 &exists, &rig->fault),
		0);
	assert_false(exists);
}

static void a_link_that_can_not_be_looked_at_is_told(void **state)
{
	struct rig *rig = *state;
	bool exists;
	struct directory loop = below(rig, "loop");
	assert_int_equal(symlink("loop", loop.path), 0);
	check_refused(rig,
		layout_find(&rig->layout, loop.path, &exists, &rig->fault),
		FAULT_REFUSED, "can't read link");
}

static void only_names_of_generations_are_taken_from_the_link(void **state)
{
	struct rig *rig = *state;
	bool exists;
	static const char *const targets[] = {"generations/g.db",
		"generations/g0.db", "generations/g01.db",
		"generations/g1g2.db", "generations/g1", "generations/g1.dbx",
		"generations/g123456789012345.db"};
	for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
		point_link(rig, targets[i]);
		check_refused(rig,
			layout_find(&rig->layout, rig->directory.path, &exists,
				&rig->fault),
			FAULT_REFUSED, targets[i]);
		assert_false(layout_is_current(&rig->layout));
	}
	point_link(rig, "generations/g12345678901234.db");
	find(rig);
	assert_string_equal(rig->layout.generation, "g12345678901234");
}

static void a_generation_is_a_g_and_a_number(void **state)
{
	struct rig *rig = *state;
	static const char *const wrong[] = {
		"", "g", "1", "h1", "g0", "g01", "g1x", "g123456789012345"};
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		check_refused(rig,
			layout_turn_to(&rig->layout, wrong[i], &rig->fault),
			FAULT_USAGE,
			"is no generation: `holdfast generations`");
	assert_string_equal(rig->layout.generation, "g1");
	assert_int_equal(layout_turn_to(&rig->layout, "g10", &rig->fault), 0);
	assert_string_equal(
		rig->layout.database, below(rig, "generations/g10.db").path);
}

/* Whatever the file is: a WAL or a draft that was left has the name, too. */
static void the_next_generation_has_a_number_nobody_had(void **state)
{
	struct rig *rig = *state;
	char name[GENERATION_NAME_MAX];
	static const char *const files[] = {"g3.db-wal", "g12.draft", "g7.db",
		"g99", "g040.db", "h50.db", "g123456789012345.db", "notes"};
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		char path[64];
		(void)snprintf(path, sizeof path, "generations/%s", files[i]);
		write_file(rig, path);
	}
	assert_int_equal(
		layout_next_generation(&rig->layout, name, &rig->fault), 0);
	assert_string_equal(name, "g13");
}

static void numbers_that_are_used_up_are_told(void **state)
{
	struct rig *rig = *state;
	char name[GENERATION_NAME_MAX];
	write_file(rig, "generations/g99999999999999.db");
	check_refused(rig,
		layout_next_generation(&rig->layout, name, &rig->fault),
		FAULT_REFUSED, "no name behind g99999999999999");
}

static void a_directory_that_is_gone_is_named(void **state)
{
	struct rig *rig = *state;
	char name[GENERATION_NAME_MAX];
	int lock = -1;
	assert_int_equal(unlink(below(rig, "generations/g1.db").path), 0);
	assert_int_equal(rmdir(below(rig, "generations").path), 0);
	check_refused(rig,
		layout_next_generation(&rig->layout, name, &rig->fault),
		FAULT_REFUSED, "can't list directory");
	check_refused(rig, layout_clear_left(&rig->layout, &rig->fault),
		FAULT_REFUSED, "can't list directory");
	check_refused(rig, layout_lock_build(&rig->layout, &lock, &rig->fault),
		FAULT_REFUSED, "can't open directory");
	assert_int_equal(lock, -1);
	check_refused(rig,
		layout_sync_directory(
			below(rig, "generations").path, &rig->fault),
		FAULT_IO, "can\'t sync");
	assert_int_equal(layout_file_bytes(&rig->layout), 0);
	assert_int_equal(layout_wal_bytes(&rig->layout), 0);
}

static void a_store_below_what_is_no_directory_is_not_made(void **state)
{
	struct rig *rig = *state;
	bool exists = true;
	struct directory inside = below(rig, "generations/g1.db/store");
	assert_int_equal(
		layout_find(&rig->layout, inside.path, &exists, &rig->fault),
		0);
	assert_false(exists);
	check_refused(rig, layout_make(&rig->layout, &rig->fault),
		FAULT_REFUSED, "can't make directory");
}

static void who_builds_beside_another_is_refused(void **state)
{
	struct rig *rig = *state;
	int first = -1, second = -1;
	assert_int_equal(
		layout_lock_build(&rig->layout, &first, &rig->fault), 0);
	check_refused(rig,
		layout_lock_build(&rig->layout, &second, &rig->fault),
		FAULT_REFUSED, "one at a time");
	assert_int_equal(second, -1);
	close(first);
}

static void a_replaced_file_is_another_one(void **state)
{
	struct rig *rig = *state;
	assert_true(layout_is_current(&rig->layout));
	write_file(rig, "generations/other");
	assert_int_equal(rename(below(rig, "generations/other").path,
				 rig->layout.database),
		0);
	assert_false(layout_is_current(&rig->layout));
	find(rig);
	assert_true(layout_is_current(&rig->layout));
	assert_int_equal(unlink(rig->layout.database), 0);
	assert_false(layout_is_current(&rig->layout));
}

static void a_link_that_leads_elsewhere_or_is_gone_is_seen(void **state)
{
	struct rig *rig = *state;
	write_file(rig, "generations/g2.db");
	point_link(rig, "generations/g2.db");
	assert_false(layout_is_current(&rig->layout));
	assert_int_equal(unlink(rig->layout.link), 0);
	assert_false(layout_is_current(&rig->layout));
}

static void what_dead_processes_left_is_removed(void **state)
{
	struct rig *rig = *state;
	static const char *const left[] = {"generations/g2.db-wal",
		"generations/g2.db-shm", "generations/g2.db-running",
		"generations/g3.draft", "generations/g3.draft-wal"};
	static const char *const kept[] = {"generations/g1.db",
		"generations/g1.db-wal", "generations/notes.db-wal",
		"generations/g2", "generations/g4.bak"};
	for (size_t i = 0; i < sizeof left / sizeof left[0]; i++)
		write_file(rig, left[i]);
	for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
		write_file(rig, kept[i]);
	assert_int_equal(layout_clear_left(&rig->layout, &rig->fault), 0);
	for (size_t i = 0; i < sizeof left / sizeof left[0]; i++)
		assert_false(is_there(rig, left[i]));
	for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
		assert_true(is_there(rig, kept[i]));
}

static void what_can_not_be_removed_keeps_nothing_else(void **state)
{
	struct rig *rig = *state;
	make_directory(rig, "generations/g3.draft");
	write_file(rig, "generations/g2.db-wal");
	write_file(rig, "generations/g4.db-wal");
	check_refused(rig, layout_clear_left(&rig->layout, &rig->fault),
		FAULT_REFUSED, "can't remove g3.draft");
	assert_false(is_there(rig, "generations/g2.db-wal"));
	assert_false(is_there(rig, "generations/g4.db-wal"));
}

static void a_draft_is_removed_with_all_its_files(void **state)
{
	struct rig *rig = *state;
	static const char *const files[] = {"generations/g1.draft",
		"generations/g1.draft-wal", "generations/g1.draft-shm",
		"generations/g1.draft-journal"};
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
		write_file(rig, files[i]);
	assert_int_equal(layout_clear_draft(&rig->layout, &rig->fault), 0);
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
		assert_false(is_there(rig, files[i]));
	make_directory(rig, "generations/g1.draft");
	check_refused(rig, layout_clear_draft(&rig->layout, &rig->fault),
		FAULT_REFUSED, "g1.draft");
}

/* A crash left the link that was about to be renamed. */
static void a_link_that_was_left_half_way_is_no_trouble(void **state)
{
	struct rig *rig = *state;
	write_file(rig, "generations/g2.db");
	assert_int_equal(symlink("generations/g9.db",
				 below(rig, "features.db.new").path),
		0);
	assert_int_equal(layout_turn_to(&rig->layout, "g2", &rig->fault), 0);
	assert_int_equal(layout_relink(&rig->layout, &rig->fault), 0);
	assert_true(layout_is_current(&rig->layout));
	assert_false(is_there(rig, "features.db.new"));
}

static void a_directory_in_the_links_place_is_told(void **state)
{
	struct rig *rig = *state;
	make_directory(rig, "features.db.new");
	check_refused(rig, layout_relink(&rig->layout, &rig->fault),
		FAULT_REFUSED, "features.db.new");
	assert_int_equal(rmdir(below(rig, "features.db.new").path), 0);
	assert_int_equal(unlink(rig->layout.link), 0);
	make_directory(rig, "features.db");
	check_refused(rig, layout_relink(&rig->layout, &rig->fault),
		FAULT_REFUSED, "can't rename to");
}

static void only_a_draft_that_is_there_is_placed(void **state)
{
	struct rig *rig = *state;
	assert_int_equal(layout_turn_to(&rig->layout, "g2", &rig->fault), 0);
	check_refused(rig, layout_place(&rig->layout, &rig->fault),
		FAULT_REFUSED, "can't rename to");
	write_file(rig, "generations/g2.draft");
	assert_int_equal(layout_place(&rig->layout, &rig->fault), 0);
	assert_true(is_there(rig, "generations/g2.db"));
	/* and once more, as after a crash in between */
	assert_int_equal(layout_place(&rig->layout, &rig->fault), 0);
}

static void a_store_is_not_published_over_another(void **state)
{
	struct rig *rig = *state;
	assert_int_equal(layout_turn_to(&rig->layout, "g2", &rig->fault), 0);
	write_file(rig, "generations/g2.draft");
	check_refused(rig, layout_publish(&rig->layout, &rig->fault),
		FAULT_REFUSED, "can't make link");
	find(rig);
	assert_string_equal(rig->layout.generation, "g1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_LAYOUT(a_path_that_leaves_no_room_for_names_is_refused),
		WITH_LAYOUT(a_link_that_can_not_be_looked_at_is_told),
		WITH_LAYOUT(only_names_of_generations_are_taken_from_the_link),
		WITH_LAYOUT(a_generation_is_a_g_and_a_number),
		WITH_LAYOUT(the_next_generation_has_a_number_nobody_had),
		WITH_LAYOUT(numbers_that_are_used_up_are_told),
		WITH_LAYOUT(a_directory_that_is_gone_is_named),
		WITH_LAYOUT(a_store_below_what_is_no_directory_is_not_made),
		WITH_LAYOUT(who_builds_beside_another_is_refused),
		WITH_LAYOUT(a_replaced_file_is_another_one),
		WITH_LAYOUT(a_link_that_leads_elsewhere_or_is_gone_is_seen),
		WITH_LAYOUT(what_dead_processes_left_is_removed),
		WITH_LAYOUT(what_can_not_be_removed_keeps_nothing_else),
		WITH_LAYOUT(a_draft_is_removed_with_all_its_files),
		WITH_LAYOUT(a_link_that_was_left_half_way_is_no_trouble),
		WITH_LAYOUT(a_directory_in_the_links_place_is_told),
		WITH_LAYOUT(only_a_draft_that_is_there_is_placed),
		WITH_LAYOUT(a_store_is_not_published_over_another),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
