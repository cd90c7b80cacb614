/* Chapters of going back: from backups, to older generations, one view alone.
 */
#include "tests/walk/chapters_back.h"

#include "store/backups.h"
#include "store/damage.h"
#include "tests/lib/directory.h"
#include "tests/walk/steps.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define KEPT "kept.db" /* a backup, where the store's directory is lost */

static const struct building from_log = {.build = {.origin = "the log"},
	.end = STAGE_BATCHES,
	.carries = true};

static struct directory file_in(const struct stage *stage, const char *name)
{
	struct directory directory;
	(void)snprintf(
		directory.path, sizeof directory.path, "%s", stage->path);
	return directory_entry(&directory, name);
}

/* Turn to a generation, and drop the one that was live. */
static int turn_exactly(struct stage *stage, const char *generation)
{
	const struct store_switch to = {.generation = generation,
		.exactly = true,
		.decision = &stage_decision};
	char before[GENERATION_NAME_BYTES];
	memcpy(before, store_generation(stage->store), sizeof before);
	int rc = store_switch(&stage->store, &to, &stage->fault);
	if (rc == 0)
		rc = generation_check_drop(stage->path, before, &stage->fault);
	return rc == 0 ? generation_drop(stage->path, before, &stage->fault)
		       : rc;
}

/* Dead letters that leave, a hold, a pause, a file that was loaded. */
static int decide(struct stage *stage)
{
	static const int64_t seen[] = {1, 2};
	struct store_announced loaded = {.topic = "load:0123456789abcdef"};
	int rc = step_hold(stage);
	if (rc == 0)
		rc = step_stop(stage, 0, STOP_PAUSED, NULL);
	if (rc == 0)
		rc = store_acknowledge(
			stage->store, seen, 2, &stage_decision, &stage->fault);
	if (rc >= 0)
		rc = step_retry(stage, LETTER_DEAD, seen, 2, true);
	if (rc == 0)
		rc = store_note_export(stage->store, 2, &stage->fault);
	return rc == 0 ? store_partitions(
				 stage->store, &loaded, 1, &stage->fault)
		       : rc;
}

int before_views(struct stage *stage)
{
	int rc = step_take_all(stage);
	return rc == 0 ? decide(stage) : rc;
}

/* The view pair is built anew, from a log that begins later. */
int play_views(struct stage *stage)
{
	const char *newest = NULL;
	struct building building = from_log;
	building.view = "pair";
	int rc = stage_open(stage);
	if (rc == 0)
		rc = step_build(stage, &building);
	if (rc == 0)
		rc = step_newest(stage, &newest);
	return rc == 0 ? turn_exactly(stage, newest) : rc;
}

/* Its first records are gone from the log: their letters are carried. */
int play_trimmed(struct stage *stage)
{
	const char *newest = NULL;
	struct building building = from_log;
	building.first = 1;
	stage->log_start = STAGE_RECORDS;
	int rc = stage_open(stage);
	if (rc == 0)
		rc = step_build(stage, &building);
	if (rc == 0)
		rc = step_newest(stage, &newest);
	return rc == 0 ? turn_exactly(stage, newest) : rc;
}

/* A backup of what was taken first. */
int before_base(struct stage *stage)
{
	int rc = stage_open(stage);
	if (rc == 0)
		rc = stage_take(stage, 0);
	if (rc == 0)
		rc = step_backup(stage);
	if (rc == 0)
		rc = stage_take_all(stage);
	return rc == 0 ? decide(stage) : rc;
}

static int newest_backup(struct stage *stage, char out[DIRECTORY_PATH_MAX])
{
	const struct backup_file *files;
	size_t count;
	int rc = backups_list(
		stage->path, &stage->arena, &files, &count, &stage->fault);
	if (rc == 0 && count == 0)
		rc = fault_set(&stage->fault, FAULT_IO, "there is no backup");
	if (rc == 0)
		(void)snprintf(out, DIRECTORY_PATH_MAX, "%s/backups/%s.db",
			stage->path, files[0].name);
	return rc;
}

/* Gone on with from there, twice: complete at once, then whole. */
int play_base(struct stage *stage)
{
	char base[DIRECTORY_PATH_MAX];
	struct building building = {
		.build = {.base = base, .origin = "a backup"}};
	const char *newest = NULL;
	int rc = stage_open(stage);
	if (rc == 0)
		rc = newest_backup(stage, base);
	if (rc == 0)
		rc = step_build(stage, &building);
	if (rc == 0)
		rc = step_newest(stage, &newest);
	building = from_log;
	building.build.generation = newest;
	building.build.stays_complete = true;
	if (rc == 0)
		rc = step_build(stage, &building);
	if (rc == 0)
		rc = step_compare(stage, newest, NULL);
	return rc == 0 ? turn_exactly(stage, newest) : rc;
}

/* Beside what is live an older one, as a backup would be. */
int before_back(struct stage *stage)
{
	struct building older = {
		.build = {.origin = "the log"}, .end = STAGE_BATCHES - 1};
	int rc = stage_open(stage);
	if (rc == 0)
		rc = stage_take(stage, 0);
	if (rc == 0)
		rc = step_hold(stage);
	if (rc == 0)
		rc = step_build(stage, &older);
	if (rc == 0)
		rc = stage_take_all(stage);
	return rc == 0 ? decide(stage) : rc;
}

static int resume_all(struct stage *stage)
{
	int rc = 0;
	for (int topic = 0; rc >= 0 && topic < STAGE_TOPICS; topic++) {
		const struct store_partition *partition = NULL;
		rc = stage_partition(stage, topic, &partition);
		if (rc == 0)
			rc = store_resume_partition(stage->store,
				&partition->log, &stage_decision,
				&stage->fault);
	}
	return rc < 0 ? rc : 0;
}

/* To the other one, and from there on again. */
int play_back(struct stage *stage)
{
	struct handover handover;
	struct store_switch to = {.stop_reason = STOP_ROLLED_BACK,
		.stop_detail = "for a test",
		.decision = &stage_decision,
		.handover = &handover};
	int rc = stage_open(stage);
	if (rc < 0)
		return rc;
	to.generation =
		strcmp(store_generation(stage->store), "g1") == 0 ? "g2" : "g1";
	rc = store_switch(&stage->store, &to, &stage->fault);
	if (rc == 0)
		rc = resume_all(stage);
	return rc == 0 ? stage_take_all(stage) : rc;
}

/* What is live was found to be damaged. */
int before_replace(struct stage *stage)
{
	struct damage damage = {.all = true};
	int rc = before_back(stage);
	stage_close(stage);
	damage_add(&damage, "a test");
	return rc == 0 ? damage_write(file_in(stage, "generations/g1.db").path,
				 &damage, &stage->fault)
		       : rc;
}

int play_replace(struct stage *stage)
{
	struct handover handover;
	const struct store_switch to = {.generation = "g2",
		.decision = &stage_decision,
		.handover = &handover};
	int rc = stage_open(stage);
	if (rc == FAULT_CORRUPT) {
		rc = store_replace(&stage->options, &to, &stage->fault);
		if (rc == 0)
			rc = stage_open(stage);
	}
	return rc == 0 ? stage_take_all(stage) : rc;
}

/* All but a backup is lost. */
int before_found(struct stage *stage)
{
	char backup[DIRECTORY_PATH_MAX];
	int rc = before_base(stage);
	stage_close(stage);
	if (rc == 0)
		rc = newest_backup(stage, backup);
	if (rc < 0)
		return rc;
	static const char *const lost[] = {"features.db", "generations/g1.db",
		"generations/g1.db-wal", "generations/g1.db-shm"};
	if (rename(backup, file_in(stage, KEPT).path) != 0)
		return fault_set(&stage->fault, FAULT_IO, "%s", backup);
	for (size_t i = 0; i < sizeof lost / sizeof lost[0]; i++)
		(void)unlink(file_in(stage, lost[i]).path);
	return 0;
}

int play_found(struct stage *stage)
{
	struct directory kept = file_in(stage, KEPT);
	int rc = store_found(&stage->options, kept.path, &stage->fault);
	if (rc == 0 || rc == FAULT_REFUSED) /* it was founded before */
		rc = stage_open(stage);
	return rc == 0 ? stage_take_all(stage) : rc;
}

static int begun(void *payload, struct fault *fault)
{
	(void)payload;
	(void)fault;
	return 0;
}

static bool decided(void *payload, const struct difference *difference)
{
	(void)payload;
	return difference->left_feature != NULL;
}

static void differs(void *payload, const struct difference *difference)
{
	(void)payload;
	(void)difference;
}

/* Beside it one with less, and one under another schema. */
int before_compare(struct stage *stage)
{
	struct schema *own = stage->schema;
	struct schema *other = NULL;
	struct building less = {
		.build = {.origin = "the log"}, .end = STAGE_BATCHES - 1};
	int rc = step_take_all(stage);
	if (rc == 0)
		rc = step_build(stage, &less);
	if (rc == 0)
		rc = schema_parse(
			&other, slice_of(step_schema_text), "w", &stage->fault);
	stage->options.schema = other;
	less.end = STAGE_BATCHES;
	if (rc == 0)
		rc = step_build(stage, &less);
	stage->options.schema = own;
	schema_free(other);
	return rc;
}

int play_compare(struct stage *stage)
{
	struct diff_options options = {
		.begun = begun, .decided = decided, .differs = differs};
	int rc = step_compare(stage, "g2", &options);
	if (rc == 0)
		rc = step_compare(stage, "g3", &options);
	options.view = "pair";
	return rc == 0 ? step_compare(stage, "g3", &options) : rc;
}
