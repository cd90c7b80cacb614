#include "store/damage.h"

#include "schema/record.h"
#include "schema/rfc3339.h"
#include "store/file_codes.h"
#include "store/layout.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEW_SUFFIX DAMAGE_SUFFIX ".new"
#define LOOKUPS_ALL " all"
#define LOOKUPS_NONE " none"
/* "found", "lookups" and "wrong", each with what follows it */
#define NOTE_BYTES                                                             \
	(DAMAGE_BY_BYTES + DAMAGE_VIEWS_BYTES + DAMAGE_TEXT_BYTES + 128)

void damage_add(struct damage *damage, const char *text)
{
	if (!damage->found)
		(void)snprintf(damage->text, sizeof damage->text, "%s", text);
	damage->found = true;
}

/* " card " in " card route " */
static bool has_view(const char *views, const char *view)
{
	size_t length = strlen(view);
	for (const char *at = views; (at = strstr(at, view)) != NULL; at++)
		if (at > views && at[-1] == ' ' && at[length] == ' ')
			return true;
	return false;
}

void damage_add_view(struct damage *damage, const char *view)
{
	size_t length = strlen(damage->views);
	size_t room = sizeof damage->views - length;
	if (has_view(damage->views, view))
		return;
	int added = snprintf(damage->views + length, room, "%s%s ",
		length == 0 ? " " : "", view);
	if ((size_t)added < room)
		return;
	damage->views[length] = '\0';
	damage->all = true;
}

bool damage_concerns(const struct damage *damage, const char *view)
{
	return damage->found && (damage->all || has_view(damage->views, view));
}

bool damage_concerns_lookups(const struct damage *damage)
{
	return damage->found && (damage->all || damage->views[0] != '\0');
}

static int join(char out[PATH_MAX], const char *database, const char *suffix,
	struct fault *fault)
{
	int length = snprintf(out, PATH_MAX, "%s%s", database, suffix);
	if (length < PATH_MAX)
		return 0;
	return fault_set(fault, FAULT_USAGE,
		"the path of the store is too long: %s", database);
}

/* What follows `word` in a line of its own, NUL at its end; NULL: there is no
 * such line at *text, which moves on behind it. */
static char *take_line(char **text, const char *word)
{
	char *line = *text;
	size_t length = strlen(word);
	char *end = strchr(line, '\n');
	if (end == NULL || strncmp(line, word, length) != 0)
		return NULL;
	*end = '\0';
	*text = end + 1;
	return line + length;
}

static void keep(char *out, size_t size, const char *text)
{
	(void)snprintf(out, size, "%s", text);
}

/* "2026-11-23T19:00:03.884059Z by verify" */
static bool understand_found(struct damage *out, char *found)
{
	char *by = strstr(found, " by ");
	if (by == NULL)
		return false;
	*by = '\0';
	keep(out->by, sizeof out->by, by + strlen(" by "));
	return rfc3339_parse(slice_of(found), &out->at_us);
}

static bool understand(struct damage *out, char *text)
{
	char *found = take_line(&text, "found ");
	char *lookups = found == NULL ? NULL : take_line(&text, "lookups");
	char *wrong = lookups == NULL ? NULL : take_line(&text, "wrong: ");
	if (wrong == NULL || !understand_found(out, found))
		return false;
	out->all = strcmp(lookups, LOOKUPS_ALL) == 0;
	if (!out->all && strcmp(lookups, LOOKUPS_NONE) != 0)
		keep(out->views, sizeof out->views, lookups);
	keep(out->text, sizeof out->text, wrong);
	return true;
}

static bool read_note(const char *path, struct damage *out)
{
	char text[NOTE_BYTES + 1];
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, text, NOTE_BYTES);
	if (fd >= 0)
		close(fd);
	if (length < 0)
		return false;
	text[length] = '\0';
	return understand(out, text);
}

void damage_read(const char *database, struct damage *out)
{
	char path[PATH_MAX];
	struct stat status;
	*out = (struct damage){.at_us = TIMESTAMP_NONE};
	if (join(path, database, DAMAGE_SUFFIX, NULL) < 0)
		return; /* then none was ever made */
	/* No descriptor is needed to see that there is none. */
	if (lstat(path, &status) != 0 && (errno == ENOENT || errno == ENOTDIR))
		return;
	if (!read_note(path, out))
		*out = (struct damage){.all = true,
			.at_us = TIMESTAMP_NONE,
			.by = "somebody",
			.text = "the note of it can't be read"};
	out->found = true;
}

static int sync_directory(const char *path, struct fault *fault)
{
	char directory[PATH_MAX];
	keep(directory, sizeof directory, path);
	char *slash = strrchr(directory, '/');
	assert(slash != NULL); /* DIR/generations/g1.db */
	*slash = '\0';
	return layout_sync_directory(directory, fault);
}

static void print_note(const struct damage *damage, char out[NOTE_BYTES])
{
	char at[RFC3339_SIZE];
	const char *lookups = damage->all		 ? LOOKUPS_ALL
			      : damage->views[0] == '\0' ? LOOKUPS_NONE
							 : damage->views;
	char text[DAMAGE_TEXT_BYTES];
	keep(text, sizeof text, damage->text);
	for (char *at_end; (at_end = strchr(text, '\n')) != NULL;)
		*at_end = ' ';
	(void)snprintf(out, NOTE_BYTES,
		"found %s by %s\nlookups%s\nwrong: %s\n",
		rfc3339_print(damage->at_us, at), damage->by, lookups, text);
}

static int write_file(
	const char *path, const char *text, size_t length, struct fault *fault)
{
	int fd = open(path,
		O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (fd < 0)
		return file_fault(fault, errno, "can't make", path);
	ssize_t written = write(fd, text, length);
	int rc = 0;
	if (written != (ssize_t)length)
		rc = file_fault(fault, written < 0 ? errno : ENOSPC,
			"can't write", path);
	else if (fsync(fd) != 0)
		rc = file_fault(fault, errno, "can't sync", path);
	close(fd);
	return rc;
}

/* What is remembered already is not forgotten by a look that found less. */
static void merge(struct damage *into, struct damage *before)
{
	into->all |= before->found && before->all;
	char *rest = NULL;
	for (char *view = strtok_r(before->views, " ", &rest); view != NULL;
		view = strtok_r(NULL, " ", &rest))
		damage_add_view(into, view);
}

int damage_write(
	const char *database, const struct damage *damage, struct fault *fault)
{
	char path[PATH_MAX], draft[PATH_MAX], text[NOTE_BYTES];
	struct damage all = *damage, before;
	damage_read(database, &before);
	merge(&all, &before);
	print_note(&all, text);
	int rc = join(path, database, DAMAGE_SUFFIX, fault);
	if (rc == 0)
		rc = join(draft, database, NEW_SUFFIX, fault);
	if (rc < 0)
		return rc;
	rc = write_file(draft, text, strnlen(text, sizeof text), fault);
	if (rc == 0 && rename(draft, path) != 0)
		rc = file_fault(fault, errno, "can't rename to", path);
	return rc < 0 ? rc : sync_directory(path, fault);
}

int damage_forget(const char *database, struct fault *fault)
{
	char path[PATH_MAX];
	int rc = join(path, database, DAMAGE_SUFFIX, fault);
	if (rc < 0)
		return rc;
	if (unlink(path) != 0 && errno != ENOENT)
		return file_fault(fault, errno, "can't remove", path);
	return sync_directory(path, fault);
}

int damage_fault(
	const struct damage *damage, const char *what, struct fault *fault)
{
	char at[RFC3339_SIZE] = "an unknown time";
	if (damage->at_us != TIMESTAMP_NONE)
		rfc3339_print(damage->at_us, at);
	return fault_set(fault, FAULT_CORRUPT,
		"%s is damaged, as %s found at %s: %s: `holdfast restore "
		"BACKUP` or `holdfast rebuild` replaces it, `holdfast verify` "
		"looks again",
		what, damage->by, at, damage->text);
}
