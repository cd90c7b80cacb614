#include "schema/duration.h"

#include "schema/quantity.h"

static const struct unit units[] = {
	{"us", 1},
	{"ms", 1000},
	{"s", INT64_C(1000000)},
	{"m", 60 * INT64_C(1000000)},
	{"h", 3600 * INT64_C(1000000)},
	{"d", 86400 * INT64_C(1000000)},
};

bool duration_parse(struct slice text, int64_t *out_us)
{
	return quantity_parse(
		text, units, sizeof units / sizeof units[0], out_us);
}
