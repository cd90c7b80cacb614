#include "schema/cloud_event.h"

#include <strings.h>

static bool is_named(struct slice text, const char *name)
{
	return text.length == strlen(name) &&
	       strncasecmp(text.data, name, text.length) == 0;
}

/* Kafka allows a header several times; lastHeader() is what its clients use. */
struct slice record_header(const struct record *record, const char *name)
{
	for (size_t i = record->header_count; i > 0; i--)
		if (is_named(record->headers[i - 1].name, name))
			return record->headers[i - 1].value;
	return (struct slice){NULL, 0};
}

/* Structured mode is said by the content type; the binding compares without
 * regard to case. */
static bool is_structured(const struct record *record)
{
	static const char prefix[] = "application/cloudevents";
	struct slice type = record_header(record, "content-type");
	return type.length >= sizeof prefix - 1 &&
	       strncasecmp(type.data, prefix, sizeof prefix - 1) == 0;
}

static struct slice attribute(const json_t *event, const char *name)
{
	const json_t *json = json_object_get(event, name);
	return (struct slice){
		json_string_value(json), json_string_length(json)};
}

static const char *read_structured(json_t **value, struct cloud_event *out)
{
	const json_t *event = *value;
	const json_t *time = json_object_get(event, "time");
	if (!json_is_object(event))
		return "a structured CloudEvent must be an object";
	if (json_object_get(event, "data_base64") != NULL)
		return "a structured CloudEvent with data_base64: send its "
		       "data as JSON";
	*value = json_object_get(event, "data");
	if (*value == NULL)
		return "a structured CloudEvent without data";
	out->source = attribute(event, "source");
	out->id = attribute(event, "id");
	/* An attribute that is null is not there (JSON format, 2.2). */
	out->has_time = time != NULL && !json_is_null(time);
	out->time = attribute(event, "time");
	return NULL;
}

const char *cloud_event_read(
	const struct record *record, json_t **value, struct cloud_event *out)
{
	const char *wrong = NULL;
	*out = (struct cloud_event){0};
	if (record->header_count == 0)
		return NULL;
	/* Headers may repeat the attributes of a structured event; the event
	 * itself is what counts (binding, 3.3). */
	if (*value != NULL && is_structured(record)) {
		wrong = read_structured(value, out);
	} else {
		out->source = record_header(record, "ce_source");
		out->id = record_header(record, "ce_id");
		out->time = record_header(record, "ce_time");
		out->has_time = out->time.data != NULL;
	}
	out->identified = out->source.length > 0 && out->id.length > 0;
	return wrong;
}
