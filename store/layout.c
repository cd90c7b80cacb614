#include "store/layout.h"

#include "store/file_codes.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINK_NAME "features.db"
#define NEW_LINK_NAME "features.db.new"
#define FIRST_GENERATION "g1"

/* out = directory/rest; false when it does not fit. */
static bool join(char out[PATH_MAX], const char *directory, const char *rest)
{
	return snprintf(out, PATH_MAX, "%s/%s", directory, rest) < PATH_MAX;
}

/* out = directory/name, for the short names that layout_find() made sure of. */
static void join_short(
	char out[PATH_MAX], const struct layout *layout, const char *name)
{
	bool fits = join(out, layout->directory, name);
	assert(fits);
}

/* "generations/g1.db" names g1. */
static bool parse_target(struct layout *layout, const char *target)
{
	int end = 0;
	char name[GENERATION_NAME_MAX];
	if (sscanf(target, "generations/%15[g0-9].db%n", name, &end) != 1 ||
		end == 0 || target[end] != '\0' || generation_number(name) == 0)
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

static int too_long(struct fault *fault)
{
	return fault_set(fault, FAULT_USAGE, "store.path: longer than %d bytes",
		PATH_MAX - 64);
}

/* The files of layout->generation. */
static int name_files(struct layout *layout, struct fault *fault)
{
	char rest[64];
	(void)snprintf(
		rest, sizeof rest, "generations/%s.db", layout->generation);
	bool fits = join(layout->database, layout->directory, rest);
	(void)snprintf(
		rest, sizeof rest, "generations/%s.draft", layout->generation);
	if (!fits || !join(layout->draft, layout->directory, rest))
		return too_long(fault);
	note_file(layout);
	return 0;
}

int layout_find(struct layout *layout, const char *path, bool *exists,
	struct fault *fault)
{
	memset(layout, 0, sizeof *layout);
	if (snprintf(layout->directory, PATH_MAX, "%s", path) >= PATH_MAX ||
		!join(layout->link, path, LINK_NAME))
		return too_long(fault);
	int rc = read_link(layout, exists, fault);
	return rc < 0 ? rc : name_files(layout, fault);
}

int64_t generation_number(const char *name)
{
	size_t digits = name[0] == 'g' ? strspn(name + 1, "0123456789") : 0;
	if (digits == 0 || digits > GENERATION_NAME_MAX - 2 || name[1] == '0' ||
		name[digits + 1] != '\0')
		return 0;
	return strtoll(name + 1, NULL, 10);
}

int layout_turn_to(
	struct layout *layout, const char *generation, struct fault *fault)
{
	if (generation_number(generation) == 0)
		return fault_set(fault, FAULT_USAGE,
			"%s is no generation: `holdfast generations` lists "
			"them",
			generation);
	/* It may be the very same. */
	memmove(layout->generation, generation, strlen(generation) + 1);
	return name_files(layout, fault);
}

/* The number of "g12.db", of its WAL or its draft too; 0: of none. */
static int64_t number_of_file(const char *name)
{
	char generation[GENERATION_NAME_MAX];
	size_t length = strcspn(name, ".");
	if (length >= sizeof generation || name[length] == '\0')
		return 0;
	memcpy(generation, name, length);
	generation[length] = '\0';
	return generation_number(generation);
}

int layout_next_generation(const struct layout *layout,
	char out[GENERATION_NAME_MAX], struct fault *fault)
{
	char path[PATH_MAX];
	int64_t highest = generation_number(layout->generation);
	join_short(path, layout, "generations");
	DIR *directory = opendir(path);
	if (directory == NULL)
		return file_fault(fault, errno, "can't list directory", path);
	for (const struct dirent *entry; (entry = readdir(directory)) != NULL;)
		if (number_of_file(entry->d_name) > highest)
			highest = number_of_file(entry->d_name);
	closedir(directory);
	char name[32];
	int length = snprintf(name, sizeof name, "g%" PRId64, highest + 1);
	if (length < 0 || length >= GENERATION_NAME_MAX)
		return fault_set(fault, FAULT_REFUSED,
			"%s: there is no name behind g%" PRId64
			": remove files that are no generation",
			path, highest);
	memcpy(out, name, (size_t)length + 1);
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
	if (rc == 0 && stat(layout->directory, &status) != 0)
		return file_fault(
			fault, errno, "can't look at", layout->directory);
	if (rc == 0 && !S_ISDIR(status.st_mode))
		rc = fault_set(fault, FAULT_REFUSED,
			"%s is not a directory: store.path names one",
			layout->directory);
	join_short(path, layout, "generations");
	if (rc == 0)
		rc = make_directory(path, fault);
	join_short(path, layout, "backups");
	return rc < 0 ? rc : make_directory(path, fault);
}

/* 1: another process holds it. */
static int lock_directory(const char *path, int *out, struct fault *fault)
{
	*out = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*out < 0)
		return file_fault(fault, errno, "can't open directory", path);
	if (flock(*out, LOCK_EX | LOCK_NB) == 0)
		return 0;
	int rc = errno == EWOULDBLOCK
			 ? 1
			 : file_fault(fault, errno, "can't lock", path);
	close(*out);
	*out = -1;
	return rc;
}

int layout_lock(const struct layout *layout, int *out, struct fault *fault)
{
	int rc = lock_directory(layout->directory, out, fault);
	if (rc != 1)
		return rc;
	return fault_set(fault, FAULT_LOCKED,
		"%s: another holdfast process writes this store: stop it first "
		"(one writer a store)",
		layout->directory);
}

int layout_lock_build(
	const struct layout *layout, int *out, struct fault *fault)
{
	char path[PATH_MAX];
	*out = -1;
	join_short(path, layout, "generations");
	int rc = lock_directory(path, out, fault);
	if (rc != 1)
		return rc;
	return fault_set(fault, FAULT_REFUSED,
		"%s: another holdfast process builds a generation of this "
		"store: wait for it, or stop it (one at a time)",
		path);
}

/* "g2.db-wal" of a g2.db that is gone, "g3.draft". */
static bool is_left(int directory, const char *name)
{
	char file[NAME_MAX + 1];
	size_t length = strcspn(name, "-");
	if (number_of_file(name) == 0)
		return false;
	if (strncmp(name + strcspn(name, "."), ".draft", 6) == 0)
		return true;
	memcpy(file, name, length);
	file[length] = '\0';
	return name[length] == '-' && faccessat(directory, file, F_OK, 0) != 0;
}

int layout_clear_left(const struct layout *layout, struct fault *fault)
{
	char path[PATH_MAX];
	int rc = 0;
	join_short(path, layout, "generations");
	DIR *directory = opendir(path);
	if (directory == NULL)
		return file_fault(fault, errno, "can't list directory", path);
	for (const struct dirent *entry; (entry = readdir(directory)) != NULL;)
		if (is_left(dirfd(directory), entry->d_name) &&
			unlinkat(dirfd(directory), entry->d_name, 0) != 0)
			rc = file_fault(
				fault, errno, "can't remove", entry->d_name);
	closedir(directory);
	return rc;
}

int layout_clear_draft(const struct layout *layout, struct fault *fault)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
	for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
		char path[PATH_MAX + 16];
		(void)snprintf(
			path, sizeof path, "%s%s", layout->draft, suffixes[i]);
		if (unlink(path) != 0 && errno != ENOENT)
			return file_fault(fault, errno, "can't remove", path);
	}
	return 0;
}

int layout_sync_directory(const char *path, struct fault *fault)
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

static int make_link(
	const struct layout *layout, const char *path, struct fault *fault)
{
	char target[64];
	(void)snprintf(
		target, sizeof target, "generations/%s.db", layout->generation);
	if (symlink(target, path) == 0)
		return 0;
	return file_fault(fault, errno, "can't make link", path);
}

int layout_relink(const struct layout *layout, struct fault *fault)
{
	char path[PATH_MAX];
	join_short(path, layout, NEW_LINK_NAME);
	if (unlink(path) != 0 && errno != ENOENT)
		return file_fault(fault, errno, "can't remove", path);
	int rc = make_link(layout, path, fault);
	if (rc == 0 && rename(path, layout->link) != 0)
		rc = file_fault(fault, errno, "can't rename to", layout->link);
	return rc < 0 ? rc : layout_sync_directory(layout->directory, fault);
}

int layout_place(const struct layout *layout, struct fault *fault)
{
	if (access(layout->database, F_OK) != 0 &&
		rename(layout->draft, layout->database) != 0)
		return file_fault(
			fault, errno, "can't rename to", layout->database);
	char generations[PATH_MAX];
	join_short(generations, layout, "generations");
	return layout_sync_directory(generations, fault);
}

int layout_publish(const struct layout *layout, struct fault *fault)
{
	int rc = layout_place(layout, fault);
	if (rc == 0)
		rc = make_link(layout, layout->link, fault);
	if (rc == 0)
		rc = layout_sync_directory(layout->directory, fault);
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
	(void)snprintf(out, size, "%s-wal", layout->database);
	return out;
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
