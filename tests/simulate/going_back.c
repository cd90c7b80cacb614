#include "tests/simulate/going_back.h"

#include "ingest/bounded_source.h"
#include "ingest/pipeline.h"
#include "store/backup.h"
#include "store/decisions.h"
#include "store/generations.h"
#include "store/reader.h"
#include "tests/simulate/noted.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COPY_US 200	       /* of a backup, where no batch comes */
#define RESUME_PERCENT 20      /* of turns */
#define LOOK_PERCENT 10	       /* of a build's turns: is it there? */
#define GIVE_UP_PERCENT 2      /* of these: it is left half-built */
#define COMPLETE_PERCENT 70    /* of builds that are there */
#define TURN_PERCENT 70	       /* of complete ones */
#define STOP_PERCENT 70	       /* of rollbacks: nothing is taken then */
#define FROM_BACKUP_PERCENT 30 /* of builds */

struct past *past_new(uint64_t seed, int steps, unsigned percent)
{
	struct past *past = calloc(1, sizeof *past);
	if (past == NULL)
		return NULL;
	past->chance.state = seed ^ UINT64_C(0x2468ace);
	past->steps_left = steps;
	past->percent = percent;
	return past;
}

void past_free(struct past *past)
{
	if (past == NULL)
		return;
	for (int i = 0; i < PAST_GENERATIONS; i++)
		free(past->generations[i].arrivals.items);
	for (int i = 0; i < PAST_BACKUPS; i++)
		free(past->backups[i].arrivals.items);
	free(past);
}

static int number_of(const struct store *store)
{
	return atoi(store_generation(store) + 1);
}

static void name_of(int number, char out[GENERATION_NAME_BYTES])
{
	(void)snprintf(out, GENERATION_NAME_BYTES, "g%d", number);
}

static void copy_arrivals(struct arrivals *to, const struct arrivals *from)
{
	for (size_t i = 0; i < from->count; i++)
		arrive(to, &from->items[i]);
}

static void note_nexts(const struct store *store, int64_t out[EVENT_PARTITIONS])
{
	memset(out, 0, EVENT_PARTITIONS * sizeof *out);
	for (size_t i = 0; i < store_partition_count(store); i++) {
		const struct store_partition *one =
			store_partition_at(store, i);
		out[log_index(one->log.topic, one->log.partition)] =
			one->accounts.next_offset;
	}
}

/* Whoever reads the old one, in whatever process, learns that it was left
 * (design section 9). */
static void check_left(struct world *world, int number)
{
	char name[GENERATION_NAME_BYTES];
	struct reader *reader = NULL;
	struct disk_plan plan = *disk_plan(world->disk);
	*disk_plan(world->disk) = (struct disk_plan){0};
	name_of(number, name);
	int rc = reader_open_generation(
		&reader, world->path, name, 0, &world->fault);
	if (rc < 0 && !disk_is_dead(world->disk))
		violate(world, "left %s: %s", name, world->fault.text);
	if (rc == 0 && !reader_has_moved(reader))
		violate(world, "readers of %s stay there", name);
	reader_close(reader);
	*disk_plan(world->disk) = plan;
}

/* What was rolled back does not come back by itself. */
static void check_stands(struct world *world)
{
	const struct past *past = world->past;
	int64_t nexts[EVENT_PARTITIONS];
	note_nexts(world->store, nexts);
	if (past->stands && memcmp(nexts, past->stands_at, sizeof nexts) != 0)
		violate(world, "records were taken behind a rollback");
}

/* What arrived at the live one is in the log; that of the others is kept. */
static void became_live(struct world *world, int number)
{
	struct past *past = world->past;
	struct past_generation *old = &past->generations[past->live];
	struct past_generation *new = &past->generations[number];
	old->arrivals = world->arrivals;
	world->arrivals = new->arrivals;
	new->arrivals = (struct arrivals){0};
	old->exists = new->exists = true;
	old->complete = new->complete = PAST_COMPLETE;
	check_left(world, past->live);
	past->live = number;
	past->turning_to = 0;
	past->stands = past->turning_stops;
	note_nexts(world->store, past->stands_at);
	past->may_stand = true;
	/* Kafka is told the lower ones (design section 9). */
	for (int i = 0; i < EVENT_PARTITIONS; i++) {
		struct log_partition *one = &world->log.partitions[i];
		one->committed = one->kafka = one->late = 0;
		one->committed_incarnation = 0;
	}
}

void past_started(struct world *world)
{
	struct past *past = world->past;
	int number = number_of(world->store);
	if (past->live == 0)
		past->live = number;
	else if (number == past->turning_to)
		became_live(world, number);
	if (number != past->live)
		violate(world, "g%d is live, g%d was", number, past->live);
	past->turning_to = 0;
	past->may_stand = true;
	check_stands(world);
}

/* A build that takes the log to where the live one is. */
struct filling {
	struct world *world;
	struct store *build;
	int64_t limits[EVENT_PARTITIONS];
	bool given_up;
};

static bool is_there(const struct filling *filling)
{
	int64_t nexts[EVENT_PARTITIONS];
	bool there = true;
	note_nexts(filling->build, nexts);
	for (int i = 0; i < EVENT_PARTITIONS; i++)
		there &= nexts[i] >= filling->limits[i];
	return there;
}

static bool filling_wants(void *payload)
{
	struct filling *filling = payload;
	return chance_percent(&filling->world->past->chance, LOOK_PERCENT) ||
	       is_there(filling);
}

static int filling_attend(void *payload, struct fault *fault)
{
	struct filling *filling = payload;
	(void)fault;
	filling->given_up =
		!is_there(filling) &&
		chance_percent(&filling->world->past->chance, GIVE_UP_PERCENT);
	return filling->given_up || is_there(filling) ? PIPELINE_LEAVE : 0;
}

static int set_limits(struct filling *filling, struct bounded_source *bounded,
	struct fault *fault)
{
	const struct store *live = filling->world->store;
	int rc = 0;
	note_nexts(live, filling->limits);
	for (size_t i = 0; rc == 0 && i < store_partition_count(live); i++) {
		const struct store_partition *one = store_partition_at(live, i);
		const struct source_limit limit = {one->log.topic,
			one->log.partition, one->accounts.next_offset,
			one->as_of_us, false};
		rc = bounded_source_limit(bounded, &limit, fault);
	}
	return rc;
}

static int resume_all(struct store *store, struct fault *fault)
{
	int rc = 0;
	for (size_t i = 0; rc >= 0 && i < store_partition_count(store); i++)
		rc = store_resume_partition(
			store, &store_partition_at(store, i)->log, NULL, fault);
	return rc < 0 ? rc : 0;
}

static int take(
	struct filling *filling, struct source *source, struct fault *fault)
{
	atomic_bool stop = false;
	struct world *world = filling->world;
	struct pipeline_options options = pipeline_options_default();
	options.source = source;
	options.store = filling->build;
	options.clock = log_clock(&world->log);
	options.threads = false;
	options.batch_records = 1 + chance_below(&world->past->chance, 30);
	options.stop = &stop;
	options.wants = filling_wants;
	options.attend = filling_attend;
	options.payload = filling;
	return pipeline_run(&options, NULL, fault);
}

/* Through a source that the live one's progress bounds, as `rebuild` does; what
 * comes of it is noted. */
static int fill(
	struct filling *filling, struct arrivals *arrivals, struct fault *fault)
{
	struct world *world = filling->world;
	struct log_source log;
	struct arrivals given = {0}; /* more than what is below the limits */
	struct noted_source noted;
	struct bounded_source *bounded;
	log_source_init(&log, &world->events, world->disk, &given,
		chance_next(&world->past->chance));
	log.habits = world->plan->habits;
	log.drift_us = world->log.drift_us;
	log.produced_us = world->log.produced_us;
	int rc = resume_all(filling->build, fault);
	if (rc == 0)
		rc = bounded_source_open(&bounded, &log.source, fault);
	if (rc == 0) {
		rc = set_limits(filling, bounded, fault);
		noted_source_init(&noted, bounded_source_of(bounded),
			&world->events, arrivals);
		if (rc == 0)
			rc = take(filling, &noted.source, fault);
		source_close(bounded_source_of(bounded));
	}
	free(given.items);
	return rc == PIPELINE_LEAVE ? 0 : rc;
}

/* What it is called, and which of ours that is; NULL: no more are noted. */
static struct past_generation *slot_of(
	struct past *past, const struct store *build)
{
	int number = number_of(build);
	return number < PAST_GENERATIONS ? &past->generations[number] : NULL;
}

static int complete(struct past_generation *slot, struct store *build,
	bool carries, struct fault *fault)
{
	int rc = carries ? store_carry(build, NULL, fault) : 0;
	if (rc != 0)
		return rc;
	slot->complete = PAST_MAYBE;
	rc = store_complete(build, fault);
	if (rc == 0)
		slot->complete = PAST_COMPLETE;
	return rc;
}

static int turn_to(struct world *world, int number, bool exactly,
	const char *stop_reason, struct fault *fault)
{
	struct past *past = world->past;
	char name[GENERATION_NAME_BYTES];
	const struct store_switch to = {.generation = name,
		.exactly = exactly,
		.stop_reason = stop_reason,
		.stop_detail = "as the simulation wants"};
	name_of(number, name);
	note_nexts(world->store, past->generations[past->live].nexts);
	past->turning_to = number;
	past->turning_stops = stop_reason != NULL;
	int rc = store_switch(&world->store, &to, fault);
	if (rc != 0)
		return rc;
	became_live(world, number);
	world_prepare(world->store);
	return PIPELINE_LEAVE;
}

/* `build` is opened: filled, looked at, completed perhaps, closed. 1: it is
 * complete, and stands where the live one does. */
static int work_on(struct world *world, struct store *build,
	struct past_generation *slot, struct fault *fault)
{
	struct past *past = world->past;
	struct filling filling = {.world = world, .build = build};
	slot->exists = true;
	slot->complete = PAST_NOT;
	world_prepare(build);
	world_check_build(world, build, &slot->arrivals);
	int rc = fill(&filling, &slot->arrivals, fault);
	if (rc == 0)
		world_check_build(world, build, &slot->arrivals);
	if (rc < 0 || filling.given_up || store_partition_count(build) == 0 ||
		!chance_percent(&past->chance, COMPLETE_PERCENT))
		return rc;
	note_nexts(build, slot->nexts);
	rc = complete(slot, build, true, fault);
	return rc < 0 ? rc
		      : memcmp(slot->nexts, filling.limits,
				sizeof slot->nexts) == 0;
}

static bool backup_path(
	const struct world *world, size_t which, char out[PATH_MAX])
{
	char name[BACKUP_NAME_MAX + 1];
	(void)snprintf(name, sizeof name, "b%zu", which);
	return backups_path(out, world->path, name);
}

/* It died while it was opened: if its file is there, it is whole. */
static void note_left(struct world *world, const struct arrivals *base)
{
	struct past *past = world->past;
	for (int i = 1; i < PAST_GENERATIONS; i++) {
		char path[PATH_MAX];
		struct past_generation *slot = &past->generations[i];
		(void)snprintf(path, sizeof path, "%s/generations/g%d.db",
			world->path, i);
		if (slot->exists || i == past->live || access(path, F_OK) != 0)
			continue;
		slot->exists = true;
		slot->complete = PAST_NOT;
		slot->arrivals.count = 0;
		copy_arrivals(&slot->arrivals, base);
	}
}

static int build(struct world *world, const struct store_build *from,
	const struct arrivals *base, struct fault *fault)
{
	struct past *past = world->past;
	struct store *build = NULL;
	struct store_options options = world_options(world);
	if (from->generation != NULL) /* also if this fails half way */
		past->generations[atoi(from->generation + 1)].complete =
			PAST_MAYBE;
	int rc = store_build(&build, &options, from, fault);
	if (rc < 0 && from->generation == NULL)
		note_left(world, base);
	if (rc < 0)
		return rc;
	int number = number_of(build);
	struct past_generation *slot = slot_of(past, build);
	bool turns = chance_percent(&past->chance, TURN_PERCENT);
	if (slot != NULL && from->generation == NULL) {
		slot->arrivals.count = 0;
		copy_arrivals(&slot->arrivals, base);
	}
	if (slot != NULL)
		rc = work_on(world, build, slot, fault);
	store_close(build);
	return rc == 1 && turns ? turn_to(world, number, true, NULL, fault)
				: (rc == 1 ? 0 : rc);
}

/* One that exists, is not live, and is as complete; 0: none. */
static int pick(struct past *past, enum completeness complete)
{
	int found[PAST_GENERATIONS];
	size_t count = 0;
	for (int i = 1; i < PAST_GENERATIONS; i++)
		if (past->generations[i].exists && i != past->live &&
			past->generations[i].complete == complete)
			found[count++] = i;
	return count == 0 ? 0 : found[chance_below(&past->chance, count)];
}

/* One that was made; NULL: none. */
static const struct past_backup *pick_backup(
	struct world *world, char path[PATH_MAX])
{
	struct past *past = world->past;
	size_t made[PAST_BACKUPS], count = 0;
	for (size_t i = 0; i < PAST_BACKUPS; i++)
		if (past->backups[i].made)
			made[count++] = i;
	if (count == 0)
		return NULL;
	size_t which = made[chance_below(&past->chance, count)];
	return backup_path(world, which, path) ? &past->backups[which] : NULL;
}

static int step_build(struct world *world, struct fault *fault)
{
	struct past *past = world->past;
	const struct store_build from = {.origin = "the log"};
	const struct arrivals nothing = {0};
	char path[PATH_MAX];
	const struct past_backup *backup =
		chance_percent(&past->chance, FROM_BACKUP_PERCENT)
			? pick_backup(world, path)
			: NULL;
	const struct store_build based = {.base = path, .origin = "a backup"};
	return backup == NULL ? build(world, &from, &nothing, fault)
			      : build(world, &based, &backup->arrivals, fault);
}

static int step_go_on(struct world *world, struct fault *fault)
{
	struct past *past = world->past;
	char name[GENERATION_NAME_BYTES];
	int number = pick(past,
		chance_percent(&past->chance, 70) ? PAST_NOT : PAST_COMPLETE);
	const struct store_build from = {.generation = name};
	if (number == 0)
		return step_build(world, fault);
	name_of(number, name);
	return build(world, &from, NULL, fault);
}

static int step_roll_back(struct world *world, struct fault *fault)
{
	struct past *past = world->past;
	int number = pick(past, PAST_COMPLETE);
	bool stops = chance_percent(&past->chance, STOP_PERCENT);
	return number == 0 ? 0
			   : turn_to(world, number, false,
				     stops ? STOP_ROLLED_BACK : NULL, fault);
}

/* A backup becomes a generation, which takes the live one's place. */
static int step_restore(struct world *world, struct fault *fault)
{
	struct past *past = world->past;
	struct store *build = NULL;
	char path[PATH_MAX];
	struct store_options options = world_options(world);
	const struct past_backup *backup = pick_backup(world, path);
	const struct store_build from = {.base = path, .origin = "a backup"};
	if (backup == NULL)
		return 0;
	int rc = store_build(&build, &options, &from, fault);
	if (rc < 0)
		note_left(world, &backup->arrivals);
	if (rc < 0)
		return rc;
	int number = number_of(build);
	struct past_generation *slot = slot_of(past, build);
	if (slot != NULL) {
		slot->exists = true;
		slot->arrivals.count = 0;
		copy_arrivals(&slot->arrivals, &backup->arrivals);
		world_check_build(world, build, &slot->arrivals);
		note_nexts(build, slot->nexts);
		rc = complete(slot, build, false, fault);
	}
	store_close(build);
	return rc < 0 || slot == NULL
		       ? rc
		       : turn_to(world, number, false, NULL, fault);
}

static int step_drop(struct world *world, struct fault *fault)
{
	struct past *past = world->past;
	char name[GENERATION_NAME_BYTES];
	int number = pick(past,
		chance_percent(&past->chance, 50) ? PAST_NOT : PAST_COMPLETE);
	if (number == 0)
		return 0;
	name_of(number, name);
	past->generations[number].exists = false;
	return generation_drop(world->path, name, fault);
}

static int step_back_up(struct world *world, struct fault *fault)
{
	struct past *past = world->past;
	char name[BACKUP_NAME_MAX + 1];
	if (store_backup_phase(world->store) != BACKUP_NONE ||
		past->backups_begun == PAST_BACKUPS)
		return 0;
	(void)snprintf(name, sizeof name, "b%zu", past->backups_begun++);
	const struct backup_request request = {
		.name = name, .at_us = disk_now_us(world->disk)};
	return store_backup_begin(world->store, &request, fault);
}

/* What must be refused, and change nothing: one that is not complete, or stands
 * elsewhere. */
static int step_probe(struct world *world, struct fault *fault)
{
	struct past *past = world->past;
	int64_t nexts[EVENT_PARTITIONS];
	bool half = chance_percent(&past->chance, 50);
	int number = pick(past, half ? PAST_NOT : PAST_COMPLETE);
	if (number == 0)
		return 0;
	note_nexts(world->store, nexts);
	if (!half && memcmp(nexts, past->generations[number].nexts,
			     sizeof nexts) == 0)
		return 0;
	bool exactly = !half || chance_percent(&past->chance, 50);
	int rc = turn_to(world, number, exactly, NULL, fault);
	if (rc == PIPELINE_LEAVE)
		violate(world, "g%d took the live one's place", number);
	if (rc != FAULT_REFUSED)
		return rc;
	past->turning_to = 0;
	return 0;
}

static int end_backup(struct world *world, struct fault *fault)
{
	struct past *past = world->past;
	struct backup_report report;
	int rc = store_backup_end(world->store, &report, fault);
	struct past_backup *backup = &past->backups[past->backups_begun - 1];
	backup->made = report.code == 0;
	if (backup->made)
		copy_arrivals(&backup->arrivals, &world->arrivals);
	return rc > 0 ? FAULT_FULL : rc; /* unknown: look again */
}

static bool has_all_partitions(const struct world *world)
{
	return store_partition_count(world->store) >= EVENT_PARTITIONS;
}

bool past_wants(struct world *world)
{
	struct past *past = world->past;
	if (store_backup_wants(world->store) ||
		store_backup_phase(world->store) == BACKUP_ENDED)
		return true;
	if (past->may_stand && chance_percent(&past->chance, RESUME_PERCENT))
		return true;
	return past->steps_left > 0 && has_all_partitions(world) &&
	       chance_percent(&past->chance, past->percent);
}

static int step(struct world *world, struct fault *fault)
{
	static int (*const steps[])(struct world *, struct fault *) = {
		step_build, step_build, step_go_on, step_roll_back,
		step_restore, step_drop, step_back_up, step_back_up,
		step_probe};
	struct past *past = world->past;
	past->steps_left--;
	size_t which =
		chance_below(&past->chance, sizeof steps / sizeof *steps);
	return steps[which](world, fault);
}

int past_resume(struct world *world, struct fault *fault)
{
	struct past *past = world->past;
	if (past == NULL || !past->may_stand)
		return 1;
	check_stands(world);
	past->may_stand = past->stands = false;
	return resume_all(world->store, fault);
}

int past_attend(struct world *world, struct fault *fault)
{
	struct past *past = world->past;
	enum backup_phase phase = store_backup_phase(world->store);
	if (phase == BACKUP_ENDED)
		return end_backup(world, fault);
	if (phase == BACKUP_COPYING && store_backup_wants(world->store)) {
		store_backup_copy(world->store, COPY_US);
		return 0;
	}
	if (past->may_stand)
		return past_resume(world, fault);
	return past->steps_left > 0 && has_all_partitions(world)
		       ? step(world, fault)
		       : 0;
}
