/*
 * Memory that lives as long as a batch: allocated piece by piece, let go at
 * once. Blocks are kept for the next batch.
 *
 * Threads: an arena belongs to one thread at a time.
 */
#ifndef HOLDFAST_SCHEMA_ARENA_H
#define HOLDFAST_SCHEMA_ARENA_H

#include "schema/slice.h"

#include <stddef.h>

struct arena_block;

struct arena {
	struct arena_block *first;   /* all blocks, kept across resets */
	struct arena_block *current; /* the one being filled */
	size_t used_bytes;	     /* of `current` */
	size_t total_bytes;	     /* handed out since the last reset */
	size_t held_bytes;	     /* of all blocks */
};

#define ARENA_INIT ((struct arena){0})

/* `size` bytes, aligned to 16, contents undefined; NULL when out of memory. */
void *arena_take(struct arena *arena, size_t size);

/* A copy of `bytes`, NUL-terminated behind its end. An absent slice stays
 * absent; out of memory gives an absent one as well. */
struct slice arena_copy(struct arena *arena, struct slice bytes);

/* A text made by printf's rules; NULL when out of memory. */
const char *arena_print(struct arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Forget everything handed out; keeps the memory. */
void arena_reset(struct arena *arena);

/* The same, and free what is beyond `keep_bytes`. */
void arena_shrink(struct arena *arena, size_t keep_bytes);

/* Free everything. A zeroed arena is allowed. */
void arena_finish(struct arena *arena);

#endif
