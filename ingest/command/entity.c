#include "ingest/command/entity.h"

#include "ingest/command/value_text.h"
#include "schema/nearest.h"

#include <stdio.h>
#include <stdlib.h>

int entity_find_view(const struct schema *schema, const char *name,
	const struct view **out, struct fault *fault)
{
	*out = schema_view(schema, slice_of(name));
	if (*out != NULL)
		return 0;
	const char **names = calloc(schema->view_count + 1, sizeof *names);
	if (names == NULL)
		return fault_set(fault, FAULT_OOM, "out of memory");
	for (size_t i = 0; i < schema->view_count; i++)
		names[i] = schema->views[i].name;
	const char *nearest = nearest_name(name, names, schema->view_count);
	int rc = fault_set(fault, FAULT_USAGE, "there is no view %s%s%s%s",
		name,
		nearest == NULL ? ": `holdfast status` lists them"
				: ": did you mean ",
		nearest == NULL ? "" : nearest, nearest == NULL ? "" : "?");
	free(names);
	return rc;
}

/* "card_id (string), day (int64)" */
static const char *keys_text(const struct view *view, char *out, size_t size)
{
	size_t length = 0;
	out[0] = '\0';
	for (size_t i = 0; i < view->key_count && length < size; i++) {
		int more = snprintf(out + length, size - length, "%s%s (%s)",
			i == 0 ? "" : ", ", view->keys[i].name,
			view->keys[i].type.kind == TYPE_INT64 ? "int64"
							      : "string");
		length += more < 0 ? 0 : (size_t)more;
	}
	return out;
}

int entity_parse(const struct view *view, char *const *arguments, size_t count,
	struct value *entity, struct fault *fault)
{
	char keys[512];
	if (count != view->key_count)
		return fault_set(fault, FAULT_USAGE,
			"an entity of %s has %zu keys, %zu are given: %s",
			view->name, view->key_count, count,
			keys_text(view, keys, sizeof keys));
	for (size_t i = 0; i < count; i++) {
		struct value *value = &entity[i];
		value->state = VALUE_SET;
		if (view->keys[i].type.kind != TYPE_INT64)
			value->as.bytes = slice_of(arguments[i]);
		else if (!int64_parse(arguments[i], &value->as.integer))
			return fault_set(fault, FAULT_USAGE,
				"key %s of %s is an int64, and \"%s\" is none",
				view->keys[i].name, view->name, arguments[i]);
	}
	return 0;
}
