#include "schema/canonical.h"

#include <stdlib.h>
#include <string.h>

/* One byte before each value says what follows. */
enum tag {
	TAG_ABSENT = '-',
	TAG_NULL = 'n',
	TAG_TRUE = 't',
	TAG_FALSE = 'f',
	TAG_DOUBLE = 'd',  /* 8 bytes, IEEE 754 */
	TAG_INTEGER = 'i', /* 8 bytes; only what a double can't hold */
	TAG_STRING = 's',  /* length and bytes */
	TAG_ARRAY = 'a',   /* count and elements */
	TAG_OBJECT = 'o'   /* count, and name and value of each member */
};

struct member {
	struct slice name;
	json_t *value;
};

/* Doubles hold every integer up to 2^53, and some beyond. At 2^63 and above
 * the cast back would be undefined; INT64_MAX rounds up to there. */
static bool is_exact_double(int64_t integer)
{
	double real = (double)integer;
	return real < 0x1p63 && (int64_t)real == integer;
}

static void put_double(struct buffer *out, double real)
{
	uint64_t bits;
	real += 0.0; /* -0.0 becomes 0.0 */
	memcpy(&bits, &real, sizeof bits);
	buffer_byte(out, TAG_DOUBLE);
	buffer_u64(out, bits);
}

static void put_integer(struct buffer *out, int64_t integer)
{
	if (is_exact_double(integer)) {
		put_double(out, (double)integer);
		return;
	}
	buffer_byte(out, TAG_INTEGER);
	buffer_u64(out, (uint64_t)integer);
}

static void put_array(struct buffer *out, json_t *array)
{
	size_t i;
	json_t *element;
	buffer_byte(out, TAG_ARRAY);
	buffer_u64(out, json_array_size(array));
	json_array_foreach(array, i, element) canonical_json(out, element);
}

static int by_name(const void *a, const void *b)
{
	return slice_compare(((const struct member *)a)->name,
		((const struct member *)b)->name);
}

/* The members but `left_out`, in order; *count of them. */
static struct member *sorted_members(struct arena *arena, json_t *object,
	struct slice left_out, size_t *count)
{
	struct member *members =
		arena_take(arena, json_object_size(object) * sizeof *members);
	if (members == NULL)
		return NULL;
	const char *name;
	size_t length;
	json_t *value;
	bool in_order = true;
	*count = 0;
	json_object_keylen_foreach(object, name, length, value)
	{
		struct member *member = &members[*count];
		*member = (struct member){{name, length}, value};
		if (slice_equal(member->name, left_out))
			continue;
		in_order = in_order &&
			   (*count == 0 || by_name(member - 1, member) < 0);
		(*count)++;
	}
	if (!in_order)
		qsort(members, *count, sizeof *members, by_name);
	return members;
}

static void put_object(
	struct buffer *out, json_t *object, struct slice left_out)
{
	size_t count = 0;
	struct member *members =
		sorted_members(out->arena, object, left_out, &count);
	if (members == NULL) {
		out->failed = true;
		return;
	}
	buffer_byte(out, TAG_OBJECT);
	buffer_u64(out, count);
	for (size_t i = 0; i < count; i++) {
		buffer_slice(out, members[i].name);
		canonical_json(out, members[i].value);
	}
}

static void put_string(struct buffer *out, const json_t *string)
{
	buffer_byte(out, TAG_STRING);
	buffer_slice(out, (struct slice){json_string_value(string),
				  json_string_length(string)});
}

void canonical_json(struct buffer *out, json_t *json)
{
	if (json == NULL) {
		buffer_byte(out, TAG_ABSENT);
		return;
	}
	switch (json_typeof(json)) {
	case JSON_OBJECT:
		put_object(out, json, (struct slice){NULL, 0});
		break;
	case JSON_ARRAY:
		put_array(out, json);
		break;
	case JSON_STRING:
		put_string(out, json);
		break;
	case JSON_INTEGER:
		put_integer(out, json_integer_value(json));
		break;
	case JSON_REAL:
		put_double(out, json_real_value(json));
		break;
	case JSON_TRUE:
		buffer_byte(out, TAG_TRUE);
		break;
	case JSON_FALSE:
		buffer_byte(out, TAG_FALSE);
		break;
	case JSON_NULL:
		buffer_byte(out, TAG_NULL);
		break;
	}
}

void canonical_object_without(
	struct buffer *out, json_t *object, const char *left_out)
{
	put_object(out, object, slice_of(left_out));
}

static bool same_mixed(const json_t *integer, const json_t *real)
{
	int64_t number = json_integer_value(integer);
	return is_exact_double(number) &&
	       (double)number == json_real_value(real);
}

bool canonical_same(const json_t *a, const json_t *b)
{
	if (json_is_integer(a) && json_is_real(b))
		return same_mixed(a, b);
	if (json_is_real(a) && json_is_integer(b))
		return same_mixed(b, a);
	/* jansson's own comparison serves where the types are the same. */
	return !json_is_object(a) && !json_is_array(a) && json_equal(a, b);
}
