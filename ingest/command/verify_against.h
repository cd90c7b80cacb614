/*
 * Two copies of a store, compared: verify --against.
 */
#ifndef HOLDFAST_INGEST_COMMAND_VERIFY_AGAINST_H
#define HOLDFAST_INGEST_COMMAND_VERIFY_AGAINST_H

#include "ingest/command/reading.h"

/*
 * Do the store that is open and `other` (the name of a backup, its file, or the
 * directory of another store) hold the same? Digests count only at the same
 * offsets: where one is behind in some partition, the log takes a scratch copy
 * of it there. Says so; returns the exit status. reading->reader may be closed,
 * and NULL, then.
 * Errors: FAULT_USAGE (no such copy), FAULT_REFUSED (other schemas; no log
 * leads from the one to the other), FAULT_CORRUPT, scratch_make(),
 * backup_fresh().
 */
int verify_against(
	struct reading *reading, const char *other, struct fault *fault);

#endif
