/* What a run is to be: the fixed workload, or a seed's. */
#include "tests/lib/chance.h"
#include "tests/simulate/run.h"

#define SECOND_US INT64_C(1000000)
#define TROUBLES_MAX 6
#define SMALL_CACHE_BYTES (5 * 4096)
/* The window takes 16 KiB when it is empty, and keeps an eighth. */
#define WINDOW_LEAST_BYTES 20000
#define KEY_BYTES 72

struct run_plan run_plan_fixed(void)
{
	return (struct run_plan){
		.seed = 1,
		.records = 60,
		.batch_records = 5,
		.window_us = 5 * SECOND_US,
		.window_keys = 1,
		.wal_bytes = 64 * 1024,
		.operator_percent = 4,
		.habits = {.stall = 5,
			.again = 2,
			.end = 10,
			.produce = 30,
			.run_length = 4,
			.laggard = -1},
	};
}

static unsigned sometimes(struct chance *chance, unsigned percent)
{
	return chance_percent(chance, 50)
		       ? (unsigned)chance_below(chance, percent) + 1
		       : 0;
}

struct run_plan run_plan_random(uint64_t seed)
{
	struct chance chance = {seed ^ UINT64_C(0x1234567)};
	struct run_plan plan = {.seed = seed, .damage_seed = seed};
	plan.records = 50 + chance_below(&chance, 400);
	plan.batch_records = 1 + chance_below(&chance, 30);
	plan.window_us = (int64_t)(2 + chance_below(&chance, 20)) * SECOND_US;
	plan.window_keys = chance_percent(&chance, 50) ? 1 : 1000;
	plan.wal_bytes = (16 + chance_below(&chance, 256)) * 1024;
	plan.habits = (struct log_habits){
		.stall = sometimes(&chance, 20),
		.again = sometimes(&chance, 10),
		.end = sometimes(&chance, 30),
		.produce = 1 + (unsigned)chance_below(&chance, 100),
		.run_length = 1 + chance_below(&chance, 20),
		.laggard =
			chance_percent(&chance, 30)
				? (int)chance_below(&chance, EVENT_PARTITIONS)
				: -1,
		.backlog = chance_percent(&chance, 30),
		.lose_commit = sometimes(&chance, 50),
		.jump = sometimes(&chance, 20),
	};
	plan.operator_percent = sometimes(&chance, 20);
	plan.crash_at = 1 + (int64_t)chance_below(&chance, 400);
	plan.damage = DAMAGE_COUNT;
	plan.crashes = (int)chance_below(&chance, 12);
	plan.crash_reach = 5 + (int64_t)chance_below(&chance, 300);
	if (chance_percent(&chance, 40))
		plan.failure =
			(enum disk_failure)chance_below(&chance, FAIL_COUNT);
	if (chance_percent(&chance, 20))
		plan.full_bytes =
			(int64_t)(100 + chance_below(&chance, 200)) * 1024;
	plan.takeover_percent = chance_percent(&chance, 30) ? 2 : 0;
	plan.lies = chance_percent(&chance, 5);
	plan.rots = chance_percent(&chance, 10);
	if (chance_percent(&chance, 25) && !plan.lies && !plan.rots)
		plan.window_bytes = WINDOW_LEAST_BYTES +
				    KEY_BYTES * chance_below(&chance, 200);
	if (chance_percent(&chance, 30))
		plan.cache_bytes = SMALL_CACHE_BYTES;
	plan.stop_percent = chance_percent(&chance, 30) ? 2 : 0;
	/* A damaged store that knows less than it did is compared with what
	 * arrived, in which logs would be others. */
	if (chance_percent(&chance, 40) && !plan.lies && !plan.rots) {
		plan.habits.trouble = 1 + (unsigned)chance_below(&chance, 20);
		plan.troubles = 1 + (int)chance_below(&chance, TROUBLES_MAX);
	}
	return plan;
}

/* What they decide on letters is not carried over by the oracle; and a store
 * that is refused can't go back. */
static struct run_plan go_back(struct run_plan plan, int steps)
{
	plan.operator_percent = plan.takeover_percent = 0;
	plan.lies = plan.rots = false;
	plan.troubles = 0; /* what is rebuilt would be another log */
	plan.window_bytes = 0;
	plan.steps_back = steps;
	return plan;
}

struct run_plan run_plan_fixed_back(void)
{
	struct run_plan plan = go_back(run_plan_fixed(), 9);
	plan.back_percent = 30;
	return plan;
}

struct run_plan run_plan_back(uint64_t seed)
{
	struct run_plan plan = go_back(run_plan_random(seed), 0);
	struct chance chance = {seed ^ UINT64_C(0x7654321)};
	plan.steps_back = 1 + (int)chance_below(&chance, 12);
	plan.back_percent = 1 + (unsigned)chance_below(&chance, 40);
	return plan;
}

static struct run_plan rot(struct run_plan plan)
{
	plan.lies = false;
	plan.rots = true;
	plan.window_bytes = 0;
	plan.troubles = 0;
	return plan;
}

struct run_plan run_plan_fixed_rot(void)
{
	return rot(run_plan_fixed());
}

struct run_plan run_plan_rot(uint64_t seed)
{
	return rot(run_plan_random(seed));
}
