/*
 * A backup of the live generation, for who needs a copy of it now.
 */
#ifndef HOLDFAST_INGEST_COMMAND_BACKUP_FRESH_H
#define HOLDFAST_INGEST_COMMAND_BACKUP_FRESH_H

#include "ingest/command/config.h"
#include "schema/fault.h"

#include <limits.h>

/*
 * Have the owner of config->store.path make one, or make it where nobody owns
 * the store; wait until it is checked. `suffix` ends its name, which begins
 * with the time; *file is the caller's to remove. Errors: control_ask(),
 * FAULT_IO.
 */
int backup_fresh(const struct config *config, const char *suffix,
	const char *because, char file[PATH_MAX], struct fault *fault);

#endif
