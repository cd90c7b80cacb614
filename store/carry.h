/*
 * What the log does not hold, taken over from the live generation into one that
 * was built beside it (store/generations.h, store_carry()). Internal to store/.
 */
#ifndef HOLDFAST_STORE_CARRY_H
#define HOLDFAST_STORE_CARRY_H

#include "store/generations.h"
#include "store/partitions.h"
#include "store/sql.h"

#define META_CARRIED "carried"		 /* as of which carry_stamp() */
#define META_CARRIED_VIEW "carried_view" /* all others are the live one's */

/* Under way: within one snapshot of the live generation's file and one
 * transaction of the other's. */
struct carry {
	struct store *store;	      /* being built */
	sqlite3 *live;		      /* read only */
	struct partitions partitions; /* the live one's */
	const struct view *view; /* the others are the live one's; or NULL */
	struct carried *out;
	struct arena *arena;
};

/* The built generation's partition of the live one's log `id`; NULL: it has
 * none, or that log is an older incarnation. */
struct store_partition *carry_partition(const struct carry *carry, int64_t id);

/* The other way round: the live one's partition of the built one's log `here`.
 * NULL: that has none. */
const struct store_partition *carry_live_partition(
	const struct carry *carry, const struct store_partition *here);

/* Does a schema have what a hold is on, "view" or "view:feature"? */
bool carry_schema_has(const struct schema *schema, struct slice target);

/* Letters (carry_letters.c). Errors: as sql_fault(), FAULT_OOM. */
int carry_letters(struct carry *carry, struct fault *fault);

/* All that is taken over, in a line: two that are equal hold the same. In
 * `arena`. Errors: as sql_fault(), FAULT_OOM. */
int carry_stamp(sqlite3 *db, const char **out, struct arena *arena,
	struct fault *fault);

#endif
