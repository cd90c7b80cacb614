/*
 * The backups of a store: files in its directory, by name.
 *
 *     DIR/backups/NAME.db        made, checked, durable
 *     DIR/backups/NAME.db.part   not yet; what a dead process left of one
 *                                leaves when the store is opened for writing
 */
#ifndef HOLDFAST_STORE_BACKUPS_H
#define HOLDFAST_STORE_BACKUPS_H

#include "schema/arena.h"
#include "store/backup_seal.h"

#include <stddef.h>

#define BACKUP_NAME_MAX 64

struct backup_file {
	char name[BACKUP_NAME_MAX + 1];
	int64_t bytes; /* of the file */
	bool sealed;   /* else it is no whole backup, and `seal` is 0 */
	struct backup_seal seal;
};

/* 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-', not beginning with '.'. */
bool backup_name_is_good(const char *name);

/* "20261123T082049Z": the name of a backup that nobody named. */
void backup_name_of_time(int64_t at_us, char out[BACKUP_NAME_MAX + 1]);

/* DIR/backups/NAME.db; DIR/backups where `name` is NULL. False: too long. */
bool backups_path(char out[PATH_MAX], const char *directory, const char *name);

/* The newest first, those without a seal last: (*out)[0..*count), in `arena`.
 * A directory that is not there holds none. Errors: file_fault(), FAULT_OOM. */
int backups_list(const char *directory, struct arena *arena,
	const struct backup_file **out, size_t *count, struct fault *fault);

/* Remove what dead processes left unfinished. The caller owns the store. */
void backups_clear_unfinished(const char *directory);

/* Of the backups that nobody named, only the newest `keep` stay, the last of
 * which was made at `made_us`. One that says it is of later was made before the
 * clock was set back: it is an older one. */
void backups_prune(const char *directory, size_t keep, int64_t made_us);

#endif
