#include "schema/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BUFFER_BYTES_FIRST 1024 /* an event's canonical bytes, usually */

static bool grow(struct buffer *buffer, size_t length)
{
	size_t needed = buffer->length + length;
	if (buffer->failed || needed < length) {
		buffer->failed = true;
		return false;
	}
	size_t capacity = buffer->capacity == 0 ? BUFFER_BYTES_FIRST
						: 2 * buffer->capacity;
	if (capacity < needed)
		capacity = needed;
	unsigned char *data = arena_take(buffer->arena, capacity);
	if (data == NULL) {
		buffer->failed = true;
		return false;
	}
	if (buffer->length > 0)
		memcpy(data, buffer->data, buffer->length);
	buffer->data = data;
	buffer->capacity = capacity;
	return true;
}

static inline bool reserve(struct buffer *buffer, size_t length)
{
	return (!buffer->failed &&
		       length <= buffer->capacity - buffer->length) ||
	       grow(buffer, length);
}

void buffer_bytes(struct buffer *buffer, const void *bytes, size_t length)
{
	if (length == 0 || !reserve(buffer, length))
		return;
	memcpy(buffer->data + buffer->length, bytes, length);
	buffer->length += length;
}

void buffer_byte(struct buffer *buffer, unsigned char byte)
{
	if (reserve(buffer, 1))
		buffer->data[buffer->length++] = byte;
}

void buffer_u32(struct buffer *buffer, uint32_t number)
{
	unsigned char bytes[4];
	for (int i = 0; i < 4; i++)
		bytes[i] = (unsigned char)(number >> (i * 8));
	buffer_bytes(buffer, bytes, sizeof bytes);
}

void buffer_u64(struct buffer *buffer, uint64_t number)
{
	unsigned char bytes[8];
	for (int i = 0; i < 8; i++)
		bytes[i] = (unsigned char)(number >> (i * 8));
	buffer_bytes(buffer, bytes, sizeof bytes);
}

void buffer_slice(struct buffer *buffer, struct slice bytes)
{
	/* Nothing that comes in through Kafka or a file reaches 4 GiB. */
	if (bytes.length > UINT32_MAX) {
		buffer->failed = true;
		return;
	}
	buffer_u32(buffer, (uint32_t)bytes.length);
	buffer_bytes(buffer, bytes.data, bytes.length);
}

void buffer_text(struct buffer *buffer, const char *text)
{
	buffer_bytes(buffer, text, strlen(text));
}

void buffer_print(struct buffer *buffer, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	/* The NUL is printed too, then given back. */
	if (length < 0 || !reserve(buffer, (size_t)length + 1)) {
		buffer->failed = true;
		return;
	}
	va_start(arguments, format);
	int printed = vsnprintf((char *)buffer->data + buffer->length,
		(size_t)length + 1, format, arguments);
	va_end(arguments);
	buffer->failed = printed != length;
	buffer->length += (size_t)length;
}

char *buffer_room(struct buffer *buffer, size_t length)
{
	return reserve(buffer, length) ? (char *)buffer->data + buffer->length
				       : NULL;
}

struct slice buffer_content(const struct buffer *buffer)
{
	return (struct slice){(const char *)buffer->data, buffer->length};
}
