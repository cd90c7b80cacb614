/*
 * A disk that is full for a while: ingest waits, loses nothing, condemns
 * nothing, and goes on by itself. SQLite's own hook for tests takes the place
 * of pwrite(2).
 */
#include "ingest/file_source.h"
#include "ingest/pipeline.h"
#include "store/sql.h"
#include "store/store.h"
#include "tests/lib/check.h"
#include "tests/lib/directory.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RECORDS 300
#define SCHEMA                                                                 \
	"{\"views\": {\"v\": {\"entity\": {\"k\": \"int64\"}, \"features\":"   \
	" {\"n\": {\"type\": \"int64\", \"merge\": \"sum\"}}}},"               \
	" \"sources\": {\"t\": {}}}"

/* SQLite's hook carries no pointer of ours. */
static atomic_bool disk_is_full;

static ssize_t full_pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
	if (!atomic_load(&disk_is_full))
		return pwrite(fd, bytes, size, offset);
	errno = ENOSPC;
	return -1;
}

struct rig {
	struct directory directory;
	struct schema *schema;
	struct store *store;
	struct source *source;
	atomic_bool stop;
	bool full_from_start;
	size_t notices;
	char told[sizeof((struct fault *)NULL)->text];
};

static void good(int rc, const struct fault *fault)
{
	if (rc != 0)
		fail_msg("%d: %s", rc, fault->text);
}

static void write_lines(const char *path)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	for (int i = 0; i < RECORDS; i++)
		fprintf(file,
			"{\"id\": %d, \"view\": \"v\", \"entity\": {\"k\": "
			"%d}, "
			"\"event_time\": \"2026-01-01T00:00:00Z\", "
			"\"features\": {\"n\": 1}}\n",
			i, i % 10);
	assert_int_equal(fclose(file), 0);
}

static void rig_open(struct rig *rig)
{
	struct fault fault = {0};
	*rig = (struct rig){0};
	atomic_store(&disk_is_full, false);
	directory_make(&rig->directory);
	good(schema_parse(&rig->schema, slice_of(SCHEMA), "test", &fault),
		&fault);
	struct directory path = directory_entry(&rig->directory, "store");
	struct store_options options = store_options_default();
	options.path = path.path;
	options.schema = rig->schema;
	options.wal_max_bytes = 1; /* a checkpoint behind each batch */
	good(store_open(&rig->store, &options, &fault), &fault);
	struct directory file = directory_entry(&rig->directory, "lines");
	write_lines(file.path);
	struct file_source_options source = {.path = file.path,
		.topic = "t",
		.clock = clock_system(),
		.until_end = true};
	good(file_source_open(&rig->source, &source, &fault), &fault);
}

static void rig_close(struct rig *rig)
{
	atomic_store(&disk_is_full, false);
	source_close(rig->source);
	store_close(rig->store);
	schema_free(rig->schema);
	directory_remove(&rig->directory);
}

/* Somebody reads the notice and makes room. */
static void make_room(void *payload, const char *text)
{
	struct rig *rig = payload;
	assert_true(atomic_load(&disk_is_full));
	assert_true(snprintf(rig->told, sizeof rig->told, "%s", text) > 0);
	rig->notices++;
	atomic_store(&disk_is_full, false);
}

static void stop(void *payload, const char *text)
{
	struct rig *rig = payload;
	(void)text;
	atomic_store(&rig->stop, true);
}

static int run(struct rig *rig, void (*notice)(void *, const char *),
	struct pipeline_result *result, struct fault *fault)
{
	struct pipeline_options options = pipeline_options_default();
	options.source = rig->source;
	options.store = rig->store;
	options.clock = clock_system();
	options.batch_records = 7;
	options.stop = &rig->stop;
	options.notice = notice;
	options.payload = rig;
	return pipeline_run(&options, result, fault);
}

static void all_is_applied(
	const struct rig *rig, const struct pipeline_result *result)
{
	const int64_t *of = result->tally.dispositions;
	assert_int_equal(of[DISPOSITION_APPLIED], RECORDS);
	assert_int_equal(of[DISPOSITION_DEAD], 0);
	assert_int_equal(result->tally.records, RECORDS);
	assert_int_equal(rig->notices, 1);
	assert_non_null(strstr(rig->told, "disk is full"));
}

static void a_new_partition_waits_for_room(void **state)
{
	(void)state;
	struct rig rig;
	struct fault fault = {0};
	struct pipeline_result result;
	rig_open(&rig);
	atomic_store(&disk_is_full, true);
	good(run(&rig, make_room, &result, &fault), &fault);
	all_is_applied(&rig, &result);
	rig_close(&rig);
}

static const struct store_partition *partition_of(struct rig *rig)
{
	struct fault fault = {0};
	const struct store_partition *partition;
	good(store_partition(rig->store, "t", 0, 0, &partition, &fault),
		&fault);
	return partition;
}

static void a_batch_waits_for_room_and_says_so(void **state)
{
	(void)state;
	struct rig rig;
	struct fault fault = {0};
	struct pipeline_result result;
	rig_open(&rig);
	(void)partition_of(&rig);
	atomic_store(&disk_is_full, true);
	good(run(&rig, make_room, &result, &fault), &fault);
	all_is_applied(&rig, &result);
	rig_close(&rig);
}

static void told_to_stop_it_does_not_wait_and_nothing_is_taken(void **state)
{
	(void)state;
	struct rig rig;
	struct fault fault = {0};
	rig_open(&rig);
	const struct store_partition *partition = partition_of(&rig);
	atomic_store(&disk_is_full, true);
	assert_int_equal(run(&rig, stop, NULL, &fault), FAULT_FULL);
	assert_int_equal(partition->accounts.next_offset, 0);
	assert_int_equal(partition->accounts.dispositions[DISPOSITION_DEAD], 0);
	rig_close(&rig);
}

static void a_checkpoint_without_room_takes_nothing_back(void **state)
{
	(void)state;
	struct rig rig;
	struct fault fault = {0};
	struct store_mark mark = {.next_offset = 5};
	struct store_batch batch = {.marks = &mark, .mark_count = 1};
	rig_open(&rig);
	const struct store_partition *partition = partition_of(&rig);
	mark.log = &partition->log;
	good(store_apply(rig.store, &batch, NULL, &fault), &fault);
	atomic_store(&disk_is_full, true);
	good(store_checkpoint(rig.store, true, &fault), &fault);
	assert_int_equal(partition->accounts.next_offset, 5);
	mark.next_offset = 9;
	/* Its commit failed, and nobody can say how far it came. */
	assert_int_equal(store_apply(rig.store, &batch, NULL, &fault),
		STORE_OUTCOME_UNKNOWN);
	assert_int_equal(partition->accounts.next_offset, 5);
	atomic_store(&disk_is_full, false);
	good(store_apply(rig.store, &batch, NULL, &fault), &fault);
	good(store_checkpoint(rig.store, true, &fault), &fault);
	assert_int_equal(partition->accounts.next_offset, 9);
	rig_close(&rig);
}

static void a_fault_of_the_file_says_what_to_do(void **state)
{
	(void)state;
	static const struct {
		int code;
		const char *advice;
	} faults[] = {{SQLITE_FULL, "make room"},
		{SQLITE_READONLY_DIRECTORY, "user write the store's directory"},
		{SQLITE_CANTOPEN, "check that the store's files are there"},
		{SQLITE_IOERR_FSYNC, "check the disk"},
		{SQLITE_NOTADB, "restore a backup"}};
	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
		struct fault fault = {0};
		assert_true(
			sql_fault(NULL, faults[i].code, &fault, "here") < 0);
		assert_non_null(strstr(fault.text, "here: "));
		assert_non_null(strstr(fault.text, faults[i].advice));
	}
}

static void take_pwrite_over(void)
{
	static const char *const names[] = {"pwrite", "pwrite64"};
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(vfs->xSetSystemCall(vfs, names[i],
					 (sqlite3_syscall_ptr)(void (*)(
						 void))full_pwrite),
			SQLITE_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_partition_waits_for_room),
		cmocka_unit_test(a_batch_waits_for_room_and_says_so),
		cmocka_unit_test(
			told_to_stop_it_does_not_wait_and_nothing_is_taken),
		cmocka_unit_test(a_checkpoint_without_room_takes_nothing_back),
		cmocka_unit_test(a_fault_of_the_file_says_what_to_do),
	};
	take_pwrite_over();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
