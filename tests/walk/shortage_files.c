/* The rooms' own calls for files; the linker leads them here. */
#include "tests/walk/shortage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

static bool fails(void)
{
	if (!shortage_strikes(SHORTAGE_FILES))
		return false;
	errno = EIO;
	return true;
}

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	va_list arguments;
	va_start(arguments, flags);
	mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
	va_end(arguments);
	return fails() ? -1 : __real_open(path, flags, mode);
}

int __real_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode)
{
	return fails() ? -1 : __real_mkdir(path, mode);
}

int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to)
{
	return fails() ? -1 : __real_rename(from, to);
}

int __real_symlink(const char *target, const char *path);
int __wrap_symlink(const char *target, const char *path);
int __wrap_symlink(const char *target, const char *path)
{
	return fails() ? -1 : __real_symlink(target, path);
}

ssize_t __real_readlink(const char *path, char *out, size_t size);
ssize_t __wrap_readlink(const char *path, char *out, size_t size);
ssize_t __wrap_readlink(const char *path, char *out, size_t size)
{
	return fails() ? -1 : __real_readlink(path, out, size);
}

int __real_unlink(const char *path);
int __wrap_unlink(const char *path);
int __wrap_unlink(const char *path)
{
	return fails() ? -1 : __real_unlink(path);
}

int __real_stat(const char *path, struct stat *out);
int __wrap_stat(const char *path, struct stat *out);
int __wrap_stat(const char *path, struct stat *out)
{
	return fails() ? -1 : __real_stat(path, out);
}

int __real_fstat(int file, struct stat *out);
int __wrap_fstat(int file, struct stat *out);
int __wrap_fstat(int file, struct stat *out)
{
	return fails() ? -1 : __real_fstat(file, out);
}

int __real_fsync(int file);
int __wrap_fsync(int file);
int __wrap_fsync(int file)
{
	return fails() ? -1 : __real_fsync(file);
}

int __real_fdatasync(int file);
int __wrap_fdatasync(int file);
int __wrap_fdatasync(int file)
{
	return fails() ? -1 : __real_fdatasync(file);
}

int __real_flock(int file, int operation);
int __wrap_flock(int file, int operation);
int __wrap_flock(int file, int operation)
{
	return fails() ? -1 : __real_flock(file, operation);
}

ssize_t __real_read(int file, void *out, size_t size);
ssize_t __wrap_read(int file, void *out, size_t size);
ssize_t __wrap_read(int file, void *out, size_t size)
{
	return fails() ? -1 : __real_read(file, out, size);
}

ssize_t __real_write(int file, const void *bytes, size_t size);
ssize_t __wrap_write(int file, const void *bytes, size_t size);
ssize_t __wrap_write(int file, const void *bytes, size_t size)
{
	return fails() ? -1 : __real_write(file, bytes, size);
}

ssize_t __real_pread(int file, void *out, size_t size, off_t at);
ssize_t __wrap_pread(int file, void *out, size_t size, off_t at);
ssize_t __wrap_pread(int file, void *out, size_t size, off_t at)
{
	return fails() ? -1 : __real_pread(file, out, size, at);
}

ssize_t __real_pwrite(int file, const void *bytes, size_t size, off_t at);
ssize_t __wrap_pwrite(int file, const void *bytes, size_t size, off_t at);
ssize_t __wrap_pwrite(int file, const void *bytes, size_t size, off_t at)
{
	return fails() ? -1 : __real_pwrite(file, bytes, size, at);
}
/* Nobody waits for those who might still look: there is nobody. */
int __wrap_nanosleep(const struct timespec *time, struct timespec *left);
int __wrap_nanosleep(const struct timespec *time, struct timespec *left)
{
	(void)time;
	(void)left;
	return 0;
}
/* NOLINTEND(bugprone-reserved-identifier) */
