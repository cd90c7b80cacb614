/*
 * Are the pages of a store of one age?
 *
 * SQLite takes a damaged WAL to end at the damage. The commits behind it are
 * gone; but where they had been copied into the file, only the pages that the
 * rest of the WAL holds go back, and others stay as new as they were. Then rows
 * and keys are of records that their partition has not taken yet, and taking
 * these again would count them twice; or a partition is ahead of rows that went
 * back, and their records never come again. No checksum tells.
 *
 * The number of the newest commit does: in the file without its WAL it is never
 * above what file and WAL hold together, since a commit is in the WAL, durably,
 * before any of it is copied. Of a start that comes after another one, which
 * copied what it found, only keys ahead of their partitions tell.
 */
#ifndef HOLDFAST_STORE_COHERENCE_H
#define HOLDFAST_STORE_COHERENCE_H

#include "store/sql.h"

/* What to do about it. */
#define COHERENCE_ADVICE                                                       \
	"commits were lost from its WAL after a part of them had been "        \
	"copied: restore a backup, or rebuild"

/* How many of the newest `newest` keys are of records from beyond their
 * partition's next_offset. Errors: as sql_fault(). */
int coherence_count_keys(
	sqlite3 *db, int64_t newest, int64_t *out, struct fault *fault);

/* The number of the newest commit that was copied into the file at `path`. -1:
 * nobody can say, as where power failed while it was copied. Before this
 * process opens the file otherwise: closing it drops SQLite's locks. */
int64_t coherence_copied(const char *path);

/* At a start, before anything is copied. Errors: FAULT_CORRUPT; as sql_fault().
 */
int coherence_check_copied(sqlite3 *db, int64_t copied, struct fault *fault);

/* At a start, by the keys of the last batches. Errors: FAULT_CORRUPT; as
 * sql_fault(). */
int coherence_check(sqlite3 *db, struct fault *fault);

#endif
