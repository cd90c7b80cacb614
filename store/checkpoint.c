#include "store/writer.h"

#include "store/failpoint.h"
#include "store/wal_readers.h"

#include <inttypes.h>
#include <time.h>

/*
 * How the WAL stays short beside readers that never pause.
 *
 * Beyond its limit it is copied, so that the next transaction begins it anew: a
 * RESTART checkpoint. For that it waits first for the snapshots from before the
 * last commit, which keep its frames from being copied, then for those that
 * read from it; who begins to read then leaves it alone (wal.c:
 * walTryBeginRead, walRestartLog). It takes as long as the longest snapshot
 * that is open, however many follow each other. TRUNCATE would stall by the
 * WAL's length as well (design section 6) and have each page of it allocated
 * again: what a peak leaves behind is cut off by journal_size_limit.
 *
 * A wait is no longer than the time since the one before: beside a reader that
 * stays ingest goes on at half its speed, until the WAL is half as long again
 * as it may be.
 */
#define WAIT_MAX_US 200000 /* a reader that lost its processor is back */
#define LOOK_EVERY_US 500  /* most snapshots last less */
#define CLOSE_WAIT_MS 1000 /* a clean stop waits so long for readers */

#define NAMES_BYTES 512 /* of the processes that hold the WAL */

int64_t store_monotonic_us(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Not beside another owner: two who checkpoint can corrupt the file (faults.md
 * S1), and of a store that was lost not a byte is written. 1: copied to its
 * last frame. 0: not now. */
static int checkpoint(struct store *store, int mode, struct fault *fault)
{
	failpoint("store_before_checkpoint");
	/* 0: it is being opened, and takes ownership next. */
	int rc = store->owner_epoch == 0 ? 0 : store_check_owner(store, fault);
	if (rc < 0)
		return rc == FAULT_BUSY ? 0 : rc;
	int pages = 0, copied = 0;
	int code = sqlite3_wal_checkpoint_v2(
		store->db, "main", mode, &pages, &copied);
	if (code == SQLITE_FULL && (store_backup_make_room(store) ||
					   ballast_give_up(&store->ballast)))
		code = sqlite3_wal_checkpoint_v2(
			store->db, "main", mode, &pages, &copied);
	if (code == SQLITE_OK && mode == SQLITE_CHECKPOINT_TRUNCATE)
		store->wal_pages = 0;
	if ((code == SQLITE_OK || code == SQLITE_BUSY) && pages >= 0 &&
		copied == pages)
		return 1;
	/* BUSY: a reader holds it up. FULL: the file can't grow now. What is
	 * durable stays so in the WAL; tried again between batches. */
	if (code == SQLITE_OK || (code & 0xff) == SQLITE_BUSY ||
		code == SQLITE_FULL)
		return 0;
	rc = sql_fault(store->db, code, fault, "checkpoint");
	store->broken |= rc == FAULT_IO;
	return fault_wrap(fault, rc, "%s", store->layout.database);
}

int store_empty_wal(struct store *store, struct fault *fault)
{
	int rc = checkpoint(store, SQLITE_CHECKPOINT_TRUNCATE, fault);
	return rc < 0 ? rc : 0;
}

int store_leave_wal(struct store *store, struct fault *fault)
{
	sqlite3_busy_timeout(store->db, CLOSE_WAIT_MS);
	return store_empty_wal(store, fault);
}

static uint64_t wal_bytes(const struct store *store)
{
	return (uint64_t)store->wal_pages * (uint64_t)store->page_bytes;
}

static int64_t patience_us(const struct store *store)
{
	int64_t since_us = store_monotonic_us() - store->waited_us;
	uint64_t limit = store->options.wal_max_bytes;
	bool far = wal_bytes(store) > limit + limit / 2;
	return far || since_us > WAIT_MAX_US ? WAIT_MAX_US : since_us;
}

/* SQLite's own waits ever longer between two looks, up to 100 ms. */
static int look_again(void *payload, int looks)
{
	static const struct timespec between = {0, LOOK_EVERY_US * 1000};
	const int64_t *until_us = payload;
	(void)looks;
	if (store_monotonic_us() >= *until_us)
		return 0;
	(void)nanosleep(&between, NULL);
	return 1;
}

/* Beyond its limit: have it begun anew, and note since when readers keep it
 * from being copied. */
static int shorten(struct store *store, struct fault *fault)
{
	int64_t until_us = store_monotonic_us() + patience_us(store);
	sqlite3_busy_handler(store->db, look_again, &until_us);
	int rc = checkpoint(store, SQLITE_CHECKPOINT_RESTART, fault);
	sqlite3_busy_timeout(store->db, (int)store->options.busy_timeout_ms);
	store->waited_us = store_monotonic_us();
	if (rc == 1)
		store->held_since_us = 0;
	else if (store->held_since_us == 0)
		store->held_since_us = store->waited_us;
	return rc < 0 ? rc : 0;
}

/* While there is a backlog pages are rewritten again and again: copying them
 * rarely saves most of the work. Caught up, often and little keeps latency low.
 */
static int keep_wal_short(
	struct store *store, bool caught_up, struct fault *fault)
{
	if (store->ballast.given_up)
		(void)ballast_make(&store->ballast);
	uint64_t limit = store->options.wal_max_bytes;
	if (wal_bytes(store) > limit)
		return shorten(store, fault);
	if (wal_bytes(store) <= (caught_up ? limit / 50 : limit / 2))
		return 0;
	int rc = checkpoint(store, SQLITE_CHECKPOINT_PASSIVE, fault);
	return rc < 0 ? rc : 0;
}

int store_checkpoint(struct store *store, bool caught_up, struct fault *fault)
{
	store_backup_between(store, caught_up);
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
