#include "tests/lib/event_store.h"

#include "tests/lib/check.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static void good(int rc, const struct fault *fault)
{
	if (rc != 0)
		fail_msg("%d: %s", rc, fault->text);
}

static struct slice json(struct event_store *store, const char *text)
{
	struct slice copy = arena_copy(&store->arena, slice_of(text));
	assert_non_null(copy.data);
	char *at = arena_take(&store->arena, copy.length + 1);
	assert_non_null(at);
	for (size_t i = 0; i <= copy.length; i++)
		at[i] = copy.data[i] == '\'' ? '"' : copy.data[i];
	return (struct slice){at, copy.length};
}

void event_store_make(struct event_store *store, const char *schema)
{
	struct fault fault = {0};
	*store = (struct event_store){.arena = ARENA_INIT};
	directory_make(&store->directory);
	good(schema_parse(&store->schema, json(store, schema), "test", &fault),
		&fault);
	struct store_options options = store_options_default();
	options.path = store->directory.path;
	options.schema = store->schema;
	options.busy_timeout_ms = 0;
	good(store_open(&store->store, &options, &fault), &fault);
	store->decoder = (struct decoder){
		.schema = store_schema(store->store),
		.value_bytes_max = VALUE_BYTES_MAX,
		.depth_max = DEPTH_MAX,
		.max_skew_us = MAX_SKEW_US,
	};
	memcpy(store->decoder.secret, store_secret(store->store), SECRET_BYTES);
}

void event_store_remove(struct event_store *store)
{
	store_close(store->store);
	schema_free(store->schema);
	arena_finish(&store->arena);
	directory_remove(&store->directory);
}

int64_t event_store_now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static const struct store_partition *partition_of(
	struct event_store *store, const char *topic)
{
	struct fault fault = {0};
	const struct store_partition *partition = NULL;
	good(store_partition(store->store, topic, 0, 0, &partition, &fault),
		&fault);
	return partition;
}

void event_store_take(
	struct event_store *store, const char *topic, const char *value)
{
	struct fault fault = {0};
	const struct store_partition *partition = partition_of(store, topic);
	struct store_record record = {
		.record = {.form = RECORD_MESSAGE,
			.log = &partition->log,
			.offset = partition->accounts.next_offset,
			.next_offset = partition->accounts.next_offset + 1,
			.timestamp_us = event_store_now_us(),
			.value = json(store, value)},
	};
	good(decode_record(&store->decoder, schema_source(store->schema, topic),
		     &record.record, &store->arena, &record.decoded, &fault),
		&fault);
	struct store_batch batch = {.records = &record, .record_count = 1};
	struct store_tally tally;
	good(store_apply(store->store, &batch, &tally, &fault), &fault);
	assert_int_equal(tally.dispositions[DISPOSITION_APPLIED], 1);
	arena_reset(&store->arena);
}

void event_store_mark(
	struct event_store *store, const char *topic, int64_t as_of_us)
{
	struct fault fault = {0};
	const struct store_partition *partition = partition_of(store, topic);
	struct store_mark mark = {.log = &partition->log,
		.next_offset = partition->accounts.next_offset,
		.as_of_us = as_of_us};
	struct store_batch batch = {.marks = &mark, .mark_count = 1};
	good(store_apply(store->store, &batch, NULL, &fault), &fault);
}
