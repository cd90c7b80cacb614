/*
 * Whole numbers with a unit behind them: "30d", "8GiB".
 */
#ifndef HOLDFAST_SCHEMA_QUANTITY_H
#define HOLDFAST_SCHEMA_QUANTITY_H

#include "schema/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct unit {
	const char *name;
	int64_t factor;
};

/* A number and one of units[0..count), nothing else; *out is their product.
 * False: not of that form, or beyond int64. */
bool quantity_parse(struct slice text, const struct unit *units, size_t count,
	int64_t *out);

#endif
