/*
 * A disk in memory that loses power: an SQLite VFS.
 *
 * A file is what is durable, and changes since the last fsync. At a power loss
 * each of these is kept, dropped, torn at 512 bytes, or garbage within the
 * range that it wrote; a file that was never synced may lose its name.
 * Everything is decided by the seed.
 *
 * The directory, its link and its lock are real (a scratch directory): a file
 * there stands for one here, by its inode, with the first bytes of its content,
 * which is all that the store reads past SQLite. So renames and links are never
 * lost here, and neither the ballast nor backups are simulated.
 *
 * Threads: one. Sources: faults.md section 6; SQLite's test6.c.
 */
#ifndef HOLDFAST_TESTS_SIMULATE_DISK_H
#define HOLDFAST_TESTS_SIMULATE_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum disk_damage {
	DAMAGE_NONE,	/* the process died, the kernel lives */
	DAMAGE_LOSE,	/* power: nothing but what was synced */
	DAMAGE_MIX,	/* power: each change kept or not */
	DAMAGE_TEAR,	/* power: each sector of each change */
	DAMAGE_GARBAGE, /* power: sectors of a change hold anything */
	DAMAGE_COUNT
};

enum disk_failure {
	FAIL_NOTHING,
	FAIL_ONCE,     /* one write, truncate or sync: EIO */
	FAIL_FOREVER,  /* all from there on, until the process starts again */
	FAIL_SYNC_OFF, /* the next sync: EIO, and the pages count as clean */
	FAIL_READ,     /* one read, from there on */
	FAIL_COUNT
};

/* By number of the change (write, truncate, sync, create, delete), from the
 * beginning; 0: never. */
struct disk_plan {
	int64_t crash_at; /* it happens, then nothing more does */
	int64_t fail_at;
	enum disk_failure failure;
	int64_t full_bytes; /* all files together; 0: no limit */
	bool lies;	    /* syncs do nothing */
};

struct disk; /* opaque */

/* Make it SQLite's default. NULL: no memory. */
struct disk *disk_new(uint64_t seed);
/* Of what crashes do to it. */
void disk_damage_seed(struct disk *disk, uint64_t seed);

void disk_free(struct disk *disk); /* NULL is allowed */

/* What is to happen; may be changed at any time. */
struct disk_plan *disk_plan(struct disk *disk);

int64_t disk_changes(const struct disk *disk); /* so far */
int64_t disk_bytes(const struct disk *disk);   /* of all files */
bool disk_is_dead(const struct disk *disk);    /* it crashed */
bool disk_has_failed(const struct disk *disk); /* since the last start */
bool disk_was_full(const struct disk *disk);   /* as well */

/* The machine starts again, no file being open. */
void disk_restart(struct disk *disk, enum disk_damage damage);

/* posix_fadvise(POSIX_FADV_DONTNEED): what a failed sync left in memory only
 * is gone. */
void disk_drop_cache(struct disk *disk, int fd);

/* What a change takes of the clock; 0 at first. */
void disk_write_us(struct disk *disk, int64_t us);

/* The store's own calls, of files that SQLite knows as well. fsync(): 0, or -1
 * and errno. */
int disk_sync_fd(struct disk *disk, int fd);

/* All that the one holds, to the other, which is empty. */
int disk_copy_fd(struct disk *disk, int from, int to);

/* A name changes: false, and errno: it can't, or nobody lives to do it. */
bool disk_may_name(struct disk *disk);

/* Flip one bit that is durable, of a file that has any; but of no WAL at a
 * crash while it was copied: two faults at once. */
void disk_rot(struct disk *disk);

/* Something of note happened. */
void disk_note(struct disk *disk, const void *bytes, size_t length);

/* Of all that was written and happened: equal for equal runs. */
uint64_t disk_trace(const struct disk *disk);

/* The one clock of the simulation, in microseconds, which only goes on; and
 * what the wall shows, since the Unix epoch, which jumps. */
int64_t disk_now_us(const struct disk *disk);
int64_t disk_wall_us(const struct disk *disk);
void disk_pass_us(struct disk *disk, int64_t us);
void disk_jump_us(struct disk *disk, int64_t us);

#endif
