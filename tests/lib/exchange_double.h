/*
 * exchange_run() as a test wants it, in the place of the real one: answers by
 * the path.
 *
 *     /echo    method, target and body, one a line
 *     /long    EXCHANGE_DOUBLE_LONG bytes
 *     /slow    replies after exchange_double_release()
 *     /wait    waits until exchange_double_take(); then 200, else 412
 *     /truth   with the headers of an answer about lag
 *     /store   the generation of the store, or 503
 *     /corrupt the store was damaged: 503, FAULT_CORRUPT
 */
#ifndef HOLDFAST_TESTS_EXCHANGE_DOUBLE_H
#define HOLDFAST_TESTS_EXCHANGE_DOUBLE_H

#include <stddef.h>

#define EXCHANGE_DOUBLE_LONG ((size_t)8 << 20)

/* As at the start. */
void exchange_double_reset(void);

/* Of /slow: wait until so many have begun; let all go on. */
void exchange_double_await_slow(unsigned count);
void exchange_double_release(void);

/* What /wait waits for is there. */
void exchange_double_take(void);

/* How often the double ran. */
unsigned exchange_double_runs(void);

#endif
