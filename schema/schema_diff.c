#include "schema/schema_diff.h"

#include "schema/schema_compare.h"
#include "schema/type.h"

#include <stdlib.h>
#include <string.h>

#define REBUILD_VALUES                                                         \
	"the values that are stored were made by the old rule: only the log "  \
	"has what the new one needs"

void diff_add(struct diff *diff, const char *why, const char *what)
{
	if (what == NULL || diff->failed) {
		diff->failed = true;
		return;
	}
	if (diff->count == diff->room) {
		size_t room = 2 * diff->room + 16;
		struct schema_change *more =
			arena_take(diff->arena, room * sizeof *more);
		if (more == NULL) {
			diff->failed = true;
			return;
		}
		if (diff->count > 0)
			memcpy(more, diff->changes, diff->count * sizeof *more);
		diff->changes = more;
		diff->room = room;
	}
	diff->changes[diff->count++] = (struct schema_change){what, why};
	diff->refused += why != NULL;
}

static const char *of_feature(struct diff *diff, const struct view *view,
	const struct feature *feature, const char *what)
{
	return arena_print(diff->arena, "view %s: feature %s: %s", view->name,
		feature->name, what);
}

static bool same_type(const struct type *a, const struct type *b)
{
	return a->kind == b->kind && a->scale == b->scale &&
	       a->length == b->length;
}

static bool same_default(const struct feature *a, const struct feature *b)
{
	return (a->fallback == NULL) == (b->fallback == NULL) &&
	       (a->fallback == NULL || json_equal(a->fallback, b->fallback));
}

static void compare_type(struct diff *diff, const struct view *view,
	const struct feature *held, const struct feature *wanted)
{
	char from[TYPE_NAME_SIZE], to[TYPE_NAME_SIZE];
	if (same_type(&held->type, &wanted->type))
		return;
	diff_add(diff, REBUILD_VALUES,
		of_feature(diff, view, wanted,
			arena_print(diff->arena, "type %s becomes %s",
				type_print(&held->type, from),
				type_print(&wanted->type, to))));
}

static void compare_length(struct diff *diff, const struct view *view,
	const struct feature *held, const struct feature *wanted)
{
	bool shorter =
		wanted->max_length >= 0 &&
		(held->max_length < 0 || wanted->max_length < held->max_length);
	if (held->max_length == wanted->max_length)
		return;
	diff_add(diff,
		shorter ? "what is stored may be longer, and would be refused "
			  "by a rebuild"
			: NULL,
		of_feature(diff, view, wanted,
			shorter ? "max_length is less" : "max_length is more"));
}

/* `sign`: 1 where a larger bound is a narrower one. */
static bool is_narrower(enum value_type kind, const struct value *held,
	const struct value *wanted, int sign)
{
	return wanted->state == VALUE_SET &&
	       (held->state != VALUE_SET ||
		       sign * value_compare(kind, wanted, held) > 0);
}

static void add_bound(struct diff *diff, bool narrower, const char *what)
{
	diff_add(diff,
		narrower ? "what is stored may lie beyond, and would be "
			   "refused by a rebuild"
			 : NULL,
		what);
}

static void compare_bounds(struct diff *diff, const struct view *view,
	const struct feature *held, const struct feature *wanted)
{
	enum value_type kind = held->type.kind;
	bool narrower;
	if (!same_type(&held->type, &wanted->type))
		return;
	if (!value_equal(kind, &held->minimum, &wanted->minimum)) {
		narrower =
			is_narrower(kind, &held->minimum, &wanted->minimum, 1);
		add_bound(diff, narrower,
			of_feature(diff, view, wanted,
				narrower ? "minimum is narrower"
					 : "minimum is wider"));
	}
	if (!value_equal(kind, &held->maximum, &wanted->maximum)) {
		narrower =
			is_narrower(kind, &held->maximum, &wanted->maximum, -1);
		add_bound(diff, narrower,
			of_feature(diff, view, wanted,
				narrower ? "maximum is narrower"
					 : "maximum is wider"));
	}
}

static void compare_feature(struct diff *diff, const struct view *view,
	const struct feature *held, const struct feature *wanted)
{
	compare_type(diff, view, held, wanted);
	if (held->merge != wanted->merge)
		diff_add(diff, REBUILD_VALUES,
			of_feature(diff, view, wanted, "merge differs"));
	compare_length(diff, view, held, wanted);
	compare_bounds(diff, view, held, wanted);
	if (!same_default(held, wanted))
		diff_add(diff, NULL,
			of_feature(diff, view, wanted, "default differs"));
}

static bool same_entity(const struct view *held, const struct view *wanted)
{
	if (held->key_count != wanted->key_count)
		return false;
	for (size_t i = 0; i < held->key_count; i++)
		if (strcmp(held->keys[i].name, wanted->keys[i].name) != 0 ||
			held->keys[i].type.kind != wanted->keys[i].type.kind)
			return false;
	return true;
}

static void compare_features(
	struct diff *diff, const struct view *held, const struct view *wanted)
{
	char type[TYPE_NAME_SIZE];
	size_t last = 0;
	bool moved = false;
	for (size_t i = 0; i < wanted->feature_count; i++) {
		const struct feature *one = &wanted->features[i];
		int index = view_feature(held, slice_of(one->name));
		if (index < 0) {
			diff_add(diff, NULL,
				arena_print(diff->arena,
					"view %s: feature %s is new (%s)",
					wanted->name, one->name,
					type_print(&one->type, type)));
			continue;
		}
		moved |= (size_t)index < last;
		last = (size_t)index;
		compare_feature(diff, wanted, &held->features[index], one);
	}
	if (moved)
		diff_add(diff, NULL,
			arena_print(diff->arena,
				"view %s: features in another order",
				wanted->name));
}

static void find_gone_features(
	struct diff *diff, const struct view *held, const struct view *wanted)
{
	for (size_t i = 0; i < held->feature_count; i++)
		if (view_feature(wanted, slice_of(held->features[i].name)) < 0)
			diff_add(diff,
				"its values would be lost, or be of another "
				"name: whether it was renamed nobody can tell",
				arena_print(diff->arena,
					"view %s: feature %s is gone",
					held->name, held->features[i].name));
}

static bool same_serving(const struct view *a, const struct view *b)
{
	return a->max_lag_us == b->max_lag_us &&
	       a->when_behind == b->when_behind &&
	       a->when_expired == b->when_expired &&
	       a->when_missing == b->when_missing;
}

static void compare_view(
	struct diff *diff, const struct view *held, const struct view *wanted)
{
	if (!same_entity(held, wanted)) {
		diff_add(diff,
			"rows, keys and versions are by entity: what is stored "
			"would be of nobody",
			arena_print(diff->arena, "view %s: entity differs",
				wanted->name));
		return;
	}
	compare_features(diff, held, wanted);
	find_gone_features(diff, held, wanted);
	if (held->ttl_us != wanted->ttl_us)
		diff_add(diff, NULL,
			arena_print(diff->arena, "view %s: ttl differs",
				wanted->name));
	if (!same_serving(held, wanted))
		diff_add(diff, NULL,
			arena_print(diff->arena, "view %s: serve differs",
				wanted->name));
}

static void compare_views(struct diff *diff)
{
	const struct schema *held = diff->held, *wanted = diff->wanted;
	for (size_t i = 0; i < wanted->view_count; i++) {
		const struct view *one = &wanted->views[i];
		const struct view *before =
			schema_view(held, slice_of(one->name));
		if (before == NULL)
			diff_add(diff, NULL,
				arena_print(diff->arena, "view %s is new",
					one->name));
		else
			compare_view(diff, before, one);
	}
	for (size_t i = 0; i < held->view_count; i++)
		if (schema_view(wanted, slice_of(held->views[i].name)) == NULL)
			diff_add(diff,
				"what it holds would be lost, or be of another "
				"name: whether it was renamed nobody can tell",
				arena_print(diff->arena, "view %s is gone",
					held->views[i].name));
}

static const struct service *find_service(
	const struct schema *schema, const char *name)
{
	for (size_t i = 0; i < schema->service_count; i++)
		if (strcmp(schema->services[i].name, name) == 0)
			return &schema->services[i];
	return NULL;
}

/* By names: views and features may have moved. */
static bool same_service(const struct diff *diff, const struct service *held,
	const struct service *wanted)
{
	if (held->feature_count != wanted->feature_count)
		return false;
	for (size_t i = 0; i < held->feature_count; i++) {
		const struct view *a =
			&diff->held->views[held->features[i].view];
		const struct view *b =
			&diff->wanted->views[wanted->features[i].view];
		const char *of_a = a->features[held->features[i].feature].name;
		const char *of_b =
			b->features[wanted->features[i].feature].name;
		if (strcmp(a->name, b->name) != 0 || strcmp(of_a, of_b) != 0)
			return false;
	}
	return true;
}

/* They change what is asked, nothing that is stored. */
static void compare_services(struct diff *diff)
{
	const struct schema *held = diff->held, *wanted = diff->wanted;
	for (size_t i = 0; i < wanted->service_count; i++) {
		const struct service *one = &wanted->services[i];
		const struct service *before = find_service(held, one->name);
		if (before == NULL || !same_service(diff, before, one))
			diff_add(diff, NULL,
				arena_print(diff->arena, "service %s %s",
					one->name,
					before == NULL ? "is new" : "differs"));
	}
	for (size_t i = 0; i < held->service_count; i++)
		if (find_service(wanted, held->services[i].name) == NULL)
			diff_add(diff, NULL,
				arena_print(diff->arena,
					"service %s is gone: lookups that name "
					"it are refused",
					held->services[i].name));
}

int schema_compare(const struct schema *held, const struct schema *wanted,
	struct arena *arena, struct schema_diff *out, struct fault *fault)
{
	struct diff diff = {.held = held, .wanted = wanted, .arena = arena};
	compare_views(&diff);
	diff_sources(&diff);
	compare_services(&diff);
	*out = (struct schema_diff){diff.changes, diff.count, diff.refused};
	return diff.failed ? fault_set(fault, FAULT_OOM,
				     "no memory to compare schemas")
			   : 0;
}

bool view_has_other_columns(const struct view *held, const struct view *wanted)
{
	if (held->feature_count != wanted->feature_count)
		return true;
	for (size_t i = 0; i < held->feature_count; i++)
		if (strcmp(held->features[i].name, wanted->features[i].name) !=
			0)
			return true;
	return false;
}
