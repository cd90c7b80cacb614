#include "tests/walk/chapters.h"

#include "ingest/retry.h"
#include "store/backup.h"
#include "store/generation_diff.h"
#include "store/generations.h"
#include "store/letter_list.h"
#include "store/lookup.h"
#include "store/schema_change.h"
#include "store/trace.h"

#include <string.h>
#include <time.h>

#define LETTERS 16

/* A store that took all there is. */
static int taken(struct stage *stage)
{
	int rc = stage_open(stage);
	return rc == 0 ? stage_take_all(stage) : rc;
}

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

/* All features of two cards, of which one is there. */
static int look_up(struct stage *stage)
{
	static const size_t features[] = {0, 1, 2, 3};
	const struct value entities[] = {
		{.state = VALUE_SET, .as.bytes = slice_of("a")},
		{.state = VALUE_SET, .as.bytes = slice_of("nobody")}};
	const struct lookup_part part = {
		.view = reader_schema(stage->reader)->views,
		.features = features,
		.feature_count = 4,
		.entities = entities,
		.entity_count = 2};
	const struct lookup_question question = {.parts = &part,
		.part_count = 1,
		.row_count = 2,
		.terms = terms_loosest(),
		.now_us = STAGE_TIME_US};
	struct lookup_answer answer;
	struct row row;
	int rc = reader_look_up(stage->reader, &question, &stage->arena,
		&answer, &stage->fault);
	if (rc >= 0)
		rc = reader_get(stage->reader, part.view, entities,
			&stage->arena, &row, &stage->fault);
	return rc < 0 ? rc : 0;
}

static int read_letters(struct stage *stage)
{
	struct letter_whole letters[LETTERS];
	int rc = 0;
	for (int kind = LETTER_DEAD; rc >= 0 && kind <= LETTER_PARKED; kind++) {
		const struct letter_filter filter = {
			.kind = (enum letter_kind)kind,
			.topic = kind == LETTER_DEAD ? "pay" : NULL,
			.since_us = TIMESTAMP_NONE,
			.until_us = TIMESTAMP_NONE};
		rc = reader_letters(stage->reader, &filter, &stage->arena,
			letters, LETTERS, &stage->fault);
	}
	return rc < 0 ? rc : 0;
}

/* As replay does it, with one record. */
static int trace_within(struct stage *stage, struct trace *trace)
{
	struct proof proof;
	struct store_record record = {
		.record = {.offset = 1,
			.next_offset = 2,
			.timestamp_us = STAGE_TIME_US,
			.value = slice_of("{\"id\": 2}")}};
	const struct schema *schema = reader_schema(stage->reader);
	struct decoder decoder = {.schema = schema,
		.value_bytes_max = VALUE_BYTES_MAX,
		.depth_max = DEPTH_MAX,
		.max_skew_us = MAX_SKEW_US};
	record.record.log = &trace_partition(trace, "pay", 0)->log;
	record.record.value = slice_of("{\"id\": 2, \"card\": \"b\","
				       " \"status\": 1, \"amount\": 2}");
	memcpy(decoder.secret, trace_secret(trace), SECRET_BYTES);
	int rc = decode_record(&decoder, schema_source(schema, "pay"),
		&record.record, &stage->arena, &record.decoded, &stage->fault);
	if (rc == 0)
		rc = trace_record(trace, &record.record, &stage->fault);
	if (rc == 0)
		rc = trace_update(trace, &record, record.decoded.updates,
			&stage->arena, &proof, &stage->fault);
	return rc;
}

static int read_trace(struct stage *stage)
{
	const struct trace_options options = {
		.key_window_us = stage->options.key_window_us,
		.key_window_keys = stage->options.key_window_keys};
	struct trace *trace = NULL;
	struct trace_key key = {.version = {.event_us = STAGE_TIME_US}};
	int rc = trace_open(&trace, stage->reader, &options, &stage->fault);
	if (rc == 0)
		rc = trace_begin(trace, &stage->fault);
	if (rc == 0)
		rc = trace_within(stage, trace);
	if (rc == 0)
		key.version.log = &trace_partition(trace, "pay", 0)->log;
	if (trace != NULL)
		trace_end(trace);
	if (rc == 0)
		rc = trace_find_keys(trace, &key, 1, &stage->fault);
	trace_close(trace);
	return rc;
}

static int play_read(struct stage *stage)
{
	struct stage_sum sum;
	int64_t exported;
	int rc = stage_look(stage, &sum); /* opens the reader, verifies */
	if (rc == 0)
		reader_keep(stage->reader, true);
	if (rc == 0)
		rc = look_up(stage);
	if (rc == 0)
		rc = read_letters(stage);
	if (rc == 0)
		rc = reader_exported(stage->reader, &exported, &stage->fault);
	return rc == 0 ? read_trace(stage) : rc;
}

static int retry(struct stage *stage, enum letter_kind kind, const int64_t *ids,
	int count, bool clear)
{
	struct dice dice = {0};
	struct retry_result results[LETTERS];
	const struct retry_request request = {.store = stage->store,
		.decoder = {.value_bytes_max = VALUE_BYTES_MAX,
			.depth_max = DEPTH_MAX,
			.max_skew_us = MAX_SKEW_US},
		.kind = kind,
		.ids = ids,
		.count = (size_t)count,
		.how = {.clear = clear,
			.attempts_max = 100,
			.decision = &stage_decision},
		.uncounted = clear,
		.now_us = STAGE_TIME_US,
		.dice = &dice};
	int rc;
	do
		rc = retry_letters(&request, results, &stage->fault);
	while (stage_again(stage, rc) || rc == STORE_OUTCOME_UNKNOWN);
	return rc;
}

/* Parked ones are tried, dead ones seen and cleared. */
static int play_letters(struct stage *stage)
{
	int64_t ids[LETTERS];
	int rc = stage_open(stage);
	if (rc == 0)
		rc = store_due(
			stage->store, INT64_MAX, ids, LETTERS, &stage->fault);
	if (rc >= 0)
		rc = retry(stage, LETTER_PARKED, ids, rc, false);
	if (rc == 0) {
		static const int64_t seen[] = {1, 2, 3};
		rc = store_acknowledge(
			stage->store, seen, 3, &stage_decision, &stage->fault);
	}
	if (rc >= 0)
		rc = store_note_export(stage->store, 2, &stage->fault);
	if (rc == 0)
		rc = store_clearable(stage->store, INT64_MAX, 2, ids, LETTERS,
			&stage->fault);
	return rc < 0 ? rc : retry(stage, LETTER_DEAD, ids, rc, true);
}

static int hold(struct stage *stage)
{
	int rc = store_hold(stage->store, "card", "spend", CHOICE_FAIL,
		&stage_decision, &stage->fault);
	if (rc == 0)
		rc = store_hold(stage->store, "pair", NULL, CHOICE_DEFAULT,
			&stage_decision, &stage->fault);
	if (rc == 0)
		rc = store_release(stage->store, "pair", NULL, &stage_decision,
			&stage->fault);
	if (rc == 0)
		rc = store_decide(stage->store, &stage_decision, &stage->fault);
	return rc < 0 ? rc : 0;
}

/* Stopped for `reason`, asked about, and taken up again by `end`. */
static int stop(struct stage *stage, int topic, const char *reason,
	int (*end)(struct store *, const struct log *, const struct decision *,
		struct fault *))
{
	const struct store_partition *partition = NULL;
	int rc = stage_partition(stage, topic, &partition);
	if (rc < 0)
		return rc;
	const struct store_stop stop = {.log = &partition->log,
		.reason = reason,
		.detail = "for a test",
		.since_us = STAGE_TIME_US,
		.log_start = partition->accounts.next_offset};
	const char *why;
	rc = store_stop_partition(
		stage->store, &stop, &stage_decision, &stage->fault);
	if (rc == 0)
		rc = store_why_stopped(stage->store, &partition->log,
			&stage->arena, &why, &stage->fault);
	if (rc >= 0)
		rc = end(stage->store, &partition->log, &stage_decision,
			&stage->fault);
	return rc < 0 ? rc : 0;
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
		rc = hold(stage);
	if (rc == 0)
		rc = stop(stage, 0, STOP_PAUSED, store_resume_partition);
	if (rc == 0)
		rc = stop(stage, 0, STOP_LOST, store_accept_gap);
	if (rc == 0)
		rc = stop(stage, 1, STOP_DELETES, store_accept_gap);
	return rc == 0 ? announce(stage) : rc;
}

static int await_backup(struct stage *stage, struct backup_report *report)
{
	static const struct timespec pause = {0, 200000};
	while (store_backup_phase(stage->store) == BACKUP_COPYING)
		store_backup_copy(stage->store, 1000);
	while (store_backup_phase(stage->store) == BACKUP_CHECKING)
		(void)nanosleep(&pause, NULL);
	int rc = store_backup_end(stage->store, report, &stage->fault);
	if (rc == 0 && report->code != 0)
		rc = fault_set(&stage->fault, report->code, "%s", report->why);
	return rc;
}

static int make_backup(struct stage *stage)
{
	const struct backup_request request = {
		.at_us = STAGE_TIME_US, .keep = 1, .decision = &stage_decision};
	struct backup_report report;
	int rc = store_backup_begin(stage->store, &request, &stage->fault);
	if (rc == FAULT_REFUSED) /* there is one by this name */
		return 0;
	return rc == 0 ? await_backup(stage, &report) : rc;
}

static int play_backup(struct stage *stage)
{
	const struct backup_file *files;
	size_t count;
	int rc = stage_open(stage);
	if (rc == 0)
		rc = make_backup(stage);
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
	return rc == 0 ? look_up(stage) : rc;
}

/* The log, into a generation beside the live one. */
static int build(struct stage *stage)
{
	const struct store_build build = {.origin = "the log"};
	struct store *live = stage->store;
	int64_t forgotten;
	int rc = store_build(
		&stage->store, &stage->options, &build, &stage->fault);
	if (rc < 0)
		stage->store = live;
	if (rc < 0)
		return rc;
	rc = stage_take_all(stage);
	if (rc == 0)
		rc = store_forget_deletes(stage->store, STAGE_TIME_US / 2,
			&forgotten, &stage->fault);
	if (rc == 0)
		rc = store_carry(stage->store, NULL, &stage->fault);
	if (rc == 0)
		rc = store_complete(stage->store, &stage->fault);
	store_close(stage->store);
	stage->store = live;
	return rc;
}

static void ignore(void *payload, const struct difference *difference)
{
	(void)payload;
	(void)difference;
}

static int compare(struct stage *stage, const char *generation)
{
	const struct diff_options options = {.differs = ignore};
	struct reader *other = NULL;
	struct diff diff;
	int rc = reader_open(&stage->reader, stage->path, 0, &stage->fault);
	if (rc == 0)
		rc = reader_open_generation(
			&other, stage->path, generation, 0, &stage->fault);
	if (rc == 0)
		rc = readers_compare(stage->reader, other, &options,
			&stage->arena, &diff, &stage->fault);
	reader_close(other);
	reader_close(stage->reader);
	stage->reader = NULL;
	return rc;
}

static int list(struct stage *stage, const char **newest)
{
	const struct generation *all;
	size_t count;
	int rc = generations_list(
		stage->path, &stage->arena, &all, &count, &stage->fault);
	if (rc == 0)
		*newest = all[count - 1].name;
	return rc;
}

static int play_generations(struct stage *stage)
{
	struct store_switch to = {.exactly = true, .decision = &stage_decision};
	char before[GENERATION_NAME_BYTES];
	int rc = stage_open(stage);
	if (rc == 0)
		rc = build(stage);
	if (rc == 0)
		rc = list(stage, &to.generation);
	if (rc == 0)
		rc = compare(stage, to.generation);
	if (rc < 0)
		return rc;
	memcpy(before, store_generation(stage->store), sizeof before);
	rc = store_switch(&stage->store, &to, &stage->fault);
	if (rc == 0)
		rc = generation_drop(stage->path, before, &stage->fault);
	return rc;
}

static const char *const wanted_text =
	"{\"views\": {"
	" \"card\": {\"entity\": {\"card_id\": \"string\"}, \"features\": {"
	"  \"txns\": {\"type\": \"int64\", \"merge\": \"sum\"},"
	"  \"spend\": {\"type\": \"decimal(2)\", \"merge\": \"sum\"},"
	"  \"country\": {\"type\": \"string\", \"default\": \"?\"},"
	"  \"city\": {\"type\": \"string\"},"
	"  \"vector\": {\"type\": \"float32[2]\"}}, \"ttl\": \"20d\"},"
	" \"pair\": {\"entity\": {\"user\": \"int64\", \"item\": \"string\"},"
	"  \"features\": {\"low\": {\"type\": \"int64\", \"merge\": \"min\"},"
	"   \"seen\": {\"type\": \"timestamp\"}}},"
	" \"more\": {\"entity\": {\"id\": \"int64\"}, \"features\":"
	"  {\"x\": {\"type\": \"int64\"}}}},"
	"\"services\": {\"all\": [\"card:txns\", \"pair:low\"]},"
	"\"sources\": {"
	" \"pay\": {\"id\": \"/id\", \"updates\": ["
	"  {\"view\": \"card\", \"entity\": {\"card_id\": \"/card\"},"
	"   \"when\": {\"/status\": [\"paid\", 1]},"
	"   \"features\": {\"txns\": {\"const\": 1}, \"spend\": \"/amount\","
	"    \"country\": \"/country\"}},"
	"  {\"view\": \"card\", \"entity\": {\"card_id\": \"/payee\"},"
	"   \"features\": {\"spend\": \"/received\"}}]},"
	" \"own\": {\"unknown_feature\": \"park\"},"
	" \"extra\": {}}}";

static int play_schema(struct stage *stage)
{
	struct schema *wanted = NULL;
	bool changed;
	int rc = stage_open(stage);
	if (rc == 0)
		rc = schema_parse(
			&wanted, slice_of(wanted_text), "w", &stage->fault);
	if (rc == 0)
		rc = store_take_schema(&stage->store, wanted, &stage_decision,
			&changed, &stage->fault);
	schema_free(wanted);
	return rc;
}

const struct chapter chapters[] = {
	{"make", NULL, taken},
	{"reopen", taken, play_reopen},
	{"read", taken, play_read},
	{"letters", taken, play_letters},
	{"decisions", taken, play_decisions},
	{"backup", taken, play_backup},
	{"generations", taken, play_generations},
	{"schema", taken, play_schema},
};
const int chapter_count = sizeof chapters / sizeof chapters[0];
