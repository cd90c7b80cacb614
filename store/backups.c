#include "store/backups.h"

#include "store/file_codes.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SUFFIX ".db"
#define UNFINISHED ".db.part"
#define NAME_CHARACTERS                                                        \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

bool backup_name_is_good(const char *name)
{
	size_t length = strlen(name);
	return length >= 1 && length <= BACKUP_NAME_MAX && name[0] != '.' &&
	       strspn(name, NAME_CHARACTERS) == length;
}

void backup_name_of_time(int64_t at_us, char out[BACKUP_NAME_MAX + 1])
{
	time_t second = (time_t)(at_us / 1000000);
	struct tm utc;
	/* Years of microseconds in an int64_t have six digits at most. */
	bool fits = gmtime_r(&second, &utc) != NULL &&
		    strftime(out, BACKUP_NAME_MAX, "%Y%m%dT%H%M%SZ", &utc) > 0;
	assert(fits);
}

/* As backup_name_of_time() gives them. */
static bool is_of_time(const char *name)
{
	static const char form[] = "00000000T000000Z";
	for (size_t i = 0; i < sizeof form; i++)
		if (form[i] == '0' ? name[i] < '0' || name[i] > '9'
				   : name[i] != form[i])
			return false;
	return true;
}

bool backups_path(char out[PATH_MAX], const char *directory, const char *name)
{
	int length = name == NULL
			     ? snprintf(out, PATH_MAX, "%s/backups", directory)
			     : snprintf(out, PATH_MAX, "%s/backups/%s" SUFFIX,
				       directory, name);
	return length < PATH_MAX;
}

/* "NAME.db": the name. */
static bool parse_name(const char *file, char out[BACKUP_NAME_MAX + 1])
{
	size_t length = strlen(file), suffix = strlen(SUFFIX);
	if (length <= suffix || length > BACKUP_NAME_MAX + suffix ||
		strcmp(file + length - suffix, SUFFIX) != 0)
		return false;
	memcpy(out, file, length - suffix);
	out[length - suffix] = '\0';
	return backup_name_is_good(out);
}

static DIR *open_folder(const char *directory, struct fault *fault, int *rc)
{
	char path[PATH_MAX];
	DIR *folder = NULL;
	*rc = 0;
	errno = ENAMETOOLONG;
	if (backups_path(path, directory, NULL))
		folder = opendir(path);
	if (folder == NULL && errno != ENOENT)
		*rc = file_fault(fault, errno, "can't open directory", path);
	return folder;
}

/* False: it went away meanwhile, or is none. */
static bool look_at(
	const char *directory, const char *file, struct backup_file *out)
{
	char path[PATH_MAX];
	struct stat status;
	*out = (struct backup_file){0};
	if (!parse_name(file, out->name) ||
		!backups_path(path, directory, out->name) ||
		stat(path, &status) != 0 || !S_ISREG(status.st_mode))
		return false;
	out->bytes = (int64_t)status.st_size;
	out->sealed = backup_seal_read(path, &out->seal, NULL) == 1;
	if (!out->sealed)
		out->seal = (struct backup_seal){0};
	return true;
}

static int by_age(const void *a, const void *b)
{
	const struct backup_file *one = a, *other = b;
	if (one->sealed != other->sealed)
		return one->sealed ? -1 : 1;
	if (one->seal.made_us != other->seal.made_us)
		return one->seal.made_us > other->seal.made_us ? -1 : 1;
	return strcmp(one->name, other->name);
}

/* Into *out, which grows and is the caller's to free. */
static int read_folder(DIR *folder, const char *directory,
	struct backup_file **out, size_t *count, struct fault *fault)
{
	size_t room = 0;
	const struct dirent *entry;
	while ((entry = readdir(folder)) != NULL) {
		struct backup_file found;
		if (!look_at(directory, entry->d_name, &found))
			continue;
		if (*count == room) {
			room = room == 0 ? 16 : room * 2;
			struct backup_file *larger =
				realloc(*out, room * sizeof *larger);
			if (larger == NULL)
				return fault_set(fault, FAULT_OOM,
					"no memory to list backups");
			*out = larger;
		}
		(*out)[(*count)++] = found;
	}
	return 0;
}

static int keep_sorted(struct backup_file *files, size_t count,
	struct arena *arena, const struct backup_file **out,
	struct fault *fault)
{
	qsort(files, count, sizeof *files, by_age);
	struct backup_file *kept = arena_take(arena, count * sizeof *kept);
	if (kept == NULL)
		return fault_set(fault, FAULT_OOM, "no memory to list backups");
	memcpy(kept, files, count * sizeof *kept);
	*out = kept;
	return 0;
}

int backups_list(const char *directory, struct arena *arena,
	const struct backup_file **out, size_t *count, struct fault *fault)
{
	int rc;
	size_t found = 0;
	struct backup_file *files = NULL;
	*out = NULL;
	*count = 0;
	DIR *folder = open_folder(directory, fault, &rc);
	if (folder == NULL)
		return rc;
	rc = read_folder(folder, directory, &files, &found, fault);
	closedir(folder);
	if (rc == 0 && found > 0)
		rc = keep_sorted(files, found, arena, out, fault);
	free(files);
	if (*out != NULL)
		*count = found;
	return rc;
}

/* With the files that SQLite keeps beside it. */
static bool is_unfinished(const char *file)
{
	static const char *const ends[] = {UNFINISHED, UNFINISHED "-journal",
		UNFINISHED "-wal", UNFINISHED "-shm"};
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		size_t length = strlen(file), end = strlen(ends[i]);
		if (length > end && strcmp(file + length - end, ends[i]) == 0)
			return true;
	}
	return false;
}

void backups_clear_unfinished(const char *directory)
{
	int rc;
	DIR *folder = open_folder(directory, NULL, &rc);
	const struct dirent *entry;
	while (folder != NULL && (entry = readdir(folder)) != NULL)
		if (is_unfinished(entry->d_name))
			(void)unlinkat(dirfd(folder), entry->d_name, 0);
	if (folder != NULL)
		closedir(folder);
}

static void drop(const char *directory, const char *name)
{
	char path[PATH_MAX];
	if (backups_path(path, directory, name))
		(void)unlink(path);
}

void backups_prune(const char *directory, size_t keep, int64_t made_us)
{
	struct arena arena = ARENA_INIT;
	const struct backup_file *files;
	size_t count, seen = 0;
	(void)backups_list(directory, &arena, &files, &count, NULL);
	for (int later = 0; files != NULL && later <= 1; later++)
		for (size_t i = 0; i < count && files[i].sealed; i++)
			if ((files[i].seal.made_us > made_us) == (later == 1) &&
				is_of_time(files[i].name) && ++seen > keep)
				drop(directory, files[i].name);
	arena_finish(&arena);
}
