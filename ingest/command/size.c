#include "ingest/command/size.h"

#include "schema/quantity.h"

#include <inttypes.h>
#include <stdio.h>

static const struct unit units[] = {
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
	return quantity_parse(
		text, units, sizeof units / sizeof units[0], out_bytes);
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
