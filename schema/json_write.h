/*
 * Typed values as JSON text, appended to a buffer: the one spelling for
 * replies, the command line and messages, made for replies of thousands of
 * values.
 *
 * int64 and decimals are plain numbers with all their digits (12.50),
 * reals the shortest number that reads back the same, with a point or an
 * exponent always (1.0, 1e-05), times RFC 3339 strings, bytes base64 strings,
 * vectors arrays of reals. Lack of memory is the buffer's to remember.
 */
#ifndef HOLDFAST_SCHEMA_JSON_WRITE_H
#define HOLDFAST_SCHEMA_JSON_WRITE_H

#include "schema/buffer.h"
#include "schema/value.h"

/* What is null, unset, or not finite is written as null. */
void json_write_value(
	struct buffer *out, const struct type *type, const struct value *value);

/* A string with its quotes. Control characters, quotes and backslashes are
 * escaped; a byte that is no UTF-8 becomes U+FFFD, so the text is JSON
 * whatever comes in. */
void json_write_string(struct buffer *out, struct slice text);
void json_write_text(struct buffer *out, const char *text);

void json_write_integer(struct buffer *out, int64_t number);
void json_write_real(struct buffer *out, double real);

/* "2026-11-23T08:20:48.123Z"; null for TIMESTAMP_NONE. */
void json_write_time(struct buffer *out, int64_t us);

#endif
