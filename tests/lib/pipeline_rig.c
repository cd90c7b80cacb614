#include "tests/lib/pipeline_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char schema_text[] =
	"{\"views\": {\"account\": {\"entity\": {\"id\": \"int64\"},"
	" \"features\": {\"count\": {\"type\": \"int64\", \"merge\": \"sum\"},"
	" \"label\": {\"type\": \"string\"}}}},"
	" \"sources\": {\"events\": {}}}";

static void notice(void *payload, const char *text)
{
	struct rig *rig = payload;
	if (rig->notices++ == 0) {
		int length = snprintf(rig->told, sizeof rig->told, "%s", text);
		assert_true(length >= 0);
	}
	if (rig->stop_when_told)
		atomic_store(&rig->stop, true);
}

static bool wants(void *payload)
{
	struct rig *rig = payload;
	return rig->insists || script_ordered(&rig->script) != rig->attended;
}

static int attend(void *payload, struct fault *fault)
{
	struct rig *rig = payload;
	rig->attended = script_ordered(&rig->script);
	if (rig->attended == 0 || rig->attend == NULL)
		return 0;
	int rc = rig->attend(rig, rig->attended);
	return rc < 0 ? fault_set(fault, rc, "attended in vain") : 0;
}

static int64_t durable(void *payload, const struct log *log)
{
	return twin_store_durable(payload, log);
}

void rig_new_script(struct rig *rig)
{
	script_init(&rig->script);
	rig->script.topic = "events";
	rig->script.clock = &rig->clock;
	rig->script.stop = &rig->stop;
	rig->script.durable = durable;
	rig->script.payload = rig->store;
	rig->source = &rig->script.source;
}

void rig_open_store(struct rig *rig)
{
	struct store_options options = store_options_default();
	options.schema = rig->schema;
	assert_int_equal(store_open(&rig->store, &options, &rig->fault), 0);
}

static int setup(void **state, bool threads)
{
	struct rig *rig = calloc(1, sizeof *rig);
	assert_non_null(rig);
	assert_int_equal(schema_parse(&rig->schema, slice_of(schema_text),
				 "rig", &rig->fault),
		0);
	script_clock_init(&rig->clock);
	rig_open_store(rig);
	rig_new_script(rig);
	rig->options = pipeline_options_default();
	rig->options.threads = threads;
	rig->options.clock = &rig->clock.clock;
	rig->options.stop = &rig->stop;
	rig->options.notice = notice;
	rig->options.wants = wants;
	rig->options.attend = attend;
	rig->options.payload = rig;
	rig->options.batch_records = 7;
	*state = rig;
	return 0;
}

int rig_setup_threads(void **state)
{
	return setup(state, true);
}

int rig_setup_plain(void **state)
{
	return setup(state, false);
}

int rig_teardown(void **state)
{
	struct rig *rig = *state;
	source_close(rig->source);
	store_close(rig->store);
	schema_free(rig->schema);
	free(rig);
	return 0;
}

void rig_send(struct rig *rig, int32_t partition, int number, int id, int count)
{
	char text[256];
	int length = snprintf(text, sizeof text,
		"{\"id\": %d, \"view\": \"account\", \"entity\": {\"id\": %d},"
		" \"event_time\": \"2026-11-23T08:20:48Z\","
		" \"features\": {\"count\": %d}}",
		number, id, count);
	assert_in_range(length, 1, sizeof text - 1);
	script_record(&rig->script, partition, text);
}

void rig_send_all(struct rig *rig)
{
	for (int32_t p = 0; p < PARTITIONS; p++)
		script_announce(&rig->script, p);
	for (int n = 0; n < RECORDS; n++)
		for (int32_t p = 0; p < PARTITIONS; p++)
			rig_send(rig, p, n * PARTITIONS + p, n, p + 1);
	for (int32_t p = 0; p < PARTITIONS; p++)
		script_end(&rig->script, p);
}

int rig_run(struct rig *rig)
{
	rig->options.source = rig->source;
	rig->options.store = rig->store;
	memset(&rig->fault, 0, sizeof rig->fault);
	int rc = pipeline_run(&rig->options, &rig->result, &rig->fault);
	if (rc < 0)
		assert_int_equal(rig->fault.code, rc);
	return rc;
}

void rig_run_well(struct rig *rig)
{
	int rc = rig_run(rig);
	if (rc != 0)
		fail_msg("%d: %s", rc, rig->fault.text);
}

const struct store_accounts *rig_accounts(struct rig *rig, size_t partition)
{
	return &twin_partition_at(twin_of(rig->store), partition)->accounts;
}

int64_t rig_count_of(struct rig *rig, int64_t id)
{
	struct twin *twin = twin_of(rig->store);
	for (size_t i = 0; i < twin_entity_count(twin); i++) {
		const struct twin_entity *entity = twin_entity_at(twin, i);
		if (entity->key[0].as.integer == id)
			return entity->row.cells[0].value.as.integer;
	}
	return 0;
}

void rig_check_all(struct rig *rig)
{
	for (int64_t id = 0; id < RECORDS; id++)
		assert_int_equal(rig_count_of(rig, id), 1 + 2 + 3);
	for (size_t p = 0; p < PARTITIONS; p++) {
		assert_int_equal(rig_accounts(rig, p)->taken, RECORDS);
		assert_int_equal(rig_accounts(rig, p)->next_offset, RECORDS);
		assert_int_equal(
			rig_accounts(rig, p)->dispositions[DISPOSITION_APPLIED],
			RECORDS);
		assert_int_equal(rig_accounts(rig, p)->updates, RECORDS);
	}
}

void rig_check_committed(struct rig *rig)
{
	for (size_t p = 0; p < PARTITIONS; p++)
		assert_int_equal(rig->script.partitions[p].committed, RECORDS);
}
