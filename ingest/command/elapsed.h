/*
 * How long ago, for people: "96 ms", "1.2 s", "5 min", "3 h", "40 d".
 */
#ifndef HOLDFAST_INGEST_COMMAND_ELAPSED_H
#define HOLDFAST_INGEST_COMMAND_ELAPSED_H

#include <stdint.h>

#define ELAPSED_SIZE 24 /* enough for any, NUL included */

/* Returns `out`. Less than none is none: clocks of two machines may differ a
 * little. */
const char *elapsed_print(int64_t us, char out[ELAPSED_SIZE]);

#endif
