/* What the targets share: inputs cut into pieces, and a loud end. */
#ifndef HOLDFAST_TESTS_FUZZ_INPUT_H
#define HOLDFAST_TESTS_FUZZ_INPUT_H

#include "schema/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A copy of the exact size, which the sanitizers guard. The caller frees it. */
struct slice input_copy(const uint8_t *data, size_t size);

/* Cut off what is before `separator`, or all there is. */
struct slice input_cut(struct slice *rest, const char *separator);

/* Abort where it does not hold, saying what should. */
void must(bool holds, const char *what);

#endif
