/*
 * A damaged store: opened, read, verified, written.
 *
 * An input is lines of damage, done to a good store's file and its WAL:
 *
 *     f AT BITS     flip BITS (hexadecimal) of the byte AT of the file
 *     w AT BITS     the same of the WAL
 *     p FROM TO     page FROM of the file stands at TO, too
 *     q FROM TO     the same of the WAL's frames
 *     F SIZE        the file ends there
 *     W SIZE        the same of the WAL
 *
 * Numbers are taken modulo what there is. Whatever is damaged: a row that is
 * read is one that the store held at some time.
 */
#include "store/verify.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"
#include "tests/lib/event_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENTITIES 24
#define ROUNDS 3 /* each entity is written so often */
#define PAGE 4096
#define FRAME (PAGE + 24) /* sqlite.org/fileformat2.html, 4.1 */
#define WAL_HEADER 32
#define LINES_MAX 16

/* `own` is the entity's key, `n` how often it was written. */
static const char schema_text[] =
	"{'views': {'card': {'entity': {'id': 'string'}, 'features': {"
	"  'own': {'type': 'string'},"
	"  'n': {'type': 'int64', 'merge': 'sum'}}}},"
	"'sources': {'log': {}}}";

struct image {
	unsigned char *bytes;
	size_t size;
	char path[DIRECTORY_PATH_MAX + 32];
};

static struct directory home;
static struct schema *schema;
static struct image file, wal; /* as they were */
static struct image damaged_file, damaged_wal;
static struct arena arena;

static void read_image(struct image *image, const char *path)
{
	FILE *from = fopen(path, "rbe");
	must(from != NULL && fseek(from, 0, SEEK_END) == 0, "a file");
	image->size = (size_t)ftell(from);
	rewind(from);
	image->bytes = malloc(image->size + 1);
	must(image->bytes != NULL, "memory");
	must(fread(image->bytes, 1, image->size, from) == image->size, "read");
	(void)fclose(from);
}

static void write_image(const struct image *image)
{
	FILE *to = fopen(image->path, "wbe");
	must(to != NULL, "a file to write");
	must(fwrite(image->bytes, 1, image->size, to) == image->size, "room");
	must(fclose(to) == 0, "room");
}

static void take_round(struct event_store *store, int round)
{
	for (int i = 0; i < ENTITIES; i++) {
		char event[256];
		(void)snprintf(event, sizeof event,
			"{'id': '%d.%d', 'view': 'card', 'entity': {'id':"
			" 'e%d'}, 'event_time': '2026-01-02T03:04:05Z',"
			" 'features': {'own': 'e%d', 'n': 1}}",
			round, i, i, i);
		event_store_take(store, "log", event);
	}
}

static void finish(void)
{
	schema_free(schema);
	arena_finish(&arena);
	free(file.bytes);
	free(wal.bytes);
	free(damaged_file.bytes);
	free(damaged_wal.bytes);
}

/* A part of the store is in the file, the rest in the WAL. */
void fuzz_start(void)
{
	struct event_store store;
	struct fault fault = {0};
	char path[DIRECTORY_PATH_MAX + 32], wal_path[DIRECTORY_PATH_MAX + 40];
	event_store_make(&store, schema_text);
	take_round(&store, 0);
	must(store_checkpoint(store.store, true, &fault) == 0, "a checkpoint");
	for (int round = 1; round < ROUNDS; round++)
		take_round(&store, round);
	event_store_mark(&store, "log", event_store_now_us());
	(void)snprintf(path, sizeof path, "%s/generations/g1.db",
		store.directory.path);
	read_image(&file, path);
	read_image(&damaged_file, path);
	(void)snprintf(wal_path, sizeof wal_path, "%s-wal", path);
	read_image(&wal, wal_path);
	read_image(&damaged_wal, wal_path);
	must(wal.size > WAL_HEADER + FRAME, "a WAL");
	schema = store.schema;
	store.schema = NULL;
	event_store_remove(&store);
	(void)atexit(finish);
}

/* A directory with the damaged store, and nothing else. */
static void make_home(void)
{
	struct directory folder;
	directory_make(&home);
	folder = directory_entry(&home, "generations");
	must(mkdir(folder.path, 0750) == 0, "a directory");
	must(symlink("generations/g1.db",
		     directory_entry(&home, "features.db").path) == 0,
		"a link");
	(void)snprintf(damaged_file.path, sizeof damaged_file.path, "%s/g1.db",
		folder.path);
	(void)snprintf(damaged_wal.path, sizeof damaged_wal.path,
		"%s/g1.db-wal", folder.path);
	write_image(&damaged_file);
	write_image(&damaged_wal);
}

static void flip(struct image *image, unsigned long at, unsigned long bits)
{
	if (image->size > 0)
		image->bytes[at % image->size] ^= (unsigned char)bits;
}

/* Blocks of `size` behind the first `header` bytes. */
static void copy(struct image *image, size_t header, size_t size,
	unsigned long numbers[2])
{
	size_t count = image->size > header ? (image->size - header) / size : 0;
	if (count > 0)
		memmove(image->bytes + header + numbers[1] % count * size,
			image->bytes + header + numbers[0] % count * size,
			size);
}

static void damage(struct slice line)
{
	char text[64] = "";
	unsigned long numbers[2] = {0, 0};
	char *end;
	memcpy(text, line.data,
		line.length < sizeof text ? line.length : sizeof text - 1);
	bool flips = text[0] == 'f' || text[0] == 'w';
	numbers[0] = strtoul(text + (text[0] != '\0'), &end, 10);
	numbers[1] = strtoul(end, NULL, flips ? 16 : 10);
	if (text[0] == 'f')
		flip(&damaged_file, numbers[0], numbers[1]);
	else if (text[0] == 'w')
		flip(&damaged_wal, numbers[0], numbers[1]);
	else if (text[0] == 'p')
		copy(&damaged_file, 0, PAGE, numbers);
	else if (text[0] == 'q')
		copy(&damaged_wal, WAL_HEADER, FRAME, numbers);
	else if (text[0] == 'F')
		damaged_file.size = numbers[0] % (file.size + 1);
	else if (text[0] == 'W')
		damaged_wal.size = numbers[0] % (wal.size + 1);
}

static void damage_all(struct slice rest)
{
	memcpy(damaged_file.bytes, file.bytes, file.size);
	memcpy(damaged_wal.bytes, wal.bytes, wal.size);
	damaged_file.size = file.size;
	damaged_wal.size = wal.size;
	for (int i = 0; i < LINES_MAX && rest.length > 0; i++)
		damage(input_cut(&rest, "\n"));
}

/* Only what that entity once was. */
static void look_up(struct reader *reader, int number, int64_t most)
{
	const struct view *view =
		schema_view(reader_schema(reader), slice_of("card"));
	char key[16];
	(void)snprintf(key, sizeof key, "e%d", number);
	const struct value entity = {
		.state = VALUE_SET, .as.bytes = slice_of(key)};
	struct row row;
	if (view == NULL || view->key_count != 1 || view->feature_count != 2 ||
		reader_get(reader, view, &entity, &arena, &row, NULL) != 1)
		return;
	const struct value *own = &row.cells[0].value;
	const struct value *n = &row.cells[1].value;
	must(own->state == VALUE_SET &&
			slice_equal(own->as.bytes, slice_of(key)),
		"the entity's own feature");
	must(n->state == VALUE_SET && n->as.integer >= 1 &&
			n->as.integer <= most,
		"a number that it had");
}

static void read_store(int64_t most)
{
	struct fault fault = {0};
	struct reader *reader = NULL;
	struct verify_report report;
	struct reader_status status;
	int rc = reader_open(&reader, home.path, 0, &fault);
	must((rc == 0) == (reader != NULL), "a reader, or none");
	must(rc <= 0 && (rc == 0 || fault.text[0] != '\0'), "a reason");
	for (int i = 0; reader != NULL && i < ENTITIES; i++)
		look_up(reader, i, most);
	if (reader != NULL) {
		(void)reader_status(reader, &arena, &status, &fault);
		rc = reader_verify(reader, &arena, &report, &fault);
		must(rc <= 0 && (rc < 0 || report.problem_count >= 0),
			"a report");
	}
	reader_close(reader);
}

/* The next record, as ingest would take it. */
static void take_more(struct store *store)
{
	struct fault fault = {0};
	const struct store_partition *partition = NULL;
	struct decoder decoder = {.schema = store_schema(store),
		.value_bytes_max = VALUE_BYTES_MAX,
		.depth_max = DEPTH_MAX,
		.max_skew_us = MAX_SKEW_US};
	const struct source_schema *source =
		schema_source(decoder.schema, "log");
	if (source == NULL ||
		store_partition(store, "log", 0, 0, &partition, &fault) < 0)
		return;
	memcpy(decoder.secret, store_secret(store), SECRET_BYTES);
	int64_t next = partition->accounts.next_offset;
	struct store_record record = {
		.record = {.log = &partition->log,
			.offset = next,
			.next_offset = next + 1,
			.timestamp_us = event_store_now_us(),
			.value = slice_of(
				"{\"id\": \"more\", \"view\": \"card\","
				" \"entity\": {\"id\": \"e1\"}, \"features\":"
				" {\"own\": \"e1\", \"n\": 1}}")}};
	const struct store_batch batch = {
		.records = &record, .record_count = 1};
	if (decode_record(&decoder, source, &record.record, &arena,
		    &record.decoded, &fault) == 0)
		(void)store_apply(store, &batch, NULL, &fault);
}

static void write_store(void)
{
	struct fault fault = {0};
	struct store_options options = store_options_default();
	struct store *store = NULL;
	options.path = home.path;
	options.schema = schema;
	options.ballast_bytes = 0;
	options.busy_timeout_ms = 0;
	int rc = store_open(&store, &options, &fault);
	must((rc == 0) == (store != NULL), "a store, or none");
	must(rc <= 0 && (rc == 0 || fault.text[0] != '\0'), "a reason");
	if (store != NULL)
		take_more(store);
	store_close(store);
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct slice input = input_copy(data, size);
	arena_reset(&arena);
	damage_all(input);
	make_home();
	read_store(ROUNDS);
	write_store();
	read_store(ROUNDS + 1);
	directory_remove(&home);
	free((void *)(uintptr_t)input.data);
}
