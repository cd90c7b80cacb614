/*
 * Holds, as readers see them: which features an operator holds back
 * (store/decisions.h).
 */
#ifndef HOLDFAST_STORE_HOLDS_H
#define HOLDFAST_STORE_HOLDS_H

#include "schema/schema.h"
#include "store/sql.h"

struct holds {
	/* by view, then feature; NULL: nothing of the view is held */
	enum choice **views;
	struct arena memory;
};

/* The statement of holds_read(); the caller finalizes it. */
int holds_prepare(sqlite3 *db, sqlite3_stmt **out, struct fault *fault);

/* Read them anew. A hold on what the schema does not have (any more) holds
 * nothing. Errors: FAULT_OOM, FAULT_CORRUPT, as sql_fault(). */
int holds_read(struct holds *holds, const struct schema *schema,
	sqlite3_stmt *statement, struct fault *fault);
void holds_finish(struct holds *holds);

#endif
