/*
 * Sizes as people write them: "512B", "64kB", "200MiB", "8GiB".
 */
#ifndef HOLDFAST_INGEST_COMMAND_SIZE_H
#define HOLDFAST_INGEST_COMMAND_SIZE_H

#include "schema/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* A whole number and a unit (B, kB, MB, GB: powers of 1,000; KiB, MiB, GiB:
 * powers of 1,024), nothing between or around. False: not of that form, or
 * beyond int64 bytes. */
bool size_parse(struct slice text, int64_t *out_bytes);

#define SIZE_TEXT 32 /* enough for any size */

/* For people: "8 GiB", "1.4 MiB", "312 B". Returns `out`. */
char *size_print(int64_t bytes, char out[SIZE_TEXT]);

#endif
