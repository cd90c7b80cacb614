#include "store/schema_change.h"

#include "schema/buffer.h"
#include "store/decisions.h"
#include "store/failpoint.h"
#include "store/writer.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define HISTORY_COLUMNS 6

/* What a transaction needs. */
struct schema_step {
	struct store *store;
	const struct schema *wanted;
	const struct schema_diff *diff;
	const struct decision *decision;
	struct arena *arena; /* lives as long as the change */
};

static int no_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_OOM, "no memory for a schema");
}

/* All that can't be done in place, as far as a text holds it. */
static int refuse(const struct schema_diff *diff, struct fault *fault)
{
	const struct schema_change *first = diff->changes;
	while (first->why == NULL)
		first++;
	return fault_set(fault, FAULT_REFUSED,
		"%s: %s. Of %zu changes %zu can't be made in place: `holdfast "
		"schema diff FILE` lists them, `holdfast rebuild --schema "
		"FILE` makes them",
		first->what, first->why, diff->count, diff->refused);
}

static const char *sum_up(const struct schema_diff *diff, struct arena *arena)
{
	struct buffer text = BUFFER_INIT(arena);
	for (size_t i = 0; i < diff->count; i++) {
		const char *what = diff->changes[i].what;
		if (i > 0)
			buffer_bytes(&text, "; ", 2);
		buffer_bytes(&text, what, strlen(what));
	}
	buffer_byte(&text, '\0');
	return text.failed ? NULL : (const char *)text.data;
}

static int put_history(struct schema_step *step, struct fault *fault)
{
	sqlite3_stmt *statement = NULL;
	sqlite3 *db = step->store->db;
	int64_t id = 0;
	const char *changes = sum_up(step->diff, step->arena);
	if (changes == NULL)
		return no_memory(fault);
	int rc = sql_integer(
		db, "SELECT coalesce(max(id), 0) + 1 FROM _schema", &id, fault);
	const struct column row[HISTORY_COLUMNS] = {column_integer(id),
		column_integer(step->decision->at_us),
		column_text(slice_of(step->decision->who)),
		column_text(slice_of(step->decision->because)),
		column_text(slice_of(changes)),
		column_text(slice_of(step->store->identity.schema->text))};
	if (rc == 0)
		rc = sql_prepare(db, &statement,
			"INSERT INTO _schema VALUES (?, ?, ?, ?, ?, ?, ?)",
			fault);
	if (rc == 0 &&
		!sql_bind_row(statement, "_schema", row, HISTORY_COLUMNS))
		rc = no_memory(fault);
	if (rc == 0)
		rc = sql_run(statement, fault);
	sqlite3_finalize(statement);
	return rc;
}

/* The same row under another order of features. */
static int move_cells(const struct view *from, const struct row *old,
	const struct view *to, struct row *out, struct fault *fault)
{
	if (out->cells == NULL)
		return no_memory(fault);
	out->has_floor = old->has_floor;
	out->floor = old->floor;
	for (size_t i = 0; i < from->feature_count; i++) {
		int index = view_feature(to, slice_of(from->features[i].name));
		if (index >= 0)
			out->cells[index] = old->cells[i];
	}
	return 0;
}

static int copy_row(struct view_rows *from, sqlite3_stmt *statement,
	struct view_rows *to, struct arena *arena, struct fault *fault)
{
	struct value entity[SCHEMA_KEYS_MAX];
	struct held_row old = {.place = ROW_PRESENT};
	struct held_row new = {.place = ROW_NOWHERE};
	struct view_totals counted = {0};
	arena_reset(arena);
	int rc = view_rows_read(from, statement, arena, entity, &old, fault);
	if (rc < 0)
		return rc;
	new.row = row_empty(to->view, arena);
	rc = move_cells(from->view, &old.row, to->view, &new.row, fault);
	return rc < 0 ? rc
		      : view_rows_put(to, entity, &new, &counted, arena, fault);
}

/* From the table that was put aside into that of the view. */
static int copy_rows(struct schema_step *step, const struct view *held,
	const struct view *wanted, struct fault *fault)
{
	struct store *store = step->store;
	struct view_rows *from = &store->views[store_view_index(store, held)];
	const struct view_rows_home home = {
		store->db, &store->partitions, true, step->arena};
	const char *select = tables_select_replaced(wanted, step->arena);
	struct view_rows to = {0};
	sqlite3_stmt *statement = NULL;
	int rc = select == NULL ? no_memory(fault)
				: view_rows_init(&to, &home, wanted, fault);
	if (rc == 0)
		rc = sql_prepare(store->db, &statement, select, fault);
	while (rc == 0 && (rc = sql_step(statement, fault)) == 1)
		rc = copy_row(from, statement, &to, &store->row_arena, fault);
	sqlite3_finalize(statement);
	view_rows_finish(&to);
	return rc;
}

static int check_rows(
	const struct store *store, const struct view *held, struct fault *fault)
{
	int64_t rows = store->views[store_view_index(store, held)].totals.rows;
	if (rows <= SCHEMA_REWRITE_ROWS_MAX)
		return 0;
	return fault_set(fault, FAULT_REFUSED,
		"view %s has %" PRId64
		" rows, which would be written anew while records wait; up to "
		"%d are: `holdfast rebuild --schema FILE` does it beside the "
		"live store",
		held->name, rows, SCHEMA_REWRITE_ROWS_MAX);
}

/* Its statements are let go: what they read is about to be dropped. */
static int write_anew(struct schema_step *step, const struct view *held,
	const struct view *wanted, struct fault *fault)
{
	sqlite3 *db = step->store->db;
	int rc = check_rows(step->store, held, fault);
	if (rc == 0)
		rc = tables_put_view_aside(db, wanted, step->arena, fault);
	failpoint("schema_step");
	if (rc == 0)
		rc = copy_rows(step, held, wanted, fault);
	failpoint("schema_step");
	return rc < 0 ? rc
		      : tables_drop_replaced(db, wanted, step->arena, fault);
}

static int add_view(struct schema_step *step, const struct view *wanted,
	struct fault *fault)
{
	sqlite3 *db = step->store->db;
	const struct view_totals nothing = {0};
	int rc = tables_add_view(db, wanted, step->arena, fault);
	failpoint("schema_step");
	return rc < 0 ? rc
		      : view_totals_write(db, wanted->name, &nothing, fault);
}

static int change_view(struct schema_step *step, const struct view *wanted,
	struct fault *fault)
{
	const struct view *held = schema_view(
		step->store->identity.schema, slice_of(wanted->name));
	if (held == NULL)
		return add_view(step, wanted, fault);
	return view_has_other_columns(held, wanted)
		       ? write_anew(step, held, wanted, fault)
		       : 0;
}

/* What is read again from the log is judged by that (store/trace.h). */
static int put_offsets(struct schema_step *step, struct fault *fault)
{
	const struct partitions *partitions = &step->store->partitions;
	struct buffer text = BUFFER_INIT(step->arena);
	for (size_t i = 0; i < partitions->count; i++) {
		const struct store_partition *one = partitions->items[i];
		char pair[64];
		int length = snprintf(pair, sizeof pair, "%zu:%" PRId64 " ",
			(size_t)one->log.id, one->accounts.next_offset);
		buffer_bytes(&text, pair, (size_t)length);
	}
	buffer_byte(&text, '\0');
	if (text.failed)
		return no_memory(fault);
	struct column value = column_text(slice_of((const char *)text.data));
	return meta_put(step->store->db, META_SCHEMA_OFFSETS, &value, fault);
}

static int put_schema(struct schema_step *step, struct fault *fault)
{
	struct store *store = step->store;
	char before[24], after[24];
	int64_t edition = 0;
	int rc = meta_read_edition(store->db, &edition, fault);
	struct column value = column_text(slice_of(step->wanted->text));
	if (rc == 0)
		rc = meta_put(store->db, "schema", &value, fault);
	failpoint("schema_step");
	if (rc == 0)
		rc = put_offsets(step, fault);
	value = column_integer(edition + 1);
	failpoint("schema_step");
	if (rc == 0)
		rc = meta_put(store->db, META_EDITION, &value, fault);
	failpoint("schema_step");
	(void)snprintf(before, sizeof before, "%" PRId64, edition);
	(void)snprintf(after, sizeof after, "%" PRId64, edition + 1);
	return rc < 0 ? rc
		      : store_note(store, step->decision, before, after, fault);
}

static int change(struct schema_step *step, struct fault *fault)
{
	int rc = store_begin(step->store, fault);
	for (size_t i = 0; rc == 0 && i < step->wanted->view_count; i++) {
		rc = change_view(step, &step->wanted->views[i], fault);
		failpoint("schema_step");
	}
	if (rc == 0)
		rc = put_history(step, fault);
	failpoint("schema_step");
	if (rc == 0)
		rc = put_schema(step, fault);
	failpoint("schema_step");
	/* The old text is in the history now: memory must not be read again
	 * under the old schema, whatever became of the commit. */
	if (rc == 0) {
		rc = sql_run(step->store->commit, fault);
		step->store->broken |= rc == FAULT_IO;
	}
	failpoint("schema_step");
	if (rc < 0)
		store_rollback(step->store);
	return rc;
}

/* Whether it was committed or not, the file says under which schema it is. */
static int open_again(
	struct store **store, int rc, struct fault *why, struct fault *fault)
{
	int opened = store_reopen(store, fault);
	if (opened < 0)
		return fault_wrap(fault, FAULT_IO, "opening the store again");
	return rc < 0 ? fault_set(fault, rc, "%s", why->text) : 0;
}

int store_take_schema(struct store **store, const struct schema *wanted,
	const struct decision *decision, bool *changed, struct fault *fault)
{
	struct arena arena = ARENA_INIT;
	struct schema_diff diff = {0};
	struct fault why = {0};
	*changed = false;
	int builders = -1;
	int rc = store_refresh(*store, fault);
	/* What is built would take its place with the schema before. */
	if (rc == 0)
		rc = layout_lock_build(&(*store)->layout, &builders, fault);
	if (rc == 0)
		rc = schema_compare((*store)->identity.schema, wanted, &arena,
			&diff, fault);
	if (rc == 0 && diff.refused > 0)
		rc = refuse(&diff, fault);
	if (rc == 0 && diff.count > 0) {
		struct schema_step step = {
			*store, wanted, &diff, decision, &arena};
		*changed = true;
		rc = change(&step, &why);
		bool broken = rc == FAULT_IO || rc == FAULT_FENCED;
		rc = broken ? fault_set(fault, rc, "%s", why.text)
			    : open_again(store, rc, &why, fault);
	}
	if (builders >= 0)
		close(builders);
	arena_finish(&arena);
	return rc;
}
