/*
 * The clock: the only way the pipeline learns of time, so that a simulation
 * can be the clock. Decisions about data never ask it.
 */
#ifndef HOLDFAST_INGEST_CLOCK_H
#define HOLDFAST_INGEST_CLOCK_H

#include <stdint.h>

struct clock {
	int64_t (*monotonic_us)(struct clock *clock);
	int64_t (*wall_us)(struct clock *clock);
};

/* The system's. */
struct clock *clock_system(void);

#endif
