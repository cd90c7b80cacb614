#include "store/writer.h"

#include "store/failpoint.h"
#include "store/wal_readers.h"

#include <inttypes.h>
#include <time.h>

/* Beyond its limit the WAL waits this long for the readers that were there
 * before the last commit. Snapshots last microseconds, but where readers are
 * busy there is always one of them: without waiting, no checkpoint would ever
 * come to its end, and the WAL would grow for ever. Long enough for a reader
 * that lost its processor; one that reads for seconds slows ingest down. */
#define CHECKPOINT_WAIT_MS 200

#define NAMES_BYTES 512 /* of the processes that hold the WAL */

int64_t store_monotonic_us(void)
{
	struct timespec now;
	if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
		return 0;
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Not beside another owner: two who checkpoint can corrupt the file (faults.md
 * S1), and of a store that was lost not a byte is written. */
static int checkpoint(struct store *store, int mode, struct fault *fault)
{
	failpoint("store_before_checkpoint");
	/* 0: it is being opened, and takes ownership next. */
	int rc = store->owner_epoch == 0 ? 0 : store_check_owner(store, fault);
	if (rc < 0)
		return rc == FAULT_BUSY ? 0 : rc;
	int code =
		sqlite3_wal_checkpoint_v2(store->db, "main", mode, NULL, NULL);
	if (code == SQLITE_FULL && (store_backup_make_room(store) ||
					   ballast_give_up(&store->ballast)))
		code = sqlite3_wal_checkpoint_v2(
			store->db, "main", mode, NULL, NULL);
	if (code == SQLITE_OK && mode == SQLITE_CHECKPOINT_TRUNCATE)
		store->wal_pages = 0;
	/* BUSY: a reader holds it up. FULL: the file can't grow now. What is
	 * durable stays so in the WAL; tried again between batches. */
	if (code == SQLITE_OK || (code & 0xff) == SQLITE_BUSY ||
		code == SQLITE_FULL)
		return 0;
	rc = sql_fault(store->db, code, fault, "checkpoint");
	return fault_wrap(fault, rc, "%s", store->layout.database);
}

int store_empty_wal(struct store *store, struct fault *fault)
{
	return checkpoint(store, SQLITE_CHECKPOINT_TRUNCATE, fault);
}

static uint64_t wal_bytes(const struct store *store)
{
	return (uint64_t)store->wal_pages * (uint64_t)store->page_bytes;
}

/* Beyond its limit: empty it, and note since when readers keep that from
 * happening. */
static int shorten(struct store *store, struct fault *fault)
{
	sqlite3_busy_timeout(store->db, CHECKPOINT_WAIT_MS);
	int rc = store_empty_wal(store, fault);
	sqlite3_busy_timeout(store->db, (int)store->options.busy_timeout_ms);
	if (wal_bytes(store) <= store->options.wal_max_bytes)
		store->held_since_us = 0;
	else if (store->held_since_us == 0)
		store->held_since_us = store_monotonic_us();
	return rc;
}

/* While there is a backlog pages are rewritten again and again: copying them
 * rarely saves most of the work. Caught up, often and little keeps latency low.
 * TRUNCATE only after peaks: it stalls by the size of the WAL (design section
 * 6). */
static int keep_wal_short(
	struct store *store, bool caught_up, struct fault *fault)
{
	if (store->ballast.given_up)
		(void)ballast_make(&store->ballast);
	uint64_t limit = store->options.wal_max_bytes;
	if (wal_bytes(store) > limit)
		return shorten(store, fault);
	if (wal_bytes(store) > (caught_up ? limit / 50 : limit / 2))
		return checkpoint(store, SQLITE_CHECKPOINT_PASSIVE, fault);
	return 0;
}

int store_checkpoint(struct store *store, bool caught_up, struct fault *fault)
{
	store_backup_between(store);
	return keep_wal_short(store, caught_up, fault);
}

static bool is_held_too_long(const struct store *store)
{
	return store->held_since_us != 0 &&
	       store_monotonic_us() - store->held_since_us >=
		       store->options.reader_max_us;
}

static int tell_readers(struct store *store, struct fault *fault)
{
	char names[NAMES_BYTES];
	size_t count =
		wal_readers_name(store->layout.database, names, sizeof names);
	return fault_set(fault, FAULT_BUSY,
		"the WAL of %s is %" PRIu64 " MiB long, beyond "
		"store.wal_max_bytes, and can't be emptied: %s read%s from it "
		"since longer than store.reader_max; end that transaction",
		store->layout.directory, wal_bytes(store) >> 20,
		count == 0 ? "a process that can't be seen from here" : names,
		count > 1 ? "" : "s");
}

int store_check_wal(struct store *store, struct fault *fault)
{
	if (!is_held_too_long(store))
		return 0;
	int rc = shorten(store, fault);
	if (rc < 0 || !is_held_too_long(store))
		return rc;
	return tell_readers(store, fault);
}
