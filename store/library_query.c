/* libholdfast: queries, whose names are resolved once. */
#include "schema/nearest.h"
#include "store/library_inside.h"

#include <stdlib.h>
#include <string.h>

static int no_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_OOM, "no memory for a query");
}

static void *take(struct holdfast_query *query, size_t count, size_t size)
{
	void *memory = arena_take(&query->memory, count * size);
	if (memory != NULL)
		memset(memory, 0, count * size);
	return memory;
}

/* "there is no view caards: did you mean cards?" */
static int unknown(struct fault *fault, const char *what, const char *name,
	const char *const *names, size_t count)
{
	const char *nearest =
		names == NULL ? NULL : nearest_name(name, names, count);
	return fault_set(fault, FAULT_USAGE, "there is no %s %s%s%s%s", what,
		name, nearest == NULL ? "" : ": did you mean ",
		nearest == NULL ? "" : nearest, nearest == NULL ? "" : "?");
}

/* The first member of each of items[0..count) is its name. */
static const char *const *names_of(struct holdfast_query *query,
	const void *items, size_t count, size_t size)
{
	const char **names = arena_take(&query->scratch, count * sizeof *names);
	for (size_t i = 0; names != NULL && i < count; i++)
		memcpy(&names[i], (const char *)items + i * size,
			sizeof names[i]);
	return names;
}
_Static_assert(offsetof(struct view, name) == 0 &&
		       offsetof(struct feature, name) == 0 &&
		       offsetof(struct service, name) == 0,
	"names come first");

static int find_feature(struct holdfast_query *query, const char *view_name,
	const char *name, struct wanted *out, struct fault *fault)
{
	const struct schema *schema = reader_schema(query->store->reader);
	const struct view *view = schema_view(schema, slice_of(view_name));
	if (view == NULL)
		return unknown(fault, "view", view_name,
			names_of(query, schema->views, schema->view_count,
				sizeof schema->views[0]),
			schema->view_count);
	int feature = view_feature(view, slice_of(name));
	if (feature < 0) {
		unknown(fault, "feature", name,
			names_of(query, view->features, view->feature_count,
				sizeof view->features[0]),
			view->feature_count);
		return fault_wrap(fault, FAULT_USAGE, "view %s", view_name);
	}
	*out = (struct wanted){view, (size_t)feature};
	return 0;
}

/* "view:feature" */
static int parse_feature(struct holdfast_query *query, const char *text,
	struct wanted *out, struct fault *fault)
{
	const char *colon = strchr(text, ':');
	if (colon == NULL)
		return fault_set(fault, FAULT_USAGE,
			"\"%s\" names no feature: write \"view:feature\"",
			text);
	struct slice view = {text, (size_t)(colon - text)};
	const char *name = arena_copy(&query->scratch, view).data;
	if (name == NULL)
		return no_memory(fault);
	return find_feature(query, name, colon + 1, out, fault);
}

static enum holdfast_type type_of(enum value_type kind)
{
	static const enum holdfast_type types[] = {
		[TYPE_BOOL] = HOLDFAST_TYPE_BOOL,
		[TYPE_INT64] = HOLDFAST_TYPE_INT64,
		[TYPE_FLOAT64] = HOLDFAST_TYPE_FLOAT64,
		[TYPE_DECIMAL] = HOLDFAST_TYPE_DECIMAL,
		[TYPE_STRING] = HOLDFAST_TYPE_STRING,
		[TYPE_BYTES] = HOLDFAST_TYPE_BYTES,
		[TYPE_TIMESTAMP] = HOLDFAST_TYPE_TIMESTAMP,
		[TYPE_VECTOR] = HOLDFAST_TYPE_VECTOR,
	};
	return types[kind];
}

static struct holdfast_feature describe(const struct wanted *wanted)
{
	const struct feature *feature =
		&wanted->view->features[wanted->feature];
	return (struct holdfast_feature){wanted->view->name, feature->name,
		type_of(feature->type.kind), feature->type.scale,
		feature->type.length};
}

static const char *copy_text(struct holdfast_query *query, const char *text)
{
	return arena_copy(&query->memory, slice_of(text)).data;
}

/* The number of the part that asks the view; a new one is made at the end. */
static size_t part_of(struct holdfast_query *query, const struct view *view)
{
	size_t i = 0;
	while (i < query->part_count && query->parts[i].view != view)
		i++;
	if (i == query->part_count)
		query->parts[query->part_count++].view = view;
	return i;
}

/* The number of the key in the query; a new one is made at the end. */
static int key_of(struct holdfast_query *query, const struct entity_key *key,
	size_t *out, struct fault *fault)
{
	enum holdfast_type type = type_of(key->type.kind);
	size_t i = 0;
	while (i < query->key_count &&
		strcmp(query->keys[i].name, key->name) != 0)
		i++;
	*out = i;
	if (i == query->key_count) {
		query->keys[i].name = copy_text(query, key->name);
		query->keys[i].type = type;
		if (query->keys[i].name == NULL)
			return no_memory(fault);
		query->key_count++;
	}
	if (query->keys[i].type == type)
		return 0;
	return fault_set(fault, FAULT_USAGE,
		"the views differ in the type of key %s: ask them in queries "
		"of their own",
		key->name);
}

static int place_keys(struct holdfast_query *query, struct fault *fault)
{
	size_t count = 0;
	for (size_t i = 0; i < query->part_count; i++)
		count += query->parts[i].view->key_count;
	query->keys = take(query, count, sizeof *query->keys);
	query->bindings = take(query, count, sizeof *query->bindings);
	if (query->keys == NULL || query->bindings == NULL)
		return no_memory(fault);
	int rc = 0;
	for (size_t i = 0; i < query->part_count; i++) {
		struct query_part *part = &query->parts[i];
		part->key_count = part->view->key_count;
		part->keys = take(query, part->key_count, sizeof *part->keys);
		if (part->keys == NULL)
			return no_memory(fault);
		for (size_t k = 0; rc == 0 && k < part->key_count; k++)
			rc = key_of(query, &part->view->keys[k], &part->keys[k],
				fault);
	}
	return rc;
}

/* What feature `i` is, by names of the query's own, and its place in a part. */
static int place_feature(
	struct holdfast_query *query, size_t i, struct fault *fault)
{
	struct holdfast_feature *feature = &query->features[i];
	*feature = describe(&query->wanted[i]);
	feature->view = copy_text(query, feature->view);
	feature->name = copy_text(query, feature->name);
	if (feature->view == NULL || feature->name == NULL)
		return no_memory(fault);
	size_t part = part_of(query, query->wanted[i].view);
	query->places[i] =
		(struct query_place){part, query->parts[part].feature_count++};
	return 0;
}

static int place_features(struct holdfast_query *query, struct fault *fault)
{
	size_t count = query->feature_count;
	query->features = take(query, count, sizeof *query->features);
	query->places = take(query, count, sizeof *query->places);
	query->parts = take(query, count, sizeof *query->parts);
	size_t *columns = take(query, count, sizeof *columns);
	if (query->features == NULL || query->places == NULL ||
		query->parts == NULL || columns == NULL)
		return no_memory(fault);
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = place_feature(query, i, fault);
	for (size_t i = 0; i < query->part_count; i++) {
		query->parts[i].features = columns;
		columns += query->parts[i].feature_count;
	}
	return rc;
}

/* Let the parts ask for what is wanted, in the present schema. */
static void point_parts(struct holdfast_query *query)
{
	for (size_t i = 0; i < query->feature_count; i++) {
		const struct query_place *place = &query->places[i];
		const struct wanted *wanted = &query->wanted[i];
		struct query_part *part = &query->parts[place->part];
		part->view = wanted->view;
		part->features[place->column] = wanted->feature;
	}
	query->opening = query->store->openings;
}

static int changed(const struct holdfast_query *query, const char *view,
	const char *what, const char *name, struct fault *fault)
{
	return fault_set(fault, FAULT_USAGE,
		"view %s: %s %s is not in generation %s as this query knows "
		"it: make the query anew",
		view, what, name, reader_generation(query->store->reader));
}

static bool same_type(
	const struct holdfast_feature *a, const struct holdfast_feature *b)
{
	return a->type == b->type && a->scale == b->scale &&
	       a->length == b->length;
}

static int check_keys(const struct holdfast_query *query,
	const struct query_part *part, const struct view *view,
	struct fault *fault)
{
	if (view->key_count != part->key_count)
		return changed(
			query, view->name, "the number of", "keys", fault);
	for (size_t k = 0; k < view->key_count; k++) {
		const struct holdfast_key *key = &query->keys[part->keys[k]];
		if (strcmp(view->keys[k].name, key->name) != 0 ||
			type_of(view->keys[k].type.kind) != key->type)
			return changed(
				query, view->name, "key", key->name, fault);
	}
	return 0;
}

int query_resolve(struct holdfast_query *query, struct fault *fault)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < query->feature_count; i++) {
		const struct holdfast_feature *known = &query->features[i];
		rc = find_feature(query, known->view, known->name,
			&query->wanted[i], fault);
		if (rc < 0)
			return rc;
		struct holdfast_feature now = describe(&query->wanted[i]);
		if (!same_type(known, &now))
			rc = changed(query, known->view, "feature", known->name,
				fault);
		if (rc == 0)
			rc = check_keys(query,
				&query->parts[query->places[i].part],
				query->wanted[i].view, fault);
	}
	if (rc == 0)
		point_parts(query);
	return rc;
}

static int take_terms(struct holdfast_query *query,
	const struct holdfast_terms *terms, struct fault *fault)
{
	query->terms = terms_loosest();
	if (terms == NULL)
		return 0;
	const enum holdfast_choice choices[] = {
		terms->when_behind, terms->when_expired, terms->when_missing};
	for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++)
		if ((unsigned)choices[i] > HOLDFAST_CHOICE_FAIL)
			return fault_set(fault, FAULT_USAGE,
				"terms: %d is no holdfast_choice", choices[i]);
	if (terms->max_lag_us < 0 || terms->ttl_us < 0)
		return fault_set(fault, FAULT_USAGE,
			"terms: a limit is negative: 0 is no limit");
	query->terms = (struct terms){
		.max_lag_us =
			terms->max_lag_us == 0 ? LAG_ANY : terms->max_lag_us,
		.ttl_us = terms->ttl_us == 0 ? TTL_FOR_EVER : terms->ttl_us,
		.when_behind = (enum choice)terms->when_behind,
		.when_expired = (enum choice)terms->when_expired,
		.when_missing = (enum choice)terms->when_missing,
	};
	return 0;
}
_Static_assert(HOLDFAST_CHOICE_SERVE == (int)CHOICE_SERVE &&
		       HOLDFAST_CHOICE_DEFAULT == (int)CHOICE_DEFAULT &&
		       HOLDFAST_CHOICE_FAIL == (int)CHOICE_FAIL,
	"choices are those of the schema");

/* A query with room for `count` wanted features, not yet in the store's list.
 * NULL: the fault says why. */
static struct holdfast_query *begin(
	struct holdfast *store, size_t count, struct fault *fault)
{
	if (count == 0 || count > HOLDFAST_FEATURES_MAX) {
		fault_set(fault, FAULT_USAGE,
			"%zu features: a query asks for 1 to %d", count,
			HOLDFAST_FEATURES_MAX);
		return NULL;
	}
	struct holdfast_query *query = calloc(1, sizeof *query);
	if (query != NULL) {
		query->store = store;
		query->feature_count = count;
		query->wanted = take(query, count, sizeof *query->wanted);
	}
	if (query != NULL && query->wanted != NULL)
		return query;
	no_memory(fault);
	query_destroy(query);
	return NULL;
}

/* All that is wanted is known: make the plan. */
static int end(struct holdfast_query *query, const struct holdfast_terms *terms,
	struct fault *fault)
{
	int rc = take_terms(query, terms, fault);
	if (rc == 0)
		rc = place_features(query, fault);
	if (rc == 0)
		rc = place_keys(query, fault);
	if (rc != 0)
		return rc;
	point_parts(query);
	query->next = query->store->queries;
	query->store->queries = query;
	return 0;
}

int holdfast_query_new(struct holdfast_query **out, struct holdfast *store,
	const char *const *features, size_t count,
	const struct holdfast_terms *terms, struct holdfast_error *error)
{
	struct fault fault = {0};
	*out = NULL;
	struct holdfast_query *query = begin(store, count, &fault);
	if (query == NULL)
		return library_failed(error, &fault);
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = parse_feature(
			query, features[i], &query->wanted[i], &fault);
	if (rc == 0)
		rc = end(query, terms, &fault);
	if (rc != 0) {
		query_destroy(query);
		return library_failed(error, &fault);
	}
	*out = query;
	return HOLDFAST_OK;
}

static const struct service *find_service(
	const struct schema *schema, const char *name)
{
	for (size_t i = 0; i < schema->service_count; i++)
		if (strcmp(schema->services[i].name, name) == 0)
			return &schema->services[i];
	return NULL;
}

int holdfast_query_service(struct holdfast_query **out, struct holdfast *store,
	const char *service, const struct holdfast_terms *terms,
	struct holdfast_error *error)
{
	struct fault fault = {0};
	*out = NULL;
	const struct schema *schema = reader_schema(store->reader);
	const struct service *known = find_service(schema, service);
	if (known == NULL) {
		fault_set(
			&fault, FAULT_USAGE, "there is no service %s", service);
		return library_failed(error, &fault);
	}
	struct holdfast_query *query =
		begin(store, known->feature_count, &fault);
	if (query == NULL)
		return library_failed(error, &fault);
	for (size_t i = 0; i < known->feature_count; i++)
		query->wanted[i] =
			(struct wanted){&schema->views[known->features[i].view],
				known->features[i].feature};
	if (end(query, terms, &fault) != 0) {
		query_destroy(query);
		return library_failed(error, &fault);
	}
	*out = query;
	return HOLDFAST_OK;
}

void query_destroy(struct holdfast_query *query)
{
	if (query == NULL)
		return;
	for (size_t i = 0; query->bindings != NULL && i < query->key_count;
		i++) {
		free(query->bindings[i].values);
		free(query->bindings[i].text);
	}
	arena_finish(&query->memory);
	arena_finish(&query->scratch);
	free(query);
}

void holdfast_query_free(struct holdfast_query *query)
{
	if (query == NULL)
		return;
	struct holdfast_query **link = &query->store->queries;
	while (*link != query)
		link = &(*link)->next;
	*link = query->next;
	query_destroy(query);
}

const struct holdfast_feature *holdfast_query_features(
	const struct holdfast_query *query, size_t *count)
{
	*count = query->feature_count;
	return query->features;
}

const struct holdfast_key *holdfast_query_keys(
	const struct holdfast_query *query, size_t *count)
{
	*count = query->key_count;
	return query->keys;
}
