#include "tests/walk/shortage_disk.h"

#include "tests/walk/shortage.h"

#include <sqlite3.h>
#include <stdlib.h>

/* A file of ours, with SQLite's own behind it. */
struct file {
	sqlite3_file base; /* first */
	sqlite3_file *real;
};

static sqlite3_vfs vfs; /* ours; pAppData is SQLite's */

static sqlite3_file *real_of(sqlite3_file *file)
{
	return ((struct file *)file)->real;
}

static sqlite3_vfs *real_vfs(sqlite3_vfs *ours)
{
	return ours->pAppData;
}

static bool fails(void)
{
	return shortage_strikes(SHORTAGE_DISK);
}

static int file_close(sqlite3_file *file)
{
	return real_of(file)->pMethods->xClose(real_of(file));
}

static int file_read(
	sqlite3_file *file, void *out, int length, sqlite3_int64 at)
{
	return fails() ? SQLITE_IOERR_READ
		       : real_of(file)->pMethods->xRead(
				 real_of(file), out, length, at);
}

static int file_write(
	sqlite3_file *file, const void *bytes, int length, sqlite3_int64 at)
{
	return fails() ? SQLITE_IOERR_WRITE
		       : real_of(file)->pMethods->xWrite(
				 real_of(file), bytes, length, at);
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	return fails() ? SQLITE_IOERR_TRUNCATE
		       : real_of(file)->pMethods->xTruncate(
				 real_of(file), size);
}

static int file_sync(sqlite3_file *file, int flags)
{
	return fails() ? SQLITE_IOERR_FSYNC
		       : real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int file_size(sqlite3_file *file, sqlite3_int64 *out)
{
	return fails() ? SQLITE_IOERR_FSTAT
		       : real_of(file)->pMethods->xFileSize(real_of(file), out);
}

static int file_lock(sqlite3_file *file, int level)
{
	return fails() ? SQLITE_IOERR_LOCK
		       : real_of(file)->pMethods->xLock(real_of(file), level);
}

static int file_unlock(sqlite3_file *file, int level)
{
	return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int file_is_reserved(sqlite3_file *file, int *out)
{
	return real_of(file)->pMethods->xCheckReservedLock(real_of(file), out);
}

static int file_control(sqlite3_file *file, int what, void *argument)
{
	return real_of(file)->pMethods->xFileControl(
		real_of(file), what, argument);
}

static int file_sector(sqlite3_file *file)
{
	return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int file_traits(sqlite3_file *file)
{
	return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int file_shm_map(sqlite3_file *file, int region, int bytes, int extend,
	void volatile **out)
{
	return fails() ? SQLITE_IOERR_SHMMAP
		       : real_of(file)->pMethods->xShmMap(
				 real_of(file), region, bytes, extend, out);
}

static int file_shm_lock(sqlite3_file *file, int first, int count, int flags)
{
	if ((flags & SQLITE_SHM_UNLOCK) == 0 && fails())
		return SQLITE_IOERR_SHMLOCK;
	return real_of(file)->pMethods->xShmLock(
		real_of(file), first, count, flags);
}

static void file_shm_barrier(sqlite3_file *file)
{
	real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int file_shm_unmap(sqlite3_file *file, int delete)
{
	return real_of(file)->pMethods->xShmUnmap(real_of(file), delete);
}

/* Version 2: no memory mapping, which would not come by here. */
static const sqlite3_io_methods methods = {
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
	.xShmMap = file_shm_map,
	.xShmLock = file_shm_lock,
	.xShmBarrier = file_shm_barrier,
	.xShmUnmap = file_shm_unmap,
};

static int vfs_open(sqlite3_vfs *ours, sqlite3_filename name,
	sqlite3_file *file, int flags, int *out_flags)
{
	struct file *made = (struct file *)file;
	made->base.pMethods = NULL;
	made->real = (sqlite3_file *)(made + 1);
	if (fails())
		return SQLITE_CANTOPEN;
	int rc = real_vfs(ours)->xOpen(
		real_vfs(ours), name, made->real, flags, out_flags);
	if (made->real->pMethods != NULL)
		made->base.pMethods = &methods;
	return rc;
}

static int vfs_delete(sqlite3_vfs *ours, const char *name, int sync)
{
	return fails() ? SQLITE_IOERR_DELETE
		       : real_vfs(ours)->xDelete(real_vfs(ours), name, sync);
}

static int vfs_access(sqlite3_vfs *ours, const char *name, int flags, int *out)
{
	return fails() ? SQLITE_IOERR_ACCESS
		       : real_vfs(ours)->xAccess(
				 real_vfs(ours), name, flags, out);
}

static int vfs_full_name(
	sqlite3_vfs *ours, const char *name, int size, char *out)
{
	return real_vfs(ours)->xFullPathname(real_vfs(ours), name, size, out);
}

static int vfs_random(sqlite3_vfs *ours, int size, char *out)
{
	return real_vfs(ours)->xRandomness(real_vfs(ours), size, out);
}

static int vfs_sleep(sqlite3_vfs *ours, int microseconds)
{
	return real_vfs(ours)->xSleep(real_vfs(ours), microseconds);
}

static int vfs_time(sqlite3_vfs *ours, double *out)
{
	return real_vfs(ours)->xCurrentTime(real_vfs(ours), out);
}

static int vfs_last_error(sqlite3_vfs *ours, int size, char *out)
{
	return real_vfs(ours)->xGetLastError(real_vfs(ours), size, out);
}

void shortage_disk_install(void)
{
	sqlite3_vfs *real = sqlite3_vfs_find(NULL);
	vfs = (sqlite3_vfs){.iVersion = 1,
		.szOsFile = (int)sizeof(struct file) + real->szOsFile,
		.mxPathname = real->mxPathname,
		.zName = "shortage",
		.pAppData = real,
		.xOpen = vfs_open,
		.xDelete = vfs_delete,
		.xAccess = vfs_access,
		.xFullPathname = vfs_full_name,
		.xRandomness = vfs_random,
		.xSleep = vfs_sleep,
		.xCurrentTime = vfs_time,
		.xGetLastError = vfs_last_error};
	if (sqlite3_vfs_register(&vfs, 1) != SQLITE_OK)
		abort();
}
