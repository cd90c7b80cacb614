/* A page in another's place: SQLite finds a row, whole, which is not the one
 * that was asked for. */
#include "store/reader.h"
#include "tests/lib/check.h"
#include "tests/lib/event_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTITIES 12 /* of 400 bytes and more: two leaves beneath a root */
#define OWN_BYTES 400
#define PAGE 4096
#define INDEX_LEAF 10 /* sqlite.org/fileformat2.html, 1.6 */
#define FILE_BYTES_MAX (64 * PAGE)

static const char schema[] =
	"{'views': {'card': {'entity': {'id': 'string'}, 'features': {"
	" 'own': {'type': 'string'}}}}, 'sources': {'log': {}}}";

static void own_of(int entity, char own[OWN_BYTES + 1])
{
	int used = snprintf(own, OWN_BYTES, "own %d.", entity);
	memset(own + used, 'x', OWN_BYTES - (size_t)used);
	own[OWN_BYTES] = '\0';
}

static void take_all(struct event_store *store)
{
	for (int i = 0; i < ENTITIES; i++) {
		char own[OWN_BYTES + 1], event[OWN_BYTES + 256];
		own_of(i, own);
		snprintf(event, sizeof event,
			"{'id': '%d', 'view': 'card', 'entity': {'id': 'e%d'},"
			" 'event_time': '2026-01-02T03:04:05Z',"
			" 'features': {'own': '%s'}}",
			i, i, own);
		event_store_take(store, "log", event);
	}
}

/* The first or the last leaf where `text` is: what rows were on before they
 * moved, holds them, too. */
static unsigned char *leaf_with(
	unsigned char *file, size_t size, const char *text, bool last)
{
	unsigned char *found = NULL;
	for (size_t at = PAGE; at + PAGE <= size; at += PAGE)
		if ((found == NULL || last) && file[at] == INDEX_LEAF &&
			memmem(file + at, PAGE, text, strlen(text)) != NULL)
			found = file + at;
	assert_non_null(found);
	return found;
}

/* The last leaf stands where the first one should. */
static void misplace(const char *path)
{
	static unsigned char bytes[FILE_BYTES_MAX];
	FILE *file = fopen(path, "r+b");
	assert_non_null(file);
	size_t size = fread(bytes, 1, sizeof bytes, file);
	assert_in_range(size, PAGE, sizeof bytes - 1);
	unsigned char *first = leaf_with(bytes, size, "own 0.", false);
	unsigned char *last = leaf_with(bytes, size, "own 9.", true);
	assert_ptr_not_equal(first, last);
	memcpy(first, last, PAGE);
	rewind(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

/* 1: found, and its own. 0: not there. */
static int look_up(struct reader *reader, int entity)
{
	struct arena arena = ARENA_INIT;
	struct fault fault = {0};
	struct row row;
	char key[16], own[OWN_BYTES + 1];
	snprintf(key, sizeof key, "e%d", entity);
	own_of(entity, own);
	const struct value id = {.state = VALUE_SET, .as.bytes = slice_of(key)};
	int rc = reader_get(reader, reader_schema(reader)->views, &id, &arena,
		&row, &fault);
	if (rc == 1)
		assert_true(slice_equal(
			row.cells[0].value.as.bytes, slice_of(own)));
	arena_finish(&arena);
	return rc;
}

static void another_row_than_the_one_asked_for_is_refused(void **state)
{
	struct event_store store;
	struct fault fault = {0};
	struct reader *reader = NULL;
	int refused = 0;
	(void)state;
	event_store_make(&store, schema);
	take_all(&store);
	store_close(store.store); /* all of it is in the file */
	store.store = NULL;
	misplace(directory_entry(&store.directory, "features.db").path);
	assert_int_equal(
		reader_open(&reader, store.directory.path, 0, &fault), 0);
	for (int i = 0; i < ENTITIES; i++)
		refused += look_up(reader, i) == FAULT_CORRUPT;
	assert_true(refused > 0);
	reader_close(reader);
	event_store_remove(&store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_row_than_the_one_asked_for_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
