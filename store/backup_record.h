/*
 * What became of backups, as the store itself remembers it: the newest good
 * one, and the newest that failed.
 */
#ifndef HOLDFAST_STORE_BACKUP_RECORD_H
#define HOLDFAST_STORE_BACKUP_RECORD_H

#include "store/backup.h"
#include "store/reader.h"
#include "store/sql.h"

/* Within the caller's transaction. Errors: as meta_put(). */
int backup_record_write(
	sqlite3 *db, const struct backup_report *report, struct fault *fault);

/* Texts are in `arena`. Errors: as meta_get(). */
int backup_record_read(sqlite3 *db, struct reader_backups *out,
	struct arena *arena, struct fault *fault);

#endif
