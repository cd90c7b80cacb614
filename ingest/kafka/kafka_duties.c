#include "ingest/kafka/kafka_source_parts.h"

#include "ingest/kafka/kafka_assignment.h"

/* Between two looks at what is due by time. */
#define DUTIES_GAP_US 20000
/* An end is reported again so often: a third of the 3 s after which readers
 * take ingest for dead (design section 7). */
#define END_GAP_US 1000000

static int ask_pending(
	struct kafka_source *source, int64_t now_us, struct fault *fault)
{
	int rc = 0;
	for (size_t i = 0; i < source->partitions.count && rc == 0; i++) {
		struct kafka_partition *partition = source->partitions.all[i];
		if (partition->state == PARTITION_PENDING &&
			!partition->questioned &&
			partition->question_us <= now_us)
			rc = kafka_ask(source, partition, fault);
	}
	return rc;
}

/* So long until the next turn: each log has its turn in identity_check_us. */
static int64_t pause_us(const struct kafka_source *source)
{
	size_t count = source->partitions.count;
	size_t turns = 1 + (count - 1) / KAFKA_IDENTITY_PARTITIONS_MAX;
	return source->identity_check_us / (int64_t)turns;
}

/* Compare running logs, as many in a turn as one look of the scout holds. */
static int ask_running(
	struct kafka_source *source, int64_t now_us, struct fault *fault)
{
	size_t count = source->partitions.count;
	if (now_us < source->identity_us || count == 0)
		return 0;
	size_t turn = count < KAFKA_IDENTITY_PARTITIONS_MAX
			      ? count
			      : KAFKA_IDENTITY_PARTITIONS_MAX;
	source->identity_us = now_us + pause_us(source);
	int rc = 0;
	for (size_t i = 0; i < turn && rc == 0; i++) {
		struct kafka_partition *partition =
			source->partitions.all[source->identity_next++ % count];
		if (partition->state == PARTITION_RUNNING &&
			!partition->questioned)
			rc = kafka_ask(source, partition, fault);
	}
	return rc;
}

int kafka_serve_duties(
	struct kafka_source *source, int64_t now_us, struct fault *fault)
{
	source->unwatched = 0;
	if (now_us < source->duties_us)
		return 0;
	source->duties_us = now_us + DUTIES_GAP_US;
	struct fault why = {0};
	if (kafka_commits_serve(
		    &source->commits, &source->partitions, now_us, &why) != 0)
		kafka_tell(source, NOTICE_COMMIT, &why);
	kafka_ask_ends(
		source->client, &source->partitions, now_us - END_GAP_US);
	int rc = ask_pending(source, now_us, fault);
	if (rc == 0)
		rc = ask_running(source, now_us, fault);
	return rc;
}
