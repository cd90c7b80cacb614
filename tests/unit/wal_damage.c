/* What damage leaves between a file and its WAL: found, or healed. */
#include "store/coherence.h"
#include "store/decisions.h"
#include "store/verify.h"
#include "tests/lib/check.h"
#include "tests/lib/store_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_HEADER_BYTES 24 /* sqlite.org/fileformat2.html, 4.1 */
#define SECTOR_BYTES 512

struct bytes {
	unsigned char *data;
	size_t length;
};

static struct bytes read_file(const char *path)
{
	struct bytes bytes = {NULL, 0};
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	bytes.length = (size_t)ftell(file);
	rewind(file);
	bytes.data = malloc(bytes.length + 1);
	assert_non_null(bytes.data);
	assert_int_equal(
		fread(bytes.data, 1, bytes.length, file), bytes.length);
	(void)fclose(file);
	return bytes;
}

static void write_file(const char *path, struct bytes bytes)
{
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(
		fwrite(bytes.data, 1, bytes.length, file), bytes.length);
	assert_int_equal(fclose(file), 0);
	free(bytes.data);
}

/* A database and its WAL as they are on disk. */
struct image {
	char path[2][PATH_MAX + 8];
	struct bytes bytes[2];
};

static void image_paths(const struct store_rig *rig, struct image *image)
{
	static const char *const suffixes[] = {"", "-wal"};
	for (int i = 0; i < 2; i++)
		(void)snprintf(image->path[i], sizeof image->path[i], "%s%s",
			rig->store->layout.database, suffixes[i]);
}

/* The power fails now: nothing that an orderly end writes. */
static void crash(struct store_rig *rig, struct image *image)
{
	image_paths(rig, image);
	for (int i = 0; i < 2; i++)
		image->bytes[i] = read_file(image->path[i]);
	store_rig_close(rig);
}

static void put_back(const struct image *image)
{
	for (int i = 0; i < 2; i++)
		write_file(image->path[i], image->bytes[i]);
}

static size_t wal_length(const struct store_rig *rig)
{
	struct image image;
	image_paths(rig, &image);
	struct bytes wal = read_file(image.path[1]);
	free(wal.data);
	return wal.length;
}

static void take(struct store_rig *rig, int64_t first, int count)
{
	for (int i = 0; i < count; i++)
		store_rig_take(
			rig, &(struct store_rig_event){.offset = first + i,
				     .key = (unsigned)(first + i) + 1,
				     .id = first + i,
				     .count = 1});
}

/* Two commits, both copied into the file; a bit of the second one's frames
 * flips. Its pages that the first one holds, too, go back, others don't. */
static void damage(struct store_rig *rig)
{
	struct image image;
	store_rig_take(
		rig, &(struct store_rig_event){.reason = REASON_TYPE_MISMATCH});
	size_t before = wal_length(rig);
	take(rig, 1, 1);
	store_rig_tamper(rig, "PRAGMA wal_checkpoint(PASSIVE)");
	crash(rig, &image);
	assert_true(before < image.bytes[1].length);
	image.bytes[1].data[before + FRAME_HEADER_BYTES + 1] ^= 1;
	put_back(&image);
}

static void lost_commits_that_were_copied_refuse_a_start(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	damage(rig);
	assert_int_equal(
		store_open(&rig->store, &rig->options, &fault), FAULT_CORRUPT);
	assert_non_null(strstr(fault.text, "its WAL ends at"));
	assert_null(rig->store);
}

/* As where another start copied what is left since. */
static void keys_ahead_of_their_partition_are_found_by_themselves(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	char path[PATH_MAX + 16];
	sqlite3 *db;
	damage(rig);
	(void)snprintf(
		path, sizeof path, "%s/features.db", rig->directory.path);
	assert_int_equal(sql_open(&db, path, SQL_READ, 0, &fault), 0);
	assert_int_equal(coherence_check(db, &fault), FAULT_CORRUPT);
	assert_non_null(strstr(fault.text, "not taken"));
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void hold(struct store_rig *rig, const char *feature)
{
	const struct decision decision = {.at_us = 1,
		.who = "somebody",
		.what = "hold",
		.target = feature,
		.because = "of a test"};
	assert_int_equal(store_hold(rig->store, "account", feature, CHOICE_FAIL,
				 &decision, NULL),
		0);
}

/* Where no record came since the WAL was begun, no key tells. */
static void lost_decisions_that_were_copied_refuse_a_start(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct image image;
	hold(rig, "count");
	size_t before = wal_length(rig);
	hold(rig, "label");
	store_rig_tamper(rig, "PRAGMA wal_checkpoint(PASSIVE)");
	crash(rig, &image);
	assert_true(before < image.bytes[1].length);
	image.bytes[1].data[before + FRAME_HEADER_BYTES + 1] ^= 1;
	put_back(&image);
	assert_int_equal(
		store_open(&rig->store, &rig->options, &fault), FAULT_CORRUPT);
	assert_non_null(strstr(fault.text, "its WAL ends at"));
}

static void lost_commits_that_were_not_copied_start(void **state)
{
	struct store_rig *rig = *state;
	struct image image;
	take(rig, 0, 1);
	size_t before = wal_length(rig);
	take(rig, 1, 1);
	crash(rig, &image);
	image.bytes[1].data[before + FRAME_HEADER_BYTES + 1] ^= 1;
	put_back(&image);
	store_rig_open(rig);
	assert_int_equal(store_rig_partition(rig, 0)->accounts.next_offset, 1);
}

static void verify_finds_lost_commits_that_were_copied(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct verify_report report;
	struct reader *reader;
	bool rows = false, keys = false;
	damage(rig);
	assert_int_equal(
		reader_open(&reader, rig->directory.path, 0, &fault), 0);
	assert_int_equal(
		reader_verify(reader, &rig->arena, &report, &fault), 0);
	for (int64_t i = 0; i < report.problem_count; i++) {
		rows |= strstr(report.problems[i], "view account: a row of") !=
			NULL;
		keys |= strstr(report.problems[i], "table _key: 1 keys") !=
			NULL;
	}
	assert_true(rows);
	assert_true(keys);
	reader_close(reader);
}

static void a_first_page_that_only_the_wal_holds_is_no_stranger(void **state)
{
	struct store_rig *rig = *state;
	struct image image;
	take(rig, 0, 200); /* the file grows, which the page tells */
	crash(rig, &image);
	memset(image.bytes[0].data, 0xa5, SECTOR_BYTES);
	put_back(&image);
	store_rig_open(rig);
	assert_int_equal(
		store_rig_partition(rig, 0)->accounts.next_offset, 200);
}

static void put_big_endian(unsigned char *at, size_t number)
{
	for (int i = 3; i >= 0; i--, number >>= 8)
		at[i] = (unsigned char)number;
}

/* A journal with the first page in it, as sqlite.org/fileformat2.html, 3,
 * describes it: a head of one sector, the page's number, the page, the sum of
 * some of its bytes. */
static struct bytes journal_of(struct bytes file)
{
	static const unsigned char magic[] = {
		0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};
	size_t page = (size_t)file.data[16] << 8 | file.data[17], sum = 0;
	struct bytes journal = {calloc(1, SECTOR_BYTES + 4 + page + 4), 0};
	assert_non_null(journal.data);
	memcpy(journal.data, magic, sizeof magic);
	put_big_endian(journal.data + 8, 1); /* pages; no nonce */
	put_big_endian(journal.data + 16, file.length / page);
	put_big_endian(journal.data + 20, SECTOR_BYTES);
	put_big_endian(journal.data + 24, page);
	put_big_endian(journal.data + SECTOR_BYTES, 1);
	memcpy(journal.data + SECTOR_BYTES + 4, file.data, page);
	for (size_t at = page - 200; at > 0 && at < page; at -= 200)
		sum += file.data[at];
	put_big_endian(journal.data + SECTOR_BYTES + 4 + page, sum);
	journal.length = SECTOR_BYTES + 4 + page + 4;
	return journal;
}

/* Before it has a WAL, a store is made with such a journal. */
static void a_first_page_that_only_a_journal_holds_is_no_stranger(void **state)
{
	struct store_rig *rig = *state;
	struct image image;
	char journal[PATH_MAX + 16];
	take(rig, 0, 1);
	image_paths(rig, &image);
	(void)snprintf(journal, sizeof journal, "%s-journal", image.path[0]);
	store_rig_close(rig);
	struct bytes file = read_file(image.path[0]);
	write_file(journal, journal_of(file));
	memset(file.data, 0xa5, SECTOR_BYTES);
	write_file(image.path[0], file);
	store_rig_open(rig);
	assert_int_equal(store_rig_partition(rig, 0)->accounts.next_offset, 1);
}

static void a_first_page_that_nobody_holds_is_refused(void **state)
{
	struct store_rig *rig = *state;
	struct fault fault = {0};
	struct image image;
	take(rig, 0, 1); /* nothing grows */
	crash(rig, &image);
	memset(image.bytes[0].data, 0xa5, SECTOR_BYTES);
	put_back(&image);
	int rc = store_open(&rig->store, &rig->options, &fault);
	assert_true(rc == FAULT_REFUSED || rc == FAULT_CORRUPT);
	assert_null(rig->store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(lost_commits_that_were_copied_refuse_a_start),
		WITH_STORE(
			keys_ahead_of_their_partition_are_found_by_themselves),
		WITH_STORE(lost_decisions_that_were_copied_refuse_a_start),
		WITH_STORE(lost_commits_that_were_not_copied_start),
		WITH_STORE(verify_finds_lost_commits_that_were_copied),
		WITH_STORE(a_first_page_that_only_the_wal_holds_is_no_stranger),
		WITH_STORE(
			a_first_page_that_only_a_journal_holds_is_no_stranger),
		WITH_STORE(a_first_page_that_nobody_holds_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
