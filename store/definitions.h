/*
 * What a store's file says of its tables, beside what it must say.
 *
 * SQLite's own table of tables has no checksum of ours, and a bit that flips in
 * a column's name leaves its pages whole: whoever asks for that column fails,
 * whoever goes by position notices nothing.
 */
#ifndef HOLDFAST_STORE_DEFINITIONS_H
#define HOLDFAST_STORE_DEFINITIONS_H

#include "schema/schema.h"
#include "store/sql.h"

/* Is every table, index and view that tables_create() makes defined there, word
 * for word? What somebody else added is not looked at.
 * Errors: FAULT_CORRUPT, which names the first that is not; as sql_fault(). */
int definitions_check(sqlite3 *db, const struct schema *schema,
	struct arena *arena, struct fault *fault);

#endif
