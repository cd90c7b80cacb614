/*
 * holdfast schema diff, apply: a schema file beside the store's own schema.
 */
#ifndef HOLDFAST_INGEST_COMMAND_SCHEMA_APPLY_H
#define HOLDFAST_INGEST_COMMAND_SCHEMA_APPLY_H

#include "schema/schema.h"
#include "store/store.h"

/* The verbs; they return the exit status. */
int schema_diff_run(int argc, char **argv);
int schema_apply_run(int argc, char **argv);

/*
 * The owner takes the schema of the file `path`, if that goes in place, since
 * it was told by a signal to: says what came of it. *store may be another one
 * then. Returns 0 also where nothing was taken. Errors: FAULT_IO,
 * FAULT_FENCED: the store's.
 */
int schema_take_file(
	struct store **store, const char *path, struct fault *fault);

#endif
