/*
 * A disk that is really full, a small tmpfs of our own: the ballast is given
 * up first, ingest waits for the room to make it again, and a start finds its
 * way. Where user namespaces are not allowed, these tests are skipped.
 */
#include "ingest/file_source.h"
#include "ingest/pipeline.h"
#include "store/store.h"
#include "tests/lib/check.h"
#include "tests/lib/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECORDS 3000
#define DISK "size=24m"
#define BALLAST_BYTES (4 << 20)
#define SCHEMA                                                                 \
	"{\"views\": {\"v\": {\"entity\": {\"k\": \"int64\"}, \"features\":"   \
	" {\"n\": {\"type\": \"int64\", \"merge\": \"sum\"}}}},"               \
	" \"sources\": {\"t\": {}}}"

struct rig {
	struct directory directory; /* a disk of its own is mounted in it */
	struct directory disk, path, lines, filler, ballast;
	struct schema *schema;
	struct store *store;
	atomic_bool stop;
	size_t notices;
	bool ballast_was_there; /* when told */
	off_t wal_bytes;	/* when told */
};

static void good(int rc, const struct fault *fault)
{
	if (rc != 0)
		fail_msg("%d: %s", rc, fault->text);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	if (fd < 0)
		return;
	(void)!write(fd, text, strlen(text));
	close(fd);
}

/* Root over mounts of our own. */
static bool own_mounts(void)
{
	char users[64], groups[64];
	snprintf(users, sizeof users, "0 %ld 1", (long)getuid());
	snprintf(groups, sizeof groups, "0 %ld 1", (long)getgid());
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
		return false;
	write_file("/proc/self/setgroups", "deny");
	write_file("/proc/self/uid_map", users);
	write_file("/proc/self/gid_map", groups);
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static void write_lines(const char *path)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	for (int i = 0; i < RECORDS; i++)
		fprintf(file,
			"{\"id\": %d, \"view\": \"v\", \"entity\": {\"k\": "
			"%d}, \"event_time\": \"2026-01-01T00:00:00Z\", "
			"\"features\": {\"n\": 1}}\n",
			i, i);
	assert_int_equal(fclose(file), 0);
}

static void rig_make(struct rig *rig)
{
	struct fault fault = {0};
	*rig = (struct rig){0};
	directory_make(&rig->directory);
	rig->disk = directory_entry(&rig->directory, "disk");
	rig->lines = directory_entry(&rig->directory, "lines");
	rig->path = directory_entry(&rig->disk, "store");
	rig->filler = directory_entry(&rig->disk, "filler");
	rig->ballast = directory_entry(&rig->path, "ballast");
	assert_int_equal(mkdir(rig->disk.path, 0700), 0);
	assert_int_equal(mount("tmpfs", rig->disk.path, "tmpfs", 0, DISK), 0);
	write_lines(rig->lines.path);
	good(schema_parse(&rig->schema, slice_of(SCHEMA), "test", &fault),
		&fault);
}

static int rig_open(
	struct rig *rig, uint64_t ballast_bytes, struct fault *fault)
{
	struct store_options options = store_options_default();
	options.path = rig->path.path;
	options.schema = rig->schema;
	options.ballast_bytes = ballast_bytes;
	return store_open(&rig->store, &options, fault);
}

static void rig_close(struct rig *rig)
{
	store_close(rig->store);
	schema_free(rig->schema);
	assert_int_equal(umount(rig->disk.path), 0);
	directory_remove(&rig->directory);
}

static bool is_there(const struct directory *file)
{
	return access(file->path, F_OK) == 0;
}

static int64_t blocks_of(const struct directory *file)
{
	struct stat status = {0};
	return stat(file->path, &status) == 0 ? (int64_t)status.st_blocks * 512
					      : 0;
}

/* As a start finds it after a restore: nothing is allocated ahead. */
static void stop_store(struct rig *rig)
{
	static const char *const names[] = {
		"generations/g1.db-wal", "generations/g1.db-shm"};
	store_close(rig->store);
	rig->store = NULL;
	for (size_t i = 0; i < 2; i++) {
		struct directory file = directory_entry(&rig->path, names[i]);
		assert_int_equal(unlink(file.path), 0);
	}
}

/* To the last page. */
static void fill_disk(struct rig *rig)
{
	static const char page[4096] = "full";
	int fd = open(rig->filler.path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	assert_true(fd >= 0);
	while (write(fd, page, sizeof page) > 0)
		;
	assert_int_equal(errno, ENOSPC);
	close(fd);
}

static void make_room(struct rig *rig)
{
	assert_int_equal(unlink(rig->filler.path), 0);
}

static off_t wal_bytes(struct rig *rig)
{
	struct directory wal =
		directory_entry(&rig->path, "generations/g1.db-wal");
	struct stat status = {0};
	assert_int_equal(stat(wal.path, &status), 0);
	return status.st_size;
}

static void somebody_makes_room(void *payload, const char *text)
{
	struct rig *rig = payload;
	assert_non_null(strstr(text, "going on by itself"));
	if (rig->notices++ > 0)
		return;
	rig->ballast_was_there = is_there(&rig->ballast);
	rig->wal_bytes = wal_bytes(rig);
	make_room(rig);
}

static void take_lines(struct rig *rig, struct pipeline_result *result)
{
	struct fault fault = {0};
	struct source *source = NULL;
	struct file_source_options file = {.path = rig->lines.path,
		.topic = "t",
		.clock = clock_system(),
		.until_end = true};
	good(file_source_open(&source, &file, &fault), &fault);
	struct pipeline_options options = pipeline_options_default();
	options.source = source;
	options.store = rig->store;
	options.clock = clock_system();
	options.batch_records = 100;
	options.stop = &rig->stop;
	options.notice = somebody_makes_room;
	options.payload = rig;
	good(pipeline_run(&options, result, &fault), &fault);
	source_close(source);
}

static void it_is_allocated_and_not_only_long(void **state)
{
	(void)state;
	struct rig rig;
	struct fault fault = {0};
	rig_make(&rig);
	good(rig_open(&rig, BALLAST_BYTES, &fault), &fault);
	assert_true(blocks_of(&rig.ballast) >= BALLAST_BYTES);
	rig_close(&rig);
}

static void none_is_made_where_it_would_take_the_room_and_the_store_opens(
	void **state)
{
	(void)state;
	struct rig rig;
	struct fault fault = {0};
	rig_make(&rig);
	good(rig_open(&rig, 20 << 20, &fault), &fault);
	assert_false(is_there(&rig.ballast));
	rig_close(&rig);
}

static void one_that_is_not_wanted_any_more_leaves(void **state)
{
	(void)state;
	struct rig rig;
	struct fault fault = {0};
	rig_make(&rig);
	good(rig_open(&rig, BALLAST_BYTES, &fault), &fault);
	store_close(rig.store);
	good(rig_open(&rig, 0, &fault), &fault);
	assert_false(is_there(&rig.ballast));
	rig_close(&rig);
}

static void a_full_disk_takes_it_then_ingest_waits_and_goes_on(void **state)
{
	(void)state;
	struct rig rig;
	struct fault fault = {0};
	struct pipeline_result result;
	rig_make(&rig);
	good(rig_open(&rig, BALLAST_BYTES, &fault), &fault);
	fill_disk(&rig);
	take_lines(&rig, &result);
	assert_true(rig.notices >= 1);
	assert_false(rig.ballast_was_there);
	assert_int_equal(rig.wal_bytes, 0); /* its room was used to empty it */
	assert_int_equal(
		result.tally.dispositions[DISPOSITION_APPLIED], RECORDS);
	assert_int_equal(result.tally.dispositions[DISPOSITION_DEAD], 0);
	assert_true(blocks_of(&rig.ballast) >= BALLAST_BYTES);
	rig_close(&rig);
}

static void without_it_ingest_waits_all_the_same(void **state)
{
	(void)state;
	struct rig rig;
	struct fault fault = {0};
	struct pipeline_result result;
	rig_make(&rig);
	good(rig_open(&rig, 0, &fault), &fault);
	fill_disk(&rig);
	take_lines(&rig, &result);
	assert_int_equal(rig.notices, 1);
	assert_int_equal(
		result.tally.dispositions[DISPOSITION_APPLIED], RECORDS);
	rig_close(&rig);
}

static void a_start_on_a_full_disk_uses_it(void **state)
{
	(void)state;
	struct rig rig;
	struct fault fault = {0};
	struct store_mark mark = {.next_offset = 5};
	struct store_batch batch = {.marks = &mark, .mark_count = 1};
	const struct store_partition *partition = NULL;
	rig_make(&rig);
	good(rig_open(&rig, BALLAST_BYTES, &fault), &fault);
	good(store_partition(rig.store, "t", 0, 0, &partition, &fault), &fault);
	stop_store(&rig);
	fill_disk(&rig);
	good(rig_open(&rig, BALLAST_BYTES, &fault), &fault);
	assert_false(is_there(&rig.ballast));
	good(store_partition(rig.store, "t", 0, 0, &partition, &fault), &fault);
	mark.log = &partition->log;
	assert_int_equal(
		store_apply(rig.store, &batch, NULL, &fault), FAULT_FULL);
	assert_non_null(strstr(fault.text, "store.ballast_bytes"));
	make_room(&rig);
	good(store_apply(rig.store, &batch, NULL, &fault), &fault);
	assert_true(is_there(&rig.ballast));
	rig_close(&rig);
}

static void a_start_on_a_full_disk_without_it_says_that_waiting_helps(
	void **state)
{
	(void)state;
	struct rig rig;
	struct fault fault = {0};
	rig_make(&rig);
	good(rig_open(&rig, 0, &fault), &fault);
	stop_store(&rig);
	fill_disk(&rig);
	assert_int_equal(rig_open(&rig, 0, &fault), FAULT_FULL);
	make_room(&rig);
	good(rig_open(&rig, 0, &fault), &fault);
	rig_close(&rig);
}

static void a_new_store_waits_for_room_too(void **state)
{
	(void)state;
	struct rig rig;
	struct fault fault = {0};
	rig_make(&rig);
	fill_disk(&rig);
	assert_int_equal(rig_open(&rig, BALLAST_BYTES, &fault), FAULT_FULL);
	make_room(&rig);
	good(rig_open(&rig, BALLAST_BYTES, &fault), &fault);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_allocated_and_not_only_long),
		cmocka_unit_test(
			none_is_made_where_it_would_take_the_room_and_the_store_opens),
		cmocka_unit_test(one_that_is_not_wanted_any_more_leaves),
		cmocka_unit_test(
			a_full_disk_takes_it_then_ingest_waits_and_goes_on),
		cmocka_unit_test(without_it_ingest_waits_all_the_same),
		cmocka_unit_test(a_start_on_a_full_disk_uses_it),
		cmocka_unit_test(
			a_start_on_a_full_disk_without_it_says_that_waiting_helps),
		cmocka_unit_test(a_new_store_waits_for_room_too),
	};
	if (!own_mounts()) {
		puts("no user namespaces here: skipped");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
