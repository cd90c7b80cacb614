/*
 * Typed values: what a feature or an entity key holds.
 *
 * Types are those of design section 4. A value knows its state; its type is
 * the feature's. Bytes are borrowed from whoever made the value.
 */
#ifndef HOLDFAST_SCHEMA_VALUE_H
#define HOLDFAST_SCHEMA_VALUE_H

#include "schema/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* Limits of a type: all named, all with a reason. */
#define DECIMAL_DIGITS_MAX 15	/* what a double always gives back exactly */
#define VECTOR_LENGTH_MAX 16384 /* 64 KiB; longer is not one embedding */

enum value_type {
	TYPE_BOOL,	/* integer: 0 or 1 */
	TYPE_INT64,	/* integer */
	TYPE_FLOAT64,	/* real: finite, never -0.0 */
	TYPE_DECIMAL,	/* integer: the number times 10^scale */
	TYPE_STRING,	/* bytes: UTF-8 without NUL */
	TYPE_BYTES,	/* bytes */
	TYPE_TIMESTAMP, /* integer: microseconds since 1970-01-01T00:00:00Z */
	TYPE_VECTOR	/* bytes: `length` little-endian float32, all finite */
};

enum value_state { VALUE_UNSET, VALUE_NULL, VALUE_SET };

struct value {
	enum value_state state;
	union {
		int64_t integer;
		double real;
		struct slice bytes;
	} as;
};

struct type {
	enum value_type kind;
	uint8_t scale;	 /* TYPE_DECIMAL: digits behind the point, 0..15 */
	uint32_t length; /* TYPE_VECTOR: number of elements */
};

/* Is the type kept in value.as.integer / .as.bytes? TYPE_FLOAT64 is neither. */
bool type_is_integer(enum value_type kind);
bool type_is_bytes(enum value_type kind);

/* -1, 0, 1: order of two set values of one type (bytes: bytewise). */
int value_compare(
	enum value_type kind, const struct value *a, const struct value *b);

/* Same state and, if set, same value. */
bool value_equal(
	enum value_type kind, const struct value *a, const struct value *b);

/* The nearest double of unscaled / 10^scale, and back. Exact for every
 * |unscaled| < 10^15 (design section 4; DECIMAL_DIGITS_MAX). */
double decimal_to_real(int64_t unscaled, uint8_t scale);
int64_t decimal_from_real(double real, uint8_t scale);

#endif
