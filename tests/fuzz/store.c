/*
 * A damaged store: read, verified, written.
 *
 * An input is lines of damage (tests/fuzz/store_image.h), and lines that say
 * who meets it; otherwise a reader that is open already does. That one goes by
 * the WAL's index, not by the WAL's checksums, and does not meet what became of
 * SQLite's own table of tables:
 *
 *     v               the reader verifies, too
 *     o               one that opens it and verifies
 *     t               that, a writer that takes more, and such a reader of it
 *
 * Whatever is damaged: a row that is read is one that this entity had at some
 * time (pages keep rows that were written over: a bit in a list of cells brings
 * one back). And where only bits were flipped, what `verify` finds nothing
 * wrong with is the store after its first so many records, nothing missing.
 */
#include "store/verify.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/store_image.h"
#include "tests/lib/event_store.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENTITIES 12 /* on two pages and beneath their parent */
#define ROUNDS 2    /* each entity is written so often: all in one commit */
#define ROUND_RECORDS (ENTITIES + 2)
#define OWN_BYTES 300
#define LONG_OWN_BYTES 6000 /* of the first entity: on pages of its own */
#define LINES_MAX 16
#define CHECK_EVERY 1024 /* inputs: what was undone is as it was */
/* The WAL's index begins with two copies of this (sqlite.org/walformat.html,
 * 2.1.1). */
#define INDEX_HEADER 48
#define INDEX_SUMMED 40 /* of it, by its last 8 bytes */
#define INDEX_CHANGES 8 /* counted there; a new count empties caches */

/* `own` begins with the entity's key, `n` is how often it was written. */
static const char schema_text[] =
	"{'views': {'card': {'entity': {'id': 'string'}, 'features': {"
	"  'own': {'type': 'string', 'max_length': 6000},"
	"  'n': {'type': 'int64', 'merge': 'sum'}}}},"
	"'sources': {'log': {}}}";

static struct store_image image;
static struct schema *schema;
static struct arena arena;
static char own[ENTITIES][LONG_OWN_BYTES + 1];

/* A file as it was put last: it differs from the good one within [from, to),
 * ends cut off apart. Closing it would drop SQLite's locks on it. */
struct copy {
	int fd;
	size_t size, from, to;
};

/* A store's directory. */
struct home {
	struct directory directory;
	struct copy file, wal;
	struct reader *reader; /* one that stays open */
	int index_file;
	unsigned char *index; /* the WAL's, as SQLite maps it */
};

static struct home kept;

struct who {
	bool verifies, opens, takes;
};

static void make_own(void)
{
	for (int i = 0; i < ENTITIES; i++) {
		size_t length = i == 0 ? LONG_OWN_BYTES : OWN_BYTES;
		int used = snprintf(own[i], sizeof own[i], "e%d.", i);
		memset(own[i] + used, 'a' + i, length - (size_t)used);
	}
}

/* One of ROUND_RECORDS: an entity each, a delete, and one that is dead. */
static const char *record_text(int64_t round, int number)
{
	static char text[LONG_OWN_BYTES + 256];
	if (number < ENTITIES)
		(void)snprintf(text, sizeof text,
			"{\"id\": \"%d.%d\", \"view\": \"card\", \"entity\":"
			" {\"id\": \"e%d\"}, \"event_time\":"
			" \"2026-01-02T03:04:05Z\", \"features\":"
			" {\"own\": \"%.*s\", \"n\": 1}}",
			(int)round, number, number, LONG_OWN_BYTES,
			own[number]);
	else if (number == ENTITIES)
		(void)snprintf(text, sizeof text,
			"{\"id\": \"%d.gone\", \"view\": \"card\", \"entity\":"
			" {\"id\": \"gone\"}, \"event_time\":"
			" \"2026-01-02T03:04:05Z\", \"op\": \"delete\"}",
			(int)round);
	else
		(void)snprintf(text, sizeof text, "no JSON %d", (int)round);
	return text;
}

/* The next round, as ingest would take it, in one batch. */
static int take_round(struct store *store, struct fault *fault)
{
	const struct store_partition *partition = NULL;
	struct decoder decoder = {.schema = store_schema(store),
		.value_bytes_max = VALUE_BYTES_MAX,
		.depth_max = DEPTH_MAX,
		.max_skew_us = MAX_SKEW_US};
	const struct source_schema *source =
		schema_source(decoder.schema, "log");
	struct store_record records[ROUND_RECORDS];
	const struct store_batch batch = {
		.records = records, .record_count = ROUND_RECORDS};
	if (source == NULL)
		return FAULT_CORRUPT;
	int rc = store_partition(store, "log", 0, 0, &partition, fault);
	memcpy(decoder.secret, store_secret(store), SECRET_BYTES);
	int64_t next = rc < 0 ? 0 : partition->accounts.next_offset;
	for (int i = 0; rc == 0 && i < ROUND_RECORDS; i++) {
		const char *text = record_text(next / ROUND_RECORDS, i);
		records[i] = (struct store_record){
			.record = {.log = &partition->log,
				.offset = next + i,
				.next_offset = next + i + 1,
				.timestamp_us = event_store_now_us(),
				.value = arena_copy(&arena, slice_of(text))}};
		rc = decode_record(&decoder, source, &records[i].record, &arena,
			&records[i].decoded, fault);
	}
	return rc < 0 ? rc : store_apply(store, &batch, NULL, fault);
}

static int open_file(const struct home *home, const char *name)
{
	int fd = open(directory_entry(&home->directory, name).path,
		O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	must(fd >= 0, "a file");
	return fd;
}

static struct home home_make(void)
{
	struct home home = {.index_file = -1};
	directory_make(&home.directory);
	must(mkdir(directory_entry(&home.directory, "generations").path,
		     0750) == 0,
		"a directory");
	must(symlink("generations/g1.db",
		     directory_entry(&home.directory, "features.db").path) == 0,
		"a link");
	home.file.fd = open_file(&home, "generations/g1.db");
	home.wal.fd = open_file(&home, "generations/g1.db-wal");
	return home;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* [from, to) and [more, end) and what lies between; nothing where to is 0. */
static void widen(size_t *from, size_t *to, size_t more, size_t end)
{
	if (end == 0)
		return;
	*from = *to == 0 ? more : least(*from, more);
	*to = *to < end ? end : *to;
}

/* What differs from the good one, now or before. */
static void put_image(const struct image *there, struct copy *copy)
{
	size_t from = copy->from, to = copy->to;
	widen(&from, &to, there->from, there->to);
	if (copy->size < there->size) /* what was cut off comes back */
		widen(&from, &to, copy->size, there->size);
	else if (copy->size > there->size)
		must(ftruncate(copy->fd, (off_t)there->size) == 0, "an end");
	to = least(to, there->size);
	if (from < to)
		must(pwrite(copy->fd, there->bytes + from, to - from,
			     (off_t)from) == (ssize_t)(to - from),
			"room");
	*copy = (struct copy){copy->fd, there->size, there->from, there->to};
}

/* What SQLite keeps of pages in memory is no longer so. */
static void tell_change(unsigned char *index)
{
	uint32_t changes, sum[2] = {0, 0};
	memcpy(&changes, index + INDEX_CHANGES, sizeof changes);
	changes++;
	memcpy(index + INDEX_CHANGES, &changes, sizeof changes);
	store_image_sum(sum, index, INDEX_SUMMED);
	memcpy(index + INDEX_SUMMED, sum, sizeof sum);
	memcpy(index + INDEX_HEADER, index, INDEX_HEADER);
}

static void home_put(struct home *home)
{
	put_image(&image.file, &home->file);
	put_image(&image.wal, &home->wal);
	if (home->index != NULL)
		tell_change(home->index);
}

static void home_close_reader(struct home *home)
{
	reader_close(home->reader);
	home->reader = NULL;
	if (home->index == NULL)
		return;
	(void)munmap(home->index, 2 * INDEX_HEADER);
	(void)close(home->index_file);
	home->index = NULL;
}

static struct reader *open_reader(struct home *home)
{
	struct fault fault = {0};
	struct reader *reader = NULL;
	int rc = reader_open(&reader, home->directory.path, 0, &fault);
	must((rc == 0) == (reader != NULL), "a reader, or none");
	must(rc <= 0 && (rc == 0 || fault.text[0] != '\0'), "a reason");
	return reader;
}

/* One that stays open, on the store as it was. */
static void home_open_reader(struct home *home)
{
	store_image_restore(&image);
	home_put(home);
	home->reader = open_reader(home);
	must(home->reader != NULL, "a reader of a good store");
	reader_keep(home->reader, true);
	home->index_file = open_file(home, "generations/g1.db-shm");
	void *index = mmap(NULL, 2 * INDEX_HEADER, PROT_READ | PROT_WRITE,
		MAP_SHARED, home->index_file, 0);
	must(index != MAP_FAILED, "the WAL's index in memory");
	home->index = index;
}

static void home_remove(struct home *home)
{
	home_close_reader(home);
	(void)close(home->file.fd);
	(void)close(home->wal.fd);
	directory_remove(&home->directory);
}

/* Only what that entity once was. How often it was written; 0: it is not there,
 * or refused. */
static int64_t look_up(struct reader *reader, int number)
{
	const struct view *view =
		schema_view(reader_schema(reader), slice_of("card"));
	char key[16] = "gone";
	if (number < ENTITIES)
		(void)snprintf(key, sizeof key, "e%d", number);
	const struct value entity = {
		.state = VALUE_SET, .as.bytes = slice_of(key)};
	struct row row;
	if (view == NULL || view->key_count != 1 || view->feature_count != 2 ||
		reader_get(reader, view, &entity, &arena, &row, NULL) != 1)
		return 0;
	const struct value *text = &row.cells[0].value;
	const struct value *n = &row.cells[1].value;
	must(number < ENTITIES, "what was deleted is gone");
	must(text->state == VALUE_SET &&
			slice_equal(text->as.bytes, slice_of(own[number])),
		"the entity's own feature");
	must(n->state == VALUE_SET && n->as.integer >= 1 &&
			n->as.integer <= ROUNDS + 1,
		"a number that it had");
	return n->as.integer;
}

/* Nothing is wrong with it: it is the store after some rounds. */
static void must_be_whole(struct reader *reader, const int64_t held[ENTITIES])
{
	struct fault fault = {0};
	struct reader_status status;
	int rc = reader_status(reader, &arena, &status, &fault);
	must(rc == 0, rc == 0 ? "a status" : fault.text);
	must(status.partition_count == 1, "its partition");
	int64_t next = status.partitions[0].accounts.next_offset;
	must(next % ROUND_RECORDS == 0, "whole batches");
	for (int i = 0; i < ENTITIES; i++)
		must(held[i] == next / ROUND_RECORDS,
			"each row as of the last batch, or a finding");
}

static bool is_whole(struct reader *reader)
{
	struct fault fault = {0};
	struct verify_report report;
	int rc = reader_verify(reader, &arena, &report, &fault);
	must(rc <= 0 && (rc < 0 || report.problem_count >= 0), "a report");
	return rc == 0 && report.problem_count == 0;
}

static void read_store(struct reader *reader, bool verifies)
{
	int64_t held[ENTITIES];
	for (int i = 0; i < ENTITIES; i++)
		held[i] = look_up(reader, i);
	(void)look_up(reader, ENTITIES);
	if (verifies && is_whole(reader) && !image.moved)
		must_be_whole(reader, held);
}

static void open_and_read(struct home *home)
{
	struct reader *reader = open_reader(home);
	if (reader != NULL)
		read_store(reader, true);
	reader_close(reader);
}

static void write_store(const char *path)
{
	struct fault fault = {0};
	struct store_options options = store_options_default();
	struct store *store = NULL;
	options.path = path;
	options.schema = schema;
	options.ballast_bytes = 0;
	options.busy_timeout_ms = 0;
	int rc = store_open(&store, &options, &fault);
	must((rc == 0) == (store != NULL), "a store, or none");
	must(rc <= 0 && (rc == 0 || fault.text[0] != '\0'), "a reason");
	if (store != NULL)
		(void)take_round(store, &fault);
	store_close(store);
}

/* In a directory of its own, which nothing else has open. */
static void take_in(void)
{
	struct home home = home_make();
	home_put(&home);
	(void)close(home.file.fd);
	(void)close(home.wal.fd);
	open_and_read(&home);
	write_store(home.directory.path);
	open_and_read(&home);
	directory_remove(&home.directory);
}

/* One that was open before, and stays so. */
static void read_kept(bool verifies)
{
	home_put(&kept);
	read_store(kept.reader, verifies);
	reader_rest(kept.reader);
}

static void read_anew(void)
{
	home_close_reader(&kept);
	home_put(&kept);
	open_and_read(&kept);
}

static void finish(void)
{
	home_remove(&kept);
	store_image_free(&image);
	schema_free(schema);
	arena_finish(&arena);
}

/* A clean stop puts all into the file. */
static struct store *start_again(struct store *store, const char *path)
{
	store_close(store);
	struct fault fault = {0};
	struct store_options options = store_options_default();
	options.path = path;
	must(store_open(&store, &options, &fault) == 0, "a store");
	return store;
}

/* One round is in the file, the rest in the WAL. */
static void make_image(void)
{
	struct event_store store;
	struct fault fault = {0};
	event_store_make(&store, schema_text);
	must(take_round(store.store, &fault) == 0, "a round");
	store.store = start_again(store.store, store.directory.path);
	for (int round = 1; round < ROUNDS; round++)
		must(take_round(store.store, &fault) == 0, "a round");
	store_image_read(&image,
		directory_entry(&store.directory, "generations/g1.db").path);
	schema = store.schema;
	store.schema = NULL;
	event_store_remove(&store);
}

void fuzz_start(void)
{
	/* One thread, and nobody asks how much memory: a tenth of the time. */
	must(sqlite3_config(SQLITE_CONFIG_SINGLETHREAD) == SQLITE_OK &&
			sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) == SQLITE_OK,
		"SQLite's settings");
	make_own();
	make_image();
	kept = home_make();
	(void)atexit(finish);
}

static struct who damage_all(struct slice rest)
{
	struct who who = {false, false, false};
	store_image_restore(&image);
	for (int i = 0; i < LINES_MAX && rest.length > 0; i++) {
		struct slice line = input_cut(&rest, "\n");
		store_image_damage(&image, line);
		who.verifies |= line.length > 0 && line.data[0] == 'v';
		who.opens |= line.length > 0 && line.data[0] == 'o';
		who.takes |= line.length > 0 && line.data[0] == 't';
	}
	who.opens |= who.takes;
	if (who.opens)
		store_image_settle(&image);
	else
		store_image_mend_schema(&image);
	return who;
}

/* A reader that met damage answers all again when it is undone. */
static void check_kept(void)
{
	static int inputs;
	if (inputs++ % CHECK_EVERY != 0)
		return;
	store_image_restore(&image);
	home_put(&kept);
	must(is_whole(kept.reader), "a good store is good");
	reader_rest(kept.reader);
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct slice input = input_copy(data, size);
	arena_reset(&arena);
	if (kept.reader == NULL)
		home_open_reader(&kept);
	check_kept();
	struct who who = damage_all(input);
	if (who.takes)
		take_in();
	else if (who.opens)
		read_anew();
	else
		read_kept(who.verifies);
	free((void *)(uintptr_t)input.data);
}
