#include "tests/walk/chapters.h"

#include "store/backup.h"
#include "store/letter_list.h"
#include "tests/walk/chapters_back.h"
#include "tests/walk/chapters_doubt.h"
#include "tests/walk/steps.h"

#include <string.h>

static int play_reopen(struct stage *stage)
{
	int rc = stage_open(stage);
	if (rc == 0)
		rc = stage_take(stage, 0);
	stage_close(stage);
	if (rc == 0)
		rc = stage_open(stage);
	return rc == 0 ? stage_take_all(stage) : rc;
}

static int read_letters(struct stage *stage)
{
	struct letter_whole letters[STEP_LETTERS];
	int rc = 0;
	for (int kind = LETTER_DEAD; rc >= 0 && kind <= LETTER_PARKED; kind++) {
		const struct letter_filter filter = {
			.kind = (enum letter_kind)kind,
			.topic = kind == LETTER_DEAD ? "pay" : NULL,
			.since_us = TIMESTAMP_NONE,
			.until_us = TIMESTAMP_NONE};
		rc = reader_letters(stage->reader, &filter, &stage->arena,
			letters, STEP_LETTERS, &stage->fault);
	}
	return rc < 0 ? rc : 0;
}

static int play_read(struct stage *stage)
{
	struct stage_sum sum;
	int64_t exported;
	int rc = stage_look(stage, &sum); /* opens the reader, verifies */
	if (rc == 0)
		reader_keep(stage->reader, true);
	if (rc == 0)
		rc = step_look_up(stage);
	if (rc == 0)
		rc = read_letters(stage);
	if (rc == 0)
		rc = reader_exported(stage->reader, &exported, &stage->fault);
	return rc == 0 ? step_trace(stage) : rc;
}

/* Parked ones are tried, dead ones seen and cleared. */
static int play_letters(struct stage *stage)
{
	int64_t ids[STEP_LETTERS];
	int rc = stage_open(stage);
	if (rc == 0)
		rc = store_due(stage->store, INT64_MAX, ids, STEP_LETTERS,
			&stage->fault);
	if (rc >= 0)
		rc = step_retry(stage, LETTER_PARKED, ids, rc, false);
	if (rc == 0) {
		static const int64_t seen[] = {1, 2, 3};
		rc = store_acknowledge(
			stage->store, seen, 3, &stage_decision, &stage->fault);
	}
	if (rc >= 0)
		rc = store_note_export(stage->store, 2, &stage->fault);
	if (rc == 0)
		rc = store_clearable(stage->store, INT64_MAX, 2, ids,
			STEP_LETTERS, &stage->fault);
	return rc < 0 ? rc : step_retry(stage, LETTER_DEAD, ids, rc, true);
}

/* Its log lives elsewhere, and there is another partition. */
static int announce(struct stage *stage)
{
	struct store_announced announced[] = {
		{.topic = "pay", .cluster_id = "c1", .now_us = STAGE_TIME_US},
		{.topic = "pay", .partition = 1, .log_start = 5}};
	return store_partitions(stage->store, announced, 2, &stage->fault);
}

static int play_decisions(struct stage *stage)
{
	int rc = stage_open(stage);
	if (rc == 0)
		rc = step_hold(stage);
	if (rc == 0)
		rc = step_stop(stage, 0, STOP_PAUSED, store_resume_partition);
	if (rc == 0)
		rc = step_stop(stage, 0, STOP_LOST, store_accept_gap);
	if (rc == 0)
		rc = step_stop(stage, 1, STOP_DELETES, store_accept_gap);
	if (rc == 0)
		rc = step_stop(stage, 1, STOP_CHANGED, store_new_log);
	return rc == 0 ? announce(stage) : rc;
}

static int play_backup(struct stage *stage)
{
	const struct backup_file *files;
	size_t count;
	int rc = stage_open(stage);
	if (rc == 0)
		rc = step_backup(stage);
	if (rc == 0)
		rc = store_backup_remember(stage->store, &stage->fault);
	if (rc == 0)
		rc = backups_list(stage->path, &stage->arena, &files, &count,
			&stage->fault);
	if (rc == 0)
		rc = reader_open_newest_backup(
			&stage->reader, stage->path, &stage->fault);
	if (rc == 1)
		rc = fault_set(&stage->fault, FAULT_IO, "none can be opened");
	return rc == 0 ? step_look_up(stage) : rc;
}

static int play_generations(struct stage *stage)
{
	struct store_switch to = {.exactly = true, .decision = &stage_decision};
	static const struct building building = {.build = {.origin = "the log"},
		.end = STAGE_BATCHES,
		.carries = true,
		.forget_before_us = STAGE_TIME_US + 6 * INT64_C(1000000)};
	char before[GENERATION_NAME_BYTES];
	int rc = stage_open(stage);
	if (rc == 0)
		rc = step_build(stage, &building);
	if (rc == 0)
		rc = step_newest(stage, &to.generation);
	if (rc == 0)
		rc = step_compare(stage, to.generation, NULL);
	if (rc < 0)
		return rc;
	memcpy(before, store_generation(stage->store), sizeof before);
	rc = store_switch(&stage->store, &to, &stage->fault);
	if (rc == 0)
		rc = generation_drop(stage->path, before, &stage->fault);
	return rc;
}

static int play_schema(struct stage *stage)
{
	int rc = stage_open(stage);
	return rc == 0 ? step_change_schema(stage) : rc;
}

const struct chapter chapters[] = {
	{"make", NULL, step_take_all},
	{"reopen", step_take_all, play_reopen},
	{"read", step_take_all, play_read},
	{"letters", step_take_all, play_letters},
	{"decisions", step_take_all, play_decisions},
	{"backup", step_take_all, play_backup},
	{"generations", step_take_all, play_generations},
	{"schema", step_take_all, play_schema},
	{"views", before_views, play_views},
	{"trimmed", before_views, play_trimmed},
	{"base", before_base, play_base},
	{"back", before_back, play_back},
	{"replace", before_replace, play_replace},
	{"found", before_found, play_found},
	{"compare", before_compare, play_compare},
	{"damage", step_take_all, play_damage},
	{"search", before_search, play_search},
	{"condemned", before_condemned, play_search},
	{"told", before_told, play_told},
	{"library", step_take_all, play_library},
	{"window", NULL, play_window},
};
const int chapter_count = sizeof chapters / sizeof chapters[0];
