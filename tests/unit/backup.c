/*
 * Backups: each holds one moment whatever is committed while it is made, is
 * found out when a byte of it changes, and never costs ingest the disk.
 */
#include "store/backup.h"

#include "store/backup_inside.h"
#include "store/verify.h"
#include "tests/lib/check.h"
#include "tests/lib/store_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ENTITIES 8000
#define BATCH 500
#define FILL_BATCHES 40
#define EVENTS_MAX 60000

/* Event i adds 1 to entity i * 7 % ENTITIES: what a store of the first n of
 * them holds is known without it. */
struct bed {
	struct store_rig *rig;
	int64_t taken;
	struct digest digests[EVENTS_MAX + 1]; /* after so many */
};

static void good(int rc, const struct fault *fault)
{
	if (rc != 0)
		fail_msg("%d: %s", rc, fault->text);
}

static int64_t entity_of(int64_t event)
{
	return event * 7 % ENTITIES;
}

static void take(struct bed *bed, int64_t count)
{
	struct fault fault = {0};
	struct store_record *records = calloc((size_t)count, sizeof *records);
	assert_non_null(records);
	assert_in_range(bed->taken + count, 1, EVENTS_MAX);
	for (int64_t i = 0; i < count; i++) {
		struct store_rig_event event = {.offset = bed->taken + i,
			.key = (unsigned)(bed->taken + i + 1),
			.id = entity_of(bed->taken + i),
			.count = 1};
		records[i] = store_rig_record(bed->rig, &event);
	}
	struct store_batch batch = {
		.records = records, .record_count = (size_t)count};
	good(store_apply(bed->rig->store, &batch, NULL, &fault), &fault);
	bed->taken += count;
	bed->digests[bed->taken] = store_digest(bed->rig->store);
	arena_reset(&bed->rig->arena);
	free(records);
}

static struct bed *bed_make(struct store_rig *rig)
{
	struct bed *bed = calloc(1, sizeof *bed);
	assert_non_null(bed);
	bed->rig = rig;
	for (int i = 0; i < FILL_BATCHES; i++)
		take(bed, BATCH);
	return bed;
}

static void begin(struct store_rig *rig, const char *name)
{
	struct fault fault = {0};
	struct backup_request request = {
		.name = name, .at_us = STORE_RIG_TIME_US};
	good(store_backup_begin(rig->store, &request, &fault), &fault);
}

static enum backup_phase phase(const struct store_rig *rig)
{
	struct backup_progress progress;
	store_backup_progress(rig->store, &progress);
	return progress.phase;
}

static void await_end(const struct store_rig *rig)
{
	static const struct timespec pause = {0, 1000000};
	while (phase(rig) == BACKUP_CHECKING)
		nanosleep(&pause, NULL);
	assert_int_equal(phase(rig), BACKUP_ENDED);
	assert_true(store_backup_wants(rig->store));
}

static struct backup_report end(struct store_rig *rig)
{
	struct fault fault = {0};
	struct backup_report report;
	while (phase(rig) == BACKUP_COPYING)
		store_backup_copy(rig->store, SECOND_US);
	await_end(rig);
	good(store_backup_end(rig->store, &report, &fault), &fault);
	assert_int_equal(phase(rig), BACKUP_NONE);
	return report;
}

static struct backup_report make(struct store_rig *rig, const char *name)
{
	begin(rig, name);
	return end(rig);
}

static struct directory path_of(const struct store_rig *rig, const char *name)
{
	struct directory file;
	assert_true(snprintf(file.path, sizeof file.path, "%s/backups/%s",
			    rig->directory.path, name) > 0);
	return file;
}

static bool is_there(const struct store_rig *rig, const char *name)
{
	struct directory file = path_of(rig, name);
	return access(file.path, F_OK) == 0;
}

static size_t list(const struct store_rig *rig, struct arena *arena,
	const struct backup_file **files)
{
	struct fault fault = {0};
	size_t count;
	good(backups_list(rig->directory.path, arena, files, &count, &fault),
		&fault);
	return count;
}

/* The backup holds exactly the first n events, for the n that it names itself.
 */
static int64_t expect_one_moment(const struct bed *bed, const char *name)
{
	struct fault fault = {0};
	struct arena arena = ARENA_INIT;
	struct directory file = path_of(bed->rig, name);
	struct reader *reader;
	struct reader_status status;
	struct verify_report report;
	good(reader_open_backup(&reader, file.path, &fault), &fault);
	good(reader_status(reader, &arena, &status, &fault), &fault);
	assert_int_equal(status.partition_count, 1);
	int64_t held = status.partitions[0].accounts.next_offset;
	assert_in_range(held, 1, bed->taken);
	good(reader_verify(reader, &arena, &report, &fault), &fault);
	assert_int_equal(report.problem_count, 0);
	assert_true(digest_equal(report.digest, bed->digests[held]));
	for (int64_t id = 0; id < ENTITIES; id += 11) {
		int64_t expected = 0;
		for (int64_t i = 0; i < held; i++)
			expected += entity_of(i) == id;
		struct value key = {.state = VALUE_SET, .as.integer = id};
		struct row row;
		assert_int_equal(
			reader_get(reader, reader_schema(reader)->views, &key,
				&arena, &row, &fault),
			1);
		assert_int_equal(row.cells[0].value.as.integer, expected);
	}
	reader_close(reader);
	arena_finish(&arena);
	return held;
}

static void it_holds_one_moment_while_batches_are_committed(void **state)
{
	struct bed *bed = bed_make(*state);
	struct store_rig *rig = bed->rig;
	struct fault fault = {0};
	double share = 0;
	int steps = 0;
	begin(rig, "moment");
	int64_t before = bed->taken;
	while (phase(rig) == BACKUP_COPYING) {
		struct backup_progress progress;
		store_backup_copy(rig->store, 0);
		store_backup_progress(rig->store, &progress);
		/* It never begins anew, though pages that were copied change;
		 * the file grows a little. */
		assert_true(progress.share > share - 0.05);
		share = progress.share;
		steps++;
		if (phase(rig) == BACKUP_COPYING)
			take(bed, 20);
		if (steps % 3 == 0)
			good(store_empty_wal(rig->store, &fault), &fault);
	}
	assert_true(steps > 10);
	int64_t at = bed->taken;
	take(bed, BATCH); /* while it is checked */
	struct backup_report report = end(rig);
	assert_int_equal(report.code, 0);
	assert_int_equal(expect_one_moment(bed, "moment.db"), at);
	assert_true(at > before);
	assert_false(is_there(rig, "moment.db-wal"));
	assert_false(is_there(rig, "moment.db-journal"));
	assert_false(is_there(rig, "moment.db.part"));
	free(bed);
}

static void batches_that_were_given_up_leave_nothing_in_it(void **state)
{
	struct bed *bed = bed_make(*state);
	struct store_rig *rig = bed->rig;
	struct fault fault = {0};
	begin(rig, "undone");
	while (phase(rig) == BACKUP_COPYING) {
		store_backup_copy(rig->store, 0);
		if (phase(rig) != BACKUP_COPYING)
			break;
		/* So large that pages leave for the WAL before the end. */
		good(sql_execute(rig->store->db,
			     "PRAGMA cache_size = 10; BEGIN IMMEDIATE;"
			     "UPDATE account SET count = count + 1000;"
			     "ROLLBACK",
			     &fault),
			&fault);
		/* SQLite begins anew then: let it come to an end. */
		store_backup_copy(rig->store, SECOND_US);
	}
	struct backup_report report = end(rig);
	assert_int_equal(report.code, 0);
	assert_int_equal(expect_one_moment(bed, "undone.db"), bed->taken);
	free(bed);
}

static void checkpoints_between_batches_make_it(void **state)
{
	struct bed *bed = bed_make(*state);
	struct store_rig *rig = bed->rig;
	struct fault fault = {0};
	begin(rig, NULL);
	while (phase(rig) == BACKUP_COPYING) {
		take(bed, 10);
		good(store_checkpoint(rig->store, true, &fault), &fault);
	}
	struct backup_report report = end(rig);
	assert_int_equal(report.code, 0);
	assert_string_equal(report.name, "20261123T082048Z");
	assert_true(report.copied_us <= report.took_us);
	expect_one_moment(bed, "20261123T082048Z.db");
	free(bed);
}

static void flip(const struct directory *file, int64_t at)
{
	unsigned char byte;
	int fd = open(file->path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

static void any_flipped_byte_is_found(void **state)
{
	struct bed *bed = bed_make(*state);
	struct fault fault = {0};
	struct backup_seal seal;
	struct backup_report report = make(bed->rig, "flip");
	struct directory file = path_of(bed->rig, "flip.db");
	good(backup_seal_check(file.path, &seal, &fault), &fault);
	assert_string_equal(seal.generation, "g1");
	for (int i = 0; i <= 60; i++) {
		int64_t at = (report.bytes - 1) * i / 60;
		flip(&file, at);
		assert_int_equal(backup_seal_check(file.path, &seal, &fault),
			FAULT_CORRUPT);
		flip(&file, at);
	}
	for (int64_t at = 1; at <= BACKUP_SEAL_BYTES; at++) {
		flip(&file, report.bytes - at);
		assert_int_equal(backup_seal_check(file.path, &seal, &fault),
			FAULT_CORRUPT);
		flip(&file, report.bytes - at);
	}
	good(backup_seal_check(file.path, &seal, &fault), &fault);
	assert_int_equal(truncate(file.path, report.bytes - 4096), 0);
	assert_int_equal(
		backup_seal_check(file.path, &seal, &fault), FAULT_CORRUPT);
	struct reader *reader;
	assert_int_equal(
		reader_open_backup(&reader, file.path, &fault), FAULT_CORRUPT);
	assert_null(reader);
	free(bed);
}

static void the_file_of_a_live_store_is_no_backup(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct reader *reader;
	struct directory live = directory_entry(&rig->directory, "features.db");
	store_rig_partition(rig, 0);
	good(store_empty_wal(rig->store, &fault), &fault);
	store_rig_close(rig);
	assert_int_equal(
		reader_open_backup(&reader, live.path, &fault), FAULT_REFUSED);
	assert_non_null(strstr(fault.text, "holdfast backup"));
}

static void a_damaged_store_gives_no_backup(void **state)
{
	struct bed *bed = bed_make(*state);
	struct store_rig *rig = bed->rig;
	store_rig_close(rig);
	store_rig_tamper(rig, "UPDATE account SET count = 5 WHERE id = 77");
	store_rig_open(rig);
	struct backup_report report = make(rig, "bad");
	assert_true(report.code < 0);
	assert_non_null(strstr(report.why, "holdfast verify"));
	assert_false(is_there(rig, "bad.db"));
	assert_false(is_there(rig, "bad.db.part"));
	free(bed);
}

static void the_store_remembers_how_they_ended(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct arena arena = ARENA_INIT;
	struct reader *reader;
	struct reader_status status;
	struct backup_request request = {.name = "asked",
		.at_us = STORE_RIG_TIME_US,
		.decision = &(const struct decision){.at_us = STORE_RIG_TIME_US,
			.who = "ann",
			.what = "backup",
			.target = "",
			.because = "before an upgrade"}};
	store_rig_partition(rig, 0);
	good(reader_open(&reader, rig->directory.path, 0, &fault), &fault);
	good(reader_status(reader, &arena, &status, &fault), &fault);
	assert_string_equal(status.backups.name, "");
	assert_int_equal(status.backups.failures, 0);
	good(store_backup_begin(rig->store, &request, &fault), &fault);
	struct backup_report report = end(rig);
	assert_int_equal(report.code, 0);
	good(reader_status(reader, &arena, &status, &fault), &fault);
	assert_string_equal(status.backups.name, "asked");
	assert_int_equal(status.backups.bytes, report.bytes);
	assert_int_equal(status.backups.made_us, report.made_us);
	assert_int_equal(status.decision_count, 1);
	assert_string_equal(status.decisions[0].who, "ann");
	assert_string_equal(status.decisions[0].target, "asked");
	assert_string_equal(status.decisions[0].because, "before an upgrade");

	store_rig_tamper(rig, "UPDATE _meta SET value = 'x' WHERE name = "
			      "'backup_name'");
	report = make(rig, "failing");
	assert_true(report.code < 0);
	store_rig_tamper(rig, "DELETE FROM _meta WHERE name = 'backup_name'");
	good(reader_status(reader, &arena, &status, &fault), &fault);
	assert_int_equal(status.backups.failures, 1);
	assert_int_equal(status.backups.failed_us, STORE_RIG_TIME_US);
	assert_string_equal(status.backups.failed_why, report.why);
	reader_close(reader);
	arena_finish(&arena);
}

static void names_are_checked(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	static const char *const bad[] = {"", ".", ".hidden", "a/b", "../x",
		"a b", "\xc3\xa4",
		"0123456789012345678901234567890123456789012345678901234567890"
		"1234"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct backup_request request = {.name = bad[i]};
		assert_int_equal(
			store_backup_begin(rig->store, &request, &fault),
			FAULT_USAGE);
	}
	assert_int_equal(make(rig, "once").code, 0);
	struct backup_request again = {.name = "once"};
	assert_int_equal(
		store_backup_begin(rig->store, &again, &fault), FAULT_REFUSED);
	begin(rig, "one");
	again.name = "two";
	assert_int_equal(
		store_backup_begin(rig->store, &again, &fault), FAULT_REFUSED);
	assert_non_null(strstr(fault.text, "one"));
	assert_int_equal(end(rig).code, 0);
}

static void a_close_gives_it_up(void **state)
{
	struct bed *bed = bed_make(*state);
	struct store_rig *rig = bed->rig;
	begin(rig, "half");
	store_backup_copy(rig->store, 0);
	store_rig_close(rig);
	assert_false(is_there(rig, "half.db.part"));
	store_rig_open(rig);
	begin(rig, "checked");
	while (phase(rig) == BACKUP_COPYING)
		store_backup_copy(rig->store, SECOND_US);
	store_rig_close(rig);
	assert_false(is_there(rig, "checked.db.part"));
	store_rig_open(rig);
	free(bed);
}

/* Its owner is asked while no batches come. */
static void one_wants_its_turn_where_there_is_something_to_do(void **state)
{
	static const struct timespec pause = {0, 1000000};
	struct bed *bed = bed_make(*state);
	struct store_rig *rig = bed->rig;
	assert_false(store_backup_wants(rig->store));
	assert_string_equal(store_backup_last(rig->store)->name, "");
	store_backup_copy(rig->store, SECOND_US); /* of none */
	assert_int_equal(phase(rig), BACKUP_NONE);
	begin(rig, "one");
	store_backup_copy(rig->store, 0);
	assert_int_equal(phase(rig), BACKUP_COPYING);
	while (!store_backup_wants(rig->store))
		nanosleep(&pause, NULL);
	while (phase(rig) == BACKUP_COPYING)
		store_backup_copy(rig->store, SECOND_US);
	await_end(rig);
	store_backup_copy(rig->store, SECOND_US); /* it has all */
	assert_int_equal(end(rig).code, 0);
	assert_string_equal(store_backup_last(rig->store)->name, "one");
	assert_false(store_backup_wants(rig->store));
	free(bed);
}

static void one_that_is_whole_when_the_store_is_closed_stays(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct reader *reader = NULL;
	struct reader_status status;
	begin(rig, "whole");
	while (phase(rig) == BACKUP_COPYING)
		store_backup_copy(rig->store, SECOND_US);
	await_end(rig);
	store_rig_close(rig);
	assert_true(is_there(rig, "whole.db"));
	assert_false(is_there(rig, "whole.db.part"));
	store_rig_open(rig);
	good(reader_open(&reader, rig->directory.path, 0, &fault), &fault);
	good(reader_summary(reader, &rig->arena, &status, &fault), &fault);
	assert_string_equal(status.backups.name, "whole");
	reader_close(reader);
}

static void what_the_dead_left_is_removed(void **state)
{
	struct store_rig *rig = *state;
	assert_int_equal(make(rig, "a.db.part").code, 0);
	store_rig_close(rig);
	static const char *const left[] = {
		"x.db.part", "x.db.part-journal", "y.db.part-wal"};
	for (size_t i = 0; i < sizeof left / sizeof left[0]; i++) {
		struct directory file = path_of(rig, left[i]);
		file_write(file.path, "half");
	}
	store_rig_open(rig);
	for (size_t i = 0; i < sizeof left / sizeof left[0]; i++)
		assert_false(is_there(rig, left[i]));
	assert_true(is_there(rig, "a.db.part.db"));
}

static void those_that_nobody_named_leave_in_time(void **state)
{
	struct store_rig *rig = *state;
	struct arena arena = ARENA_INIT;
	struct fault fault = {0};
	const struct backup_file *files;
	assert_int_equal(make(rig, "named").code, 0);
	for (int i = 0; i < 4; i++) {
		struct backup_request request = {
			.at_us = STORE_RIG_TIME_US + i * SECOND_US, .keep = 2};
		good(store_backup_begin(rig->store, &request, &fault), &fault);
		assert_int_equal(end(rig).code, 0);
	}
	struct directory foreign = path_of(rig, "foreign.db");
	file_write(foreign.path, "not ours");
	assert_int_equal(list(rig, &arena, &files), 4);
	assert_string_equal(files[0].name, "20261123T082051Z");
	assert_string_equal(files[1].name, "20261123T082050Z");
	assert_string_equal(files[2].name, "named");
	assert_true(files[2].sealed);
	assert_string_equal(files[3].name, "foreign");
	assert_false(files[3].sealed);
	arena_finish(&arena);
}

/* A sealed file that says it was made at `made_us`. */
static void put_backup(
	const struct store_rig *rig, const char *name, int64_t made_us)
{
	struct fault fault = {0};
	struct backup_seal seal = {.generation = "g1", .made_us = made_us};
	struct directory file = path_of(rig, name);
	file_write(file.path, "a store's pages");
	int fd = open(file.path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	good(backup_seal_put(fd, &seal, &fault), &fault);
	close(fd);
}

static void what_was_made_before_the_clock_was_set_back_leaves_first(
	void **state)
{
	struct store_rig *rig = *state;
	struct arena arena = ARENA_INIT;
	struct fault fault = {0};
	const struct backup_file *files;
	assert_int_equal(make(rig, "named").code, 0);
	put_backup(rig, "21260101T000000Z.db", STORE_RIG_TIME_US * 3);
	put_backup(rig, "21260102T000000Z.db", STORE_RIG_TIME_US * 3 + 1);
	for (int i = 0; i < 2; i++) {
		struct backup_request request = {
			.at_us = STORE_RIG_TIME_US + i * SECOND_US, .keep = 2};
		good(store_backup_begin(rig->store, &request, &fault), &fault);
		assert_int_equal(end(rig).code, 0);
		assert_int_equal(is_there(rig, "21260102T000000Z.db"), i == 0);
		assert_false(is_there(rig, "21260101T000000Z.db"));
	}
	assert_int_equal(list(rig, &arena, &files), 3);
	assert_true(is_there(rig, "20261123T082048Z.db"));
	assert_true(is_there(rig, "20261123T082049Z.db"));
	arena_finish(&arena);
}

static void the_newest_that_opens_is_read(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct reader *reader;
	assert_int_equal(
		reader_open_newest_backup(&reader, rig->directory.path, &fault),
		1);
	assert_null(reader);
	assert_int_equal(make(rig, "older").code, 0);
	assert_int_equal(make(rig, "newer").code, 0);
	good(reader_open_newest_backup(&reader, rig->directory.path, &fault),
		&fault);
	assert_string_equal(reader_generation(reader), "g1@newer");
	reader_close(reader);
	struct directory newer = path_of(rig, "newer.db");
	flip(&newer, 70); /* of its application id: it is not ours any more */
	good(reader_open_newest_backup(&reader, rig->directory.path, &fault),
		&fault);
	assert_string_equal(reader_generation(reader), "g1@older");
	assert_true(reader_backup_made_us(reader) > 0);
	reader_close(reader);
}

/* SQLite's hook carries no pointer of ours: which file has no room. */
static atomic_int no_room_for;
enum { EVERYTHING_FITS, NO_PART, NO_WAL };

static ssize_t full_pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
	char link[64], path[PATH_MAX];
	int want = atomic_load(&no_room_for);
	if (want == EVERYTHING_FITS ||
		snprintf(link, sizeof link, "/proc/self/fd/%d", fd) < 0)
		return pwrite(fd, bytes, size, offset);
	ssize_t length = readlink(link, path, sizeof path - 1);
	path[length < 0 ? 0 : length] = '\0';
	if (strstr(path, want == NO_PART ? ".part" : "-wal") == NULL)
		return pwrite(fd, bytes, size, offset);
	errno = ENOSPC;
	return -1;
}

static void fill_disk(int file)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
	atomic_store(&no_room_for, file);
	assert_int_equal(vfs->xSetSystemCall(vfs, "pwrite",
				 (sqlite3_syscall_ptr)full_pwrite),
		SQLITE_OK);
	assert_int_equal(vfs->xSetSystemCall(vfs, "pwrite64",
				 (sqlite3_syscall_ptr)full_pwrite),
		SQLITE_OK);
}

static bool has_ballast(const struct store_rig *rig)
{
	return ballast_held(rig->directory.path) > 0;
}

static void with_ballast(struct store_rig *rig)
{
	store_rig_close(rig);
	rig->options.ballast_bytes = 1 << 20;
	store_rig_open(rig);
	assert_true(has_ballast(rig));
}

static void a_full_disk_ends_it_and_ingest_goes_on(void **state)
{
	struct bed *bed = bed_make(*state);
	struct store_rig *rig = bed->rig;
	with_ballast(rig);
	fill_disk(NO_PART);
	begin(rig, "nowhere");
	while (phase(rig) == BACKUP_COPYING) {
		store_backup_copy(rig->store, 0);
		take(bed, 10);
	}
	struct backup_report report = end(rig);
	assert_true(report.code < 0);
	assert_non_null(strstr(report.why, "full"));
	assert_false(is_there(rig, "nowhere.db"));
	assert_false(is_there(rig, "nowhere.db.part"));
	assert_true(has_ballast(rig));
	fill_disk(EVERYTHING_FITS);
	free(bed);
}

static void ingest_that_needs_room_gets_that_of_the_backup(void **state)
{
	struct bed *bed = bed_make(*state);
	struct store_rig *rig = bed->rig;
	with_ballast(rig);
	begin(rig, "yields");
	store_backup_copy(rig->store, 0);
	assert_true(is_there(rig, "yields.db.part"));
	fill_disk(NO_WAL);
	struct fault fault = {0};
	struct store_rig_event event = {
		.offset = bed->taken, .key = 1 << 30, .id = 1, .count = 1};
	struct store_record record = store_rig_record(rig, &event);
	struct store_batch batch = {.records = &record, .record_count = 1};
	assert_true(store_apply(rig->store, &batch, NULL, &fault) != 0);
	assert_false(is_there(rig, "yields.db.part"));
	assert_true(has_ballast(rig));
	fill_disk(EVERYTHING_FITS);
	struct backup_report report = end(rig);
	assert_true(report.code < 0);
	assert_non_null(strstr(report.why, "ingest needs the room"));
	good(store_apply(rig->store, &batch, NULL, &fault), &fault);
	free(bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(it_holds_one_moment_while_batches_are_committed),
		WITH_STORE(batches_that_were_given_up_leave_nothing_in_it),
		WITH_STORE(checkpoints_between_batches_make_it),
		WITH_STORE(any_flipped_byte_is_found),
		WITH_STORE(the_file_of_a_live_store_is_no_backup),
		WITH_STORE(a_damaged_store_gives_no_backup),
		WITH_STORE(the_store_remembers_how_they_ended),
		WITH_STORE(names_are_checked),
		WITH_STORE(a_close_gives_it_up),
		WITH_STORE(one_wants_its_turn_where_there_is_something_to_do),
		WITH_STORE(one_that_is_whole_when_the_store_is_closed_stays),
		WITH_STORE(what_the_dead_left_is_removed),
		WITH_STORE(those_that_nobody_named_leave_in_time),
		WITH_STORE(
			what_was_made_before_the_clock_was_set_back_leaves_first),
		WITH_STORE(the_newest_that_opens_is_read),
		WITH_STORE(a_full_disk_ends_it_and_ingest_goes_on),
		WITH_STORE(ingest_that_needs_room_gets_that_of_the_backup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
