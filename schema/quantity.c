#include "schema/quantity.h"

/* How many digits lead; their number in *number, or -1 if it is too large. */
static size_t read_digits(struct slice text, int64_t *number)
{
	size_t digits = 0;
	*number = 0;
	while (digits < text.length && text.data[digits] >= '0' &&
		text.data[digits] <= '9') {
		int digit = text.data[digits++] - '0';
		if (*number < 0 ||
			__builtin_mul_overflow(*number, 10, number) ||
			__builtin_add_overflow(*number, digit, number))
			*number = -1;
	}
	return digits;
}

bool quantity_parse(
	struct slice text, const struct unit *units, size_t count, int64_t *out)
{
	int64_t number;
	size_t digits = read_digits(text, &number);
	if (digits == 0 || number < 0)
		return false;
	struct slice name = {text.data + digits, text.length - digits};
	for (size_t i = 0; i < count; i++)
		if (slice_equal(name, slice_of(units[i].name)))
			return !__builtin_mul_overflow(
				number, units[i].factor, out);
	return false;
}
