/* Pieces of memory: what the rooms ask an arena for, the linker leads here. */
#include "tests/walk/shortage_pieces.h"

#include "schema/arena.h"
#include "tests/walk/shortage.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define PLACES_MAX 4096 /* in the code: some 400 ask */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const void *places[PLACES_MAX];
static size_t place_count;

void shortage_pieces_forget(void)
{
	place_count = 0;
}

/* The first request of this place in the code? */
static bool is_new(const void *place)
{
	size_t i = 0;
	(void)pthread_mutex_lock(&lock);
	while (i < place_count && places[i] != place)
		i++;
	bool new = i == place_count;
	if (new &&place_count == PLACES_MAX)
		abort();
	if (new)
		places[place_count++] = place;
	(void)pthread_mutex_unlock(&lock);
	return new;
}

static bool fails(const void *place)
{
	return shortage_lasts(SHORTAGE_PIECES) ||
	       (shortage_counts(SHORTAGE_PIECES) && is_new(place) &&
		       shortage_strikes(SHORTAGE_PIECES));
}

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
void *__real_arena_take(struct arena *arena, size_t size);
void *__wrap_arena_take(struct arena *arena, size_t size);
void *__wrap_arena_take(struct arena *arena, size_t size)
{
	return fails(__builtin_return_address(0))
		       ? NULL
		       : __real_arena_take(arena, size);
}

struct slice __real_arena_copy(struct arena *arena, struct slice bytes);
struct slice __wrap_arena_copy(struct arena *arena, struct slice bytes);
struct slice __wrap_arena_copy(struct arena *arena, struct slice bytes)
{
	return fails(__builtin_return_address(0))
		       ? (struct slice){NULL, 0}
		       : __real_arena_copy(arena, bytes);
}

const char *__wrap_arena_print(struct arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
const char *__wrap_arena_print(struct arena *arena, const char *format, ...)
{
	va_list arguments, again;
	if (fails(__builtin_return_address(0)))
		return NULL;
	va_start(arguments, format);
	va_copy(again, arguments);
	size_t size = 1 + (size_t)vsnprintf(NULL, 0, format, arguments);
	char *text = __real_arena_take(arena, size);
	if (text != NULL)
		(void)vsnprintf(text, size, format, again);
	va_end(again);
	va_end(arguments);
	return text;
}
/* NOLINTEND(bugprone-reserved-identifier) */
