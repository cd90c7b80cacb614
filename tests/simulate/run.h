/*
 * One run: an event world, taken by the real pipeline into the real store on a
 * simulated disk, through crashes, until all is taken; compared with the oracle
 * at each start and at the end.
 */
#ifndef HOLDFAST_TESTS_SIMULATE_RUN_H
#define HOLDFAST_TESTS_SIMULATE_RUN_H

#include "tests/simulate/disk.h"
#include "tests/simulate/log.h"

struct run_plan {
	uint64_t seed;
	size_t records;
	size_t batch_records;
	int64_t window_us;
	uint64_t window_keys;
	uint64_t window_bytes; /* 0: as many as come */
	uint64_t wal_bytes;
	uint64_t cache_bytes; /* 0: enough; else pages are written early */
	struct log_habits habits;
	unsigned operator_percent; /* of the pipeline's turns */
	/* Change by number at which the first crash comes; 0: none. */
	int64_t crash_at;
	enum disk_damage damage; /* DAMAGE_COUNT: any, by chance */
	uint64_t damage_seed;
	int crashes; /* so many more, each within `crash_reach` changes */
	int64_t crash_reach;
	enum disk_failure failure; /* at the crash's place, instead */
	int64_t full_bytes;
	bool lies;		   /* the disk: syncs do nothing */
	bool rots;		   /* a bit flips at the last crash */
	unsigned takeover_percent; /* of turns: another owner comes */
	unsigned stop_percent; /* of turns: asked to end, and started again */
	int troubles;	       /* of logs, at most */
	int steps_back;	       /* of operators with generations */
	unsigned back_percent; /* of turns */
};

#define RUN_WHY_BYTES 1024

struct run_result {
	int64_t changes; /* of the disk */
	int crashes;
	int starts;
	uint64_t trace;
	char why[RUN_WHY_BYTES]; /* "": no violation */
};

/* The fixed workload, without a crash. */
struct run_plan run_plan_fixed(void);

/* A swarm: what goes wrong, and how often, is the seed's. */
struct run_plan run_plan_random(uint64_t seed);

/* The same, with operators who go back and forth between builds of the store
 * (going_back.h), but touch no letters. */
struct run_plan run_plan_fixed_back(void);
struct run_plan run_plan_back(uint64_t seed);

/* The same, and a bit flips at the last crash; no log is another then. */
struct run_plan run_plan_fixed_rot(void);
struct run_plan run_plan_rot(uint64_t seed);

/* `scratch`: an empty directory, left empty. */
void run(const struct run_plan *plan, const char *scratch,
	struct run_result *result);

#endif
