#include "store/ownership.h"

#include "store/writer.h"

#include <stdlib.h>

struct ownership {
	sqlite3 *db;
	int64_t epoch;
};

int ownership_open(
	struct ownership **out, const struct store *store, struct fault *fault)
{
	*out = NULL;
	struct ownership *ownership = calloc(1, sizeof *ownership);
	if (ownership == NULL)
		return fault_set(fault, FAULT_OOM, "out of memory");
	ownership->epoch = store->owner_epoch;
	int rc = sql_open(&ownership->db, store->layout.database, SQL_READ,
		store->options.busy_timeout_ms, fault);
	if (rc < 0)
		ownership_close(ownership);
	else
		*out = ownership;
	return rc;
}

bool ownership_holds(const struct ownership *ownership)
{
	int64_t epoch = 0;
	return meta_read_epoch(ownership->db, &epoch, NULL) == 0 &&
	       epoch == ownership->epoch;
}

void ownership_close(struct ownership *ownership)
{
	if (ownership == NULL)
		return;
	sqlite3_close(ownership->db);
	free(ownership);
}
