/*
 * An NDJSON file as a source: topic = a configured name, partition 0, offset =
 * byte position of the line. A last line without newline is not there yet.
 * Source: design section 4.
 */
#ifndef HOLDFAST_INGEST_FILE_SOURCE_H
#define HOLDFAST_INGEST_FILE_SOURCE_H

#include "ingest/clock.h"
#include "ingest/source.h"

struct file_source_options {
	const char *path;  /* borrowed during the call */
	const char *topic; /* borrowed during the call */
	struct clock *clock;
	bool until_end; /* done when all lines there at the start came */
};

/* On success the caller owns *out and closes it with source_close(), on failure
 * it is NULL. Errors: FAULT_USAGE (can't be read), FAULT_OOM. */
int file_source_open(struct source **out,
	const struct file_source_options *options, struct fault *fault);

#endif
