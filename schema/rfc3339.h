/*
 * RFC 3339 times, as microseconds since 1970-01-01T00:00:00Z.
 */
#ifndef HOLDFAST_SCHEMA_RFC3339_H
#define HOLDFAST_SCHEMA_RFC3339_H

#include "schema/slice.h"

#include <stdbool.h>
#include <stdint.h>

#define RFC3339_SIZE 32 /* enough for the years 0000 to 9999 */

/* Digits beyond microseconds are cut off; a leap second is the second after
 * it. False: not a time of the form. */
bool rfc3339_parse(struct slice text, int64_t *out_us);

/* "2026-11-23T08:20:48.123456Z"; without fraction when it is zero, else 3 or 6
 * digits. Outside years 0000 to 9999: the plain number. Returns `out`. */
char *rfc3339_print(int64_t us, char out[RFC3339_SIZE]);

#endif
