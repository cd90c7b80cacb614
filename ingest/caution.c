#include "ingest/caution.h"

#include <inttypes.h>
#include <stdlib.h>

void caution_init(struct caution *caution, struct store *store)
{
	*caution = (struct caution){
		.store = store,
		.found = store_suspicion(store),
		.batch_records = store_batch_records(store),
	};
}

void caution_finish(struct caution *caution)
{
	free(caution->fed);
}

/* The new ones are not fed. */
static bool grow(struct caution *caution, size_t count)
{
	bool *larger = realloc(caution->fed, count * sizeof *larger);
	if (larger == NULL)
		return false;
	for (size_t i = caution->fed_count; i < count; i++)
		larger[i] = false;
	caution->fed = larger;
	caution->fed_count = count;
	return true;
}

/* A note that a full disk has no room for is no reason to end: where the
 * process does end without it, the search finds out less from that. */
static int unless_full(int rc)
{
	return rc == FAULT_FULL ? 0 : rc;
}

int caution_feed(
	struct caution *caution, const struct log *log, struct fault *fault)
{
	if (log->id <= caution->fed_count && caution->fed[log->id - 1])
		return 0;
	if (log->id > caution->fed_count && !grow(caution, log->id))
		return fault_set(fault, FAULT_OOM, "no memory for a partition");
	int rc = store_feeds(caution->store, log, fault);
	caution->fed[log->id - 1] = rc == 0;
	return unless_full(rc);
}

bool caution_alone(const struct caution *caution)
{
	return caution->batch_records == 1;
}

int caution_note(struct caution *caution, const struct flight *flight,
	struct fault *fault)
{
	if (!caution_alone(caution) || flight->record_count == 0)
		return 0;
	return unless_full(
		store_alone(caution->store, &flight->records[0].record, fault));
}

static bool is_found(const struct caution *caution, const struct record *record)
{
	const struct store_suspicion *found = &caution->found;
	return found->guilty && record->log == found->log &&
	       record->offset == found->offset;
}

bool caution_is(const struct caution *caution, const struct record *record)
{
	return is_found(caution, record) ||
	       store_convicted(caution->store, record) ||
	       (caution->convicted != NULL &&
		       caution->convicted(caution->payload, record));
}

static const char *detail_of(const struct caution *caution,
	const struct record *record, struct arena *arena)
{
	if (!is_found(caution, record))
		return "a process that took this record before ended by it: "
		       "parked without a look into it";
	return arena_print(arena,
		"the process ended %" PRId64 " times in a row while this "
		"record was the only one in flight: parked without another "
		"look into it",
		caution->found.alone_ends);
}

int caution_park(const struct caution *caution, const struct record *record,
	struct arena *arena, struct decoded *out, struct fault *fault)
{
	struct update *update = arena_take(arena, sizeof *update);
	const char *detail = detail_of(caution, record, arena);
	if (update == NULL || detail == NULL)
		return fault_set(fault, FAULT_OOM, "no memory for a record");
	*update = (struct update){
		.reason = REASON_CRASH_LOOP,
		.parks = true,
		.detail = detail,
	};
	*out = (struct decoded){
		.timestamp_us = record->timestamp_us,
		.updates = update,
		.update_count = 1,
	};
	return 0;
}

bool caution_tell_start(const struct caution *caution, struct fault *out)
{
	const struct store_suspicion *found = &caution->found;
	if (found->guilty_letter != 0) {
		fault_set(out, FAULT_LOG,
			"parked letter %" PRId64 " ended the process %d times "
			"in a row when it was tried again: it stays parked as "
			"crash_loop; when a version can take it: `holdfast "
			"dead retry --parked --reason crash_loop`",
			found->guilty_letter, CRASH_ALONE_ENDS);
		return true;
	}
	if (found->log == NULL ||
		(caution->batch_records == STORE_BATCH_RECORDS_MAX &&
			!found->guilty))
		return false;
	if (found->guilty)
		fault_set(out, FAULT_LOG,
			"the record at %s:%" PRId32 ", offset %" PRId64
			", ended the process %" PRId64 " times in a row: it "
			"will be parked as crash_loop",
			found->log->topic, found->log->partition, found->offset,
			found->alone_ends);
	else
		fault_set(out, FAULT_LOG,
			"after %" PRId64
			" unclean ends, the last at %s:%" PRId32
			" from offset %" PRId64 ": taking %zu record%s at a "
			"time, in search of one that ends the process",
			found->ends, found->log->topic, found->log->partition,
			found->offset, caution->batch_records,
			caution_alone(caution) ? "" : "s");
	return true;
}

static bool holds(const struct caution *caution, const struct flight *flight)
{
	bool held = false;
	for (size_t i = 0; !held && i < flight->record_count; i++)
		held = is_found(caution, &flight->records[i].record);
	return held;
}

bool caution_tell_landed(
	struct caution *caution, const struct flight *flight, struct fault *out)
{
	size_t before = caution->batch_records;
	caution->batch_records = store_batch_records(caution->store);
	if (caution->found.guilty && holds(caution, flight)) {
		const struct store_suspicion *found = &caution->found;
		fault_set(out, FAULT_LOG,
			"the record at %s:%" PRId32 ", offset %" PRId64
			", is parked as crash_loop; when a version can take "
			"it: `holdfast dead retry --parked --reason "
			"crash_loop`",
			found->log->topic, found->log->partition,
			found->offset);
		return true;
	}
	if (before == caution->batch_records)
		return false;
	fault_set(out, FAULT_LOG,
		"all that was in flight at the unclean ends is taken: batches "
		"of any size again");
	return true;
}
