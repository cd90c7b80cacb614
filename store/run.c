#include "store/batch.h"

#include "schema/merge.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * Dispositions are those of taking updates one by one, in order of arrival.
 * Merging goes by entity, which is faster; the key window goes by arrival. The
 * two only meet where an update's fate by merging (an overflow kills it)
 * decides about a later update of the same key. There the run ends, and the
 * later one opens the next run, in the same transaction.
 */

static int entity_order(
	const struct view *view, const struct value *a, const struct value *b)
{
	int order = 0;
	for (size_t i = 0; order == 0 && i < view->key_count; i++)
		order = value_compare(view->keys[i].type.kind, &a[i], &b[i]);
	return order;
}

/* By view, entity, then arrival. */
static int item_order(const void *left, const void *right)
{
	const struct item *a = *(const struct item *const *)left;
	const struct item *b = *(const struct item *const *)right;
	if (a->update->view != b->update->view)
		return a->update->view < b->update->view ? -1 : 1;
	int order = entity_order(
		a->update->view, a->update->entity, b->update->entity);
	if (order != 0)
		return order;
	return a->arrival < b->arrival ? -1 : a->arrival > b->arrival;
}

static const char *overflow_text(
	struct batch *batch, const struct view *view, size_t feature)
{
	char text[SCHEMA_NAME_MAX + 64];
	int length = snprintf(text, sizeof text,
		"feature \"%s\": the sum is beyond its type",
		view->features[feature].name);
	if (length < 0)
		return NULL;
	return arena_copy(&batch->store->batch_arena, slice_of(text)).data;
}

/* By retry, a delete that would leave newer contributions whole is refused:
 * design section 5. The row becomes what it was: `spare` is room for its cells.
 */
static struct merged merge_letter(struct row *row, const struct update *update,
	const struct version *version, struct cell *spare)
{
	size_t size = update->view->feature_count * sizeof *spare;
	struct row before = *row;
	memcpy(spare, row->cells, size);
	struct merged merged = merge(update->view, row, update, version);
	if (!merged.late_delete)
		return merged;
	*row = before;
	memcpy(row->cells, spare, size);
	return (struct merged){
		.disposition = DISPOSITION_DEAD, .reason = REASON_LATE_DELETE};
}

/* Merge one item into the row; true if the row changed. */
static bool merge_item(struct batch *batch, struct item *item, struct row *row,
	struct cell *spare)
{
	const struct update *update = item->update;
	const struct record *record = &item->record->record;
	struct version version = {
		update->event_us, record->log, record->offset, update->place};
	struct merged merged =
		item->letter == NULL
			? merge(update->view, row, update, &version)
			: merge_letter(row, update, &version, spare);
	item->disposition = merged.disposition;
	item->reason = merged.reason;
	item->late_delete = merged.late_delete;
	if (merged.reason == REASON_OVERFLOW)
		item->detail =
			overflow_text(batch, update->view, merged.feature);
	return merged.disposition == DISPOSITION_APPLIED;
}

/* All items of one entity, in order of arrival: one read, one write. */
static int merge_entity(struct batch *batch, struct item **items, size_t count,
	struct fault *fault)
{
	struct store *store = batch->store;
	const struct view *view = items[0]->update->view;
	const struct value *entity = items[0]->update->entity;
	size_t index = store_view_index(store, view);
	struct view_totals *totals = &batch->totals[index];
	struct held_row held;
	arena_reset(&store->row_arena);
	int rc = view_rows_get(
		&store->views[index], entity, &store->row_arena, &held, fault);
	if (rc < 0)
		return rc;
	struct cell *spare = arena_take(
		&store->row_arena, view->feature_count * sizeof *spare);
	if (spare == NULL)
		return fault_set(fault, FAULT_OOM, "no memory for a row");
	struct digest before = row_hash(view, entity, &held.row);
	bool changed = false;
	for (size_t i = 0; i < count; i++)
		changed |= merge_item(batch, items[i], &held.row, spare);
	if (!changed)
		return 0;
	batch->view_touched[index] = true;
	totals->digest = digest_add(digest_subtract(totals->digest, before),
		row_hash(view, entity, &held.row));
	return view_rows_put(&store->views[index], entity, &held, totals,
		&store->row_arena, fault);
}

/* The merging items of a run, by entity. */
static int merge_run(struct batch *batch, size_t first, size_t end,
	struct item **order, struct fault *fault)
{
	size_t count = 0;
	for (size_t i = first; i < end; i++)
		if (batch->items[i].merges)
			order[count++] = &batch->items[i];
	qsort(order, count, sizeof(*order), item_order);
	int rc = 0;
	for (size_t i = 0, next; rc == 0 && i < count; i = next) {
		const struct update *update = order[i]->update;
		for (next = i + 1; next < count; next++)
			if (order[next]->update->view != update->view ||
				entity_order(update->view, update->entity,
					order[next]->update->entity) != 0)
				break;
		rc = merge_entity(batch, &order[i], next - i, fault);
	}
	return rc;
}

static int finish_run(
	struct batch *batch, size_t first, size_t end, struct fault *fault)
{
	int rc = 0;
	for (size_t i = first; rc == 0 && i < end; i++)
		rc = item_settle(batch, &batch->items[i], fault);
	return rc;
}

/* Ask the window from items[first] on; *end is where the run ends. */
static int ask_run(
	struct batch *batch, size_t first, size_t *end, struct fault *fault)
{
	int verdict = WINDOW_DECIDED;
	size_t next = first;
	while (next < batch->item_count && verdict == WINDOW_DECIDED) {
		verdict = window_ask(batch, &batch->items[next], fault);
		next += verdict == WINDOW_DECIDED;
	}
	*end = next;
	assert(next > first || verdict < 0);
	return verdict < 0 ? verdict : 0;
}

int batch_run(struct batch *batch, struct fault *fault)
{
	struct item **order = arena_take(
		&batch->store->batch_arena, batch->item_count * sizeof(*order));
	if (order == NULL)
		return fault_set(fault, FAULT_OOM, "no memory for a batch");
	int rc = 0;
	for (size_t first = 0, end; rc == 0 && first < batch->item_count;
		first = end) {
		rc = ask_run(batch, first, &end, fault);
		if (rc == 0)
			rc = merge_run(batch, first, end, order, fault);
		if (rc == 0)
			rc = finish_run(batch, first, end, fault);
	}
	return rc;
}
