/*
 * Readers: one for each thread that answers, at its desk, and one that watches
 * whether the store changed, was replaced or went away.
 *
 * A desk opens its reader when it first needs one, and another one when the
 * store was replaced or the old one is not to be trusted. Without a store it
 * tries again once a second at most. What the live store can't answer, since it
 * can't be read or what was read is damaged, the newest backup answers, if
 * there is one.
 *
 * Threads: a desk belongs to one thread, apart from desk_rest(); pool_watch()
 * to one; the rest to any.
 */
#ifndef HOLDFAST_STORE_SERVE_POOL_H
#define HOLDFAST_STORE_SERVE_POOL_H

#include "schema/arena.h"
#include "schema/fault.h"
#include "store/reader.h"
#include "store/serve/counters.h"

#include <pthread.h>

#define POOL_RETRY_US                                                          \
	INT64_C(1000000) /* an open that failed is tried again                 \
			  */

struct pool_options {
	const char *store_path; /* borrowed while the pool lives */
	uint32_t busy_timeout_ms;
	int64_t (*wall_us)(void);
	void (*notice)(void *payload, const char *text); /* or NULL */
	void *payload;
	struct counters *counters; /* ingest_seen_us is kept there */
};

struct pool {
	struct pool_options options;
	/* Goes up when readers are to be opened again; when the store changed
	 * or was replaced. */
	atomic_uint_fast32_t generation, changes;
	atomic_int_fast64_t damage_told_us; /* monotonic; 0: never */
	/* of pool_watch() */
	struct reader *watcher;
	uint32_t seen_version;
	int64_t watcher_due_us, current_due_us;
	enum { POOL_UNKNOWN, POOL_READABLE, POOL_UNREADABLE } state;
};

void pool_init(struct pool *pool, const struct pool_options *options);
/* After the last desk. A zeroed pool is allowed. */
void pool_finish(struct pool *pool);

/* Look at the store: is it the same, did it change? `now_us` is monotonic. */
void pool_watch(struct pool *pool, int64_t now_us);

/* Differs after pool_watch() has seen a change. */
static inline uint32_t pool_changes(const struct pool *pool)
{
	return (uint32_t)atomic_load(&pool->changes);
}

/* An arena that is some reply's until that is sent. */
struct desk_memory {
	struct arena arena;
	struct desk_memory *next;
};

struct desk {
	struct pool *pool;
	/* Who has it has the reader, which keeps its last snapshot for the
	 * next lookup; while nobody asks desk_rest() takes that away. */
	pthread_mutex_t mutex;
	struct reader *reader; /* NULL: none, or not opened yet */
	int64_t used_us;       /* monotonic */
	uint32_t generation;   /* of the pool when it was opened */
	int64_t retry_us;      /* monotonic: not opened before */
	struct fault why;      /* there is none */
	struct reader *backup; /* what answers then; NULL: none is open */
	int64_t backup_due_us; /* monotonic: then a newer one is looked for */
	struct desk_memory *spare;
	size_t spare_count;
	struct counters_shard shard; /* joins the pool's counters */
};

void desk_init(struct desk *desk, struct pool *pool);
void desk_finish(struct desk *desk); /* a zeroed desk is allowed */

/* The desk's reader, of the store as it is now; NULL: desk->why says why. Given
 * back either way, with the result of what was done with it: after some faults
 * it is closed. */
struct reader *desk_take_reader(struct desk *desk, int64_t now_us);
void desk_give_reader(struct desk *desk, int code, int64_t now_us);

/* The reader of the newest backup, in place of the desk's: between
 * desk_take_reader() and desk_give_reader(). NULL: there is none. */
struct reader *desk_turn_to_backup(struct desk *desk, int64_t now_us);

/* What was read of the live store is damaged, as `why` says: counted, and told,
 * not each time. By any thread. */
void pool_met_damage(
	struct pool *pool, const struct fault *why, int64_t now_us);

/* Let go of a snapshot that is kept for nobody. By any thread. True: one is
 * kept on, or may be. */
bool desk_rest(struct desk *desk, int64_t now_us);

/* An empty arena; NULL when out of memory. Each is given back. */
struct desk_memory *desk_take_memory(struct desk *desk);
void desk_give_memory(struct desk *desk, struct desk_memory *memory);

#endif
