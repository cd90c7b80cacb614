#include "store/decisions.h"
#include "store/writer.h"

#include <stdlib.h>
#include <string.h>

bool store_grow_moods(struct store *store, size_t more)
{
	size_t count = store->partitions.count;
	struct partition_mood *moods =
		realloc(store->moods, (count + more) * sizeof *moods);
	if (moods == NULL)
		return false;
	store->moods = moods;
	for (size_t i = count; i < count + more; i++)
		moods[i] = (struct partition_mood){0};
	return true;
}

static void copy_name(char out[STORE_NAME_MAX], const char *name)
{
	sqlite3_snprintf(STORE_NAME_MAX, out, "%s", name);
}

static bool is_located(
	const struct store_partition *held, const char *cluster_id)
{
	return cluster_id == NULL || cluster_id[0] == '\0' ||
	       strncmp(cluster_id, held->cluster_id, STORE_NAME_MAX - 1) == 0;
}

static struct store_partition *find(
	const struct store *store, const struct store_announced *announced)
{
	return partitions_find(
		&store->partitions, announced->topic, announced->partition);
}

/* Partitions that join memory once they are durable. */
struct newcomers {
	struct store_partition **items;
	size_t count;
};

/* While a rollback lasts nothing is taken: what that generation did not know,
 * either. */
static int stop_newcomer(
	struct store *store, const struct log *log, struct fault *fault)
{
	int64_t since_us = -1;
	int rc = sql_integer(store->db,
		"SELECT coalesce(max(since), -1) FROM _stop"
		" WHERE reason = '" STOP_ROLLED_BACK "'",
		&since_us, fault);
	if (rc < 0 || since_us < 0)
		return rc;
	const struct store_stop stop = {.log = log,
		.reason = STOP_ROLLED_BACK,
		.detail = "new since the rollback; to go on: holdfast resume",
		.since_us = since_us,
		.log_start = LOG_START_UNKNOWN};
	return store_put_stop(store, &stop, fault);
}

static int insert(struct store *store, const struct store_announced *announced,
	struct newcomers *newcomers, struct fault *fault)
{
	struct store_partition *added = partition_new(&store->partitions,
		announced->topic, announced->partition, announced->log_start);
	if (added == NULL)
		return fault_set(
			fault, FAULT_OOM, "no memory for %s", announced->topic);
	added->log.id += (uint32_t)newcomers->count;
	added->at_end_us = announced->now_us;
	if (announced->cluster_id != NULL)
		copy_name(added->cluster_id, announced->cluster_id);
	newcomers->items[newcomers->count++] = added;
	int rc = partition_insert(store->db, added, fault);
	return rc < 0 ? rc : stop_newcomer(store, &added->log, fault);
}

static int insert_or_locate(struct store *store,
	const struct store_announced *announced, struct newcomers *newcomers,
	struct fault *fault)
{
	const struct store_partition *held = find(store, announced);
	if (held == NULL)
		return insert(store, announced, newcomers, fault);
	if (is_located(held, announced->cluster_id))
		return 0;
	struct store_partition changed = *held;
	copy_name(changed.cluster_id, announced->cluster_id);
	return partition_update(store->update_partition, &changed,
		held->accounts.next_offset, fault);
}

/* They are durable: memory follows. Takes the newcomers. */
static int join(struct store *store, const struct store_announced *announced,
	size_t count, struct newcomers *newcomers, struct fault *fault)
{
	for (size_t i = 0; i < count; i++) {
		struct store_partition *held = find(store, &announced[i]);
		if (held != NULL && !is_located(held, announced[i].cluster_id))
			copy_name(held->cluster_id, announced[i].cluster_id);
	}
	for (size_t i = 0; i < newcomers->count; i++) {
		if (!partitions_join(&store->partitions, newcomers->items[i]))
			return fault_set(
				fault, FAULT_OOM, "no memory for partitions");
		newcomers->items[i] = NULL;
	}
	return 0;
}

/* An enum store_outcome, or a fault. */
static int write_announced(struct store *store,
	const struct store_announced *announced, size_t count,
	struct newcomers *newcomers, struct fault *fault)
{
	int rc = store_begin(store, fault);
	for (size_t i = 0; i < count && rc == 0; i++)
		rc = insert_or_locate(store, &announced[i], newcomers, fault);
	if (rc == 0)
		rc = store_commit(store, fault);
	if (rc < 0)
		store_rollback(store);
	return rc;
}

static int note_announced(struct store *store,
	const struct store_announced *announced, size_t count,
	struct fault *fault)
{
	struct newcomers newcomers = {calloc(count, sizeof(void *)), 0};
	if (newcomers.items == NULL || !store_grow_moods(store, count)) {
		free(newcomers.items);
		return fault_set(fault, FAULT_OOM, "no memory for partitions");
	}
	int rc = write_announced(store, announced, count, &newcomers, fault);
	if (rc == STORE_DURABLE) {
		rc = join(store, announced, count, &newcomers, fault);
		store->stale |= rc < 0; /* they are in the file by now */
	}
	for (size_t i = 0; i < newcomers.count; i++)
		partition_free(newcomers.items[i]);
	free(newcomers.items);
	return rc;
}

static bool are_noted(const struct store *store,
	const struct store_announced *announced, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct store_partition *held = find(store, &announced[i]);
		if (held == NULL || !is_located(held, announced[i].cluster_id))
			return false;
	}
	return true;
}

int store_partitions(struct store *store, struct store_announced *announced,
	size_t count, struct fault *fault)
{
	int rc = store_refresh(store, fault);
	if (rc == 0 && !are_noted(store, announced, count))
		rc = note_announced(store, announced, count, fault);
	if (rc < 0)
		return rc;
	/* Where the outcome is unknown memory was read again: they are there,
	 * or they are not. */
	if (!are_noted(store, announced, count))
		return fault_wrap(fault, FAULT_BUSY,
			"%s: the store could not note a new partition",
			announced[0].topic);
	for (size_t i = 0; i < count; i++)
		announced[i].stored = find(store, &announced[i]);
	return 0;
}

int store_partition(struct store *store, const char *topic, int32_t partition,
	int64_t log_start, const struct store_partition **out,
	struct fault *fault)
{
	struct store_announced one = {
		.topic = topic, .partition = partition, .log_start = log_start};
	int rc = store_partitions(store, &one, 1, fault);
	*out = one.stored;
	return rc;
}

void store_stopped(struct store *store, const struct log *log, bool stopped)
{
	struct partition_mood *mood = &store->moods[log->id - 1];
	mood->stopped = stopped;
	mood->started |= !stopped;
}

size_t store_partition_count(const struct store *store)
{
	return store->partitions.count;
}

const struct store_partition *store_partition_at(
	const struct store *store, size_t index)
{
	return store->partitions.items[index];
}
