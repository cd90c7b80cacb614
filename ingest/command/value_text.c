#include "ingest/command/value_text.h"

#include "schema/digits.h"
#include "schema/rfc3339.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* What digits.h put between `text` and `end`. */
static void print_between(const char *text, const char *end, FILE *out)
{
	fwrite(text, 1, (size_t)(end - text), out);
}

static void print_real(double real, FILE *out)
{
	char text[REAL_TEXT_SIZE];
	print_between(text, real_put(text, real), out);
}

static void print_float(float real, FILE *out)
{
	char text[REAL_TEXT_SIZE];
	print_between(text, float_put(text, real), out);
}

static void print_decimal(int64_t unscaled, uint8_t scale, FILE *out)
{
	char text[DECIMAL_TEXT_SIZE];
	print_between(text, decimal_put(text, unscaled, scale), out);
}

/* float32, little-endian, as stored. */
static void print_vector(struct slice bytes, FILE *out)
{
	fputc('[', out);
	for (size_t i = 0; i + sizeof(float) <= bytes.length;
		i += sizeof(float)) {
		const unsigned char *at = (const unsigned char *)bytes.data + i;
		uint32_t bits = (uint32_t)at[0] | (uint32_t)at[1] << 8 |
				(uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
		float real = 0;
		memcpy(&real, &bits, sizeof real);
		if (i > 0)
			fputs(", ", out);
		print_float(real, out);
	}
	fputc(']', out);
}

static void print_base64(struct slice bytes, FILE *out)
{
	size_t room = sodium_base64_encoded_len(
		bytes.length, sodium_base64_VARIANT_ORIGINAL);
	char *text = malloc(room);
	if (text == NULL) {
		fputs("?", out);
		return;
	}
	fputs(sodium_bin2base64(text, room, (const unsigned char *)bytes.data,
		      bytes.length, sodium_base64_VARIANT_ORIGINAL),
		out);
	free(text);
}

static void print_string(struct slice text, FILE *out)
{
	for (size_t i = 0; i < text.length; i++) {
		unsigned char c = (unsigned char)text.data[i];
		if (c < ' ' || c == 0x7f)
			fprintf(out, "\\x%02x", c);
		else
			fputc(c, out);
	}
}

static int write_out(const char *bytes, size_t length, void *out)
{
	return fwrite(bytes, 1, length, out) == length ? 0 : -1;
}

void string_print_json(struct slice text, FILE *out)
{
	json_t *string = json_stringn(text.data, text.length);
	if (string == NULL ||
		json_dump_callback(string, write_out, out, JSON_ENCODE_ANY) < 0)
		fputs("null", out); /* no UTF-8, which no string here is */
	json_decref(string);
}

/* What is printed alike for people and programs. */
static void print_set(
	const struct type *type, const struct value *value, FILE *out)
{
	switch (type->kind) {
	case TYPE_BOOL:
		fputs(value->as.integer != 0 ? "true" : "false", out);
		break;
	case TYPE_FLOAT64:
		print_real(value->as.real, out);
		break;
	case TYPE_DECIMAL:
		print_decimal(value->as.integer, type->scale, out);
		break;
	case TYPE_VECTOR:
		print_vector(value->as.bytes, out);
		break;
	default:
		fprintf(out, "%" PRId64, value->as.integer);
		break;
	}
}

void value_print(const struct type *type, const struct value *value, FILE *out)
{
	char time[RFC3339_SIZE];
	if (value->state == VALUE_UNSET)
		fputs("-", out);
	else if (value->state == VALUE_NULL)
		fputs("null", out);
	else if (type->kind == TYPE_STRING)
		print_string(value->as.bytes, out);
	else if (type->kind == TYPE_BYTES)
		print_base64(value->as.bytes, out);
	else if (type->kind == TYPE_TIMESTAMP)
		fputs(rfc3339_print(value->as.integer, time), out);
	else
		print_set(type, value, out);
}

void value_print_json(
	const struct type *type, const struct value *value, FILE *out)
{
	bool quoted = type->kind == TYPE_BYTES || type->kind == TYPE_TIMESTAMP;
	if (value->state != VALUE_SET) {
		fputs("null", out);
	} else if (type->kind == TYPE_STRING) {
		string_print_json(value->as.bytes, out);
	} else if (quoted) {
		fputc('"', out);
		value_print(type, value, out);
		fputc('"', out);
	} else {
		print_set(type, value, out);
	}
}

char *value_text(const struct type *type, const struct value *value)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	if (out == NULL)
		return NULL;
	value_print(type, value, out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

bool int64_parse(const char *text, int64_t *out)
{
	const char *digits = text + (text[0] == '-');
	if (digits[0] == '\0' || digits[strspn(digits, "0123456789")] != '\0')
		return false;
	errno = 0;
	long long number = strtoll(text, NULL, 10);
	*out = number;
	return errno == 0;
}
