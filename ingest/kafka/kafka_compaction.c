/*
 * Compacted topics: whether what they feed bears it, and whether deletes may
 * have gone before they were read.
 *
 * A delete (a record without a value) stays in a compacted log for at least
 * delete.retention.ms after the cleaner first met it, so after it was written.
 * What was not read when the log's end was last reached was written later than
 * that. So who comes to the end again within that time has seen every delete of
 * what it holds; who was away longer may have missed some (KIP-1259). A store
 * that never was at the end began with nothing, and counts from then.
 * Source: kafka.apache.org/documentation/#design_compactionguarantees.
 */
#include "ingest/kafka/kafka_source_parts.h"
#include "schema/rfc3339.h"

#include <inttypes.h>

static int stop_unsafe(struct kafka_source *source,
	struct kafka_partition *partition, const char *reason,
	struct source_event *event, struct fault *fault)
{
	struct fault why = {0};
	fault_set(&why, FAULT_LOG,
		"not_compaction_safe: %s:%" PRId32 ": the cleanup.policy of "
		"topic %s is to compact it, but %s. Set the topic's "
		"cleanup.policy to delete, or rebuild under another schema; "
		"then start ingest anew",
		partition->topic, partition->number, partition->topic, reason);
	return kafka_stop(source, partition, &why, event, fault);
}

static int stop_behind(struct kafka_source *source,
	struct kafka_partition *partition, struct source_event *event,
	struct fault *fault)
{
	struct fault why = {0};
	char since[RFC3339_SIZE];
	fault_set(&why, FAULT_LOG,
		"deletes_lost: %s:%" PRId32 " was last whole at %s, and its "
		"compacted topic keeps deletes for %" PRId64 " s "
		"(delete.retention.ms): entities deleted since may still be "
		"in the store. `holdfast rebuild --even-if-different` takes "
		"the log anew, which is not what it was any more; or go on "
		"with them: holdfast resume %s:%" PRId32 " --accept-gap",
		partition->topic, partition->number,
		rfc3339_print(partition->whole_us, since),
		partition->cleanup.deletes_kept_us / 1000000, partition->topic,
		partition->number);
	return kafka_stop(source, partition, &why, event, fault);
}

/* Is it longer ago that the log was whole here than deletes stay in it? */
static bool is_late(
	struct kafka_source *source, const struct kafka_partition *partition)
{
	return partition->cleanup.compacted && partition->whole_us != 0 &&
	       source->clock->wall_us(source->clock) - partition->whole_us >
		       partition->cleanup.deletes_kept_us;
}

int kafka_judge_compaction(struct kafka_source *source,
	struct kafka_partition *partition, struct source_event *event,
	struct fault *fault)
{
	struct fault reason = {0};
	if (!partition->cleanup.compacted)
		return SOURCE_IDLE;
	if (source->compaction_safe != NULL &&
		!source->compaction_safe(
			source->compaction_payload, partition->topic, &reason))
		return stop_unsafe(
			source, partition, reason.text, event, fault);
	/* Where nothing was written since, as far as was seen, its end will
	 * tell. */
	bool idle = partition->expected == partition->whole_offset &&
		    partition->found_high <= partition->expected;
	if (is_late(source, partition) && !idle)
		return stop_behind(source, partition, event, fault);
	return SOURCE_IDLE;
}

int kafka_judge_end(struct kafka_source *source,
	struct kafka_partition *partition, int64_t end,
	struct source_event *event, struct fault *fault)
{
	if (is_late(source, partition) && end != partition->whole_offset)
		return stop_behind(source, partition, event, fault);
	partition->whole_us = source->empty_wall_us;
	partition->whole_offset = end;
	return SOURCE_IDLE;
}
