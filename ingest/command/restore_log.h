/*
 * Restoring a moment from before the first backup: from the beginning of the
 * logs, if they still hold all that the live generation took, and are the same
 * ones.
 */
#ifndef HOLDFAST_INGEST_COMMAND_RESTORE_LOG_H
#define HOLDFAST_INGEST_COMMAND_RESTORE_LOG_H

#include "ingest/command/config.h"
#include "ingest/source.h"
#include "store/store.h"

struct restore_log;

/*
 * What the live generation took, as of now. The caller closes *out; on failure
 * it is NULL. Nothing of the store stays open.
 * Errors: FAULT_REFUSED says what no log can give back: what was loaded, what
 * came from an older log or a compacted one; those of reader_open().
 */
int restore_log_open(struct restore_log **out, const struct config *config,
	struct fault *fault);
void restore_log_close(struct restore_log *log); /* NULL is allowed */

/* For struct until_options: does the log of a partition that was found begin
 * where the live one began, and by what is it known? The payload is a struct
 * restore_log. Errors: FAULT_REFUSED. */
int restore_log_found(
	void *payload, const struct source_event *event, struct fault *fault);
void restore_log_know(void *payload, struct source_position *position);

/* All that the live one took of was found, and something of it is in `store`.
 * Errors: FAULT_REFUSED. */
int restore_log_check(const struct restore_log *log, const struct store *store,
	struct fault *fault);

#endif
