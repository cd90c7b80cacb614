#include "ingest/command/restore_log.h"

#include "schema/load.h"
#include "store/reader.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct restore_log {
	struct arena arena;
	struct store_partition *live; /* live[0..count), records taken of each
				       */
	size_t count;
};

static int refuse(const struct log *log, const char *why, struct fault *fault)
{
	return fault_set(fault, FAULT_REFUSED, "%s:%" PRId32 ": %s", log->topic,
		log->partition, why);
}

static int check_one(const struct store_partition *partition,
	const struct schema *schema, struct fault *fault)
{
	const struct log *log = &partition->log;
	const struct source_schema *source = schema_source(schema, log->topic);
	if (load_is_topic(log->topic))
		return refuse(log,
			"base data was loaded from a file, which no log holds",
			fault);
	if (log->incarnation > 0)
		return refuse(log,
			"part of it came from an older log, which is gone",
			fault);
	if (source == NULL)
		return refuse(
			log, "the schema has no source for it any more", fault);
	if (source->compacted)
		return refuse(log,
			"its topic is compacted, and holds nothing of what was "
			"replaced since",
			fault);
	return 0;
}

/* Of its own, so that the reader need not stay. */
static int keep(struct restore_log *log, const struct reader_status *status,
	struct fault *fault)
{
	bool whole = true;
	log->live = arena_take(
		&log->arena, status->partition_count * sizeof *log->live);
	for (size_t i = 0; log->live != NULL && i < status->partition_count;
		i++) {
		if (status->partitions[i].accounts.taken == 0)
			continue;
		struct store_partition *kept = &log->live[log->count++];
		struct slice topic = slice_of(status->partitions[i].log.topic);
		*kept = status->partitions[i];
		kept->log.topic = arena_copy(&log->arena, topic).data;
		whole = whole && kept->log.topic != NULL;
	}
	if (log->live != NULL && whole)
		return 0;
	log->count = 0;
	return fault_set(fault, FAULT_OOM, "out of memory");
}

static int look(struct restore_log *log, const struct config *config,
	struct fault *fault)
{
	struct reader *reader = NULL;
	struct reader_status status = {0};
	int rc = reader_open(&reader, config->store.path,
		(uint32_t)(config->store.busy_timeout_us / 1000), fault);
	if (rc == 0)
		rc = reader_summary(reader, &log->arena, &status, fault);
	if (rc == 0)
		rc = keep(log, &status, fault);
	for (size_t i = 0; rc == 0 && i < log->count; i++)
		rc = check_one(&log->live[i], reader_schema(reader), fault);
	reader_close(reader);
	return rc;
}

int restore_log_open(struct restore_log **out, const struct config *config,
	struct fault *fault)
{
	*out = NULL;
	struct restore_log *log = calloc(1, sizeof *log);
	if (log == NULL)
		return fault_set(fault, FAULT_OOM, "out of memory");
	log->arena = ARENA_INIT;
	int rc = look(log, config, fault);
	if (rc < 0)
		restore_log_close(log);
	else
		*out = log;
	return rc;
}

void restore_log_close(struct restore_log *log)
{
	if (log == NULL)
		return;
	arena_finish(&log->arena);
	free(log);
}

static const struct store_partition *find(
	const struct restore_log *log, const char *topic, int32_t partition)
{
	for (size_t i = 0; i < log->count; i++)
		if (log->live[i].log.partition == partition &&
			strcmp(log->live[i].log.topic, topic) == 0)
			return &log->live[i];
	return NULL;
}

int restore_log_found(
	void *payload, const struct source_event *event, struct fault *fault)
{
	const struct store_partition *live =
		find(payload, event->topic, event->partition);
	if (live == NULL)
		return 0;
	if (event->log_start > live->accounts.first_offset)
		return fault_set(fault, FAULT_REFUSED,
			"%s:%" PRId32 ": the log begins at offset %" PRId64
			" now, the live generation began at %" PRId64,
			event->topic, event->partition, event->log_start,
			live->accounts.first_offset);
	/* Nobody would compare what is not there. */
	if (event->next_offset >= 0 &&
		event->next_offset < live->accounts.next_offset)
		return fault_set(fault, FAULT_REFUSED,
			"log_changed: %s:%" PRId32
			": the log ends at offset %" PRId64
			" now, the live generation is at %" PRId64,
			event->topic, event->partition, event->next_offset,
			live->accounts.next_offset);
	return 0;
}

void restore_log_know(void *payload, struct source_position *position)
{
	const struct store_partition *live =
		find(payload, position->log->topic, position->log->partition);
	if (live == NULL)
		return;
	position->trail = &live->trail;
	position->cluster_id = live->cluster_id;
}

static bool has(const struct store *store, const struct log *log)
{
	for (size_t i = 0; i < store_partition_count(store); i++) {
		const struct log *one = &store_partition_at(store, i)->log;
		if (one->partition == log->partition &&
			strcmp(one->topic, log->topic) == 0)
			return true;
	}
	return false;
}

int restore_log_check(const struct restore_log *log, const struct store *store,
	struct fault *fault)
{
	int64_t taken = 0;
	for (size_t i = 0; i < log->count; i++)
		if (!has(store, &log->live[i].log))
			return refuse(&log->live[i].log,
				"the live generation took it, and it was not "
				"found",
				fault);
	for (size_t i = 0; i < store_partition_count(store); i++)
		taken += store_partition_at(store, i)->accounts.taken;
	return taken > 0 ? 0
			 : fault_set(fault, FAULT_REFUSED,
				   "no record of any log is from before");
}
