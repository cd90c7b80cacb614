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
	char file[PATH_MAX];
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
	return rc == 0 && name[0] == '\0' ? 1 : rc;
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

/* What takes a line's time out of it: that is in its value. */
struct times {
	struct decoder decoder;
	const struct culprits *culprits; /* nobody looks into these */
	struct arena arena;
};

static int time_of(void *payload, const struct record *record, int64_t *time_us,
	struct fault *fault)
{
	struct times *times = payload;
	struct decoded decoded;
	const struct source_schema *source =
		schema_source(times->decoder.schema, record->log->topic);
	arena_reset(&times->arena);
	if (source == NULL || culprits_hold(times->culprits, record))
		return 0;
	int rc = decode_record(&times->decoder, source, record, &times->arena,
		&decoded, fault);
	if (rc == 0)
		*time_us = decoded.timestamp_us;
	return rc;
}

static int run(struct pipeline_options options, struct source *source,
	struct fault *fault)
{
	struct pipeline_result result = {0};
	options.source = source;
	options.stop = signals_stop();
	options.notice = notice;
	int rc = pipeline_run(&options, &result, fault);
	if (rc == 0 && atomic_load(signals_stop()))
		rc = fault_set(
			fault, FAULT_BUSY, "told to stop: nothing was changed");
	if (rc == 0)
		say(SAY_INFO, "%" PRId64 " records of the log taken",
			result.tally.records);
	return rc;
}

int restore_take_until(struct store *store, const struct config *config,
	int64_t until_us, struct restore_log *log, struct fault *fault)
{
	struct source *inner = NULL, *source = NULL;
	struct culprits culprits = CULPRITS_INIT;
	struct pipeline_options options =
		sources_pipeline_options(config, store);
	options.convicted = convicted;
	options.payload = &culprits;
	struct times times = {.decoder = options.decoder,
		.culprits = &culprits,
		.arena = ARENA_INIT};
	const struct until_options until = {.until_us = until_us,
		.time_of = time_of,
		.payload = &times,
		.found = log == NULL ? NULL : restore_log_found,
		.know = log == NULL ? NULL : restore_log_know,
		.log_payload = log};
	const struct sources_options from = {.config = config,
		.store = store,
		.until_end = true,
		.group_suffix = "-restore"};
	find_culprits(&culprits, config);
	int rc = signals_install(fault);
	if (rc == 0)
		rc = sources_check(config, fault);
	if (rc == 0)
		rc = sources_open(&inner, &from, fault);
	if (rc == 0)
		rc = until_source_open(&source, inner, &until, fault);
	if (rc == 0)
		rc = run(options, source, fault);
	if (rc == 0 && log != NULL)
		rc = restore_log_check(log, store, fault);
	source_close(source);
	arena_finish(&times.arena);
	culprits_finish(&culprits);
	return rc;
}
