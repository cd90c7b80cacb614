/*
 * An fsync that fails in a checkpoint: told, and nothing is written after it.
 * Nobody knows then what the disk holds of the file, and the WAL is what the
 * next start has. Source: design section 6, faults.md S4.
 */
#include "tests/lib/check.h"
#include "tests/lib/store_rig.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool failing; /* syncs of the database file do */
static int failed, synced_since;

static bool is_database(int fd)
{
	char link[64], path[PATH_MAX] = "";
	(void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t length = readlink(link, path, sizeof path - 1);
	return length > 3 && strcmp(path + length - 3, ".db") == 0;
}

/* SQLite's: a program's own comes before the C library's. Like Linux, it
 * reports an error once, and says afterwards that all is well. */
int fdatasync(int fd)
{
	synced_since += failed > 0;
	if (failing && failed == 0 && is_database(fd)) {
		failed++;
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

static void fail_syncs(bool fail)
{
	failing = fail;
	failed = synced_since = 0;
}

struct bytes {
	char data[1 << 20];
	size_t length;
};

static void read_file(
	const struct store_rig *rig, const char *suffix, struct bytes *bytes)
{
	char path[PATH_MAX];
	(void)snprintf(
		path, sizeof path, "%s/features.db", rig->directory.path);
	char *target = realpath(path, NULL);
	assert_non_null(target);
	(void)snprintf(path, sizeof path, "%s%s", target, suffix);
	free(target);
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	bytes->length = fread(bytes->data, 1, sizeof bytes->data, file);
	assert_true(bytes->length < sizeof bytes->data);
	(void)fclose(file);
}

static void take(struct store_rig *rig, int64_t offset)
{
	store_rig_take(rig, &(struct store_rig_event){.offset = offset,
				    .key = (unsigned)offset + 1,
				    .id = offset,
				    .count = 1});
}

/* It closes without a byte to file or WAL, and the next start has it all. */
static void expect_left_alone(struct store_rig *rig, int64_t taken)
{
	static struct bytes before[2], after[2];
	assert_int_equal(failed, 1);
	assert_int_equal(synced_since, 0);
	read_file(rig, "", &before[0]);
	read_file(rig, "-wal", &before[1]);
	assert_true(before[1].length > 0);
	store_rig_close(rig);
	read_file(rig, "", &after[0]);
	read_file(rig, "-wal", &after[1]);
	assert_int_equal(synced_since, 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(after[i].length, before[i].length);
		assert_memory_equal(
			after[i].data, before[i].data, before[i].length);
	}
	fail_syncs(false);
	store_rig_open(rig);
	assert_int_equal(
		store_rig_partition(rig, 0)->accounts.next_offset, taken);
}

static void one_in_a_checkpoint_is_told_and_the_last_thing_written(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	store_rig_close(rig);
	rig->options.wal_max_bytes = 1; /* a checkpoint whenever asked */
	store_rig_open(rig);
	take(rig, 0);
	fail_syncs(true);
	assert_int_equal(store_checkpoint(rig->store, true, &fault), FAULT_IO);
	assert_non_null(strstr(fault.text, "checkpoint"));
	expect_left_alone(rig, 1);
}

static void one_in_a_clean_stop_is_told_and_the_last_thing_written(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	take(rig, 0);
	fail_syncs(true);
	assert_int_equal(store_leave(rig->store, &fault), FAULT_IO);
	assert_non_null(strstr(fault.text, "checkpoint"));
	expect_left_alone(rig, 1);
}

static void one_in_a_stop_that_tells_nobody_is_the_last_thing_written(
	void **state)
{
	struct store_rig *rig = *state;
	take(rig, 0);
	fail_syncs(true);
	store_rig_close(rig);
	assert_int_equal(failed, 1);
	assert_int_equal(synced_since, 0);
	fail_syncs(false);
	store_rig_open(rig);
	assert_int_equal(store_rig_partition(rig, 0)->accounts.next_offset, 1);
}

static void a_clean_stop_leaves_nothing_in_the_wal(void **state)
{
	static struct bytes wal;
	struct store_rig *rig = *state;
	struct fault fault = {0};
	take(rig, 0);
	assert_int_equal(store_leave(rig->store, &fault), 0);
	read_file(rig, "-wal", &wal);
	assert_int_equal(wal.length, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(
			one_in_a_checkpoint_is_told_and_the_last_thing_written),
		WITH_STORE(
			one_in_a_clean_stop_is_told_and_the_last_thing_written),
		WITH_STORE(
			one_in_a_stop_that_tells_nobody_is_the_last_thing_written),
		WITH_STORE(a_clean_stop_leaves_nothing_in_the_wal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
