#include "schema/json_write.h"

#include "schema/digits.h"
#include "schema/record.h"
#include "schema/rfc3339.h"
#include "schema/utf8.h"

#include <math.h>
#include <sodium.h>

#define BASE64 sodium_base64_VARIANT_ORIGINAL

static const char null_text[] = {'n', 'u', 'l', 'l'};

static void put_null(struct buffer *out)
{
	buffer_bytes(out, null_text, sizeof null_text);
}

/* How many bytes at `at` may stand in a string as they are. Eight at a time:
 * each test sets the high bit of a byte that fails it (Mycroft's trick; a
 * byte may be called odd too early, never too late). */
static size_t clean_run(const unsigned char *at, size_t length)
{
	static const uint64_t ones = UINT64_C(0x0101010101010101);
	size_t run = 0;
	for (; run + 8 <= length; run += 8) {
		uint64_t word;
		memcpy(&word, at + run, sizeof word);
		uint64_t quotes = word ^ ones * '"';
		uint64_t slashes = word ^ ones * '\\';
		uint64_t odd = word | (word - ones * ' ') | (quotes - ones) |
			       (slashes - ones);
		if ((odd & ones * 0x80) != 0)
			break;
	}
	while (run < length && at[run] >= ' ' && at[run] < 0x80 &&
		at[run] != '"' && at[run] != '\\')
		run++;
	return run;
}

static void put_escape(struct buffer *out, unsigned char byte)
{
	static const char hex[] = "0123456789abcdef";
	static const char named[] = {['\b'] = 'b',
		['\t'] = 't',
		['\n'] = 'n',
		['\f'] = 'f',
		['\r'] = 'r',
		['"'] = '"',
		['\\'] = '\\'};
	char text[6] = {'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]};
	if (byte < sizeof named && named[byte] != '\0') {
		text[1] = named[byte];
		buffer_bytes(out, text, 2);
	} else {
		buffer_bytes(out, text, sizeof text);
	}
}

/* Append one character that is not plain ASCII; returns its length. */
static size_t put_odd(
	struct buffer *out, const unsigned char *at, size_t length)
{
	if (at[0] < 0x80) {
		put_escape(out, at[0]);
		return 1;
	}
	size_t bytes = utf8_character(at, length);
	if (bytes == 0) {
		buffer_bytes(out, "\\ufffd", 6);
		return 1;
	}
	buffer_bytes(out, at, bytes);
	return bytes;
}

void json_write_string(struct buffer *out, struct slice text)
{
	const unsigned char *at = (const unsigned char *)text.data;
	size_t left = text.length;
	buffer_byte(out, '"');
	while (left > 0) {
		size_t run = clean_run(at, left);
		buffer_bytes(out, at, run);
		if (run < left)
			run += put_odd(out, at + run, left - run);
		at += run;
		left -= run;
	}
	buffer_byte(out, '"');
}

void json_write_text(struct buffer *out, const char *text)
{
	json_write_string(out, slice_of(text));
}

/* What was written from `at` on, where there was room for it. */
static void count_in(struct buffer *out, char *at, const char *end)
{
	out->length += (size_t)(end - at);
}

void json_write_integer(struct buffer *out, int64_t number)
{
	char *at = buffer_room(out, DIGITS_MAX + 1);
	if (at != NULL)
		count_in(out, at, digits_put_signed(at, number));
}

void json_write_real(struct buffer *out, double real)
{
	char *at = buffer_room(out, REAL_TEXT_SIZE);
	if (!isfinite(real))
		put_null(out);
	else if (at != NULL)
		count_in(out, at, real_put(at, real));
}

static void put_decimal_number(
	struct buffer *out, int64_t unscaled, unsigned scale)
{
	char *at = buffer_room(out, DECIMAL_TEXT_SIZE);
	if (at != NULL)
		count_in(out, at, decimal_put(at, unscaled, scale));
}

void json_write_time(struct buffer *out, int64_t us)
{
	char time[RFC3339_SIZE];
	if (us == TIMESTAMP_NONE) {
		put_null(out);
		return;
	}
	buffer_byte(out, '"');
	buffer_text(out, rfc3339_print(us, time));
	buffer_byte(out, '"');
}

static void put_base64(struct buffer *out, struct slice bytes)
{
	size_t room = sodium_base64_encoded_len(bytes.length, BASE64);
	char *at = buffer_room(out, room + 2);
	if (at == NULL)
		return;
	at[0] = '"';
	sodium_bin2base64(at + 1, room, (const unsigned char *)bytes.data,
		bytes.length, BASE64);
	at[room] = '"'; /* where the NUL was */
	out->length += room + 1;
}

/* float32, little-endian, as stored. */
static float element(const unsigned char *at)
{
	uint32_t bits = (uint32_t)at[0] | (uint32_t)at[1] << 8 |
			(uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
	float real;
	memcpy(&real, &bits, sizeof real);
	return real;
}

static void put_vector(struct buffer *out, struct slice bytes)
{
	size_t count = bytes.length / sizeof(float);
	char *start = buffer_room(out, count * (REAL_TEXT_SIZE + 1) + 2);
	if (start == NULL)
		return;
	char *at = start;
	*at++ = '[';
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			*at++ = ',';
		float real = element(
			(const unsigned char *)bytes.data + i * sizeof(float));
		if (isfinite(real)) {
			at = float_put(at, real);
		} else {
			memcpy(at, null_text, sizeof null_text);
			at += sizeof null_text;
		}
	}
	*at++ = ']';
	count_in(out, start, at);
}

void json_write_value(
	struct buffer *out, const struct type *type, const struct value *value)
{
	if (value->state != VALUE_SET) {
		put_null(out);
		return;
	}
	switch (type->kind) {
	case TYPE_BOOL:
		buffer_text(out, value->as.integer != 0 ? "true" : "false");
		break;
	case TYPE_INT64:
		json_write_integer(out, value->as.integer);
		break;
	case TYPE_FLOAT64:
		json_write_real(out, value->as.real);
		break;
	case TYPE_DECIMAL:
		put_decimal_number(out, value->as.integer, type->scale);
		break;
	case TYPE_STRING:
		json_write_string(out, value->as.bytes);
		break;
	case TYPE_BYTES:
		put_base64(out, value->as.bytes);
		break;
	case TYPE_TIMESTAMP:
		json_write_time(out, value->as.integer);
		break;
	case TYPE_VECTOR:
		put_vector(out, value->as.bytes);
		break;
	}
}
