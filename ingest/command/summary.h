/*
 * What a run of the pipeline did, for people and for programs.
 */
#ifndef HOLDFAST_INGEST_COMMAND_SUMMARY_H
#define HOLDFAST_INGEST_COMMAND_SUMMARY_H

#include "ingest/pipeline.h"

#include <stdbool.h>

/* Log it, and with `json` print it to stdout as one object. */
void summary_tell(const struct store *store,
	const struct pipeline_result *result, int64_t elapsed_us, bool json);

#endif
