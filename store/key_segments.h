/*
 * Segments of the key window: neighbouring rows of `_key` that are let go
 * together, once every partition that could still bring a copy has passed them.
 */
#ifndef HOLDFAST_STORE_KEY_SEGMENTS_H
#define HOLDFAST_STORE_KEY_SEGMENTS_H

#include "store/keys.h"

/* So many at most in one transaction: three times what a full batch adds. */
#define KEY_SEGMENTS_AT_ONCE 8

struct key_range {
	int64_t first, last; /* rows of _key */
};

/* Count a written holder into the newest segment. False: out of memory. */
bool key_segments_note(struct keys *keys, const struct key_holder *holder);
bool key_segments_reserve(struct keys *keys, size_t more);

/* Mark segments that the horizon has passed; their rows in ranges[0..result).
 * key_segments_settle() then drops the marked, key_segments_unmark() keeps
 * them. Source: design section 6, "a key is let go only when …". */
size_t key_segments_passed(struct keys *keys, const struct key_horizon *horizon,
	struct key_range ranges[KEY_SEGMENTS_AT_ONCE]);
void key_segments_settle(struct keys *keys);
void key_segments_unmark(struct keys *keys);
void key_segments_finish(struct keys *keys);

#endif
