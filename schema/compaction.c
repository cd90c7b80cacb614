#include "schema/compaction.h"

#include <string.h>

static const struct feature *find_accumulated(const struct view *view)
{
	for (size_t i = 0; i < view->feature_count; i++)
		if (view->features[i].merge != MERGE_LAST)
			return &view->features[i];
	return NULL;
}

static bool is_fed(const struct source_schema *source, size_t view)
{
	for (size_t i = 0; i < source->update_count; i++)
		if (source->updates[i].view == view)
			return true;
	return source->envelope;
}

static bool keep_newest(const struct schema *schema,
	const struct source_schema *source, struct fault *why)
{
	for (size_t i = 0; i < schema->view_count; i++) {
		const struct view *view = &schema->views[i];
		const struct feature *feature = find_accumulated(view);
		if (feature == NULL || !is_fed(source, i))
			continue;
		fault_set(why, FAULT_USAGE,
			"feature %s of view %s accumulates, and compaction "
			"removes contributions: only \"last\" can come from "
			"a compacted topic%s",
			feature->name, view->name,
			source->envelope ? " (an envelope may name any view)"
					 : "");
		return false;
	}
	return true;
}

/* A record that is no update hides the one before it, which was. */
static bool always_update(const struct schema *schema,
	const struct source_schema *source, struct fault *why)
{
	for (size_t i = 0; i < source->update_count; i++) {
		const struct mapping *mapping = &source->updates[i];
		if (mapping->when_count == 0)
			continue;
		fault_set(why, FAULT_USAGE,
			"update %zu, of view %s, has a \"when\": a record that "
			"does not meet it takes the place of one that did",
			i, schema->views[mapping->view].name);
		return false;
	}
	return true;
}

static bool same_entity(const struct schema *schema, const struct mapping *a,
	const struct mapping *b)
{
	size_t count = schema->views[a->view].key_count;
	if (count != schema->views[b->view].key_count)
		return false;
	for (size_t i = 0; i < count; i++)
		if (strcmp(a->entity[i].text, b->entity[i].text) != 0)
			return false;
	return true;
}

static bool have_one_entity(const struct schema *schema,
	const struct source_schema *source, struct fault *why)
{
	for (size_t i = 1; i < source->update_count; i++) {
		const struct mapping *first = &source->updates[0];
		const struct mapping *other = &source->updates[i];
		if (same_entity(schema, first, other))
			continue;
		fault_set(why, FAULT_USAGE,
			"updates 0 and %zu, of views %s and %s, take their "
			"entities from different places: a record has one key, "
			"which can't be both",
			i, schema->views[first->view].name,
			schema->views[other->view].name);
		return false;
	}
	return true;
}

bool compaction_possible(const struct schema *schema,
	const struct source_schema *source, struct fault *why)
{
	return keep_newest(schema, source, why) &&
	       always_update(schema, source, why) &&
	       have_one_entity(schema, source, why);
}

bool compaction_safe(const struct schema *schema,
	const struct source_schema *source, struct fault *why)
{
	if (!compaction_possible(schema, source, why))
		return false;
	if (source->compacted)
		return true;
	fault_set(why, FAULT_USAGE,
		"nobody says that each record is the whole row of the entity "
		"in its key, and the last one of a key its newest: if that is "
		"so, the source may say \"compacted\": true");
	return false;
}
