/*
 * Durations as people write them: "30d", "2h", "1m", "5s", "500ms", "250us".
 */
#ifndef HOLDFAST_SCHEMA_DURATION_H
#define HOLDFAST_SCHEMA_DURATION_H

#include "schema/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* A whole number and a unit (d, h, m, s, ms, us), nothing between or around.
 * False: not of that form, or beyond int64 microseconds. */
bool duration_parse(struct slice text, int64_t *out_us);

#endif
