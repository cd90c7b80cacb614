/*
 * Rows of views that stay as they are in the live generation.
 *
 * The built one took the same log for them, too, so that keys, accounts and
 * letters are all there; where nobody did anything by hand their rows are the
 * same, and the digests say so without a look at one of them. Else the rows
 * that differ are written over. Versions are the live one's, of logs under the
 * ids that they have here.
 */
#include "store/carry_views.h"

#include "schema/load.h"
#include "store/writer.h"

#include <inttypes.h>

/* Of one view. */
struct rows_carry {
	struct carry *carry;
	struct view_rows *here; /* the store's own */
	struct view_rows live;
	struct view_rows old;	    /* the built one's rows as they were */
	struct view_totals totals;  /* of `here`, as rows change */
	struct arena memory, arena; /* of the statements; of an entity */
};

static int map_log(
	struct rows_carry *rows, struct version *version, struct fault *fault)
{
	const struct log *log = version->log;
	const struct store_partition *here =
		log == NULL ? NULL : carry_partition(rows->carry, log->id);
	if (log != NULL && here == NULL)
		return fault_set(fault, FAULT_REFUSED,
			"view %s: a row is of a log of %s:%" PRId32
			" that is gone: `holdfast rebuild --base live` keeps "
			"it",
			rows->here->view->name, log->topic, log->partition);
	if (here != NULL)
		version->log = &here->log;
	return 0;
}

static int map_row(
	struct rows_carry *rows, struct row *row, struct fault *fault)
{
	int rc = row->has_floor ? map_log(rows, &row->floor, fault) : 0;
	for (size_t i = 0; rc == 0 && i < rows->here->view->feature_count; i++)
		if (row->cells[i].value.state != VALUE_UNSET)
			rc = map_log(rows, &row->cells[i].version, fault);
	return rc;
}

/* One of the live one's, unless it is the same here. */
static int take_row(struct rows_carry *rows, const struct value *entity,
	struct held_row *live, struct fault *fault)
{
	struct held_row held;
	struct view_totals *totals = &rows->totals;
	const struct view *view = rows->here->view;
	int rc = view_rows_get(rows->here, entity, &rows->arena, &held, fault);
	if (rc < 0)
		return rc;
	struct digest hash = row_hash(view, entity, &live->row);
	if (held.place != ROW_NOWHERE) {
		struct digest old = row_hash(view, entity, &held.row);
		if (digest_equal(hash, old))
			return 0;
		totals->digest = digest_subtract(totals->digest, old);
	}
	totals->digest = digest_add(totals->digest, hash);
	rows->carry->out->rows++;
	live->place = held.place;
	rc = map_row(rows, &live->row, fault);
	return rc < 0 ? rc
		      : view_rows_put(rows->here, entity, live, totals,
				&rows->arena, fault);
}

/* One of those here goes if the live one has none. */
static int drop_row(struct rows_carry *rows, const struct value *entity,
	const struct held_row *held, struct fault *fault)
{
	struct held_row live;
	int rc = view_rows_get(&rows->live, entity, &rows->arena, &live, fault);
	if (rc < 0 || live.place != ROW_NOWHERE)
		return rc;
	rows->totals.digest = digest_subtract(rows->totals.digest,
		row_hash(rows->here->view, entity, &held->row));
	rows->carry->out->rows++;
	return view_rows_remove(
		rows->here, entity, held->place, &rows->totals, fault);
}

static int walk(struct rows_carry *rows, struct view_rows *from,
	enum row_place place, struct fault *fault)
{
	struct value entity[SCHEMA_KEYS_MAX];
	sqlite3_stmt *statement = NULL;
	const struct view_sql *sql = &from->sql;
	int rc = sql_prepare(from->home.db, &statement,
		place == ROW_DELETED ? sql->all_deleted : sql->all, fault);
	while (rc == 0 && (rc = sql_step(statement, fault)) == 1) {
		struct held_row held = {.place = place};
		arena_reset(&rows->arena);
		rc = view_rows_read(
			from, statement, &rows->arena, entity, &held, fault);
		if (rc == 0)
			rc = from == &rows->live
				     ? take_row(rows, entity, &held, fault)
				     : drop_row(rows, entity, &held, fault);
	}
	sqlite3_finalize(statement);
	return rc;
}

static int walk_all(struct rows_carry *rows, struct fault *fault)
{
	int rc = walk(rows, &rows->live, ROW_PRESENT, fault);
	if (rc == 0)
		rc = walk(rows, &rows->live, ROW_DELETED, fault);
	if (rc == 0)
		rc = walk(rows, &rows->old, ROW_PRESENT, fault);
	if (rc == 0)
		rc = walk(rows, &rows->old, ROW_DELETED, fault);
	if (rc == 0)
		rc = view_totals_write(rows->carry->store->db,
			rows->here->view->name, &rows->totals, fault);
	return rc;
}

static bool same_totals(
	const struct view_totals *a, const struct view_totals *b)
{
	return a->rows == b->rows && a->deleted == b->deleted &&
	       digest_equal(a->digest, b->digest);
}

static int carry_rows(struct rows_carry *rows, struct fault *fault)
{
	if (same_totals(&rows->live.totals, &rows->totals))
		return 0;
	int rc = walk_all(rows, fault);
	if (rc < 0 || same_totals(&rows->live.totals, &rows->totals))
		return rc;
	return fault_set(fault, FAULT_CORRUPT,
		"view %s: the live generation's rows are not those that it "
		"counted: it is damaged, too: `holdfast rebuild` without "
		"--view",
		rows->here->view->name);
}

static int carry_view(
	struct carry *carry, sqlite3 *before, size_t index, struct fault *fault)
{
	struct store *store = carry->store;
	struct rows_carry rows = {.carry = carry, .here = &store->views[index]};
	const struct view *view = rows.here->view;
	const struct view_rows_home live = {.db = carry->live,
		.partitions = &carry->partitions,
		.memory = &rows.memory};
	const struct view_rows_home old = {.db = before,
		.partitions = &store->partitions,
		.memory = &rows.memory};
	rows.totals = rows.here->totals;
	int rc = view_rows_init(&rows.live, &live, view, fault);
	if (rc == 0)
		rc = view_rows_init(&rows.old, &old, view, fault);
	if (rc == 0)
		rc = carry_rows(&rows, fault);
	view_rows_finish(&rows.live);
	view_rows_finish(&rows.old);
	arena_finish(&rows.memory);
	arena_finish(&rows.arena);
	return rc;
}

/* As the live one has them, but for letters: carry_view_letters() counts those
 * that come. */
static void set_accounts(
	struct store_partition *here, const struct store_partition *live)
{
	int64_t *dispositions = here->accounts.dispositions;
	int64_t dead = dispositions[DISPOSITION_DEAD];
	int64_t parked = dispositions[DISPOSITION_PARKED];
	struct log log = here->log;
	*here = *live;
	here->log = log;
	dispositions[DISPOSITION_APPLIED] +=
		dispositions[DISPOSITION_DEAD] - dead +
		dispositions[DISPOSITION_PARKED] - parked;
	dispositions[DISPOSITION_DEAD] = dead;
	dispositions[DISPOSITION_PARKED] = parked;
}

/* What was loaded out of a file is in no log: its partition comes along. */
static int carry_loaded(struct carry *carry, const struct store_partition *live,
	struct fault *fault)
{
	struct store *store = carry->store;
	struct store_partition *here = partitions_find(
		&store->partitions, live->log.topic, live->log.partition);
	if (here != NULL) {
		int64_t expected = here->accounts.next_offset;
		set_accounts(here, live);
		return partition_update(
			store->update_partition, here, expected, fault);
	}
	here = partition_new(&store->partitions, live->log.topic,
		live->log.partition, live->accounts.first_offset);
	if (here == NULL || !store_grow_moods(store, 1)) {
		partition_free(here);
		return fault_set(
			fault, FAULT_OOM, "no memory for %s", live->log.topic);
	}
	set_accounts(here, live);
	int rc = partition_insert(store->db, here, fault);
	if (rc == 0 && partitions_join(&store->partitions, here))
		return 0;
	partition_free(here);
	return rc < 0 ? rc
		      : fault_set(fault, FAULT_OOM, "no memory for %s",
				live->log.topic);
}

int carry_views(struct carry *carry, struct fault *fault)
{
	struct store *store = carry->store;
	sqlite3 *before = NULL;
	int rc = sql_open(&before, store->layout.database, SQL_READ,
		store->options.busy_timeout_ms, fault);
	for (size_t i = 0; rc == 0 && i < carry->partitions.count; i++)
		if (load_is_topic(carry->partitions.items[i]->log.topic))
			rc = carry_loaded(
				carry, carry->partitions.items[i], fault);
	for (size_t i = 0; rc == 0 && i < store->identity.schema->view_count;
		i++)
		if (store->views[i].view != carry->view)
			rc = carry_view(carry, before, i, fault);
	sqlite3_close(before);
	return rc;
}
