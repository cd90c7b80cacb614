/*
 * Decimal digits as text, without printf's detours and the locale's say.
 */
#ifndef HOLDFAST_SCHEMA_DIGITS_H
#define HOLDFAST_SCHEMA_DIGITS_H

#include <stdint.h>

#define DIGITS_MAX 20	     /* of a uint64 */
#define REAL_TEXT_SIZE 32    /* enough for any double */
#define DECIMAL_TEXT_SIZE 40 /* enough for any int64 with a point in it */

/* Write at `at` and return the end; nothing puts a NUL there. */
char *digits_put(char *at, uint64_t number);
char *digits_put_signed(char *at, int64_t number);

/* The last `width` digits, zeros first. */
char *digits_put_padded(char *at, uint64_t number, unsigned width);

/* unscaled / 10^scale with all of its decimals: "12.50"; "-7" for scale 0.
 * Needs DECIMAL_TEXT_SIZE; scale <= 18. */
char *decimal_put(char *at, int64_t unscaled, unsigned scale);

/*
 * The shortest text that reads back as the same number, of several the one
 * nearest to it, as Python's repr() has it: "0.1", "3.0", "1e-05", "1e+16".
 * It always has a point or an exponent. float_put() is for readers that read a
 * float32, or a double and round it. Finite numbers only; needs
 * REAL_TEXT_SIZE.
 */
char *real_put(char *at, double real);
char *float_put(char *at, float real);

#endif
