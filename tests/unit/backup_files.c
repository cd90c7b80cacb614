/* Backups as files: which names they have, in which order they are listed, and
 * which of them leave. */
#include "store/backups.h"
#include "tests/lib/check.h"
#include "tests/lib/directory.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct rig {
	struct directory directory;
	struct arena arena;
	struct fault fault;
	const struct backup_file *files;
	size_t count;
};

static int set_up(void **state)
{
	struct rig *rig = calloc(1, sizeof *rig);
	assert_non_null(rig);
	directory_make(&rig->directory);
	*state = rig;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *rig = *state;
	directory_remove(&rig->directory);
	arena_finish(&rig->arena);
	free(rig);
	return 0;
}
#define WITH_FILES(test)                                                       \
	cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static struct directory below(const struct rig *rig, const char *name)
{
	return directory_entry(&rig->directory, name);
}

static void make_folder(const struct rig *rig)
{
	assert_int_equal(mkdir(below(rig, "backups").path, 0700), 0);
}

/* A file of that name in the folder; sealed unless `made_us` is 0. */
static void make(struct rig *rig, const char *file, int64_t made_us)
{
	char name[128];
	struct backup_seal seal = {.generation = "g1", .made_us = made_us};
	(void)snprintf(name, sizeof name, "backups/%s", file);
	struct directory path = below(rig, name);
	file_write(path.path, "a database");
	if (made_us == 0)
		return;
	int fd = open(path.path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	if (backup_seal_put(fd, &seal, &rig->fault) != 0)
		fail_msg("%s", rig->fault.text);
	close(fd);
}

static void list(struct rig *rig)
{
	if (backups_list(rig->directory.path, &rig->arena, &rig->files,
		    &rig->count, &rig->fault) != 0)
		fail_msg("%s", rig->fault.text);
}

/* "a b c" of the names listed. */
static void check_names(struct rig *rig, const char *expected)
{
	char names[1024] = "";
	list(rig);
	for (size_t i = 0; i < rig->count; i++) {
		size_t length = strlen(names);
		(void)snprintf(names + length, sizeof names - length, "%s%s",
			i == 0 ? "" : " ", rig->files[i].name);
	}
	assert_string_equal(names, expected);
}

static void names_are_plain_and_not_too_long(void **state)
{
	(void)state;
	char name[BACKUP_NAME_MAX + 2];
	static const char *const good[] = {
		"a", "before.migration", "A-1_b", "20261123T082049Z", "x."};
	static const char *const bad[] = {
		"", ".", ".hidden", "a/b", "a b", "caf\303\251", "a\n", "../x"};
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		assert_true(backup_name_is_good(good[i]));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(backup_name_is_good(bad[i]));
	memset(name, 'x', sizeof name);
	name[BACKUP_NAME_MAX] = '\0';
	assert_true(backup_name_is_good(name));
	name[BACKUP_NAME_MAX] = 'x';
	name[BACKUP_NAME_MAX + 1] = '\0';
	assert_false(backup_name_is_good(name));
}

static void one_that_nobody_named_is_called_by_its_time(void **state)
{
	(void)state;
	char name[BACKUP_NAME_MAX + 1];
	/* date -u -d @1795422049 */
	backup_name_of_time(INT64_C(1795422049999999), name);
	assert_string_equal(name, "20261123T082049Z");
	backup_name_of_time(0, name);
	assert_string_equal(name, "19700101T000000Z");
}

static void the_newest_come_first_and_what_has_no_seal_last(void **state)
{
	struct rig *rig = *state;
	make_folder(rig);
	make(rig, "old.db", 10);
	make(rig, "broken.db", 0);
	make(rig, "same_b.db", 20);
	make(rig, "same_a.db", 20);
	make(rig, "new.db", 30);
	make(rig, "another.db", 0);
	check_names(rig, "new same_a same_b old another broken");
	assert_true(rig->files[0].sealed);
	assert_int_equal(rig->files[0].seal.made_us, 30);
	assert_int_equal(rig->files[0].bytes, 10 + BACKUP_SEAL_BYTES);
	assert_false(rig->files[5].sealed);
	assert_int_equal(rig->files[5].seal.made_us, 0);
}

static void what_is_no_backup_is_not_listed(void **state)
{
	struct rig *rig = *state;
	char name[2 * BACKUP_NAME_MAX];
	make_folder(rig);
	make(rig, "good.db", 10);
	make(rig, "good.db.part", 10);
	make(rig, "notes", 10);
	make(rig, ".db", 10);
	make(rig, "a b.db", 10);
	memset(name, 'x', sizeof name);
	memcpy(name + BACKUP_NAME_MAX + 1, ".db", 4);
	make(rig, name, 10);
	assert_int_equal(mkdir(below(rig, "backups/dir.db").path, 0700), 0);
	assert_int_equal(
		symlink("gone", below(rig, "backups/link.db").path), 0);
	check_names(rig, "good");
}

static void many_are_listed(void **state)
{
	struct rig *rig = *state;
	make_folder(rig);
	for (int i = 1; i <= 40; i++) {
		char name[32];
		(void)snprintf(name, sizeof name, "b%d.db", i);
		make(rig, name, i);
	}
	list(rig);
	assert_int_equal(rig->count, 40);
	for (size_t i = 0; i < 40; i++)
		assert_int_equal(rig->files[i].seal.made_us, 40 - i);
}

static void a_store_without_a_folder_has_none(void **state)
{
	struct rig *rig = *state;
	check_names(rig, "");
	backups_clear_unfinished(rig->directory.path);
	backups_prune(rig->directory.path, 1, 1);
	make_folder(rig);
	check_names(rig, "");
}

static void a_folder_that_is_none_is_told(void **state)
{
	struct rig *rig = *state;
	file_write(below(rig, "backups").path, "x");
	assert_true(backups_list(rig->directory.path, &rig->arena, &rig->files,
			    &rig->count, &rig->fault) < 0);
	assert_non_null(strstr(rig->fault.text, "can't open directory"));
	assert_int_equal(rig->count, 0);
	backups_clear_unfinished(rig->directory.path);
	backups_prune(rig->directory.path, 1, 1);
}

static void a_path_that_is_too_long_has_none(void **state)
{
	struct rig *rig = *state;
	char path[PATH_MAX];
	memset(path, 'x', sizeof path);
	path[PATH_MAX - 4] = '\0';
	assert_true(backups_list(path, &rig->arena, &rig->files, &rig->count,
			    &rig->fault) < 0);
	assert_non_null(strstr(rig->fault.text, "can't open directory"));
}

static void what_dead_processes_left_is_removed(void **state)
{
	struct rig *rig = *state;
	static const char *const left[] = {"a.db.part", "a.db.part-journal",
		"a.db.part-wal", "a.db.part-shm"};
	static const char *const kept[] = {"a.db", "part", "a.db.partly"};
	make_folder(rig);
	for (size_t i = 0; i < sizeof left / sizeof left[0]; i++)
		make(rig, left[i], 0);
	for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
		make(rig, kept[i], 0);
	backups_clear_unfinished(rig->directory.path);
	for (size_t i = 0; i < sizeof left / sizeof left[0]; i++) {
		char name[64];
		(void)snprintf(name, sizeof name, "backups/%s", left[i]);
		assert_int_not_equal(access(below(rig, name).path, F_OK), 0);
	}
	for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
		char name[64];
		(void)snprintf(name, sizeof name, "backups/%s", kept[i]);
		assert_int_equal(access(below(rig, name).path, F_OK), 0);
	}
}

/* Of those that are whole: one that is not may be somebody's last hope. */
static void only_old_ones_that_nobody_named_leave(void **state)
{
	struct rig *rig = *state;
	make_folder(rig);
	make(rig, "20261123T000001Z.db", 1);
	make(rig, "20261123T000002Z.db", 2);
	make(rig, "20261123T000003Z.db", 3);
	make(rig, "20261123T000004Z.db", 0);
	make(rig, "20261123T00000xZ.db", 1);
	make(rig, "20261123t000005Z.db", 1);
	make(rig, "20261123T000001Z.x.db", 1);
	make(rig, "kept.db", 1);
	backups_prune(rig->directory.path, 2, 3);
	check_names(rig, "20261123T000003Z 20261123T000002Z"
			 " 20261123T000001Z.x 20261123T00000xZ"
			 " 20261123t000005Z kept 20261123T000004Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FILES(names_are_plain_and_not_too_long),
		WITH_FILES(one_that_nobody_named_is_called_by_its_time),
		WITH_FILES(the_newest_come_first_and_what_has_no_seal_last),
		WITH_FILES(what_is_no_backup_is_not_listed),
		WITH_FILES(many_are_listed),
		WITH_FILES(a_store_without_a_folder_has_none),
		WITH_FILES(a_folder_that_is_none_is_told),
		WITH_FILES(a_path_that_is_too_long_has_none),
		WITH_FILES(what_dead_processes_left_is_removed),
		WITH_FILES(only_old_ones_that_nobody_named_leave),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
