#include "store/layout.h"

#include "store/file_codes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINK_NAME "features.db"
#define FIRST_GENERATION "g1"

/* out = directory/rest; false when it does not fit. */
static bool join(char out[PATH_MAX], const char *directory, const char *rest)
{
	int length = snprintf(out, PATH_MAX, "%s/%s", directory, rest);
	return length > 0 && length < PATH_MAX;
}

/* "generations/g1.db" names g1. */
static bool parse_target(struct layout *layout, const char *target)
{
	int end = 0;
	char name[GENERATION_NAME_MAX];
	if (sscanf(target, "generations/%15[g0-9].db%n", name, &end) != 1 ||
		end == 0 || target[end] != '\0' || name[0] != 'g')
		return false;
	memcpy(layout->generation, name, sizeof name);
	return true;
}

static int read_link(struct layout *layout, bool *exists, struct fault *fault)
{
	char target[PATH_MAX];
	ssize_t length = readlink(layout->link, target, sizeof target - 1);
	*exists = length >= 0;
	if (length < 0 && (errno == ENOENT || errno == ENOTDIR)) {
		memcpy(layout->generation, FIRST_GENERATION,
			sizeof FIRST_GENERATION);
		return 0;
	}
	if (length < 0 && errno == EINVAL)
		return fault_set(fault, FAULT_REFUSED,
			"%s is no link to a generation: this is not a holdfast "
			"store; name another directory",
			layout->link);
	if (length < 0)
		return file_fault(
			fault, errno, "can't read link", layout->link);
	target[length] = '\0';
	if (parse_target(layout, target))
		return 0;
	return fault_set(fault, FAULT_REFUSED,
		"%s points to %s, not into generations/: this is not a "
		"holdfast store; name another directory",
		layout->link, target);
}

/* Before the file is opened, so that one which is replaced meanwhile is taken
 * for another. */
static void note_file(struct layout *layout)
{
	struct stat status = {0};
	if (stat(layout->database, &status) != 0)
		status = (struct stat){0};
	layout->device = status.st_dev;
	layout->inode = status.st_ino;
}

int layout_find(struct layout *layout, const char *path, bool *exists,
	struct fault *fault)
{
	memset(layout, 0, sizeof *layout);
	bool fits =
		snprintf(layout->directory, PATH_MAX, "%s", path) < PATH_MAX &&
		join(layout->link, path, LINK_NAME);
	if (fits) {
		int rc = read_link(layout, exists, fault);
		if (rc < 0)
			return rc;
	}
	char rest[64];
	int length = snprintf(
		rest, sizeof rest, "generations/%s.db", layout->generation);
	fits = fits && length > 0 && join(layout->database, path, rest);
	length = snprintf(
		rest, sizeof rest, "generations/%s.draft", layout->generation);
	fits = fits && length > 0 && join(layout->draft, path, rest);
	if (!fits)
		return fault_set(fault, FAULT_USAGE,
			"store.path: longer than %d bytes", PATH_MAX - 64);
	note_file(layout);
	return 0;
}

bool layout_is_current(const struct layout *layout)
{
	struct layout now = {0};
	char target[PATH_MAX];
	ssize_t length = readlink(layout->link, target, sizeof target - 1);
	if (length < 0)
		return false;
	target[length] = '\0';
	memcpy(now.database, layout->database, sizeof now.database);
	note_file(&now);
	return parse_target(&now, target) &&
	       strcmp(now.generation, layout->generation) == 0 &&
	       now.inode != 0 && now.device == layout->device &&
	       now.inode == layout->inode;
}

static int make_directory(const char *path, struct fault *fault)
{
	if (mkdir(path, 0750) == 0 || errno == EEXIST)
		return 0;
	return file_fault(fault, errno, "can't make directory", path);
}

int layout_make(const struct layout *layout, struct fault *fault)
{
	char path[PATH_MAX];
	int rc = make_directory(layout->directory, fault);
	struct stat status;
	if (rc == 0 && (stat(layout->directory, &status) != 0 ||
			       !S_ISDIR(status.st_mode)))
		rc = fault_set(fault, FAULT_REFUSED,
			"%s is not a directory: store.path names one",
			layout->directory);
	if (rc == 0 && join(path, layout->directory, "generations"))
		rc = make_directory(path, fault);
	if (rc == 0 && join(path, layout->directory, "backups"))
		rc = make_directory(path, fault);
	return rc;
}

int layout_lock(const struct layout *layout, int *out, struct fault *fault)
{
	*out = open(layout->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*out < 0)
		return file_fault(fault, errno, "can't open directory",
			layout->directory);
	if (flock(*out, LOCK_EX | LOCK_NB) == 0)
		return 0;
	int rc = errno == EWOULDBLOCK
			 ? fault_set(fault, FAULT_REFUSED,
				   "%s: another holdfast process writes this "
				   "store: stop "
				   "it first (one writer a store)",
				   layout->directory)
			 : file_fault(fault, errno, "can't lock",
				   layout->directory);
	close(*out);
	*out = -1;
	return rc;
}

int layout_clear_draft(const struct layout *layout, struct fault *fault)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
	for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
		char path[PATH_MAX + 16];
		int length = snprintf(
			path, sizeof path, "%s%s", layout->draft, suffixes[i]);
		if (length < 0 || (unlink(path) != 0 && errno != ENOENT))
			return file_fault(fault, errno, "can't remove", path);
	}
	return 0;
}

static int sync_directory(const char *path, struct fault *fault)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int failed = fd < 0 || fsync(fd) != 0;
	/* Whatever a failed fsync says: start clean (faults.md S4). */
	int rc = !failed ? 0
			 : fault_set(fault, FAULT_IO, "can't sync %s: %s", path,
				   strerror(errno));
	if (fd >= 0)
		close(fd);
	return rc;
}

static int make_link(const struct layout *layout, struct fault *fault)
{
	char target[64];
	int length = snprintf(
		target, sizeof target, "generations/%s.db", layout->generation);
	if (length > 0 && symlink(target, layout->link) == 0)
		return 0;
	return file_fault(fault, errno, "can't make link", layout->link);
}

int layout_publish(const struct layout *layout, struct fault *fault)
{
	if (access(layout->database, F_OK) != 0 &&
		rename(layout->draft, layout->database) != 0)
		return file_fault(
			fault, errno, "can't rename to", layout->database);
	char generations[PATH_MAX];
	int rc = 0;
	if (join(generations, layout->directory, "generations"))
		rc = sync_directory(generations, fault);
	if (rc == 0)
		rc = make_link(layout, fault);
	if (rc == 0)
		rc = sync_directory(layout->directory, fault);
	return rc;
}

static void drop_cache(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	/* Advice: where the kernel can't follow it, nothing is lost. */
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
}

static const char *wal_path(const struct layout *layout, char *out, size_t size)
{
	int length = snprintf(out, size, "%s-wal", layout->database);
	return length > 0 ? out : "";
}

void layout_drop_cache(const struct layout *layout)
{
	char wal[PATH_MAX + 8];
	drop_cache(layout->database);
	drop_cache(wal_path(layout, wal, sizeof wal));
}

static long long file_bytes(const char *path)
{
	struct stat status;
	return stat(path, &status) == 0 ? (long long)status.st_size : 0;
}

long long layout_file_bytes(const struct layout *layout)
{
	return file_bytes(layout->database);
}

long long layout_wal_bytes(const struct layout *layout)
{
	char wal[PATH_MAX + 8];
	return file_bytes(wal_path(layout, wal, sizeof wal));
}
