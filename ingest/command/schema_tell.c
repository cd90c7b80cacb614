#include "ingest/command/schema_tell.h"

#include "ingest/command/say.h"
#include "schema/schema_diff.h"

/* As `schema diff` sees it: what that says to be the same is. */
static bool same_schema(const struct schema *a, const struct schema *b)
{
	struct arena arena = ARENA_INIT;
	struct schema_diff diff = {0};
	bool same = schema_compare(a, b, &arena, &diff, NULL) == 0 &&
		    diff.count == 0;
	arena_finish(&arena);
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
