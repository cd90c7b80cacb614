#include "schema/convert.h"

#include "schema/json.h"
#include "schema/rfc3339.h"
#include "schema/type.h"

#include <inttypes.h>
#include <math.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>

/* Nobody needs more of a value to know it again. */
#define DETAIL_BYTES_MAX 256

#define BASE64 sodium_base64_VARIANT_ORIGINAL

/* The shortest of the usual precisions that reads back as the same number. */
static const char *print_real(struct arena *arena, double real)
{
	char text[32];
	int length = snprintf(text, sizeof text, "%.15g", real);
	if (length < 0 || strtod(text, NULL) != real)
		return arena_print(arena, "%.17g", real);
	return arena_print(arena, "%s", text);
}

const char *convert_describe(struct arena *arena, const json_t *json)
{
	static const char *const kinds[] = {
		[JSON_OBJECT] = "an object",
		[JSON_ARRAY] = "an array",
		[JSON_STRING] = "a string",
		[JSON_INTEGER] = "an integer",
		[JSON_REAL] = "a number",
		[JSON_TRUE] = "true",
		[JSON_FALSE] = "false",
		[JSON_NULL] = "null",
	};
	if (json_is_integer(json))
		return arena_print(
			arena, "%" PRId64, (int64_t)json_integer_value(json));
	/* A real without fraction is told from an integer by its point. */
	if (json_is_real(json)) {
		double real = json_real_value(json);
		const char *text = print_real(arena, real);
		bool plain = text != NULL && strpbrk(text, ".e") == NULL;
		return plain ? arena_print(arena, "%s.0", text) : text;
	}
	return kinds[json_typeof(json)];
}

static enum reason refuse(struct converter *converter, enum reason reason,
	const char *format, ...) __attribute__((format(printf, 3, 4)));

static enum reason refuse(struct converter *converter, enum reason reason,
	const char *format, ...)
{
	char text[DETAIL_BYTES_MAX];
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	converter->detail =
		length < 0 ? NULL : arena_print(converter->arena, "%s", text);
	return reason;
}

static enum reason refuse_type(struct converter *converter,
	const struct type *type, const json_t *json)
{
	char wanted[TYPE_NAME_SIZE];
	return refuse(converter, REASON_TYPE_MISMATCH, "%s where %s is wanted",
		convert_describe(converter->arena, json),
		type_print(type, wanted));
}

/* A real of a lossy reading that may have been any of several integers. */
static bool lost_digits(const struct converter *converter, const json_t *json)
{
	double real = json_real_value(json);
	return converter->lossy && json_is_real(json) &&
	       fabs(real) >= JSON_LOSSY_FROM && real == trunc(real);
}

static enum reason refuse_lost_digits(
	struct converter *converter, const json_t *json)
{
	return refuse(converter, REASON_OUT_OF_RANGE,
		"%s, in a record with a number beyond int64, is too large to "
		"be read exactly",
		convert_describe(converter->arena, json));
}

enum reason convert_integer(
	struct converter *converter, const json_t *json, int64_t *out)
{
	static const struct type int64 = {.kind = TYPE_INT64};
	if (json_is_integer(json)) {
		*out = json_integer_value(json);
		return REASON_NONE;
	}
	if (lost_digits(converter, json))
		return refuse_lost_digits(converter, json);
	double real = json_real_value(json);
	if (!converter->lossy || !json_is_real(json) || real != trunc(real))
		return refuse_type(converter, &int64, json);
	*out = (int64_t)real;
	return REASON_NONE;
}

static enum reason to_bool(struct converter *converter, const struct type *type,
	const json_t *json, struct value *out)
{
	if (!json_is_boolean(json))
		return refuse_type(converter, type, json);
	out->as.integer = json_is_true(json);
	return REASON_NONE;
}

static enum reason to_int64(struct converter *converter,
	const struct type *type, const json_t *json, struct value *out)
{
	(void)type;
	return convert_integer(converter, json, &out->as.integer);
}

static enum reason to_float64(struct converter *converter,
	const struct type *type, const json_t *json, struct value *out)
{
	if (!json_is_number(json))
		return refuse_type(converter, type, json);
	if (lost_digits(converter, json))
		return refuse_lost_digits(converter, json);
	double real = json_number_value(json);
	/* INT64_MAX rounds up to 2^63, where the cast would be undefined. */
	if (json_is_integer(json) &&
		(real >= 0x1p63 || (int64_t)real != json_integer_value(json)))
		return refuse(converter, REASON_TYPE_MISMATCH,
			"float64 can't hold %s exactly",
			convert_describe(converter->arena, json));
	out->as.real = real + 0.0; /* -0.0 becomes 0.0 */
	return REASON_NONE;
}

static int64_t power_of_ten(unsigned exponent)
{
	int64_t power = 1;
	while (exponent-- > 0)
		power *= 10;
	return power;
}

static enum reason refuse_digits(struct converter *converter,
	const struct type *type, const json_t *json)
{
	char name[TYPE_NAME_SIZE];
	return refuse(converter, REASON_OUT_OF_RANGE,
		"%s is too large for %s: 15 digits in all",
		convert_describe(converter->arena, json),
		type_print(type, name));
}

/* A JSON number has been through a double on its way here. It was a decimal of
 * `scale` digits if it is the double nearest to one, which up to 15 digits is
 * no other decimal's. */
static enum reason to_decimal(struct converter *converter,
	const struct type *type, const json_t *json, struct value *out)
{
	if (!json_is_number(json))
		return refuse_type(converter, type, json);
	int64_t limit = power_of_ten(DECIMAL_DIGITS_MAX);
	int64_t largest = limit / power_of_ten(type->scale);
	int64_t unscaled = 0;
	if (json_is_integer(json)) {
		if (__builtin_mul_overflow(json_integer_value(json),
			    power_of_ten(type->scale), &unscaled))
			unscaled = limit;
	} else {
		double real = json_real_value(json);
		if (fabs(real) > (double)largest)
			return refuse_digits(converter, type, json);
		unscaled = decimal_from_real(real, type->scale);
		if (decimal_to_real(unscaled, type->scale) != real)
			return refuse(converter, REASON_TYPE_MISMATCH,
				"%s has more than %d decimals",
				convert_describe(converter->arena, json),
				type->scale);
	}
	if (unscaled >= limit || unscaled <= -limit)
		return refuse_digits(converter, type, json);
	out->as.integer = unscaled;
	return REASON_NONE;
}

static struct slice text_of(const json_t *string)
{
	return (struct slice){
		json_string_value(string), json_string_length(string)};
}

static enum reason to_string(struct converter *converter,
	const struct type *type, const json_t *json, struct value *out)
{
	if (!json_is_string(json))
		return refuse_type(converter, type, json);
	struct slice text = text_of(json);
	if (memchr(text.data, '\0', text.length) != NULL)
		return refuse(converter, REASON_TYPE_MISMATCH,
			"a string with a NUL character in it");
	out->as.bytes = arena_copy(converter->arena, text);
	converter->out_of_memory |= out->as.bytes.data == NULL;
	return REASON_NONE;
}

static enum reason to_bytes(struct converter *converter,
	const struct type *type, const json_t *json, struct value *out)
{
	if (!json_is_string(json))
		return refuse_type(converter, type, json);
	struct slice text = text_of(json);
	size_t room = text.length / 4 * 3;
	size_t length = 0;
	unsigned char *bytes = arena_take(converter->arena, room + 1);
	if (bytes == NULL) {
		converter->out_of_memory = true;
		return REASON_TYPE_MISMATCH;
	}
	if (sodium_base642bin(bytes, room, text.data, text.length, NULL,
		    &length, NULL, BASE64) != 0)
		return refuse(converter, REASON_TYPE_MISMATCH,
			"a string that is not base64 (RFC 4648 section 4, "
			"with padding)");
	out->as.bytes = (struct slice){(const char *)bytes, length};
	return REASON_NONE;
}

static enum reason to_timestamp(struct converter *converter,
	const struct type *type, const json_t *json, struct value *out)
{
	if (!json_is_string(json))
		return refuse_type(converter, type, json);
	if (!rfc3339_parse(text_of(json), &out->as.integer))
		return refuse(converter, REASON_TYPE_MISMATCH,
			"a string that is not an RFC 3339 time such as "
			"2026-11-23T08:20:48Z");
	return REASON_NONE;
}

static void put_float(unsigned char *out, float number)
{
	uint32_t bits;
	memcpy(&bits, &number, sizeof bits);
	for (int i = 0; i < 4; i++)
		out[i] = (unsigned char)(bits >> (i * 8));
}

static enum reason to_elements(struct converter *converter, const json_t *json,
	size_t count, unsigned char *out)
{
	for (size_t i = 0; i < count; i++) {
		const json_t *element = json_array_get(json, i);
		double real = json_number_value(element);
		/* IEC 60559: beyond float's range this gives infinity. */
		float number = (float)real;
		if (!json_is_number(element) || !isfinite(number))
			return refuse(converter, REASON_TYPE_MISMATCH,
				"element %zu, %s, is no finite float32", i,
				convert_describe(converter->arena, element));
		put_float(out + 4 * i, number + 0.0F); /* no -0.0 */
	}
	return REASON_NONE;
}

static enum reason to_vector(struct converter *converter,
	const struct type *type, const json_t *json, struct value *out)
{
	if (!json_is_array(json))
		return refuse_type(converter, type, json);
	size_t count = json_array_size(json);
	if (count != type->length)
		return refuse(converter, REASON_WRONG_LENGTH,
			"%zu elements where %" PRIu32 " are wanted", count,
			type->length);
	unsigned char *bytes = arena_take(converter->arena, 4 * count);
	if (bytes == NULL) {
		converter->out_of_memory = true;
		return REASON_TYPE_MISMATCH;
	}
	out->as.bytes = (struct slice){(const char *)bytes, 4 * count};
	return to_elements(converter, json, count, bytes);
}

enum reason convert_json(struct converter *converter, const struct type *type,
	const json_t *json, struct value *out)
{
	static enum reason (*const to[])(struct converter *,
		const struct type *, const json_t *, struct value *) = {
		[TYPE_BOOL] = to_bool,
		[TYPE_INT64] = to_int64,
		[TYPE_FLOAT64] = to_float64,
		[TYPE_DECIMAL] = to_decimal,
		[TYPE_STRING] = to_string,
		[TYPE_BYTES] = to_bytes,
		[TYPE_TIMESTAMP] = to_timestamp,
		[TYPE_VECTOR] = to_vector,
	};
	enum reason reason = to[type->kind](converter, type, json, out);
	out->state = reason == REASON_NONE ? VALUE_SET : VALUE_UNSET;
	return reason;
}

/* Put the feature's or key's name before what was wrong. */
static enum reason name_it(struct converter *converter, enum reason reason,
	const char *what, const char *name)
{
	const char *inner = converter->detail;
	return refuse(converter, reason, "%s \"%s\": %s", what, name,
		inner == NULL ? reason_advice(reason) : inner);
}

enum reason convert_feature(struct converter *converter,
	const struct feature *feature, const json_t *json, struct value *out)
{
	if (!json_is_null(json)) {
		enum reason reason =
			convert_json(converter, &feature->type, json, out);
		return reason == REASON_NONE
			       ? reason
			       : name_it(converter, reason, "feature",
					 feature->name);
	}
	if (feature->merge != MERGE_LAST)
		return refuse(converter, REASON_TYPE_MISMATCH,
			"feature \"%s\": null can't be accumulated: leave the "
			"feature out",
			feature->name);
	*out = (struct value){.state = VALUE_NULL};
	return REASON_NONE;
}

/* For the types that have a minimum or maximum. */
static const char *describe_value(
	struct arena *arena, const struct type *type, const struct value *value)
{
	char time[RFC3339_SIZE];
	switch (type->kind) {
	case TYPE_FLOAT64:
		return print_real(arena, value->as.real);
	case TYPE_DECIMAL:
		return print_real(
			arena, decimal_to_real(value->as.integer, type->scale));
	case TYPE_TIMESTAMP:
		return arena_print(
			arena, "%s", rfc3339_print(value->as.integer, time));
	default:
		return arena_print(arena, "%" PRId64, value->as.integer);
	}
}

static enum reason refuse_bound(struct converter *converter,
	const struct feature *feature, const struct value *value,
	const char *relation, const struct value *bound)
{
	const struct type *type = &feature->type;
	return refuse(converter, REASON_OUT_OF_BOUNDS,
		"feature \"%s\": %s is %s %s", feature->name,
		describe_value(converter->arena, type, value), relation,
		describe_value(converter->arena, type, bound));
}

enum reason convert_bounds(struct converter *converter,
	const struct feature *feature, const struct value *value)
{
	enum value_type kind = feature->type.kind;
	if (value->state != VALUE_SET)
		return REASON_NONE;
	if (feature->max_length >= 0 && type_is_bytes(kind) &&
		value->as.bytes.length > (size_t)feature->max_length)
		return refuse(converter, REASON_OUT_OF_BOUNDS,
			"feature \"%s\": %zu bytes, max_length is %" PRId64,
			feature->name, value->as.bytes.length,
			feature->max_length);
	if (feature->minimum.state == VALUE_SET &&
		value_compare(kind, value, &feature->minimum) < 0)
		return refuse_bound(converter, feature, value,
			"less than the minimum", &feature->minimum);
	if (feature->maximum.state == VALUE_SET &&
		value_compare(kind, value, &feature->maximum) > 0)
		return refuse_bound(converter, feature, value,
			"more than the maximum", &feature->maximum);
	return REASON_NONE;
}

enum reason convert_key(struct converter *converter,
	const struct entity_key *key, const json_t *json, struct value *out)
{
	if (json == NULL || json_is_null(json))
		return refuse(converter, REASON_MISSING_ENTITY,
			"no value for the join key \"%s\"", key->name);
	if (convert_json(converter, &key->type, json, out) == REASON_NONE)
		return REASON_NONE;
	return name_it(converter, REASON_BAD_ENTITY, "join key", key->name);
}
