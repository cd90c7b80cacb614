/* Chapters of what went wrong before, and of those who only ask. */
#include "tests/walk/chapters_doubt.h"

#include "store/culprits.h"
#include "store/holdfast.h"
#include "store/lookup.h"
#include "store/run_note.h"
#include "store/trace.h"
#include "store/verify.h"
#include "tests/walk/steps.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define UNCLEAN_ENDS 18 /* batches of one record, and that found guilty */
#define WINDOW_BYTES 400000

static const char *database(const struct stage *stage, char out[PATH_MAX])
{
	(void)snprintf(out, PATH_MAX, "%s/generations/g1.db", stage->path);
	return out;
}

/* Looked at and found: remembered, or remembered no more. */
static int examine(struct stage *stage, int64_t problems, int expected)
{
	struct verify_report report = {0};
	int rc = reader_open(&stage->reader, stage->path, 0, &stage->fault);
	if (rc == 0)
		rc = reader_verify(
			stage->reader, &stage->arena, &report, &stage->fault);
	if (rc < 0)
		return rc;
	report.problem_count += problems;
	if (problems > 0) {
		damage_add(&report.damage, "a test");
		damage_add_view(&report.damage, "card");
		damage_add_view(&report.damage, "card");
	}
	rc = reader_remember(
		stage->reader, &report, "a test", STAGE_TIME_US, &stage->fault);
	reader_close(stage->reader);
	stage->reader = NULL;
	if (rc >= 0 && rc != expected)
		rc = fault_set(&stage->fault, FAULT_IO,
			"what is remembered can't be read");
	return rc < 0 ? rc : 0;
}

static bool is_refused(struct stage *stage)
{
	int rc = stage_open(stage);
	stage_close(stage);
	return rc != 0;
}

/* Damage is noted, and it was none. */
int play_damage(struct stage *stage)
{
	int rc = examine(stage, 1, VERIFY_NOTED);
	if (rc == 0 && !is_refused(stage))
		rc = fault_set(&stage->fault, FAULT_INTERNAL, "it is opened");
	if (rc == 0)
		rc = examine(stage, 0, VERIFY_CLEARED);
	if (rc == 0)
		rc = store_examine(
			stage->path, "a test", STAGE_TIME_US, &stage->fault);
	if (rc == VERIFY_NOTED)
		rc = fault_set(&stage->fault, FAULT_IO,
			"a page that can't be read is damage, too");
	return rc == 0 ? step_take_all(stage) : rc;
}

/* A run that took up records of both, and got to one of them, or to letters. */
static int end_uncleanly(struct stage *stage, uint32_t letters)
{
	char path[PATH_MAX];
	struct run_note note = RUN_NOTE_INIT;
	int rc = stage_open(stage);
	int64_t epoch = rc == 0 ? store_epoch(stage->store) : 0;
	stage_close(stage);
	if (rc == 0)
		rc = run_note_begin(
			&note, database(stage, path), epoch, &stage->fault);
	for (uint32_t log = 1; rc == 0 && log <= STAGE_TOPICS; log++)
		rc = run_note_feed(&note, log, &stage->fault);
	if (rc == 0 && letters == 0)
		rc = run_note_alone(&note, 1,
			(STAGE_BATCHES - 1) * STAGE_RECORDS, &stage->fault);
	if (rc == 0 && letters > 0)
		rc = run_note_retry(&note, letters, 1, &stage->fault);
	(void)close(note.fd);
	return rc;
}

static int end_so_often(struct stage *stage, int ends, uint32_t letters)
{
	int rc = stage_open(stage);
	for (int batch = 0; rc == 0 && batch < STAGE_BATCHES - 1; batch++)
		rc = stage_take(stage, batch);
	stage_close(stage);
	for (int i = 0; rc == 0 && i < ends; i++)
		rc = end_uncleanly(stage, letters);
	return rc;
}

int before_search(struct stage *stage)
{
	return end_so_often(stage, UNCLEAN_ENDS, 0);
}

int before_condemned(struct stage *stage)
{
	return end_so_often(stage, CRASH_ALONE_ENDS, 1);
}

static int read_culprits(struct stage *stage)
{
	struct culprits culprits = CULPRITS_INIT;
	const struct log log = {.topic = "own"};
	const struct record record = {.log = &log, .offset = 1};
	int rc = culprits_read(&culprits, stage->reader, &stage->fault);
	if (rc == 0)
		(void)culprits_hold(&culprits, &record);
	culprits_finish(&culprits);
	return rc;
}

/* The search goes on, and ends with what it looked for. */
int play_search(struct stage *stage)
{
	const struct store_partition *partition = NULL;
	struct record record = {.offset = (STAGE_BATCHES - 1) * STAGE_RECORDS};
	int rc = stage_open(stage);
	if (rc == 0)
		rc = stage_partition(stage, 0, &partition);
	if (rc < 0)
		return rc;
	record.log = &partition->log;
	(void)store_suspicion(stage->store);
	rc = store_feeds(stage->store, record.log, &stage->fault);
	if (rc == 0)
		rc = store_alone(stage->store, &record, &stage->fault);
	if (rc == 0)
		rc = store_retries(stage->store, 1, 1, &stage->fault);
	if (rc == 0)
		rc = store_retries(stage->store, 0, 0, &stage->fault);
	if (rc == 0)
		rc = store_retries_over(stage->store, &stage->fault);
	if (rc == 0)
		rc = stage_take_all(stage);
	if (rc == 0)
		rc = reader_open(&stage->reader, stage->path, 0, &stage->fault);
	return rc == 0 ? read_culprits(stage) : rc;
}

/* Much that a status tells of. */
int before_told(struct stage *stage)
{
	int rc = before_condemned(stage);
	if (rc == 0)
		rc = end_uncleanly(stage, 2);
	if (rc == 0)
		rc = step_take_all(stage);
	if (rc == 0)
		rc = step_change_schema(stage);
	if (rc == 0)
		rc = step_hold(stage);
	if (rc == 0)
		rc = step_stop(stage, 0, STOP_PAUSED, NULL);
	return rc == 0 ? step_stop(stage, 1, STOP_LOST, NULL) : rc;
}

static int read_history(struct stage *stage)
{
	const struct trace_options options = {
		.key_window_us = stage->options.key_window_us};
	struct trace *trace = NULL;
	int rc = trace_open(&trace, stage->reader, &options, &stage->fault);
	if (rc == 0)
		rc = trace_begin(trace, &stage->fault);
	if (rc == 0) {
		const struct record first = {
			.log = &trace_partition(trace, "pay", 0)->log};
		(void)trace_predates_schema(trace, &first);
		(void)trace_schema_before(trace, 0);
		(void)trace_schema_before(trace, 1);
		trace_end(trace);
	}
	trace_close(trace);
	return rc;
}

int play_told(struct stage *stage)
{
	struct reader_status status;
	const struct reader_decision *decisions;
	size_t count;
	bool stopped;
	uint32_t version;
	int rc = reader_open(&stage->reader, stage->path, 0, &stage->fault);
	if (rc == 0)
		rc = reader_status(
			stage->reader, &stage->arena, &status, &stage->fault);
	if (rc == 0)
		rc = reader_summary(
			stage->reader, &stage->arena, &status, &stage->fault);
	if (rc == 0)
		rc = reader_decisions(stage->reader, &stage->arena, &decisions,
			&count, &stage->fault);
	if (rc == 0)
		rc = reader_all_stopped(stage->reader, &stopped, &stage->fault);
	if (rc == 0)
		rc = reader_data_version(
			stage->reader, &version, &stage->fault);
	if (rc == 0)
		rc = step_look_up(stage);
	if (rc == 0)
		rc = read_history(stage);
	return rc == 0 ? read_culprits(stage) : rc;
}

static int told(struct stage *stage, const struct holdfast_error *error, int rc)
{
	return rc >= 0 ? 0 : fault_set(&stage->fault, rc, "%s", error->text);
}

/* All that is asked for, bound and answered. */
static int answer(struct holdfast_query *query, struct holdfast_error *error)
{
	static const char *const cards[] = {"a", "b", "nobody"};
	static const int64_t users[] = {1, 2, 3};
	static const char *const items[] = {"i", "q", "i"};
	const struct holdfast_answer *out;
	size_t count;
	(void)holdfast_query_keys(query, &count);
	holdfast_bind_text(query, 0, cards, NULL, 3);
	if (count == 3) {
		holdfast_bind_int64(query, 1, users, 3);
		holdfast_bind_text(query, 2, items, NULL, 3);
	}
	int rc = holdfast_lookup(query, &out, error);
	char position[64];
	if (rc < 0)
		return rc;
	(void)snprintf(position, sizeof position, "%s", out->position);
	rc = holdfast_lookup_at_least(query, position, 0, &out, error);
	return rc < 0 ? rc : 0;
}

static int ask(
	struct holdfast *store, bool service, struct holdfast_error *error)
{
	static const char *const features[] = {"card:vector", "card:country",
		"card:txns", "pair:low", "pair:seen"};
	const struct holdfast_terms terms = {.max_lag_us = 1000000};
	struct holdfast_query *query = NULL;
	int rc = service ? holdfast_query_service(
				   &query, store, "all", NULL, error)
			 : holdfast_query_new(
				   &query, store, features, 5, &terms, error);
	if (rc == 0)
		rc = answer(query, error);
	holdfast_query_free(query);
	return rc;
}

int play_library(struct stage *stage)
{
	struct holdfast *store = NULL;
	struct holdfast_error error = {0};
	int rc = holdfast_open(&store, stage->path, 0, &error);
	if (rc == 0)
		holdfast_keep(store, true);
	if (rc == 0)
		rc = ask(store, false, &error);
	if (rc == 0)
		rc = ask(store, true, &error);
	if (rc >= 0)
		rc = holdfast_refresh(store, &error);
	if (rc >= 0)
		holdfast_rest(store);
	holdfast_close(store);
	return told(stage, &error, rc);
}

/* A key window that holds next to nothing. */
int play_window(struct stage *stage)
{
	stage->options.key_window_us = 1;
	stage->options.key_window_keys = 1;
	stage->options.key_window_max_bytes = WINDOW_BYTES;
	stage->options.keys_later = true;
	int rc = stage_open(stage);
	if (rc == 0)
		rc = store_load_keys(stage->store, 1, &stage->fault);
	if (rc >= 0)
		rc = stage_take_all(stage);
	return rc == 0 ? store_leave(stage->store, &stage->fault) : rc;
}
