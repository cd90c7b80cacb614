/*
 * A source that ends at a moment: of each partition it gives what comes before
 * the first record whose timestamp is later, and says that this is its end;
 * also when it is started anew. So a store is taken to where it was at that
 * time. Nothing is committed.
 *
 * Threads: as ingest/source.h.
 */
#ifndef HOLDFAST_INGEST_UNTIL_SOURCE_H
#define HOLDFAST_INGEST_UNTIL_SOURCE_H

#include "ingest/source.h"

/* `inner` is owned from here on, on failure too. The caller owns *out and
 * closes it by source_close(). Errors: FAULT_OOM. */
int until_source_open(struct source **out, struct source *inner,
	int64_t until_us, struct fault *fault);

#endif
