#include "store/batch.h"

#include "schema/load.h"
#include "store/failpoint.h"

#include <assert.h>
#include <time.h>

static int64_t now_us(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static bool is_newest(const struct store *store, size_t index)
{
	const struct log *log = &store->partitions.items[index]->log;
	return partitions_find(&store->partitions, log->topic, log->partition)
		       ->log.incarnation == log->incarnation;
}

/* Let keys go by how far the partitions are with this batch. */
static int let_go(struct batch *batch, struct fault *fault)
{
	struct store *store = batch->store;
	size_t count = store->partitions.count;
	int64_t *times = arena_take(&store->batch_arena, count * sizeof *times);
	bool *at_end = arena_take(&store->batch_arena, count * sizeof *at_end);
	if (times == NULL || at_end == NULL)
		return fault_set(fault, FAULT_OOM, "no memory for a batch");
	for (size_t i = 0; i < count; i++) {
		const struct store_partition *partition =
			batch->partitions[i] != NULL
				? batch->partitions[i]
				: store->partitions.items[i];
		bool newest = is_newest(store, i);
		times[i] = newest ? partition->record_time_us : INT64_MAX;
		/* A load has all its records, and none of them a key. */
		at_end[i] = batch->moods[i].at_end || batch->moods[i].stopped ||
			    !newest || load_is_topic(partition->log.topic);
	}
	struct key_horizon horizon = {store->options.key_window_us,
		store->options.key_window_keys, times, at_end, count};
	return keys_let_go(&store->keys, &horizon, fault);
}

static int write_partitions(struct batch *batch, struct fault *fault)
{
	struct store *store = batch->store;
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < store->partitions.count; i++)
		if (batch->partitions[i] != NULL)
			rc = partition_update(store->update_partition,
				batch->partitions[i],
				store->partitions.items[i]
					->accounts.next_offset,
				fault);
	return rc;
}

static int write_totals(struct batch *batch, struct fault *fault)
{
	struct store *store = batch->store;
	const struct schema *schema = store->identity.schema;
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < schema->view_count; i++)
		if (batch->view_touched[i])
			rc = view_totals_write(store->db, schema->views[i].name,
				&batch->totals[i], fault);
	return rc;
}

/* Everything between BEGIN and COMMIT. */
static int write_batch(struct batch *batch, struct fault *fault)
{
	int rc = batch_run(batch, fault);
	if (rc == 0)
		rc = let_go(batch, fault);
	if (rc == 0)
		rc = write_partitions(batch, fault);
	if (rc == 0)
		rc = write_totals(batch, fault);
	if (rc == 0)
		rc = keys_prepare(&batch->store->keys, fault);
	return rc;
}

/* What a batch advances. Not the log itself: other threads read it. */
static void advance(
	struct store_partition *held, const struct store_partition *advanced)
{
	held->accounts = advanced->accounts;
	held->record_time_us = advanced->record_time_us;
	held->as_of_us = advanced->as_of_us;
	held->at_end_us = advanced->at_end_us;
	held->end_offset = advanced->end_offset;
	held->trail = advanced->trail;
}

/* The batch is durable: memory follows. */
static void settle(struct batch *batch)
{
	struct store *store = batch->store;
	for (size_t i = 0; i < store->partitions.count; i++)
		if (batch->partitions[i] != NULL)
			advance(store->partitions.items[i],
				batch->partitions[i]);
	memcpy(store->moods, batch->moods,
		store->partitions.count * sizeof *store->moods);
	for (size_t i = 0; i < store->identity.schema->view_count; i++)
		store->views[i].totals = batch->totals[i];
	keys_settle(&store->keys);
	struct letter_weight weight =
		letter_bytes_settle(&store->letters.bytes);
	memcpy(batch->tally.letter_bytes, weight.bytes, sizeof weight.bytes);
}

/* The batch never was: memory keeps what it held before. */
static void forget(struct store *store, const struct letter_ids *ids)
{
	store_rollback(store);
	keys_forget(&store->keys);
	store->letters.next = *ids;
	letter_bytes_forget(&store->letters.bytes);
}

static bool window_is_full(struct store *store, const struct store_batch *input)
{
	size_t more = 0;
	for (size_t i = 0; i < input->record_count; i++)
		more += input->records[i].decoded.update_count;
	uint64_t most = store->options.key_window_max_bytes;
	if (!input->to_the_brim)
		most -= most / STORE_WINDOW_KEPT;
	return more > 0 && keys_bytes(&store->keys, more) > most;
}

struct store_window store_window(const struct store *store)
{
	return (struct store_window){
		.keys = (int64_t)store->keys.map.count,
		.bytes = keys_bytes(&store->keys, 0),
		.max_bytes = store->options.key_window_max_bytes,
	};
}

bool store_at_end(const struct store *store, const struct log *log)
{
	return store->moods[log->id - 1].at_end;
}

static const struct decision *decision_of(const struct batch *batch)
{
	return batch->retry != NULL ? batch->retry->decision : batch->decision;
}

/* Write what `batch` took in, in one transaction; `dry` gives it up at its
 * end. */
static int write_and_commit(struct batch *batch, bool dry, struct fault *fault)
{
	struct store *store = batch->store;
	struct letter_ids ids = store->letters.next;
	int rc = store_check_room(store, fault);
	if (rc == 0)
		rc = store_check_wal(store, fault);
	if (rc == 0)
		rc = store_begin(store, fault);
	if (rc < 0)
		return rc;
	rc = write_batch(batch, fault);
	if (rc == 0)
		rc = store_note(store, decision_of(batch), "", "", fault);
	if (rc < 0 || dry) {
		forget(store, &ids);
		return rc;
	}
	int64_t start_us = now_us();
	rc = store_commit(store, fault);
	batch->tally.commit_us = now_us() - start_us;
	if (rc != STORE_DURABLE)
		return rc;
	settle(batch);
	failpoint("store_committed");
	return STORE_DURABLE;
}

static int apply(struct store *store, const struct store_batch *input,
	struct store_tally *tally, struct fault *fault)
{
	arena_reset(&store->batch_arena);
	struct batch batch;
	int rc = batch_take(&batch, store, input, fault);
	batch.decision = input->decision;
	if (rc == 0)
		rc = write_and_commit(&batch, false, fault);
	if (rc == STORE_DURABLE && tally != NULL)
		*tally = batch.tally;
	return rc;
}

static enum retry_fate fate_of(
	const struct item *item, const struct store_retry_options *options)
{
	static const enum retry_fate fates[DISPOSITION_COUNT] = {
		[DISPOSITION_APPLIED] = RETRY_APPLIED,
		[DISPOSITION_SUPERSEDED] = RETRY_SUPERSEDED,
		[DISPOSITION_DUPLICATE] = RETRY_DUPLICATE,
		[DISPOSITION_PARKED] = RETRY_PARKED,
		[DISPOSITION_DEAD] = RETRY_DEAD,
	};
	if (options->clear)
		return RETRY_CLEARED;
	if (!item->left_alone)
		return fates[item->disposition];
	if (item->letter->kind == LETTER_PARKED)
		return RETRY_PARKED;
	return item->letter->state == LETTER_OVERTAKEN ? RETRY_OVERTAKEN
						       : RETRY_DEAD;
}

static struct retry_verdict verdict_of(
	const struct item *item, const struct store_retry_options *options)
{
	struct retry_verdict verdict = {.fate = fate_of(item, options)};
	if (verdict.fate == RETRY_DEAD || verdict.fate == RETRY_PARKED)
		verdict.reason =
			item->left_alone ? item->letter->reason : item->reason;
	return verdict;
}

int store_retry(struct store *store, const struct store_retry *retries,
	size_t count, const struct store_retry_options *options,
	struct retry_verdict *verdicts, struct fault *fault)
{
	assert(count <= STORE_BATCH_RECORDS_MAX);
	int rc = store_need_keys(store, fault);
	if (rc < 0)
		return rc;
	arena_reset(&store->batch_arena);
	struct batch batch;
	rc = batch_take_letters(&batch, store, retries, count, fault);
	batch.retry = options;
	if (rc == 0)
		rc = write_and_commit(&batch, options->dry_run, fault);
	for (size_t i = 0; rc == STORE_DURABLE && i < count; i++)
		verdicts[i] = verdict_of(&batch.items[i], options);
	return rc;
}

/* Keys go with batches, and so many at once. What is due since, as after a
 * shorter key_window was set, goes with batches of nothing. */
static int make_room(struct store *store, const struct store_batch *input,
	struct fault *fault)
{
	static const struct store_batch nothing;
	size_t before;
	int rc;
	do {
		before = store->keys.map.count;
		rc = apply(store, &nothing, NULL, fault);
	} while (rc == STORE_DURABLE && store->keys.map.count < before &&
		 window_is_full(store, input));
	return rc;
}

int store_apply(struct store *store, const struct store_batch *input,
	struct store_tally *tally, struct fault *fault)
{
	assert(input->record_count <= STORE_BATCH_RECORDS_MAX);
	int rc = store_need_keys(store, fault);
	if (rc == 0 && window_is_full(store, input)) {
		rc = make_room(store, input, fault);
		if (rc == STORE_DURABLE && window_is_full(store, input))
			rc = STORE_WINDOW_FULL;
	}
	if (rc == 0)
		rc = apply(store, input, tally, fault);
	if (rc == STORE_DURABLE)
		return suspect_review(store, fault);
	/* Nobody looks into it while it waits. */
	int quiet = run_note_withdraw(&store->suspect.note, fault);
	return quiet < 0 ? quiet : rc;
}
