/*
 * The key window: which updates are the same event.
 *
 * Two updates are the same if their keys match and their record timestamps
 * differ by at most the window; for parked and dead holders the key counts as
 * long as their row lives. `_key` holds one row a key, appended in order of
 * arrival; memory holds where to look (key_map.h).
 *
 * A batch works beside what is durable: what it takes and lets go joins the
 * memory with keys_settle() after the commit, or is forgotten by keys_forget().
 * Source: design section 6, key window.
 */
#ifndef HOLDFAST_STORE_KEYS_H
#define HOLDFAST_STORE_KEYS_H

#include "schema/update.h"
#include "store/key_map.h"
#include "store/sql.h"

enum key_state {
	KEY_PENDING, /* of the open run: its disposition is not known yet */
	KEY_TAKEN,   /* applied or superseded */
	KEY_PARKED,  /* `letter` is its row in _parked */
	KEY_DEAD     /* `letter` is its row in _dead; 0: not written yet */
};

struct key_holder {
	unsigned char key[KEY_BYTES];
	int64_t seq; /* row in _key; 0 while not written */
	uint64_t content;
	int64_t record_time_us;
	uint32_t log;
	int64_t offset;
	uint32_t place;
	enum key_state state;
	int64_t letter;
	size_t owner; /* of a batch's own: the caller's index of the update */
};

/* Keys are let go by the segment of so many rows. */
#define KEY_SEGMENT_ROWS 8192

struct key_segment;

struct keys {
	sqlite3 *db;
	sqlite3_stmt *get, *put, *put_over, *remove, *list, *let_go;
	struct key_map map;
	struct key_segment *segments;
	size_t segment_count, segment_capacity;
	size_t segment_rows; /* KEY_SEGMENT_ROWS; tests take fewer */
	int64_t next_seq;    /* of what is durable */
	bool loaded;	     /* memory holds the whole table */

	/* of the open batch */
	struct key_holder *fresh; /* fresh[0..fresh_count) */
	size_t fresh_count, fresh_capacity;
	struct key_map fresh_map; /* prefix to index + 1 */
	struct key_slot *gone;	  /* rows removed: gone[0..gone_count) */
	size_t gone_count, gone_capacity;
	int64_t batch_seq; /* next_seq of the open batch */
	struct key_holder found;
};

/* Memory is empty until it is loaded. Errors: as sql_fault(). */
int keys_init(struct keys *keys, sqlite3 *db, struct fault *fault);
void keys_finish(struct keys *keys);

/* Build the memory from the table anew; forgets an open batch. Errors:
 * FAULT_CORRUPT, FAULT_OOM, as sql_fault(). */
int keys_load(struct keys *keys, struct fault *fault);

/* Go on building it, by `rows` rows at most. 0: it is whole. 1: there may be
 * more. Nothing else may be done with keys before it is whole. Errors: as
 * keys_load(); then it begins anew. */
int keys_load_more(struct keys *keys, size_t rows, struct fault *fault);

/* Forget it; keys_load() comes before anything else. */
void keys_unload(struct keys *keys);

/* The row of `_key` that `statement`, a SELECT *, stands on.
 * Errors: FAULT_CORRUPT, FAULT_OOM. */
int keys_read_holder(
	sqlite3_stmt *statement, struct key_holder *out, struct fault *fault);

/* Where key_map.h looks for it. */
uint64_t keys_prefix(const unsigned char key[KEY_BYTES]);

/* Who holds the key? 1: *out, valid until the next call; 0: nobody. */
int keys_find(struct keys *keys, const unsigned char key[KEY_BYTES],
	struct key_holder **out, struct fault *fault);

/* The key is `holder`'s from now on; written later, in order of arrival, by
 * keys_write(). Returns its index in keys->fresh, or a fault (FAULT_OOM). */
int keys_take(struct keys *keys, const struct key_holder *holder, size_t *index,
	struct fault *fault);

/* A holder gives way to another: its row goes. */
int keys_remove(
	struct keys *keys, struct key_holder *holder, struct fault *fault);

/* What is durable holds its key for another letter from now on: its row is
 * written over. `holder` is of keys_find(), without an open batch. */
int keys_point(struct keys *keys, const struct key_holder *holder,
	int64_t letter, struct fault *fault);

/* Append fresh[index], whose state and letter are known now. */
int keys_write(struct keys *keys, size_t index, struct fault *fault);

/* How far the partitions are, by log id - 1. */
struct key_horizon {
	int64_t window_us;
	uint64_t keep_newest;	       /* rows */
	const int64_t *record_time_us; /* INT64_MAX: nothing comes any more */
	const bool *at_end;
	size_t count;
};

/* Let go what nothing can match any more, a bounded amount at a time. */
int keys_let_go(struct keys *keys, const struct key_horizon *horizon,
	struct fault *fault);

/* Room for what keys_settle() adds, so that it can't fail. FAULT_OOM. */
int keys_prepare(struct keys *keys, struct fault *fault);

/* The batch is durable / never was. */
void keys_settle(struct keys *keys);
void keys_forget(struct keys *keys);

/* Memory and table together, were `more` keys added. */
uint64_t keys_bytes(const struct keys *keys, size_t more);

#endif
