/* What disk.c (content, damage) and disk_vfs.c (SQLite's calls) share. */
#ifndef HOLDFAST_TESTS_SIMULATE_DISK_INSIDE_H
#define HOLDFAST_TESTS_SIMULATE_DISK_INSIDE_H

#include "tests/lib/chance.h"
#include "tests/simulate/disk.h"

#include <sqlite3.h>
#include <stddef.h>
#include <sys/types.h>

#define SHM_REGIONS_MAX 16 /* of 32 KiB: a WAL of 65,000 pages */

struct image {
	unsigned char *bytes;
	size_t size, room;
};

struct change {
	bool truncates; /* to `at`; else writes bytes[0..length) there */
	size_t at, length;
	unsigned char *bytes;
};

struct handle;

struct inode {
	struct inode *next;
	int fd; /* of what stands for it in the real directory */
	dev_t device;
	ino_t number;
	bool named;  /* its name is durable */
	bool is_wal; /* of an SQLite database */
	bool torn;   /* at a crash not all of it was synced, nor since */
	struct image now, durable;
	size_t shown;		/* bytes there */
	struct change *pending; /* pending[0..pending_count) */
	size_t pending_count, pending_room;
	struct handle *handles; /* that have it open */
	void *shm[SHM_REGIONS_MAX];
};

struct handle {
	sqlite3_file file; /* first */
	struct disk *disk;
	struct inode *inode;
	struct handle *next;
	char *delete_name; /* owned; unlinked at the close; or NULL */
	int level;	   /* SQLITE_LOCK_* */
	unsigned shm_shared, shm_exclusive;
	bool shm_mapped;
	int persist_wal;
};

struct disk {
	sqlite3_vfs vfs;
	struct inode *inodes;
	struct chance chance, damage_chance;
	struct disk_plan plan;
	int64_t changes, reads_left;
	bool dead, failed, full;
	uint64_t trace;
	int64_t now_us, jumped_us, write_us;
};

extern const sqlite3_io_methods disk_methods;

/* What becomes of the next change. */
enum fate { FATE_GO, FATE_FAIL, FATE_DIE };
enum fate disk_step(struct disk *disk, char kind, size_t at, size_t length);

struct inode *disk_find(struct disk *disk, const char *path);
struct inode *disk_create(struct disk *disk, const char *path, int fd);

void inode_write(
	struct inode *inode, const void *bytes, size_t length, size_t at);
void inode_truncate(struct inode *inode, size_t size);
void inode_sync(struct inode *inode);	/* all pending is durable */
void inode_forget(struct inode *inode); /* pending counts as clean */

#endif
