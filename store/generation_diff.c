#include "store/generation_diff.h"

#include "store/reader_inside.h"

#include <assert.h>
#include <string.h>

struct side {
	struct reader *reader;
	struct view_rows *rows; /* of the view being compared */
};

struct comparison {
	struct side left, right;
	const struct diff_options *options;
	struct diff_view *out; /* of the view being compared */
	struct arena arena;    /* of one entity */
};

static bool same_feature(const struct feature *a, const struct feature *b)
{
	return a->type.kind == b->type.kind && a->type.scale == b->type.scale &&
	       a->type.length == b->type.length && a->merge == b->merge &&
	       a->max_length == b->max_length &&
	       value_equal(a->type.kind, &a->minimum, &b->minimum) &&
	       value_equal(a->type.kind, &a->maximum, &b->maximum);
}

static bool is_unset(const struct cell *cell)
{
	return cell == NULL || cell->value.state == VALUE_UNSET;
}

static bool same_cell(const struct difference *one)
{
	if (is_unset(one->left) || is_unset(one->right))
		return is_unset(one->left) && is_unset(one->right);
	return one->left_feature->type.kind == one->right_feature->type.kind &&
	       value_equal(one->left_feature->type.kind, &one->left->value,
		       &one->right->value);
}

/* True: it differs, and was told. */
static bool judge(struct comparison *comparison, struct difference *one)
{
	const struct diff_options *options = comparison->options;
	if (same_cell(one))
		return false;
	one->by_schema = one->left_feature == NULL ||
			 one->right_feature == NULL ||
			 !same_feature(one->left_feature, one->right_feature);
	one->by_decision = !one->by_schema && options->decided != NULL &&
			   options->decided(options->payload, one);
	comparison->out->features++;
	comparison->out->by_schema += one->by_schema;
	comparison->out->by_decision += one->by_decision;
	if (options->differs != NULL)
		options->differs(options->payload, one);
	return true;
}

static const struct feature *find_feature(
	const struct view *view, const char *name, size_t *index)
{
	int found = view_feature(view, slice_of(name));
	*index = found < 0 ? 0 : (size_t)found;
	return found < 0 ? NULL : &view->features[found];
}

/* Features of the left one's schema. */
static bool compare_left(struct comparison *comparison,
	const struct value *entity, const struct held_row *left,
	const struct held_row *right)
{
	const struct view *view = comparison->left.rows->view;
	const struct view *there = comparison->right.rows->view;
	bool differs = false;
	for (size_t i = 0; i < view->feature_count; i++) {
		size_t other;
		struct difference one = {.view = view,
			.entity = entity,
			.left_feature = &view->features[i]};
		one.right_feature =
			find_feature(there, one.left_feature->name, &other);
		if (left->place == ROW_PRESENT)
			one.left = &left->row.cells[i];
		if (right->place == ROW_PRESENT && one.right_feature != NULL)
			one.right = &right->row.cells[other];
		differs |= judge(comparison, &one);
	}
	return differs;
}

/* Those that only the right one's has. */
static bool compare_right(struct comparison *comparison,
	const struct value *entity, const struct held_row *right)
{
	const struct view *view = comparison->left.rows->view;
	const struct view *there = comparison->right.rows->view;
	bool differs = false;
	if (right->place != ROW_PRESENT)
		return false;
	for (size_t i = 0; i < there->feature_count; i++) {
		size_t other;
		const struct feature *feature = &there->features[i];
		assert(feature != NULL);
		struct difference one = {.view = view,
			.entity = entity,
			.right_feature = feature,
			.right = &right->row.cells[i]};
		if (find_feature(view, feature->name, &other) == NULL)
			differs |= judge(comparison, &one);
	}
	return differs;
}

static void count(struct comparison *comparison, const struct value *entity,
	const struct held_row *left, const struct held_row *right)
{
	struct diff_view *out = comparison->out;
	bool differs = compare_left(comparison, entity, left, right);
	differs |= compare_right(comparison, entity, right);
	if (left->place != ROW_PRESENT)
		out->right++;
	else if (right->place != ROW_PRESENT)
		out->left++;
	else if (differs)
		out->differing++;
	else
		out->same++;
}

/* The entity `statement` stands on, and what the other one has of it. */
static int compare_one(struct comparison *comparison, sqlite3_stmt *statement,
	bool from_left, struct fault *fault)
{
	struct value entity[SCHEMA_KEYS_MAX];
	struct side *here = from_left ? &comparison->left : &comparison->right;
	struct side *there = from_left ? &comparison->right : &comparison->left;
	struct held_row mine = {.place = ROW_PRESENT};
	struct held_row other = {.place = ROW_NOWHERE};
	arena_reset(&comparison->arena);
	int rc = view_rows_read(here->rows, statement, &comparison->arena,
		entity, &mine, fault);
	if (rc == 0)
		rc = view_rows_get(
			there->rows, entity, &comparison->arena, &other, fault);
	if (rc < 0)
		return rc;
	if (from_left)
		count(comparison, entity, &mine, &other);
	else if (other.place != ROW_PRESENT)
		count(comparison, entity, &other, &mine);
	return 0;
}

/* All entities of one side; of the right one, those that only it has. */
static int walk(
	struct comparison *comparison, bool from_left, struct fault *fault)
{
	struct side *side = from_left ? &comparison->left : &comparison->right;
	sqlite3_stmt *statement = NULL;
	int rc = sql_prepare(
		side->reader->db, &statement, side->rows->sql.all, fault);
	while (rc == 0 && (rc = sql_step(statement, fault)) == 1)
		rc = compare_one(comparison, statement, from_left, fault);
	sqlite3_finalize(statement);
	return rc;
}

static struct view_rows *rows_of(struct reader *reader, const char *name)
{
	const struct schema *schema = reader->identity.schema;
	const struct view *view = schema_view(schema, slice_of(name));
	return view == NULL ? NULL : &reader->views[view - schema->views];
}

bool views_same_keys(const struct view *a, const struct view *b)
{
	bool same = a->key_count == b->key_count;
	for (size_t i = 0; same && i < a->key_count; i++)
		same = a->keys[i].type.kind == b->keys[i].type.kind &&
		       strcmp(a->keys[i].name, b->keys[i].name) == 0;
	return same;
}

static int compare_view(
	struct comparison *comparison, const char *name, struct fault *fault)
{
	struct diff_view *out = comparison->out;
	struct view_rows *left = rows_of(comparison->left.reader, name);
	struct view_rows *right = rows_of(comparison->right.reader, name);
	*out = (struct diff_view){.name = name};
	if (left == NULL || right == NULL ||
		!views_same_keys(left->view, right->view)) {
		out->only_left = left != NULL;
		out->only_right = right != NULL;
		return 0;
	}
	comparison->left.rows = left;
	comparison->right.rows = right;
	int rc = view_rows_load_totals(left, fault);
	if (rc == 0)
		rc = view_rows_load_totals(right, fault);
	out->left_deleted = left->totals.deleted;
	out->right_deleted = right->totals.deleted;
	if (rc == 0)
		rc = walk(comparison, true, fault);
	return rc < 0 ? rc : walk(comparison, false, fault);
}

static bool is_wanted(const struct comparison *comparison, const char *view)
{
	const char *only = comparison->options->view;
	return only == NULL || strcmp(only, view) == 0;
}

static int compare_all(struct comparison *comparison, struct diff_view *views,
	size_t *count, struct fault *fault)
{
	const struct schema *left = comparison->left.reader->identity.schema;
	const struct schema *right = comparison->right.reader->identity.schema;
	int rc = 0;
	*count = 0;
	for (size_t i = 0; rc == 0 && i < left->view_count; i++) {
		if (!is_wanted(comparison, left->views[i].name))
			continue;
		comparison->out = &views[(*count)++];
		rc = compare_view(comparison, left->views[i].name, fault);
	}
	for (size_t i = 0; rc == 0 && i < right->view_count; i++) {
		const char *name = right->views[i].name;
		if (schema_view(left, slice_of(name)) == NULL &&
			is_wanted(comparison, name))
			views[(*count)++] = (struct diff_view){
				.name = name, .only_right = true};
	}
	return rc;
}

int readers_compare(struct reader *left, struct reader *right,
	const struct diff_options *options, struct arena *arena,
	struct diff *out, struct fault *fault)
{
	struct comparison comparison = {
		.left.reader = left, .right.reader = right, .options = options};
	size_t room = left->identity.schema->view_count +
		      right->identity.schema->view_count;
	struct diff_view *views = arena_take(arena, room * sizeof *views);
	if (views == NULL)
		return fault_set(fault, FAULT_OOM, "no memory to compare");
	int rc = reader_begin(left, fault);
	if (rc == 0)
		rc = reader_begin(right, fault);
	if (rc == 0 && options->begun != NULL)
		rc = options->begun(options->payload, fault);
	if (rc == 0)
		rc = compare_all(&comparison, views, &out->count, fault);
	out->views = views;
	reader_end(left);
	reader_end(right);
	arena_finish(&comparison.arena);
	return rc;
}
