#include "schema/value.h"

#include <assert.h>
#include <math.h>

bool type_is_integer(enum value_type kind)
{
	return kind == TYPE_BOOL || kind == TYPE_INT64 ||
	       kind == TYPE_DECIMAL || kind == TYPE_TIMESTAMP;
}

bool type_is_bytes(enum value_type kind)
{
	return kind == TYPE_STRING || kind == TYPE_BYTES || kind == TYPE_VECTOR;
}

int value_compare(
	enum value_type kind, const struct value *a, const struct value *b)
{
	assert(a->state == VALUE_SET);
	assert(b->state == VALUE_SET);
	if (type_is_integer(kind))
		return (a->as.integer > b->as.integer) -
		       (a->as.integer < b->as.integer);
	if (kind == TYPE_FLOAT64)
		return (a->as.real > b->as.real) - (a->as.real < b->as.real);
	int order = slice_compare(a->as.bytes, b->as.bytes);
	return (order > 0) - (order < 0);
}

bool value_equal(
	enum value_type kind, const struct value *a, const struct value *b)
{
	if (a->state != b->state)
		return false;
	return a->state != VALUE_SET || value_compare(kind, a, b) == 0;
}

static const double power_of_ten[DECIMAL_DIGITS_MAX + 1] = {1e0, 1e1, 1e2, 1e3,
	1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

/* Both operands are exact doubles, so one IEEE division rounds to nearest. */
double decimal_to_real(int64_t unscaled, uint8_t scale)
{
	assert(scale <= DECIMAL_DIGITS_MAX);
	return (double)unscaled / power_of_ten[scale];
}

int64_t decimal_from_real(double real, uint8_t scale)
{
	assert(scale <= DECIMAL_DIGITS_MAX);
	return llround(real * power_of_ten[scale]);
}
