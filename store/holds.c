#include "store/holds.h"

#define HOLD_COLUMNS 4

/* A word nobody knows is taken for the strictest. */
static enum choice held_by(struct slice name)
{
	enum choice choice = CHOICE_FAIL;
	(void)choice_parse(name, &choice);
	return choice;
}

int holds_prepare(sqlite3 *db, sqlite3_stmt **out, struct fault *fault)
{
	return sql_prepare(db, out, "SELECT * FROM _hold", fault);
}

/* Room for the view's features, all served. NULL: out of memory. */
static enum choice *open_view(
	struct holds *holds, const struct schema *schema, size_t view)
{
	size_t count = schema->views[view].feature_count;
	enum choice *choices = holds->views[view];
	if (choices != NULL)
		return choices;
	choices = arena_take(&holds->memory, count * sizeof *choices);
	for (size_t i = 0; choices != NULL && i < count; i++)
		choices[i] = CHOICE_SERVE;
	holds->views[view] = choices;
	return choices;
}

/* "view" or "view:feature", the stricter of what is said twice. */
static bool hold(struct holds *holds, const struct schema *schema,
	struct slice target, enum choice choice)
{
	const char *colon = memchr(target.data, ':', target.length);
	size_t length =
		colon == NULL ? target.length : (size_t)(colon - target.data);
	const struct view *view =
		schema_view(schema, (struct slice){target.data, length});
	if (view == NULL)
		return true;
	enum choice *choices =
		open_view(holds, schema, (size_t)(view - schema->views));
	if (choices == NULL)
		return false;
	int only = -1;
	if (colon != NULL)
		only = view_feature(view,
			(struct slice){colon + 1, target.length - length - 1});
	for (size_t i = 0; i < view->feature_count; i++)
		if ((colon == NULL || (int)i == only) && choice > choices[i])
			choices[i] = choice;
	return true;
}

static int no_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_OOM, "no memory for holds");
}

int holds_read(struct holds *holds, const struct schema *schema,
	sqlite3_stmt *statement, struct fault *fault)
{
	size_t size = schema->view_count * sizeof(*holds->views);
	arena_reset(&holds->memory);
	holds->views = arena_take(&holds->memory, size);
	if (holds->views == NULL)
		return no_memory(fault);
	memset((void *)holds->views, 0, size);
	int rc = 0;
	while (rc == 0 && (rc = sql_step(statement, fault)) == 1) {
		struct column row[HOLD_COLUMNS];
		rc = sql_read_row(statement, "_hold", row, HOLD_COLUMNS, fault);
		if (rc == 0 && !hold(holds, schema, column_as_bytes(&row[0]),
				       held_by(column_as_bytes(&row[1]))))
			rc = no_memory(fault);
	}
	sqlite3_reset(statement);
	return rc;
}

void holds_finish(struct holds *holds)
{
	arena_finish(&holds->memory);
	*holds = (struct holds){0};
}
