/*
 * Types by name: "int64", "decimal(2)", "float32[64]".
 */
#ifndef HOLDFAST_SCHEMA_TYPE_H
#define HOLDFAST_SCHEMA_TYPE_H

#include "schema/slice.h"
#include "schema/value.h"

#include <stdbool.h>

#define TYPE_NAME_SIZE 24 /* enough for every type, NUL included */

/* False: no such type, or a scale or length beyond its limit. */
bool type_parse(struct slice text, struct type *out);

/* Returns `out`. */
char *type_print(const struct type *type, char out[TYPE_NAME_SIZE]);

#endif
