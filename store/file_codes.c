#include "store/file_codes.h"

#include <errno.h>
#include <string.h>

#define ROOM "make room on the store's disk"
#define DISK "check the disk and the kernel's log"
#define RIGHTS "let holdfast's user write the store's directory and all in it"
#define PATHS "check store.path and the files in it"
#define LIMITS "raise the limit on open files (ulimit -n)"

/* What the store's directory, its files, their locks and their syncing give:
 * open, read, write, fsync, mkdir, rename, symlink, unlink, flock (2). */
static const struct {
	int error;
	int fault;
	const char *name;
	const char *advice;
} codes[] = {
	{ENOSPC, FAULT_FULL, "ENOSPC", ROOM},
	{EDQUOT, FAULT_FULL, "EDQUOT", "raise the user's disk quota"},
	{EINTR, FAULT_BUSY, "EINTR", ""},
	{EAGAIN, FAULT_BUSY, "EAGAIN", "end what holds the file"},
	{EBUSY, FAULT_BUSY, "EBUSY", "end what holds the file"},
	{ETXTBSY, FAULT_BUSY, "ETXTBSY", "end what holds the file"},
	{ENOLCK, FAULT_BUSY, "ENOLCK", "check the file system's lock service"},
	{ENOMEM, FAULT_OOM, "ENOMEM", "give the process more memory"},
	{EMFILE, FAULT_IO, "EMFILE", LIMITS},
	{ENFILE, FAULT_IO, "ENFILE", LIMITS},
	{EIO, FAULT_IO, "EIO", DISK},
	{ENXIO, FAULT_IO, "ENXIO", DISK},
	{ENODEV, FAULT_IO, "ENODEV", DISK},
	{ESTALE, FAULT_IO, "ESTALE", "mount the file system again"},
	{EFBIG, FAULT_IO, "EFBIG", "raise the limit on file sizes (ulimit -f)"},
	{EBADF, FAULT_IO, "EBADF", "report it"},
	{EINVAL, FAULT_IO, "EINVAL", "use a local file system"},
	{ENOSYS, FAULT_IO, "ENOSYS", "use a local file system"},
	{EOPNOTSUPP, FAULT_IO, "EOPNOTSUPP", "use a local file system"},
	{EXDEV, FAULT_IO, "EXDEV", "keep the store on one file system"},
	{EMLINK, FAULT_IO, "EMLINK", PATHS},
	{EACCES, FAULT_REFUSED, "EACCES", RIGHTS},
	{EPERM, FAULT_REFUSED, "EPERM", RIGHTS},
	{EROFS, FAULT_REFUSED, "EROFS", "mount the file system for writing"},
	{ENOENT, FAULT_REFUSED, "ENOENT", PATHS},
	{ENOTDIR, FAULT_REFUSED, "ENOTDIR", PATHS},
	{EISDIR, FAULT_REFUSED, "EISDIR", PATHS},
	{EEXIST, FAULT_REFUSED, "EEXIST", PATHS},
	{ENOTEMPTY, FAULT_REFUSED, "ENOTEMPTY", PATHS},
	{ELOOP, FAULT_REFUSED, "ELOOP", PATHS},
	{ENAMETOOLONG, FAULT_REFUSED, "ENAMETOOLONG", PATHS},
};
#define CODE_COUNT (sizeof codes / sizeof codes[0])

static size_t find(int error)
{
	size_t i = 0;
	while (i < CODE_COUNT && codes[i].error != error)
		i++;
	return i;
}

int file_fault_code(int error)
{
	size_t i = find(error);
	return i < CODE_COUNT ? codes[i].fault : FAULT_IO;
}

int file_fault(
	struct fault *fault, int error, const char *what, const char *path)
{
	size_t i = find(error);
	const char *advice = i < CODE_COUNT ? codes[i].advice : DISK;
	return fault_set(fault, file_fault_code(error), "%s %s: %s%s%s", what,
		path, strerror(error), advice[0] == '\0' ? "" : ": ", advice);
}

static bool code_at(size_t index, struct policy_entry *out)
{
	if (index >= CODE_COUNT)
		return false;
	*out = (struct policy_entry){codes[index].error, codes[index].name,
		policy_of_fault(codes[index].fault),
		strerror(codes[index].error), codes[index].advice};
	return true;
}

const struct policy_family *file_codes(void)
{
	static const struct policy_family family = {
		"files", "exit: the disk can't be relied on", code_at};
	return &family;
}
