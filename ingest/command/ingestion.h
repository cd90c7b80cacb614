/*
 * The ingest half, from configuration to summary: what `run` and `ingest` have
 * in common.
 */
#ifndef HOLDFAST_INGEST_COMMAND_INGESTION_H
#define HOLDFAST_INGEST_COMMAND_INGESTION_H

#include "ingest/command/config.h"

#include <stdbool.h>

struct ingestion_options {
	const struct config *config; /* borrowed during the call */
	bool until_end; /* end when all that was there at the start came */
	bool json;	/* the summary on stdout as well */
};

/*
 * Check the configuration, open store and source, stream until a signal or the
 * end, close, sum up. Logs to stderr. Nothing is written before settings and
 * schema are known to be good.
 * Errors: those of store, source and pipeline.
 */
int ingestion_run(const struct ingestion_options *options, struct fault *fault);

#endif
