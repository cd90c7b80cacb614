#include "ingest/command/summary.h"

#include "ingest/command/say.h"

#include <inttypes.h>
#include <stdio.h>

/* Records a second; 0 when no time passed. */
static int64_t rate_of(int64_t records, int64_t elapsed_us)
{
	if (elapsed_us <= 0)
		return 0;
	return (int64_t)((double)records * 1e6 / (double)elapsed_us);
}

static void tell_people(
	const struct pipeline_result *result, int64_t taken, int64_t elapsed_us)
{
	const int64_t *dispositions = result->tally.dispositions;
	say(SAY_INFO,
		"took %" PRId64 " records in %.3f s (%" PRId64
		" a second, %" PRId64 " batches): %" PRId64 " applied, %" PRId64
		" superseded, %" PRId64 " duplicate, %" PRId64
		" parked, %" PRId64 " dead updates; %" PRId64
		" records skipped, %" PRId64 " redelivered",
		taken, (double)elapsed_us / 1e6, rate_of(taken, elapsed_us),
		result->batches, dispositions[DISPOSITION_APPLIED],
		dispositions[DISPOSITION_SUPERSEDED],
		dispositions[DISPOSITION_DUPLICATE],
		dispositions[DISPOSITION_PARKED],
		dispositions[DISPOSITION_DEAD], result->tally.skipped,
		result->tally.redelivered);
}

static void tell_programs(const struct store *store,
	const struct pipeline_result *result, int64_t taken, int64_t elapsed_us)
{
	char digest[2 * DIGEST_BYTES + 1];
	digest_print(store_digest(store), digest);
	printf("{\"store\": \"%s\", \"records\": %" PRId64
	       ", \"skipped\": %" PRId64 ", \"redelivered\": %" PRId64,
		store_id(store), taken, result->tally.skipped,
		result->tally.redelivered);
	for (int i = 0; i < DISPOSITION_COUNT; i++)
		printf(", \"%s\": %" PRId64,
			disposition_name((enum disposition)i),
			result->tally.dispositions[i]);
	printf(", \"batches\": %" PRId64
	       ", \"seconds\": %.6f, \"records_per_second\": %" PRId64
	       ", \"decode_seconds\": %.6f, \"apply_seconds\": %.6f, "
	       "\"commit_seconds\": %.6f"
	       ", \"stopped_partitions\": %" PRId64 ", \"digest\": \"%s\"}\n",
		result->batches, (double)elapsed_us / 1e6,
		rate_of(taken, elapsed_us), (double)result->decode_us / 1e6,
		(double)result->apply_us / 1e6, (double)result->commit_us / 1e6,
		result->stopped_partitions, digest);
}

void summary_tell(const struct store *store,
	const struct pipeline_result *result, int64_t elapsed_us, bool json)
{
	int64_t taken = result->tally.records;
	tell_people(result, taken, elapsed_us);
	if (json)
		tell_programs(store, result, taken, elapsed_us);
}
