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

static int window_order(int64_t a_us, int64_t b_us, int64_t window_us)
{
	uint64_t distance = a_us > b_us ? (uint64_t)a_us - (uint64_t)b_us
					: (uint64_t)b_us - (uint64_t)a_us;
	return distance <= (uint64_t)window_us;
}

/* Does the holder's key still count for an update of that record time? Those
 * of parked and dead updates live as long as their rows. */
static bool still_holds(const struct batch *batch,
	const struct key_holder *holder, const struct item *item)
{
	if (holder->state == KEY_DEAD || holder->state == KEY_PARKED)
		return true;
	return window_order(holder->record_time_us, item->record_time_us,
		batch->store->options.key_window_us);
}

/* Could the merge still kill it? Only a sum can. */
static bool may_die(const struct batch *batch, const struct key_holder *holder)
{
	if (holder->state != KEY_PENDING)
		return false;
	const struct update *update = batch->items[holder->owner].update;
	for (size_t i = 0; i < update->assignment_count; i++) {
		size_t feature = update->assignments[i].feature;
		if (update->view->features[feature].merge == MERGE_SUM)
			return true;
	}
	return false;
}

static void decide_by_content(struct item *item)
{
	const struct update *update = item->update;
	item->reason = update->reason;
	item->detail = update->detail;
	item->merges = update->reason == REASON_NONE;
	if (!item->merges)
		item->disposition =
			update->parks ? DISPOSITION_PARKED : DISPOSITION_DEAD;
}

/* The key is the item's from now on. */
static int take_key(struct batch *batch, struct item *item, struct fault *fault)
{
	const struct record *record = &item->record->record;
	struct key_holder holder = {
		.content = item->update->content,
		.record_time_us = item->record_time_us,
		.log = record->log->id,
		.offset = record->offset,
		.place = item->update->place,
		.owner = item->arrival,
		.state = item->merges				 ? KEY_PENDING
			 : item->disposition == DISPOSITION_DEAD ? KEY_DEAD
								 : KEY_PARKED,
	};
	memcpy(holder.key, item->update->key, KEY_BYTES);
	return keys_take(&batch->store->keys, &holder, &item->key, fault);
}

/* The holder gives way: a dead one's letter is overtaken. */
static int replace_holder(
	struct batch *batch, struct key_holder *holder, struct fault *fault)
{
	int rc = 0;
	if (holder->state == KEY_DEAD && holder->letter != 0)
		rc = letters_overtake(&batch->store->letters, holder->letter,
			&batch->store->batch_arena, fault);
	else if (holder->state == KEY_DEAD)
		batch->items[holder->owner].overtaken = true;
	if (rc == 0)
		rc = keys_remove(&batch->store->keys, holder, fault);
	return rc;
}

enum window_verdict { WINDOW_DECIDED, WINDOW_ENDS_RUN };

/* Ask the key window about one item. */
static int ask_window(
	struct batch *batch, struct item *item, struct fault *fault)
{
	decide_by_content(item);
	if (!item->update->has_key)
		return WINDOW_DECIDED;
	struct key_holder *holder = NULL;
	int rc = keys_find(
		&batch->store->keys, item->update->key, &holder, fault);
	if (rc < 0)
		return rc;
	if (holder == NULL)
		return take_key(batch, item, fault);
	bool holds = still_holds(batch, holder, item);
	bool same = holder->content == item->update->content;
	if (!(holds && same) && may_die(batch, holder))
		return WINDOW_ENDS_RUN;
	if (holds && same) {
		item->disposition = DISPOSITION_DUPLICATE;
		item->merges = false;
		return WINDOW_DECIDED;
	}
	if (holds && holder->state != KEY_DEAD) {
		item->disposition = DISPOSITION_DEAD;
		item->reason = REASON_KEY_REUSED;
		item->detail = "its idempotency key was taken by an event "
			       "with other content";
		item->merges = false;
		return WINDOW_DECIDED;
	}
	rc = replace_holder(batch, holder, fault);
	return rc < 0 ? rc : take_key(batch, item, fault);
}

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

/* Merge one item into the row; true if the row changed. */
static bool merge_item(struct batch *batch, struct item *item, struct row *row)
{
	const struct update *update = item->update;
	const struct record *record = &item->record->record;
	struct version version = {
		update->event_us, record->log, record->offset, update->place};
	struct merged merged = merge(update->view, row, update, &version);
	item->disposition = merged.disposition;
	item->reason = merged.reason;
	item->late_delete = merged.late_delete;
	if (merged.disposition == DISPOSITION_DEAD)
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
	struct digest before = row_hash(view, entity, &held.row);
	bool changed = false;
	for (size_t i = 0; i < count; i++)
		changed |= merge_item(batch, items[i], &held.row);
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

static int put_letter(struct batch *batch, struct item *item, int64_t *letter,
	struct fault *fault)
{
	struct letters *letters = &batch->store->letters;
	int rc = 0;
	if (*item->record_row == 0) {
		int64_t row = letters->next.record;
		rc = letters_put_record(letters, &item->record->record,
			item->record->decoded.timestamp_us,
			&batch->store->batch_arena, fault);
		*item->record_row = row;
	}
	if (rc < 0)
		return rc;
	struct letter kept = {*item->record_row, item->update, item->reason,
		item->detail, item->overtaken};
	if (item->disposition == DISPOSITION_PARKED)
		return letters_put_parked(letters, &kept, letter, fault);
	return letters_put_dead(letters, &kept, letter, fault);
}

/* What is known now goes to the tables of letters and keys. */
static int record_item(
	struct batch *batch, struct item *item, struct fault *fault)
{
	int64_t letter = 0;
	int rc = 0;
	if (item->disposition == DISPOSITION_DEAD ||
		item->disposition == DISPOSITION_PARKED)
		rc = put_letter(batch, item, &letter, fault);
	if (rc < 0 || item->key == NO_KEY)
		return rc;
	struct keys *keys = &batch->store->keys;
	struct key_holder *holder = &keys->fresh[item->key];
	holder->letter = letter;
	holder->state = item->disposition == DISPOSITION_DEAD	  ? KEY_DEAD
			: item->disposition == DISPOSITION_PARKED ? KEY_PARKED
								  : KEY_TAKEN;
	return keys_write(keys, item->key, fault);
}

static void count_item(struct batch *batch, const struct item *item)
{
	struct store_accounts *accounts = &item->partition->accounts;
	bool merged = item->disposition == DISPOSITION_APPLIED ||
		      item->disposition == DISPOSITION_SUPERSEDED;
	accounts->dispositions[item->disposition]++;
	accounts->late_deletes += item->late_delete;
	if (merged)
		accounts->ignored_features += item->update->ignored_features;
	batch->tally.dispositions[item->disposition]++;
}

static int finish_run(
	struct batch *batch, size_t first, size_t end, struct fault *fault)
{
	int rc = 0;
	for (size_t i = first; rc == 0 && i < end; i++) {
		rc = record_item(batch, &batch->items[i], fault);
		count_item(batch, &batch->items[i]);
	}
	return rc;
}

/* Ask the window from items[first] on; *end is where the run ends. */
static int ask_run(
	struct batch *batch, size_t first, size_t *end, struct fault *fault)
{
	int verdict = WINDOW_DECIDED;
	size_t next = first;
	while (next < batch->item_count && verdict == WINDOW_DECIDED) {
		verdict = ask_window(batch, &batch->items[next], fault);
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
