#include "tests/lib/random_batches.h"

#include <assert.h>

static uint64_t below(struct random_batches *random, uint64_t limit)
{
	return chance_below(&random->chance, limit);
}

static bool percent(struct random_batches *random, unsigned share)
{
	return chance_percent(&random->chance, share);
}

static void *take(struct random_batches *random, size_t count, size_t size)
{
	void *memory = arena_take(&random->arena, count * size);
	assert(memory != NULL);
	memset(memory, 0, count * size);
	return memory;
}

void random_batches_init(
	struct random_batches *random, enum random_clocks clocks, uint64_t seed)
{
	*random = (struct random_batches){.clocks = clocks,
		.chance = {seed},
		.schema = random_schema(),
		.now_us = RANDOM_TIME_US};
	random->updates = (struct random_updates){.schema = random->schema,
		.chance = &random->chance,
		.arena = &random->events};
}

void random_batches_finish(struct random_batches *random)
{
	random_updates_finish(&random->updates);
	arena_finish(&random->events);
	arena_finish(&random->arena);
	schema_free(random->schema);
}

void random_partition_add(struct random_batches *random)
{
	size_t index = random->partition_count++;
	assert(index < RANDOM_PARTITIONS_MAX);
	random->partitions[index] = (struct random_partition){
		.log = {.topic = random_topics[index % RANDOM_TOPIC_COUNT],
			.partition = (int32_t)(index / RANDOM_TOPIC_COUNT),
			.id = (uint32_t)index + 1},
		.next_offset = RANDOM_FIRST_OFFSET,
		.clock_us = random->now_us,
		.slow = percent(random, 20),
	};
}

static struct random_partition *some_partition(struct random_batches *random)
{
	struct random_partition *partition;
	do
		partition = &random->partitions[below(
			random, random->partition_count)];
	while (partition->stopped);
	return partition;
}

/* Whole seconds below `limit_us`: few, so that distances are the window's own
 * now and then. */
static int64_t span_us(struct random_batches *random, int64_t limit_us)
{
	uint64_t seconds = ((uint64_t)limit_us + 999999) / 1000000;
	return (int64_t)below(random, seconds) * 1000000;
}

static int64_t some_time(
	struct random_batches *random, struct random_partition *partition)
{
	if (random->clocks == CLOCKS_WILD)
		return random->now_us - 2 * RANDOM_WINDOW_US +
		       span_us(random, 4 * RANDOM_WINDOW_US);
	int64_t behind_us = random->now_us - partition->clock_us;
	bool catches_up = !partition->slow && percent(random, 30);
	if (!partition->at_end && percent(random, 3))
		return TIMESTAMP_NONE;
	if (partition->at_end || catches_up)
		partition->clock_us = random->now_us;
	else
		partition->clock_us += span_us(
			random, behind_us / (partition->slow ? 16 : 2) + 1);
	partition->at_end = false;
	return partition->clock_us;
}

static void fill_updates(struct random_batches *random, struct decoded *decoded)
{
	if (percent(random, 10))
		return; /* a record that updates nothing */
	decoded->update_count = percent(random, 70) ? 1 : 1 + below(random, 4);
	decoded->updates =
		take(random, decoded->update_count, sizeof *decoded->updates);
	if (percent(random, 4)) {
		decoded->update_count = 1;
		decoded->updates[0] = random_dead_record(&random->updates);
		return;
	}
	for (size_t i = 0; i < decoded->update_count; i++)
		decoded->updates[i] =
			random_update(&random->updates, (uint32_t)i);
}

/* Delivered once more: what it holds must not matter. */
static bool redeliver(struct random_batches *random,
	struct random_partition *partition, struct record *record)
{
	int64_t known = partition->next_offset - RANDOM_FIRST_OFFSET;
	if (known == 0 || !percent(random, 8))
		return false;
	record->offset =
		RANDOM_FIRST_OFFSET + (int64_t)below(random, (uint64_t)known);
	record->next_offset = record->offset + 1;
	return true;
}

static void fill_record(struct random_batches *random, struct store_record *out)
{
	struct random_partition *partition = some_partition(random);
	struct record *record = &out->record;
	record->log = &partition->log;
	record->value = slice_of(percent(random, 50) ? "{}" : "{\"a\": 1}");
	fill_updates(random, &out->decoded);
	out->decoded.timestamp_us = random->now_us;
	if (!redeliver(random, partition, record)) {
		out->decoded.timestamp_us = some_time(random, partition);
		record->offset = partition->next_offset;
		if (percent(random, 10))
			record->offset += 1 + (int64_t)below(random, 3);
		record->next_offset = record->offset + 1;
		if (percent(random, 10))
			record->next_offset += (int64_t)below(random, 50);
		partition->next_offset = record->next_offset;
	}
	record->timestamp_us = out->decoded.timestamp_us;
}

static void fill_mark(struct random_batches *random, struct store_mark *mark)
{
	struct random_partition *partition = some_partition(random);
	mark->log = &partition->log;
	mark->next_offset = partition->next_offset;
	if (percent(random, 20))
		mark->next_offset += (int64_t)below(random, 5);
	if (percent(random, 10))
		mark->next_offset -= 1; /* an old one */
	if (mark->next_offset > partition->next_offset)
		partition->next_offset = mark->next_offset;
	mark->as_of_us = random->now_us + (int64_t)below(random, 1000);
	partition->at_end = true;
}

static struct store_record *fill_records(
	struct random_batches *random, size_t count)
{
	struct store_record *records = take(random, count, sizeof *records);
	for (size_t i = 0; i < count; i++)
		fill_record(random, &records[i]);
	return records;
}

struct store_batch random_batch(struct random_batches *random)
{
	static const uint64_t sizes[] = {1, 2, 3, 6, 20, 80};
	struct store_batch batch = {0};
	arena_reset(&random->arena);
	random->now_us += span_us(random, RANDOM_WINDOW_US / 4);
	if (percent(random, 5))
		random->now_us += 3 * RANDOM_WINDOW_US;
	uint64_t size = sizes[below(random, sizeof sizes / sizeof sizes[0])];
	batch.record_count = below(random, size + 1);
	batch.records = fill_records(random, batch.record_count);
	batch.mark_count = percent(random, 70) ? 0 : 1 + below(random, 2);
	struct store_mark *marks =
		take(random, batch.mark_count, sizeof *marks);
	for (size_t i = 0; i < batch.mark_count; i++)
		fill_mark(random, &marks[i]);
	batch.marks = marks;
	return batch;
}

static void aim_updates(struct random_batches *random, struct decoded *decoded,
	const struct schema *schema)
{
	const struct update *updates = decoded->updates;
	decoded->updates =
		take(random, decoded->update_count, sizeof *decoded->updates);
	for (size_t i = 0; i < decoded->update_count; i++) {
		struct update *update = &decoded->updates[i];
		*update = updates[i];
		if (update->view != NULL)
			update->view = schema_view(schema, update->view_name);
	}
}

struct store_batch random_aim(struct random_batches *random,
	const struct store_batch *batch, const struct schema *schema,
	const struct log *const *logs)
{
	struct store_batch aimed = *batch;
	struct store_record *records =
		take(random, batch->record_count, sizeof *records);
	struct store_mark *marks =
		take(random, batch->mark_count, sizeof *marks);
	for (size_t i = 0; i < batch->record_count; i++) {
		records[i] = batch->records[i];
		records[i].record.log = logs[records[i].record.log->id - 1];
		aim_updates(random, &records[i].decoded, schema);
	}
	for (size_t i = 0; i < batch->mark_count; i++) {
		marks[i] = batch->marks[i];
		marks[i].log = logs[marks[i].log->id - 1];
	}
	aimed.records = records;
	aimed.marks = marks;
	return aimed;
}
