/*
 * What store/open.c, apply.c and their helpers share: the writer's insides.
 */
#ifndef HOLDFAST_STORE_WRITER_H
#define HOLDFAST_STORE_WRITER_H

#include "store/backup.h"
#include "store/ballast.h"
#include "store/generation_state.h"
#include "store/keys.h"
#include "store/layout.h"
#include "store/letters.h"
#include "store/meta.h"
#include "store/partitions.h"
#include "store/store.h"
#include "store/suspect.h"
#include "store/view_rows.h"

enum store_role {
	ROLE_LIVE,
	ROLE_BUILD,    /* of a generation beside the live one */
	ROLE_SUCCESSOR /* about to be live */
};

/* Which file a store is opened on, and under whose lock. */
struct place {
	const char *generation; /* NULL: the live one, which is made if there is
				   none */
	int lock;		/* descriptor of the directory's lock, held by
				   the caller, who keeps it; -1: to be taken */
	const struct store_build *build; /* NULL: not to build it */
	bool again; /* the live one, which this process just had open, and may
		       have open as a reader: nothing of it is opened by hand */
};
#define PLACE_LIVE ((struct place){.lock = -1})

/* A new file for store->layout.draft: a new store's, or, with `of`, that of
 * another generation of it. Errors: as sql_fault(). */
int store_draft(struct store *store, const struct schema *schema,
	const struct identity *of, struct fault *fault);

/* store_open() at `place`. Errors: as store_open(). */
int store_open_at(struct store **out, const struct store_options *options,
	const struct place *place, struct fault *fault);

/* What only the running process knows of a partition. */
struct partition_mood {
	bool at_end;
	bool stopped;
	bool started; /* in this run */
};

struct backup; /* store/backup_inside.h */

struct store {
	struct layout layout;
	int lock; /* descriptor of the locked directory; -1: another's */
	enum store_role role;
	bool stays_complete; /* a ROLE_BUILD (store/generations.h) */
	char successor[GENERATION_NAME_MAX]; /* that it was found sealed by */
	struct ballast ballast;
	struct store_options options;
	struct identity identity;
	int64_t owner_epoch;
	int64_t commits; /* durable ones, store/meta.h */

	sqlite3 *db;
	sqlite3_stmt *begin, *commit, *rollback, *update_partition;
	struct partitions partitions;
	struct partition_mood *moods; /* by log id - 1 */
	struct view_rows *views;      /* by index in the schema */
	struct keys keys;
	struct letters letters;
	struct suspect suspect;

	struct arena memory;	  /* lives as long as the store */
	struct arena batch_arena; /* reset by each batch */
	struct arena row_arena;	  /* reset by each entity */
	bool stale;    /* memory must be read again before anything else */
	int wal_pages; /* behind the last commit */
	int64_t held_since_us; /* readers keep the WAL beyond its limit; or 0 */
	int64_t waited_us;     /* for them, at last */
	bool broken; /* a write or fsync failed, and nothing more is written */
	bool left;   /* by store_leave() */
	int64_t page_bytes;
	struct backup *backup; /* under way; else NULL */
	struct backup_report backup_last;
};

int64_t store_monotonic_us(void);

/* Is `view` one of the store's? Its index. */
static inline size_t store_view_index(
	const struct store *store, const struct view *view)
{
	return (size_t)(view - store->identity.schema->views);
}

/* Throw away what memory holds of the file's state and read it again.
 * Errors: FAULT_CORRUPT, FAULT_IO, FAULT_BUSY, FAULT_OOM. */
int store_reload(struct store *store, struct fault *fault);

/* store_reload() if an earlier one did not come to its end; first of all in
 * every function that looks at memory or writes. Errors: as store_reload(). */
int store_refresh(struct store *store, struct fault *fault);

/* The same, and the key window's memory is whole: first of all in every
 * function that asks it, or adds to it. Errors: as store_reload(). */
int store_need_keys(struct store *store, struct fault *fault);

/* Room for the moods of so many more partitions. False: out of memory. */
bool store_grow_moods(struct store *store, size_t more);

/* Does this process still own the store? Errors: FAULT_FENCED, FAULT_BUSY,
 * FAULT_IO, FAULT_CORRUPT. */
int store_check_owner(struct store *store, struct fault *fault);

/* Begin IMMEDIATE, and check that this process still owns the store.
 * Errors: FAULT_FENCED, FAULT_BUSY, FAULT_IO, FAULT_CORRUPT. */
int store_begin(struct store *store, struct fault *fault);

/* Put a stop in place, within the open transaction. Errors: as sql_fault(). */
struct store_stop;
int store_put_stop(struct store *store, const struct store_stop *stop,
	struct fault *fault);

/* Put a decision on the record, within the open transaction. NULL: nothing.
 * Errors: as sql_fault(). */
int store_note(struct store *store, const struct decision *decision,
	const char *before, const char *after, struct fault *fault);

/* Give up the open transaction, if there still is one. If it failed for want
 * of room, give up the ballast too, and empty the WAL. */
void store_rollback(struct store *store);

/* Is there room to go on, or was the ballast given up and can't be made again?
 * Errors: FAULT_FULL. */
int store_check_room(struct store *store, struct fault *fault);

/* Empty the WAL, as far as readers and the disk allow. Errors: sql_fault(). */
int store_empty_wal(struct store *store, struct fault *fault);

/* The same at the end of a clean run, waiting a second for readers at most:
 * those that stay read on, and the WAL stays as it is. */
int store_leave_wal(struct store *store, struct fault *fault);

/* Is the WAL beyond its limit, and held there by readers for too long?
 * Errors: FAULT_BUSY, naming them; as store_empty_wal(). */
int store_check_wal(struct store *store, struct fault *fault);

/*
 * Commit. 0: durable. STORE_OUTCOME_UNKNOWN: it failed, and memory was read
 * again. Errors: FAULT_IO (exit), those of store_reload().
 */
int store_commit(struct store *store, struct fault *fault);

/* Copy some pages of the backup under way, if there is one: as long as is in
 * proportion to the time since the last ones. */
void store_backup_between(struct store *store, bool caught_up);

/* The disk is full: give up the backup under way. True: there was one, and its
 * room is free now. */
bool store_backup_make_room(struct store *store);

/* Give it up, since the store is closed. */
void store_backup_close(struct store *store);

#endif
