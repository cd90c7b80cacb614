/*
 * holdfast's own envelope: id, view, entity, event_time, op, features.
 * Members beyond these are nobody's business: producers add them.
 */
#include "schema/canonical.h"
#include "schema/decoding.h"

#include <stdlib.h>

/* An unknown name is quoted up to here, in bytes. */
#define QUOTE_BYTES_MAX 63

/* The feature members of an envelope, known and unknown. */
struct members {
	struct taken *taken; /* taken[0..count), ascending */
	size_t count;
	size_t unknown_count;
	struct slice unknown; /* the first of them */
};

static struct slice text_of(const json_t *json)
{
	return (struct slice){
		json_string_value(json), json_string_length(json)};
}

/* The beginning of a name, never cut within a character. */
static struct slice quoted(struct slice name)
{
	if (name.length <= QUOTE_BYTES_MAX)
		return name;
	name.length = QUOTE_BYTES_MAX;
	while (name.length > 0 && (name.data[name.length] & 0xC0) == 0x80)
		name.length--;
	return name;
}

static bool read_operation(const json_t *event, enum operation *out)
{
	static const char *const names[] = {[OPERATION_UPSERT] = "upsert",
		[OPERATION_REPLACE] = "replace",
		[OPERATION_DELETE] = "delete"};
	const json_t *op = json_object_get(event, "op");
	*out = OPERATION_UPSERT;
	if (op == NULL)
		return true;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (json_is_string(op) &&
			slice_equal(text_of(op), slice_of(names[i]))) {
			*out = (enum operation)i;
			return true;
		}
	return false;
}

/* NULL, or what is wrong with op and features. */
static const char *wrong_shape(const json_t *event, enum operation *operation)
{
	const json_t *features = json_object_get(event, "features");
	size_t count = json_object_size(features);
	if (!read_operation(event, operation))
		return "op must be upsert, replace or delete";
	if (features != NULL && !json_is_object(features))
		return "features must be an object";
	if (*operation == OPERATION_UPSERT && count == 0)
		return "an upsert needs features: name at least one";
	if (*operation == OPERATION_DELETE && count > 0)
		return "a delete has no features: leave them out";
	return NULL;
}

static bool judge_view(struct decoding *decoding, struct update *update)
{
	if (update->view_name.data == NULL)
		return update_blame(
			update, REASON_BAD_EVENT, "view must name a view");
	update->view =
		schema_view(decoding->decoder->schema, update->view_name);
	if (update->view != NULL)
		return true;
	update->parks = reason_policy(REASON_UNKNOWN_VIEW) == POLICY_PARK;
	struct slice name = quoted(update->view_name);
	return update_blame(update, REASON_UNKNOWN_VIEW,
		arena_print(decoding->arena, "no view \"%.*s\" in the schema",
			(int)name.length, name.data));
}

/* An entity with more members than the view joins on is another entity. */
static bool judge_members(
	struct decoding *decoding, struct update *update, const json_t *given)
{
	const struct view *view = update->view;
	json_t *entity[SCHEMA_KEYS_MAX];
	if (given != NULL && !json_is_null(given) && !json_is_object(given))
		return update_blame(update, REASON_BAD_ENTITY,
			"entity must be an object of join keys");
	for (size_t i = 0; i < view->key_count; i++)
		entity[i] = json_object_get(given, view->keys[i].name);
	if (!judge_entity(decoding, update, entity))
		return false;
	if (json_object_size(given) == view->key_count)
		return true;
	return update_blame(update, REASON_BAD_ENTITY,
		"entity has members that the view does not join on");
}

static int by_feature(const void *a, const void *b)
{
	size_t left = ((const struct taken *)a)->feature;
	size_t right = ((const struct taken *)b)->feature;
	return (left > right) - (left < right);
}

/* False: out of memory. */
static bool find_members(struct decoding *decoding, const struct view *view,
	json_t *features, struct members *out)
{
	*out = (struct members){0};
	out->taken = decoding_take(
		decoding, json_object_size(features) * sizeof *out->taken);
	if (out->taken == NULL)
		return false;
	bool ascending = true;
	const char *name;
	size_t length;
	json_t *json;
	json_object_keylen_foreach(features, name, length, json)
	{
		int feature = view_feature(view, (struct slice){name, length});
		if (feature < 0) {
			if (out->unknown_count++ == 0)
				out->unknown = (struct slice){name, length};
			continue;
		}
		struct taken *taken = &out->taken[out->count++];
		*taken = (struct taken){(size_t)feature, json, NULL};
		ascending =
			ascending &&
			(out->count == 1 || by_feature(taken - 1, taken) < 0);
	}
	if (!ascending)
		qsort(out->taken, out->count, sizeof *out->taken, by_feature);
	return true;
}

static bool judge_unknown(struct decoding *decoding, struct update *update,
	const struct members *members)
{
	enum unknown_feature policy = decoding->source->unknown_feature;
	if (members->unknown_count == 0)
		return true;
	if (policy == UNKNOWN_FEATURE_IGNORE) {
		update->ignored_features = (uint32_t)members->unknown_count;
		return true;
	}
	update->parks = policy == UNKNOWN_FEATURE_PARK;
	struct slice name = quoted(members->unknown);
	return update_blame(update, REASON_UNKNOWN_FEATURE,
		arena_print(decoding->arena, "view \"%s\" has no \"%.*s\"",
			update->view->name, (int)name.length, name.data));
}

static bool judge_shape(
	struct decoding *decoding, struct update *update, const json_t *event)
{
	const char *wrong = wrong_shape(event, &update->operation);
	if (decoding->source->compacted &&
		update->operation == OPERATION_UPSERT)
		update->operation = OPERATION_REPLACE;
	return wrong == NULL || update_blame(update, REASON_BAD_EVENT, wrong);
}

static bool judge_named_features(
	struct decoding *decoding, struct update *update, json_t *features)
{
	struct members members;
	return find_members(decoding, update->view, features, &members) &&
	       judge_unknown(decoding, update, &members) &&
	       judge_features(decoding, update, members.taken, members.count);
}

/* The update that an envelope, or the key of a null value, stands for. Its
 * content is in `scratch`. */
static struct update *begin(struct decoding *decoding, const json_t *json)
{
	struct slice name = text_of(json_object_get(json, "view"));
	/* The JSON goes, the update stays. */
	struct slice kept = arena_copy(decoding->arena, name);
	decoding->out_of_memory |= name.data != NULL && kept.data == NULL;
	return decoding_update(decoding, 0, kept);
}

void decode_envelope(struct decoding *decoding)
{
	json_t *event = decoding->document;
	if (!decoding_reserve(decoding, 1))
		return;
	decoding->scratch.length = 0;
	canonical_object_without(&decoding->scratch, event, "id");
	struct update *update = begin(decoding, event);
	(void)(judge_view(decoding, update) &&
		judge_shape(decoding, update, event) &&
		judge_members(
			decoding, update, json_object_get(event, "entity")) &&
		judge_time(decoding, update) &&
		judge_named_features(
			decoding, update, json_object_get(event, "features")));
}

void decode_envelope_key(struct decoding *decoding, json_t *key)
{
	if (!decoding_reserve(decoding, 1))
		return;
	decoding->scratch.length = 0;
	canonical_json(&decoding->scratch, key);
	struct update *update = begin(decoding, key);
	update->operation = OPERATION_DELETE;
	if (update->view_name.data == NULL)
		update_blame(update, REASON_MISSING_ENTITY,
			"a null value deletes the entity in the record's key: "
			"{\"view\": ..., \"entity\": {...}}");
	else
		(void)(judge_view(decoding, update) &&
			judge_members(decoding, update,
				json_object_get(key, "entity")) &&
			judge_time(decoding, update));
}
