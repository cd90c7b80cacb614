#include "schema/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_ALIGNMENT 16
/* Some hundred events a block. */
#define ARENA_BLOCK_BYTES ((size_t)256 * 1024)

struct arena_block {
	struct arena_block *next;
	size_t size;
	alignas(ARENA_ALIGNMENT) unsigned char bytes[];
};

/* The block behind `current` if it is large enough, else a new one in its
 * place: were it kept as well, ever larger pieces would leave ever more blocks
 * behind. */
static struct arena_block *next_block(struct arena *arena, size_t size)
{
	struct arena_block **link =
		arena->current == NULL ? &arena->first : &arena->current->next;
	if (*link != NULL && (*link)->size >= size)
		return *link;
	size_t block_size = size > ARENA_BLOCK_BYTES ? size : ARENA_BLOCK_BYTES;
	struct arena_block *block = malloc(sizeof *block + block_size);
	if (block == NULL)
		return NULL;
	struct arena_block *replaced = *link;
	block->size = block_size;
	block->next = replaced == NULL ? NULL : replaced->next;
	arena->held_bytes += block_size;
	arena->held_bytes -= replaced == NULL ? 0 : replaced->size;
	free(replaced);
	*link = block;
	return block;
}

void *arena_take(struct arena *arena, size_t size)
{
	if (size > SIZE_MAX / 2)
		return NULL;
	size = (size + ARENA_ALIGNMENT - 1) & ~(size_t)(ARENA_ALIGNMENT - 1);
	if (arena->current == NULL ||
		arena->current->size - arena->used_bytes < size) {
		struct arena_block *block = next_block(arena, size);
		if (block == NULL)
			return NULL;
		arena->current = block;
		arena->used_bytes = 0;
	}
	void *bytes = arena->current->bytes + arena->used_bytes;
	arena->used_bytes += size;
	arena->total_bytes += size;
	return bytes;
}

struct slice arena_copy(struct arena *arena, struct slice bytes)
{
	if (bytes.data == NULL)
		return bytes;
	char *copy = arena_take(arena, bytes.length + 1);
	if (copy == NULL)
		return (struct slice){NULL, 0};
	if (bytes.length > 0)
		memcpy(copy, bytes.data, bytes.length);
	copy[bytes.length] = '\0';
	return (struct slice){copy, bytes.length};
}

const char *arena_print(struct arena *arena, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	char *text = length < 0 ? NULL : arena_take(arena, (size_t)length + 1);
	if (text == NULL)
		return NULL;
	va_start(arguments, format);
	int printed = vsnprintf(text, (size_t)length + 1, format, arguments);
	va_end(arguments);
	return printed == length ? text : NULL;
}

void arena_reset(struct arena *arena)
{
	arena->current = arena->first;
	arena->used_bytes = 0;
	arena->total_bytes = 0;
}

static void free_blocks(struct arena_block *block)
{
	while (block != NULL) {
		struct arena_block *next = block->next;
		free(block);
		block = next;
	}
}

void arena_shrink(struct arena *arena, size_t keep_bytes)
{
	arena_reset(arena);
	struct arena_block **link = &arena->first;
	size_t kept_bytes = 0;
	while (*link != NULL && (*link)->size <= keep_bytes - kept_bytes) {
		kept_bytes += (*link)->size;
		link = &(*link)->next;
	}
	free_blocks(*link);
	*link = NULL;
	arena->current = arena->first;
	arena->held_bytes = kept_bytes;
}

void arena_finish(struct arena *arena)
{
	free_blocks(arena->first);
	*arena = ARENA_INIT;
}
