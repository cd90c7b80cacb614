#include "ingest/command/restore_at.h"

#include "ingest/command/say.h"
#include "ingest/command/signals.h"
#include "ingest/command/sources.h"
#include "ingest/until_source.h"
#include "schema/rfc3339.h"
#include "store/culprits.h"
#include "store/reader.h"

#include <inttypes.h>

static bool is_later(const struct reader_status *status, int64_t until_us)
{
	for (size_t i = 0; i < status->partition_count; i++)
		if (status->partitions[i].record_time_us > until_us)
			return true;
	return false;
}

int restore_check_before(
	const char *file, int64_t until_us, struct fault *fault)
{
	char until[RFC3339_SIZE];
	struct arena arena = ARENA_INIT;
	struct reader *reader;
	struct reader_status status = {0};
	int rc = reader_open_backup(&reader, file, fault);
	if (rc < 0)
		return rc;
	rc = reader_summary(reader, &arena, &status, fault);
	if (rc == 0 && is_later(&status, until_us))
		rc = fault_set(fault, FAULT_USAGE,
			"%s holds records later than %s: name an older backup, "
			"or none",
			file, rfc3339_print(until_us, until));
	reader_close(reader);
	arena_finish(&arena);
	return rc;
}

int restore_find_before(const struct config *config, int64_t until_us,
	char name[BACKUP_NAME_MAX + 1], struct fault *fault)
{
	char file[PATH_MAX], until[RFC3339_SIZE];
	struct arena arena = ARENA_INIT;
	const struct backup_file *files;
	size_t count;
	int rc =
		backups_list(config->store.path, &arena, &files, &count, fault);
	name[0] = '\0';
	for (size_t i = 0; name[0] == '\0' && files != NULL && i < count; i++)
		if (files[i].sealed &&
			backups_path(file, config->store.path, files[i].name) &&
			restore_check_before(file, until_us, NULL) == 0)
			memcpy(name, files[i].name, sizeof files[i].name);
	arena_finish(&arena);
	if (rc == 0 && name[0] == '\0')
		rc = fault_set(fault, FAULT_USAGE,
			"no backup holds the store as it was before %s: "
			"`holdfast backup --list` shows which there are",
			rfc3339_print(until_us, until));
	return rc;
}

static void notice(void *payload, const char *text)
{
	(void)payload;
	say(SAY_WARNING, "%s", text);
}

static bool convicted(void *payload, const struct record *record)
{
	return culprits_hold(payload, record);
}

/* Those that the live generation knows, if it can be read: it may be what is to
 * be replaced. */
static void find_culprits(
	struct culprits *culprits, const struct config *config)
{
	struct reader *live = NULL;
	if (reader_open(&live, config->store.path,
		    (uint32_t)(config->store.busy_timeout_us / 1000),
		    NULL) == 0)
		(void)culprits_read(culprits, live, NULL);
	reader_close(live);
}

static int run(struct store *store, const struct config *config,
	struct source *source, struct fault *fault)
{
	struct culprits culprits = CULPRITS_INIT;
	find_culprits(&culprits, config);
	struct pipeline_options options =
		sources_pipeline_options(config, store);
	struct pipeline_result result = {0};
	options.source = source;
	options.stop = signals_stop();
	options.notice = notice;
	options.convicted = convicted;
	options.payload = &culprits;
	int rc = pipeline_run(&options, &result, fault);
	culprits_finish(&culprits);
	if (rc == 0 && atomic_load(signals_stop()))
		rc = fault_set(
			fault, FAULT_BUSY, "told to stop: nothing was changed");
	if (rc == 0)
		say(SAY_INFO, "%" PRId64 " records behind the backup taken",
			result.tally.records);
	return rc;
}

int restore_take_until(struct store *store, const struct config *config,
	int64_t until_us, struct fault *fault)
{
	struct source *inner = NULL, *source = NULL;
	const struct sources_options from = {.config = config,
		.store = store,
		.until_end = true,
		.group_suffix = "-restore"};
	if (sources_is_file(config))
		return fault_set(fault, FAULT_USAGE,
			"--at needs the timestamps of Kafka's records: restore "
			"without it, and take the part of the file that is "
			"wanted");
	int rc = signals_install(fault);
	if (rc == 0)
		rc = sources_check(config, fault);
	if (rc == 0)
		rc = sources_open(&inner, &from, fault);
	if (rc == 0)
		rc = until_source_open(&source, inner, until_us, fault);
	if (rc == 0)
		rc = run(store, config, source, fault);
	source_close(source);
	return rc;
}
