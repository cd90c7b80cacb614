/*
 * A store, or a generation of one, made of a closed store's file: what is taken
 * for a base, and what is refused before anything is written.
 */
#include "store/backup_seal.h"
#include "store/generations.h"
#include "store/reader.h"
#include "tests/lib/check.h"
#include "tests/lib/store_rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void check_ok(int rc, const struct fault *fault)
{
	if (rc != 0)
		fail_msg("%d: %s", rc, fault->text);
}

static void check_refused(
	int rc, int code, const struct fault *fault, const char *why)
{
	assert_int_equal(rc, code);
	if (strstr(fault->text, why) == NULL)
		fail_msg("\"%s\" is not in: %s", why, fault->text);
}

static void take(struct store_rig *rig, int64_t first, int64_t end)
{
	for (int64_t offset = first; offset < end; offset++) {
		const struct store_rig_event one = {.offset = offset,
			.record_s = offset,
			.key = 1 + (unsigned)offset,
			.content = (uint64_t)offset,
			.id = offset % 3,
			.count = 10};
		(void)store_rig_take(rig, &one);
	}
}

/* A closed store's file, made by SQL from outside. */
static struct directory copy_of(struct store_rig *rig)
{
	char sql[DIRECTORY_PATH_MAX + 32];
	struct directory copy =
		directory_entry(&rig->directory, "backups/copy.db");
	(void)snprintf(sql, sizeof sql, "VACUUM INTO '%s'", copy.path);
	store_rig_tamper(rig, sql);
	return copy;
}

/* The store of another directory, which is not there yet. */
static struct store_options elsewhere(
	struct store_rig *rig, struct directory *path)
{
	struct store_options options = rig->options;
	*path = directory_entry(&rig->directory, "elsewhere");
	options.path = path->path;
	options.schema = NULL;
	return options;
}

static void a_store_is_founded_on_a_closed_ones_file(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct directory path;
	struct store_options options = elsewhere(rig, &path);
	struct store *store = NULL;
	take(rig, 0, 10);
	struct directory base = copy_of(rig);
	check_ok(store_found(&options, base.path, &fault), &fault);
	check_ok(store_open(&store, &options, &fault), &fault);
	assert_string_equal(store_generation(store), "g1");
	assert_string_equal(store_id(store), store_id(rig->store));
	assert_true(
		digest_equal(store_digest(store), store_digest(rig->store)));
	assert_int_equal(
		store_partition_at(store, 0)->accounts.next_offset, 10);
	store_close(store);
}

static void a_seal_behind_the_base_is_left_out(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct directory path;
	struct stat status;
	struct store_options options = elsewhere(rig, &path);
	struct backup_seal seal = {.generation = "g1", .made_us = 1};
	struct directory base = copy_of(rig);
	int fd = open(base.path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	check_ok(backup_seal_put(fd, &seal, &fault), &fault);
	assert_int_equal(fstat(fd, &status), 0);
	close(fd);
	assert_int_equal(status.st_size, seal.bytes + BACKUP_SEAL_BYTES);
	check_ok(store_found(&options, base.path, &fault), &fault);
	struct directory made = directory_entry(&path, "generations/g1.db");
	assert_int_equal(stat(made.path, &status), 0);
	assert_int_equal(status.st_size, seal.bytes);
}

static void a_store_is_not_founded_over_another(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	take(rig, 0, 3);
	struct directory base = copy_of(rig);
	uint64_t before = directory_fingerprint(&rig->directory);
	check_refused(store_found(&rig->options, base.path, &fault),
		FAULT_REFUSED, &fault, "holds a store");
	assert_true(before == directory_fingerprint(&rig->directory));
}

static void what_is_no_store_is_no_base(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct directory path;
	struct store_options options = elsewhere(rig, &path);
	struct directory file = directory_entry(&rig->directory, "thesis");
	check_refused(store_found(&options, file.path, &fault), FAULT_REFUSED,
		&fault, "thesis");
	file_write(file.path, "the only copy\n");
	check_refused(store_found(&options, file.path, &fault), FAULT_REFUSED,
		&fault, "no holdfast store");
	assert_int_not_equal(access(path.path, F_OK), 0);
}

static void a_store_is_not_founded_where_somebody_writes(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct directory path;
	struct layout layout;
	struct store_options options = elsewhere(rig, &path);
	struct directory base = copy_of(rig);
	bool exists = true;
	int lock = -1;
	assert_int_equal(mkdir(path.path, 0700), 0);
	check_ok(layout_find(&layout, path.path, &exists, &fault), &fault);
	check_ok(layout_lock(&layout, &lock, &fault), &fault);
	check_refused(store_found(&options, base.path, &fault), FAULT_LOCKED,
		&fault, "another holdfast process");
	close(lock);
	check_ok(store_found(&options, base.path, &fault), &fault);
}

static void a_generation_is_not_built_on_another_stores_file(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct directory path;
	struct store_options options = elsewhere(rig, &path);
	struct store *other = NULL, *built = NULL;
	options.schema = rig->schema;
	check_ok(store_open(&other, &options, &fault), &fault);
	store_close(other);
	struct directory base = directory_entry(&path, "generations/g1.db");
	const struct store_build build = {.base = base.path, .origin = "copy"};
	check_refused(store_build(&built, &rig->options, &build, &fault),
		FAULT_REFUSED, &fault, "name a backup of this store");
	assert_null(built);
	struct directory g2 =
		directory_entry(&rig->directory, "generations/g2.db");
	assert_int_not_equal(access(g2.path, F_OK), 0);
}

static void a_base_that_can_not_be_copied_leaves_no_generation(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct store *built = NULL;
	struct directory base = copy_of(rig);
	struct directory draft =
		directory_entry(&rig->directory, "generations/g2.draft");
	assert_int_equal(mkdir(draft.path, 0700), 0);
	const struct store_build build = {.base = base.path, .origin = "copy"};
	/* its number is taken by what stands there */
	check_ok(store_build(&built, &rig->options, &build, &fault), &fault);
	assert_string_equal(store_generation(built), "g3");
	store_close(built);
	assert_int_equal(rmdir(draft.path), 0);
}

static void nothing_is_built_where_there_is_no_store(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct directory path;
	struct store_options options = elsewhere(rig, &path);
	struct store *built = NULL;
	const struct store_build build = {.origin = "the log"};
	check_refused(store_build(&built, &options, &build, &fault),
		FAULT_REFUSED, &fault, "holds no store: check store.path");
	assert_int_not_equal(access(path.path, F_OK), 0);
}

static void only_another_generation_that_is_there_is_gone_on_with(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct store *built = NULL;
	struct store_build build = {.generation = "g1"};
	check_refused(store_build(&built, &rig->options, &build, &fault),
		FAULT_REFUSED, &fault, "generation g1 is the live one");
	build.generation = "g9";
	check_refused(store_build(&built, &rig->options, &build, &fault),
		FAULT_USAGE, &fault, "there is no generation g9");
	build.generation = "9";
	check_refused(store_build(&built, &rig->options, &build, &fault),
		FAULT_USAGE, &fault, "9 is no generation");
	assert_null(built);
}

static enum generation_state state_of(struct store_rig *rig, const char *name)
{
	struct fault fault = {0};
	const struct generation *all = NULL;
	size_t count = 0;
	check_ok(generations_list(rig->directory.path, &rig->arena, &all,
			 &count, &fault),
		&fault);
	for (size_t i = 0; i < count; i++)
		if (strcmp(all[i].name, name) == 0)
			return all[i].state;
	fail_msg("%s is not there", name);
	return GENERATION_LIVE;
}

static void go_on(struct store_rig *rig, bool stays_complete, bool complete)
{
	struct fault fault = {0};
	struct store *built = NULL;
	const struct store_build build = {
		.generation = "g2", .stays_complete = stays_complete};
	check_ok(store_build(&built, &rig->options, &build, &fault), &fault);
	if (complete)
		check_ok(store_complete(built, &fault), &fault);
	store_close(built);
}

static void one_that_is_complete_may_stay_so(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct store *built = NULL;
	const struct store_build build = {.origin = "the log"};
	check_ok(store_build(&built, &rig->options, &build, &fault), &fault);
	store_close(built);
	go_on(rig, true, false);
	assert_int_equal(state_of(rig, "g2"), GENERATION_BUILDING);
	go_on(rig, false, true);
	assert_int_equal(state_of(rig, "g2"), GENERATION_COMPLETE);
	go_on(rig, true, false);
	assert_int_equal(state_of(rig, "g2"), GENERATION_COMPLETE);
	go_on(rig, false, false);
	assert_int_equal(state_of(rig, "g2"), GENERATION_BUILDING);
	assert_string_equal(
		generation_state_name(GENERATION_BUILDING), "building");
}

/* More than anybody keeps; none but the live one can be read. */
static void all_generations_are_listed_with_what_is_wrong(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	const struct generation *all = NULL;
	size_t count = 0;
	for (int i = 2; i <= 40; i++) {
		char name[64];
		(void)snprintf(name, sizeof name, "generations/g%d.db", i);
		file_write(directory_entry(&rig->directory, name).path, "x");
	}
	check_ok(generations_list(rig->directory.path, &rig->arena, &all,
			 &count, &fault),
		&fault);
	assert_int_equal(count, 40);
	assert_null(all[0].wrong);
	assert_true(all[0].live);
	for (size_t i = 1; i < count; i++) {
		char name[32];
		(void)snprintf(name, sizeof name, "g%zu", i + 1);
		assert_string_equal(all[i].name, name);
		assert_non_null(strstr(all[i].wrong, "no holdfast store"));
		assert_int_equal(all[i].file_bytes, 1);
	}
}

static void no_generations_are_listed_of_no_store(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct directory path;
	struct store_options options = elsewhere(rig, &path);
	const struct generation *all = NULL;
	size_t count = 1;
	check_refused(generations_list(
			      options.path, &rig->arena, &all, &count, &fault),
		FAULT_REFUSED, &fault, "holds no store");
	assert_int_equal(count, 0);
	assert_int_equal(mkdir(path.path, 0700), 0);
	struct directory link = directory_entry(&path, "features.db");
	assert_int_equal(symlink("generations/g1.db", link.path), 0);
	check_refused(generations_list(
			      options.path, &rig->arena, &all, &count, &fault),
		FAULT_REFUSED, &fault, "can't list directory");
}

static void whether_one_can_be_dropped_is_told_beforehand(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct store *built = NULL;
	const char *path = rig->directory.path;
	const struct store_build build = {.origin = "the log"};
	check_ok(store_build(&built, &rig->options, &build, &fault), &fault);
	check_refused(generation_check_drop(path, "g2", &fault), FAULT_REFUSED,
		&fault, "another holdfast process builds");
	store_close(built);
	check_ok(generation_check_drop(path, "g2", &fault), &fault);
	check_refused(generation_check_drop(path, "g1", &fault), FAULT_REFUSED,
		&fault, "the live one");
	check_refused(generation_check_drop(path, "g3", &fault), FAULT_USAGE,
		&fault, "there is no generation g3");
	/* and none was */
	assert_int_equal(state_of(rig, "g2"), GENERATION_BUILDING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(a_store_is_founded_on_a_closed_ones_file),
		WITH_STORE(a_seal_behind_the_base_is_left_out),
		WITH_STORE(a_store_is_not_founded_over_another),
		WITH_STORE(what_is_no_store_is_no_base),
		WITH_STORE(a_store_is_not_founded_where_somebody_writes),
		WITH_STORE(a_generation_is_not_built_on_another_stores_file),
		WITH_STORE(a_base_that_can_not_be_copied_leaves_no_generation),
		WITH_STORE(nothing_is_built_where_there_is_no_store),
		WITH_STORE(
			only_another_generation_that_is_there_is_gone_on_with),
		WITH_STORE(one_that_is_complete_may_stay_so),
		WITH_STORE(all_generations_are_listed_with_what_is_wrong),
		WITH_STORE(no_generations_are_listed_of_no_store),
		WITH_STORE(whether_one_can_be_dropped_is_told_beforehand),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
