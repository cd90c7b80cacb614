#include "ingest/breaker.h"

/* All steps but the newest hold BREAKER_RECORDS together. */
#define STEP_RECORDS (BREAKER_RECORDS / (BREAKER_STEPS - 1) + 1)

/* Forget the oldest step while the others are records enough. */
static void let_go(struct breaker *breaker)
{
	for (size_t i = 1; i < BREAKER_STEPS; i++) {
		struct breaker_step *oldest =
			&breaker->steps[(breaker->newest + i) % BREAKER_STEPS];
		if (breaker->sum.records - oldest->records < BREAKER_RECORDS)
			return;
		breaker->sum.records -= oldest->records;
		breaker->sum.dead -= oldest->dead;
		*oldest = (struct breaker_step){0, 0};
	}
}

/* The place of the next step. What stands there is old enough to go. */
static void begin_step(struct breaker *breaker)
{
	breaker->newest = (breaker->newest + 1) % BREAKER_STEPS;
	struct breaker_step *step = &breaker->steps[breaker->newest];
	breaker->sum.records -= step->records;
	breaker->sum.dead -= step->dead;
	*step = (struct breaker_step){0, 0};
}

void breaker_take(struct breaker *breaker, int64_t records, int64_t dead)
{
	if (breaker->steps[breaker->newest].records >= STEP_RECORDS)
		begin_step(breaker);
	struct breaker_step *step = &breaker->steps[breaker->newest];
	step->records += records;
	step->dead += dead;
	breaker->sum.records += records;
	breaker->sum.dead += dead;
	let_go(breaker);
}

bool breaker_trips(const struct breaker *breaker, double share_max)
{
	return breaker->sum.dead >= BREAKER_DEAD_MIN && share_max < 1 &&
	       (double)breaker->sum.dead >
		       share_max * (double)breaker->sum.records;
}
