#include "store/trace_cleared.h"

#include "store/keys.h"

#include <stdlib.h>

static int no_memory(struct fault *fault)
{
	return fault_set(
		fault, FAULT_OOM, "no memory for letters that left the store");
}

static bool was_explained(
	const struct trace_cleared *cleared, const struct update *update)
{
	size_t cursor = KEY_MAP_START;
	return update->has_key &&
	       key_map_next(
		       &cleared->keys, keys_prefix(update->key), &cursor) != 0;
}

bool trace_cleared_explains(
	const struct trace_cleared *cleared, const struct update *update)
{
	return cleared->used < cleared->letters ||
	       was_explained(cleared, update);
}

int trace_cleared_settle(struct trace_cleared *cleared,
	const struct update *update, struct proof *proof, struct fault *fault)
{
	if (proof->why != PROOF_WHY_CLEARED)
		return 0;
	if (was_explained(cleared, update)) {
		proof->answer = PROOF_DUPLICATE;
		proof->why = PROOF_WHY_COPY;
		return 0;
	}
	cleared->used++;
	cleared->last = update->has_key ? keys_prefix(update->key) : 0;
	if (update->has_key && !key_map_add(&cleared->keys, cleared->last, 1))
		return no_memory(fault);
	return 0;
}

void trace_cleared_give_back(struct trace_cleared *cleared)
{
	cleared->used--;
	key_map_remove(&cleared->keys, cleared->last, 1);
}

int trace_cleared_spent(const struct trace_cleared *cleared,
	struct trace_spent *out, struct fault *fault)
{
	const struct key_map *map = &cleared->keys;
	*out = (struct trace_spent){.letters = cleared->used};
	out->keys = calloc(map->count + 1, sizeof *out->keys);
	if (out->keys == NULL)
		return no_memory(fault);
	for (size_t i = 0; i < map->capacity; i++)
		if (map->slots[i].seq != 0)
			out->keys[out->count++] = map->slots[i].prefix;
	return 0;
}

int trace_cleared_spend(struct trace_cleared *cleared,
	const struct trace_spent *spent, struct fault *fault)
{
	cleared->used = spent->letters;
	for (size_t i = 0; i < spent->count; i++)
		if (!key_map_add(&cleared->keys, spent->keys[i], 1))
			return no_memory(fault);
	return 0;
}

void trace_cleared_finish(struct trace_cleared *cleared)
{
	key_map_finish(&cleared->keys);
}
