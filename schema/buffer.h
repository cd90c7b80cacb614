/*
 * Bytes that grow at the end, in an arena. Out of memory is remembered: later
 * calls do nothing, and one look at `failed` at the end is enough.
 */
#ifndef HOLDFAST_SCHEMA_BUFFER_H
#define HOLDFAST_SCHEMA_BUFFER_H

#include "schema/arena.h"
#include "schema/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer {
	struct arena *arena;
	unsigned char *data;
	size_t length, capacity;
	bool failed;
};

#define BUFFER_INIT(in_arena) ((struct buffer){.arena = (in_arena)})

/* Append. Numbers are little-endian; a slice has its length, 32 bits, before
 * it, so that no two sequences of slices give the same bytes. */
void buffer_bytes(struct buffer *buffer, const void *bytes, size_t length);
void buffer_byte(struct buffer *buffer, unsigned char byte);
void buffer_u32(struct buffer *buffer, uint32_t number);
void buffer_u64(struct buffer *buffer, uint64_t number);
void buffer_slice(struct buffer *buffer, struct slice bytes);

/* Append text as it stands, without NUL: a C string, or printf's rules. */
void buffer_text(struct buffer *buffer, const char *text);
void buffer_print(struct buffer *buffer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Room for `length` more bytes behind the end, for the caller to fill and to
 * count into buffer->length; NULL when out of memory. Borrowed until the next
 * append. */
char *buffer_room(struct buffer *buffer, size_t length);

/* What was appended so far; borrowed until the next append. */
struct slice buffer_content(const struct buffer *buffer);

#endif
