#include "schema/type.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const plain_names[] = {
	[TYPE_BOOL] = "bool",
	[TYPE_INT64] = "int64",
	[TYPE_FLOAT64] = "float64",
	[TYPE_DECIMAL] = NULL,
	[TYPE_STRING] = "string",
	[TYPE_BYTES] = "bytes",
	[TYPE_TIMESTAMP] = "timestamp",
	[TYPE_VECTOR] = NULL,
};

/* The number in <before>number<after>; -1 if the text is not of that form or
 * the number is beyond `limit`. */
static int64_t number_within(
	struct slice text, const char *before, char after, int64_t limit)
{
	size_t start = strlen(before);
	if (text.length < start + 2 || memcmp(text.data, before, start) != 0 ||
		text.data[text.length - 1] != after)
		return -1;
	int64_t number = 0;
	for (size_t i = start; i + 1 < text.length; i++) {
		char c = text.data[i];
		bool leading_zero =
			i == start && c == '0' && text.length > start + 2;
		if (c < '0' || c > '9' || leading_zero)
			return -1;
		number = number * 10 + (c - '0');
		if (number > limit)
			return -1;
	}
	return number;
}

bool type_parse(struct slice text, struct type *out)
{
	for (size_t i = 0; i < sizeof plain_names / sizeof plain_names[0]; i++)
		if (plain_names[i] != NULL &&
			slice_equal(text, slice_of(plain_names[i]))) {
			*out = (struct type){.kind = (enum value_type)i};
			return true;
		}
	int64_t scale =
		number_within(text, "decimal(", ')', DECIMAL_DIGITS_MAX);
	if (scale >= 0) {
		*out = (struct type){
			.kind = TYPE_DECIMAL, .scale = (uint8_t)scale};
		return true;
	}
	int64_t length =
		number_within(text, "float32[", ']', VECTOR_LENGTH_MAX);
	if (length < 1)
		return false;
	*out = (struct type){.kind = TYPE_VECTOR, .length = (uint32_t)length};
	return true;
}

char *type_print(const struct type *type, char out[TYPE_NAME_SIZE])
{
	int length;
	if (type->kind == TYPE_DECIMAL)
		length = snprintf(out, TYPE_NAME_SIZE, "decimal(%" PRIu8 ")",
			type->scale);
	else if (type->kind == TYPE_VECTOR)
		length = snprintf(out, TYPE_NAME_SIZE, "float32[%" PRIu32 "]",
			type->length);
	else
		length = snprintf(
			out, TYPE_NAME_SIZE, "%s", plain_names[type->kind]);
	if (length < 0)
		out[0] = '\0';
	return out;
}
