/*
 * CloudEvents on Kafka: who an event is and when it happened, from headers
 * (binary mode) or from the value (structured mode).
 * Source: CloudEvents 1.0, Kafka protocol binding, sections 3.1 to 3.3.
 */
#ifndef HOLDFAST_SCHEMA_CLOUD_EVENT_H
#define HOLDFAST_SCHEMA_CLOUD_EVENT_H

#include "schema/record.h"

#include <jansson.h>
#include <stdbool.h>

struct cloud_event {
	bool identified;	 /* source and id are there, not empty */
	struct slice source, id; /* borrowed from record or value */
	bool has_time;
	struct slice time; /* as given; empty if it is no text */
};

/* The value of the last header of that name, whatever its case; absent if
 * there is none. */
struct slice record_header(const struct record *record, const char *name);

/*
 * Read the attributes; all empty where the record is no CloudEvent. `value` is
 * its parsed value (NULL: a null one); in structured mode *value becomes the
 * event's data. NULL, or what is wrong with a structured event.
 */
const char *cloud_event_read(
	const struct record *record, json_t **value, struct cloud_event *out);

#endif
