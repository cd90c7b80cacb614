/*
 * What a start says of schemas, in its log.
 */
#ifndef HOLDFAST_INGEST_COMMAND_SCHEMA_TELL_H
#define HOLDFAST_INGEST_COMMAND_SCHEMA_TELL_H

#include "schema/schema.h"

/* The schema that rules, and that of the file `path`; NULL: that can't be used,
 * as `why` says. Nothing where they are the same. */
void schema_tell(const struct schema *rules, const struct schema *file,
	const char *path, const char *why);

/* Sources whose records may have no idempotency key. */
void schema_tell_keys(const struct schema *schema);

#endif
