/* SQLite's calls. Source: sqlite.org/c3ref/io_methods.html, vfs.html. */
#include "tests/simulate/disk_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES_MAX 4096
#define UNIX_EPOCH_MS INT64_C(210866760000000) /* in SQLite's Julian ms */

static struct handle *handle_of(sqlite3_file *file)
{
	return (struct handle *)file;
}

static int file_close(sqlite3_file *file)
{
	struct handle *handle = handle_of(file);
	struct handle **at = &handle->inode->handles;
	while (*at != handle)
		at = &(*at)->next;
	*at = handle->next;
	if (handle->delete_name != NULL && !handle->disk->dead)
		(void)unlink(handle->delete_name);
	free(handle->delete_name);
	return SQLITE_OK;
}

static bool read_fails(struct disk *disk)
{
	struct disk_plan *plan = &disk->plan;
	if (disk->dead)
		return true;
	if (plan->failure != FAIL_READ || plan->fail_at == 0 ||
		disk->changes < plan->fail_at)
		return false;
	plan->fail_at = 0;
	disk->failed = true;
	return true;
}

static int file_read(
	sqlite3_file *file, void *out, int length, sqlite3_int64 at)
{
	const struct handle *handle = handle_of(file);
	const struct image *image = &handle->inode->now;
	size_t from = (size_t)at, wanted = (size_t)length;
	if (read_fails(handle->disk))
		return SQLITE_IOERR_READ;
	size_t there = from < image->size ? image->size - from : 0;
	there = there < wanted ? there : wanted;
	if (there > 0)
		memcpy(out, image->bytes + from, there);
	memset((char *)out + there, 0, wanted - there);
	return there == wanted ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static bool is_full(struct disk *disk, const struct inode *inode, size_t end)
{
	int64_t limit = disk->plan.full_bytes;
	size_t size = inode->now.size;
	if (limit == 0 || end <= size ||
		disk_bytes(disk) + (int64_t)(end - size) <= limit)
		return false;
	disk->full = true;
	return true;
}

static int file_write(
	sqlite3_file *file, const void *bytes, int length, sqlite3_int64 at)
{
	const struct handle *handle = handle_of(file);
	struct disk *disk = handle->disk;
	size_t from = (size_t)at, count = (size_t)length;
	if (!disk->dead && is_full(disk, handle->inode, from + count))
		return SQLITE_FULL;
	bool dead = disk->dead;
	enum fate fate = disk_step(disk, 'w', from, count);
	if (dead || fate == FATE_FAIL)
		return SQLITE_IOERR_WRITE;
	disk_note(disk, bytes, count);
	inode_write(handle->inode, bytes, count, from);
	return fate == FATE_DIE ? SQLITE_IOERR_WRITE : SQLITE_OK;
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	const struct handle *handle = handle_of(file);
	enum fate fate = disk_step(handle->disk, 't', (size_t)size, 0);
	if (fate == FATE_FAIL)
		return SQLITE_IOERR_TRUNCATE;
	inode_truncate(handle->inode, (size_t)size);
	return fate == FATE_DIE ? SQLITE_IOERR_TRUNCATE : SQLITE_OK;
}

static int file_sync(sqlite3_file *file, int flags)
{
	const struct handle *handle = handle_of(file);
	(void)flags;
	bool off = handle->disk->plan.failure == FAIL_SYNC_OFF;
	enum fate fate = disk_step(handle->disk, 's', 0, 0);
	if (fate == FATE_FAIL && off && !handle->disk->dead) {
		inode_forget(handle->inode);
		handle->inode->torn = true;
	}
	if (fate != FATE_GO)
		return SQLITE_IOERR_FSYNC;
	if (!handle->disk->plan.lies)
		inode_sync(handle->inode);
	return SQLITE_OK;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *out)
{
	*out = (sqlite3_int64)handle_of(file)->inode->now.size;
	return handle_of(file)->disk->dead ? SQLITE_IOERR_FSTAT : SQLITE_OK;
}

/* The highest that others hold. */
static int others_level(const struct handle *handle)
{
	int highest = SQLITE_LOCK_NONE;
	for (const struct handle *one = handle->inode->handles; one != NULL;
		one = one->next)
		if (one != handle && one->level > highest)
			highest = one->level;
	return highest;
}

static int file_lock(sqlite3_file *file, int level)
{
	struct handle *handle = handle_of(file);
	int others = others_level(handle);
	if (handle->disk->dead)
		return SQLITE_IOERR_LOCK;
	if (level <= handle->level)
		return SQLITE_OK;
	bool busy = level == SQLITE_LOCK_SHARED
			    ? others >= SQLITE_LOCK_PENDING
			    : others >= SQLITE_LOCK_RESERVED;
	if (level == SQLITE_LOCK_EXCLUSIVE && !busy &&
		others >= SQLITE_LOCK_SHARED) {
		handle->level = SQLITE_LOCK_PENDING;
		busy = true;
	}
	if (busy)
		return SQLITE_BUSY;
	handle->level = level;
	return SQLITE_OK;
}

static int file_unlock(sqlite3_file *file, int level)
{
	struct handle *handle = handle_of(file);
	if (level < handle->level)
		handle->level = level;
	return SQLITE_OK;
}

static int file_is_reserved(sqlite3_file *file, int *out)
{
	struct handle *handle = handle_of(file);
	*out = handle->level >= SQLITE_LOCK_RESERVED ||
	       others_level(handle) >= SQLITE_LOCK_RESERVED;
	return SQLITE_OK;
}

static int file_control(sqlite3_file *file, int what, void *argument)
{
	struct handle *handle = handle_of(file);
	int *value = argument;
	if (what != SQLITE_FCNTL_PERSIST_WAL)
		return SQLITE_NOTFOUND;
	if (*value >= 0)
		handle->persist_wal = *value != 0;
	*value = handle->persist_wal;
	return SQLITE_OK;
}

static int file_sector(sqlite3_file *file)
{
	(void)file;
	return 4096;
}

static int file_traits(sqlite3_file *file)
{
	(void)file;
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static int shm_map(sqlite3_file *file, int region, int bytes, int extend,
	void volatile **out)
{
	struct handle *handle = handle_of(file);
	*out = NULL;
	if (handle->disk->dead || region >= SHM_REGIONS_MAX)
		return SQLITE_IOERR_SHMMAP;
	void **memory = &handle->inode->shm[region];
	handle->shm_mapped = true;
	if (*memory == NULL && extend)
		*memory = calloc(1, (size_t)bytes);
	*out = *memory;
	return SQLITE_OK;
}

static int shm_lock(sqlite3_file *file, int first, int count, int flags)
{
	struct handle *handle = handle_of(file);
	unsigned mask = ((1U << count) - 1) << first;
	unsigned shared = 0, exclusive = 0;
	for (const struct handle *one = handle->inode->handles; one != NULL;
		one = one->next) {
		shared |= one == handle ? 0 : one->shm_shared;
		exclusive |= one == handle ? 0 : one->shm_exclusive;
	}
	if ((flags & SQLITE_SHM_UNLOCK) != 0) {
		handle->shm_shared &= ~mask;
		handle->shm_exclusive &= ~mask;
		return SQLITE_OK;
	}
	if (handle->disk->dead)
		return SQLITE_IOERR_SHMLOCK;
	bool wants_all = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
	if ((exclusive & mask) != 0 || (wants_all && (shared & mask) != 0))
		return SQLITE_BUSY;
	if (wants_all)
		handle->shm_exclusive |= mask;
	else
		handle->shm_shared |= mask;
	return SQLITE_OK;
}

static void shm_barrier(sqlite3_file *file)
{
	(void)file;
}

/* The last one lets it go: whoever comes first builds it anew. */
static int shm_unmap(sqlite3_file *file, int delete)
{
	struct handle *handle = handle_of(file);
	(void)delete;
	handle->shm_mapped = false;
	handle->shm_shared = handle->shm_exclusive = 0;
	for (const struct handle *one = handle->inode->handles; one != NULL;
		one = one->next)
		if (one->shm_mapped)
			return SQLITE_OK;
	for (size_t i = 0; i < SHM_REGIONS_MAX; i++) {
		free(handle->inode->shm[i]);
		handle->inode->shm[i] = NULL;
	}
	return SQLITE_OK;
}

const sqlite3_io_methods disk_methods = {
	.iVersion = 2,
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_unlock,
	.xCheckReservedLock = file_is_reserved,
	.xFileControl = file_control,
	.xSectorSize = file_sector,
	.xDeviceCharacteristics = file_traits,
	.xShmMap = shm_map,
	.xShmLock = shm_lock,
	.xShmBarrier = shm_barrier,
	.xShmUnmap = shm_unmap,
};

static struct disk *disk_of(sqlite3_vfs *vfs)
{
	return vfs->pAppData;
}

/* Also what was made by renaming: by its inode. NULL: it can't be opened. */
static struct inode *open_inode(
	struct disk *disk, const char *name, bool create)
{
	if (name == NULL)
		return disk_create(disk, NULL, memfd_create("temporary", 0));
	struct inode *inode = disk_find(disk, name);
	if (inode != NULL || !create || access(name, F_OK) == 0)
		return inode;
	if (disk_step(disk, 'c', 0, 0) != FATE_GO)
		return NULL;
	int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	return fd < 0 ? NULL : disk_create(disk, name, fd);
}

static int vfs_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file,
	int flags, int *out_flags)
{
	struct disk *disk = disk_of(vfs);
	struct handle *handle = handle_of(file);
	*handle = (struct handle){.disk = disk};
	if (disk->dead)
		return SQLITE_CANTOPEN;
	struct inode *inode =
		open_inode(disk, name, (flags & SQLITE_OPEN_CREATE) != 0);
	if (inode == NULL)
		return SQLITE_CANTOPEN;
	if (name != NULL && (flags & SQLITE_OPEN_DELETEONCLOSE) != 0)
		handle->delete_name = strdup(name);
	handle->inode = inode;
	handle->next = inode->handles;
	inode->handles = handle;
	handle->file.pMethods = &disk_methods;
	if (out_flags != NULL)
		*out_flags = flags;
	return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync_directory)
{
	(void)sync_directory; /* names are not lost */
	if (disk_step(disk_of(vfs), 'd', 0, 0) != FATE_GO)
		return SQLITE_IOERR_DELETE;
	if (unlink(name) == 0)
		return SQLITE_OK;
	return errno == ENOENT ? SQLITE_IOERR_DELETE_NOENT
			       : SQLITE_IOERR_DELETE;
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
	(void)flags;
	const struct inode *inode = disk_find(disk_of(vfs), name);
	*out = inode != NULL &&
	       (flags != SQLITE_ACCESS_EXISTS || inode->now.size > 0);
	return disk_of(vfs)->dead ? SQLITE_IOERR_ACCESS : SQLITE_OK;
}

static int vfs_full_name(
	sqlite3_vfs *vfs, const char *name, int size, char *out)
{
	(void)vfs;
	sqlite3_snprintf(size, out, "%s", name);
	return SQLITE_OK;
}

static int vfs_random(sqlite3_vfs *vfs, int length, char *out)
{
	for (int i = 0; i < length; i++)
		out[i] = (char)chance_next(&disk_of(vfs)->chance);
	return length;
}

static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
	disk_pass_us(disk_of(vfs), us);
	return us;
}

static int vfs_time_ms(sqlite3_vfs *vfs, sqlite3_int64 *out)
{
	*out = UNIX_EPOCH_MS + disk_wall_us(disk_of(vfs)) / 1000;
	return SQLITE_OK;
}

static int vfs_time(sqlite3_vfs *vfs, double *out)
{
	sqlite3_int64 ms;
	(void)vfs_time_ms(vfs, &ms);
	*out = (double)ms / 86400000.0;
	return SQLITE_OK;
}

struct disk *disk_new(uint64_t seed)
{
	struct disk *disk = calloc(1, sizeof *disk);
	if (disk == NULL)
		return NULL;
	disk->chance.state = seed;
	disk->damage_chance.state = seed ^ UINT64_C(0x5a5a5a5a5a5a5a5a);
	disk->trace = UINT64_C(0xcbf29ce484222325);
	disk->vfs = (sqlite3_vfs){
		.iVersion = 2,
		.szOsFile = (int)sizeof(struct handle),
		.mxPathname = PATH_BYTES_MAX,
		.zName = "simulated",
		.pAppData = disk,
		.xOpen = vfs_open,
		.xDelete = vfs_delete,
		.xAccess = vfs_access,
		.xFullPathname = vfs_full_name,
		.xRandomness = vfs_random,
		.xSleep = vfs_sleep,
		.xCurrentTime = vfs_time,
		.xCurrentTimeInt64 = vfs_time_ms,
	};
	if (sqlite3_vfs_register(&disk->vfs, 1) != SQLITE_OK) {
		free(disk);
		return NULL;
	}
	sqlite3_randomness(0, NULL); /* begins anew, from the seed */
	return disk;
}
