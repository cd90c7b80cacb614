#include "ingest/command/size.h"

#include <inttypes.h>
#include <stdio.h>

static const struct {
	const char *name;
	int64_t bytes;
} units[] = {
	{"B", 1},
	{"kB", 1000},
	{"MB", 1000000},
	{"GB", 1000000000},
	{"KiB", INT64_C(1) << 10},
	{"MiB", INT64_C(1) << 20},
	{"GiB", INT64_C(1) << 30},
};

bool size_parse(struct slice text, int64_t *out_bytes)
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
				number, units[i].bytes, out_bytes);
	return false;
}

char *size_print(int64_t bytes, char out[SIZE_TEXT])
{
	static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	size_t unit = 0;
	double shown = (double)bytes;
	while (shown >= 1024 && unit + 1 < sizeof names / sizeof names[0]) {
		shown /= 1024;
		unit++;
	}
	/* One digit behind the point where it tells something. */
	int digits = unit > 0 && shown < 100 && shown != (double)(int64_t)shown;
	int length =
		snprintf(out, SIZE_TEXT, "%.*f %s", digits, shown, names[unit]);
	if (length < 0)
		out[0] = '\0';
	return out;
}
