#include "tests/walk/shortage.h"

#include "schema/json.h"
#include "tests/walk/shortage_disk.h"
#include "tests/walk/shortage_pieces.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static atomic_long asked, held;
static atomic_long fails_at; /* 0: nothing does */
static atomic_bool for_ever;
static atomic_int counted = SHORTAGE_COUNT; /* which kind */
static _Thread_local bool in_jansson;

const char *shortage_name(enum shortage kind)
{
	static const char *const names[] = {
		"memory", "disk", "files", "pieces", "rooms", "statements"};
	return names[kind];
}

void shortage_begin(enum shortage kind, long n, bool forever)
{
	shortage_pieces_forget();
	asked = 0;
	fails_at = n;
	for_ever = forever;
	counted = (int)kind;
}

long shortage_end(void)
{
	counted = SHORTAGE_COUNT;
	return asked;
}

bool shortage_strikes(enum shortage kind)
{
	if ((int)kind != counted)
		return false;
	long now = ++asked;
	long at = fails_at;
	return at > 0 && (for_ever ? now >= at : now == at);
}

bool shortage_counts(enum shortage kind)
{
	return (int)kind == counted;
}

bool shortage_lasts(enum shortage kind)
{
	return shortage_counts(kind) && for_ever && fails_at > 0 &&
	       asked >= fails_at;
}

bool shortage_is_forever(void)
{
	return for_ever;
}

long shortage_held(void)
{
	return held;
}

static bool no_memory(void)
{
	if (!shortage_strikes(SHORTAGE_MEMORY) &&
		(in_jansson || !shortage_strikes(SHORTAGE_ROOMS)))
		return false;
	errno = ENOMEM;
	return true;
}

static void *taken(void *memory)
{
	held += memory != NULL;
	return memory;
}

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
	return no_memory() ? NULL : taken(__real_malloc(size));
}

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
	return no_memory() ? NULL : taken(__real_calloc(count, size));
}

void *__real_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size)
{
	if (no_memory())
		return NULL;
	void *larger = __real_realloc(memory, size);
	return memory == NULL ? taken(larger) : larger;
}

void __real_free(void *memory);
void __wrap_free(void *memory);
void __wrap_free(void *memory)
{
	held -= memory != NULL;
	__real_free(memory);
}

char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
char *__wrap_strdup(const char *text)
{
	return no_memory() ? NULL : taken(__real_strdup(text));
}

/* These two take memory within the C library. */
FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode)
{
	return no_memory() ? NULL : __real_fopen(path, mode);
}

DIR *__real_opendir(const char *path);
DIR *__wrap_opendir(const char *path);
DIR *__wrap_opendir(const char *path)
{
	return no_memory() ? NULL : __real_opendir(path);
}
/* NOLINTEND(bugprone-reserved-identifier) */

/* SQLite's memory knows its size (sqlite.org/c3ref/mem_methods.html). */
#define SIZE_BYTES 16

static void *sqlite_take(int size)
{
	if (shortage_strikes(SHORTAGE_MEMORY))
		return NULL;
	char *memory = taken(__real_malloc((size_t)size + SIZE_BYTES));
	if (memory == NULL)
		return NULL;
	memcpy(memory, &size, sizeof size);
	return memory + SIZE_BYTES;
}

static void sqlite_give(void *memory)
{
	if (memory != NULL)
		free((char *)memory - SIZE_BYTES);
}

static void *sqlite_resize(void *memory, int size)
{
	if (shortage_strikes(SHORTAGE_MEMORY))
		return NULL;
	char *larger = __real_realloc(
		(char *)memory - SIZE_BYTES, (size_t)size + SIZE_BYTES);
	if (larger == NULL)
		return NULL;
	memcpy(larger, &size, sizeof size);
	return larger + SIZE_BYTES;
}

static int sqlite_size(void *memory)
{
	int size = 0;
	if (memory != NULL)
		memcpy(&size, (char *)memory - SIZE_BYTES, sizeof size);
	return size;
}

static int sqlite_round(int size)
{
	return (size + 7) & ~7;
}

static int sqlite_begin(void *data)
{
	(void)data;
	return SQLITE_OK;
}

static void sqlite_finish(void *data)
{
	(void)data;
}

static json_malloc_t jansson_take; /* of the rooms, which look at it */

static void *take_for_jansson(size_t size)
{
	in_jansson = true;
	void *memory = jansson_take(size);
	in_jansson = false;
	return memory;
}

static void jansson_install(void)
{
	json_free_t give;
	json_process_init();
	json_get_alloc_funcs(&jansson_take, &give);
	json_set_alloc_funcs(take_for_jansson, give);
}

/* Without lookaside each of SQLite's requests comes here. */
void shortage_install(void)
{
	static const sqlite3_mem_methods methods = {sqlite_take, sqlite_give,
		sqlite_resize, sqlite_size, sqlite_round, sqlite_begin,
		sqlite_finish, NULL};
	if (sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) != SQLITE_OK ||
		sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0) != SQLITE_OK ||
		sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) != SQLITE_OK ||
		sqlite3_initialize() != SQLITE_OK)
		abort();
	shortage_disk_install();
	jansson_install();
}
