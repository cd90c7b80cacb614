/*
 * A schema that takes the place of the store's own, in one transaction, as far
 * as that goes in place (schema/schema_diff.h). What was before is kept in
 * `_schema`: when, who, why, what changed, and the text that ended then.
 *
 * A view that gets other columns is written anew, row by row, so that its
 * columns stand in the schema's order and every row has its checksum. Readers
 * see the new schema with their next snapshot, and are opened anew
 * (store/reader.h, reader_has_moved).
 *
 * Threads and results: as store/store.h. Source: design sections 6 and 9.
 */
#ifndef HOLDFAST_STORE_SCHEMA_CHANGE_H
#define HOLDFAST_STORE_SCHEMA_CHANGE_H

#include "schema/schema_diff.h"
#include "store/store.h"

/* Records wait while a view is written anew, at some 200,000 rows a second:
 * beyond this, a rebuild beside the live one is the way. */
#define SCHEMA_REWRITE_ROWS_MAX 2000000

/*
 * Take `wanted`. *store is closed and opened again, which makes it another one;
 * where nothing differs it is the same, and *changed false.
 * Errors: FAULT_REFUSED (not in place, or too many rows: the text says what to
 * run), those of store_apply(); FAULT_IO also where the store, with its new
 * schema, could not be opened again: *store is NULL then, exit.
 */
int store_take_schema(struct store **store, const struct schema *wanted,
	const struct decision *decision, bool *changed, struct fault *fault);

#endif
