/*
 * A reader that holds its snapshot: the WAL grows to its limit and no further,
 * ingest waits and names the process, and goes on by itself when it ends.
 */
#include "store/sql.h"
#include "store/store.h"
#include "store/wal_readers.h"
#include "tests/lib/check.h"
#include "tests/lib/directory.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAL_MAX_BYTES (256 * 1024)
#define BATCHES_MOST 2000 /* many more than the limit takes */
#define HOUR_US (3600 * INT64_C(1000000))
#define SCHEMA                                                                 \
	"{\"views\": {\"v\": {\"entity\": {\"k\": \"int64\"}, \"features\":"   \
	" {\"n\": {\"type\": \"int64\", \"merge\": \"sum\"}}}},"               \
	" \"sources\": {\"t\": {}}}"

struct rig {
	struct directory directory, path, database, wal;
	struct schema *schema;
	struct store *store;
	const struct store_partition *partition;
	int64_t next_offset;
	pid_t reader;
	int to_reader; /* it begins at the first byte */
};

/* Steps one row and stops, as a program does whose user went home. Forked
 * before this process opens the store: SQLite must not see both. */
static void read_and_stop(int from, const char *database)
{
	char byte;
	sqlite3 *db = NULL;
	sqlite3_stmt *statement = NULL;
	if (read(from, &byte, 1) != 1 ||
		sqlite3_open_v2(database, &db, SQLITE_OPEN_READONLY, NULL) !=
			SQLITE_OK ||
		sqlite3_prepare_v2(db, "SELECT name FROM _meta", -1, &statement,
			NULL) != SQLITE_OK ||
		sqlite3_step(statement) != SQLITE_ROW)
		_exit(1);
	raise(SIGSTOP);
	_exit(0);
}

static void start_reader(struct rig *rig)
{
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	rig->reader = fork();
	assert_true(rig->reader >= 0);
	if (rig->reader == 0)
		read_and_stop(ends[0], rig->database.path);
	close(ends[0]);
	rig->to_reader = ends[1];
}

static void good(int rc, const struct fault *fault)
{
	if (rc != 0)
		fail_msg("%d: %s", rc, fault->text);
}

static void rig_open(struct rig *rig, int64_t reader_max_us)
{
	struct fault fault = {0};
	*rig = (struct rig){0};
	directory_make(&rig->directory);
	rig->path = directory_entry(&rig->directory, "store");
	rig->database = directory_entry(&rig->path, "generations/g1.db");
	rig->wal = directory_entry(&rig->path, "generations/g1.db-wal");
	good(schema_parse(&rig->schema, slice_of(SCHEMA), "test", &fault),
		&fault);
	start_reader(rig);
	struct store_options options = store_options_default();
	options.path = rig->path.path;
	options.schema = rig->schema;
	options.wal_max_bytes = WAL_MAX_BYTES;
	options.ballast_bytes = 0;
	options.reader_max_us = reader_max_us;
	good(store_open(&rig->store, &options, &fault), &fault);
	good(store_partition(rig->store, "t", 0, 0, &rig->partition, &fault),
		&fault);
}

static void let_it_read(struct rig *rig)
{
	int status = 0;
	assert_int_equal(write(rig->to_reader, "x", 1), 1);
	assert_int_equal(waitpid(rig->reader, &status, WUNTRACED), rig->reader);
	assert_true(WIFSTOPPED(status));
}

static void end_reader(struct rig *rig)
{
	if (rig->reader == 0)
		return;
	assert_int_equal(kill(rig->reader, SIGKILL), 0);
	assert_int_equal(waitpid(rig->reader, NULL, 0), rig->reader);
	rig->reader = 0;
}

static void rig_close(struct rig *rig)
{
	end_reader(rig);
	close(rig->to_reader);
	store_close(rig->store);
	schema_free(rig->schema);
	directory_remove(&rig->directory);
}

static int apply_one(struct rig *rig, struct fault *fault)
{
	struct store_mark mark = {
		&rig->partition->log, rig->next_offset + 1, 1};
	struct store_batch batch = {.marks = &mark, .mark_count = 1};
	int rc = store_apply(rig->store, &batch, NULL, fault);
	if (rc != 0)
		return rc;
	rig->next_offset++;
	return store_checkpoint(rig->store, false, fault);
}

static int apply_many(struct rig *rig, struct fault *fault)
{
	int rc = 0;
	for (int i = 0; rc == 0 && i < BATCHES_MOST; i++)
		rc = apply_one(rig, fault);
	return rc;
}

static off_t size_of(const struct directory *file)
{
	struct stat status;
	assert_int_equal(stat(file->path, &status), 0);
	return status.st_size;
}

static void a_reader_that_stays_makes_ingest_wait_and_is_named(void **state)
{
	(void)state;
	struct rig rig;
	struct fault fault = {0};
	char name[64];
	rig_open(&rig, 0);
	good(apply_one(&rig, &fault), &fault);
	let_it_read(&rig);
	assert_int_equal(apply_many(&rig, &fault), FAULT_BUSY);
	assert_true(snprintf(name, sizeof name, "process %ld (test_wal_limit)",
			    (long)rig.reader) > 0);
	assert_non_null(strstr(fault.text, name));
	assert_non_null(strstr(fault.text, "store.reader_max"));
	off_t held = size_of(&rig.wal);
	assert_in_range(held, WAL_MAX_BYTES, 2 * WAL_MAX_BYTES);
	assert_int_equal(apply_one(&rig, &fault), FAULT_BUSY);
	assert_int_equal(size_of(&rig.wal), held);
	assert_int_equal(rig.partition->accounts.next_offset, rig.next_offset);

	end_reader(&rig);
	good(apply_many(&rig, &fault), &fault);
	assert_in_range(size_of(&rig.wal), 0, 2 * WAL_MAX_BYTES);
	rig_close(&rig);
}

static void one_that_may_stay_does_not_stop_it(void **state)
{
	(void)state;
	struct rig rig;
	struct fault fault = {0};
	rig_open(&rig, HOUR_US);
	good(apply_one(&rig, &fault), &fault);
	let_it_read(&rig);
	while (size_of(&rig.wal) < 2 * WAL_MAX_BYTES)
		good(apply_one(&rig, &fault), &fault);
	rig_close(&rig);
}

static void only_who_reads_is_named(void **state)
{
	(void)state;
	struct rig rig;
	char names[256], expected[64];
	rig_open(&rig, 0);
	assert_int_equal(wal_readers_of(rig.path.path, names, sizeof names), 0);
	assert_string_equal(names, "");
	let_it_read(&rig);
	assert_true(
		snprintf(expected, sizeof expected,
			"process %ld (test_wal_limit)", (long)rig.reader) > 0);
	assert_int_equal(wal_readers_of(rig.path.path, names, sizeof names), 1);
	assert_string_equal(names, expected);
	end_reader(&rig);
	assert_int_equal(wal_readers_of(rig.path.path, names, sizeof names), 0);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_reader_that_stays_makes_ingest_wait_and_is_named),
		cmocka_unit_test(one_that_may_stay_does_not_stop_it),
		cmocka_unit_test(only_who_reads_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
