#include "tests/walk/stage.h"

#include "store/verify.h"

#include <stdio.h>
#include <string.h>

static const char schema_text[] =
	"{\"views\": {"
	" \"card\": {\"entity\": {\"card_id\": \"string\"}, \"features\": {"
	"  \"txns\": {\"type\": \"int64\", \"merge\": \"sum\"},"
	"  \"spend\": {\"type\": \"decimal(2)\", \"merge\": \"sum\"},"
	"  \"country\": {\"type\": \"string\", \"default\": \"??\"},"
	"  \"vector\": {\"type\": \"float32[2]\"}}, \"ttl\": \"30d\"},"
	" \"pair\": {\"entity\": {\"user\": \"int64\", \"item\": \"string\"},"
	"  \"features\": {\"low\": {\"type\": \"int64\", \"merge\": \"min\"},"
	"   \"seen\": {\"type\": \"timestamp\"}}}},"
	"\"services\": {\"all\": [\"card:txns\", \"pair:low\"]},"
	"\"sources\": {"
	" \"pay\": {\"id\": \"/id\", \"updates\": ["
	"  {\"view\": \"card\", \"entity\": {\"card_id\": \"/card\"},"
	"   \"when\": {\"/status\": [\"paid\", 1]},"
	"   \"features\": {\"txns\": {\"const\": 1}, \"spend\": \"/amount\","
	"    \"country\": \"/country\"}},"
	"  {\"view\": \"card\", \"entity\": {\"card_id\": \"/payee\"},"
	"   \"features\": {\"spend\": \"/received\"}}]},"
	" \"own\": {\"unknown_feature\": \"park\"}}}";

#define OWN(id, view, rest)                                                    \
	"{\"id\": \"" id "\", \"view\": \"" view "\", " rest "}"

/* A row a batch, a column a topic: values of records, by offset. */
static const char *const values[STAGE_BATCHES][STAGE_TOPICS][STAGE_RECORDS] = {
	{{"{\"id\": 1, \"card\": \"a\", \"status\": \"paid\", \"amount\": 1.25,"
	  " \"country\": \"DE\", \"payee\": \"b\", \"received\": 1}",
		 "{\"id\": 2, \"card\": \"b\", \"status\": 1, \"amount\": 2}",
		 "{\"id\": 1, \"card\": \"a\", \"status\": \"paid\", "
		 "\"amount\":"
		 " 1.25, \"country\": \"DE\", \"payee\": \"b\", \"received\": "
		 "1}",
		 "{\"id\": 3, \"card\": \"a\", \"status\": 1, \"amount\": "
		 "\"x\"}"},
		{OWN("1", "pair",
			 "\"entity\": {\"user\": 1, \"item\": \"i\"},"
			 " \"features\": {\"low\": 5, \"seen\":"
			 " \"2026-11-23T08:00:00Z\"}"),
			OWN("2", "later",
				"\"entity\": {\"x\": 1}, \"features\":"
				" {\"y\": 1}"),
			OWN("3", "card",
				"\"entity\": {\"card_id\": \"c\"},"
				" \"features\": {\"vector\": [1, 2.5],"
				" \"new\": 1}"),
			"{\"id\": "}},
	{{"{\"id\": 2, \"card\": \"b\", \"status\": 1, \"amount\": 3}",
		 "{\"id\": 4, \"card\": \"d\", \"status\": 1, \"amount\": 4}",
		 "{\"id\": 5, \"card\": \"a\", \"status\": \"open\"}",
		 "{\"id\": 6, \"card\": \"a\", \"status\": 1, \"amount\": "
		 "99999999999999999999}"},
		{OWN("4", "card",
			 "\"entity\": {\"card_id\": \"b\"}, \"op\":"
			 " \"delete\""),
			OWN("5", "pair",
				"\"entity\": {\"user\": 1, \"item\": \"i\"},"
				" \"op\": \"replace\", \"features\": "
				"{\"low\": 9}"),
			OWN("6", "pair",
				"\"entity\": {\"user\": 2, \"item\":"
				" \"a name that is longer than what is kept "
				"inline\"}, \"features\": {\"low\": 1}"),
			OWN("7", "later",
				"\"entity\": {\"x\": 2}, \"features\":"
				" {\"y\": 1}")}},
	{{"{\"id\": 3, \"card\": \"a\", \"status\": 1, \"amount\": 7}",
		 "{\"id\": 8, \"card\": \"e\", \"status\": 1, \"amount\": 4}",
		 "{\"id\": 9, \"card\": \"e\", \"status\": 1, \"amount\": 0.5}",
		 "{}"},
		{OWN("8", "card",
			 "\"entity\": {\"card_id\": \"a\"}, \"event_time\":"
			 " \"2026-11-23T07:00:00Z\", \"features\":"
			 " {\"country\": \"FR\", \"txns\": 3}"),
			OWN("9", "pair",
				"\"entity\": {\"user\": 2, \"item\": \"q\"},"
				" \"features\": {\"seen\": null}"),
			OWN("10", "pair",
				"\"entity\": {\"user\": 2, \"item\": \"q\"},"
				" \"op\": \"delete\""),
			OWN("11", "pair",
				"\"entity\": {\"user\": 3, \"item\": \"q\"},"
				" \"features\": {\"low\": \"no\"}")}}};

static const char *const topics[STAGE_TOPICS] = {"pay", "own"};

const struct decision stage_decision = {.at_us = STAGE_TIME_US,
	.who = "ada",
	.what = "a test",
	.target = "card",
	.because = "it has to be"};

int stage_begin(struct stage *stage, const char *path)
{
	*stage = (struct stage){.path = path, .patient = true};
	int rc = schema_parse(
		&stage->schema, slice_of(schema_text), "s.json", &stage->fault);
	if (stage_again(stage, rc))
		rc = schema_parse(&stage->schema, slice_of(schema_text),
			"s.json", &stage->fault);
	stage->options = store_options_default();
	stage->options.path = path;
	stage->options.schema = stage->schema;
	stage->options.ballast_bytes = 0;
	stage->options.busy_timeout_ms = 0;
	return rc;
}

void stage_finish(struct stage *stage)
{
	reader_close(stage->reader);
	store_close(stage->store);
	schema_free(stage->schema);
	arena_finish(&stage->arena);
	*stage = (struct stage){.path = stage->path};
}

bool stage_again(struct stage *stage, int rc)
{
	bool again = rc == FAULT_OOM && stage->patient;
	if (again)
		stage->patient = false;
	return again;
}

int stage_open(struct stage *stage)
{
	int rc;
	do
		rc = store_open(&stage->store, &stage->options, &stage->fault);
	while (stage_again(stage, rc));
	return rc;
}

void stage_close(struct stage *stage)
{
	store_close(stage->store);
	stage->store = NULL;
}

int stage_partition(
	struct stage *stage, int topic, const struct store_partition **out)
{
	int rc;
	do
		rc = store_partition(stage->store, topics[topic], 0,
			stage->log_start, out, &stage->fault);
	while (stage_again(stage, rc));
	return rc;
}

static int decode(struct stage *stage, const struct log *log, int64_t offset,
	struct store_record *out)
{
	struct decoder decoder = {.schema = store_schema(stage->store),
		.value_bytes_max = VALUE_BYTES_MAX,
		.depth_max = DEPTH_MAX,
		.max_skew_us = MAX_SKEW_US};
	const struct source_schema *source =
		schema_source(decoder.schema, log->topic);
	int topic = strcmp(log->topic, topics[1]) == 0;
	memcpy(decoder.secret, store_secret(stage->store), SECRET_BYTES);
	*out = (struct store_record){
		.record = {.log = log,
			.offset = offset,
			.next_offset = offset + 1,
			.timestamp_us = STAGE_TIME_US + offset * 1000000,
			.value = slice_of(values[offset / STAGE_RECORDS][topic]
						[offset % STAGE_RECORDS])}};
	int rc;
	do
		rc = decode_record(&decoder, source, &out->record,
			&stage->arena, &out->decoded, &stage->fault);
	while (stage_again(stage, rc));
	return rc;
}

static int apply(struct stage *stage, const struct store_batch *batch)
{
	int rc;
	do
		rc = store_apply(stage->store, batch, NULL, &stage->fault);
	while (stage_again(stage, rc));
	/* Nobody knows: taken again, the fence knows. */
	if (rc == STORE_OUTCOME_UNKNOWN)
		rc = store_apply(stage->store, batch, NULL, &stage->fault);
	return rc;
}

int stage_take(struct stage *stage, int batch)
{
	struct store_record records[STAGE_TOPICS * STAGE_RECORDS];
	struct store_mark marks[STAGE_TOPICS];
	int rc = 0;
	for (int topic = 0; rc == 0 && topic < STAGE_TOPICS; topic++) {
		const struct store_partition *partition = NULL;
		rc = stage_partition(stage, topic, &partition);
		for (int i = 0; rc == 0 && i < STAGE_RECORDS; i++)
			rc = decode(stage, &partition->log,
				batch * STAGE_RECORDS + i,
				&records[topic * STAGE_RECORDS + i]);
		if (rc == 0)
			marks[topic] = (struct store_mark){
				.log = &partition->log,
				.next_offset = (batch + 1) * STAGE_RECORDS,
				.as_of_us = STAGE_TIME_US};
	}
	const struct store_batch all = {.records = records,
		.record_count = STAGE_TOPICS * STAGE_RECORDS,
		.marks = marks,
		.mark_count = STAGE_TOPICS,
		.due_us = STAGE_TIME_US};
	return rc == 0 ? apply(stage, &all) : rc;
}

int stage_take_all(struct stage *stage)
{
	int rc = 0;
	for (int batch = 0; rc == 0 && batch < STAGE_BATCHES; batch++) {
		rc = stage_take(stage, batch);
		if (rc == 0)
			rc = store_checkpoint(
				stage->store, batch % 2 == 0, &stage->fault);
		arena_reset(&stage->arena);
	}
	return rc;
}

static int verify(struct stage *stage, struct stage_sum *out)
{
	struct verify_report report;
	int rc = reader_verify(
		stage->reader, &stage->arena, &report, &stage->fault);
	if (rc < 0)
		return rc;
	out->digest = report.digest;
	out->problems = report.problem_count;
	if (report.problem_count > 0)
		(void)snprintf(out->problem, sizeof out->problem, "%s",
			report.problems[0]);
	return 0;
}

int stage_look(struct stage *stage, struct stage_sum *out)
{
	struct reader_status status;
	memset(out, 0, sizeof *out); /* compared as bytes */
	int rc = reader_open(&stage->reader, stage->path, 0, &stage->fault);
	if (rc == 0)
		rc = verify(stage, out);
	if (rc == 0)
		rc = reader_status(
			stage->reader, &stage->arena, &status, &stage->fault);
	for (size_t i = 0; rc == 0 && i < status.partition_count; i++) {
		const struct store_partition *one = &status.partitions[i];
		int topic = strcmp(one->log.topic, topics[1]) == 0;
		if (one->log.partition != 0 ||
			strcmp(one->log.topic, topics[topic]) != 0)
			continue;
		out->next_offsets[topic] = one->accounts.next_offset;
		out->updates[topic] = one->accounts.updates;
	}
	return rc;
}
