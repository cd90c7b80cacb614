#include "tests/lib/twin_store.h"

#include "store/decisions.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOGS_MAX 16
#define FAILURES_MAX 64

struct store {
	struct twin *twin;
	struct schema *schema;
	enum twin_failure failures[FAILURES_MAX]; /* due, in order */
	size_t failure_count, failed;
	atomic_size_t batches;
	atomic_int_least64_t durable[LOGS_MAX]; /* by log id - 1 */
	char stops[LOGS_MAX][32]; /* reasons by log id - 1; "": none */
	bool at_end[LOGS_MAX];	  /* as of the last batch */
	struct store_window window;
	struct store_suspicion suspicion;
	atomic_size_t batch_records; /* 0: of any size */
	bool convicts;
	int64_t convicted_offset; /* of every log */
	size_t fed[LOGS_MAX];	  /* by log id - 1: so often */
	int64_t alone[TWIN_ALONE_MAX];
	size_t alone_count;
	size_t full;		 /* so many of both are still to fail */
	atomic_bool alone_flies; /* noted, and not applied yet */
};

struct store_options store_options_default(void)
{
	return (struct store_options){.key_window_us = INT64_C(3600000000)};
}

int store_open(struct store **out, const struct store_options *options,
	struct fault *fault)
{
	struct store *store = calloc(1, sizeof *store);
	assert(store != NULL);
	*out = store;
	int rc = schema_parse(&store->schema, slice_of(options->schema->text),
		"the twin's schema", fault);
	if (rc < 0)
		return rc;
	struct store_options own = *options;
	own.schema = store->schema;
	return twin_open(&store->twin, &own, fault);
}

void store_close(struct store *store)
{
	if (store == NULL)
		return;
	twin_close(store->twin);
	schema_free(store->schema);
	free(store);
}

const struct schema *store_schema(const struct store *store)
{
	return store->schema;
}

const char *store_id(const struct store *store)
{
	(void)store;
	return "0123456789abcdef";
}

const unsigned char *store_secret(const struct store *store)
{
	static const unsigned char secret[SECRET_BYTES] = {1, 2, 3};
	(void)store;
	return secret;
}

static void publish(struct store *store)
{
	for (size_t i = 0; i < twin_partition_count(store->twin); i++)
		atomic_store(
			&store->durable[i], twin_partition_at(store->twin, i)
						    ->accounts.next_offset);
}

int store_partition(struct store *store, const char *topic, int32_t partition,
	int64_t log_start, const struct store_partition **out,
	struct fault *fault)
{
	int rc = twin_partition(
		store->twin, topic, partition, log_start, out, fault);
	assert(twin_partition_count(store->twin) <= LOGS_MAX);
	publish(store);
	return rc;
}

int store_partitions(struct store *store, struct store_announced *announced,
	size_t count, struct fault *fault)
{
	int rc = 0;
	for (size_t i = 0; i < count && rc == 0; i++) {
		struct store_announced *one = &announced[i];
		rc = store_partition(store, one->topic, one->partition,
			one->log_start, &one->stored, fault);
		if (rc == 0 && one->cluster_id != NULL)
			twin_identify(store->twin, &one->stored->log,
				one->cluster_id);
	}
	return rc;
}

/* The twin keeps every key: who is at an end does not matter to it. */
void store_stopped(struct store *store, const struct log *log, bool stopped)
{
	(void)store;
	(void)log;
	(void)stopped;
}

int store_stop_partition(struct store *store, const struct store_stop *stop,
	const struct decision *decision, struct fault *fault)
{
	char *reason = store->stops[stop->log->id - 1];
	(void)decision;
	(void)fault;
	int length =
		snprintf(reason, sizeof store->stops[0], "%s", stop->reason);
	assert(length > 0 && (size_t)length < sizeof store->stops[0]);
	return 0;
}

int store_resume_partition(struct store *store, const struct log *log,
	const struct decision *decision, struct fault *fault)
{
	char *reason = store->stops[log->id - 1];
	(void)decision;
	(void)fault;
	int rc = reason[0] == '\0' ? 1 : 0;
	reason[0] = '\0';
	return rc;
}

int store_why_stopped(struct store *store, const struct log *log,
	struct arena *arena, const char **reason, struct fault *fault)
{
	(void)arena;
	(void)fault;
	*reason = store->stops[log->id - 1];
	return (*reason)[0] == '\0' ? 0 : 1;
}

static void note_ends(struct store *store, const struct store_batch *batch)
{
	for (size_t i = 0; i < batch->record_count; i++)
		store->at_end[batch->records[i].record.log->id - 1] = false;
	for (size_t i = 0; i < batch->mark_count; i++)
		store->at_end[batch->marks[i].log->id - 1] =
			!batch->marks[i].goes_on;
}

void twin_store_suspect(
	struct store *store, const struct store_suspicion *suspicion)
{
	store->suspicion = *suspicion;
	atomic_store(&store->batch_records, suspicion->batch_records);
}

void twin_store_convict(struct store *store, int64_t offset)
{
	store->convicts = true;
	store->convicted_offset = offset;
}

size_t twin_store_fed(const struct store *store, const struct log *log)
{
	return store->fed[log->id - 1];
}

size_t twin_store_alone(
	const struct store *store, int64_t offsets[TWIN_ALONE_MAX])
{
	memcpy(offsets, store->alone, sizeof store->alone);
	return store->alone_count;
}

struct store_suspicion store_suspicion(const struct store *store)
{
	return store->suspicion;
}

bool store_convicted(const struct store *store, const struct record *record)
{
	return store->convicts && record->offset == store->convicted_offset;
}

size_t store_batch_records(const struct store *store)
{
	size_t limit = atomic_load(&store->batch_records);
	return limit > 0 ? limit : STORE_BATCH_RECORDS_MAX;
}

void twin_store_fill_disk(struct store *store, size_t times)
{
	store->full = times;
}

static int find_disk_full(struct store *store, struct fault *fault)
{
	if (store->full == 0)
		return 0;
	store->full--;
	return fault_set(fault, FAULT_FULL, "no space left on device");
}

int store_feeds(struct store *store, const struct log *log, struct fault *fault)
{
	int rc = find_disk_full(store, fault);
	if (rc < 0)
		return rc;
	store->fed[log->id - 1]++;
	return 0;
}

int store_alone(
	struct store *store, const struct record *record, struct fault *fault)
{
	int rc = find_disk_full(store, fault);
	if (rc < 0)
		return rc;
	assert(store->alone_count < TWIN_ALONE_MAX);
	assert(!atomic_exchange(&store->alone_flies, true));
	store->alone[store->alone_count++] = record->offset;
	return 0;
}

static int fail(struct store *store, const struct store_batch *batch,
	struct fault *fault)
{
	switch (store->failures[store->failed++]) {
	case TWIN_BUSY:
		return fault_set(fault, FAULT_BUSY, "somebody else writes");
	case TWIN_WINDOW_FULL:
		return STORE_WINDOW_FULL;
	case TWIN_UNKNOWN_KEPT:
		(void)twin_apply(store->twin, batch, NULL, fault);
		note_ends(store, batch);
		publish(store);
		break;
	case TWIN_UNKNOWN_LOST:
		break;
	case TWIN_BROKEN:
		return fault_set(fault, FAULT_IO, "the disk is gone");
	}
	/* As the store does: the fault says why, the outcome is no fault. */
	(void)fault_set(fault, FAULT_BUSY, "COMMIT failed");
	return STORE_OUTCOME_UNKNOWN;
}

int store_apply(struct store *store, const struct store_batch *batch,
	struct store_tally *tally, struct fault *fault)
{
	atomic_fetch_add(&store->batches, 1);
	if (store->failed < store->failure_count)
		return fail(store, batch, fault);
	int rc = twin_apply(store->twin, batch, tally, fault);
	note_ends(store, batch);
	publish(store);
	atomic_store(&store->alone_flies, false);
	return rc;
}

size_t store_partition_count(const struct store *store)
{
	return twin_partition_count(store->twin);
}

const struct store_partition *store_partition_at(
	const struct store *store, size_t index)
{
	return twin_partition_at(store->twin, index);
}

bool store_at_end(const struct store *store, const struct log *log)
{
	return store->at_end[log->id - 1];
}

struct store_window store_window(const struct store *store)
{
	return store->window;
}

void twin_store_set_window(struct store *store, struct store_window window)
{
	store->window = window;
}

int store_checkpoint(struct store *store, bool caught_up, struct fault *fault)
{
	(void)store;
	(void)caught_up;
	(void)fault;
	return 0;
}

struct digest store_digest(const struct store *store)
{
	return twin_digest(store->twin);
}

struct twin *twin_of(struct store *store)
{
	return store->twin;
}

void twin_store_fail(
	struct store *store, enum twin_failure failure, size_t times)
{
	assert(store->failure_count + times <= FAILURES_MAX);
	for (; times > 0; times--)
		store->failures[store->failure_count++] = failure;
}

size_t twin_store_batches(const struct store *store)
{
	return atomic_load(&store->batches);
}

int64_t twin_store_durable(const struct store *store, const struct log *log)
{
	return atomic_load(&store->durable[log->id - 1]);
}
