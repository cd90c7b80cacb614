/*
 * Reading the schema file: the sources, and how they map onto views.
 */
#include "schema/compaction.h"
#include "schema/convert.h"
#include "schema/schema_read.h"

#include <stdlib.h>
#include <string.h>

#define TOPIC_LENGTH_MAX 249 /* Kafka's, so that a file's directory fits */

/* Kafka's own rule. Source: org.apache.kafka.common.internals.Topic. */
static int check_topic(const struct reader *reader, const struct place *place)
{
	const char *topic = place->member;
	size_t length = strlen(topic);
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-";
	if (length > 0 && length <= TOPIC_LENGTH_MAX &&
		strspn(topic, letters) == length && strcmp(topic, ".") != 0 &&
		strcmp(topic, "..") != 0)
		return 0;
	return reader_refuse(reader, place,
		"\"%s\" is not a topic's name: 1 to %d letters, digits, . _ -",
		topic, TOPIC_LENGTH_MAX);
}

/* `id`: one pointer, or a list of them. */
static int read_ids(const struct reader *reader, const struct place *place,
	json_t *json, struct source_schema *source)
{
	size_t count = json_is_array(json) ? json_array_size(json) : 1;
	if (json == NULL)
		return 0;
	if (count == 0 || count > SCHEMA_IDS_MAX)
		return reader_refuse(reader, place,
			"must be a JSON pointer, or a list of 1 to %d",
			SCHEMA_IDS_MAX);
	source->ids = reader_take(reader, count * sizeof *source->ids);
	if (source->ids == NULL)
		return FAULT_OOM;
	source->id_count = count;
	if (!json_is_array(json))
		return reader_json_pointer(reader, place, json, source->ids);
	for (size_t i = 0; i < count; i++) {
		const struct place at = {place, NULL, i};
		int rc = reader_json_pointer(
			reader, &at, json_array_get(json, i), &source->ids[i]);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int read_entity(const struct reader *reader, const struct place *place,
	json_t *json, const struct view *view, struct mapping *mapping)
{
	struct names keys;
	if (reader_names(reader, view->keys, view->key_count,
		    sizeof *view->keys, &keys) < 0)
		return FAULT_OOM;
	int rc = reader_object(reader, place, json, keys);
	if (rc < 0)
		return rc;
	mapping->entity =
		reader_take(reader, view->key_count * sizeof *mapping->entity);
	if (mapping->entity == NULL)
		return FAULT_OOM;
	for (size_t i = 0; i < view->key_count; i++) {
		const char *name = view->keys[i].name;
		const json_t *pointer = json_object_get(json, name);
		const struct place at = {place, name, 0};
		if (pointer == NULL)
			return reader_refuse(reader, place,
				"says nothing of the join key \"%s\" of view "
				"\"%s\": add a pointer to it",
				name, view->name);
		rc = reader_json_pointer(
			reader, &at, pointer, &mapping->entity[i]);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int read_constant(const struct reader *reader, const struct place *place,
	json_t *json, const struct view *view, struct mapped_feature *mapped)
{
	static const char *const members[] = {"const"};
	const struct feature *feature = &view->features[mapped->feature];
	int rc = reader_object(reader, place, json, NAMES_OF(members));
	if (rc < 0)
		return rc;
	mapped->constant = json_object_get(json, "const");
	if (mapped->constant == NULL)
		return reader_refuse(reader, place,
			"must be a JSON pointer or {\"const\": value}");
	struct converter converter = {.arena = reader->arena};
	enum reason reason = convert_feature(
		&converter, feature, mapped->constant, &mapped->value);
	if (reason == REASON_NONE)
		reason = convert_bounds(&converter, feature, &mapped->value);
	if (converter.out_of_memory)
		return fault_set(reader->fault, FAULT_OOM, "%s: out of memory",
			reader->name);
	if (reason == REASON_NONE)
		return 0;
	const struct place at = {place, "const", 0};
	return reader_refuse(reader, &at, "view \"%s\", %s", view->name,
		converter.detail == NULL ? reason_advice(reason)
					 : converter.detail);
}

static int read_mapped_feature(const struct reader *reader,
	const struct place *place, json_t *json, const struct view *view,
	struct mapped_feature *mapped)
{
	if (json_is_object(json))
		return read_constant(reader, place, json, view, mapped);
	if (!json_is_string(json))
		return reader_refuse(reader, place,
			"must be a JSON pointer or {\"const\": value}");
	return reader_json_pointer(reader, place, json, &mapped->pointer);
}

static int by_feature(const void *a, const void *b)
{
	size_t left = ((const struct mapped_feature *)a)->feature;
	size_t right = ((const struct mapped_feature *)b)->feature;
	return (left > right) - (left < right);
}

static int read_features(const struct reader *reader, const struct place *place,
	json_t *json, const struct view *view, struct mapping *mapping)
{
	struct names known;
	if (reader_names(reader, view->features, view->feature_count,
		    sizeof *view->features, &known) < 0)
		return FAULT_OOM;
	int rc = reader_object(reader, place, json, known);
	if (rc < 0)
		return rc;
	mapping->features = reader_take(
		reader, json_object_size(json) * sizeof *mapping->features);
	if (mapping->features == NULL)
		return FAULT_OOM;
	const char *name;
	json_t *child;
	json_object_foreach(json, name, child)
	{
		const struct place at = {place, name, 0};
		struct mapped_feature *mapped =
			&mapping->features[mapping->feature_count++];
		mapped->feature = (size_t)view_feature(view, slice_of(name));
		rc = read_mapped_feature(reader, &at, child, view, mapped);
		if (rc < 0)
			return rc;
	}
	qsort(mapping->features, mapping->feature_count,
		sizeof *mapping->features, by_feature);
	return 0;
}

/* An upsert needs features, a delete has none: design section 4, bad_event. */
static int read_mapped(const struct reader *reader, const struct place *place,
	json_t *json, const struct view *view, struct mapping *mapping)
{
	const struct place at = {place, "features", 0};
	json_t *features = json_object_get(json, "features");
	if (mapping->operation == OPERATION_DELETE) {
		if (features == NULL)
			return 0;
		return reader_refuse(reader, &at,
			"a delete sets no features: leave them out");
	}
	if (mapping->operation == OPERATION_UPSERT &&
		json_object_size(features) == 0)
		return reader_refuse(reader, &at,
			"an upsert needs features of view \"%s\"", view->name);
	if (features == NULL)
		return 0;
	return read_features(reader, &at, features, view, mapping);
}

static int read_condition(const struct reader *reader,
	const struct place *place, json_t *json, struct condition *condition)
{
	int rc = reader_pointer(
		reader, place, place->member, &condition->pointer);
	if (rc < 0)
		return rc;
	condition->count = json_is_array(json) ? json_array_size(json) : 1;
	if (condition->count == 0)
		return reader_refuse(reader, place,
			"an empty list is equal to nothing: name a value");
	const json_t **values =
		reader_take(reader, condition->count * sizeof(json_t *));
	if (values == NULL)
		return FAULT_OOM;
	condition->values = values;
	for (size_t i = 0; i < condition->count; i++) {
		values[i] =
			json_is_array(json) ? json_array_get(json, i) : json;
		if (json_is_object(values[i]) || json_is_array(values[i]))
			return reader_refuse(reader, place,
				"compare with a string, number, true, false or "
				"null, or a list of them");
	}
	return 0;
}

static int read_when(const struct reader *reader, const struct place *place,
	json_t *json, struct mapping *mapping)
{
	static const struct names any = {NULL, 0};
	if (json == NULL)
		return 0;
	int rc = reader_object(reader, place, json, any);
	if (rc < 0)
		return rc;
	mapping->when = reader_take(
		reader, json_object_size(json) * sizeof *mapping->when);
	if (mapping->when == NULL)
		return FAULT_OOM;
	const char *pointer;
	json_t *child;
	json_object_foreach(json, pointer, child)
	{
		const struct place at = {place, pointer, 0};
		rc = read_condition(reader, &at, child,
			&mapping->when[mapping->when_count++]);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int read_view_of(const struct reader *reader, const struct place *place,
	const json_t *json, struct mapping *mapping)
{
	const struct schema *schema = reader->schema;
	const struct place at = {place, "view", 0};
	const char *name = NULL;
	struct names known;
	int rc = reader_text(reader, place, json, "view", &name);
	if (rc < 0)
		return rc;
	if (name == NULL)
		return reader_refuse(reader, place,
			"says not which view it updates: add \"view\"");
	for (size_t i = 0; i < schema->view_count; i++)
		if (strcmp(schema->views[i].name, name) == 0) {
			mapping->view = i;
			return 0;
		}
	if (reader_names(reader, schema->views, schema->view_count,
		    sizeof *schema->views, &known) < 0)
		return FAULT_OOM;
	return reader_unknown(reader, &at, "unknown view", name, known);
}

static int read_mapping(const struct reader *reader, const struct place *place,
	json_t *json, struct mapping *mapping)
{
	static const char *const members[] = {
		"view", "op", "entity", "features", "when"};
	static const char *const operations[] = {[OPERATION_UPSERT] = "upsert",
		[OPERATION_REPLACE] = "replace",
		[OPERATION_DELETE] = "delete"};
	int rc = reader_object(reader, place, json, NAMES_OF(members));
	if (rc == 0)
		rc = read_view_of(reader, place, json, mapping);
	if (rc == 0)
		rc = reader_choice(reader, place, json, "op",
			NAMES_OF(operations), OPERATION_UPSERT);
	if (rc < 0)
		return rc;
	mapping->operation = (enum operation)rc;
	const struct view *view = &reader->schema->views[mapping->view];
	const struct place entity = {place, "entity", 0};
	const struct place when = {place, "when", 0};
	rc = read_entity(reader, &entity, json_object_get(json, "entity"), view,
		mapping);
	if (rc == 0)
		rc = read_mapped(reader, place, json, view, mapping);
	if (rc == 0)
		rc = read_when(
			reader, &when, json_object_get(json, "when"), mapping);
	return rc;
}

static int read_updates(const struct reader *reader, const struct place *place,
	json_t *json, struct source_schema *source)
{
	size_t count = json_array_size(json);
	if (count == 0 || count > SCHEMA_UPDATES_MAX)
		return reader_refuse(reader, place,
			"must be a list of 1 to %d updates",
			SCHEMA_UPDATES_MAX);
	source->updates = reader_take(reader, count * sizeof *source->updates);
	if (source->updates == NULL)
		return FAULT_OOM;
	source->update_count = count;
	for (size_t i = 0; i < count; i++) {
		const struct place at = {place, NULL, i};
		int rc = read_mapping(reader, &at, json_array_get(json, i),
			&source->updates[i]);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int read_mapped_source(const struct reader *reader,
	const struct place *place, json_t *json, struct source_schema *source)
{
	const struct place id = {place, "id", 0};
	const struct place time = {place, "event_time", 0};
	const struct place unit = {place, "event_time_unit", 0};
	const struct place unknown = {place, "unknown_feature", 0};
	const struct place updates = {place, "updates", 0};
	const json_t *event_time = json_object_get(json, "event_time");
	int rc = read_ids(reader, &id, json_object_get(json, "id"), source);
	if (rc < 0)
		return rc;
	if (json_object_get(json, "unknown_feature") != NULL)
		return reader_refuse(reader, &unknown,
			"is for topics that carry the envelope: a mapping "
			"takes what it names and nothing else");
	if (event_time == NULL && source->event_time_unit != TIME_UNIT_NONE)
		return reader_refuse(reader, &unit,
			"has no event_time to go with: add a pointer to it");
	if (event_time != NULL) {
		source->has_event_time = true;
		rc = reader_json_pointer(
			reader, &time, event_time, &source->event_time);
	}
	if (rc == 0)
		rc = read_updates(reader, &updates,
			json_object_get(json, "updates"), source);
	return rc;
}

/* The envelope's members stand where design section 4 puts them. */
static int read_envelope_source(const struct reader *reader,
	const struct place *place, const json_t *json,
	struct source_schema *source)
{
	static const char *const fixed[] = {"id", "event_time"};
	for (size_t i = 0; i < 2; i++) {
		const struct place at = {place, fixed[i], 0};
		if (json_object_get(json, fixed[i]) != NULL)
			return reader_refuse(reader, &at,
				"is fixed without a mapping: the envelope has "
				"a member of that name; add \"updates\", or "
				"leave it out");
	}
	source->envelope = true;
	source->has_event_time = true;
	source->id_count = 1;
	source->ids = reader_take(reader, sizeof *source->ids);
	if (source->ids == NULL)
		return FAULT_OOM;
	int rc = reader_pointer(reader, place, "/id", source->ids);
	if (rc == 0)
		rc = reader_pointer(
			reader, place, "/event_time", &source->event_time);
	return rc;
}

static int read_policies(const struct reader *reader, const struct place *place,
	const json_t *json, struct source_schema *source)
{
	static const char *const missing[] = {[MISSING_KEY_REJECT] = "reject",
		[MISSING_KEY_POSITION] = "position"};
	static const char *const unknown[] = {
		[UNKNOWN_FEATURE_IGNORE] = "ignore",
		[UNKNOWN_FEATURE_PARK] = "park",
		[UNKNOWN_FEATURE_REJECT] = "reject"};
	static const char *const unit[] = {"s", "ms", "us"};
	int rc = reader_choice(reader, place, json, "missing_key",
		NAMES_OF(missing), MISSING_KEY_REJECT);
	if (rc < 0)
		return rc;
	source->missing_key = (enum missing_key)rc;
	rc = reader_choice(reader, place, json, "unknown_feature",
		NAMES_OF(unknown), UNKNOWN_FEATURE_IGNORE);
	if (rc < 0)
		return rc;
	source->unknown_feature = (enum unknown_feature)rc;
	source->event_time_unit = TIME_UNIT_NONE;
	if (json_object_get(json, "event_time_unit") == NULL)
		return 0;
	rc = reader_choice(
		reader, place, json, "event_time_unit", NAMES_OF(unit), 0);
	if (rc < 0)
		return rc;
	source->event_time_unit = (enum time_unit)(rc + TIME_UNIT_S);
	return 0;
}

/* Each record is the whole row then, so that what is left of the log says all:
 * an upsert is a replace. */
static int read_compacted(const struct reader *reader,
	const struct place *place, const json_t *json,
	struct source_schema *source)
{
	const struct place at = {place, "compacted", 0};
	const json_t *compacted = json_object_get(json, "compacted");
	struct fault why = {0};
	if (compacted != NULL && !json_is_boolean(compacted))
		return reader_refuse(reader, &at, "must be true or false");
	source->compacted = json_is_true(compacted);
	if (!source->compacted)
		return 0;
	if (!compaction_possible(reader->schema, source, &why))
		return reader_refuse(reader, &at, "can't be: %s", why.text);
	for (size_t i = 0; i < source->update_count; i++)
		if (source->updates[i].operation == OPERATION_UPSERT)
			source->updates[i].operation = OPERATION_REPLACE;
	return 0;
}

static int read_source(const struct reader *reader, const struct place *place,
	json_t *json, struct source_schema *source)
{
	static const char *const members[] = {"id", "missing_key", "event_time",
		"event_time_unit", "unknown_feature", "compacted", "updates"};
	source->topic = place->member;
	int rc = check_topic(reader, place);
	if (rc == 0)
		rc = reader_object(reader, place, json, NAMES_OF(members));
	if (rc == 0)
		rc = read_policies(reader, place, json, source);
	if (rc < 0)
		return rc;
	if (json_object_get(json, "updates") == NULL)
		rc = read_envelope_source(reader, place, json, source);
	else
		rc = read_mapped_source(reader, place, json, source);
	return rc < 0 ? rc : read_compacted(reader, place, json, source);
}

int read_sources(struct reader *reader, const struct place *place, json_t *json)
{
	static const struct names any = {NULL, 0};
	struct schema *schema = reader->schema;
	if (json == NULL)
		return 0;
	int rc = reader_object(reader, place, json, any);
	if (rc < 0)
		return rc;
	schema->sources = reader_take(
		reader, json_object_size(json) * sizeof *schema->sources);
	if (schema->sources == NULL)
		return FAULT_OOM;
	const char *topic;
	json_t *child;
	json_object_foreach(json, topic, child)
	{
		const struct place at = {place, topic, 0};
		rc = read_source(reader, &at, child,
			&schema->sources[schema->source_count]);
		if (rc < 0)
			return rc;
		schema->source_count++;
	}
	return 0;
}
