/*
 * The store's directory: names, the lock, the link to the live generation.
 *
 *     DIR/features.db -> generations/g1.db
 *     DIR/generations/g1.db, g1.db-wal, g1.db-shm, g2.db, …
 *     DIR/generations/g1.db-running (store/run_note.h)
 */
#ifndef HOLDFAST_STORE_LAYOUT_H
#define HOLDFAST_STORE_LAYOUT_H

#include "schema/fault.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define GENERATION_NAME_MAX 16

struct layout {
	char directory[PATH_MAX];
	char generation[GENERATION_NAME_MAX]; /* "g1" */
	char database[PATH_MAX];	      /* the live generation's file */
	char draft[PATH_MAX]; /* a new store is made here, then renamed */
	char link[PATH_MAX];  /* DIR/features.db */
	dev_t device; /* which file `database` was; 0 while there is none */
	ino_t inode;
};

/* Names of the store in `path`, by its link; the first generation's where
 * there is none. *exists: a store is there. Changes nothing.
 * Errors: FAULT_USAGE (path too long), FAULT_REFUSED (not ours). */
int layout_find(struct layout *layout, const char *path, bool *exists,
	struct fault *fault);

/* Names of another generation of the same directory; whether it is there is
 * the caller's to ask. Errors: FAULT_USAGE (no name of a generation). */
int layout_turn_to(
	struct layout *layout, const char *generation, struct fault *fault);

/* "g12", and so high a number that no generation of the directory has it.
 * Errors: file_fault(). */
int layout_next_generation(const struct layout *layout,
	char out[GENERATION_NAME_MAX], struct fault *fault);

/* The number of "g12"; 0: that is no name of a generation. */
int64_t generation_number(const char *name);

/* The link leads to layout->generation from now on: at once for who reads it,
 * and durably. Errors: FAULT_IO, file_fault(). */
int layout_relink(const struct layout *layout, struct fault *fault);

/* Do the link and the file behind it lead where they led when layout_find()
 * looked? Also false where nobody can tell. Two system calls; opens nothing. */
bool layout_is_current(const struct layout *layout);

/* Make the directories that are missing. Errors: file_fault(). */
int layout_make(const struct layout *layout, struct fault *fault);

/* Lock the directory itself, for life: a lock file could be deleted. The caller
 * owns the descriptor in *out. Errors: FAULT_LOCKED (a second writer),
 * file_fault(). */
int layout_lock(const struct layout *layout, int *out, struct fault *fault);

/* The same for who builds a generation beside the live one: one at a time.
 * Errors: FAULT_REFUSED (another one does), file_fault(). */
int layout_lock_build(
	const struct layout *layout, int *out, struct fault *fault);

/* Remove what dead processes left beside generations: unfinished drafts, and
 * the WAL and notes of one that is dropped. The caller has the lock of
 * builders. What can't be removed keeps nothing else from it.
 * Errors: file_fault(). */
int layout_clear_left(const struct layout *layout, struct fault *fault);

/* Remove an unfinished draft. Errors: file_fault(). */
int layout_clear_draft(const struct layout *layout, struct fault *fault);

/* The draft is complete: rename it, then link it, each made durable. A crash in
 * between is finished by the next call. Errors: FAULT_IO, file_fault(). */
int layout_publish(const struct layout *layout, struct fault *fault);

/* The same without the link: the live generation stays the live one. */
int layout_place(const struct layout *layout, struct fault *fault);

/* What was renamed in a directory stays so. Errors: FAULT_IO. */
int layout_sync_directory(const char *path, struct fault *fault);

/* Let the kernel forget cached pages of the file and its WAL: after a failed
 * fsync they may hold what the disk does not. Before the process's first
 * sqlite3_open(), since closing would drop SQLite's locks. Best effort. */
void layout_drop_cache(const struct layout *layout);

/* Bytes of the file, of its WAL; 0 when missing. */
long long layout_file_bytes(const struct layout *layout);
long long layout_wal_bytes(const struct layout *layout);

#endif
