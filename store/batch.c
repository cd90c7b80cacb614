#include "store/batch.h"

#include <assert.h>

static void *take(struct batch *batch, size_t count, size_t size)
{
	void *memory = arena_take(&batch->store->batch_arena, count * size);
	if (memory != NULL && count > 0)
		memset(memory, 0, count * size);
	return memory;
}

/* The working copy of a partition. NULL: out of memory. */
static struct store_partition *open_partition(
	struct batch *batch, const struct log *log)
{
	size_t index = log->id - 1;
	assert(index < batch->store->partitions.count);
	if (batch->partitions[index] == NULL) {
		struct store_partition *copy =
			take(batch, 1, sizeof(struct store_partition));
		if (copy != NULL)
			*copy = *batch->store->partitions.items[index];
		batch->partitions[index] = copy;
	}
	return batch->partitions[index];
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b; /* TIMESTAMP_NONE is the earliest of all */
}

static void count_record(
	struct store_partition *partition, const struct store_record *input)
{
	const struct record *record = &input->record;
	struct store_accounts *accounts = &partition->accounts;
	int64_t length = record->next_offset - record->offset;
	assert(length >= 1);
	accounts->gaps += record->offset - accounts->next_offset + length - 1;
	accounts->taken++;
	accounts->next_offset = record->next_offset;
	accounts->skipped += input->decoded.update_count == 0;
	accounts->updates += (int64_t)input->decoded.update_count;
	partition->record_time_us =
		later(partition->record_time_us, input->decoded.timestamp_us);
	partition->as_of_us =
		later(partition->as_of_us, input->decoded.timestamp_us);
}

static void add_items(struct batch *batch, const struct store_record *input,
	struct store_partition *partition, int64_t *record_row)
{
	/* A record without any time stands where its partition stands. */
	int64_t time_us = input->decoded.timestamp_us != TIMESTAMP_NONE
				  ? input->decoded.timestamp_us
				  : partition->record_time_us;
	if (time_us == TIMESTAMP_NONE)
		time_us = 0;
	for (size_t i = 0; i < input->decoded.update_count; i++) {
		struct item *item = &batch->items[batch->item_count];
		*item = (struct item){
			.update = &input->decoded.updates[i],
			.record = input,
			.partition = partition,
			.record_row = record_row,
			.record_time_us = time_us,
			.due_us = batch->due_us,
			.arrival = batch->item_count++,
			.key = NO_KEY,
		};
	}
}

/* The footprint of the newest record of each partition, and of the very first
 * one: by these the log is recognised. */
static void note_trails(
	struct batch *batch, const struct store_record *const *newest)
{
	for (size_t i = 0; i < batch->store->partitions.count; i++) {
		if (newest[i] == NULL)
			continue;
		struct trail *trail = &batch->partitions[i]->trail;
		struct record record = newest[i]->record;
		record.timestamp_us = newest[i]->decoded.timestamp_us;
		if (trail->count > 0 && record.offset <= trail->steps[0].offset)
			continue;
		struct footprint step = trail_footprint(&record);
		trail_note(trail, &step);
	}
}

static void note_first(
	struct store_partition *partition, const struct store_record *input)
{
	if (partition->trail.count > 0)
		return;
	struct record record = input->record;
	record.timestamp_us = input->decoded.timestamp_us;
	struct footprint step = trail_footprint(&record);
	trail_note(&partition->trail, &step);
}

/* Records in order of arrival: below the fence counted and dropped, else
 * accounted for and turned into items. False: out of memory. */
static bool take_records(struct batch *batch, const struct store_batch *input)
{
	const struct store_record **newest =
		take(batch, batch->store->partitions.count, sizeof(*newest));
	int64_t *rows = take(batch, input->record_count, sizeof *rows);
	if (newest == NULL || rows == NULL)
		return false;
	for (size_t i = 0; i < input->record_count; i++) {
		const struct store_record *record = &input->records[i];
		const struct log *log = record->record.log;
		struct store_partition *partition = open_partition(batch, log);
		if (partition == NULL)
			return false;
		if (record->record.offset < partition->accounts.next_offset) {
			partition->accounts.redelivered++;
			batch->tally.redelivered++;
			continue;
		}
		count_record(partition, record);
		note_first(partition, record);
		newest[log->id - 1] = record;
		batch->moods[log->id - 1].at_end = false;
		batch->tally.records++;
		batch->tally.skipped += record->decoded.update_count == 0;
		add_items(batch, record, partition, &rows[i]);
	}
	note_trails(batch, newest);
	return true;
}

/* What another generation was told of an end may be older than what this one
 * knows. */
static void note_end(
	struct store_partition *partition, const struct store_mark *mark)
{
	if (mark->as_of_us <= partition->at_end_us)
		return;
	partition->at_end_us = mark->as_of_us;
	partition->end_offset = partition->accounts.next_offset;
}

static bool take_marks(struct batch *batch, const struct store_batch *input)
{
	for (size_t i = 0; i < input->mark_count; i++) {
		const struct store_mark *mark = &input->marks[i];
		struct store_partition *partition =
			open_partition(batch, mark->log);
		if (partition == NULL)
			return false;
		struct store_accounts *accounts = &partition->accounts;
		if (mark->next_offset > accounts->next_offset) {
			accounts->gaps +=
				mark->next_offset - accounts->next_offset;
			accounts->next_offset = mark->next_offset;
		}
		/* At its end the wall clock says how far all is taken, also
		 * where a producer's clock was ahead of it. */
		partition->as_of_us = mark->as_of_us;
		if (!mark->goes_on)
			note_end(partition, mark);
		batch->moods[mark->log->id - 1].at_end = !mark->goes_on;
	}
	return true;
}

static size_t count_updates(const struct store_batch *input)
{
	size_t count = 0;
	for (size_t i = 0; i < input->record_count; i++)
		count += input->records[i].decoded.update_count;
	return count;
}

/* Working copies, and room for so many items. */
static int begin(struct batch *batch, struct store *store, size_t items,
	struct fault *fault)
{
	size_t views = store->identity.schema->view_count;
	size_t logs = store->partitions.count;
	*batch = (struct batch){.store = store};
	batch->partitions = take(batch, logs, sizeof(*batch->partitions));
	batch->moods = take(batch, logs, sizeof *batch->moods);
	batch->totals = take(batch, views, sizeof *batch->totals);
	batch->view_touched = take(batch, views, sizeof *batch->view_touched);
	batch->items = take(batch, items, sizeof *batch->items);
	if (batch->partitions == NULL || batch->moods == NULL ||
		batch->totals == NULL || batch->view_touched == NULL ||
		batch->items == NULL)
		return fault_set(fault, FAULT_OOM, "no memory for a batch");
	memcpy(batch->moods, store->moods, logs * sizeof *batch->moods);
	for (size_t i = 0; i < views; i++)
		batch->totals[i] = store->views[i].totals;
	return 0;
}

int batch_take(struct batch *batch, struct store *store,
	const struct store_batch *input, struct fault *fault)
{
	int rc = begin(batch, store, count_updates(input), fault);
	if (rc < 0)
		return rc;
	batch->due_us = input->due_us;
	if (!take_records(batch, input) || !take_marks(batch, input))
		return fault_set(fault, FAULT_OOM, "no memory for a batch");
	return 0;
}

static bool take_letter(
	struct batch *batch, const struct store_retry *retry, int64_t *row)
{
	struct store_partition *partition =
		open_partition(batch, retry->record->record.log);
	if (partition == NULL)
		return false;
	int64_t time_us = retry->record->decoded.timestamp_us;
	*row = retry->letter->record;
	partition->accounts.updates += retry->further;
	batch->items[batch->item_count] = (struct item){
		.update = retry->update,
		.record = retry->record,
		.partition = partition,
		.record_row = row,
		.record_time_us = time_us == TIMESTAMP_NONE ? 0 : time_us,
		.due_us = retry->due_us,
		.arrival = batch->item_count,
		.key = NO_KEY,
		.letter = retry->further ? NULL : retry->letter,
	};
	batch->item_count++;
	return true;
}

int batch_take_letters(struct batch *batch, struct store *store,
	const struct store_retry *retries, size_t count, struct fault *fault)
{
	int rc = begin(batch, store, count, fault);
	if (rc < 0)
		return rc;
	int64_t *rows = take(batch, count, sizeof *rows);
	bool taken = rows != NULL;
	for (size_t i = 0; taken && i < count; i++)
		taken = take_letter(batch, &retries[i], &rows[i]);
	return taken ? 0 : fault_set(fault, FAULT_OOM, "no memory for a batch");
}
