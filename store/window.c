/* What the key window says of an update, and of a letter that is retried. */
#include "store/batch.h"

#include <inttypes.h>

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

/* The producer sent a correction: retry must refuse this letter. */
static int overtake(struct batch *batch, int64_t dead, struct fault *fault)
{
	struct letters *letters = &batch->store->letters;
	struct letter letter;
	int rc = letters_get(letters, LETTER_DEAD, dead,
		&batch->store->batch_arena, &letter, fault);
	if (rc == 0)
		return fault_set(fault, FAULT_CORRUPT,
			"table _dead: letter %" PRId64 " is missing", dead);
	letter.state = LETTER_OVERTAKEN;
	return rc < 0 ? rc : letters_put(letters, &letter, fault);
}

/* The holder gives way: a dead one's letter is overtaken. */
static int replace_holder(
	struct batch *batch, struct key_holder *holder, struct fault *fault)
{
	int rc = 0;
	if (holder->state == KEY_DEAD && holder->letter != 0)
		rc = overtake(batch, holder->letter, fault);
	else if (holder->state == KEY_DEAD)
		batch->items[holder->owner].overtaken = true;
	if (rc == 0)
		rc = keys_remove(&batch->store->keys, holder, fault);
	return rc;
}

/* 1: the letter's key is its own; *holder is a copy, and its row is gone. */
static int take_key_back(struct batch *batch, const struct letter *letter,
	struct key_holder *copy, struct fault *fault)
{
	struct keys *keys = &batch->store->keys;
	struct key_holder *holder = NULL;
	enum key_state state =
		letter->kind == LETTER_DEAD ? KEY_DEAD : KEY_PARKED;
	if (!letter->has_key)
		return 0;
	int rc = keys_find(keys, letter->key, &holder, fault);
	if (rc <= 0)
		return rc;
	if (holder->state != state || holder->letter != letter->id)
		return 0;
	*copy = *holder;
	rc = keys_remove(keys, holder, fault);
	return rc < 0 ? rc : 1;
}

/* Its record has no such update any more: what was parked waits on, with its
 * key, until it was tried too often. */
static int wait_on(struct batch *batch, struct item *item, struct fault *fault)
{
	struct key_holder holder;
	item->disposition = DISPOSITION_PARKED;
	item->reason = item->letter->reason;
	item->detail = item->letter->detail.data;
	int rc = take_key_back(batch, item->letter, &holder, fault);
	if (rc != 1)
		return rc;
	holder.owner = item->arrival;
	return keys_take(&batch->store->keys, &holder, &item->key, fault);
}

enum letter_course {
	COURSE_JUDGE, /* like any other update */
	COURSE_MERGE, /* without the key window */
	COURSE_DECIDED
};

/* What a letter does before it asks the window: it gives its key back. */
static int begin_letter(
	struct batch *batch, struct item *item, struct fault *fault)
{
	const struct letter *letter = item->letter;
	bool forced = letter->reason == REASON_KEY_REUSED;
	struct key_holder holder;
	if (batch->retry->clear) {
		int rc = take_key_back(batch, letter, &holder, fault);
		return rc < 0 ? rc : (int)COURSE_DECIDED;
	}
	item->left_alone =
		letter->kind == LETTER_DEAD &&
		(letter->state == LETTER_OVERTAKEN || item->update == NULL ||
			(forced && !batch->retry->force));
	if (item->left_alone)
		return COURSE_DECIDED;
	if (item->update == NULL) {
		int rc = wait_on(batch, item, fault);
		return rc < 0 ? rc : (int)COURSE_DECIDED;
	}
	int rc = take_key_back(batch, letter, &holder, fault);
	if (rc < 0)
		return rc;
	return forced ? COURSE_MERGE : COURSE_JUDGE;
}

/* Somebody holds the item's key. */
static int meet(struct batch *batch, struct item *item,
	struct key_holder *holder, struct fault *fault)
{
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
	int rc = replace_holder(batch, holder, fault);
	return rc < 0 ? rc : take_key(batch, item, fault);
}

int window_ask(struct batch *batch, struct item *item, struct fault *fault)
{
	int rc = item->letter == NULL ? (int)COURSE_JUDGE
				      : begin_letter(batch, item, fault);
	if (rc < 0 || rc == COURSE_DECIDED)
		return rc < 0 ? rc : (int)WINDOW_DECIDED;
	decide_by_content(item);
	if (!item->update->has_key || rc == COURSE_MERGE)
		return WINDOW_DECIDED;
	struct key_holder *holder = NULL;
	rc = keys_find(&batch->store->keys, item->update->key, &holder, fault);
	if (rc < 0)
		return rc;
	return holder == NULL ? take_key(batch, item, fault)
			      : meet(batch, item, holder, fault);
}
