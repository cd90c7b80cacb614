/* Is it the log that the store took its records from? As a source is to find
 * out (design section 6, log identity). */
#include "tests/simulate/log_inside.h"

#include <inttypes.h>
#include <stdio.h>

/* NULL: there is none at that offset. */
static const struct event_record *record_at(
	const struct event_log *events, int64_t offset)
{
	size_t index = log_find(events, offset);
	return index < events->count && events->records[index].offset == offset
		       ? &events->records[index]
		       : NULL;
}

/* Steps whose record is gone say nothing. */
static bool has_changed(
	const struct log_partition *one, const struct event_log *events)
{
	if (events->end < one->highest)
		return true;
	for (size_t i = 0; i < one->trail.count; i++) {
		const struct footprint *noted = &one->trail.steps[i];
		const struct event_record *there =
			noted->offset < events->start
				? NULL
				: record_at(events, noted->offset);
		if (there == NULL)
			continue;
		const struct record record = log_record(there, one->log);
		const struct footprint seen = trail_footprint(&record);
		return seen.checksum != noted->checksum ||
		       seen.timestamp_us != noted->timestamp_us;
	}
	return false;
}

static int stop(struct log_partition *one, const struct event_log *events,
	unsigned why, struct source_event *event)
{
	one->stopped = true;
	one->stops |= why;
	event->log = one->log;
	event->log_start = events->start;
	fault_set(&event->fault, FAULT_LOG, "%s: %s:%" PRId32 " from %" PRId64,
		why == LOG_STOP_LOST ? "records_lost" : "log_changed",
		events->topic, events->partition, events->start);
	return SOURCE_STOPPED;
}

int log_judge(struct log_source *log, struct source_event *event)
{
	for (int i = 0; i < EVENT_PARTITIONS; i++) {
		struct log_partition *one = &log->partitions[i];
		const struct event_log *events = &log->world->logs[i];
		if (one->log == NULL || !one->unjudged || one->stopped)
			continue;
		one->unjudged = false;
		if (has_changed(one, events))
			return stop(one, events, LOG_STOP_CHANGED, event);
		if (events->start > one->highest)
			return stop(one, events, LOG_STOP_LOST, event);
	}
	return SOURCE_IDLE;
}

/* What it did take: of what arrived, in this incarnation. */
static const struct event_record *last_taken(
	const struct log_source *log, int i, const struct source_position *at)
{
	const struct event_record *last = NULL;
	for (size_t j = 0; j < log->arrivals->count; j++) {
		const struct arrival *one = &log->arrivals->items[j];
		if (one->kind == ARRIVAL_RECORD && one->log == i &&
			one->incarnation == (int)at->log->incarnation &&
			one->record->offset < at->next_offset &&
			(last == NULL || one->record->offset > last->offset))
			last = one->record;
	}
	return last;
}

void log_check_trail(
	struct log_source *log, int i, const struct source_position *position)
{
	const struct event_record *last = last_taken(log, i, position);
	const struct trail *trail = position->trail;
	int64_t noted = trail->count > 0 ? trail->steps[0].offset : -1;
	int64_t taken = last == NULL ? -1 : last->offset;
	if (noted != taken)
		(void)snprintf(log->why, sizeof log->why,
			"partition %d: its trail begins at %" PRId64
			", the last record taken was at %" PRId64,
			i, noted, taken);
}
