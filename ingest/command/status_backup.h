/*
 * What `holdfast status` says of backups.
 */
#ifndef HOLDFAST_INGEST_COMMAND_STATUS_BACKUP_H
#define HOLDFAST_INGEST_COMMAND_STATUS_BACKUP_H

#include "store/reader.h"

/* A line for the newest good one, and one for a failure since; nothing where
 * there never was one. */
void backups_print(const struct reader_backups *backups);

/* ", \"backups\": {…}" */
void backups_print_json(const struct reader_backups *backups);

#endif
