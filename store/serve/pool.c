#include "store/serve/pool.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Half of what is promised: a replaced store is noticed within a second. */
#define CURRENT_EVERY_US INT64_C(500000)

/* The watcher must not be held up: requests that wait are woken by it. */
#define WATCHER_BUSY_MS 50

/* A newer backup than the one that answers is looked for so often. */
#define BACKUP_EVERY_US INT64_C(10000000)

/* Damage that was met is told so often. */
#define DAMAGE_EVERY_US INT64_C(60000000)

/* Replies on their way at once, mostly one a thread; more are freed. */
#define SPARE_MAX 16

/* An arena that holds more is not kept. */
#define SPARE_BYTES_MAX (4 * 1024 * 1024)

void pool_init(struct pool *pool, const struct pool_options *options)
{
	*pool = (struct pool){.options = *options};
}

void pool_finish(struct pool *pool)
{
	reader_close(pool->watcher);
	pool->watcher = NULL;
}

static void notice(const struct pool *pool, const char *text)
{
	if (pool->options.notice != NULL)
		pool->options.notice(pool->options.payload, text);
}

/* Desks look for themselves, once. */
static void tell_desks(struct pool *pool)
{
	atomic_fetch_add(&pool->generation, 1);
	atomic_fetch_add(&pool->changes, 1);
}

static void found_readable(struct pool *pool)
{
	char text[128];
	if (pool->state == POOL_UNREADABLE &&
		snprintf(text, sizeof text,
			"the store can be read again: generation %s",
			reader_generation(pool->watcher)) > 0)
		notice(pool, text);
	pool->state = POOL_READABLE;
	/* What desks opened meanwhile may have been replaced before this
	 * reader was there to notice. */
	tell_desks(pool);
}

static void found_unreadable(struct pool *pool, const struct fault *fault)
{
	char text[sizeof fault->text + 64];
	if (pool->state == POOL_UNREADABLE)
		return;
	if (snprintf(text, sizeof text,
		    "lookups get 503 for now, or what a backup holds: %s",
		    fault->text) > 0)
		notice(pool, text);
	pool->state = POOL_UNREADABLE;
	/* A desk that was quicker may have opened what is no longer there. */
	tell_desks(pool);
}

static void drop_watcher(struct pool *pool)
{
	reader_close(pool->watcher);
	pool->watcher = NULL;
	pool->watcher_due_us = 0;
	tell_desks(pool);
}

static void open_watcher(struct pool *pool, int64_t now_us)
{
	struct fault fault = {0};
	if (now_us < pool->watcher_due_us)
		return;
	pool->watcher_due_us = now_us + POOL_RETRY_US;
	pool->current_due_us = now_us + CURRENT_EVERY_US;
	int rc = reader_open(&pool->watcher, pool->options.store_path,
		WATCHER_BUSY_MS, &fault);
	if (rc == 0)
		rc = reader_data_version(
			pool->watcher, &pool->seen_version, &fault);
	if (rc == 0) {
		found_readable(pool);
		return;
	}
	reader_close(pool->watcher);
	pool->watcher = NULL;
	if (rc != FAULT_BUSY)
		found_unreadable(pool, &fault);
}

static void look_for_change(struct pool *pool)
{
	uint32_t version = 0;
	int rc = reader_data_version(pool->watcher, &version, NULL);
	if (rc < 0 && rc != FAULT_BUSY)
		drop_watcher(pool);
	if (rc < 0 || version == pool->seen_version)
		return;
	pool->seen_version = version;
	atomic_store(&pool->options.counters->ingest_seen_us,
		pool->options.wall_us());
	atomic_fetch_add(&pool->changes, 1);
}

void pool_watch(struct pool *pool, int64_t now_us)
{
	if (pool->watcher != NULL && now_us >= pool->current_due_us) {
		pool->current_due_us = now_us + CURRENT_EVERY_US;
		if (!reader_is_current(pool->watcher))
			drop_watcher(pool);
	}
	if (pool->watcher == NULL)
		open_watcher(pool, now_us);
	if (pool->watcher != NULL)
		look_for_change(pool);
}

void desk_init(struct desk *desk, struct pool *pool)
{
	*desk = (struct desk){.pool = pool};
	pthread_mutex_init(&desk->mutex, NULL);
	counters_join(pool->options.counters, &desk->shard);
}

void desk_finish(struct desk *desk)
{
	if (desk->pool != NULL)
		pthread_mutex_destroy(&desk->mutex);
	reader_close(desk->reader);
	reader_close(desk->backup);
	desk->reader = desk->backup = NULL;
	while (desk->spare != NULL) {
		struct desk_memory *memory = desk->spare;
		desk->spare = memory->next;
		arena_finish(&memory->arena);
		free(memory);
	}
}

static void close_reader(struct desk *desk)
{
	reader_close(desk->reader);
	desk->reader = NULL;
	desk->retry_us = 0;
}

static void open_reader(struct desk *desk, uint32_t generation, int64_t now_us)
{
	const struct pool_options *options = &desk->pool->options;
	desk->generation = generation;
	desk->retry_us = now_us + POOL_RETRY_US;
	if (reader_open(&desk->reader, options->store_path,
		    options->busy_timeout_ms, &desk->why) == 0)
		reader_keep(desk->reader, true);
}

/* To the generation that took the place of this desk's. One that can't be read
 * right away leaves the old one, which holds all that was taken until then. */
static void move(struct desk *desk, uint32_t generation, int64_t now_us)
{
	struct reader *old = desk->reader;
	desk->reader = NULL;
	open_reader(desk, generation, now_us);
	if (desk->reader == NULL)
		desk->reader = old;
	else
		reader_close(old);
}

struct reader *desk_take_reader(struct desk *desk, int64_t now_us)
{
	pthread_mutex_lock(&desk->mutex);
	/* Before the store is opened: one that is replaced meanwhile raises it,
	 * and this reader is opened once more than needed. */
	uint32_t generation = (uint32_t)atomic_load(&desk->pool->generation);
	if (desk->generation != generation)
		close_reader(desk);
	if (desk->reader == NULL && now_us >= desk->retry_us)
		open_reader(desk, generation, now_us);
	else if (desk->reader != NULL && reader_has_moved(desk->reader))
		move(desk, generation, now_us);
	return desk->reader;
}

void desk_give_reader(struct desk *desk, int code, int64_t now_us)
{
	bool bad = code == FAULT_CORRUPT || code == FAULT_IO ||
		   code == FAULT_INTERNAL;
	/* One that was opened just before is kept: another one would say the
	 * same. */
	if (bad && now_us >= desk->retry_us)
		close_reader(desk);
	desk->used_us = now_us;
	pthread_mutex_unlock(&desk->mutex);
}

/* Where no store ever was, or none of this program's, there is nothing that a
 * backup could stand for; want of memory, or of a lock, passes. */
static bool is_unreadable(const struct desk *desk)
{
	return desk->reader != NULL || desk->why.code == FAULT_CORRUPT ||
	       desk->why.code == FAULT_IO || desk->why.code == FAULT_REFUSED;
}

struct reader *desk_turn_to_backup(struct desk *desk, int64_t now_us)
{
	if (!is_unreadable(desk))
		return NULL;
	if (now_us < desk->backup_due_us)
		return desk->backup;
	reader_close(desk->backup);
	bool found = reader_open_newest_backup(&desk->backup,
			     desk->pool->options.store_path, NULL) == 0;
	desk->backup_due_us =
		now_us + (found ? BACKUP_EVERY_US : POOL_RETRY_US);
	return desk->backup;
}

void pool_met_damage(struct pool *pool, const struct fault *why, int64_t now_us)
{
	char text[sizeof why->text + 128];
	struct counters *counters = pool->options.counters;
	atomic_fetch_add(&counters->damaged, 1);
	atomic_store(&counters->damaged_us, pool->options.wall_us());
	int64_t told_us = atomic_load(&pool->damage_told_us);
	if ((told_us != 0 && now_us - told_us < DAMAGE_EVERY_US) ||
		!atomic_compare_exchange_strong(
			&pool->damage_told_us, &told_us, now_us))
		return;
	if (snprintf(text, sizeof text,
		    "a lookup met damage, and gets 503, or what a backup "
		    "holds: %s",
		    why->text) > 0)
		notice(pool, text);
}

bool desk_rest(struct desk *desk, int64_t now_us)
{
	/* Its thread is at it: then it is no time to rest. */
	if (pthread_mutex_trylock(&desk->mutex) != 0)
		return true;
	if (desk->reader != NULL && now_us - desk->used_us > READER_REST_US)
		reader_rest(desk->reader);
	bool keeps = desk->reader != NULL && reader_rest_if_old(desk->reader);
	pthread_mutex_unlock(&desk->mutex);
	return keeps;
}

struct desk_memory *desk_take_memory(struct desk *desk)
{
	struct desk_memory *memory = desk->spare;
	if (memory == NULL)
		return calloc(1, sizeof *memory);
	desk->spare = memory->next;
	desk->spare_count--;
	return memory;
}

void desk_give_memory(struct desk *desk, struct desk_memory *memory)
{
	if (memory->arena.held_bytes > SPARE_BYTES_MAX ||
		desk->spare_count == SPARE_MAX) {
		arena_finish(&memory->arena);
		free(memory);
		return;
	}
	arena_reset(&memory->arena);
	memory->next = desk->spare;
	desk->spare = memory;
	desk->spare_count++;
}
