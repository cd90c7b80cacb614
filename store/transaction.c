#include "store/writer.h"

#include "store/failpoint.h"

int store_reload(struct store *store, struct fault *fault)
{
	int rc = partitions_load(&store->partitions, store->db, fault);
	for (size_t i = 0; rc == 0 && i < store->identity.schema->view_count;
		i++)
		rc = view_rows_load_totals(&store->views[i], fault);
	if (rc == 0)
		rc = letters_load(&store->letters, store->db, fault);
	if (rc == 0)
		rc = keys_load(&store->keys, fault);
	return rc < 0 ? fault_wrap(fault, rc, "reading the store again") : 0;
}

static int check_owner(struct store *store, struct fault *fault)
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
	int rc = sql_run(store->begin, fault);
	if (rc < 0)
		return rc;
	failpoint("store_begun");
	rc = check_owner(store, fault);
	if (rc < 0)
		store_rollback(store);
	return rc;
}

/* Errors like FULL and IOERR may have rolled back already (faults.md S6). */
void store_rollback(struct store *store)
{
	if (!sqlite3_get_autocommit(store->db))
		(void)sql_run(store->rollback, NULL);
}

int store_commit(struct store *store, struct fault *fault)
{
	failpoint("store_before_commit");
	int rc = sql_run(store->commit, fault);
	if (rc == 0)
		return 0;
	store_rollback(store);
	/* After a failed write or fsync nobody knows what the disk holds:
	 * exit, start clean (faults.md S4, S5). */
	if (rc == FAULT_IO)
		return rc;
	rc = store_reload(store, fault);
	return rc < 0 ? rc : (int)STORE_OUTCOME_UNKNOWN;
}
