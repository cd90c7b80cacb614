/*
 * Does this process still own the store? For those beside the writer who act in
 * its name elsewhere: what it decided while it was the owner may be done only
 * as long as it is. A process that was stopped does not notice that another
 * took its place (faults.md, scenario 25).
 *
 * Reads over a connection of its own, so not in the writer's thread; a handle
 * belongs to one thread.
 */
#ifndef HOLDFAST_STORE_OWNERSHIP_H
#define HOLDFAST_STORE_OWNERSHIP_H

#include "store/store.h"

struct ownership; /* opaque */

/* Of the open `store`, which must outlive it. On success the caller owns *out,
 * on failure it is NULL. Errors: FAULT_IO, FAULT_BUSY, FAULT_CORRUPT,
 * FAULT_OOM. */
int ownership_open(
	struct ownership **out, const struct store *store, struct fault *fault);

/* True at the moment of asking. False too where the store can't be read now. */
bool ownership_holds(const struct ownership *ownership);

void ownership_close(struct ownership *ownership); /* NULL is allowed */

#endif
