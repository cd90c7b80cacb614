/*
 * Who waits for whom while the key window is full: a key is let go only when
 * the slowest partition has passed it, so those ahead of that one wait. Pure.
 * Source: design section 6, key window.
 */
#ifndef HOLDFAST_INGEST_AHEAD_H
#define HOLDFAST_INGEST_AHEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A partition that runs. */
struct runner {
	int64_t record_time_us; /* TIMESTAMP_NONE: nothing came yet */
	bool at_end;		/* then nobody waits for it */
};

/* The record time of the slowest of runners[0..count) that is not at its end;
 * INT64_MAX: there is none. */
int64_t slowest_us(const struct runner *runners, size_t count);

/* Is it ahead of the slowest? One that is at its end may be, too: it would
 * bring more keys. */
static inline bool is_ahead(const struct runner *runner, int64_t slowest)
{
	return runner->record_time_us > slowest;
}

#endif
