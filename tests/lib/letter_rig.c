#include "tests/lib/letter_rig.h"

#include "store/reader.h"
#include "store/verify.h"
#include "tests/lib/check.h"

#include <stdlib.h>

/* Two updates a record: one into sums, one into plain values, where an entity
 * may be deleted too. */
static const char schema[] =
	"{'views': {"
	" 'sums': {'entity': {'id': 'int64'}, 'features': {"
	"  'total': {'type': 'int64', 'merge': 'sum'},"
	"  'least': {'type': 'int64', 'merge': 'min'},"
	"  'last': {'type': 'int64'}}},"
	" 'plain': {'entity': {'id': 'int64'}, 'features': {"
	"  'first': {'type': 'int64'},"
	"  'last': {'type': 'int64'}}}},"
	" 'sources': {'alpha': {'id': '/id', 'event_time': '/at', 'updates': ["
	"  {'view': 'sums', 'entity': {'id': '/who'},"
	"   'features': {'total': '/n', 'least': '/n', 'last': '/n'}},"
	"  {'view': 'plain', 'entity': {'id': '/who'}, 'when': {'/gone': "
	"false},"
	"   'features': {'first': '/n', 'last': '/n'}},"
	"  {'view': 'plain', 'entity': {'id': '/who'}, 'op': 'delete',"
	"   'when': {'/gone': true}}]}}}";

static void good(int rc, const struct fault *fault)
{
	if (rc != 0)
		fail_msg("%d: %s", rc, fault->text);
}

int letter_rig_setup(void **state)
{
	struct event_store *store = calloc(1, sizeof *store);
	assert_non_null(store);
	event_store_make(store, schema);
	*state = store;
	return 0;
}

int letter_rig_teardown(void **state)
{
	struct event_store *store = *state;
	event_store_remove(store);
	free(store);
	return 0;
}

void letter_rig_reopen(struct event_store *store)
{
	struct fault fault = {0};
	struct store_options options = store_options_default();
	store_close(store->store);
	options.path = store->directory.path;
	good(store_open(&store->store, &options, &fault), &fault);
	store->decoder.schema = store_schema(store->store);
}

const struct store_partition *letter_rig_partition(struct event_store *store)
{
	struct fault fault = {0};
	const struct store_partition *partition = NULL;
	good(store_partition(store->store, "alpha", 0, 0, &partition, &fault),
		&fault);
	return partition;
}

/* A view that the schema does not have yet. */
static void park(struct decoded *decoded)
{
	for (size_t i = 0; i < decoded->update_count; i++) {
		decoded->updates[i].reason = REASON_UNKNOWN_VIEW;
		decoded->updates[i].parks = true;
		decoded->updates[i].detail = "not yet";
		decoded->updates[i].view = NULL;
	}
}

static struct decoder decoder_for(
	const struct event_store *store, enum fare fare)
{
	struct decoder decoder = store->decoder;
	if (fare == SKEWED)
		decoder.max_skew_us = -(INT64_C(1) << 40);
	if (fare == TOO_LONG)
		decoder.value_bytes_max = 1;
	return decoder;
}

void letter_rig_take(
	struct event_store *store, const struct event *event, enum fare fare)
{
	struct fault fault = {0};
	const struct store_partition *partition = letter_rig_partition(store);
	struct decoder decoder = decoder_for(store, fare);
	struct store_record record = {
		.record = {.form = RECORD_MESSAGE,
			.log = &partition->log,
			.offset = partition->accounts.next_offset,
			.next_offset = partition->accounts.next_offset + 1,
			.timestamp_us = INT64_C(1795422048000000) +
					event->id * INT64_C(1000000),
			.value = slice_of(arena_print(&store->arena,
				"{\"id\": %d, \"at\": "
				"\"2026-11-23T08:%02d:%02dZ\","
				" \"who\": %d, \"n\": %d, \"gone\": %s}",
				event->id, event->at_s / 60, event->at_s % 60,
				event->who, event->n,
				event->gone ? "true" : "false"))},
	};
	good(decode_record(&decoder, schema_source(decoder.schema, "alpha"),
		     &record.record, &store->arena, &record.decoded, &fault),
		&fault);
	if (fare == PARKED)
		park(&record.decoded);
	struct store_batch batch = {.records = &record, .record_count = 1};
	good(store_apply(store->store, &batch, NULL, &fault), &fault);
	arena_reset(&store->arena);
}

void letter_rig_expect_whole(struct event_store *store)
{
	struct fault fault = {0};
	struct reader *reader = NULL;
	struct verify_report report;
	good(reader_open(&reader, store->directory.path, 0, &fault), &fault);
	good(reader_verify(reader, &store->arena, &report, &fault), &fault);
	if (report.problem_count > 0)
		fail_msg("%s", report.problems[0]);
	reader_close(reader);
	arena_reset(&store->arena);
}
