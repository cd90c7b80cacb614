/* What the generator makes, judged by the decoder under the schemas it is made
 * for: good records are good, and poison dies of what it says. */
#include "ingest/command/generate.h"
#include "schema/decode.h"
#include "schema/line.h"
#include "schema/schema.h"
#include "tests/lib/check.h"

#include <stdlib.h>
#include <string.h>

struct rig {
	struct schema *schema;
	const struct source_schema *source;
	struct generator *generator;
	struct decoder decoder;
	struct arena arena;
	size_t by_reason[REASON_COUNT];
};

static void rig_open(
	struct rig *rig, const char *schema, enum generate_shape shape)
{
	struct fault fault = {0};
	*rig = (struct rig){.arena = ARENA_INIT};
	if (schema_load(&rig->schema, schema, &fault) != 0)
		fail_msg("%s", fault.text);
	rig->source = &rig->schema->sources[0];
	rig->decoder = (struct decoder){
		.schema = rig->schema,
		.value_bytes_max = VALUE_BYTES_MAX,
		.depth_max = DEPTH_MAX,
		.max_skew_us = MAX_SKEW_US,
	};
	struct generate_options options = {
		.shape = shape,
		.records = 20000,
		.seed = 11,
		.entities = 100,
		.duplicates = 0.1,
		.duplicate_distance = 500,
		.disorder = 0.2,
		.broken = 0.1,
		.deletes = 0.01,
		.features = 10,
		.sums = 4,
		.base_time_us = INT64_C(1795400000000000),
	};
	assert_int_equal(generator_open(&rig->generator, &options, &fault), 0);
}

static void rig_close(struct rig *rig)
{
	generator_close(rig->generator);
	schema_free(rig->schema);
	arena_finish(&rig->arena);
}

/* The word behind "poison":" ; "none" without one. */
static const char *poison_in(struct slice line, char *out, size_t size)
{
	static const char mark[] = "\"poison\":\"";
	const char *at = memmem(line.data, line.length, mark, sizeof mark - 1);
	if (at == NULL)
		return "none";
	at += sizeof mark - 1;
	const char *end = strchr(at, '"');
	assert_non_null(end);
	assert_true((size_t)(end - at) < size);
	memcpy(out, at, (size_t)(end - at));
	out[end - at] = '\0';
	return out;
}

/* As `produce` sends it. */
static struct record record_of(struct rig *rig, struct slice line)
{
	struct record record;
	if (line_parse(line, &rig->arena, &record, NULL) != 0)
		record = (struct record){.form = RECORD_MESSAGE,
			.timestamp_us = TIMESTAMP_NONE,
			.value = line};
	if (record.timestamp_us == TIMESTAMP_NONE)
		record.timestamp_us = INT64_C(1795500000000000);
	return record;
}

static void judge(struct rig *rig, struct slice line)
{
	char room[64];
	const char *poison = poison_in(line, room, sizeof room);
	struct record record = record_of(rig, line);
	struct decoded decoded;
	assert_int_equal(decode_record(&rig->decoder, rig->source, &record,
				 &rig->arena, &decoded, NULL),
		0);
	assert_true(decoded.update_count > 0);
	/* A reused key is judged by the window, not by the decoder. */
	if (strcmp(poison, "key_reused") == 0)
		poison = "none";
	for (size_t i = 0; i < decoded.update_count; i++) {
		const struct update *update = &decoded.updates[i];
		assert_string_equal(reason_name(update->reason), poison);
		rig->by_reason[update->reason]++;
	}
}

static void judge_all(struct rig *rig)
{
	struct slice line;
	while (generator_next(rig->generator, &line)) {
		arena_reset(&rig->arena);
		judge(rig, line);
	}
}

static void the_sample_dies_of_what_it_says(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, SOURCE_DIRECTORY "/deploy/sample/schema.json",
		GENERATE_SAMPLE);
	judge_all(&rig);
	assert_true(rig.by_reason[REASON_NONE] > 30000);
	assert_true(rig.by_reason[REASON_WRONG_LENGTH] > 50);
	assert_true(rig.by_reason[REASON_EVENT_TIME_IN_FUTURE] > 50);
	rig_close(&rig);
}

static void the_bench_has_one_update_a_record(void **state)
{
	(void)state;
	struct rig rig;
	rig_open(&rig, SOURCE_DIRECTORY "/tests/bench/schema.json",
		GENERATE_BENCH);
	judge_all(&rig);
	size_t updates = 0;
	for (size_t i = 0; i < REASON_COUNT; i++)
		updates += rig.by_reason[i];
	assert_int_equal(updates, 20000);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_sample_dies_of_what_it_says),
		cmocka_unit_test(the_bench_has_one_update_a_record),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
