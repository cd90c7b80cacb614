/* holdfast load: base data out of a file, by the store's owner, some thousand
 * lines at a time. */
#include "ingest/command/load.h"

#include "ingest/command/command.h"
#include "ingest/command/control_client.h"
#include "ingest/command/load_rows.h"
#include "ingest/command/reading.h"
#include "ingest/command/say.h"
#include "schema/load.h"
#include "schema/rfc3339.h"
#include "store/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of a request's bytes, what its lines may take; the rest is for names. */
#define PIECE_BYTES ((size_t)CONTROL_LINE_BYTES - 16 * 1024)
#define LINE_OWN_BYTES 64 /* its offsets and brackets */
/* A shorter row fits a piece whatever its bytes become, seven each at most. */
#define ROW_FITS_BYTES (PIECE_BYTES / 8)

struct load_options {
	char *event_time, *because, *format;
};

struct load {
	struct options options;
	struct load_options own;
	struct config config;
	struct arena arena; /* the reader's answers */
	struct reader *reader;
	struct control_session *session;
	struct load_rows rows;
	int file;
	struct stat status; /* its, as it began */
	char topic[LOAD_TOPIC_SIZE];
	int64_t next_offset; /* what is loaded already */
	json_t *lines;	     /* of the piece being made */
	size_t bytes;
};

static const char *path_of(const struct load *load)
{
	return load->options.arguments[1];
}

/* The file is read as it is needed, and must stay what it is meanwhile: pages
 * behind its end would be SIGBUS. */
static int map_file(struct load *load, struct fault *fault)
{
	const struct stat *status = &load->status;
	load->file = open(path_of(load), O_RDONLY | O_CLOEXEC);
	int rc = load->file < 0 ? -1 : fstat(load->file, &load->status);
	void *bytes = MAP_FAILED;
	if (rc == 0 && status->st_size > 0)
		bytes = mmap(NULL, (size_t)status->st_size, PROT_READ,
			MAP_PRIVATE, load->file, 0);
	int error = errno;
	if (rc == 0 && status->st_size == 0)
		return fault_set(
			fault, FAULT_USAGE, "%s is empty", path_of(load));
	if (bytes == MAP_FAILED)
		return fault_set(fault, FAULT_USAGE, "%s can't be read: %s",
			path_of(load), strerror(error));
	load->rows.content = (struct slice){bytes, (size_t)status->st_size};
	return 0;
}

static void unmap_file(struct load *load)
{
	char *bytes;
	memcpy(&bytes, &load->rows.content.data, sizeof bytes);
	if (bytes != NULL)
		munmap(bytes, load->rows.content.length);
}

/* Its identity is what it was: rows of anything else are none of it. What was
 * read by now is what it was then, if nobody wrote to it since. */
static int check_file(const struct load *load, struct fault *fault)
{
	const struct stat *then = &load->status;
	struct stat now;
	if (fstat(load->file, &now) == 0 && now.st_size == then->st_size &&
		now.st_mtim.tv_sec == then->st_mtim.tv_sec &&
		now.st_mtim.tv_nsec == then->st_mtim.tv_nsec)
		return 0;
	return fault_set(fault, FAULT_REFUSED,
		"%s was changed while it was loaded: %" PRId64
		" bytes of what it was are loaded, as %s, and loading that "
		"again goes on there; as it is now it is another file, whose "
		"sums would count again",
		path_of(load), load->next_offset, load->topic);
}

static void end_at_once(int number)
{
	static const char text[] =
		"holdfast: error: the file ended, or could not be read, while "
		"it was loaded: what was loaded of it by then stays\n";
	(void)number;
	ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
	_exit(written < 0 ? STATUS_USAGE : STATUS_FAILED);
}

/* Whoever cuts the file off, or a disk that can't read it, ends this with a
 * word; the owner has whole pieces. */
static void await_cut(void)
{
	struct sigaction action = {.sa_handler = end_at_once};
	sigemptyset(&action.sa_mask);
	(void)sigaction(SIGBUS, &action, NULL);
}

static int read_format(struct load *load, struct fault *fault)
{
	const char *dot = strrchr(path_of(load), '.');
	const char *format = load->own.format;
	if (format == NULL)
		format = dot != NULL && strcmp(dot, ".csv") == 0 ? "csv"
								 : "ndjson";
	load->rows.csv = strcmp(format, "csv") == 0;
	if (!load->rows.csv && strcmp(format, "ndjson") != 0)
		return fault_set(fault, FAULT_USAGE,
			"--format is csv or ndjson, not %s", format);
	int64_t us;
	load->rows.event_time = load->own.event_time;
	if (load->own.event_time != NULL &&
		!rfc3339_parse(slice_of(load->own.event_time), &us))
		return fault_set(fault, FAULT_USAGE,
			"--event-time is an RFC 3339 time, as "
			"2026-11-23T08:20:48Z");
	return 0;
}

static int find_view(struct load *load, struct fault *fault)
{
	const struct schema *schema = reader_schema(load->reader);
	const char *name = load->options.arguments[0];
	load->rows.view = schema_view(schema, slice_of(name));
	return load->rows.view != NULL
		       ? 0
		       : fault_set(fault, FAULT_USAGE,
				 "there is no view %s: `holdfast status` lists "
				 "them",
				 name);
}

/* What the store has of this load; NULL: nothing. */
static int find_loaded(struct load *load, const struct store_partition **out,
	struct fault *fault)
{
	struct reader_status status = {0};
	*out = NULL;
	arena_reset(&load->arena);
	int rc = reader_status(load->reader, &load->arena, &status, fault);
	for (size_t i = 0; rc == 0 && i < status.partition_count; i++)
		if (strcmp(status.partitions[i].log.topic, load->topic) == 0)
			*out = &status.partitions[i];
	return rc;
}

/* As JSON has it within a string. */
static size_t cost_of(const struct load_row *row)
{
	size_t cost = row->length + LINE_OWN_BYTES;
	for (size_t i = 0; i < row->length; i++) {
		unsigned char byte = (unsigned char)row->value[i];
		cost += byte == '"' || byte == '\\';
		cost += byte < 0x20 ? 5 : 0;
	}
	return cost;
}

/* 1: the load stands somewhere else, and goes on there: what was made of it is
 * void. */
static int send_piece(struct load *load, int64_t end, struct fault *fault)
{
	char target[512];
	json_t *reply = NULL;
	int rc = check_file(load, fault);
	if (rc < 0)
		return rc;
	(void)snprintf(target, sizeof target, "%s %.300s as %s",
		load->rows.view->name, path_of(load), load->topic);
	json_t *arguments = json_pack("{s:s, s:I, s:I, s:O, s:s*, s:s*}",
		"topic", load->topic, "from", (json_int_t)load->next_offset,
		"end", (json_int_t)end, "lines", load->lines, "target", target,
		"because", load->own.because);
	if (arguments == NULL)
		return fault_set(fault, FAULT_USAGE,
			"out of memory, or the file's name or --because is no "
			"UTF-8 text");
	rc = control_session_ask(
		load->session, "load", arguments, &reply, fault);
	if (rc == 0)
		load->next_offset = json_integer_value(
			json_object_get(reply, "next_offset"));
	json_decref(arguments);
	json_decref(reply);
	json_array_clear(load->lines);
	load->bytes = 0;
	load->rows.at = rc == 0 && load->next_offset != end
				? (size_t)load->next_offset
				: load->rows.at;
	return rc < 0 ? rc : load->next_offset != end;
}

static int too_long(const struct load *load, const struct load_row *row,
	struct fault *fault)
{
	return fault_set(fault, FAULT_USAGE,
		"%s: the row at byte %zu has %zu bytes, more than a request "
		"to the store's owner holds: leave it out, or split it; "
		"nothing was loaded",
		path_of(load), row->offset, row->length);
}

static int put_row(
	struct load *load, const struct load_row *row, struct fault *fault)
{
	json_t *text = json_stringn(row->value, row->length);
	/* What is no UTF-8 becomes a dead letter. */
	if (text == NULL)
		text = json_string("(no UTF-8 text)");
	int rc = json_array_append_new(
		load->lines, json_pack("[I, I, O]", (json_int_t)row->offset,
				     (json_int_t)row->next_offset, text));
	json_decref(text);
	return rc == 0 ? 0 : fault_set(fault, FAULT_OOM, "no memory for a row");
}

/* Before the first row is taken: without that one it is another file. */
static int check_lengths(const struct load *load, struct fault *fault)
{
	struct load_rows look = load->rows;
	struct load_row row;
	int rc;
	while ((rc = load_rows_next_long(&look, ROW_FITS_BYTES, &row, fault)) ==
		1) {
		size_t cost = cost_of(&row);
		free(row.value);
		if (cost > PIECE_BYTES)
			return too_long(load, &row, fault);
	}
	return rc;
}

/* Takes the row's value. Where a piece went elsewhere, the row comes again. */
static int add_row(struct load *load, struct load_row *row, struct fault *fault)
{
	size_t cost = cost_of(row);
	int rc = 0;
	if (load->bytes + cost > PIECE_BYTES ||
		json_array_size(load->lines) == LOAD_AT_ONCE)
		rc = send_piece(load, (int64_t)row->offset, fault);
	if (rc == 0)
		rc = put_row(load, row, fault);
	if (rc == 0)
		load->bytes += cost;
	free(row->value);
	return rc;
}

/* Every row from where the load stands to the end of the file, and the end. */
static int send_rest(struct load *load, struct fault *fault)
{
	struct load_row row;
	int rc;
	while ((rc = load_rows_next(&load->rows, &row, fault)) == 1) {
		rc = add_row(load, &row, fault);
		if (rc < 0)
			return rc;
	}
	return rc < 0 ? rc
		      : send_piece(load, (int64_t)load->rows.content.length,
				fault);
}

static int send_all(struct load *load, struct fault *fault)
{
	int rc = 1;
	if ((size_t)load->next_offset > load->rows.at)
		load->rows.at = (size_t)load->next_offset;
	while (rc == 1 && (size_t)load->next_offset < load->rows.content.length)
		rc = send_rest(load, fault);
	return rc < 0 ? rc : 0;
}

static void tell(const struct load *load, const struct store_partition *loaded,
	bool before)
{
	const struct store_accounts *accounts = &loaded->accounts;
	const int64_t *counts = accounts->dispositions;
	if (load->options.json) {
		printf("{\"topic\": \"%s\", \"loaded_before\": %s, \"taken\": "
		       "%" PRId64,
			load->topic, before ? "true" : "false",
			accounts->taken);
		for (int i = 0; i < DISPOSITION_COUNT; i++)
			printf(", \"%s\": %" PRId64,
				disposition_name((enum disposition)i),
				counts[i]);
		puts("}");
		return;
	}
	printf("%s%s: %" PRId64 " rows as %s: %" PRId64 " applied, %" PRId64
	       " superseded, %" PRId64 " dead\n",
		before ? "loaded before, nothing was done: " : "",
		path_of(load), accounts->taken, load->topic,
		counts[DISPOSITION_APPLIED], counts[DISPOSITION_SUPERSEDED],
		counts[DISPOSITION_DEAD]);
	if (counts[DISPOSITION_DEAD] > 0)
		printf("why they are dead: holdfast dead list --topic %s\n",
			load->topic);
}

/* Readers are let go of before the store may be opened for writing here. */
static int open_reader(struct load *load, struct fault *fault)
{
	const struct config_store *store = &load->config.store;
	return reader_open(&load->reader, store->path,
		(uint32_t)(store->busy_timeout_us / 1000), fault);
}

static void close_reader(struct load *load)
{
	reader_close(load->reader);
	load->reader = NULL;
}

static int tell_result(struct load *load, bool before, struct fault *fault)
{
	const struct store_partition *loaded = NULL;
	int rc = load->reader != NULL ? 0 : open_reader(load, fault);
	if (rc == 0)
		rc = find_loaded(load, &loaded, fault);
	if (rc == 0 && loaded != NULL)
		tell(load, loaded, before);
	close_reader(load);
	return rc;
}

/* The schema outlives the reader it came from. */
static int keep_view(
	struct load *load, struct schema **schema, struct fault *fault)
{
	const char *text = reader_schema(load->reader)->text;
	int rc = schema_parse(schema, slice_of(text), "schema", fault);
	if (rc == 0)
		load->rows.view = schema_view(
			*schema, slice_of(load->options.arguments[0]));
	return rc;
}

static int run(struct load *load, struct schema **schema, struct fault *fault)
{
	const struct store_partition *loaded = NULL;
	int rc = reading_needs_store(&load->config, fault);
	if (rc == 0)
		rc = open_reader(load, fault);
	if (rc == 0)
		rc = find_view(load, fault);
	if (rc == 0)
		rc = keep_view(load, schema, fault);
	if (rc == 0)
		rc = map_file(load, fault);
	if (rc == 0)
		rc = load_rows_begin(&load->rows, fault);
	if (rc == 0)
		rc = check_lengths(load, fault);
	if (rc < 0)
		return rc;
	load_topic(load->rows.content, load->rows.view->name, load->topic);
	rc = find_loaded(load, &loaded, fault);
	if (rc < 0)
		return rc;
	load->next_offset = loaded == NULL ? 0 : loaded->accounts.next_offset;
	if ((size_t)load->next_offset >= load->rows.content.length)
		return tell_result(load, true, fault);
	close_reader(load);
	rc = control_session_open(&load->session, &load->config, fault);
	if (rc == 0)
		rc = send_all(load, fault);
	control_session_close(load->session);
	load->session = NULL;
	return rc < 0 ? rc : tell_result(load, false, fault);
}

static const struct field fields[] = {
	{"event-time", FIELD_TEXT, offsetof(struct load_options, event_time),
		NULL, 0, 0, "TIME", "of rows that have none"},
	{"format", FIELD_TEXT, offsetof(struct load_options, format), NULL, 0,
		0, "csv|ndjson", "csv where the file's name ends so"},
	{"because", FIELD_TEXT, offsetof(struct load_options, because), NULL, 0,
		0, "TEXT", "why, for the record"},
};

static const struct options_spec spec = {
	.usage = "load VIEW FILE [--event-time TIME] [--because TEXT]",
	.summary =
		"Takes base data: rows of NDJSON, or of CSV with a header, "
		"that name the view's join keys and\nfeatures, and perhaps an "
		"event_time. They are merged as events are: what is newer "
		"stays. A row that\ncan't be taken is a dead letter. The same "
		"file is loaded into a view once: again, it is nothing, "
		"and\nwhere it was interrupted it goes on.",
	.fields = fields,
	.field_count = sizeof fields / sizeof fields[0],
	.arguments_min = 2,
	.arguments_max = 2,
	.configured = true,
	.json = true,
};

int command_load(int argc, char **argv)
{
	struct fault fault = {0};
	struct load load = {
		.arena = ARENA_INIT, .lines = json_array(), .file = -1};
	struct schema *schema = NULL;
	int rc = options_parse(
		&load.options, &spec, &load.own, argc, argv, &fault);
	bool helped = rc == OPTIONS_HELPED;
	await_cut();
	if (rc == OPTIONS_GO)
		rc = read_format(&load, &fault);
	if (rc == 0)
		rc = options_config(&load.options, &load.config, &fault);
	if (rc == 0 && !helped)
		rc = run(&load, &schema, &fault);
	reader_close(load.reader);
	load_rows_finish(&load.rows);
	unmap_file(&load);
	if (load.file >= 0)
		close(load.file);
	schema_free(schema);
	json_decref(load.lines);
	arena_finish(&load.arena);
	config_finish(&load.config);
	options_finish(&load.options);
	if (rc < 0)
		return say_fault(&fault);
	return helped ? STATUS_GOOD : rc;
}
