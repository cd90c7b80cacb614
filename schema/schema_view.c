/*
 * Reading the schema file: the views.
 */
#include "schema/convert.h"
#include "schema/schema_read.h"
#include "schema/type.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int read_type(const struct reader *reader, const struct place *place,
	const char *text, struct type *out)
{
	if (type_parse(slice_of(text), out))
		return 0;
	return reader_refuse(reader, place,
		"\"%s\" is not a type: bool, int64, float64, decimal(0..%d), "
		"string, bytes, timestamp or float32[1..%d]",
		text, DECIMAL_DIGITS_MAX, VECTOR_LENGTH_MAX);
}

/* Is there an order that a minimum, maximum or merge could go by? */
static bool is_ordered(enum value_type kind)
{
	return kind == TYPE_INT64 || kind == TYPE_FLOAT64 ||
	       kind == TYPE_DECIMAL || kind == TYPE_TIMESTAMP;
}

static int check_merge(const struct reader *reader, const struct place *place,
	const struct feature *feature)
{
	enum value_type kind = feature->type.kind;
	const struct place at = {place, "merge", 0};
	char type[TYPE_NAME_SIZE];
	type_print(&feature->type, type);
	if (feature->merge == MERGE_SUM && kind == TYPE_FLOAT64)
		return reader_refuse(reader, &at,
			"float64 can't be summed: added in another order it "
			"gives another sum; use \"decimal(2)\" (0 to %d "
			"decimals, exact), or int64",
			DECIMAL_DIGITS_MAX);
	if (feature->merge == MERGE_SUM && kind != TYPE_INT64 &&
		kind != TYPE_DECIMAL)
		return reader_refuse(reader, &at,
			"%s can't be summed: sum is for int64 and decimal(s)",
			type);
	if (feature->merge != MERGE_LAST && !is_ordered(kind))
		return reader_refuse(reader, &at,
			"%s has no minimum or maximum: min and max are for "
			"int64, float64, decimal(s) and timestamp",
			type);
	return 0;
}

static int read_max_length(const struct reader *reader,
	const struct place *place, const json_t *json, struct feature *feature)
{
	const struct place at = {place, "max_length", 0};
	const json_t *given = json_object_get(json, "max_length");
	feature->max_length = -1;
	if (given == NULL)
		return 0;
	if (feature->type.kind != TYPE_STRING &&
		feature->type.kind != TYPE_BYTES)
		return reader_refuse(
			reader, &at, "is for string and bytes only");
	if (!json_is_integer(given) || json_integer_value(given) < 1)
		return reader_refuse(reader, &at,
			"must be a whole number of bytes, 1 or more");
	feature->max_length = json_integer_value(given);
	return 0;
}

/* A member that holds a value of the feature's own type. */
static int read_value(const struct reader *reader, const struct place *place,
	const struct type *type, const json_t *json, struct value *out)
{
	struct converter converter = {.arena = reader->arena};
	enum reason reason = convert_json(&converter, type, json, out);
	if (converter.out_of_memory)
		return fault_set(reader->fault, FAULT_OOM, "%s: out of memory",
			reader->name);
	if (reason == REASON_NONE)
		return 0;
	return reader_refuse(reader, place, "%s",
		converter.detail == NULL ? reason_advice(reason)
					 : converter.detail);
}

static int read_bound(const struct reader *reader, const struct place *place,
	const json_t *json, const struct feature *feature, struct value *out)
{
	if (json == NULL)
		return 0;
	if (!is_ordered(feature->type.kind))
		return reader_refuse(reader, place,
			"is for int64, float64, decimal(s) and timestamp only");
	return read_value(reader, place, &feature->type, json, out);
}

static int read_bounds(const struct reader *reader, const struct place *place,
	const json_t *json, struct feature *feature)
{
	const struct place minimum = {place, "minimum", 0};
	const struct place maximum = {place, "maximum", 0};
	int rc = read_bound(reader, &minimum, json_object_get(json, "minimum"),
		feature, &feature->minimum);
	if (rc == 0)
		rc = read_bound(reader, &maximum,
			json_object_get(json, "maximum"), feature,
			&feature->maximum);
	if (rc < 0)
		return rc;
	if (feature->minimum.state == VALUE_SET &&
		feature->maximum.state == VALUE_SET &&
		value_compare(feature->type.kind, &feature->minimum,
			&feature->maximum) > 0)
		return reader_refuse(
			reader, &minimum, "is above the feature's maximum");
	return 0;
}

/* Of the feature's type, but perhaps out of its bounds: -1 for "none" is what
 * a default is for. */
static int read_default(const struct reader *reader, const struct place *place,
	const json_t *json, struct feature *feature)
{
	const struct place at = {place, "default", 0};
	feature->fallback = json_object_get(json, "default");
	if (feature->fallback == NULL)
		return 0;
	if (json_is_null(feature->fallback)) {
		feature->default_value.state = VALUE_NULL;
		return 0;
	}
	return read_value(reader, &at, &feature->type, feature->fallback,
		&feature->default_value);
}

static int read_feature(const struct reader *reader, const struct place *place,
	json_t *json, struct feature *feature)
{
	static const char *const members[] = {
		"type", "merge", "default", "max_length", "minimum", "maximum"};
	static const char *const merges[] = {[MERGE_LAST] = "last",
		[MERGE_SUM] = "sum",
		[MERGE_MIN] = "min",
		[MERGE_MAX] = "max"};
	const char *type = NULL;
	feature->name = place->member;
	int rc = reader_name(reader, place, feature->name);
	if (rc == 0)
		rc = reader_object(reader, place, json, NAMES_OF(members));
	if (rc == 0)
		rc = reader_text(reader, place, json, "type", &type);
	if (rc == 0 && type == NULL)
		rc = reader_refuse(reader, place,
			"has no type: add one, such as \"type\": \"int64\"");
	const struct place type_place = {place, "type", 0};
	if (rc == 0)
		rc = read_type(reader, &type_place, type, &feature->type);
	if (rc == 0)
		rc = reader_choice(reader, place, json, "merge",
			NAMES_OF(merges), MERGE_LAST);
	if (rc < 0)
		return rc;
	feature->merge = (enum merge_kind)rc;
	rc = check_merge(reader, place, feature);
	if (rc == 0)
		rc = read_max_length(reader, place, json, feature);
	if (rc == 0)
		rc = read_bounds(reader, place, json, feature);
	if (rc == 0)
		rc = read_default(reader, place, json, feature);
	return rc;
}

static int read_key(const struct reader *reader, const struct place *place,
	const json_t *json, struct entity_key *key)
{
	const char *type = json_string_value(json);
	key->name = place->member;
	int rc = reader_name(reader, place, key->name);
	if (rc < 0)
		return rc;
	if (type == NULL || !type_parse(slice_of(type), &key->type) ||
		(key->type.kind != TYPE_INT64 && key->type.kind != TYPE_STRING))
		return reader_refuse(
			reader, place, "a join key is \"int64\" or \"string\"");
	return 0;
}

static int read_entity(const struct reader *reader, const struct place *place,
	json_t *json, struct view *view)
{
	static const struct names any = {NULL, 0};
	int rc = reader_object(reader, place, json, any);
	if (rc < 0)
		return rc;
	view->key_count = json_object_size(json);
	if (view->key_count == 0 || view->key_count > SCHEMA_KEYS_MAX)
		return reader_refuse(reader, place,
			"must have 1 to %d join keys, such as {\"user_id\": "
			"\"int64\"}",
			SCHEMA_KEYS_MAX);
	view->keys = reader_take(reader, view->key_count * sizeof *view->keys);
	if (view->keys == NULL)
		return FAULT_OOM;
	size_t i = 0;
	const char *name;
	json_t *type;
	json_object_foreach(json, name, type)
	{
		const struct place at = {place, name, 0};
		rc = read_key(reader, &at, type, &view->keys[i++]);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int check_collision(const struct reader *reader,
	const struct place *place, const struct view *view,
	const struct feature *feature)
{
	for (size_t i = 0; i < view->key_count; i++)
		if (strcmp(view->keys[i].name, feature->name) == 0)
			return reader_refuse(reader, place,
				"view \"%s\" has a join key of that name: give "
				"the feature another",
				view->name);
	return 0;
}

static int by_name(const void *a, const void *b, void *features)
{
	const struct feature *list = features;
	return strcmp(
		list[*(const size_t *)a].name, list[*(const size_t *)b].name);
}

static int index_by_name(const struct reader *reader, struct view *view)
{
	view->by_name = reader_take(
		reader, view->feature_count * sizeof *view->by_name);
	if (view->by_name == NULL)
		return FAULT_OOM;
	for (size_t i = 0; i < view->feature_count; i++)
		view->by_name[i] = i;
	qsort_r(view->by_name, view->feature_count, sizeof *view->by_name,
		by_name, view->features);
	return 0;
}

static int read_features(const struct reader *reader, const struct place *place,
	json_t *json, struct view *view)
{
	static const struct names any = {NULL, 0};
	int rc = reader_object(reader, place, json, any);
	if (rc < 0)
		return rc;
	view->feature_count = json_object_size(json);
	if (view->feature_count == 0 ||
		view->feature_count > SCHEMA_FEATURES_MAX)
		return reader_refuse(reader, place,
			"must have 1 to %d features, such as {\"txns\": "
			"{\"type\": \"int64\"}}",
			SCHEMA_FEATURES_MAX);
	view->features = reader_take(
		reader, view->feature_count * sizeof *view->features);
	if (view->features == NULL)
		return FAULT_OOM;
	size_t i = 0;
	const char *name;
	json_t *child;
	json_object_foreach(json, name, child)
	{
		const struct place at = {place, name, 0};
		struct feature *feature = &view->features[i++];
		rc = read_feature(reader, &at, child, feature);
		if (rc == 0)
			rc = check_collision(reader, &at, view, feature);
		if (rc < 0)
			return rc;
		view->accumulates |= feature->merge != MERGE_LAST;
	}
	return index_by_name(reader, view);
}

/* *out is the choice for `member`; it holds the default on entry. */
static int read_choice(const struct reader *reader, const struct place *place,
	const json_t *serve, const char *member, enum choice *out)
{
	const char *const choices[CHOICE_COUNT] = {choice_name(CHOICE_SERVE),
		choice_name(CHOICE_DEFAULT), choice_name(CHOICE_FAIL)};
	int rc = reader_choice(
		reader, place, serve, member, NAMES_OF(choices), (int)*out);
	if (rc < 0)
		return rc;
	*out = (enum choice)rc;
	return 0;
}

/* Without a word in the schema: lag is told and served, what is expired or
 * missing gives way to the feature's default. */
static int read_serve(const struct reader *reader, const struct place *place,
	json_t *json, struct view *view)
{
	static const char *const members[] = {
		"max_lag", "when_behind", "when_expired", "when_missing"};
	view->max_lag_us = -1;
	view->when_behind = CHOICE_SERVE;
	view->when_expired = CHOICE_DEFAULT;
	view->when_missing = CHOICE_DEFAULT;
	if (json == NULL)
		return 0;
	int rc = reader_object(reader, place, json, NAMES_OF(members));
	if (rc == 0)
		rc = reader_duration(
			reader, place, json, "max_lag", &view->max_lag_us);
	if (rc == 0)
		rc = read_choice(
			reader, place, json, "when_behind", &view->when_behind);
	if (rc == 0)
		rc = read_choice(reader, place, json, "when_expired",
			&view->when_expired);
	if (rc == 0)
		rc = read_choice(reader, place, json, "when_missing",
			&view->when_missing);
	return rc;
}

static int read_view(const struct reader *reader, const struct place *place,
	json_t *json, struct view *view)
{
	static const char *const members[] = {
		"entity", "features", "ttl", "serve"};
	const struct place entity = {place, "entity", 0};
	const struct place features = {place, "features", 0};
	const struct place serve = {place, "serve", 0};
	view->name = place->member;
	int rc = reader_name(reader, place, view->name);
	if (rc == 0)
		rc = reader_object(reader, place, json, NAMES_OF(members));
	if (rc == 0)
		rc = read_entity(
			reader, &entity, json_object_get(json, "entity"), view);
	if (rc == 0)
		rc = read_features(reader, &features,
			json_object_get(json, "features"), view);
	if (rc == 0)
		rc = reader_duration(reader, place, json, "ttl", &view->ttl_us);
	if (rc == 0)
		rc = read_serve(
			reader, &serve, json_object_get(json, "serve"), view);
	return rc;
}

int read_views(struct reader *reader, const struct place *place, json_t *json)
{
	static const struct names any = {NULL, 0};
	struct schema *schema = reader->schema;
	int rc = reader_object(reader, place, json, any);
	if (rc < 0)
		return rc;
	schema->views = reader_take(
		reader, json_object_size(json) * sizeof *schema->views);
	if (schema->views == NULL)
		return FAULT_OOM;
	const char *name;
	json_t *child;
	json_object_foreach(json, name, child)
	{
		const struct place at = {place, name, 0};
		rc = read_view(
			reader, &at, child, &schema->views[schema->view_count]);
		if (rc < 0)
			return rc;
		schema->view_count++;
	}
	return 0;
}
