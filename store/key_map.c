#include "store/key_map.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY_MIN 1024

/* At three quarters a walk over an absent key meets 8 slots on average, two
 * cache lines (Knuth, volume 3, 6.4: linear probing). */
static bool is_crowded(size_t count, size_t capacity)
{
	return count > capacity / 4 * 3;
}

static void place(struct key_map *map, struct key_slot slot)
{
	size_t mask = map->capacity - 1;
	size_t at = slot.prefix & mask;
	while (map->slots[at].seq != 0)
		at = (at + 1) & mask;
	map->slots[at] = slot;
}

static bool grow(struct key_map *map, size_t capacity)
{
	struct key_slot *slots = calloc(capacity, sizeof *slots);
	if (slots == NULL)
		return false;
	struct key_map larger = {slots, capacity, map->count};
	for (size_t i = 0; i < map->capacity; i++)
		if (map->slots[i].seq != 0)
			place(&larger, map->slots[i]);
	free(map->slots);
	*map = larger;
	return true;
}

bool key_map_reserve(struct key_map *map, size_t more)
{
	size_t capacity =
		map->capacity < CAPACITY_MIN ? CAPACITY_MIN : map->capacity;
	while (is_crowded(map->count + more, capacity))
		capacity *= 2;
	return capacity == map->capacity || grow(map, capacity);
}

bool key_map_add(struct key_map *map, uint64_t prefix, int64_t seq)
{
	assert(seq > 0);
	if (!key_map_reserve(map, 1))
		return false;
	place(map, (struct key_slot){prefix, seq});
	map->count++;
	return true;
}

bool key_map_add_all(
	struct key_map *map, const struct key_slot *slots, size_t count)
{
	if (!key_map_reserve(map, count))
		return false;
	size_t mask = map->capacity - 1;
	for (size_t i = 0; i < count; i++)
		__builtin_prefetch(&map->slots[slots[i].prefix & mask], 1);
	for (size_t i = 0; i < count; i++) {
		assert(slots[i].seq > 0);
		place(map, slots[i]);
	}
	map->count += count;
	return true;
}

/* Close the gap at `at`: whatever probing would have put there moves up. */
static void close_gap(struct key_map *map, size_t at)
{
	size_t mask = map->capacity - 1;
	size_t next = at;
	for (;;) {
		next = (next + 1) & mask;
		if (map->slots[next].seq == 0)
			break;
		size_t home = map->slots[next].prefix & mask;
		if (((next - home) & mask) < ((next - at) & mask))
			continue;
		map->slots[at] = map->slots[next];
		at = next;
	}
	map->slots[at] = (struct key_slot){0, 0};
}

void key_map_remove(struct key_map *map, uint64_t prefix, int64_t seq)
{
	size_t cursor = KEY_MAP_START;
	int64_t found;
	do {
		found = key_map_next(map, prefix, &cursor);
	} while (found != 0 && found != seq);
	if (found == 0)
		return;
	close_gap(map, cursor);
	map->count--;
}

int64_t key_map_next(const struct key_map *map, uint64_t prefix, size_t *cursor)
{
	if (map->capacity == 0)
		return 0;
	size_t mask = map->capacity - 1;
	size_t at =
		*cursor == KEY_MAP_START ? prefix & mask : (*cursor + 1) & mask;
	while (map->slots[at].seq != 0 && map->slots[at].prefix != prefix)
		at = (at + 1) & mask;
	*cursor = at;
	return map->slots[at].seq;
}

void key_map_clear(struct key_map *map)
{
	if (map->count > 0)
		memset(map->slots, 0, map->capacity * sizeof *map->slots);
	map->count = 0;
}

void key_map_finish(struct key_map *map)
{
	free(map->slots);
	*map = (struct key_map){0};
}

size_t key_map_bytes(const struct key_map *map)
{
	return map->capacity * sizeof *map->slots;
}
