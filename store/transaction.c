#include "store/writer.h"

#include "store/failpoint.h"

#include <inttypes.h>

/* Errors like FULL and IOERR may have rolled back already (faults.md S6). */
static int end_transaction(struct store *store, struct fault *fault)
{
	return sqlite3_get_autocommit(store->db)
		       ? 0
		       : sql_run(store->rollback, fault);
}

int store_reload(struct store *store, struct fault *fault)
{
	store->stale = true;
	/* What an open transaction sees is not what the file holds. */
	int rc = end_transaction(store, fault);
	if (rc == 0)
		rc = meta_read_commits(store->db, &store->commits, fault);
	if (rc == 0)
		rc = partitions_load(&store->partitions, store->db, fault);
	for (size_t i = 0; rc == 0 && i < store->identity.schema->view_count;
		i++)
		rc = view_rows_load_totals(&store->views[i], fault);
	if (rc == 0)
		rc = letters_load(&store->letters, store->db, fault);
	if (rc == 0)
		rc = letter_bytes_load(&store->letters.bytes, store->db, fault);
	if (rc == 0 && store->keys.loaded)
		rc = keys_load(&store->keys, fault);
	if (rc < 0)
		return fault_wrap(fault, rc, "reading the store again");
	store->stale = false;
	return 0;
}

int store_refresh(struct store *store, struct fault *fault)
{
	return store->stale ? store_reload(store, fault) : 0;
}

int store_need_keys(struct store *store, struct fault *fault)
{
	int rc = store_refresh(store, fault);
	if (rc == 0 && !store->keys.loaded)
		rc = keys_load(&store->keys, fault);
	return rc;
}

int store_check_owner(struct store *store, struct fault *fault)
{
	int64_t epoch = 0;
	int rc = meta_read_epoch(store->db, &epoch, fault);
	if (rc == 0 && epoch != store->owner_epoch)
		rc = fault_set(fault, FAULT_FENCED,
			"%s: another process took this store over; this one "
			"wrote nothing more and must stop",
			store->layout.directory);
	return rc;
}

int store_begin(struct store *store, struct fault *fault)
{
	failpoint("store_before_begin");
	int rc = end_transaction(store, fault);
	if (rc == 0)
		rc = sql_run(store->begin, fault);
	if (rc == 0) {
		failpoint("store_begun");
		rc = store_check_owner(store, fault);
	}
	if (rc == 0)
		rc = meta_write_commits(store->db, store->commits + 1, fault);
	/* Even a BEGIN that failed may have begun. */
	if (rc < 0)
		store_rollback(store);
	return rc;
}

/* With the room of a backup that is given up, or else of the ballast, the WAL
 * is copied and emptied: that makes more. A reader may hold it up; then it
 * comes between batches. */
static void make_room(struct store *store)
{
	if ((store_backup_make_room(store) ||
		    ballast_give_up(&store->ballast)) &&
		store_check_owner(store, NULL) == 0)
		(void)sqlite3_wal_checkpoint_v2(store->db, "main",
			SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
}

/* Where even that fails, the next transaction begins with it. */
void store_rollback(struct store *store)
{
	int why = sqlite3_extended_errcode(store->db);
	bool full = sql_fault(store->db, why, NULL, "") == FAULT_FULL;
	(void)end_transaction(store, NULL);
	if (full)
		make_room(store);
}

int store_check_room(struct store *store, struct fault *fault)
{
	if (!store->ballast.given_up || ballast_make(&store->ballast))
		return 0;
	return fault_set(fault, FAULT_FULL,
		"the disk of %s was full, and the ballast was given up: make "
		"room until %" PRIu64 " MiB are free (the ballast, and half as "
		"much again: store.ballast_bytes)",
		store->layout.directory,
		(ballast_room(&store->ballast) >> 20) + 1);
}

int store_commit(struct store *store, struct fault *fault)
{
	/* Whatever a record does to the process, it has done: a disk that takes
	 * its time is not its fault. */
	int rc = run_note_withdraw(&store->suspect.note, fault);
	failpoint("store_before_commit");
	if (rc == 0)
		rc = sql_run(store->commit, fault);
	if (rc == 0) {
		store->commits++;
		return 0;
	}
	store_rollback(store);
	/* After a failed write or fsync nobody knows what the disk holds:
	 * exit, start clean (faults.md S4, S5). */
	if (rc == FAULT_IO) {
		store->broken = true;
		return rc;
	}
	rc = store_reload(store, fault);
	return rc < 0 ? rc : (int)STORE_OUTCOME_UNKNOWN;
}
