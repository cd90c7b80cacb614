#include "ingest/command/schema_tell.h"

#include "ingest/command/say.h"

#include <jansson.h>

/* Both texts are compact JSON without comments; members may be in any order. */
static bool same_schema(const struct schema *a, const struct schema *b)
{
	json_t *one = json_loads(a->text, 0, NULL);
	json_t *other = json_loads(b->text, 0, NULL);
	bool same = one != NULL && other != NULL && json_equal(one, other);
	json_decref(one);
	json_decref(other);
	return same;
}

void schema_tell(const struct schema *rules, const struct schema *file,
	const char *path, const char *why)
{
	if (file == NULL)
		say(SAY_WARNING,
			"the schema in the store rules; the file can't be "
			"used: %s",
			why);
	else if (!same_schema(file, rules))
		say(SAY_WARNING,
			"the schema file %s differs from the schema in the "
			"store, which rules: `holdfast schema diff %s` says "
			"how to take it",
			path, path);
}

/* Source: design section 4, idempotency key. */
void schema_tell_keys(const struct schema *schema)
{
	for (size_t i = 0; i < schema->source_count; i++)
		if (schema->sources[i].missing_key == MISSING_KEY_POSITION)
			say(SAY_WARNING,
				"source %s: a record without an idempotency "
				"key "
				"is known by its position in the log, which a "
				"mirror does not keep and a copy does not "
				"share: give its events an id",
				schema->sources[i].topic);
}
