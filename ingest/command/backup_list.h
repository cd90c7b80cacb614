/*
 * Backups as people and programs see them: listed, and checked.
 */
#ifndef HOLDFAST_INGEST_COMMAND_BACKUP_LIST_H
#define HOLDFAST_INGEST_COMMAND_BACKUP_LIST_H

#include "ingest/command/options.h"

/*
 * Print the backups of the configured store and how far each is behind the live
 * generation, which need not be readable. With `check` each is read whole and
 * verified. Returns the exit status: STATUS_WRONG if one is damaged.
 */
int backup_list_run(const struct options *options, bool check);

#endif
