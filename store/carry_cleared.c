/*
 * Letters that the live generation let go after somebody had seen them. Nothing
 * is left of such a one but that its partition counts it, and nothing at all of
 * one that was taken up by hand: the built generation has both as letters.
 */
#include "store/carry_letters.h"
#include "store/decisions.h"
#include "store/writer.h"

#include <stdlib.h>

/* Its key goes with it, as when it is cleared (store/window.c). */
static int let_go(
	struct letter_carry *letters, struct slot *built, struct fault *fault)
{
	struct store *store = letters->carry->store;
	struct key_holder *holder = NULL;
	struct letter letter;
	arena_reset(letters->carry->arena);
	int rc = carry_letter_get(letters, built, &letter, fault);
	if (rc == 0 && letter.has_key)
		rc = keys_find(&store->keys, letter.key, &holder, fault);
	if (rc == 1 && holder != NULL && holder->state == KEY_DEAD &&
		holder->letter == letter.id)
		rc = keys_remove(&store->keys, holder, fault);
	if (rc >= 0)
		rc = letters_remove(&store->letters, &letter, fault);
	built->id = 0; /* gone */
	letters->carry->out->cleared++;
	return rc;
}

/* How many letters of a partition here were cleared there, and not here. */
static int64_t cleared_there(
	const struct carry *carry, const struct store_partition *here)
{
	const struct store_partition *there = carry_live_partition(carry, here);
	return there == NULL ? 0
			     : there->accounts.cleared - here->accounts.cleared;
}

/* A letter that the other one has not was let go there, or taken up by hand. */
static int was_retried(
	const struct carry *carry, bool *out, struct fault *fault)
{
	int64_t found = 0;
	int rc = sql_integer(carry->live,
		"SELECT EXISTS (SELECT 1 FROM _decision WHERE what IN"
		" ('" DECISION_RETRIED "', '" DECISION_FORCED "'))",
		&found, fault);
	*out = found != 0;
	return rc;
}

/* Was not all taken here that was taken there? */
static bool begins_later(
	const struct carry *carry, const struct store_partition *here)
{
	const struct store_partition *there = carry_live_partition(carry, here);
	return there != NULL &&
	       here->accounts.first_offset > there->accounts.first_offset;
}

/* unsure[id - 1]: nobody knows which of that log's letters were let go, since
 * there are more of them, or one of those may be out of reach. `left` is room
 * for as many numbers. */
static int find_unsure(struct letter_carry *letters, bool *unsure,
	int64_t *left, struct fault *fault)
{
	const struct carry *carry = letters->carry;
	const struct partitions *partitions = &carry->store->partitions;
	bool retried = false;
	int rc = was_retried(carry, &retried, fault);
	for (size_t i = 0; i < partitions->count; i++)
		left[i] = cleared_there(carry, partitions->items[i]);
	for (size_t i = 0; i < letters->built.count; i++) {
		const struct slot *built = &letters->built.items[i];
		left[built->log - 1] -= built->peer == 0;
	}
	for (size_t i = 0; i < partitions->count; i++)
		unsure[i] = retried &&
			    (left[i] < 0 ||
				    begins_later(carry, partitions->items[i]));
	return rc;
}

/* The oldest first, as they were seen. */
static int let_go_known(
	struct letter_carry *letters, const bool *unsure, struct fault *fault)
{
	struct store *store = letters->carry->store;
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < letters->built.count; i++) {
		struct slot *built = &letters->built.items[i];
		struct store_partition *here =
			store->partitions.items[built->log - 1];
		if (built->peer != 0 ||
			cleared_there(letters->carry, here) <= 0)
			continue;
		if (unsure[built->log - 1] && !built->of_other_view) {
			letters->carry->out->unsure++;
			continue;
		}
		here->accounts.cleared++;
		rc = let_go(letters, built, fault);
		if (rc == 0)
			rc = carry_write_partition(store, here, fault);
	}
	return rc;
}

/* Where the schema is another one, nobody knows which they were: all stay. */
int carry_cleared(struct letter_carry *letters, struct fault *fault)
{
	size_t count = letters->carry->store->partitions.count;
	bool *unsure = calloc(count + 1, sizeof *unsure);
	int64_t *left = calloc(count + 1, sizeof *left);
	int rc = 0;
	if (unsure == NULL || left == NULL)
		rc = fault_set(fault, FAULT_OOM, "no memory for letters");
	else
		rc = find_unsure(letters, unsure, left, fault);
	if (rc == 0 && unsure != NULL)
		rc = let_go_known(letters, unsure, fault);
	free(unsure);
	free(left);
	return rc;
}
