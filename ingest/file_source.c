#include "ingest/file_source.h"

#include "schema/checksum.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define READ_BYTES (1 << 20)
#define IDLE_US 1000000 /* how often an idle end is reported again */

enum file_phase {
	FILE_NEW,	/* not yet announced */
	FILE_ANNOUNCED, /* waits for source_start(), or has stopped */
	FILE_READING,
	FILE_CHANGED /* stops with the next poll */
};

struct file_source {
	struct source source;
	int fd;
	char *path, *topic;
	struct clock *clock;
	bool until_end;
	int64_t end_offset; /* until_end: size at the start, whole lines */
	enum file_phase phase;
	bool paused;

	const struct log *log;
	int64_t offset;	 /* of the next line */
	char *bytes;	 /* bytes[0..held): read, from `offset` on */
	size_t at, held; /* the next line starts at bytes[at] */
	size_t capacity;
	size_t scanned;	     /* bytes[at..at+scanned) hold no newline */
	int64_t reported_us; /* when the end was last reported */
	bool at_end;
	struct fault change; /* FILE_CHANGED: what is wrong */
};

static int io_fault(
	const struct file_source *file, const char *what, struct fault *fault)
{
	return fault_set(fault, FAULT_IO, "%s: can't %s: %s", file->path, what,
		strerror(errno));
}

/* Make room behind what is held, then read. >0: bytes; 0: the end. */
static int64_t fill(struct file_source *file, struct fault *fault)
{
	if (file->at > 0) {
		memmove(file->bytes, file->bytes + file->at,
			file->held - file->at);
		file->held -= file->at;
		file->at = 0;
	}
	if (file->capacity - file->held < READ_BYTES / 2) {
		size_t capacity = file->capacity * 2 + READ_BYTES;
		char *larger = realloc(file->bytes, capacity);
		if (larger == NULL)
			return fault_set(fault, FAULT_OOM,
				"%s: no memory for a line of %zu bytes",
				file->path, file->held);
		file->bytes = larger;
		file->capacity = capacity;
	}
	int64_t position = file->offset + (int64_t)file->held;
	ssize_t length;
	do {
		length = pread(file->fd, file->bytes + file->held,
			file->capacity - file->held, position);
	} while (length < 0 && errno == EINTR);
	if (length < 0)
		return io_fault(file, "read", fault);
	file->held += (size_t)length;
	return length;
}

/* Length of the next line with its newline. 0: none yet. <0: a fault. */
static int64_t next_line(struct file_source *file, struct fault *fault)
{
	for (;;) {
		const char *start = file->bytes + file->at;
		size_t length = file->held - file->at;
		const char *newline =
			length == file->scanned
				? NULL
				: memchr(start + file->scanned, '\n',
					  length - file->scanned);
		if (newline != NULL)
			return newline - start + 1;
		file->scanned = length;
		int64_t more = fill(file, fault);
		if (more <= 0)
			return more;
	}
}

static int64_t wall_us(const struct file_source *file)
{
	return file->clock->wall_us(file->clock);
}

/* 1: shorter than what was read of it, so that what is appended is not what
 * follows. */
static int is_cut_off(struct file_source *file, struct fault *fault)
{
	struct stat status;
	if (fstat(file->fd, &status) != 0)
		return io_fault(file, "look at", fault);
	return status.st_size < file->offset + (int64_t)(file->held - file->at);
}

static int stop_cut_off(struct file_source *file, struct source_event *event)
{
	file->phase = FILE_ANNOUNCED;
	event->log = file->log;
	fault_set(&event->fault, FAULT_LOG,
		"log_changed: %s (topic %s) was cut off before byte %" PRId64
		", up to which it was read: give the file back as it was, or "
		"take the new one under a topic of its own",
		file->path, file->topic, file->offset);
	return SOURCE_STOPPED;
}

static int report_end(struct file_source *file, struct source_event *event,
	struct fault *fault)
{
	int64_t now_us = wall_us(file);
	int rc = is_cut_off(file, fault);
	if (rc != 0)
		return rc < 0 ? rc : stop_cut_off(file, event);
	if (file->at_end && now_us - file->reported_us < IDLE_US)
		return SOURCE_IDLE;
	file->at_end = true;
	file->reported_us = now_us;
	event->log = file->log;
	event->next_offset = file->offset;
	event->as_of_us = now_us;
	return SOURCE_END;
}

static bool is_empty_line(const char *line, int64_t length)
{
	return length == 1 || (length == 2 && line[0] == '\r');
}

/* The next line that is not empty, as a record. */
static int poll_line(struct file_source *file, struct source_event *event,
	struct fault *fault)
{
	for (;;) {
		int64_t length = next_line(file, fault);
		if (length < 0)
			return (int)length;
		if (length == 0)
			return report_end(file, event, fault);
		const char *line = file->bytes + file->at;
		event->record = (struct record){
			.form = RECORD_LINE,
			.log = file->log,
			.offset = file->offset,
			.next_offset = file->offset + length,
			.timestamp_us = TIMESTAMP_NONE,
			.value = {line, (size_t)length - 1},
		};
		file->at += (size_t)length;
		file->offset += length;
		file->scanned = 0;
		file->at_end = false;
		if (!is_empty_line(line, length))
			return SOURCE_RECORD;
	}
}

/* `until_end`, and all that was there at the start came. Whoever goes on
 * writing must not keep us: what came since is left, and is no end. */
static int poll_behind_end(struct file_source *file, struct source_event *event,
	struct fault *fault)
{
	int64_t length = file->at_end ? 1 : next_line(file, fault);
	if (length < 0)
		return (int)length;
	return length == 0 ? report_end(file, event, fault) : (int)SOURCE_DONE;
}

static int announce(struct file_source *file, struct source_event *event)
{
	file->phase = FILE_ANNOUNCED;
	event->topic = file->topic;
	event->partition = 0;
	event->log_start = 0;
	event->next_offset = -1;
	event->cluster_id = "";
	return SOURCE_PARTITION;
}

static void sleep_ms(uint32_t ms)
{
	struct timespec span = {ms / 1000, (long)(ms % 1000) * 1000000};
	(void)nanosleep(&span, NULL);
}

static int file_poll(struct source *source, struct source_event *event,
	uint32_t timeout_ms, struct fault *fault)
{
	struct file_source *file = (struct file_source *)source;
	*event = (struct source_event){0};
	if (file->phase == FILE_NEW)
		return announce(file, event);
	if (file->phase == FILE_CHANGED) {
		file->phase = FILE_ANNOUNCED;
		event->log = file->log;
		event->fault = file->change;
		return SOURCE_STOPPED;
	}
	int outcome = SOURCE_IDLE;
	if (file->until_end && file->paused)
		outcome = SOURCE_DONE; /* with all that it may bring */
	else if (file->phase != FILE_READING || file->paused)
		;
	else if (file->until_end && file->offset >= file->end_offset)
		outcome = poll_behind_end(file, event, fault);
	else
		outcome = poll_line(file, event, fault);
	if (outcome == SOURCE_IDLE)
		sleep_ms(timeout_ms);
	return outcome;
}

/* 1: the line of `step` is still there. 0: another one, or none. */
static int has_line(struct file_source *file, const struct footprint *step,
	struct fault *fault)
{
	size_t length = (size_t)(step->next_offset - step->offset);
	char *line = malloc(length);
	if (line == NULL)
		return fault_set(fault, FAULT_OOM,
			"%s: no memory for a line of %zu bytes", file->path,
			length);
	ssize_t got = pread(file->fd, line, length, step->offset);
	int rc = got < 0 ? io_fault(file, "read", fault) : 0;
	if (got == (ssize_t)length && line[length - 1] == '\n')
		rc = checksum_record((struct slice){NULL, 0},
			     (struct slice){line, length - 1}) ==
		     step->checksum;
	free(line);
	return rc;
}

/* Is this the file the trail was taken from? If not, it stops. */
static int check_identity(struct file_source *file,
	const struct source_position *position, struct fault *fault)
{
	for (size_t i = 0; i < position->trail->count; i++) {
		const struct footprint *step = &position->trail->steps[i];
		int rc = has_line(file, step, fault);
		if (rc < 0)
			return rc;
		if (rc == 1)
			continue;
		file->phase = FILE_CHANGED;
		fault_set(&file->change, FAULT_LOG,
			"log_changed: %s (topic %s) has another line at byte "
			"%" PRId64 " than the one that was taken: give the "
			"file back as it was, take the new one under a topic "
			"of its own, or here from its start: holdfast resume "
			"%s:0 --new-log",
			file->path, file->topic, step->offset, file->topic);
		return 0;
	}
	return 0;
}

/* Who reads a range may begin within a line, which is no record. */
static int pass_broken_line(struct file_source *file, struct fault *fault)
{
	char bytes[4096];
	int64_t at = file->offset - 1; /* the newline before, if it is one */
	if (at < 0)
		return 0;
	for (;;) {
		ssize_t got = pread(file->fd, bytes, sizeof bytes, at);
		if (got < 0)
			return io_fault(file, "read", fault);
		if (got == 0)
			return 0; /* it goes on when there is more */
		const char *end = memchr(bytes, '\n', (size_t)got);
		if (end != NULL) {
			file->offset = at + (end - bytes) + 1;
			return 0;
		}
		at += got;
	}
}

static int file_start(struct source *source,
	const struct source_position *position, struct fault *fault)
{
	struct file_source *file = (struct file_source *)source;
	assert(file->phase != FILE_NEW);
	file->at = file->held = file->scanned = 0; /* of an earlier start */
	file->log = position->log;
	file->offset = position->next_offset;
	file->phase = FILE_READING;
	int rc = pass_broken_line(file, fault);
	return rc < 0 ? rc : check_identity(file, position, fault);
}

static int file_pause(struct source *source, const struct log *log, bool pause,
	struct fault *fault)
{
	struct file_source *file = (struct file_source *)source;
	(void)log;
	(void)fault;
	file->paused = pause;
	return 0;
}

/* Nobody but the store keeps a file's offsets. */
static void file_commit(
	struct source *source, const struct log *log, int64_t next_offset)
{
	(void)source;
	(void)log;
	(void)next_offset;
}

static void file_close(struct source *source)
{
	struct file_source *file = (struct file_source *)source;
	if (file->fd >= 0)
		close(file->fd);
	free(file->path);
	free(file->topic);
	free(file->bytes);
	free(file);
}

static const struct source_ops file_ops = {
	file_poll, file_start, file_pause, file_commit, file_close};

/* Behind the last newline: what is not a whole line is not there yet. */
static int find_end(struct file_source *file, struct fault *fault)
{
	struct stat status;
	if (fstat(file->fd, &status) != 0)
		return io_fault(file, "look at", fault);
	if (!S_ISREG(status.st_mode))
		return fault_set(fault, FAULT_USAGE,
			"%s is no regular file: its lines could not be found "
			"again by their byte",
			file->path);
	char chunk[4096];
	int64_t end = status.st_size;
	while (end > 0) {
		int64_t start = end > (int64_t)sizeof chunk
					? end - (int64_t)sizeof chunk
					: 0;
		ssize_t length =
			pread(file->fd, chunk, (size_t)(end - start), start);
		if (length != end - start)
			return io_fault(file, "read", fault);
		const char *newline = memrchr(chunk, '\n', (size_t)length);
		if (newline != NULL) {
			file->end_offset = start + (newline - chunk) + 1;
			return 0;
		}
		end = start;
	}
	file->end_offset = 0;
	return 0;
}

static int open_file(struct file_source *file, struct fault *fault)
{
	if (file->path == NULL || file->topic == NULL)
		return fault_set(fault, FAULT_OOM, "no memory for a source");
	file->fd = open(file->path, O_RDONLY | O_CLOEXEC);
	if (file->fd < 0)
		return fault_set(fault, FAULT_USAGE, "can't open %s: %s",
			file->path, strerror(errno));
	return find_end(file, fault);
}

int file_source_open(struct source **out,
	const struct file_source_options *options, struct fault *fault)
{
	*out = NULL;
	struct file_source *file = calloc(1, sizeof *file);
	if (file == NULL)
		return fault_set(fault, FAULT_OOM, "no memory for a source");
	file->source.ops = &file_ops;
	file->fd = -1;
	file->path = strdup(options->path);
	file->topic = strdup(options->topic);
	file->clock = options->clock;
	file->until_end = options->until_end;
	int rc = open_file(file, fault);
	if (rc < 0)
		file_close(&file->source);
	else
		*out = &file->source;
	return rc;
}
