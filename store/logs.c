#include "store/writer.h"

#include <stdlib.h>

bool store_grow_moods(struct store *store)
{
	size_t count = store->partitions.count + 1;
	struct partition_mood *moods =
		realloc(store->moods, count * sizeof *moods);
	if (moods == NULL)
		return false;
	store->moods = moods;
	moods[count - 1] = (struct partition_mood){0};
	return true;
}

static int insert_partition(struct store *store,
	struct store_partition *partition, struct fault *fault)
{
	int rc = store_begin(store, fault);
	if (rc == 0)
		rc = partition_insert(store->db, partition, fault);
	if (rc == 0)
		rc = store_commit(store, fault);
	if (rc < 0)
		store_rollback(store);
	return rc;
}

int store_partition(struct store *store, const char *topic, int32_t partition,
	int64_t log_start, const struct store_partition **out,
	struct fault *fault)
{
	int rc = store_refresh(store, fault);
	if (rc < 0)
		return rc;
	*out = partitions_find(&store->partitions, topic, partition);
	if (*out != NULL)
		return 0;
	struct store_partition *added =
		partition_new(&store->partitions, topic, partition, log_start);
	if (added == NULL || !store_grow_moods(store)) {
		partition_free(added);
		return fault_set(fault, FAULT_OOM, "no memory for %s", topic);
	}
	rc = insert_partition(store, added, fault);
	if (rc == 0 && !partitions_join(&store->partitions, added))
		rc = fault_set(fault, FAULT_OOM, "no memory for %s", topic);
	if (rc != 0)
		partition_free(added);
	else
		*out = added;
	if (rc != STORE_OUTCOME_UNKNOWN)
		return rc;
	/* Memory was read again: the row is there, or it is not. */
	*out = partitions_find(&store->partitions, topic, partition);
	return *out != NULL ? 0
			    : fault_wrap(fault, FAULT_BUSY,
				      "%s: the store could not note a new "
				      "partition",
				      topic);
}

static void copy_name(char out[STORE_NAME_MAX], const char *name)
{
	sqlite3_snprintf(STORE_NAME_MAX, out, "%s", name);
}

int store_identify(struct store *store, const struct log *log,
	const char *cluster_id, const char *topic_id, struct fault *fault)
{
	int rc = store_refresh(store, fault);
	if (rc < 0)
		return rc;
	struct store_partition *held = store->partitions.items[log->id - 1];
	struct store_partition changed = *held;
	copy_name(changed.cluster_id, cluster_id);
	copy_name(changed.topic_id, topic_id);
	rc = store_begin(store, fault);
	if (rc < 0)
		return rc;
	rc = partition_update(store->update_partition, &changed,
		held->accounts.next_offset, fault);
	if (rc == 0)
		rc = store_commit(store, fault);
	if (rc < 0)
		store_rollback(store);
	if (rc == STORE_DURABLE) {
		copy_name(held->cluster_id, cluster_id);
		copy_name(held->topic_id, topic_id);
	}
	return rc < 0 ? rc : 0;
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
