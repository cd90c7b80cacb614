/*
 * Configurations: what the file, the environment and --set say.
 *
 * An input is lines that begin with "$" (NAME=value of the environment) or "="
 * (name=value of --set), then the file.
 */
#include "ingest/command/config.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LINES_MAX 8

/* The file is one in memory, rewritten for each input. */
static int file;
static char path[64];

struct lines {
	char *items[LINES_MAX + 1]; /* ends with NULL */
	size_t count;
};

static bool trying; /* files are opened by what is tried */

/* A configuration may name any file as a secret; here there is one.
 * NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
FILE *__real_fopen(const char *name, const char *mode);
FILE *__wrap_fopen(const char *name, const char *mode);
FILE *__wrap_fopen(const char *name, const char *mode)
{
	static char secret[] = "secret\n";
	if (!trying)
		return __real_fopen(name, mode);
	if (strcmp(name, "/run/secrets/x") == 0)
		return fmemopen(secret, sizeof secret - 1, mode);
	errno = ENOENT;
	return NULL;
}
/* NOLINTEND(bugprone-reserved-identifier) */

static void finish(void)
{
	(void)close(file);
}

void fuzz_start(void)
{
	file = memfd_create("holdfast.json", MFD_CLOEXEC);
	must(file >= 0, "a file in memory");
	must(snprintf(path, sizeof path, "/proc/self/fd/%d", file) > 0,
		"its name");
	(void)atexit(finish);
}

static void write_file(struct slice text)
{
	must(ftruncate(file, 0) == 0, "an empty file");
	must(pwrite(file, text.data, text.length, 0) == (ssize_t)text.length,
		"the file written");
}

static void keep(struct lines *lines, struct slice line)
{
	if (lines->count == LINES_MAX)
		return;
	char *copy = strndup(line.data, line.length);
	must(copy != NULL, "memory");
	lines->items[lines->count++] = copy;
}

static void forget(struct lines *lines)
{
	for (size_t i = 0; i < lines->count; i++)
		free(lines->items[i]);
}

/* Lines of the environment and of --set; what is left is the file. */
static void read_input(
	struct slice *rest, struct lines *environment, struct lines *sets)
{
	while (rest->length > 0 &&
		(rest->data[0] == '$' || rest->data[0] == '=')) {
		struct slice line = input_cut(rest, "\n");
		struct lines *to = line.data[0] == '$' ? environment : sets;
		line.data++;
		line.length--;
		keep(to, line);
	}
}

static void must_be_between(int64_t value, int64_t low, int64_t high)
{
	must(value >= low && value <= high, "settings within their bounds");
}

/* Some of each kind, by the bounds that --help names. */
static void check_bounds(const struct config *config)
{
	must_be_between(config->store.wal_max_bytes, 1 << 20, INT64_C(1) << 36);
	must_be_between(config->store.key_window_keys, 1, 1000000000);
	must_be_between(config->store.busy_timeout_us, 0, INT64_C(3600000000));
	must_be_between(config->ingest.batch_records, 1, 20000);
	must_be_between(config->ingest.depth_max, 1, 1000);
	must_be_between(config->serve.port, 0, UINT16_MAX);
	must_be_between(config->serve.threads, 1, 256);
	must(config->ingest.dead_share_max >= 0 &&
			config->ingest.dead_share_max <= 1,
		"a share");
}

static bool same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void must_be_same(const struct config *a, const struct config *b)
{
	must(a->store.key_window_us == b->store.key_window_us &&
			a->ingest.linger_us == b->ingest.linger_us &&
			a->ingest.dead_share_max == b->ingest.dead_share_max &&
			a->serve.port == b->serve.port &&
			a->backup.keep == b->backup.keep,
		"the same numbers");
	must(same_text(a->schema, b->schema) &&
			same_text(a->store.path, b->store.path) &&
			same_text(a->serve.address, b->serve.address) &&
			same_text(a->file.path, b->file.path),
		"the same texts");
	must(a->kafka_count == b->kafka_count, "as many Kafka settings");
	for (size_t i = 0; i < a->kafka_count; i++)
		must(same_text(a->kafka[i].name, b->kafka[i].name) &&
				same_text(a->kafka[i].value, b->kafka[i].value),
			"the same Kafka settings");
}

static void try(const struct config_request *request)
{
	static struct config config, again;
	struct kafka_setting items[CONFIG_KAFKA_MAX];
	struct fault fault = {0};
	trying = true;
	int rc = config_load(&config, request, &fault);
	trying = false;
	must(rc == 0 || rc == FAULT_USAGE, "settings, or what is wrong");
	must(rc == 0 || fault.text[0] != '\0', "a message");
	if (rc != 0)
		return;
	check_bounds(&config);
	must((config.file.path == NULL) == (config.file.topic == NULL),
		"a file and its topic, or none");
	must(config_kafka_settings(&config, items).count <= config.kafka_count,
		"no more Kafka settings than given");
	trying = true;
	must(config_load(&again, request, &fault) == 0, "the same again");
	trying = false;
	must_be_same(&config, &again);
	config_finish(&again);
	config_finish(&config);
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct slice copy = input_copy(data, size);
	struct slice rest = copy;
	struct lines environment = {.count = 0}, sets = {.count = 0};
	read_input(&rest, &environment, &sets);
	write_file(rest);
	try(&(struct config_request){.file = path,
		.environment = (const char *const *)environment.items,
		.sets = sets.items,
		.set_count = sets.count});
	forget(&environment);
	forget(&sets);
	free((void *)(uintptr_t)copy.data);
}
