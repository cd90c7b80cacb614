/*
 * The simulation's program: which runs to make.
 *
 *     simulate [-j JOBS] both EVERY KINDS FIRST COUNT
 *         crash at every EVERYth change of the fixed workload, with so many
 *         kinds of damage each, then COUNT seeds from FIRST on; then a quarter
 *         of all that with generations and backups
 *     simulate [-j JOBS] hunt EVERY KINDS FIRST COUNT
 *         the same, until the first violation
 *     simulate seed SEED            one of the seeds
 *     simulate crash CHANGE KIND    one crash of the fixed workload
 *     simulate back-seed SEED | back-crash CHANGE KIND | back-hunt ...
 *                                   the same with generations and backups
 *     simulate rot-seed SEED | rot-crash CHANGE KIND | rot-hunt ...
 *                                   the same, and a bit flips at the end
 *
 * JOBS processes share the runs; each run is one process's alone.
 */
#include "store/process.h"
#include "tests/simulate/run.h"

#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define TWICE_EVERY 16 /* a run is made again, and must be the same */
#define JOBS_MAX 64
#define BACK_PART 4 /* one in so many goes back */
#define KEPT_BYTES (64 * 1024 * 1024)

#define NAME_BYTES 64

/* Of one process. In memory that all of them share. */
struct tally {
	int64_t seeds, crashes, violations;
	char name[NAME_BYTES]; /* of its last run */
};

struct family {
	const char *prefix; /* of its runs' names */
	struct run_plan (*fixed)(void);
	struct run_plan (*random)(uint64_t seed);
};

enum { PLAIN, BACK, ROT, FAMILIES };
static const struct family families[FAMILIES] = {
	[PLAIN] = {"", run_plan_fixed, run_plan_random},
	[BACK] = {"back-", run_plan_fixed_back, run_plan_back},
	[ROT] = {"rot-", run_plan_fixed_rot, run_plan_rot},
};

struct job {
	struct tally *tallies; /* tallies[0..jobs) */
	int jobs, number;
	int64_t asked; /* runs so far, others' too */
	bool hunts;    /* one violation is enough */
	const struct family *family;
	char scratch[256];
};

static int64_t violations(const struct job *job)
{
	int64_t sum = 0;
	for (int i = 0; i < job->jobs; i++)
		sum += job->tallies[i].violations;
	return sum;
}

static void attempt(
	struct job *job, const struct run_plan *plan, const char *name)
{
	struct tally *tally = &job->tallies[job->number];
	struct run_result result;
	if (job->asked++ % job->jobs != job->number ||
		(job->hunts && violations(job) > 0))
		return;
	(void)snprintf(tally->name, sizeof tally->name, "%s", name);
	run(plan, job->scratch, &result);
	tally->seeds++;
	tally->crashes += result.crashes;
	if (result.why[0] != '\0') {
		tally->violations++;
		printf("%s: %s\n", name, result.why);
	}
	if (tally->seeds % TWICE_EVERY == 1) {
		struct run_result again;
		run(plan, job->scratch, &again);
		if (again.trace != result.trace) {
			tally->violations++;
			printf("%s: made again it is another: %016" PRIx64
			       ", %016" PRIx64 "\n",
				name, result.trace, again.trace);
		}
	}
	(void)fflush(stdout);
}

/* The first two leave nothing to chance. */
static enum disk_damage damage_of(int kind)
{
	int first = DAMAGE_MIX, count = DAMAGE_COUNT - DAMAGE_MIX;
	return (enum disk_damage)(
		kind < first ? kind : first + (kind - first) % count);
}

static void crash(struct job *job, int64_t at, int kind)
{
	char name[NAME_BYTES];
	struct run_plan plan = job->family->fixed();
	plan.crash_at = at;
	plan.damage = damage_of(kind);
	plan.damage_seed = (uint64_t)at * 32 + (uint64_t)kind;
	(void)snprintf(name, sizeof name, "%scrash %" PRId64 " %d",
		job->family->prefix, at, kind);
	attempt(job, &plan, name);
}

static void enumerate(struct job *job, int64_t every, int kinds)
{
	struct run_plan plan = job->family->fixed();
	struct run_result whole;
	run(&plan, job->scratch, &whole);
	if (job->number == 0)
		printf("the %sfixed workload: %" PRId64 " changes%s%s\n",
			job->family->prefix, whole.changes,
			whole.why[0] == '\0' ? "" : ": ", whole.why);
	job->tallies[job->number].violations += whole.why[0] != '\0';
	for (int64_t at = 1; at <= whole.changes; at += every)
		for (int kind = 0; kind < kinds; kind++)
			crash(job, at, kind);
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
	printf("troubles %d at %u per mille, laggard %d, commits lost %u%%,"
	       " jumps %u per mille, stopped %u%%\n",
		plan->troubles, plan->habits.trouble, plan->habits.laggard,
		plan->habits.lose_commit, plan->habits.jump,
		plan->stop_percent);
}

static void random_walk(struct job *job, uint64_t first, uint64_t count)
{
	for (uint64_t seed = first; seed < first + count; seed++) {
		char name[NAME_BYTES];
		struct run_plan plan = job->family->random(seed);
		(void)snprintf(name, sizeof name, "%sseed %" PRIu64,
			job->family->prefix, seed);
		if (count == 1)
			describe(&plan);
		attempt(job, &plan, name);
	}
}

/* One in so many of all that. */
static void walk(struct job *job, const uint64_t numbers[4], uint64_t part)
{
	if (numbers[0] > 0)
		enumerate(job, (int64_t)numbers[0],
			(int)((numbers[1] + part - 1) / part));
	random_walk(job, numbers[2], numbers[3] / part);
}

static void both(struct job *job, const uint64_t numbers[4])
{
	walk(job, numbers, 1);
	if (job->family != &families[PLAIN])
		return;
	job->family = &families[BACK];
	walk(job, numbers, BACK_PART);
}

/* By the prefix of what is asked for; which is what is left. */
static const struct family *family_of(const char **what)
{
	const struct family *found = &families[PLAIN];
	for (int i = BACK; i < FAMILIES; i++) {
		size_t length = strlen(families[i].prefix);
		if (strncmp(*what, families[i].prefix, length) != 0)
			continue;
		*what += length;
		found = &families[i];
		break;
	}
	return found;
}

/* What arguments[0..count) ask for; one that is missing is 0. */
static int dispatch(struct job *job, int count, char **arguments)
{
	const char *what = count > 0 ? arguments[0] : "";
	uint64_t numbers[4] = {0};
	for (int i = 1; i < count && i <= 4; i++)
		numbers[i - 1] = strtoull(arguments[i], NULL, 10);
	job->family = family_of(&what);
	job->hunts = strcmp(what, "hunt") == 0;
	if (count == 5 && (job->hunts || strcmp(what, "both") == 0))
		both(job, numbers);
	else if (count == 2 && strcmp(what, "seed") == 0)
		random_walk(job, numbers[0], 1);
	else if (count == 3 && strcmp(what, "crash") == 0)
		crash(job, (int64_t)numbers[0], (int)numbers[1]);
	else
		return 2;
	return 0;
}

/* An exit status. */
static int be_job(struct job *job, int count, char **arguments)
{
	const char *parent = getenv("TMPDIR");
	(void)snprintf(job->scratch, sizeof job->scratch,
		"%s/holdfast-simulate-XXXXXX",
		parent == NULL ? "/tmp" : parent);
	if (mkdtemp(job->scratch) == NULL) {
		perror(job->scratch);
		return 1;
	}
	int rc = dispatch(job, count, arguments);
	(void)rmdir(job->scratch);
	if (rc != 0 && job->number == 0)
		(void)fprintf(stderr, "usage: simulate [-j JOBS]"
				      " [back-|rot-]both|hunt"
				      " EVERY KINDS FIRST COUNT |"
				      " [back-|rot-]seed SEED |"
				      " [back-|rot-]crash CHANGE KIND\n");
	return rc;
}

/* An exit status. One that died is a violation, which ends a hunt. */
static int status_of(
	struct job *job, const pid_t *children, pid_t pid, int status)
{
	int number = 0;
	while (number < job->jobs && children[number] != pid)
		number++;
	if (pid > 0 && WIFEXITED(status))
		return WEXITSTATUS(status);
	struct tally *tally = &job->tallies[number < job->jobs ? number : 0];
	tally->violations++;
	printf("%s: it died: status %d\n", tally->name, status);
	(void)fflush(stdout);
	return 1;
}

/* The worst exit status of all. */
static int share(struct job *job, int count, char **arguments)
{
	pid_t children[JOBS_MAX];
	int worst = 0;
	for (int i = 0; i < job->jobs; i++) {
		job->number = i;
		children[i] = fork();
		if (children[i] == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			exit(be_job(job, count, arguments));
		}
	}
	for (int i = 0; i < job->jobs; i++) {
		int status = 0;
		pid_t pid = wait(&status);
		int its = status_of(job, children, pid, status);
		worst = its > worst ? its : worst;
	}
	return worst;
}

static int jobs_of(int *count, char ***arguments)
{
	if (*count < 2 || strcmp((*arguments)[0], "-j") != 0)
		return 1;
	int jobs = atoi((*arguments)[1]);
	*count -= 2;
	*arguments += 2;
	return jobs < 1 ? 1 : jobs < JOBS_MAX ? jobs : JOBS_MAX;
}

int main(int count, char **arguments)
{
	struct tally sum = {0};
	struct job job = {0};
	count--;
	arguments++;
	job.jobs = jobs_of(&count, &arguments);
	job.tallies = mmap(NULL, (size_t)job.jobs * sizeof *job.tallies,
		PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (job.tallies == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	/* A run's memory is the next one's. */
	(void)mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
	(void)mallopt(M_MMAP_THRESHOLD, KEPT_BYTES);
	store_process_init();
	int rc = share(&job, count, arguments);
	if (rc == 2)
		return rc;
	for (int i = 0; i < job.jobs; i++) {
		sum.seeds += job.tallies[i].seeds;
		sum.crashes += job.tallies[i].crashes;
		sum.violations += job.tallies[i].violations;
	}
	printf("%" PRId64 " seeds, %" PRId64 " crashes, %" PRId64
	       " violations\n",
		sum.seeds, sum.crashes, sum.violations);
	return rc == 0 && sum.violations == 0 ? 0 : 1;
}
