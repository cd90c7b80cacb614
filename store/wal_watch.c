#include "store/wal_watch.h"

#include <stdatomic.h>
#include <stddef.h>

#define REGION_BYTES 32768    /* the wal-index is mapped in such pieces */
#define INDEX_VERSION 3007000 /* its first word; the only one since 2010 */

struct wal_watch wal_watch_of(sqlite3 *db)
{
	struct wal_watch watch = {NULL};
	sqlite3_file *file = NULL;
	volatile void *region = NULL;
	if (sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER,
		    &file) != SQLITE_OK ||
		file == NULL || file->pMethods == NULL ||
		file->pMethods->iVersion < 2)
		return watch;
	if (file->pMethods->xShmMap(file, 0, REGION_BYTES, 0, &region) !=
			SQLITE_OK ||
		region == NULL)
		return watch;
	const volatile uint32_t *index = region;
	if (index[0] == INDEX_VERSION)
		watch.index = index;
	return watch;
}

struct wal_state wal_watch_state(const struct wal_watch *watch)
{
	struct wal_state state = {{0}};
	atomic_thread_fence(memory_order_seq_cst);
	for (size_t i = 0; watch->index != NULL && i < WAL_WATCH_WORDS; i++)
		state.words[i] = watch->index[i];
	return state;
}

bool wal_watch_same(
	const struct wal_watch *watch, const struct wal_state *state)
{
	if (watch->index == NULL)
		return false;
	atomic_thread_fence(memory_order_seq_cst);
	for (size_t i = 0; i < WAL_WATCH_WORDS; i++)
		if (watch->index[i] != state->words[i])
			return false;
	return true;
}
