#include "tests/walk/steps.h"

#include "ingest/retry.h"
#include "store/backup.h"
#include "store/lookup.h"
#include "store/schema_change.h"
#include "store/trace.h"

#include <sched.h>
#include <string.h>

int step_take_all(struct stage *stage)
{
	int rc = stage_open(stage);
	return rc == 0 ? stage_take_all(stage) : rc;
}

int step_look_up(struct stage *stage)
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

int step_trace(struct stage *stage)
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

int step_retry(struct stage *stage, enum letter_kind kind, const int64_t *ids,
	int count, bool clear)
{
	struct dice dice = {0};
	struct retry_result results[STEP_LETTERS];
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

int step_hold(struct stage *stage)
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

int step_stop(struct stage *stage, int topic, const char *reason,
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
	if (rc >= 0 && end != NULL)
		rc = end(stage->store, &partition->log, &stage_decision,
			&stage->fault);
	return rc < 0 ? rc : 0;
}

static int await_backup(struct stage *stage, struct backup_report *report)
{
	while (store_backup_phase(stage->store) == BACKUP_COPYING)
		store_backup_copy(stage->store, 1000);
	while (store_backup_phase(stage->store) == BACKUP_CHECKING)
		(void)sched_yield();
	int rc = store_backup_end(stage->store, report, &stage->fault);
	if (rc == 0 && report->code != 0)
		rc = fault_set(&stage->fault, report->code, "%s", report->why);
	return rc;
}

int step_backup(struct stage *stage)
{
	const struct backup_request request = {
		.at_us = STAGE_TIME_US, .keep = 1, .decision = &stage_decision};
	struct backup_report report;
	int rc = store_backup_begin(stage->store, &request, &stage->fault);
	if (rc == FAULT_REFUSED) /* there is one by this name */
		return 0;
	return rc == 0 ? await_backup(stage, &report) : rc;
}

/* The log and what the live one has beside it. */
static int fill(struct stage *stage, const struct building *building)
{
	int64_t forgotten;
	int rc = 0;
	for (int batch = building->first; rc == 0 && batch < building->end;
		batch++)
		rc = stage_take(stage, batch);
	if (rc == 0 && building->forget_before_us != 0)
		rc = store_forget_deletes(stage->store,
			building->forget_before_us, &forgotten, &stage->fault);
	if (rc == 0 && building->carries)
		rc = store_carry_others(
			stage->store, building->view, NULL, &stage->fault);
	return rc == 0 ? store_complete(stage->store, &stage->fault) : rc;
}

int step_build(struct stage *stage, const struct building *building)
{
	struct store *live = stage->store;
	int rc = store_build(&stage->store, &stage->options, &building->build,
		&stage->fault);
	if (rc == 0) {
		rc = fill(stage, building);
		store_close(stage->store);
	}
	stage->store = live;
	return rc;
}

int step_compare(struct stage *stage, const char *generation,
	const struct diff_options *options)
{
	static const struct diff_options all;
	struct reader *other = NULL;
	struct diff diff;
	int rc = reader_open(&stage->reader, stage->path, 0, &stage->fault);
	if (rc == 0)
		rc = reader_open_generation(
			&other, stage->path, generation, 0, &stage->fault);
	if (rc == 0)
		rc = readers_compare(stage->reader, other,
			options == NULL ? &all : options, &stage->arena, &diff,
			&stage->fault);
	reader_close(other);
	reader_close(stage->reader);
	stage->reader = NULL;
	return rc;
}

int step_newest(struct stage *stage, const char **newest)
{
	const struct generation *all;
	size_t count;
	int rc = generations_list(
		stage->path, &stage->arena, &all, &count, &stage->fault);
	if (rc == 0)
		*newest = all[count - 1].name;
	return rc;
}

const char *const step_schema_text =
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

int step_change_schema(struct stage *stage)
{
	struct schema *wanted = NULL;
	bool changed;
	int rc = schema_parse(
		&wanted, slice_of(step_schema_text), "w", &stage->fault);
	if (rc == 0)
		rc = store_take_schema(&stage->store, wanted, &stage_decision,
			&changed, &stage->fault);
	schema_free(wanted);
	return rc;
}
