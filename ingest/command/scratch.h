/*
 * A scratch copy of a store, which the log takes further: to look at, and then
 * to be removed.
 */
#ifndef HOLDFAST_INGEST_COMMAND_SCRATCH_H
#define HOLDFAST_INGEST_COMMAND_SCRATCH_H

#include "ingest/command/config.h"
#include "ingest/command/standing.h"

#include <limits.h>

struct scratch {
	const struct config *config; /* where the log is; borrowed */
	char directory[PATH_MAX];    /* "": there is none */
	int64_t records;	     /* taken since the copy */
};

/*
 * Copy the backup `file` into a directory within config->store.path, and take
 * the log to where `ahead` stands. Call scratch_remove() in any case. What a
 * killed process left there an hour ago or more is removed first.
 * Errors: FAULT_LOG (the log does not lead there), FAULT_BUSY (a signal), those
 * of store_found(), sources_open(), pipeline_run().
 */
int scratch_make(struct scratch *scratch, const char *file,
	const struct standing *ahead, struct fault *fault);

void scratch_remove(struct scratch *scratch);

#endif
