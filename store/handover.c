/* Holds, stops and the record of decisions: what both have, and which wins. */
#include "store/handover.h"

#include "store/decisions.h"
#include "store/failpoint.h"
#include "store/writer.h"

#include <stdio.h>
#include <string.h>

#define COLUMNS_MAX 8

/* Rows of one table: cells[0..count * columns), in the arena they were read
 * to. */
struct rows {
	const char *table;
	size_t columns, count, room;
	struct column *cells;
};

static struct column *row_at(const struct rows *rows, size_t index)
{
	return rows->cells + index * rows->columns;
}

/* Room for one more. NULL: out of memory. */
static struct column *add_row(struct rows *rows, struct arena *arena)
{
	if (rows->count == rows->room) {
		size_t room = rows->room == 0 ? 16 : 2 * rows->room;
		struct column *cells =
			arena_take(arena, room * rows->columns * sizeof *cells);
		if (cells == NULL)
			return NULL;
		if (rows->count > 0)
			memcpy(cells, rows->cells,
				rows->count * rows->columns * sizeof *cells);
		rows->cells = cells;
		rows->room = room;
	}
	return row_at(rows, rows->count++);
}

static int no_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_OOM, "no memory for what was decided");
}

static int keep_row(struct rows *rows, sqlite3_stmt *statement,
	struct arena *arena, struct fault *fault)
{
	struct column row[COLUMNS_MAX];
	int rc =
		sql_read_row(statement, rows->table, row, rows->columns, fault);
	if (rc < 0)
		return rc;
	struct column *kept = add_row(rows, arena);
	if (kept == NULL || !columns_keep(row, rows->columns, arena))
		return no_memory(fault);
	memcpy(kept, row, rows->columns * sizeof *row);
	return 0;
}

/* All rows by their first column; on failure those before. */
static int read_rows(sqlite3 *db, struct rows *rows, struct arena *arena,
	struct fault *fault)
{
	char sql[64];
	sqlite3_stmt *statement = NULL;
	(void)snprintf(
		sql, sizeof sql, "SELECT * FROM %s ORDER BY 1", rows->table);
	int rc = sql_prepare(db, &statement, sql, fault);
	while (rc == 0 && (rc = sql_step(statement, fault)) == 1)
		rc = keep_row(rows, statement, arena, fault);
	sqlite3_finalize(statement);
	return rc;
}

static int write_row(struct handover_work *work, const char *table,
	const struct column *row, size_t columns, struct fault *fault)
{
	char sql[96];
	sqlite3_stmt *statement = NULL;
	int length = snprintf(sql, sizeof sql, "REPLACE INTO %s VALUES (?%.*s)",
		table, (int)(3 * columns), ", ?, ?, ?, ?, ?, ?, ?, ?");
	int rc = length < 0 ? FAULT_OOM
			    : sql_prepare(work->carry.store->db, &statement,
				      sql, fault);
	if (rc == 0 && !sql_bind_row(statement, table, row, columns))
		rc = no_memory(fault);
	if (rc == 0)
		rc = sql_run(statement, fault);
	sqlite3_finalize(statement);
	return rc;
}

static int remove_row(struct handover_work *work, const char *sql,
	const struct column *key, struct fault *fault)
{
	sqlite3_stmt *statement = NULL;
	int rc = sql_prepare(work->carry.store->db, &statement, sql, fault);
	if (rc == 0) {
		sql_bind(statement, key, 1);
		rc = sql_run(statement, fault);
	}
	sqlite3_finalize(statement);
	return rc;
}

/* The successor's own rows of the same table. */
static int read_own(struct handover_work *work, const struct rows *like,
	struct rows *out, struct fault *fault)
{
	*out = (struct rows){.table = like->table, .columns = like->columns};
	return read_rows(work->carry.store->db, out, work->carry.arena, fault);
}

int handover_missed(struct handover_work *work, const char *what,
	const struct fault *why, struct fault *fault)
{
	char *text = work->out->missed;
	size_t length = strlen(text);
	if (why->code == FAULT_OOM)
		return fault_set(fault, FAULT_OOM, "no memory for %s: %s", what,
			why->text);
	(void)snprintf(text + length, HANDOVER_TEXT_BYTES - length, "%s%s: %s",
		length == 0 ? "" : "; ", what, why->text);
	return 0;
}

/* *whole: the live one's rows are all there are, and their word counts. */
static int read_live(struct handover_work *work, struct rows *rows,
	const char *what, bool *whole, struct fault *fault)
{
	struct fault why = {0};
	int rc = read_rows(work->carry.live, rows, work->carry.arena, &why);
	*whole = rc == 0 && work->from->schema != NULL;
	if (rc == 0)
		return 0;
	return handover_missed(work, what, &why, fault);
}

/* Holds that were released since, or are of another choice now. One on what
 * the live one does not have is not its to say. */
static int forget_holds(struct handover_work *work, const struct rows *live,
	struct fault *fault)
{
	struct rows own;
	int rc = read_own(work, live, &own, fault);
	for (size_t i = 0; rc == 0 && i < own.count; i++)
		if (carry_schema_has(work->from->schema,
			    column_as_bytes(&row_at(&own, i)[0])))
			rc = remove_row(work,
				"DELETE FROM _hold WHERE target = ?",
				row_at(&own, i), fault);
	return rc;
}

static int take_holds(struct handover_work *work, struct fault *fault)
{
	struct rows live = {.table = "_hold", .columns = 4};
	const struct schema *schema = work->carry.store->identity.schema;
	bool whole;
	int rc = read_live(work, &live, "holds", &whole, fault);
	if (rc == 0 && whole)
		rc = forget_holds(work, &live, fault);
	for (size_t i = 0; rc == 0 && i < live.count; i++) {
		const struct column *row = row_at(&live, i);
		bool fits = carry_schema_has(schema, column_as_bytes(&row[0]));
		work->out->holds += fits;
		work->out->holds_gone += !fits;
		if (fits)
			rc = write_row(work, "_hold", row, 4, fault);
	}
	return rc;
}

/* Those that only a person ends. Letters' limits are judged by what letters
 * there are, everything else by the log. */
static bool is_a_persons(const struct column *row)
{
	const char *reason = column_as_bytes(&row[1]).data;
	return reason != NULL && (strcmp(reason, STOP_PAUSED) == 0 ||
					 strcmp(reason, STOP_FLOOD) == 0 ||
					 strcmp(reason, STOP_ROLLED_BACK) == 0);
}

/* Does the live one know the partition of the successor's log? */
static bool is_known(const struct handover_work *work, int64_t id)
{
	const struct partitions *own = &work->carry.store->partitions;
	if (id < 1 || (uint64_t)id > own->count)
		return false;
	const struct log *log = &own->items[id - 1]->log;
	return partitions_find(&work->carry.partitions, log->topic,
		       log->partition) != NULL;
}

static int forget_stops(struct handover_work *work, const struct rows *live,
	struct fault *fault)
{
	struct rows own;
	int rc = read_own(work, live, &own, fault);
	for (size_t i = 0; rc == 0 && i < own.count; i++) {
		const struct column *row = row_at(&own, i);
		if (is_a_persons(row) &&
			is_known(work, column_as_integer(&row[0])))
			rc = remove_row(work, "DELETE FROM _stop WHERE log = ?",
				row, fault);
	}
	return rc;
}

static int take_stops(struct handover_work *work, struct fault *fault)
{
	struct rows live = {.table = "_stop", .columns = 5};
	bool whole;
	int rc = read_live(work, &live, "stops", &whole, fault);
	if (rc == 0 && whole)
		rc = forget_stops(work, &live, fault);
	for (size_t i = 0; rc == 0 && i < live.count; i++) {
		struct column *row = row_at(&live, i);
		if (!is_a_persons(row))
			continue;
		const struct store_partition *here = carry_partition(
			&work->carry, column_as_integer(&row[0]));
		work->out->stops += here != NULL;
		work->out->stops_gone += here == NULL;
		if (here == NULL)
			continue;
		row[0] = column_integer(here->log.id);
		rc = write_row(work, "_stop", row, 5, fault);
	}
	return rc;
}

#define DECISION_COLUMNS 8

static bool same_cell(const struct column *a, const struct column *b)
{
	return a->kind == b->kind &&
	       (a->kind == COLUMN_INTEGER ? a->as.integer == b->as.integer
					  : slice_equal(column_as_bytes(a),
						    column_as_bytes(b)));
}

/* But for their ids. */
static bool same_decision(const struct column *a, const struct column *b)
{
	for (size_t i = 1; i < DECISION_COLUMNS; i++)
		if (!same_cell(&a[i], &b[i]))
			return false;
	return true;
}

static bool is_on_record(
	const struct rows *own, size_t first, const struct column *row)
{
	for (size_t i = first; i < own->count; i++)
		if (same_decision(row_at(own, i), row))
			return true;
	return false;
}

/* What these changed is not in older data, and nobody does it again. */
static const char *const not_kept[] = {
	"load", "schema apply", "dead retry", "accept gap", "new log"};
#define NOT_KEPT (sizeof not_kept / sizeof not_kept[0])

static void count_not_kept(const struct column *row, int64_t counts[NOT_KEPT])
{
	for (size_t i = 0; i < NOT_KEPT; i++)
		counts[i] += slice_equal(
			column_as_bytes(&row[3]), slice_of(not_kept[i]));
}

static void tell_not_kept(struct handover *out, const int64_t counts[NOT_KEPT])
{
	for (size_t i = 0; i < NOT_KEPT; i++) {
		size_t length = strlen(out->undone);
		if (counts[i] > 0)
			(void)snprintf(out->undone + length,
				HANDOVER_TEXT_BYTES - length, "%s%lld %s",
				length == 0 ? "" : ", ", (long long)counts[i],
				not_kept[i]);
	}
}

/* Mostly the successor's are those that the live one begins with; where the two
 * went ways of their own, each row is looked for. */
static int take_decisions(struct handover_work *work, struct fault *fault)
{
	struct rows live = {.table = "_decision", .columns = DECISION_COLUMNS};
	struct rows own = {0};
	int64_t counts[NOT_KEPT] = {0};
	bool whole;
	size_t same = 0;
	int rc = read_live(work, &live, "decisions", &whole, fault);
	if (rc == 0)
		rc = read_own(work, &live, &own, fault);
	if (rc < 0)
		return rc;
	while (same < own.count && same < live.count &&
		same_decision(row_at(&own, same), row_at(&live, same)))
		same++;
	int64_t id = own.count == 0
			     ? 0
			     : column_as_integer(row_at(&own, own.count - 1));
	for (size_t i = same; rc == 0 && i < live.count; i++) {
		struct column *row = row_at(&live, i);
		if (is_on_record(&own, same, row))
			continue;
		row[0] = column_integer(++id);
		rc = write_row(work, "_decision", row, DECISION_COLUMNS, fault);
		count_not_kept(row, counts);
		work->out->decisions++;
	}
	tell_not_kept(work->out, counts);
	return rc;
}

/* Rows are read in vain where the live one has none of its tables. */
static int take_all(struct handover_work *work, struct fault *fault)
{
	struct fault why = {0};
	int rc = partitions_load(
		&work->carry.partitions, work->carry.live, &why);
	if (rc < 0)
		rc = handover_missed(work, "partitions", &why, fault);
	if (rc == 0)
		rc = take_holds(work, fault);
	failpoint("handover_holds");
	if (rc == 0)
		rc = take_stops(work, fault);
	if (rc == 0)
		rc = take_decisions(work, fault);
	if (rc == 0)
		rc = handover_letters(work, fault);
	return rc < 0 ? rc : handover_culprits(work, fault);
}

int handover_take(struct store *successor, const struct handover_source *from,
	struct handover *out, struct fault *fault)
{
	struct arena arena = ARENA_INIT;
	struct handover_work work = {.carry = {.store = successor,
					     .live = from->db,
					     .arena = &arena},
		.from = from,
		.out = out};
	int rc = 0;
	*out = (struct handover){0};
	if (from->db == NULL)
		(void)snprintf(
			out->missed, HANDOVER_TEXT_BYTES, "all: %s", from->why);
	else
		rc = take_all(&work, fault);
	partitions_finish(&work.carry.partitions);
	arena_finish(&arena);
	return rc < 0 ? fault_wrap(fault, rc, "taking over what was decided")
		      : 0;
}
