#include "tests/lib/store_rig.h"

#include "tests/lib/check.h"

#include <stdlib.h>
#include <string.h>

static const char schema_text[] =
	"{\"views\": {"
	" \"account\": {\"entity\": {\"id\": \"int64\"}, \"features\": {"
	"  \"count\": {\"type\": \"int64\", \"merge\": \"sum\"},"
	"  \"label\": {\"type\": \"string\"}}},"
	" \"pair\": {\"entity\": {\"shop\": \"string\", \"item\": \"int64\"},"
	"  \"features\": {\"low\": {\"type\": \"int64\", \"merge\": "
	"\"min\"}}}},"
	"\"sources\": {\"alpha\": {}, \"beta\": {}}}";

static void good(int rc, const struct fault *fault)
{
	if (rc != 0)
		fail_msg("%d: %s", rc, fault->text);
}

void store_rig_open(struct store_rig *rig)
{
	struct fault fault = {0};
	assert_null(rig->store);
	good(store_open(&rig->store, &rig->options, &fault), &fault);
}

void store_rig_close(struct store_rig *rig)
{
	store_close(rig->store);
	rig->store = NULL;
}

int store_rig_setup(void **state)
{
	struct fault fault = {0};
	struct store_rig *rig = calloc(1, sizeof *rig);
	assert_non_null(rig);
	directory_make(&rig->directory);
	good(schema_parse(&rig->schema, slice_of(schema_text), "rig", &fault),
		&fault);
	rig->options = store_options_default();
	rig->options.path = rig->directory.path;
	rig->options.schema = rig->schema;
	rig->options.busy_timeout_ms = 0;
	store_rig_open(rig);
	*state = rig;
	return 0;
}

int store_rig_teardown(void **state)
{
	struct store_rig *rig = *state;
	store_rig_close(rig);
	schema_free(rig->schema);
	arena_finish(&rig->arena);
	directory_remove(&rig->directory);
	free(rig);
	return 0;
}

const struct store_partition *store_rig_partition(
	struct store_rig *rig, int32_t number)
{
	struct fault fault = {0};
	const struct store_partition *partition;
	good(store_partition(
		     rig->store, "alpha", number, 0, &partition, &fault),
		&fault);
	return partition;
}

static void *take(struct store_rig *rig, size_t count, size_t size)
{
	void *memory = arena_take(&rig->arena, count * size);
	assert_non_null(memory);
	memset(memory, 0, count * size);
	return memory;
}

static void fill_update(struct store_rig *rig, struct update *update,
	const struct store_rig_event *event)
{
	const struct view *view = store_schema(rig->store)->views;
	update->has_key = event->key != 0;
	memcpy(update->key, &event->key, sizeof event->key);
	update->content = event->content;
	update->view = view;
	update->view_name = slice_of(view->name);
	update->event_us = STORE_RIG_TIME_US + event->record_s * SECOND_US;
	update->reason = event->reason;
	if (event->reason == REASON_UNKNOWN_VIEW ||
		event->reason == REASON_CRASH_LOOP) {
		update->parks = true;
		update->view = NULL;
	}
	update->entity = take(rig, 1, sizeof *update->entity);
	update->entity[0] =
		(struct value){.state = VALUE_SET, .as.integer = event->id};
	update->assignments = take(rig, 1, sizeof *update->assignments);
	update->assignment_count = 1;
	update->assignments[0].value =
		(struct value){.state = VALUE_SET, .as.integer = event->count};
}

struct store_record store_rig_record(
	struct store_rig *rig, const struct store_rig_event *event)
{
	struct store_record record = {
		.record = {.log = &store_rig_partition(rig, event->partition)
					   ->log,
			.offset = event->offset,
			.next_offset = event->offset + 1,
			.timestamp_us =
				STORE_RIG_TIME_US + event->record_s * SECOND_US,
			.value = slice_of("{}")},
	};
	record.decoded.timestamp_us = record.record.timestamp_us;
	record.decoded.update_count = 1;
	record.decoded.updates = take(rig, 1, sizeof *record.decoded.updates);
	fill_update(rig, record.decoded.updates, event);
	return record;
}

static struct store_tally apply(
	struct store_rig *rig, const struct store_batch *batch)
{
	struct fault fault = {0};
	struct store_tally tally;
	good(store_apply(rig->store, batch, &tally, &fault), &fault);
	return tally;
}

struct store_tally store_rig_take(
	struct store_rig *rig, const struct store_rig_event *event)
{
	struct store_record record = store_rig_record(rig, event);
	struct store_batch batch = {.records = &record, .record_count = 1};
	return apply(rig, &batch);
}

void store_rig_mark(struct store_rig *rig, int32_t number)
{
	struct store_mark mark = {
		.log = &store_rig_partition(rig, number)->log};
	struct store_batch batch = {.marks = &mark, .mark_count = 1};
	apply(rig, &batch);
}

static sqlite3 *connect_outside(const struct store_rig *rig)
{
	sqlite3 *db = NULL;
	struct directory file = directory_entry(&rig->directory, "features.db");
	assert_int_equal(
		sqlite3_open_v2(file.path, &db, SQLITE_OPEN_READWRITE, NULL),
		SQLITE_OK);
	return db;
}

int64_t store_rig_ask(const struct store_rig *rig, const char *sql)
{
	struct fault fault = {0};
	int64_t answer = 0;
	sqlite3 *db = connect_outside(rig);
	good(sql_integer(db, sql, &answer, &fault), &fault);
	sqlite3_close(db);
	return answer;
}

void store_rig_tamper(const struct store_rig *rig, const char *sql)
{
	struct fault fault = {0};
	sqlite3 *db = connect_outside(rig);
	good(sql_execute(db, sql, &fault), &fault);
	sqlite3_close(db);
}
