/* Opening a store: who is let in, and that nobody else is touched. */
#include "store/ownership.h"
#include "store/reader.h"
#include "tests/lib/check.h"
#include "tests/lib/store_rig.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The store can't be opened, and says so; nothing below the directory has
 * changed. */
static void check_refused(struct store_rig *rig, int code, const char *why)
{
	struct fault fault = {0};
	struct store *store = NULL;
	uint64_t before = directory_fingerprint(&rig->directory);
	assert_int_equal(store_open(&store, &rig->options, &fault), code);
	assert_null(store);
	if (strstr(fault.text, why) == NULL)
		fail_msg("\"%s\" is not in: %s", why, fault.text);
	assert_true(before == directory_fingerprint(&rig->directory));
}

/* An empty directory, as a rig that has no store yet. */
static void empty_directory(struct store_rig *rig)
{
	store_rig_close(rig);
	directory_remove(&rig->directory);
	assert_int_equal(mkdir(rig->directory.path, 0700), 0);
}

static struct directory below(struct store_rig *rig, const char *name)
{
	return directory_entry(&rig->directory, name);
}

/* generations/g1.db, and a link to it that looks like ours. */
static struct directory foreign_file(struct store_rig *rig)
{
	empty_directory(rig);
	struct directory generations = below(rig, "generations");
	assert_int_equal(mkdir(generations.path, 0700), 0);
	struct directory link = below(rig, "features.db");
	assert_int_equal(symlink("generations/g1.db", link.path), 0);
	return below(rig, "generations/g1.db");
}

static sqlite3 *make_database(const struct directory *file, const char *sql)
{
	sqlite3 *db = NULL;
	assert_int_equal(sqlite3_open(file->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	return db;
}

static void a_second_writer_is_refused_and_the_first_goes_on(void **state)
{
	struct store_rig *rig = *state;
	check_refused(rig, FAULT_LOCKED, "another holdfast process");
	struct store_rig_event event = {.key = 1, .id = 1, .count = 1};
	struct store_tally tally = store_rig_take(rig, &event);
	assert_int_equal(tally.dispositions[DISPOSITION_APPLIED], 1);
}

static void a_foreign_database_is_left_alone(void **state)
{
	struct store_rig *rig = *state;
	struct directory file = foreign_file(rig);
	sqlite3 *db = make_database(&file,
		"PRAGMA application_id = 7; CREATE TABLE theirs (a);"
		"INSERT INTO theirs VALUES (1)");
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	check_refused(rig, FAULT_REFUSED, "no holdfast store");
}

static void a_foreign_database_keeps_its_wal(void **state)
{
	struct store_rig *rig = *state;
	struct directory file = foreign_file(rig);
	sqlite3 *db = make_database(
		&file, "PRAGMA journal_mode = WAL; CREATE TABLE theirs (a)");
	int on = 1;
	sqlite3_file_control(db, "main", SQLITE_FCNTL_PERSIST_WAL, &on);
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	struct directory wal = below(rig, "generations/g1.db-wal");
	struct stat status;
	assert_int_equal(stat(wal.path, &status), 0);
	assert_true(status.st_size > 0);
	check_refused(rig, FAULT_REFUSED, "no holdfast store");
}

static void what_is_no_database_is_left_alone(void **state)
{
	struct store_rig *rig = *state;
	struct directory file = foreign_file(rig);
	file_write(file.path, "my thesis, the only copy\n");
	check_refused(rig, FAULT_REFUSED, "no holdfast store");
	file_write(file.path, "");
	check_refused(rig, FAULT_REFUSED, "no holdfast store");
}

static void a_link_that_is_a_file_is_left_alone(void **state)
{
	struct store_rig *rig = *state;
	empty_directory(rig);
	struct directory link = below(rig, "features.db");
	sqlite3 *db = make_database(&link, "CREATE TABLE theirs (a)");
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	check_refused(rig, FAULT_REFUSED, "no link to a generation");
}

static void a_link_to_elsewhere_is_not_followed(void **state)
{
	struct store_rig *rig = *state;
	static const char *const targets[] = {"../other.db",
		"generations/../../g1.db", "generations/g1.db.bak",
		"/tmp/generations/g1.db", "generations/1.db"};
	for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
		empty_directory(rig);
		struct directory link = below(rig, "features.db");
		assert_int_equal(symlink(targets[i], link.path), 0);
		check_refused(rig, FAULT_REFUSED, "not into generations/");
	}
}

static void a_link_to_nothing_is_damaged(void **state)
{
	struct store_rig *rig = *state;
	foreign_file(rig);
	check_refused(rig, FAULT_REFUSED, "g1.db");
}

static void a_newer_format_is_left_alone(void **state)
{
	struct store_rig *rig = *state;
	store_rig_close(rig);
	store_rig_tamper(rig, "PRAGMA user_version = 1000");
	check_refused(rig, FAULT_REFUSED, "format 1000");
}

/* Seed 305296 of the simulation: a bit flips within SQLite's own schema. */
static void a_column_whose_name_rotted_is_damage(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct store *store = NULL;
	struct reader *reader = NULL;
	store_rig_close(rig);
	store_rig_tamper(rig,
		"PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql ="
		" replace(sql, ' superseded ', ' supersedee ')"
		" WHERE name = '_partition'");
	assert_int_equal(
		store_open(&store, &rig->options, &fault), FAULT_CORRUPT);
	assert_null(store);
	assert_non_null(strstr(fault.text, "no such column: superseded"));
	assert_non_null(strstr(fault.text, "restore a backup"));
	store_rig_tamper(rig,
		"PRAGMA writable_schema = ON; UPDATE sqlite_schema SET"
		" name = '_metb', tbl_name = '_metb',"
		" sql = replace(sql, '_meta', '_metb') WHERE name = '_meta'");
	assert_int_equal(reader_open(&reader, rig->directory.path, 0, &fault),
		FAULT_CORRUPT);
	assert_null(reader);
	assert_non_null(strstr(fault.text, "no such table: _meta"));
}

static void a_path_that_is_a_file_is_refused(void **state)
{
	struct store_rig *rig = *state;
	struct directory file = below(rig, "file");
	file_write(file.path, "x");
	rig->options.path = file.path;
	check_refused(rig, FAULT_REFUSED, "not a directory");
	rig->options.path = rig->directory.path;
}

static void no_store_is_made_without_a_schema(void **state)
{
	struct store_rig *rig = *state;
	empty_directory(rig);
	rig->options.schema = NULL;
	check_refused(rig, FAULT_USAGE, "no schema was given");
	struct directory missing = below(rig, "missing");
	rig->options.path = missing.path;
	check_refused(rig, FAULT_USAGE, "no schema was given");
	rig->options.path = rig->directory.path;
}

static void a_reader_finds_no_store_where_there_is_none(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct reader *reader = NULL;
	empty_directory(rig);
	assert_int_equal(reader_open(&reader, rig->directory.path, 0, &fault),
		FAULT_REFUSED);
	assert_null(reader);
	struct directory file = foreign_file(rig);
	sqlite3 *db = make_database(&file, "CREATE TABLE theirs (a)");
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	uint64_t before = directory_fingerprint(&rig->directory);
	assert_int_equal(reader_open(&reader, rig->directory.path, 0, &fault),
		FAULT_REFUSED);
	assert_true(before == directory_fingerprint(&rig->directory));
}

static void a_store_keeps_who_it_is(void **state)
{
	struct store_rig *rig = *state;
	char id[STORE_ID_SIZE];
	unsigned char secret[SECRET_BYTES];
	int length = snprintf(id, sizeof id, "%s", store_id(rig->store));
	assert_int_equal(length, STORE_ID_SIZE - 1);
	memcpy(secret, store_secret(rig->store), sizeof secret);
	int64_t epoch = rig->store->owner_epoch;
	store_rig_close(rig);
	rig->options.schema = NULL;
	store_rig_open(rig);
	assert_string_equal(store_id(rig->store), id);
	assert_memory_equal(store_secret(rig->store), secret, sizeof secret);
	assert_int_equal(store_schema(rig->store)->view_count, 2);
	assert_int_equal(rig->store->owner_epoch, epoch + 1);
}

static void a_crash_while_making_a_store_is_finished(void **state)
{
	struct store_rig *rig = *state;
	char id[STORE_ID_SIZE];
	int length = snprintf(id, sizeof id, "%s", store_id(rig->store));
	assert_int_equal(length, STORE_ID_SIZE - 1);
	store_rig_close(rig);
	/* It had been renamed, but not linked. */
	struct directory link = below(rig, "features.db");
	assert_int_equal(unlink(link.path), 0);
	store_rig_open(rig);
	assert_string_equal(store_id(rig->store), id);
	/* It had not even been renamed. */
	empty_directory(rig);
	struct directory generations = below(rig, "generations");
	assert_int_equal(mkdir(generations.path, 0700), 0);
	struct directory draft = below(rig, "generations/g1.draft");
	file_write(draft.path, "half a store");
	store_rig_open(rig);
	assert_int_not_equal(access(draft.path, F_OK), 0);
	assert_string_not_equal(store_id(rig->store), id);
}

static void a_backup_directory_is_made_again(void **state)
{
	struct store_rig *rig = *state;
	store_rig_close(rig);
	struct directory backups = below(rig, "backups");
	assert_int_equal(rmdir(backups.path), 0);
	store_rig_open(rig);
	assert_int_equal(access(backups.path, F_OK), 0);
}

static void who_was_taken_over_changes_nothing_any_more(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct store_rig_event event = {.key = 1, .id = 1, .count = 1};
	struct store_record record = store_rig_record(rig, &event);
	struct store_batch batch = {.records = &record, .record_count = 1};
	struct ownership *ownership = NULL;
	assert_int_equal(ownership_open(&ownership, rig->store, &fault), 0);
	assert_true(ownership_holds(ownership));
	sqlite3 *db = NULL;
	struct directory file = below(rig, "features.db");
	assert_int_equal(sqlite3_open(file.path, &db), SQLITE_OK);
	assert_int_equal(
		meta_write_epoch(db, rig->store->owner_epoch + 1, &fault), 0);
	sqlite3_close(db);
	assert_false(ownership_holds(ownership));
	ownership_close(ownership);
	assert_int_equal(
		store_apply(rig->store, &batch, NULL, &fault), FAULT_FENCED);
	const struct store_partition *partition;
	assert_int_equal(
		store_partition(rig->store, "beta", 0, 0, &partition, &fault),
		FAULT_FENCED);
	assert_int_equal(store_rig_ask(rig, "SELECT count(*) FROM account"), 0);
	assert_int_equal(store_rig_ask(rig, "SELECT max(next_offset) +"
					    " count(*) FROM _partition"),
		1);
	/* What the other left in the WAL is for the other to copy. */
	rig->store->options.wal_max_bytes = 0;
	rig->store->wal_pages = 1;
	assert_int_equal(
		store_checkpoint(rig->store, true, &fault), FAULT_FENCED);
}

/* The epoch may be the same and the offset yet another: a copy of the file was
 * put back under a running writer, say. */
static void a_partition_that_somebody_moved_is_fenced(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct store_rig_event event = {.key = 1, .id = 1, .count = 1};
	struct store_record record = store_rig_record(rig, &event);
	struct store_batch batch = {.records = &record, .record_count = 1};
	store_rig_tamper(rig, "UPDATE _partition SET next_offset = 5");
	assert_int_equal(
		store_apply(rig->store, &batch, NULL, &fault), FAULT_FENCED);
	assert_int_equal(store_rig_ask(rig, "SELECT count(*) FROM account"), 0);
	assert_int_equal(store_rig_ask(rig, "SELECT count(*) FROM _key"), 0);
}

static void partitions_are_noted_together_or_not_at_all(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct store_announced two[] = {
		{.topic = "beta", .partition = 1, .log_start = 5},
		{.topic = "beta", .partition = 2, .cluster_id = "c"}};
	store_rig_tamper(rig,
		"CREATE TRIGGER no BEFORE INSERT ON _partition WHEN"
		" new.partition = 2 BEGIN SELECT raise(ABORT, 'no'); END");
	assert_true(store_partitions(rig->store, two, 2, &fault) < 0);
	assert_int_equal(store_partition_count(rig->store), 0);
	assert_int_equal(
		store_rig_ask(rig, "SELECT count(*) FROM _partition"), 0);
	store_rig_tamper(rig, "DROP TRIGGER no");
	assert_int_equal(store_partitions(rig->store, two, 2, &fault), 0);
	assert_int_equal(store_partition_count(rig->store), 2);
	assert_int_equal(two[0].stored->accounts.next_offset, 5);
	assert_string_equal(two[0].stored->cluster_id, "");
	assert_string_equal(two[1].stored->cluster_id, "c");
	assert_int_equal(
		store_rig_ask(rig, "SELECT sum(id * (cluster_id = 'c'))"
				   " FROM _partition"),
		two[1].stored->log.id);
}

static void where_a_partition_lives_now_is_noted(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	const struct log *log = &store_rig_partition(rig, 0)->log;
	struct store_announced one = {.topic = log->topic,
		.partition = log->partition,
		.cluster_id = "elsewhere"};
	assert_int_equal(store_partitions(rig->store, &one, 1, &fault), 0);
	assert_ptr_equal(&one.stored->log, log);
	assert_string_equal(one.stored->cluster_id, "elsewhere");
	assert_int_equal(
		store_rig_ask(rig, "SELECT cluster_id = 'elsewhere' FROM"
				   " _partition"),
		1);
	one.cluster_id = ""; /* nobody says: it stays */
	assert_int_equal(store_partitions(rig->store, &one, 1, &fault), 0);
	assert_string_equal(one.stored->cluster_id, "elsewhere");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(a_second_writer_is_refused_and_the_first_goes_on),
		WITH_STORE(partitions_are_noted_together_or_not_at_all),
		WITH_STORE(where_a_partition_lives_now_is_noted),
		WITH_STORE(a_foreign_database_is_left_alone),
		WITH_STORE(a_foreign_database_keeps_its_wal),
		WITH_STORE(what_is_no_database_is_left_alone),
		WITH_STORE(a_link_that_is_a_file_is_left_alone),
		WITH_STORE(a_link_to_elsewhere_is_not_followed),
		WITH_STORE(a_link_to_nothing_is_damaged),
		WITH_STORE(a_newer_format_is_left_alone),
		WITH_STORE(a_column_whose_name_rotted_is_damage),
		WITH_STORE(a_path_that_is_a_file_is_refused),
		WITH_STORE(no_store_is_made_without_a_schema),
		WITH_STORE(a_reader_finds_no_store_where_there_is_none),
		WITH_STORE(a_store_keeps_who_it_is),
		WITH_STORE(a_crash_while_making_a_store_is_finished),
		WITH_STORE(a_backup_directory_is_made_again),
		WITH_STORE(who_was_taken_over_changes_nothing_any_more),
		WITH_STORE(a_partition_that_somebody_moved_is_fenced),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
