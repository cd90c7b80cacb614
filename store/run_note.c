#include "store/run_note.h"

#include "store/file_codes.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Lines of a fixed width, so that each is overwritten in place. */
#define RUN_LINE "run %020" PRId64 "\n"
#define ALONE_LINE "alone %010" PRIu32 " %020" PRId64 "\n"
#define RETRY_LINE "retry %010" PRIu32 " %020" PRId64 "\n"
#define RUN_BYTES 25
#define ALONE_BYTES 38
#define RETRY_BYTES 38
#define LINES_BYTES (RUN_BYTES + ALONE_BYTES + RETRY_BYTES)
#define LOGS_MAX 1000000 /* more would be no note of ours */

static int join(char out[PATH_MAX], const char *database, struct fault *fault)
{
	int length = snprintf(out, PATH_MAX, "%s" RUN_NOTE_SUFFIX, database);
	if (length < PATH_MAX)
		return 0;
	return fault_set(fault, FAULT_USAGE,
		"the path of the store is too long: %s", database);
}

/* All of it, in `arena`, ended by a NUL. 1: read. 0: it is no note. */
static int read_file(int fd, const char *path, struct arena *arena,
	struct slice *out, struct fault *fault)
{
	struct stat status;
	if (fstat(fd, &status) != 0)
		return file_fault(fault, errno, "can't look at", path);
	if (status.st_size < LINES_BYTES ||
		status.st_size > LINES_BYTES + LOGS_MAX)
		return 0;
	size_t size = (size_t)status.st_size;
	char *text = arena_take(arena, size + 1);
	if (text == NULL)
		return fault_set(
			fault, FAULT_OOM, "no memory to read %s", path);
	ssize_t length = pread(fd, text, size, 0);
	if (length < 0)
		return file_fault(fault, errno, "can't read", path);
	text[length] = '\0';
	*out = (struct slice){text, (size_t)length};
	return length >= LINES_BYTES;
}

static void understand(struct slice text, struct run_left *out)
{
	int lines = 0;
	out->found =
		sscanf(text.data,
			"run %20" SCNd64 "\nalone %10" SCNu32 " %20" SCNd64
			"\nretry %10" SCNu32 " %20" SCNd64 "\n%n",
			&out->epoch, &out->alone_log, &out->alone_offset,
			&out->retry_count, &out->retry_letter, &lines) == 5 &&
		text.data[RUN_BYTES - 1] == '\n' &&
		text.data[LINES_BYTES - 1] == '\n';
	out->fed = text.data + LINES_BYTES;
	out->fed_count = text.length - LINES_BYTES;
	if (!out->found)
		*out = (struct run_left){0};
}

int run_note_read(const char *database, struct arena *arena,
	struct run_left *out, struct fault *fault)
{
	char path[PATH_MAX];
	*out = (struct run_left){0};
	int rc = join(path, database, fault);
	if (rc < 0)
		return rc;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT
			       ? 0
			       : file_fault(fault, errno, "can't open", path);
	struct slice text = {0};
	rc = read_file(fd, path, arena, &text, fault);
	if (rc == 1 && text.data != NULL)
		understand(text, out);
	close(fd);
	return rc < 0 ? rc : 0;
}

static int write_at(struct run_note *note, const char *text, size_t length,
	off_t at, struct fault *fault)
{
	ssize_t written = pwrite(note->fd, text, length, at);
	if (written == (ssize_t)length)
		return 0;
	return file_fault(
		fault, written < 0 ? errno : ENOSPC, "can't write", note->path);
}

static int write_alone(struct run_note *note, uint32_t log, int64_t offset,
	struct fault *fault)
{
	char line[ALONE_BYTES + 1];
	int length = snprintf(line, sizeof line, ALONE_LINE, log, offset);
	assert(length == ALONE_BYTES); /* ids and offsets are not negative */
	return write_at(note, line, ALONE_BYTES, RUN_BYTES, fault);
}

static int write_retry(struct run_note *note, uint32_t count, int64_t letter,
	struct fault *fault)
{
	char line[RETRY_BYTES + 1];
	int length = snprintf(line, sizeof line, RETRY_LINE, count, letter);
	assert(length == RETRY_BYTES); /* row numbers are not negative */
	return write_at(
		note, line, RETRY_BYTES, RUN_BYTES + ALONE_BYTES, fault);
}

int run_note_begin(struct run_note *note, const char *database, int64_t epoch,
	struct fault *fault)
{
	char line[RUN_BYTES + 1];
	int length = snprintf(line, sizeof line, RUN_LINE, epoch);
	assert(length == RUN_BYTES);
	int rc = join(note->path, database, fault);
	if (rc < 0)
		return rc;
	note->epoch = epoch;
	/* A file of its own: who lost the store may still write into the one
	 * that was there. */
	if (unlink(note->path) != 0 && errno != ENOENT)
		return file_fault(fault, errno, "can't remove", note->path);
	note->fd = open(note->path,
		O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (note->fd < 0)
		return file_fault(fault, errno, "can't make", note->path);
	rc = write_at(note, line, RUN_BYTES, 0, fault);
	if (rc == 0)
		rc = write_alone(note, 0, 0, fault);
	return rc < 0 ? rc : write_retry(note, 0, 0, fault);
}

int run_note_feed(struct run_note *note, uint32_t log, struct fault *fault)
{
	static const char fed = RUN_FED;
	assert(log >= 1);
	return log > LOGS_MAX ? 0
			      : write_at(note, &fed, 1,
					(off_t)(LINES_BYTES + log - 1), fault);
}

int run_note_alone(struct run_note *note, uint32_t log, int64_t offset,
	struct fault *fault)
{
	note->alone = true;
	return write_alone(note, log, offset, fault);
}

int run_note_retry(struct run_note *note, uint32_t count, int64_t letter,
	struct fault *fault)
{
	if (count == 0 && !note->retry)
		return 0;
	note->retry = count > 0;
	return write_retry(note, count, letter, fault);
}

int run_note_withdraw(struct run_note *note, struct fault *fault)
{
	if (!note->alone)
		return 0;
	note->alone = false;
	return write_alone(note, 0, 0, fault);
}

/* By its name: another owner may have put another file there. */
static bool is_mine(const struct run_note *note)
{
	char line[RUN_BYTES + 1], held[RUN_BYTES + 1] = {0};
	int length = snprintf(line, sizeof line, RUN_LINE, note->epoch);
	int fd = open(note->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	bool mine = fd >= 0 && length == RUN_BYTES &&
		    pread(fd, held, RUN_BYTES, 0) == RUN_BYTES &&
		    memcmp(line, held, RUN_BYTES) == 0;
	if (fd >= 0)
		close(fd);
	return mine;
}

void run_note_end(struct run_note *note)
{
	if (note->fd < 0)
		return;
	if (is_mine(note))
		(void)unlink(note->path);
	close(note->fd);
	note->fd = -1;
}
