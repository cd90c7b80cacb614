#include "store/partitions.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define TABLE "_partition"
#define COLUMNS 26
#define LOG_COLUMNS 4 /* id, topic, partition, incarnation */

static struct column timestamp_column(int64_t us)
{
	return us == TIMESTAMP_NONE ? column_null() : column_integer(us);
}

static int64_t column_timestamp(const struct column *column)
{
	return column->kind == COLUMN_NULL ? TIMESTAMP_NONE
					   : column_as_integer(column);
}

/* The counters between next_offset and record_time, in the table's order. */
#define COUNTERS 14
static void counters_of(struct store_accounts *accounts, int64_t *out[COUNTERS])
{
	size_t n = 0;
	out[n++] = &accounts->taken;
	out[n++] = &accounts->gaps;
	out[n++] = &accounts->lost;
	out[n++] = &accounts->skipped;
	out[n++] = &accounts->updates;
	for (size_t i = 0; i < DISPOSITION_COUNT; i++)
		out[n++] = &accounts->dispositions[i];
	out[n++] = &accounts->late_deletes;
	out[n++] = &accounts->ignored_features;
	out[n++] = &accounts->redelivered;
	out[n++] = &accounts->cleared;
	assert(n == COUNTERS);
}

/* `trail` is where the bytes of the trail column live. */
static void to_columns(const struct store_partition *partition,
	struct column row[COLUMNS], unsigned char trail[TRAIL_BYTES])
{
	struct store_accounts accounts = partition->accounts;
	int64_t *counters[COUNTERS];
	counters_of(&accounts, counters);
	size_t n = 0;
	row[n++] = column_integer(partition->log.id);
	row[n++] = column_text(slice_of(partition->log.topic));
	row[n++] = column_integer(partition->log.partition);
	row[n++] = column_integer(partition->log.incarnation);
	row[n++] = column_text(slice_of(partition->cluster_id));
	row[n++] = column_integer(accounts.first_offset);
	row[n++] = column_integer(accounts.next_offset);
	for (size_t i = 0; i < COUNTERS; i++)
		row[n++] = column_integer(*counters[i]);
	row[n++] = timestamp_column(partition->record_time_us);
	row[n++] = timestamp_column(partition->as_of_us);
	row[n++] = column_integer(partition->at_end_us);
	row[n++] = column_integer(partition->end_offset);
	size_t length = trail_encode(&partition->trail, trail);
	row[n++] = column_blob((struct slice){(const char *)trail, length});
	assert(n == COLUMNS);
}

static void copy_name(char out[STORE_NAME_MAX], struct slice name)
{
	size_t length = name.length < STORE_NAME_MAX - 1 ? name.length
							 : STORE_NAME_MAX - 1;
	if (length > 0)
		memcpy(out, name.data, length);
	out[length] = '\0';
}

/* All but the log itself, which never changes and other threads read. */
static int from_columns(struct store_partition *partition,
	const struct column row[COLUMNS], struct fault *fault)
{
	int64_t *counters[COUNTERS];
	counters_of(&partition->accounts, counters);
	size_t n = LOG_COLUMNS;
	copy_name(partition->cluster_id, column_as_bytes(&row[n++]));
	partition->accounts.first_offset = column_as_integer(&row[n++]);
	partition->accounts.next_offset = column_as_integer(&row[n++]);
	for (size_t i = 0; i < COUNTERS; i++)
		*counters[i] = column_as_integer(&row[n++]);
	partition->record_time_us = column_timestamp(&row[n++]);
	partition->as_of_us = column_timestamp(&row[n++]);
	partition->at_end_us = column_as_integer(&row[n++]);
	partition->end_offset = column_as_integer(&row[n++]);
	return trail_decode(&partition->trail, column_as_bytes(&row[n]), fault);
}

static struct store_partition *partition_alloc(struct slice topic)
{
	struct store_partition *partition = calloc(1, sizeof *partition);
	char *name = malloc(topic.length + 1);
	if (partition == NULL || name == NULL) {
		free(partition);
		free(name);
		return NULL;
	}
	memcpy(name, topic.data, topic.length);
	name[topic.length] = '\0';
	partition->log.topic = name;
	partition->record_time_us = TIMESTAMP_NONE;
	partition->as_of_us = TIMESTAMP_NONE;
	partition->end_offset = STORE_NO_END;
	return partition;
}

void partition_free(struct store_partition *partition)
{
	if (partition == NULL)
		return;
	char *name;
	memcpy(&name, &partition->log.topic, sizeof name);
	free(name);
	free(partition);
}

static int no_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_OOM, "no memory for a partition");
}

static int load_row(struct partitions *partitions,
	const struct column row[COLUMNS], struct fault *fault)
{
	int64_t id = column_as_integer(&row[0]);
	if (id >= 1 && id <= (int64_t)partitions->count)
		return from_columns(partitions->items[id - 1], row, fault);
	if (id != (int64_t)partitions->count + 1)
		return fault_set(fault, FAULT_CORRUPT,
			"table " TABLE ": id %" PRId64 " after %zu", id,
			partitions->count);
	struct store_partition *partition =
		partition_alloc(column_as_bytes(&row[1]));
	if (partition == NULL)
		return no_memory(fault);
	partition->log.id = (uint32_t)id;
	partition->log.partition = (int32_t)column_as_integer(&row[2]);
	partition->log.incarnation = (uint32_t)column_as_integer(&row[3]);
	int rc = from_columns(partition, row, fault);
	if (rc == 0 && !partitions_join(partitions, partition))
		rc = no_memory(fault);
	if (rc < 0)
		partition_free(partition);
	return rc;
}

int partitions_prepare(sqlite3 *db, sqlite3_stmt **out, struct fault *fault)
{
	return sql_prepare(
		db, out, "SELECT * FROM " TABLE " ORDER BY id", fault);
}

int partitions_read(struct partitions *partitions, sqlite3_stmt *statement,
	struct fault *fault)
{
	int rc = 0;
	while (rc == 0 && (rc = sql_step(statement, fault)) == 1) {
		struct column row[COLUMNS];
		rc = sql_read_row(statement, TABLE, row, COLUMNS, fault);
		if (rc == 0)
			rc = load_row(partitions, row, fault);
	}
	sqlite3_reset(statement);
	return rc;
}

int partitions_load(
	struct partitions *partitions, sqlite3 *db, struct fault *fault)
{
	sqlite3_stmt *statement = NULL;
	int rc = partitions_prepare(db, &statement, fault);
	if (rc == 0)
		rc = partitions_read(partitions, statement, fault);
	sqlite3_finalize(statement);
	return rc;
}

void partitions_finish(struct partitions *partitions)
{
	for (size_t i = 0; i < partitions->count; i++)
		partition_free(partitions->items[i]);
	free(partitions->items);
	free((void *)partitions->logs);
	*partitions = (struct partitions){0};
}

struct log_table partitions_logs(const struct partitions *partitions)
{
	return (struct log_table){partitions->logs, partitions->count};
}

struct store_partition *partitions_find(const struct partitions *partitions,
	const char *topic, int32_t partition)
{
	struct store_partition *newest = NULL;
	for (size_t i = 0; i < partitions->count; i++) {
		struct store_partition *item = partitions->items[i];
		if (item->log.partition == partition &&
			strcmp(item->log.topic, topic) == 0 &&
			(newest == NULL || item->log.incarnation >
						   newest->log.incarnation))
			newest = item;
	}
	return newest;
}

struct store_partition *partition_new(const struct partitions *partitions,
	const char *topic, int32_t partition, int64_t log_start)
{
	struct store_partition *made = partition_alloc(slice_of(topic));
	if (made == NULL)
		return NULL;
	made->log.id = (uint32_t)partitions->count + 1;
	made->log.partition = partition;
	made->accounts.first_offset = log_start;
	made->accounts.next_offset = log_start;
	return made;
}

bool partitions_join(
	struct partitions *partitions, struct store_partition *partition)
{
	assert(partition->log.id == partitions->count + 1);
	size_t count = partitions->count + 1;
	struct store_partition **items =
		realloc(partitions->items, count * sizeof(*items));
	if (items == NULL)
		return false;
	partitions->items = items;
	const struct log **logs =
		realloc((void *)partitions->logs, count * sizeof(*logs));
	if (logs == NULL)
		return false;
	partitions->logs = logs;
	items[count - 1] = partition;
	logs[count - 1] = &partition->log;
	partitions->count = count;
	return true;
}

/* Twenty-six columns and the checksum. */
#define VALUES                                                                 \
	"(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15,"   \
	" ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27)"

static int bind_partition(sqlite3_stmt *statement,
	const struct store_partition *partition, unsigned char *trail,
	struct fault *fault)
{
	struct column row[COLUMNS];
	to_columns(partition, row, trail);
	return sql_bind_row(statement, TABLE, row, COLUMNS) ? 0
							    : no_memory(fault);
}

int partition_insert(sqlite3 *db, const struct store_partition *partition,
	struct fault *fault)
{
	sqlite3_stmt *statement = NULL;
	unsigned char trail[TRAIL_BYTES];
	int rc = sql_prepare(
		db, &statement, "INSERT INTO " TABLE " VALUES " VALUES, fault);
	if (rc == 0)
		rc = bind_partition(statement, partition, trail, fault);
	if (rc == 0)
		rc = sql_run(statement, fault);
	sqlite3_finalize(statement);
	return rc;
}

int partition_update_prepare(
	sqlite3 *db, sqlite3_stmt **out, struct fault *fault)
{
	return sql_prepare(db, out,
		"UPDATE " TABLE " SET (id, topic, partition, incarnation,"
		" cluster_id, first_offset, next_offset, taken, gaps,"
		" lost, skipped, updates, applied, superseded, duplicate,"
		" parked, dead, late_deletes, ignored_features, redelivered,"
		" cleared, record_time, as_of, at_end, end_offset, trail,"
		" _checksum) = " VALUES " WHERE id = ?1 AND next_offset = ?28",
		fault);
}

int partition_update(sqlite3_stmt *statement,
	const struct store_partition *partition, int64_t expected_offset,
	struct fault *fault)
{
	unsigned char trail[TRAIL_BYTES];
	int rc = bind_partition(statement, partition, trail, fault);
	if (rc < 0)
		return rc;
	sqlite3_bind_int64(statement, COLUMNS + 2, expected_offset);
	rc = sql_run(statement, fault);
	if (rc == 0 && sqlite3_changes(sqlite3_db_handle(statement)) != 1)
		rc = fault_set(fault, FAULT_FENCED,
			"%s:%" PRId32 " is not at offset %" PRId64
			" any more: another process took this store over",
			partition->log.topic, partition->log.partition,
			expected_offset);
	return rc;
}
