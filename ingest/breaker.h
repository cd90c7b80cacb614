/*
 * The breaker: when so much of what a partition brings is dead that somebody
 * must look before more is taken. A pure decision.
 *
 * It looks at the last BREAKER_RECORDS records that it was told of, and a
 * little more, since it is told of many at once.
 */
#ifndef HOLDFAST_INGEST_BREAKER_H
#define HOLDFAST_INGEST_BREAKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BREAKER_RECORDS 10000 /* design section 8 */
/* Fewer dead letters are read by a person in one sitting, and no reason to
 * stop, whatever their share. */
#define BREAKER_DEAD_MIN 1000
#define BREAKER_STEPS 16 /* the window moves by a sixteenth of itself */

struct breaker_step {
	int64_t records, dead;
};

/* Zeroed: nothing was taken. */
struct breaker {
	struct breaker_step steps[BREAKER_STEPS]; /* a ring */
	size_t newest;
	struct breaker_step sum;
};

/* So many records more were taken, and so many of their updates are dead. */
void breaker_take(struct breaker *breaker, int64_t records, int64_t dead);

/* Is the share of dead letters, one at most a record, beyond `share_max`? With
 * 1 it never is. */
bool breaker_trips(const struct breaker *breaker, double share_max);

#endif
