#include "tests/simulate/noted.h"

static struct noted_source *of(struct source *source)
{
	return (struct noted_source *)source;
}

static const struct event_record *record_at(
	const struct event_log *log, int64_t offset)
{
	const struct event_record *record = log->records;
	while (record->offset != offset)
		record++;
	return record;
}

static int noted_poll(struct source *source, struct source_event *event,
	uint32_t timeout_ms, struct fault *fault)
{
	struct noted_source *noted = of(source);
	int outcome = source_poll(noted->inner, event, timeout_ms, fault);
	if (outcome == SOURCE_RECORD) {
		int i = log_index(
			event->record.log->topic, event->record.log->partition);
		arrive(noted->arrivals,
			&(struct arrival){.kind = ARRIVAL_RECORD,
				.log = i,
				.record = record_at(&noted->world->logs[i],
					event->record.offset)});
	}
	if (outcome == SOURCE_END || outcome == SOURCE_LIMIT)
		arrive(noted->arrivals,
			&(struct arrival){.kind = ARRIVAL_END,
				.log = log_index(event->log->topic,
					event->log->partition),
				.next_offset = event->next_offset});
	return outcome;
}

static int noted_start(struct source *source,
	const struct source_position *position, struct fault *fault)
{
	return source_start(of(source)->inner, position, fault);
}

static int noted_pause(struct source *source, const struct log *log, bool pause,
	struct fault *fault)
{
	return source_pause(of(source)->inner, log, pause, fault);
}

static void noted_commit(
	struct source *source, const struct log *log, int64_t next_offset)
{
	source_commit(of(source)->inner, log, next_offset);
}

static void noted_close(struct source *source)
{
	(void)source;
}

void noted_source_init(struct noted_source *noted, struct source *inner,
	const struct event_world *world, struct arrivals *arrivals)
{
	static const struct source_ops ops = {.poll = noted_poll,
		.start = noted_start,
		.pause = noted_pause,
		.commit = noted_commit,
		.close = noted_close};
	*noted = (struct noted_source){{&ops}, inner, world, arrivals};
}
