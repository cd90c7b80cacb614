#include "ingest/source.h"

#include <stddef.h>

int source_poll(struct source *source, struct source_event *event,
	uint32_t timeout_ms, struct fault *fault)
{
	event->more = false;
	return source->ops->poll(source, event, timeout_ms, fault);
}

int source_start(struct source *source, const struct source_position *position,
	struct fault *fault)
{
	return source->ops->start(source, position, fault);
}

int source_pause(struct source *source, const struct log *log, bool pause,
	struct fault *fault)
{
	return source->ops->pause(source, log, pause, fault);
}

void source_commit(
	struct source *source, const struct log *log, int64_t next_offset)
{
	source->ops->commit(source, log, next_offset);
}

void source_close(struct source *source)
{
	if (source != NULL)
		source->ops->close(source);
}
