/*
 * `_partition`: how far each log is taken, and what became of its updates.
 */
#ifndef HOLDFAST_STORE_PARTITIONS_H
#define HOLDFAST_STORE_PARTITIONS_H

#include "schema/row.h"
#include "store/sql.h"
#include "store/store.h"

/* All partitions, by id: items[i]->log.id == i + 1. Addresses are stable, since
 * versions and sources point at the logs. */
struct partitions {
	struct store_partition **items;
	const struct log **logs;
	size_t count;
};

/* Read every row; those already here are read again in place.
 * Errors: FAULT_CORRUPT, FAULT_OOM, FAULT_IO, FAULT_BUSY. */
int partitions_load(
	struct partitions *partitions, sqlite3 *db, struct fault *fault);

/* The same by a statement that is kept; the caller finalizes it. */
int partitions_prepare(sqlite3 *db, sqlite3_stmt **out, struct fault *fault);
int partitions_read(struct partitions *partitions, sqlite3_stmt *statement,
	struct fault *fault);

void partitions_finish(struct partitions *partitions);

struct log_table partitions_logs(const struct partitions *partitions);

/* The newest incarnation, or NULL. */
struct store_partition *partitions_find(const struct partitions *partitions,
	const char *topic, int32_t partition);

/* Memory for one more, with the next id; joins the others with
 * partitions_join(), or leaves with partition_free(). NULL: out of memory. */
struct store_partition *partition_new(const struct partitions *partitions,
	const char *topic, int32_t partition, int64_t log_start);
void partition_free(struct store_partition *partition);
bool partitions_join(
	struct partitions *partitions, struct store_partition *partition);

int partition_insert(sqlite3 *db, const struct store_partition *partition,
	struct fault *fault);

/* The statement of partition_update(); the caller finalizes it. */
int partition_update_prepare(
	sqlite3 *db, sqlite3_stmt **out, struct fault *fault);

/* Write `partition` over the row whose next_offset is `expected_offset`.
 * Errors: FAULT_FENCED when there is none: another owner moved it. */
int partition_update(sqlite3_stmt *statement,
	const struct store_partition *partition, int64_t expected_offset,
	struct fault *fault);

#endif
