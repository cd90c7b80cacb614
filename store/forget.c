/* Deletes that nobody needs to remember any more. */
#include "store/generations.h"
#include "store/writer.h"

#include <assert.h>

/* Rows written over in one transaction. */
#define FORGOTTEN_AT_ONCE 10000

struct forgetting {
	struct store *store;
	sqlite3 *db; /* another connection, on the rows as they were before */
	struct view_rows *to;  /* the store's own */
	struct view_rows from; /* the same, of `db` */
	struct view_totals totals;
	int64_t before_us;
	int64_t forgotten; /* in all */
	int64_t pending;   /* in the open transaction */
	struct arena arena;
};

static int finish_transaction(
	struct forgetting *forgetting, struct fault *fault)
{
	struct store *store = forgetting->store;
	if (forgetting->pending == 0)
		return 0;
	int rc = view_totals_write(store->db, forgetting->to->view->name,
		&forgetting->totals, fault);
	if (rc == 0)
		rc = store_commit(store, fault);
	if (rc < 0)
		store_rollback(store);
	forgetting->pending = 0;
	return rc == STORE_OUTCOME_UNKNOWN ? FAULT_BUSY : rc;
}

/* An entity that is not there leaves no trace; of one that is back, only that
 * it was away is forgotten. */
static int forget(struct forgetting *forgetting, const struct value *entity,
	struct held_row *held, struct fault *fault)
{
	struct view_rows *to = forgetting->to;
	struct view_totals *totals = &forgetting->totals;
	int rc = forgetting->pending > 0
			 ? 0
			 : store_begin(forgetting->store, fault);
	if (rc < 0)
		return rc;
	totals->digest = digest_subtract(
		totals->digest, row_hash(to->view, entity, &held->row));
	held->row.has_floor = false;
	forgetting->forgotten++;
	forgetting->pending++;
	if (held->place == ROW_DELETED)
		return view_rows_remove(to, entity, ROW_DELETED, totals, fault);
	totals->digest = digest_add(
		totals->digest, row_hash(to->view, entity, &held->row));
	return view_rows_put(
		to, entity, held, totals, &forgetting->arena, fault);
}

static int forget_if_old(struct forgetting *forgetting, sqlite3_stmt *statement,
	enum row_place place, struct fault *fault)
{
	struct value entity[SCHEMA_KEYS_MAX];
	struct held_row held = {.place = place};
	arena_reset(&forgetting->arena);
	int rc = view_rows_read(&forgetting->from, statement,
		&forgetting->arena, entity, &held, fault);
	if (rc < 0 || !held.row.has_floor ||
		held.row.floor.event_us >= forgetting->before_us)
		return rc;
	rc = forget(forgetting, entity, &held, fault);
	if (rc == 0 && forgetting->pending >= FORGOTTEN_AT_ONCE)
		rc = finish_transaction(forgetting, fault);
	return rc;
}

static int walk(struct forgetting *forgetting, enum row_place place,
	struct fault *fault)
{
	sqlite3_stmt *statement = NULL;
	const struct view_sql *sql = &forgetting->from.sql;
	int rc = sql_prepare(forgetting->db, &statement,
		place == ROW_DELETED ? sql->all_deleted : sql->all, fault);
	while (rc == 0 && (rc = sql_step(statement, fault)) == 1)
		rc = forget_if_old(forgetting, statement, place, fault);
	sqlite3_finalize(statement);
	return rc;
}

static int forget_view(
	struct forgetting *forgetting, size_t index, struct fault *fault)
{
	struct store *store = forgetting->store;
	const struct view_rows_home home = {.db = forgetting->db,
		.partitions = &store->partitions,
		.memory = &store->memory};
	forgetting->to = &store->views[index];
	forgetting->totals = forgetting->to->totals;
	int rc = view_rows_init(
		&forgetting->from, &home, forgetting->to->view, fault);
	if (rc == 0)
		rc = walk(forgetting, ROW_DELETED, fault);
	if (rc == 0)
		rc = walk(forgetting, ROW_PRESENT, fault);
	if (rc == 0)
		rc = finish_transaction(forgetting, fault);
	else
		store_rollback(store);
	view_rows_finish(&forgetting->from);
	return rc;
}

/* What is read again from the log is judged by that (store/trace.h); so it is
 * durable before the first of them is gone. */
static int note_time(
	struct store *store, int64_t before_us, struct fault *fault)
{
	struct arena arena = ARENA_INIT;
	struct column value;
	int rc = meta_find(store->db, META_FORGOTTEN, &value, &arena, fault);
	bool later = rc == 1 && column_as_integer(&value) >= before_us;
	arena_finish(&arena);
	if (rc < 0 || later)
		return rc < 0 ? rc : 0;
	value = column_integer(before_us);
	rc = store_begin(store, fault);
	if (rc == 0)
		rc = meta_put(store->db, META_FORGOTTEN, &value, fault);
	if (rc == 0)
		rc = store_commit(store, fault);
	if (rc < 0)
		store_rollback(store);
	return rc == STORE_OUTCOME_UNKNOWN ? FAULT_BUSY : rc;
}

int store_forget_deletes(struct store *store, int64_t before_us,
	int64_t *forgotten, struct fault *fault)
{
	assert(store->role == ROLE_BUILD);
	struct forgetting forgetting = {.store = store, .before_us = before_us};
	size_t count = store->identity.schema->view_count;
	int rc = store_refresh(store, fault);
	if (rc == 0)
		rc = note_time(store, before_us, fault);
	if (rc == 0)
		rc = sql_open(&forgetting.db, store->layout.database, SQL_READ,
			store->options.busy_timeout_ms, fault);
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = forget_view(&forgetting, i, fault);
	sqlite3_close(forgetting.db);
	arena_finish(&forgetting.arena);
	store->stale = true;
	*forgotten = forgetting.forgotten;
	if (rc == 0)
		rc = store_refresh(store, fault);
	return rc;
}
