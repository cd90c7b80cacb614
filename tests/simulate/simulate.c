/*
 * The simulation's program: which runs to make.
 *
 *     simulate enumerate EVERY      crash at every EVERYth change of the fixed
 *                                   workload, with each kind of damage
 *     simulate both EVERY FIRST COUNT
 *     simulate hunt EVERY FIRST COUNT   the same, until the first violation
 *     simulate random FIRST COUNT   so many seeds
 *     simulate seed SEED            one of them
 *     simulate crash CHANGE DAMAGE  one crash of the fixed workload
 */
#include "tests/simulate/run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TWICE_EVERY 16 /* a run is made again, and must be the same */

struct tally {
	int64_t seeds, crashes, violations;
	bool hunts; /* one violation is enough */
	char scratch[256];
};

static void attempt(
	struct tally *tally, const struct run_plan *plan, const char *name)
{
	struct run_result result;
	if (tally->hunts && tally->violations > 0)
		return;
	run(plan, tally->scratch, &result);
	tally->seeds++;
	tally->crashes += result.crashes;
	if (result.why[0] != '\0') {
		tally->violations++;
		printf("%s: %s\n", name, result.why);
	}
	if (tally->seeds % TWICE_EVERY != 1)
		return;
	struct run_result again;
	run(plan, tally->scratch, &again);
	if (again.trace != result.trace) {
		tally->violations++;
		printf("%s: made again it is another: %016" PRIx64
		       ", %016" PRIx64 "\n",
			name, result.trace, again.trace);
	}
}

static void crash(struct tally *tally, int64_t at, int damage)
{
	char name[64];
	struct run_plan plan = run_plan_fixed();
	plan.crash_at = at;
	plan.damage = (enum disk_damage)damage;
	plan.damage_seed = (uint64_t)at;
	(void)snprintf(name, sizeof name, "crash %" PRId64 " %d", at, damage);
	attempt(tally, &plan, name);
}

static void enumerate(struct tally *tally, int64_t every)
{
	struct run_plan plan = run_plan_fixed();
	struct run_result whole;
	run(&plan, tally->scratch, &whole);
	printf("the fixed workload: %" PRId64 " changes%s%s\n", whole.changes,
		whole.why[0] == '\0' ? "" : ": ", whole.why);
	tally->violations += whole.why[0] != '\0';
	for (int64_t at = 1; at <= whole.changes; at += every)
		for (int damage = 0; damage < DAMAGE_COUNT; damage++)
			crash(tally, at, damage);
}

/* What the seed chose. */
static void describe(const struct run_plan *plan)
{
	printf("%zu records, batches of %zu, window %" PRId64 " us and %" PRIu64
	       " keys, WAL %" PRIu64 "\n",
		plan->records, plan->batch_records, plan->window_us,
		plan->window_keys, plan->wal_bytes);
	printf("first crash %" PRId64 ", then %d within %" PRId64
	       ", failure %d, full %" PRId64 ", lies %d, rots %d,"
	       " takeover %u%%, operator %u%%\n",
		plan->crash_at, plan->crashes, plan->crash_reach,
		(int)plan->failure, plan->full_bytes, plan->lies, plan->rots,
		plan->takeover_percent, plan->operator_percent);
}

static void random_walk(struct tally *tally, uint64_t first, uint64_t count)
{
	for (uint64_t seed = first; seed < first + count; seed++) {
		char name[64];
		struct run_plan plan = run_plan_random(seed);
		(void)snprintf(name, sizeof name, "seed %" PRIu64, seed);
		if (count == 1)
			describe(&plan);
		attempt(tally, &plan, name);
	}
}

static uint64_t number(char **arguments, int index)
{
	return strtoull(arguments[index], NULL, 10);
}

static int dispatch(struct tally *tally, int count, char **arguments)
{
	const char *what = count > 2 ? arguments[1] : "";
	if (strcmp(what, "enumerate") == 0)
		enumerate(tally, (int64_t)number(arguments, 2));
	else if (count > 4 &&
		 (strcmp(what, "both") == 0 || strcmp(what, "hunt") == 0)) {
		tally->hunts = what[0] == 'h';
		enumerate(tally, (int64_t)number(arguments, 2));
		random_walk(tally, number(arguments, 3), number(arguments, 4));
	} else if (strcmp(what, "random") == 0 && count > 3)
		random_walk(tally, number(arguments, 2), number(arguments, 3));
	else if (strcmp(what, "seed") == 0)
		random_walk(tally, number(arguments, 2), 1);
	else if (strcmp(what, "crash") == 0 && count > 3)
		crash(tally, (int64_t)number(arguments, 2),
			(int)number(arguments, 3));
	else
		return 2;
	return 0;
}

int main(int count, char **arguments)
{
	struct tally tally = {0};
	const char *parent = getenv("TMPDIR");
	(void)snprintf(tally.scratch, sizeof tally.scratch,
		"%s/holdfast-simulate-XXXXXX",
		parent == NULL ? "/tmp" : parent);
	if (mkdtemp(tally.scratch) == NULL) {
		perror(tally.scratch);
		return 1;
	}
	int rc = dispatch(&tally, count, arguments);
	(void)rmdir(tally.scratch);
	if (rc != 0) {
		(void)fprintf(stderr, "usage: simulate enumerate EVERY | both "
				      "EVERY FIRST COUNT |"
				      " random FIRST COUNT"
				      " | seed SEED | crash CHANGE DAMAGE\n");
		return rc;
	}
	printf("%" PRId64 " seeds, %" PRId64 " crashes, %" PRId64
	       " violations\n",
		tally.seeds, tally.crashes, tally.violations);
	return tally.violations == 0 ? 0 : 1;
}
