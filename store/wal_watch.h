/*
 * Has anything happened to the WAL since? Asked without a lock, of the
 * wal-index that SQLite's connections share.
 *
 * Starting a read transaction costs two system calls, more than the rest of a
 * lookup. A reader that keeps its snapshot may go on with it exactly as long
 * as it is the newest: while this says that nothing was committed, nor
 * checkpointed (so that a kept snapshot never holds the writer up).
 *
 * Source: sqlite.org/walformat.html section 2.1: bytes 0 to 95 are two copies
 * of the header, with a change counter that no two commits share; 96 to 99 are
 * nBackfill, what checkpoints have copied.
 */
#ifndef HOLDFAST_STORE_WAL_WATCH_H
#define HOLDFAST_STORE_WAL_WATCH_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#define WAL_WATCH_WORDS 25 /* both headers, and nBackfill */

struct wal_watch {
	const volatile uint32_t *index; /* NULL: can't be watched */
};

struct wal_state {
	uint32_t words[WAL_WATCH_WORDS];
};

/* Watch the main database of `db`, which has read from its WAL before. Where
 * the wal-index has another form nothing is watched. The connection must
 * outlive the watch. */
struct wal_watch wal_watch_of(sqlite3 *db);

/* The state now; of a watch that does not work, no two are the same. */
struct wal_state wal_watch_state(const struct wal_watch *watch);
bool wal_watch_same(
	const struct wal_watch *watch, const struct wal_state *state);

#endif
