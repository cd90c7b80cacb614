/*
 * Where culprits are found and kept. Internal to store/.
 */
#ifndef HOLDFAST_STORE_CULPRITS_INSIDE_H
#define HOLDFAST_STORE_CULPRITS_INSIDE_H

#include "store/culprits.h"
#include "store/partitions.h"
#include "store/sql.h"

/* Is there already, or joins them. Errors: FAULT_OOM. */
int culprits_add(struct culprits *culprits, const struct culprit *culprit,
	struct fault *fault);

/* What culprits_read() does, within the caller's snapshot of `db`, whose
 * partitions these are. */
int culprits_find(struct culprits *culprits, sqlite3 *db,
	const struct partitions *partitions, struct fault *fault);

/*
 * The table `_culprit` (culprit_rows.c): what another generation knew, and this
 * one had not taken.
 */

/* Add its rows. Errors: as sql_read_row(), FAULT_OOM. */
int culprits_load(struct culprits *culprits, sqlite3 *db, struct fault *fault);

/* Within an open transaction of `db`: none are known any more.
 * Errors: as sql_fault(). */
int culprits_clear(sqlite3 *db, struct fault *fault);

/* Within an open transaction of `db`: note those of `found` that these
 * partitions have not taken yet; *count has how many.
 * Errors: as sql_fault(), FAULT_OOM. */
int culprits_keep(const struct culprits *found, sqlite3 *db,
	const struct partitions *partitions, int64_t *count,
	struct fault *fault);

#endif
