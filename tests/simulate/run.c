#include "tests/simulate/run.h"

#include "ingest/pipeline.h"
#include "store/verify.h"
#include "store/writer.h"
#include "tests/simulate/hand.h"
#include "tests/simulate/oracle.h"
#include "tests/simulate/wraps.h"

#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECOND_US INT64_C(1000000)
#define STARTS_MAX 400
#define PATH_BYTES 512
#define SEGMENT_ROWS 4 /* keys that are let go together: few, here */

struct world {
	const struct run_plan *plan;
	struct run_result *result;
	struct disk *disk;
	struct chance chance, secrets, hand_chance;
	struct hand hand;
	struct event_world events;
	struct log_source log;
	struct oracle oracle;
	struct schema *schema;
	struct store *store;
	struct fault fault;
	char path[PATH_BYTES];
	int crashes_left;
	bool tainted;	   /* the disk lied, or rotted: it may be refused */
	bool over;	   /* and was found, or was not */
	size_t taken_over; /* arrivals before another owner came; or 0 */
};

__attribute__((format(printf, 2, 3))) static void violate(
	struct world *world, const char *format, ...)
{
	va_list arguments;
	if (world->result->why[0] != '\0')
		return;
	va_start(arguments, format);
	(void)vsnprintf(world->result->why, RUN_WHY_BYTES, format, arguments);
	va_end(arguments);
}

static bool is_violated(const struct world *world)
{
	return world->result->why[0] != '\0';
}

struct run_plan run_plan_fixed(void)
{
	return (struct run_plan){
		.seed = 1,
		.records = 110,
		.batch_records = 5,
		.window_us = 5 * SECOND_US,
		.window_keys = 1,
		.wal_bytes = 64 * 1024,
		.operator_percent = 4,
		.habits = {.stall = 5,
			.again = 2,
			.end = 10,
			.produce = 30,
			.run_length = 4},
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
	return plan;
}

/* Whatever comes first at change `at`. */
static void plan_trouble(struct world *world, int64_t at)
{
	struct disk_plan *plan = disk_plan(world->disk);
	const struct run_plan *run = world->plan;
	plan->crash_at = plan->fail_at = 0;
	if (at == 0)
		return;
	if (run->failure == FAIL_NOTHING ||
		(run->damage == DAMAGE_COUNT &&
			chance_percent(&world->chance, 50))) {
		plan->crash_at = at;
		return;
	}
	plan->failure = run->failure;
	plan->fail_at = at;
}

static void plan_next(struct world *world)
{
	int64_t reach = world->plan->crash_reach;
	int64_t at = 0;
	if (world->crashes_left-- > 0)
		at = disk_changes(world->disk) + 1 +
		     (int64_t)chance_below(&world->chance, (uint64_t)reach);
	plan_trouble(world, at);
}

/* The process is gone; the machine comes back, or never went. */
static void start_again(struct world *world)
{
	bool died = disk_is_dead(world->disk);
	enum disk_damage damage = world->plan->damage;
	store_close(world->store);
	world->store = NULL;
	if (damage == DAMAGE_COUNT)
		damage = (enum disk_damage)chance_below(
			&world->chance, DAMAGE_COUNT);
	if (!died && !chance_percent(&world->chance, 30))
		damage = DAMAGE_NONE;
	world->result->crashes++;
	disk_restart(world->disk, damage);
	bool rots = world->plan->rots && world->crashes_left == 0;
	if (rots)
		disk_rot(world->disk);
	world->tainted |= rots || world->plan->lies;
	log_source_restart(&world->log);
	plan_next(world);
}

/* Did the fault come from what was done to the disk? Then start again. */
static bool may_fail(struct world *world, int rc, const char *where)
{
	if (disk_is_dead(world->disk) || disk_has_failed(world->disk))
		return true;
	if (rc == FAULT_FULL && disk_was_full(world->disk)) {
		disk_plan(world->disk)->full_bytes = 0;
		return true;
	}
	if (rc == FAULT_FENCED && world->taken_over > 0)
		return true;
	if (world->tainted && (rc == FAULT_CORRUPT || rc == FAULT_REFUSED)) {
		world->over = true;
		return false;
	}
	violate(world, "%s: %d %s", where, rc, world->fault.text);
	return false;
}

static struct store_options options_of(const struct world *world)
{
	struct store_options options = store_options_default();
	options.path = world->path;
	options.schema = world->schema;
	options.key_window_us = world->plan->window_us;
	options.key_window_keys = world->plan->window_keys;
	options.wal_max_bytes = world->plan->wal_bytes;
	options.ballast_bytes = 0;
	return options;
}

static bool open_store(struct world *world)
{
	struct store_options options = options_of(world);
	int rc = store_open(&world->store, &options, &world->fault);
	if (rc == 0) {
		world->store->keys.segment_rows = SEGMENT_ROWS;
		return true;
	}
	if (may_fail(world, rc, "open"))
		start_again(world);
	return false;
}

static void replay(struct world *world, const struct arrival *arrival)
{
	struct oracle *oracle = &world->oracle;
	switch (arrival->kind) {
	case ARRIVAL_RECORD:
		oracle_take(oracle, arrival->log, arrival->record);
		break;
	case ARRIVAL_END:
		oracle_end(oracle, arrival->log, arrival->next_offset);
		break;
	case ARRIVAL_RETRY:
		oracle_retry(
			oracle, arrival->log, arrival->record, arrival->place);
		break;
	case ARRIVAL_CLEAR:
		oracle_clear(oracle, arrival->log, arrival->record->offset,
			arrival->place);
		break;
	}
}

static int index_of(const struct log *log)
{
	return strcmp(log->topic, "events") == 0 ? log->partition : 2;
}

/* Does the store stand where the oracle does? `decisions` < 0: whatever
 * operators did. */
static bool stands_there(const struct world *world, int64_t decisions)
{
	int64_t nexts[EVENT_PARTITIONS] = {0}, again[EVENT_PARTITIONS] = {0};
	size_t count = store_partition_count(world->store);
	for (size_t i = 0; i < count; i++) {
		const struct store_partition *one =
			store_partition_at(world->store, i);
		nexts[index_of(&one->log)] = one->accounts.next_offset;
		again[index_of(&one->log)] = one->accounts.redelivered;
	}
	bool same = decisions < 0 || decisions == world->oracle.decisions;
	for (int i = 0; i < EVENT_PARTITIONS; i++) {
		const struct oracle_account *account =
			&world->oracle.accounts[i];
		same &= nexts[i] == account->next &&
			again[i] == account->redelivered;
	}
	return same;
}

/* P3, P6: the store stands behind a beginning of what arrived; the rest is as
 * if it never came. */
static void find_beginning(struct world *world)
{
	struct log_source *log = &world->log;
	size_t taken = 0;
	int64_t decisions = 0;
	if (sql_integer(world->store->db, "SELECT count(*) FROM _decision",
		    &decisions, &world->fault) < 0)
		violate(world, "%s", world->fault.text);
	oracle_finish(&world->oracle);
	oracle_init(&world->oracle, world->plan->window_us);
	while (!stands_there(world, decisions) && taken < log->arrival_count)
		replay(world, &log->arrivals[taken++]);
	if (!stands_there(world, decisions))
		violate(world, "the store stands behind no beginning of what "
			       "arrived");
	if (world->taken_over > 0 && taken > world->taken_over)
		violate(world, "written after another took the store over");
	world->taken_over = 0;
	log->arrival_count = taken;
}

/* P4, and durability. */
static void check_committed(struct world *world)
{
	for (int i = 0; i < EVENT_PARTITIONS; i++)
		if (world->oracle.accounts[i].next <
			world->log.partitions[i].committed)
			violate(world,
				"partition %d: %" PRId64
				" was committed, %" PRId64 " is durable",
				i, world->log.partitions[i].committed,
				world->oracle.accounts[i].next);
}

/* "" where the store holds what the oracle does. */
static void compare(struct world *world, char why[RUN_WHY_BYTES])
{
	sqlite3 *db = NULL;
	if (sqlite3_open_v2(world->store->layout.database, &db,
		    SQLITE_OPEN_READONLY, NULL) == SQLITE_OK)
		oracle_compare(&world->oracle, db, why, RUN_WHY_BYTES);
	else
		(void)snprintf(why, RUN_WHY_BYTES, "can't look: %s",
			sqlite3_errmsg(db));
	sqlite3_close(db);
}

/* After damage that nobody found the store holds what it did behind some
 * beginning; of operators' decisions it may know more or less. */
static void find_any_beginning(struct world *world)
{
	char why[RUN_WHY_BYTES] = "no such beginning";
	oracle_finish(&world->oracle);
	oracle_init(&world->oracle, world->plan->window_us);
	for (size_t i = 0; i <= world->log.arrival_count; i++) {
		if (stands_there(world, -1)) {
			compare(world, why);
			/* An error is found, too. */
			if (why[0] == '\0' || strncmp(why, "SELECT", 6) == 0)
				return;
		}
		if (i < world->log.arrival_count)
			replay(world, &world->log.arrivals[i]);
	}
	violate(world, "damage that was not found: %.900s", why);
}

/* "" where all is well. */
static void verify(struct world *world, char why[RUN_WHY_BYTES])
{
	struct arena arena = ARENA_INIT;
	struct verify_report report = {0};
	struct reader *reader = NULL;
	why[0] = '\0';
	int rc = reader_open(&reader, world->path, 0, &world->fault);
	if (rc == 0)
		rc = reader_verify(reader, &arena, &report, &world->fault);
	if (rc != 0)
		(void)snprintf(why, RUN_WHY_BYTES, "verify: %.900s",
			world->fault.text);
	else if (report.problem_count > 0)
		(void)snprintf(why, RUN_WHY_BYTES, "verify: %.900s",
			report.problems[0]);
	reader_close(reader);
	arena_finish(&arena);
}

static void check_all(struct world *world)
{
	char why[RUN_WHY_BYTES];
	verify(world, why);
	world->over = world->tainted;
	if (world->tainted) {
		if (why[0] == '\0')
			find_any_beginning(world);
		return;
	}
	find_beginning(world);
	check_committed(world);
	if (why[0] == '\0')
		compare(world, why);
	if (why[0] != '\0')
		violate(world, "%s", why);
}

/* Nothing goes wrong while somebody looks. */
static void check(struct world *world)
{
	struct disk_plan plan = *disk_plan(world->disk);
	*disk_plan(world->disk) = (struct disk_plan){.lies = plan.lies};
	check_all(world);
	*disk_plan(world->disk) = plan;
}

static void notice(void *payload, const char *text)
{
	struct world *world = payload;
	disk_note(world->disk, text, strlen(text));
}

static bool wants(void *payload)
{
	return hand_wants(&((struct world *)payload)->hand);
}

/* Somebody else believes that this process is gone, and takes the store. */
static int take_over(struct world *world, struct fault *fault)
{
	struct store *other = NULL;
	struct store_options options = options_of(world);
	close(world->store->lock);
	world->store->lock = -1;
	world->taken_over = world->log.arrival_count;
	int rc = store_open(&other, &options, fault);
	store_close(other);
	return rc;
}

static int attend(void *payload, struct fault *fault)
{
	struct world *world = payload;
	if (world->taken_over == 0 && world->log.arrival_count > 0 &&
		chance_percent(
			&world->hand_chance, world->plan->takeover_percent))
		return take_over(world, fault);
	return hand_attend(&world->hand, fault);
}

/* True: all is taken. */
static bool take(struct world *world)
{
	atomic_bool stop = false;
	struct pipeline_options options = pipeline_options_default();
	options.source = &world->log.source;
	options.store = world->store;
	options.clock = log_clock(&world->log);
	options.threads = false;
	options.batch_records = world->plan->batch_records;
	options.stop = &stop;
	options.notice = notice;
	options.payload = world;
	options.wants = wants;
	options.attend = attend;
	world->hand = (struct hand){world->store, world->store->layout.database,
		&world->log, &world->hand_chance,
		world->plan->operator_percent};
	int rc = pipeline_run(&options, NULL, &world->fault);
	if (rc == 0)
		return true;
	if (may_fail(world, rc, "pipeline"))
		start_again(world);
	return false;
}

static void live(struct world *world)
{
	bool done = false;
	while (!done && !world->over && !is_violated(world)) {
		if (++world->result->starts > STARTS_MAX)
			violate(world, "it does not come to its end");
		if (!open_store(world))
			continue;
		check(world);
		if (!is_violated(world) && !world->over)
			done = take(world);
		if (done && disk_is_dead(world->disk)) {
			start_again(world);
			done = false;
		}
	}
	if (done && !is_violated(world))
		check(world);
}

static int remove_one(const char *path, const struct stat *status, int type,
	struct FTW *where)
{
	(void)status;
	(void)type;
	return where->level == 0 ? 0 : remove(path);
}

static void begin(struct world *world, const char *scratch)
{
	const struct run_plan *plan = world->plan;
	world->disk = disk_new(plan->seed);
	if (world->disk == NULL)
		abort();
	world->chance.state = plan->seed * 3 + plan->damage_seed;
	world->secrets.state = plan->seed;
	world->hand_chance.state = plan->seed;
	disk_damage_seed(world->disk, plan->damage_seed);
	wraps_use(world->disk, &world->secrets, 5);
	event_world_make(
		&world->events, plan->seed, plan->records, plan->window_us);
	log_source_init(&world->log, &world->events, world->disk, plan->seed);
	world->log.habits = plan->habits;
	world->log.drift_us = plan->window_us / 2;
	oracle_init(&world->oracle, plan->window_us);
	world->crashes_left = plan->crashes;
	(void)snprintf(world->path, sizeof world->path, "%s/store", scratch);
	if (schema_parse(&world->schema, slice_of(event_schema), "simulated",
		    &world->fault) != 0)
		violate(world, "%s", world->fault.text);
	disk_plan(world->disk)->lies = plan->lies;
	disk_plan(world->disk)->full_bytes = plan->full_bytes;
	plan_trouble(world, plan->crash_at);
}

static void end(struct world *world, const char *scratch)
{
	*disk_plan(world->disk) = (struct disk_plan){0};
	store_close(world->store);
	schema_free(world->schema);
	world->result->changes = disk_changes(world->disk);
	world->result->trace = disk_trace(world->disk);
	log_source_finish(&world->log);
	oracle_finish(&world->oracle);
	event_world_finish(&world->events);
	(void)nftw(scratch, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	disk_free(world->disk);
	wraps_use(NULL, NULL, 0);
}

void run(const struct run_plan *plan, const char *scratch,
	struct run_result *result)
{
	*result = (struct run_result){0};
	struct world world = {.plan = plan, .result = result};
	begin(&world, scratch);
	if (!is_violated(&world))
		live(&world);
	end(&world, scratch);
}
