/*
 * The run note: beside a generation's file (g1.db-running), there exactly while
 * a process has it open for writing. One that is found at a start was left by a
 * run that ended uncleanly, and says what that run was at.
 *
 * A file of its own, not a row: an orderly end can take it back without another
 * commit, also after the disk failed (faults.md S4), so that only a process
 * that died leaves it; and noting a record costs one write into the kernel's
 * memory, which outlives the process. It is never synced: after a power failure
 * it says anything or nothing, and nothing depends on it alone.
 *
 *     run 17\n          the owner epoch, which says whose note it is
 *     alone 3 4711\n    log id and offset; 0 0: no record is noted
 *     retry 500 17\n    so many parked letters are tried again, the first one's
 *                       number; 0 0: none is
 *     -f-               by log id: f: records of it were taken up
 */
#ifndef HOLDFAST_STORE_RUN_NOTE_H
#define HOLDFAST_STORE_RUN_NOTE_H

#include "schema/arena.h"
#include "schema/fault.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RUN_NOTE_SUFFIX "-running"

/* What a run left. */
struct run_left {
	bool found;
	int64_t epoch;
	uint32_t alone_log;   /* 0: none */
	int64_t alone_offset; /* of the record that was noted alone */
	uint32_t retry_count; /* parked letters that were being tried again */
	int64_t retry_letter; /* the first of them */
	const char *fed;      /* fed[0..fed_count) by log id - 1: RUN_FED */
	size_t fed_count;
};

#define RUN_FED 'f'

struct run_note {
	int fd; /* -1: there is none */
	int64_t epoch;
	bool alone; /* a record is noted */
	bool retry; /* letters are */
	char path[PATH_MAX];
};

#define RUN_NOTE_INIT                                                          \
	{                                                                      \
		.fd = -1                                                       \
	}

/* What the last run on the file `database` left, in `arena`; one that can't be
 * understood counts as none. Errors: file_fault(), FAULT_OOM. */
int run_note_read(const char *database, struct arena *arena,
	struct run_left *out, struct fault *fault);

/* Begin a note over whatever was left. Errors: file_fault(), FAULT_USAGE (the
 * path is too long). */
int run_note_begin(struct run_note *note, const char *database, int64_t epoch,
	struct fault *fault);

/* Records of the log with this id are taken up from now on.
 * Errors: file_fault(). */
int run_note_feed(struct run_note *note, uint32_t log, struct fault *fault);

/* This record is the only one in flight. Errors: file_fault(). */
int run_note_alone(struct run_note *note, uint32_t log, int64_t offset,
	struct fault *fault);

/* So many parked letters are tried again, from `letter` on; 0: none is.
 * Errors: file_fault(). */
int run_note_retry(struct run_note *note, uint32_t count, int64_t letter,
	struct fault *fault);

/* No record is, if one was. Errors: file_fault(). */
int run_note_withdraw(struct run_note *note, struct fault *fault);

/* An orderly end: take the note back, unless another owner wrote its own. */
void run_note_end(struct run_note *note);

#endif
