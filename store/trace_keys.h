/*
 * The key window as a reader sees it, for store/trace.c: where in `_key` to
 * look for a key, and how far back they go.
 */
#ifndef HOLDFAST_STORE_TRACE_KEYS_H
#define HOLDFAST_STORE_TRACE_KEYS_H

#include "store/keys.h"

struct trace_keys {
	sqlite3_stmt *list, *get;
	struct key_map map;
	int64_t last_seq; /* read so far */
	size_t settled;	  /* keys, when the map was last made anew */
	/* By log id - 1: the first offset of which a key is held;
	 * INT64_MAX: of none. */
	int64_t *first_offsets;
	size_t log_count;
};

int trace_keys_init(struct trace_keys *keys, sqlite3 *db, struct fault *fault);
void trace_keys_finish(struct trace_keys *keys);

/* Read on, a page of rows at most, within the caller's snapshot. 1: there is
 * more. Errors: FAULT_CORRUPT, FAULT_OOM, as sql_fault(). */
int trace_keys_read(
	struct trace_keys *keys, size_t log_count, struct fault *fault);

/* Who holds the key? 1: *out. 0: nobody. */
int trace_keys_find(struct trace_keys *keys, const unsigned char key[KEY_BYTES],
	struct key_holder *out, struct fault *fault);

#endif
