#include "store/reader_inside.h"

#include "store/backup_seal.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* Byte 18 of a database says by which journal it is written: 1 rollback, 2 WAL
 * (sqlite.org/fileformat.html section 1.3). */
#define WRITE_VERSION_AT 18
#define WRITE_VERSION_WAL 2

/* The newest commits of a live store's file may be in the WAL beside it. */
static int refuse_live(const char *path, struct fault *fault)
{
	unsigned char byte = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool live = fd >= 0 && pread(fd, &byte, 1, WRITE_VERSION_AT) == 1 &&
		    byte == WRITE_VERSION_WAL;
	if (fd >= 0)
		close(fd);
	return live ? fault_set(fault, FAULT_REFUSED,
			      "%s is the file of a live store, or a copy of "
			      "one, and what was committed last may be missing "
			      "in it: use one that `holdfast backup` made",
			      path)
		    : 0;
}

/* "g1@20261123T082049Z" */
static void name_generation(
	struct reader *reader, const struct backup_seal *seal, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *file = slash == NULL ? path : slash + 1;
	size_t length = strlen(file);
	if (length > 3 && strcmp(file + length - 3, ".db") == 0)
		length -= 3;
	if (length > BACKUP_NAME_MAX)
		length = BACKUP_NAME_MAX;
	(void)snprintf(reader->generation, sizeof reader->generation, "%s@%.*s",
		seal->generation, (int)length, file);
}

static int open_backup(
	struct reader *reader, const char *path, struct fault *fault)
{
	struct layout *layout = &reader->layout;
	struct backup_seal seal = {0};
	if (snprintf(layout->database, PATH_MAX, "%s", path) >= PATH_MAX)
		return fault_set(fault, FAULT_USAGE, "%s: too long", path);
	int rc = refuse_live(path, fault);
	if (rc == 0)
		rc = backup_seal_read(path, &seal, fault);
	if (rc == 0)
		rc = fault_set(fault, FAULT_CORRUPT,
			"%s is no backup, or not a whole one: its seal is not "
			"there",
			path);
	if (rc < 0)
		return rc;
	reader->made_us = seal.made_us;
	name_generation(reader, &seal, path);
	return reader_connect(reader, SQL_COPY, 0, fault);
}

int reader_open_backup(
	struct reader **out, const char *path, struct fault *fault)
{
	*out = NULL;
	struct reader *reader = reader_new(fault);
	if (reader == NULL)
		return FAULT_OOM;
	int rc = open_backup(reader, path, fault);
	if (rc < 0)
		reader_close(reader);
	else
		*out = reader;
	return rc;
}

int reader_open_newest_backup(
	struct reader **out, const char *path, struct fault *fault)
{
	struct arena arena = ARENA_INIT;
	const struct backup_file *files;
	size_t count;
	char file[PATH_MAX];
	*out = NULL;
	int rc = backups_list(path, &arena, &files, &count, fault);
	for (size_t i = 0;
		rc == 0 && *out == NULL && i < count && files[i].sealed; i++)
		if (backups_path(file, path, files[i].name) &&
			reader_open_backup(out, file, fault) == FAULT_OOM)
			rc = FAULT_OOM; /* says nothing of the backup */
	arena_finish(&arena);
	return rc < 0 ? rc : *out == NULL;
}

int64_t reader_backup_made_us(const struct reader *reader)
{
	return reader->made_us;
}
