/*
 * What backup.c (copying, on the writer's thread) and backup_check.c (the rest,
 * on a thread of its own) share: one backup under way.
 */
#ifndef HOLDFAST_STORE_BACKUP_INSIDE_H
#define HOLDFAST_STORE_BACKUP_INSIDE_H

#include "store/backup.h"
#include "store/reader.h"
#include "store/sql.h"

#include <pthread.h>
#include <stdatomic.h>

#define BACKUP_WORD_BYTES 256 /* of who asked, and why; the rest is cut off */

struct backup {
	char directory[PATH_MAX]; /* the store's */
	char folder[PATH_MAX], part[PATH_MAX + 8], done[PATH_MAX];
	struct backup_report report;
	struct backup_seal seal;
	size_t keep;
	bool asked; /* by somebody: */
	char who[BACKUP_WORD_BYTES], because[BACKUP_WORD_BYTES];
	int64_t began_us;		/* monotonic */
	atomic_int_fast64_t stepped_us; /* the end of the last step */
	atomic_int phase;		/* of enum backup_phase */

	/* of the writer's thread, while it copies */
	sqlite3 *db;
	sqlite3_backup *copy;
	int pages_until_look; /* at the room there is */

	pthread_t thread;
	bool thread_runs;
	struct fault fault;	/* code 0: it is good */
	struct damage damage;	/* that the store has, too */
	char damaged[PATH_MAX]; /* which file of it */
	pthread_mutex_t mutex;	/* guards what follows */
	struct reader *reader;	/* checks; NULL: none does now */
	bool cancelled;
};

/* What was copied becomes a backup: checked, sealed, synced, renamed. Then
 * phase is BACKUP_ENDED. Errors: FAULT_IO (no thread). */
int backup_check_start(struct backup *backup, struct fault *fault);

/* Wait for its end; hurry it up if `cancel`. */
void backup_check_join(struct backup *backup, bool cancel);

#endif
