/*
 * Making a backup: a copy of the store while it is written, checked, with its
 * offsets inside.
 *
 * Pages are copied through the writer's own connection, some at a time between
 * batches. SQLite brings what was copied up to date with each commit of that
 * connection (sqlite.org/c3ref/backup_finish.html): any other one would begin
 * anew at each commit, or hold the WAL. What is copied is checked as `holdfast
 * verify` does on a thread of its own, sealed, synced and only then renamed to
 * what a backup is called: a crash leaves none that is not good.
 *
 * A backup never ends the store: what goes wrong with it is in its report. A
 * disk that is full ends the backup first.
 *
 * Threads: as store/store.h, but store_backup_wants() and store_backup_phase(),
 * which are any's while nobody begins or ends one.
 */
#ifndef HOLDFAST_STORE_BACKUP_H
#define HOLDFAST_STORE_BACKUP_H

#include "store/backups.h"
#include "store/decisions.h"

#define BACKUP_WHY_BYTES 1024 /* as struct fault */

struct backup_report {
	char name[BACKUP_NAME_MAX + 1];
	int64_t at_us;		    /* wall clock: begun */
	int64_t made_us;	    /* of the moment it holds */
	int64_t took_us;	    /* until it was checked and durable */
	int64_t copied_us;	    /* of that on the writer's thread */
	int64_t bytes;		    /* of its file */
	int code;		    /* 0, or of the fault it failed with: then
				       there is no such backup */
	char why[BACKUP_WHY_BYTES]; /* it failed */
};

struct backup_request {
	const char *name; /* NULL: by the time */
	int64_t at_us;	  /* wall clock */
	size_t keep;	  /* of those named by the time; 0: all stay */
	/* Who asked (its target is the backup); NULL: nobody, it was due. */
	const struct decision *decision;
};

/* Begin one. Where there is no room for it and the WAL, or for whatever reason
 * of the disk's, it has ended at once. Errors: FAULT_USAGE (name),
 * FAULT_REFUSED (one is being made, or has that name), FAULT_OOM. */
int store_backup_begin(struct store *store,
	const struct backup_request *request, struct fault *fault);

enum backup_phase {
	BACKUP_NONE,
	BACKUP_COPYING,
	BACKUP_CHECKING,
	BACKUP_ENDED /* store_backup_end() says how */
};

/* By any thread. */
enum backup_phase store_backup_phase(const struct store *store);

struct backup_progress {
	enum backup_phase phase;
	char name[BACKUP_NAME_MAX + 1];
	double share; /* copied, 0 to 1 */
};
void store_backup_progress(
	const struct store *store, struct backup_progress *out);

/* Copy for at most so long, and a little; nothing where nothing is left to
 * copy. store_checkpoint() does so between batches. */
void store_backup_copy(struct store *store, int64_t most_us);

/* Is it its turn, since no batches come, or has it ended? By any thread. */
bool store_backup_wants(const struct store *store);

/* How the newest one ended since the store was opened; its name is "" where
 * none did. Borrowed until the next ends. */
const struct backup_report *store_backup_last(const struct store *store);

/* The store remembers the newest backup that is there, also where it does not
 * know of it: it was restored, or nobody could write when it ended.
 * Errors: as store_apply(). */
int store_backup_remember(struct store *store, struct fault *fault);

/*
 * It has ended: put on the record how, and forget it. A backup that nobody
 * named and that is beyond `keep` leaves now.
 * Errors: as store_apply(), for the record; *out is filled in anyway.
 */
int store_backup_end(
	struct store *store, struct backup_report *out, struct fault *fault);

#endif
