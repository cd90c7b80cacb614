/*
 * The WAL beside readers. One that holds its snapshot: the WAL grows to its
 * limit and no further, ingest waits and names the process, and goes on by
 * itself when it ends. Many that never pause: it is begun anew beside them. A
 * clean stop empties it.
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
#define READ_MOST_S 60
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

/* A process that reads, forked before this one opens the store: SQLite must
 * not see both. It begins when it is told, and stops itself once it has read;
 * it fails if it can't read on when it is continued. */
typedef int reader(const char *database);

static sqlite3_stmt *reading(const char *database)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *statement = NULL;
	if (sqlite3_open_v2(database, &db, SQLITE_OPEN_READONLY, NULL) !=
			SQLITE_OK ||
		sqlite3_prepare_v2(db,
			"SELECT next_offset FROM _partition UNION ALL "
			"SELECT next_offset FROM _partition",
			-1, &statement, NULL) != SQLITE_OK ||
		sqlite3_step(statement) != SQLITE_ROW)
		_exit(1);
	return statement;
}

/* As a program does whose user went home. */
static int in_a_snapshot(const char *database)
{
	sqlite3_stmt *statement = reading(database);
	int64_t first = sqlite3_column_int64(statement, 0);
	raise(SIGSTOP);
	return sqlite3_step(statement) != SQLITE_ROW ||
	       sqlite3_column_int64(statement, 0) != first;
}

static int between_snapshots(const char *database)
{
	sqlite3_stmt *statement = reading(database);
	int64_t first = sqlite3_column_int64(statement, 0);
	sqlite3_reset(statement);
	raise(SIGSTOP);
	return sqlite3_step(statement) != SQLITE_ROW ||
	       sqlite3_column_int64(statement, 0) <= first;
}

/* There is never a moment when it reads nothing. */
static int without_a_pause(const char *database)
{
	sqlite3_stmt *one = reading(database), *other = reading(database);
	raise(SIGSTOP);
	for (;;) {
		sqlite3_reset(one);
		if (sqlite3_step(one) != SQLITE_ROW)
			return 1;
		sqlite3_stmt *next = other;
		other = one;
		one = next;
	}
}

static void read_when_told(int from, reader *read_on, const char *database)
{
	char byte;
	if (read(from, &byte, 1) != 1)
		_exit(1);
	alarm(READ_MOST_S); /* also if the test fails before it ends it */
	_exit(read_on(database));
}

static void start_reader(struct rig *rig, reader *read_on)
{
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	rig->reader = fork();
	assert_true(rig->reader >= 0);
	if (rig->reader == 0)
		read_when_told(ends[0], read_on, rig->database.path);
	close(ends[0]);
	rig->to_reader = ends[1];
}

static void good(int rc, const struct fault *fault)
{
	if (rc != 0)
		fail_msg("%d: %s", rc, fault->text);
}

static void rig_open(struct rig *rig, int64_t reader_max_us, reader *read_on)
{
	struct fault fault = {0};
	*rig = (struct rig){0};
	directory_make(&rig->directory);
	rig->path = directory_entry(&rig->directory, "store");
	rig->database = directory_entry(&rig->path, "generations/g1.db");
	rig->wal = directory_entry(&rig->path, "generations/g1.db-wal");
	good(schema_parse(&rig->schema, slice_of(SCHEMA), "test", &fault),
		&fault);
	start_reader(rig, read_on);
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

/* Continued, it must have been able to read. */
static void let_it_end(struct rig *rig)
{
	int status = 0;
	assert_int_equal(kill(rig->reader, SIGCONT), 0);
	assert_int_equal(waitpid(rig->reader, &status, 0), rig->reader);
	rig->reader = 0;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int apply_one(struct rig *rig, struct fault *fault)
{
	struct store_mark mark = {
		&rig->partition->log, rig->next_offset + 1, 1, false};
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
	rig_open(&rig, 0, in_a_snapshot);
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
	rig_open(&rig, HOUR_US, in_a_snapshot);
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
	rig_open(&rig, 0, in_a_snapshot);
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

static void readers_that_never_pause_do_not_make_it_grow(void **state)
{
	(void)state;
	struct rig rig;
	struct fault fault = {0};
	off_t largest = 0;
	rig_open(&rig, HOUR_US, without_a_pause);
	good(apply_one(&rig, &fault), &fault);
	let_it_read(&rig);
	assert_int_equal(kill(rig.reader, SIGCONT), 0);
	for (int i = 0; i < BATCHES_MOST / 4; i++) {
		good(apply_one(&rig, &fault), &fault);
		if (size_of(&rig.wal) > largest)
			largest = size_of(&rig.wal);
	}
	assert_int_equal(waitpid(rig.reader, NULL, WNOHANG), 0);
	/* Readers that lose their processor may never let it come to its limit:
	 * that is as good. */
	assert_in_range(largest, 1, 2 * WAL_MAX_BYTES);
	rig_close(&rig);
}

static void what_a_peak_leaves_is_cut_off(void **state)
{
	(void)state;
	struct rig rig;
	struct fault fault = {0};
	rig_open(&rig, HOUR_US, in_a_snapshot);
	good(apply_one(&rig, &fault), &fault);
	let_it_read(&rig);
	while (size_of(&rig.wal) < 2 * WAL_MAX_BYTES)
		good(apply_one(&rig, &fault), &fault);
	end_reader(&rig);
	good(apply_one(&rig, &fault), &fault);
	good(apply_one(&rig, &fault), &fault);
	assert_in_range(size_of(&rig.wal), 1, WAL_MAX_BYTES);
	rig_close(&rig);
}

static void close_store(struct rig *rig)
{
	store_close(rig->store);
	rig->store = NULL;
}

static void a_clean_stop_empties_it_beside_readers(void **state)
{
	(void)state;
	struct rig rig;
	struct fault fault = {0};
	rig_open(&rig, HOUR_US, between_snapshots);
	good(apply_one(&rig, &fault), &fault);
	let_it_read(&rig);
	good(apply_one(&rig, &fault), &fault);
	assert_in_range(size_of(&rig.wal), 1, WAL_MAX_BYTES);
	close_store(&rig);
	assert_int_equal(size_of(&rig.wal), 0);
	let_it_end(&rig);
	rig_close(&rig);
}

static void a_clean_stop_leaves_a_snapshot_whole(void **state)
{
	(void)state;
	struct rig rig;
	struct fault fault = {0};
	rig_open(&rig, HOUR_US, in_a_snapshot);
	good(apply_one(&rig, &fault), &fault);
	let_it_read(&rig);
	good(apply_one(&rig, &fault), &fault);
	close_store(&rig);
	let_it_end(&rig);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_reader_that_stays_makes_ingest_wait_and_is_named),
		cmocka_unit_test(one_that_may_stay_does_not_stop_it),
		cmocka_unit_test(only_who_reads_is_named),
		cmocka_unit_test(readers_that_never_pause_do_not_make_it_grow),
		cmocka_unit_test(what_a_peak_leaves_is_cut_off),
		cmocka_unit_test(a_clean_stop_empties_it_beside_readers),
		cmocka_unit_test(a_clean_stop_leaves_a_snapshot_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
