/*
 * What the code under test would ask of the machine, answered by the
 * simulation: time, sleep, chance, and the page cache; and keys whose first 64
 * bits are few. Link seams (--wrap).
 */
#ifndef HOLDFAST_TESTS_SIMULATE_WRAPS_H
#define HOLDFAST_TESTS_SIMULATE_WRAPS_H

#include "tests/lib/chance.h"
#include "tests/simulate/disk.h"

/* From now on, until NULL: borrowed. A disk that is full has room again after
 * `patience` sleeps. */
void wraps_use(struct disk *disk, struct chance *chance, int patience);

#endif
