/*
 * Restoring a moment: the newest backup before it, or the beginning of the log,
 * then the log up to it.
 */
#ifndef HOLDFAST_INGEST_COMMAND_RESTORE_AT_H
#define HOLDFAST_INGEST_COMMAND_RESTORE_AT_H

#include "ingest/command/config.h"
#include "ingest/command/restore_log.h"
#include "store/backups.h"
#include "store/store.h"

/* The name of the newest backup that holds nothing later than `until_us`. 1:
 * there is none. Errors: those of backups_list(). */
int restore_find_before(const struct config *config, int64_t until_us,
	char name[BACKUP_NAME_MAX + 1], struct fault *fault);

/* Does the backup in `file` hold anything later?
 * Errors: FAULT_USAGE (it does), reader_open_backup(). */
int restore_check_before(
	const char *file, int64_t until_us, struct fault *fault);

/* Take the log, of each partition up to the first record that is later. `log`:
 * where `store` is empty, what the logs must still hold; else NULL.
 * Errors: FAULT_LOG, FAULT_BUSY (a signal), those of pipeline_run(),
 * restore_log_found(), restore_log_check(). */
int restore_take_until(struct store *store, const struct config *config,
	int64_t until_us, struct restore_log *log, struct fault *fault);

#endif
