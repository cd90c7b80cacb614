#include "ingest/command/reading.h"

#include "ingest/command/command.h"
#include "ingest/command/say.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

/* The link that names the live generation, in the directory of every store:
 * design section 6. */
#define LIVE_LINK "features.db"

/* A store that never was is no damage: told apart from what reader_open()
 * refuses. */
static bool is_missing(const char *path)
{
	char link[PATH_MAX], target[PATH_MAX];
	int length = snprintf(link, sizeof link, "%s/" LIVE_LINK, path);
	if (length < 0 || (size_t)length >= sizeof link)
		return false;
	return readlink(link, target, sizeof target) < 0 && errno == ENOENT;
}

int reading_needs_store(const struct config *config, struct fault *fault)
{
	if (!is_missing(config->store.path))
		return 0;
	return fault_set(fault, FAULT_IO,
		"there is no store in %s: `holdfast run` makes one, or name "
		"another with --set store.path=DIRECTORY",
		config->store.path);
}

static int begin(struct reading *reading, struct fault *fault)
{
	int rc = options_config(&reading->options, &reading->config, fault);
	if (rc < 0)
		return rc;
	rc = reading_needs_store(&reading->config, fault);
	if (rc < 0)
		return rc;
	const struct config_store *store = &reading->config.store;
	return reader_open(&reading->reader, store->path,
		(uint32_t)(store->busy_timeout_us / 1000), fault);
}

int reading_run(const struct options_spec *spec, void *own, int argc,
	char **argv, reading_answer *answer)
{
	return reading_run_or(spec, own, argc, argv, answer, NULL);
}

int reading_run_or(const struct options_spec *spec, void *own, int argc,
	char **argv, reading_answer *answer, reading_damaged *damaged)
{
	struct fault fault = {0};
	struct reading reading = {.arena = ARENA_INIT};
	int rc = options_parse(&reading.options, spec, own, argc, argv, &fault);
	bool helped = rc == OPTIONS_HELPED;
	if (rc == OPTIONS_GO)
		rc = begin(&reading, &fault);
	if (rc == FAULT_CORRUPT && damaged != NULL)
		damaged(&reading, &fault);
	if (rc == 0)
		rc = answer(&reading, &fault);
	reader_close(reading.reader);
	arena_finish(&reading.arena);
	config_finish(&reading.config);
	options_finish(&reading.options);
	if (rc < 0)
		return say_fault(&fault);
	return helped ? STATUS_GOOD : rc;
}
