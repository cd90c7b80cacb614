#include "schema/version.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

static int order(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int log_compare(const struct log *a, const struct log *b)
{
	if (a == b)
		return 0;
	int by_topic = strcmp(a->topic, b->topic);
	if (by_topic != 0)
		return by_topic < 0 ? -1 : 1;
	if (a->partition != b->partition)
		return order(a->partition, b->partition);
	return order(a->incarnation, b->incarnation);
}

int version_compare(const struct version *a, const struct version *b)
{
	assert(a->log != NULL);
	assert(b->log != NULL);
	if (a->event_us != b->event_us)
		return order(a->event_us, b->event_us);
	int by_log = log_compare(a->log, b->log);
	if (by_log != 0)
		return by_log;
	if (a->offset != b->offset)
		return order(a->offset, b->offset);
	return order(a->place, b->place);
}
