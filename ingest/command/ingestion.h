/*
 * The ingest half, from configuration to summary: what `run` and `ingest` have
 * in common.
 */
#ifndef HOLDFAST_INGEST_COMMAND_INGESTION_H
#define HOLDFAST_INGEST_COMMAND_INGESTION_H

#include "ingest/command/config.h"
#include "store/store.h"

#include <stdbool.h>

struct ingestion; /* opaque */

struct ingestion_options {
	const struct config *config; /* outlives the ingestion */
	bool until_end; /* end when all that was there at the start came */
	bool stays;	/* also when every partition was stopped by its log; and
			   until the store is repaired, where damage of it is
			   remembered (store/damage.h), since the process
			   answers lookups, too, which a backup can */
	bool json;	/* the summary on stdout as well */
};

/*
 * Check the configuration and open the store, which is this process's alone
 * from then on; ask no source yet. Logs to stderr. Nothing is written before
 * settings and schema are known to be good. Who has the store's lock is waited
 * for, store.lock_wait at most, unless it listens as owners do. On success the
 * caller owns *out, on failure it is NULL.
 * Errors: FAULT_USAGE, those of store_open(); damage that is waited for is
 * none.
 */
int ingestion_open(struct ingestion **out,
	const struct ingestion_options *options, struct fault *fault);

/* Open the source, stream until a signal or the end, sum up. Damage that is met
 * makes it look at the whole store, and remember what it finds. Errors: those
 * of source and pipeline; FAULT_CORRUPT. */
int ingestion_run(struct ingestion *ingestion, struct fault *fault);

/* The end of a run that went well, once nobody reads here any more: the store
 * is left in order. Errors: those of store_leave(). */
int ingestion_leave(struct ingestion *ingestion, struct fault *fault);

void ingestion_close(struct ingestion *ingestion); /* NULL is allowed */

/* What the configuration says of the store; its schema is left out. */
struct store_options store_options_of(const struct config *config);

#endif
