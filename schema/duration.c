#include "schema/duration.h"

static const struct {
	const char *name;
	int64_t us;
} units[] = {
	{"us", 1},
	{"ms", 1000},
	{"s", INT64_C(1000000)},
	{"m", 60 * INT64_C(1000000)},
	{"h", 3600 * INT64_C(1000000)},
	{"d", 86400 * INT64_C(1000000)},
};

bool duration_parse(struct slice text, int64_t *out_us)
{
	int64_t number = 0;
	size_t digits = 0;
	while (digits < text.length && text.data[digits] >= '0' &&
		text.data[digits] <= '9') {
		int digit = text.data[digits] - '0';
		if (__builtin_mul_overflow(number, 10, &number) ||
			__builtin_add_overflow(number, digit, &number))
			return false;
		digits++;
	}
	if (digits == 0)
		return false;
	struct slice unit = {text.data + digits, text.length - digits};
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
		if (slice_equal(unit, slice_of(units[i].name)))
			return !__builtin_mul_overflow(
				number, units[i].us, out_us);
	return false;
}
