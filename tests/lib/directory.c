#include "tests/lib/directory.h"

#include "schema/checksum.h"
#include "tests/lib/check.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void directory_make(struct directory *directory)
{
	const char *parent = getenv("TMPDIR");
	int length = snprintf(directory->path, sizeof directory->path,
		"%s/holdfast-test-XXXXXX", parent == NULL ? "/tmp" : parent);
	assert_in_range(length, 1, sizeof directory->path - 1);
	assert_non_null(mkdtemp(directory->path));
}

struct directory directory_entry(
	const struct directory *directory, const char *name)
{
	struct directory entry;
	int length = snprintf(
		entry.path, sizeof entry.path, "%s/%s", directory->path, name);
	assert_in_range(length, 1, sizeof entry.path - 1);
	return entry;
}

static bool is_directory(const char *path)
{
	struct stat status;
	assert_int_equal(lstat(path, &status), 0);
	return S_ISDIR(status.st_mode);
}

/* Names below a directory, in order; each and the list are the caller's. */
static int list(const struct directory *directory, struct dirent ***names)
{
	int count = scandir(directory->path, names, NULL, alphasort);
	assert_true(count >= 0);
	return count;
}

static bool is_itself(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") == 0 ||
	       strcmp(entry->d_name, "..") == 0;
}

void directory_remove(const struct directory *directory)
{
	struct dirent **names;
	int count = list(directory, &names);
	for (int i = 0; i < count; i++) {
		struct directory entry =
			directory_entry(directory, names[i]->d_name);
		if (is_itself(names[i]))
			;
		else if (is_directory(entry.path))
			directory_remove(&entry);
		else
			assert_int_equal(unlink(entry.path), 0);
		free(names[i]);
	}
	free(names);
	assert_int_equal(rmdir(directory->path), 0);
}

static uint64_t mix(uint64_t sum, const void *bytes, size_t length)
{
	uint64_t parts[2] = {sum, checksum((struct slice){bytes, length})};
	return checksum((struct slice){(const char *)parts, sizeof parts});
}

static uint64_t mix_file(uint64_t sum, const char *path)
{
	char bytes[65536];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	ssize_t length;
	while ((length = read(fd, bytes, sizeof bytes)) > 0)
		sum = mix(sum, bytes, (size_t)length);
	assert_int_equal(length, 0);
	close(fd);
	return sum;
}

static uint64_t mix_entry(uint64_t sum, const struct directory *entry)
{
	char target[DIRECTORY_PATH_MAX];
	ssize_t length = readlink(entry->path, target, sizeof target);
	sum = mix(sum, entry->path, strlen(entry->path));
	if (length >= 0)
		return mix(sum, target, (size_t)length);
	if (!is_directory(entry->path))
		return mix_file(sum, entry->path);
	uint64_t below = directory_fingerprint(entry);
	return mix(sum, &below, sizeof below);
}

uint64_t directory_fingerprint(const struct directory *directory)
{
	struct dirent **names;
	int count = list(directory, &names);
	uint64_t sum = (uint64_t)count;
	for (int i = 0; i < count; i++) {
		struct directory entry =
			directory_entry(directory, names[i]->d_name);
		if (!is_itself(names[i]))
			sum = mix_entry(sum, &entry);
		free(names[i]);
	}
	free(names);
	return sum;
}

void file_write(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fputs(text, file) >= 0, 1);
	assert_int_equal(fclose(file), 0);
}
