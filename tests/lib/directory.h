/*
 * A directory of a test's own, gone when the test is over.
 */
#ifndef HOLDFAST_TESTS_DIRECTORY_H
#define HOLDFAST_TESTS_DIRECTORY_H

#include <stdint.h>

#define DIRECTORY_PATH_MAX 512

struct directory {
	char path[DIRECTORY_PATH_MAX];
};

/* In $TMPDIR, or /tmp. Fails the test where it can't be made. */
void directory_make(struct directory *directory);

/* With all that is in it. */
void directory_remove(const struct directory *directory);

/* "<path>/<name>", valid until the next call of the same `out`. */
struct directory directory_entry(
	const struct directory *directory, const char *name);

/* One number for names, kinds, sizes and contents of all that is below `path`:
 * equal while nothing changed. */
uint64_t directory_fingerprint(const struct directory *directory);

/* Write a file: all of `text`. */
void file_write(const char *path, const char *text);

#endif
