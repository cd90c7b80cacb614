/*
 * The key window's memory: which rows of `_key` may hold a key.
 *
 * 64 bits of each key and its row's number, in open addressing. Keys are
 * SipHash-128 under the store's secret, so their first 64 bits are as good as
 * random. May give rows of other keys (a hit is confirmed in the table), never
 * misses one.
 */
#ifndef HOLDFAST_STORE_KEY_MAP_H
#define HOLDFAST_STORE_KEY_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct key_slot {
	uint64_t prefix;
	int64_t seq; /* 0: empty */
};

struct key_map {
	struct key_slot *slots;
	size_t capacity; /* a power of two, or 0 */
	size_t count;
};

/* seq > 0. False: out of memory, nothing changed. */
bool key_map_add(struct key_map *map, uint64_t prefix, int64_t seq);

/* The same for slots[0..count), at less than half the cost of one by one: their
 * places lie anywhere in memory, and are fetched together. */
bool key_map_add_all(
	struct key_map *map, const struct key_slot *slots, size_t count);

/* Make room for `more` further keys, so that adding them can't fail. */
bool key_map_reserve(struct key_map *map, size_t more);

/* Does nothing if the pair is not there. */
void key_map_remove(struct key_map *map, uint64_t prefix, int64_t seq);

/* A walk over the rows that may hold the key: start with *cursor =
 * KEY_MAP_START; 0 when there are no more. */
#define KEY_MAP_START SIZE_MAX
int64_t key_map_next(
	const struct key_map *map, uint64_t prefix, size_t *cursor);

void key_map_clear(struct key_map *map); /* keeps the memory */
void key_map_finish(struct key_map *map);
size_t key_map_bytes(const struct key_map *map);

#endif
