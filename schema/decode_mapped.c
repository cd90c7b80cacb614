/*
 * Records as they are, mapped onto views by JSON pointers.
 */
#include "schema/canonical.h"
#include "schema/decoding.h"
#include "schema/pointer.h"

/* What a mapping finds in an event. */
struct found {
	json_t *entity[SCHEMA_KEYS_MAX];
	struct taken *taken;
	size_t count;
};

static bool holds(const struct condition *condition, json_t *document)
{
	const json_t *given = pointer_find(&condition->pointer, document);
	for (size_t i = 0; given != NULL && i < condition->count; i++)
		if (canonical_same(given, condition->values[i]))
			return true;
	return false;
}

static bool applies(const struct mapping *mapping, json_t *document)
{
	for (size_t i = 0; i < mapping->when_count; i++)
		if (!holds(&mapping->when[i], document))
			return false;
	return true;
}

/* False: out of memory. */
static bool find(struct decoding *decoding, const struct mapping *mapping,
	struct found *found)
{
	const struct view *view =
		&decoding->decoder->schema->views[mapping->view];
	for (size_t i = 0; i < view->key_count; i++)
		found->entity[i] =
			pointer_find(&mapping->entity[i], decoding->document);
	found->count = 0;
	found->taken = decoding_take(
		decoding, mapping->feature_count * sizeof *found->taken);
	if (found->taken == NULL)
		return false;
	for (size_t i = 0; i < mapping->feature_count; i++) {
		const struct mapped_feature *mapped = &mapping->features[i];
		struct taken *taken = &found->taken[found->count];
		*taken = (struct taken){mapped->feature, NULL, &mapped->value};
		if (mapped->constant == NULL)
			taken->json = pointer_find(
				&mapped->pointer, decoding->document);
		found->count += mapped->constant != NULL || taken->json != NULL;
	}
	return true;
}

/* The event's own values: constants are the schema's, and headers are not
 * content. */
static void put_content(struct decoding *decoding,
	const struct mapping *mapping, const struct found *found)
{
	struct buffer *content = &decoding->scratch;
	const struct view *view =
		&decoding->decoder->schema->views[mapping->view];
	content->length = 0;
	buffer_byte(content, (unsigned char)mapping->operation);
	for (size_t i = 0; i < view->key_count; i++)
		canonical_json(content, found->entity[i]);
	for (size_t i = 0; i < found->count; i++) {
		const struct taken *taken = &found->taken[i];
		if (taken->json == NULL)
			continue;
		buffer_slice(
			content, slice_of(view->features[taken->feature].name));
		canonical_json(content, taken->json);
	}
	canonical_json(content, decoding->event_time.json);
}

static void decode_mapping(struct decoding *decoding, uint32_t place)
{
	const struct mapping *mapping = &decoding->source->updates[place];
	const struct view *view =
		&decoding->decoder->schema->views[mapping->view];
	struct found found = {.count = 0};
	if (!applies(mapping, decoding->document) ||
		!find(decoding, mapping, &found))
		return;
	if (mapping->operation == OPERATION_UPSERT && found.count == 0)
		return;
	put_content(decoding, mapping, &found);
	struct update *update =
		decoding_update(decoding, place, slice_of(view->name));
	update->view = view;
	update->operation = mapping->operation;
	(void)(judge_entity(decoding, update, found.entity) &&
		judge_time(decoding, update) &&
		judge_features(decoding, update, found.taken, found.count));
}

void decode_mapped(struct decoding *decoding)
{
	const struct source_schema *source = decoding->source;
	if (!decoding_reserve(decoding, source->update_count))
		return;
	for (uint32_t i = 0; i < source->update_count; i++)
		decode_mapping(decoding, i);
}
