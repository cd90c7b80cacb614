/*
 * How `holdfast status` names who keeps the WAL beyond its limit.
 */
#ifndef HOLDFAST_INGEST_COMMAND_STATUS_WAL_H
#define HOLDFAST_INGEST_COMMAND_STATUS_WAL_H

#include "ingest/command/config.h"
#include "store/reader.h"

/* A paragraph for people; nothing where nobody does. */
void wal_readers_print(
	const struct config *config, const struct reader_status *status);

/* "wal_readers": and their names, "" where nobody does; then ", ". */
void wal_readers_print_json(
	const struct config *config, const struct reader_status *status);

#endif
