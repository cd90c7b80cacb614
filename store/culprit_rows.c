#include "store/culprits_inside.h"

#define TABLE "_culprit"
#define CULPRIT_COLUMNS 4

static int add_row(struct culprits *culprits, const struct column *row,
	struct fault *fault)
{
	const char *topic = column_as_bytes(&row[0]).data;
	const struct culprit one = {topic == NULL ? "" : topic,
		(int32_t)column_as_integer(&row[1]), column_as_integer(&row[2]),
		column_as_integer(&row[3])};
	return culprits_add(culprits, &one, fault);
}

int culprits_load(struct culprits *culprits, sqlite3 *db, struct fault *fault)
{
	struct column row[CULPRIT_COLUMNS];
	sqlite3_stmt *statement = NULL;
	int rc = sql_prepare(db, &statement, "SELECT * FROM " TABLE, fault);
	while (rc == 0 && (rc = sql_step(statement, fault)) == 1) {
		rc = sql_read_row(
			statement, TABLE, row, CULPRIT_COLUMNS, fault);
		if (rc == 0)
			rc = add_row(culprits, row, fault);
	}
	sqlite3_finalize(statement);
	return rc;
}

int culprits_clear(sqlite3 *db, struct fault *fault)
{
	return sql_execute(db, "DELETE FROM " TABLE, fault);
}

static int put(sqlite3_stmt *statement, const struct culprit *one,
	int64_t incarnation, struct fault *fault)
{
	const struct column row[CULPRIT_COLUMNS] = {
		column_text(slice_of(one->topic)),
		column_integer(one->partition), column_integer(incarnation),
		column_integer(one->offset)};
	if (!sql_bind_row(statement, TABLE, row, CULPRIT_COLUMNS))
		return fault_set(fault, FAULT_OOM,
			"no memory for records that ended the process");
	return sql_run(statement, fault);
}

/* What is below the fence stands there as what became of it. */
int culprits_keep(const struct culprits *found, sqlite3 *db,
	const struct partitions *partitions, int64_t *count,
	struct fault *fault)
{
	sqlite3_stmt *statement = NULL;
	*count = 0;
	int rc = sql_prepare(db, &statement,
		"REPLACE INTO " TABLE " VALUES (?, ?, ?, ?, ?)", fault);
	for (size_t i = 0; rc == 0 && i < found->count; i++) {
		const struct culprit *one = &found->items[i];
		const struct store_partition *here =
			partitions_find(partitions, one->topic, one->partition);
		if (here != NULL && one->offset < here->accounts.next_offset)
			continue;
		rc = put(statement, one,
			here == NULL ? 0 : here->log.incarnation, fault);
		++*count;
	}
	sqlite3_finalize(statement);
	return rc;
}
