#include "ingest/command/scratch.h"

#include "ingest/bounded_source.h"
#include "ingest/clock.h"
#include "ingest/command/ingestion.h"
#include "ingest/command/say.h"
#include "ingest/command/signals.h"
#include "ingest/command/sources.h"
#include "schema/load.h"
#include "store/culprits.h"
#include "store/decisions.h"
#include "store/generations.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPEN_AT_ONCE 8 /* directories, while it is removed */
#define PREFIX "against."
/* A copy is locked when its file is there, which a large one takes a while. */
#define LOCKED_WITHIN_S 3600

static void notice(void *payload, const char *text)
{
	(void)payload;
	say(SAY_WARNING, "%s", text);
}

static bool convicted(void *payload, const struct record *record)
{
	return culprits_hold(payload, record);
}

/* Records that ended a process are not looked into here either. */
static void find_culprits(
	struct culprits *culprits, const struct config *config)
{
	struct reader *reader = NULL;
	if (reader_open(&reader, config->store.path,
		    (uint32_t)(config->store.busy_timeout_us / 1000),
		    NULL) == 0)
		(void)culprits_read(culprits, reader, NULL);
	reader_close(reader);
}

static int set_limits(struct bounded_source *source,
	const struct standing *ahead, struct fault *fault)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < ahead->place_count; i++) {
		const struct standing_place *place = &ahead->places[i];
		const struct source_limit limit = {.topic = place->topic,
			.partition = place->partition,
			.next_offset = place->next_offset,
			.as_of_us = place->as_of_us};
		if (!load_is_topic(place->topic))
			rc = bounded_source_limit(source, &limit, fault);
	}
	return rc;
}

/* Who stopped a partition did not mean this copy. */
static int resume_all(struct store *store, struct fault *fault)
{
	int rc = 0;
	for (size_t i = 0; rc >= 0 && i < store_partition_count(store); i++)
		rc = store_resume_partition(
			store, &store_partition_at(store, i)->log, NULL, fault);
	return rc < 0 ? rc : 0;
}

static int run(struct scratch *scratch, struct store *store,
	struct bounded_source *source, struct fault *fault)
{
	struct culprits culprits = CULPRITS_INIT;
	struct pipeline_options options =
		sources_pipeline_options(scratch->config, store);
	struct pipeline_result result = {0};
	find_culprits(&culprits, scratch->config);
	options.source = bounded_source_of(source);
	options.stop = signals_stop();
	options.notice = notice;
	options.convicted = convicted;
	options.payload = &culprits;
	int rc = pipeline_run(&options, &result, fault);
	scratch->records = result.tally.records;
	culprits_finish(&culprits);
	if (rc == 0 && atomic_load(signals_stop()))
		rc = fault_set(fault, FAULT_BUSY,
			"told to stop before both stood at the same offsets");
	return rc;
}

static int take(struct scratch *scratch, struct store *store,
	const struct standing *ahead, struct fault *fault)
{
	struct source *inner = NULL;
	struct bounded_source *source = NULL;
	struct config config = *scratch->config; /* but for the path */
	config.store.path = scratch->directory;
	const struct sources_options from = {.config = &config,
		.store = store,
		.until_end = true,
		.group_suffix = "-verify"};
	int rc = resume_all(store, fault);
	if (rc == 0)
		rc = sources_check(&config, fault);
	if (rc == 0)
		rc = sources_open(&inner, &from, fault);
	if (rc == 0)
		rc = bounded_source_open(&source, inner, fault);
	if (rc < 0)
		return rc;
	rc = set_limits(source, ahead, fault);
	if (rc == 0)
		rc = run(scratch, store, source, fault);
	source_close(bounded_source_of(source));
	return rc;
}

static int remove_one(const char *path, const struct stat *status, int kind,
	struct FTW *where)
{
	(void)status;
	(void)kind;
	(void)where;
	return remove(path);
}

static bool remove_all(const char *path)
{
	return nftw(path, remove_one, OPEN_AT_ONCE, FTW_DEPTH | FTW_PHYS) == 0;
}

/* One that a process left which was killed: its lock is nobody's
 * (store/store.h, store_open()), and it was not made just now. */
static bool is_left(const char *path)
{
	struct stat status;
	struct clock *clock = clock_system();
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	bool left = fd >= 0 && fstat(fd, &status) == 0 &&
		    clock->wall_us(clock) / 1000000 - status.st_mtim.tv_sec >
			    LOCKED_WITHIN_S &&
		    flock(fd, LOCK_EX | LOCK_NB) == 0;
	if (fd >= 0)
		close(fd);
	return left;
}

static void clear_left(const char *store)
{
	char path[PATH_MAX];
	DIR *directory = opendir(store);
	const struct dirent *entry;
	while (directory != NULL && (entry = readdir(directory)) != NULL) {
		int length = snprintf(
			path, sizeof path, "%s/%s", store, entry->d_name);
		if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) == 0 &&
			length > 0 && (size_t)length < sizeof path &&
			is_left(path))
			(void)remove_all(path);
	}
	if (directory != NULL)
		closedir(directory);
}

static int make_directory(struct scratch *scratch, struct fault *fault)
{
	clear_left(scratch->config->store.path);
	int length = snprintf(scratch->directory, sizeof scratch->directory,
		"%s/" PREFIX "XXXXXX", scratch->config->store.path);
	if (length > 0 && (size_t)length < sizeof scratch->directory &&
		mkdtemp(scratch->directory) != NULL)
		return 0;
	int error = errno;
	scratch->directory[0] = '\0';
	return fault_set(fault, FAULT_IO, "no directory for a copy in %s: %s",
		scratch->config->store.path, strerror(error));
}

int scratch_make(struct scratch *scratch, const char *file,
	const struct standing *ahead, struct fault *fault)
{
	struct store_options options = store_options_of(scratch->config);
	struct store *store = NULL;
	options.path = scratch->directory;
	options.ballast_bytes = 0;
	int rc = make_directory(scratch, fault);
	if (rc == 0)
		rc = store_found(&options, file, fault);
	if (rc == 0)
		rc = store_open(&store, &options, fault);
	if (rc == 0)
		rc = take(scratch, store, ahead, fault);
	store_close(store);
	return rc;
}

void scratch_remove(struct scratch *scratch)
{
	if (scratch->directory[0] != '\0' && !remove_all(scratch->directory))
		say(SAY_WARNING, "%s could not be removed: remove it",
			scratch->directory);
	scratch->directory[0] = '\0';
}
