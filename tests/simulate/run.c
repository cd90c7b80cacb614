/* A run: start, look, take, until something goes wrong; and again. */
#include "tests/simulate/run.h"

#include "ingest/pipeline.h"
#include "store/writer.h"
#include "tests/simulate/going_back.h"
#include "tests/simulate/world.h"
#include "tests/simulate/wraps.h"

#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STARTS_MAX 400
#define BACKLOG_US (INT64_MAX / 2) /* later than any record */
#define SEGMENT_ROWS 4	      /* keys that are let go together: few, here */
#define RIVAL_PERCENT 50      /* of other owners take records, too */
#define RIVAL_ENDS_PERCENT 30 /* with each batch of theirs */
#define WRITE_US 20	  /* of the clock: so that a backup takes its time */
#define INTRUDE_PERCENT 3 /* of an operator's turns: a second writer tries */

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

/* Asked to end, it did. */
static void begin_anew(struct world *world)
{
	store_close(world->store);
	world->store = NULL;
	log_source_restart(&world->log);
}

/* Did the fault come from what was done to the disk? Then start again. */
static bool may_fail(struct world *world, int rc, const char *where)
{
	if (disk_is_dead(world->disk) || disk_has_failed(world->disk))
		return true;
	if ((rc == FAULT_FULL || rc == FAULT_BUSY) &&
		disk_was_full(world->disk)) {
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

struct store_options world_options(const struct world *world)
{
	struct store_options options = store_options_default();
	options.path = world->path;
	options.schema = world->schema;
	options.key_window_us = world->plan->window_us;
	options.key_window_keys = world->plan->window_keys;
	if (world->plan->cache_bytes != 0)
		options.cache_bytes = world->plan->cache_bytes;
	if (world->window_bytes != 0)
		options.key_window_max_bytes = world->window_bytes;
	options.wal_max_bytes = world->plan->wal_bytes;
	options.ballast_bytes = 0;
	return options;
}

void world_prepare(struct store *store)
{
	store->keys.segment_rows = SEGMENT_ROWS;
}

static bool open_store(struct world *world)
{
	struct store_options options = world_options(world);
	int rc = store_open(&world->store, &options, &world->fault);
	if (rc == 0) {
		world_prepare(world->store);
		if (world->past != NULL)
			past_started(world);
		return true;
	}
	if (may_fail(world, rc, "open"))
		start_again(world);
	return false;
}

static void notice(void *payload, const char *text)
{
	struct world *world = payload;
	disk_note(world->disk, text, strlen(text));
}

static bool wants(void *payload)
{
	struct world *world = payload;
	world->goes_back = world->past != NULL && past_wants(world);
	return world->goes_back || hand_wants(&world->hand);
}

/* Nothing else is in flight. */
static void landed(void *payload, const struct store_tally *tally)
{
	struct arrivals *arrivals = &((struct world *)payload)->arrivals;
	(void)tally;
	arrivals->landed = arrivals->count;
}

static struct pipeline_options pipeline_of(
	struct world *world, struct log_source *log, struct store *store)
{
	struct pipeline_options options = pipeline_options_default();
	options.source = &log->source;
	options.store = store;
	options.clock = log_clock(log);
	options.threads = false;
	options.batch_records = world->plan->batch_records;
	options.stop = &world->stop;
	options.notice = notice;
	options.landed = landed;
	options.payload = world;
	return options;
}

static void rival_landed(void *payload, const struct store_tally *tally)
{
	struct world *world = payload;
	landed(payload, tally);
	if (chance_percent(&world->hand_chance, RIVAL_ENDS_PERCENT))
		atomic_store(&world->stop, true);
}

/* It takes a while, as its owner, and is gone. What was committed counts,
 * whoever did. */
static void be_rival(struct world *world, struct store *store)
{
	struct log_source *rival = &world->rival;
	struct fault fault;
	*rival = world->log;
	rival->troubles_left = 0;
	rival->habits.again = 0;
	log_source_restart(rival);
	struct pipeline_options options = pipeline_of(world, rival, store);
	options.landed = rival_landed;
	(void)pipeline_run(&options, NULL, &fault);
	atomic_store(&world->stop, false);
	world->log.chance = rival->chance;
	world->log.produced_us = rival->produced_us;
	world->log.polls_left = rival->polls_left;
	for (int i = 0; i < EVENT_PARTITIONS; i++) {
		struct log_partition *ours = &world->log.partitions[i];
		const struct log_partition *its = &rival->partitions[i];
		ours->committed = its->committed;
		ours->committed_incarnation = its->committed_incarnation;
		ours->kafka = its->kafka;
		ours->late = its->late;
		ours->stops = its->stops;
	}
}

/* Somebody else believes that this process is gone, and takes the store. */
static int take_over(struct world *world, struct fault *fault)
{
	struct store *other = NULL;
	struct store_options options = world_options(world);
	close(world->store->lock);
	world->store->lock = -1;
	int rc = store_open(&other, &options, fault);
	if (rc == 0 && chance_percent(&world->hand_chance, RIVAL_PERCENT))
		be_rival(world, other);
	store_close(other);
	world->taken_over = world->arrivals.count;
	return rc;
}

static int remove_stray(const char *path, const struct stat *status, int type,
	struct FTW *where)
{
	(void)status;
	const char *name = path + where->base;
	if (type == FTW_F && where->level == 1 &&
		strcmp(name, "features.db") != 0)
		(void)unlink(path);
	return 0;
}

/* Somebody tidies up, and starts a second one: it is refused (P9). */
static int intrude(struct world *world)
{
	struct store *other = NULL;
	struct fault fault;
	struct store_options options = world_options(world);
	(void)nftw(world->path, remove_stray, 8, FTW_PHYS);
	int rc = store_open(&other, &options, &fault);
	if (rc == 0)
		violate(world, "a second writer was let in");
	store_close(other);
	return 0;
}

static int attend(void *payload, struct fault *fault)
{
	struct world *world = payload;
	struct chance *chance = &world->hand_chance;
	if (world->goes_back)
		return past_attend(world, fault);
	if (chance_percent(chance, world->plan->stop_percent))
		atomic_store(&world->stop, true);
	if (world->taken_over == 0 && world->arrivals.count > 0 &&
		chance_percent(chance, world->plan->takeover_percent))
		return take_over(world, fault);
	if (world->taken_over == 0 && chance_percent(chance, INTRUDE_PERCENT))
		return intrude(world);
	int rc = hand_attend(&world->hand, fault);
	world->arrivals.landed = world->arrivals.count;
	return rc;
}

/* One whose keys fill the window by themselves waits for that. */
static bool may_raise(struct world *world)
{
	int64_t full = 0;
	int rc = sql_integer(world->store->db,
		"SELECT count(*) FROM _stop WHERE reason = 'key_window_full'",
		&full, &world->fault);
	if (rc < 0 || full == 0 || world->window_bytes == 0)
		return false;
	world->window_bytes *= 2;
	begin_anew(world);
	return true;
}

/* An operator goes on: behind a rollback, or with what is wrong with logs. */
static int resume(struct world *world)
{
	int rc = past_resume(world, &world->fault);
	if (rc <= 0)
		return rc;
	disk_plan(world->disk)->full_bytes = 0; /* who is there makes room */
	do {
		rc = hand_resume(&world->hand, &world->fault);
	} while (rc == 0);
	return rc == 1 ? 0 : rc;
}

/* Stopped partitions are resumed, when all others were taken. */
static bool may_resume(struct world *world, int rc)
{
	bool back = world->past != NULL && world->past->may_stand;
	if (rc != FAULT_LOG)
		return false;
	if (!back && !atomic_load(&world->stop) &&
		!log_source_is_done(&world->log))
		violate(world, "a stopped partition kept others from going on");
	if (!back && log_source_stopped(&world->log) == 0)
		return may_raise(world);
	rc = resume(world);
	if (rc < 0 && may_fail(world, rc, "resume"))
		start_again(world);
	if (rc == 0)
		begin_anew(world);
	return true;
}

/* True: all is taken. */
static bool take(struct world *world)
{
	struct pipeline_options options =
		pipeline_of(world, &world->log, world->store);
	options.wants = wants;
	options.attend = attend;
	world->hand = (struct hand){world->store, &world->log,
		&world->hand_chance, world->plan->operator_percent};
	atomic_store(&world->stop, false);
	int rc = pipeline_run(&options, NULL, &world->fault);
	if (world->log.why[0] != '\0')
		violate(world, "%s", world->log.why);
	if (rc == 0 && atomic_load(&world->stop) && !disk_is_dead(world->disk))
		begin_anew(world);
	else if (rc == 0)
		return true;
	else if (rc == PIPELINE_LEAVE && !disk_is_dead(world->disk))
		log_source_restart(&world->log); /* in another generation */
	else if (!may_resume(world, rc) && may_fail(world, rc, "pipeline"))
		start_again(world);
	return false;
}

static void live(struct world *world)
{
	bool done = false;
	while (!done && !world->over && !is_violated(world)) {
		if (++world->result->starts > STARTS_MAX)
			violate(world, "it does not come to its end");
		if (world->store == NULL && !open_store(world))
			continue;
		world_check(world);
		if (!is_violated(world) && !world->over)
			done = take(world);
		if (done && disk_is_dead(world->disk)) {
			start_again(world);
			done = false;
		}
	}
	if (done && !is_violated(world))
		world_check(world);
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
	event_world_make(&world->events, plan->seed, plan->records,
		plan->window_us, plan->troubles > 0 || plan->window_bytes > 0);
	log_source_init(&world->log, &world->events, world->disk,
		&world->arrivals, plan->seed);
	world->log.troubles_left = plan->troubles;
	world->log.habits = plan->habits;
	if (plan->habits.backlog)
		world->log.produced_us = BACKLOG_US;
	world->log.drift_us = plan->window_us / 2;
	oracle_init(&world->oracle, plan->window_us);
	world->crashes_left = plan->crashes;
	if (plan->steps_back > 0) {
		world->past = past_new(
			plan->seed, plan->steps_back, plan->back_percent);
		disk_write_us(world->disk, WRITE_US);
	}
	world->window_bytes = plan->window_bytes;
	world->log.abandons = plan->window_bytes > 0;
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
	past_free(world->past);
	schema_free(world->schema);
	world->result->changes = disk_changes(world->disk);
	world->result->trace = disk_trace(world->disk);
	free(world->arrivals.items);
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
