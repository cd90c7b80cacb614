/*
 * The member `entities` of a request: {"user_id": 42, "item_id": [1, 2, …]}
 */
#include "schema/convert.h"
#include "schema/nearest.h"
#include "store/serve/question_read.h"

/* The view's join key of that name, or NULL. */
static const struct entity_key *key_of_view(
	const struct view *view, const char *name)
{
	for (size_t i = 0; i < view->key_count; i++)
		if (strcmp(view->keys[i].name, name) == 0)
			return &view->keys[i];
	return NULL;
}

/* The schema's own copy of the name, where a view asked for has such a join
 * key; or NULL. */
static const char *asked_key(const struct question *question, const char *name)
{
	const struct entity_key *key = NULL;
	for (size_t i = 0; key == NULL && i < question->view_count; i++)
		key = key_of_view(question->views[i].view, name);
	return key == NULL ? NULL : key->name;
}

/* Likewise, of any view; *out is the first that has it. */
static const char *any_key(const struct question *question, const char *name,
	const struct view **out)
{
	const struct entity_key *key = NULL;
	for (size_t i = 0; key == NULL && i < question->schema->view_count;
		i++) {
		*out = &question->schema->views[i];
		key = key_of_view(*out, name);
	}
	return key == NULL ? NULL : key->name;
}

/* A complaint about the column of that name. */
static int about(struct question *question, const char *name, int complained)
{
	question->complaint.place = "entities";
	question->complaint.name = name;
	return complained;
}

static int complain_extra(struct question *question, const char *name)
{
	const char *given = question_echo(question, slice_of(name));
	const char *nearest = NULL;
	for (size_t i = 0; nearest == NULL && i < question->view_count; i++) {
		const struct view *view = question->views[i].view;
		const char *names[SCHEMA_KEYS_MAX];
		for (size_t j = 0; j < view->key_count; j++)
			names[j] = view->keys[j].name;
		nearest = nearest_name(given, names, view->key_count);
	}
	return about(question, given,
		complain(&question->complaint, question->arena,
			ERROR_BAD_ENTITY,
			"entities.%s is no join key of the views asked for%s%s",
			given,
			nearest == NULL ? ": leave it out"
					: ": it may "
					  "be ",
			nearest == NULL ? "" : nearest));
}

/* Rows as the lists have them; without a list there is one. */
struct rows {
	size_t count;
	const char *list; /* the first list, or NULL */
};

static int count_rows(struct question *question, const char *key,
	const json_t *column, struct rows *rows)
{
	if (!json_is_array(column))
		return 0;
	size_t count = json_array_size(column);
	if (rows->list != NULL && rows->count != count)
		return about(question, key,
			complain(&question->complaint, question->arena,
				ERROR_BAD_ENTITY,
				"entities.%s has %zu values and entities.%s "
				"%zu: lists must be of one length",
				rows->list, rows->count, key, count));
	*rows = (struct rows){count, key};
	return 0;
}

static int look_over(struct question *question, const struct columns *columns)
{
	struct rows rows = {1, NULL};
	const struct view *view;
	const char *name;
	json_t *column;
	int rc = 0;
	json_object_foreach(columns->entities, name, column)
	{
		const char *key = columns->feast
					  ? any_key(question, name, &view)
					  : asked_key(question, name);
		if (key == NULL && !columns->feast)
			rc = complain_extra(question, name);
		else if (key != NULL)
			rc = count_rows(question, key, column, &rows);
		if (rc != 0)
			break;
	}
	question->row_count = rows.count;
	return rc == 0 ? question_check_size(question) : rc;
}

/* One column of an entity table: the value of each row's key. */
struct column {
	const struct view *view;
	size_t key;
	const json_t *values; /* a list, or one value */
};

static int complain_missing(struct question *question, const struct view *view,
	const struct entity_key *key)
{
	return about(question, key->name,
		complain(&question->complaint, question->arena,
			ERROR_BAD_ENTITY,
			"view %s needs the join key \"%s\", which entities "
			"does not have",
			view->name, key->name));
}

static int complain_value(struct question *question,
	const struct column *column, size_t row, const char *detail)
{
	const struct view *view = column->view;
	const char *name = view->keys[column->key].name;
	return about(question, name,
		complain(&question->complaint, question->arena,
			ERROR_BAD_ENTITY, "view %s, row %zu: %s", view->name,
			row, detail == NULL ? name : detail));
}

static int fill_column(struct question *question, const struct column *column,
	bool lossy, size_t count, struct value *entities)
{
	const struct view *view = column->view;
	struct converter converter = {.arena = question->arena, .lossy = lossy};
	bool list = json_is_array(column->values);
	for (size_t i = 0; i < count; i++) {
		const json_t *value = list ? json_array_get(column->values, i)
					   : column->values;
		enum reason reason =
			convert_key(&converter, &view->keys[column->key], value,
				&entities[i * view->key_count + column->key]);
		if (converter.out_of_memory)
			return question_no_memory(question);
		if (reason != REASON_NONE)
			return complain_value(
				question, column, i, converter.detail);
	}
	return 0;
}

static bool has_list(const struct columns *columns, const struct view *view)
{
	for (size_t i = 0; i < view->key_count; i++)
		if (json_is_array(json_object_get(
			    columns->entities, view->keys[i].name)))
			return true;
	return false;
}

static int complain_single(struct question *question, const char *name)
{
	return about(question, name,
		complain(&question->complaint, question->arena,
			ERROR_BAD_ENTITY,
			"entities.%s must be a list: [value, …]", name));
}

static int fill_part(
	struct question *question, const struct columns *columns, size_t index)
{
	const struct view *view = question->views[index].view;
	size_t count = question->row_count;
	struct value *entities;
	if (count > 1 && !has_list(columns, view))
		count = 1;
	int rc = question_entities(question, index, count, &entities);
	for (size_t i = 0; rc == 0 && i < view->key_count; i++) {
		const struct entity_key *key = &view->keys[i];
		const struct column column = {
			view, i, json_object_get(columns->entities, key->name)};
		if (column.values == NULL)
			return complain_missing(question, view, key);
		if (columns->feast && !json_is_array(column.values))
			return complain_single(question, key->name);
		rc = fill_column(
			question, &column, columns->lossy, count, entities);
	}
	return rc;
}

int question_read_columns(
	struct question *question, const struct columns *columns)
{
	if (!json_is_object(columns->entities)) {
		question->complaint.place = "entities";
		return complain(&question->complaint, question->arena,
			ERROR_BAD_ENTITY,
			"entities must be an object: {\"join_key\": [value, "
			"…]}");
	}
	int rc = look_over(question, columns);
	for (size_t i = 0; rc == 0 && i < question->view_count; i++)
		rc = fill_part(question, columns, i);
	return rc;
}

/* Of a view that is not asked for. */
static int fill_other(struct question *question, const struct columns *columns,
	struct column *column, struct key_column *out)
{
	const struct view *view = column->view;
	size_t count = question->row_count;
	struct value *values = arena_take(
		question->arena, count * view->key_count * sizeof *values);
	if (values == NULL)
		return question_no_memory(question);
	column->key = (size_t)(out->key - view->keys);
	out->values = values + column->key;
	out->stride = view->key_count;
	return json_is_array(column->values)
		       ? fill_column(question, column, columns->lossy, count,
				 values)
		       : complain_single(question, out->key->name);
}

int question_key_column(struct question *question,
	const struct columns *columns, const char *name, struct key_column *out)
{
	*out = (struct key_column){0};
	for (size_t i = 0; i < question->view_count; i++) {
		const struct lookup_part *part = &question->parts[i];
		const struct view *view = part->view;
		out->key = key_of_view(view, name);
		if (out->key == NULL)
			continue;
		out->values = part->entities + (out->key - view->keys);
		out->stride = view->key_count;
		return 0;
	}
	struct column column = {
		.values = json_object_get(columns->entities, name)};
	if (any_key(question, name, &column.view) == NULL)
		return 0;
	out->key = key_of_view(column.view, name);
	return fill_other(question, columns, &column, out);
}
