/* An update's disposition is known: letters, keys and counters follow. */
#include "store/batch.h"

/* What an update is as a letter. */
static struct letter new_letter(const struct item *item)
{
	const struct update *update = item->update;
	struct letter letter = {
		.record = *item->record_row,
		.view = update->view_name,
		.place = update->place,
		.has_key = update->has_key,
	};
	memcpy(letter.key, update->key, KEY_BYTES);
	return letter;
}

/* Its key is another event's, which force does not change: had it the reason of
 * what it dies of now, it would next be judged by whatever the window still
 * holds, and without force (design section 4). */
static bool stays_reused(const struct item *item)
{
	return item->letter != NULL &&
	       item->letter->reason == REASON_KEY_REUSED &&
	       (item->disposition == DISPOSITION_DEAD ||
		       item->disposition == DISPOSITION_PARKED);
}

/* Why force was of no use to it. Errors: FAULT_OOM. */
static int tell_reused(struct batch *batch, const struct item *item,
	struct letter *letter, struct fault *fault)
{
	const char *detail = arena_print(&batch->store->batch_arena,
		"its idempotency key was taken by an event with other "
		"content; by force: %s%s%s",
		reason_name(item->reason), item->detail == NULL ? "" : ": ",
		item->detail == NULL ? "" : item->detail);
	letter->reason = REASON_KEY_REUSED;
	letter->detail = slice_of(detail);
	return detail == NULL
		       ? fault_set(fault, FAULT_OOM, "no memory for a letter")
		       : 0;
}

/* One that is retried keeps its row, and what is known of it. */
static struct letter letter_of(const struct item *item)
{
	const struct letter *old = item->letter;
	struct letter letter = {0};
	if (item->update != NULL)
		letter = new_letter(item);
	else if (old != NULL) /* only a letter may lack its update */
		letter = *old;
	letter.kind = item->disposition == DISPOSITION_PARKED ? LETTER_PARKED
							      : LETTER_DEAD;
	letter.id = old != NULL && old->kind == letter.kind ? old->id : 0;
	letter.reason = item->reason;
	letter.detail = slice_of(item->detail);
	letter.state = item->overtaken ? LETTER_OVERTAKEN : LETTER_OPEN;
	letter.acknowledged_us = TIMESTAMP_NONE;
	letter.attempts = old != NULL ? old->attempts + 1 : 0;
	letter.due_us = item->due_us;
	return letter;
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
	struct letter kept = letter_of(item);
	if (stays_reused(item))
		rc = tell_reused(batch, item, &kept, fault);
	if (rc == 0)
		rc = letters_put(letters, &kept, fault);
	*letter = kept.id;
	return rc;
}

/* A letter that is settled, or dead instead of parked, leaves its place. */
static int remove_letter(
	struct batch *batch, const struct item *item, struct fault *fault)
{
	const struct letter *letter = item->letter;
	bool stays_there = (letter->kind == LETTER_DEAD &&
				   item->disposition == DISPOSITION_DEAD) ||
			   (letter->kind == LETTER_PARKED &&
				   item->disposition == DISPOSITION_PARKED);
	return stays_there
		       ? 0
		       : letters_remove(&batch->store->letters, letter, fault);
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
	if (rc == 0 && item->letter != NULL)
		rc = remove_letter(batch, item, fault);
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
	if (item->letter != NULL)
		accounts->dispositions[item->letter->kind == LETTER_DEAD
					       ? DISPOSITION_DEAD
					       : DISPOSITION_PARKED]--;
	accounts->dispositions[item->disposition]++;
	accounts->late_deletes += item->late_delete;
	if (merged)
		accounts->ignored_features += item->update->ignored_features;
	batch->tally.dispositions[item->disposition]++;
}

/* Parked again, for the last time. */
static void give_up_waiting(struct batch *batch, struct item *item)
{
	if (item->letter != NULL && item->letter->kind == LETTER_PARKED &&
		item->disposition == DISPOSITION_PARKED &&
		item->letter->attempts + 1 >= batch->retry->attempts_max)
		item->disposition = DISPOSITION_DEAD;
}

int item_settle(struct batch *batch, struct item *item, struct fault *fault)
{
	if (item->left_alone)
		return 0;
	if (item->letter != NULL && batch->retry->clear) {
		item->partition->accounts.cleared++;
		return letters_remove(
			&batch->store->letters, item->letter, fault);
	}
	give_up_waiting(batch, item);
	if (stays_reused(item))
		item->disposition = DISPOSITION_DEAD;
	int rc = record_item(batch, item, fault);
	count_item(batch, item);
	return rc;
}
