/* Comparing schemas: the sources, and how they map onto views. */
#include "schema/schema_compare.h"

#include <string.h>

#define REBUILD_EVENTS                                                         \
	"what was taken under the old rule would be another event, or none, "  \
	"under the new one"

static void add(struct diff *diff, const char *why,
	const struct source_schema *source, const char *what)
{
	diff_add(diff, why,
		arena_print(diff->arena, "source %s: %s", source->topic, what));
}

static bool same_pointer(const struct pointer *a, const struct pointer *b)
{
	return strcmp(a->text, b->text) == 0;
}

static bool same_ids(
	const struct source_schema *a, const struct source_schema *b)
{
	if (a->id_count != b->id_count)
		return false;
	for (size_t i = 0; i < a->id_count; i++)
		if (!same_pointer(&a->ids[i], &b->ids[i]))
			return false;
	return true;
}

static bool same_time(
	const struct source_schema *a, const struct source_schema *b)
{
	return a->has_event_time == b->has_event_time &&
	       a->event_time_unit == b->event_time_unit &&
	       (!a->has_event_time ||
		       same_pointer(&a->event_time, &b->event_time));
}

static bool same_condition(const struct condition *a, const struct condition *b)
{
	if (a->count != b->count || !same_pointer(&a->pointer, &b->pointer))
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!json_equal(a->values[i], b->values[i]))
			return false;
	return true;
}

static bool same_conditions(const struct mapping *a, const struct mapping *b)
{
	if (a->when_count != b->when_count)
		return false;
	for (size_t i = 0; i < a->when_count; i++)
		if (!same_condition(&a->when[i], &b->when[i]))
			return false;
	return true;
}

static bool same_value(
	const struct mapped_feature *a, const struct mapped_feature *b)
{
	if ((a->constant == NULL) != (b->constant == NULL))
		return false;
	return a->constant == NULL ? same_pointer(&a->pointer, &b->pointer)
				   : json_equal(a->constant, b->constant);
}

static const struct mapped_feature *find_mapped(const struct view *view,
	const struct mapping *mapping, const char *name)
{
	for (size_t i = 0; i < mapping->feature_count; i++) {
		const struct mapped_feature *one = &mapping->features[i];
		if (strcmp(view->features[one->feature].name, name) == 0)
			return one;
	}
	return NULL;
}

/* By names: features may have moved within their view. */
static bool same_features(const struct view *of_a, const struct mapping *a,
	const struct view *of_b, const struct mapping *b)
{
	if (a->feature_count != b->feature_count)
		return false;
	for (size_t i = 0; i < a->feature_count; i++) {
		const struct mapped_feature *one = &a->features[i];
		const struct mapped_feature *other =
			find_mapped(of_b, b, of_a->features[one->feature].name);
		if (other == NULL || !same_value(one, other))
			return false;
	}
	return true;
}

static bool same_mapping(const struct diff *diff, const struct mapping *a,
	const struct mapping *b)
{
	const struct view *of_a = &diff->held->views[a->view];
	const struct view *of_b = &diff->wanted->views[b->view];
	if (strcmp(of_a->name, of_b->name) != 0 ||
		a->operation != b->operation ||
		of_a->key_count != of_b->key_count)
		return false;
	for (size_t i = 0; i < of_a->key_count; i++)
		if (!same_pointer(&a->entity[i], &b->entity[i]))
			return false;
	return same_conditions(a, b) && same_features(of_a, a, of_b, b);
}

/* The place of an update is part of keys and versions, its values are what
 * tells a copy from another event. */
static void compare_updates(struct diff *diff, const struct source_schema *held,
	const struct source_schema *wanted)
{
	for (size_t i = 0; i < held->update_count; i++) {
		if (i < wanted->update_count &&
			same_mapping(
				diff, &held->updates[i], &wanted->updates[i]))
			continue;
		add(diff,
			"copies of what was taken would no longer be known as "
			"copies: leave the updates there are, and add one "
			"behind them",
			wanted,
			arena_print(diff->arena, "update %zu differs", i));
	}
	for (size_t i = held->update_count; i < wanted->update_count; i++)
		add(diff, NULL, wanted,
			arena_print(diff->arena,
				"update %zu of view %s is new, for what comes "
				"from now on",
				i,
				diff->wanted->views[wanted->updates[i].view]
					.name));
}

static void compare_source(struct diff *diff, const struct source_schema *held,
	const struct source_schema *wanted)
{
	if (held->envelope != wanted->envelope) {
		add(diff, REBUILD_EVENTS, wanted,
			wanted->envelope ? "its mapping is gone"
					 : "it has a mapping now");
		return;
	}
	if (!same_ids(held, wanted))
		add(diff, REBUILD_EVENTS, wanted, "id differs");
	if (!same_time(held, wanted))
		add(diff, REBUILD_EVENTS, wanted, "event_time differs");
	if (held->missing_key != wanted->missing_key)
		add(diff,
			wanted->missing_key == MISSING_KEY_REJECT
				? "what was taken without a key would be dead"
				: NULL,
			wanted, "missing_key differs");
	if (held->unknown_feature != wanted->unknown_feature)
		add(diff, NULL, wanted,
			"unknown_feature differs, for what comes from now on");
	if (held->compacted != wanted->compacted)
		add(diff, REBUILD_EVENTS, wanted,
			"compacted differs, by which an upsert is the whole "
			"row");
	else
		compare_updates(diff, held, wanted);
}

void diff_sources(struct diff *diff)
{
	const struct schema *held = diff->held, *wanted = diff->wanted;
	for (size_t i = 0; i < wanted->source_count; i++) {
		const struct source_schema *one = &wanted->sources[i];
		const struct source_schema *before =
			schema_source(held, one->topic);
		if (before == NULL)
			add(diff, NULL, one,
				"is new, and taken from its log's start");
		else
			compare_source(diff, before, one);
	}
	for (size_t i = 0; i < held->source_count; i++)
		if (schema_source(wanted, held->sources[i].topic) == NULL)
			add(diff,
				"what came from it could not be retried or "
				"explained any more: pause its partitions "
				"instead",
				&held->sources[i], "is gone");
}
