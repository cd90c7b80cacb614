#include "schema/merge.h"

#include <assert.h>

/* Does the sum hold? The type's own bound for decimals: 15 digits. */
static bool sum_value(
	const struct type *type, int64_t held, int64_t more, int64_t *sum)
{
	if (__builtin_add_overflow(held, more, sum))
		return false;
	if (type->kind != TYPE_DECIMAL)
		return true;
	const int64_t limit = INT64_C(1000000000000000);
	static_assert(DECIMAL_DIGITS_MAX == 15, "the limit is 10^15");
	return *sum > -limit && *sum < limit;
}

static bool is_below_floor(const struct row *row, const struct version *version)
{
	return row->has_floor && version_compare(version, &row->floor) < 0;
}

/* A delete at `version` unsets what is older; what is newer stays whole. */
static bool outlives(const struct cell *cell, const struct version *version)
{
	return cell->value.state != VALUE_UNSET &&
	       version_compare(&cell->version, version) > 0;
}

/* The first assignment whose sum the type can't hold, or NULL. Judged before
 * anything changes: an update is applied whole or not at all. */
static const struct assignment *find_overflow(const struct view *view,
	const struct row *row, const struct update *update)
{
	for (size_t i = 0; i < update->assignment_count; i++) {
		const struct assignment *given = &update->assignments[i];
		const struct feature *feature = &view->features[given->feature];
		const struct cell *cell = &row->cells[given->feature];
		int64_t sum;
		if (feature->merge == MERGE_SUM &&
			cell->value.state == VALUE_SET &&
			!sum_value(&feature->type, cell->value.as.integer,
				given->value.as.integer, &sum))
			return given;
	}
	return NULL;
}

static void raise_version(struct cell *cell, const struct version *version)
{
	if (version_compare(version, &cell->version) > 0)
		cell->version = *version;
}

static void accumulate(const struct feature *feature, struct cell *cell,
	const struct value *given, const struct version *version)
{
	assert(given->state == VALUE_SET);
	if (cell->value.state == VALUE_UNSET) {
		*cell = (struct cell){*given, *version};
		return;
	}
	int order = value_compare(feature->type.kind, given, &cell->value);
	if (feature->merge == MERGE_SUM)
		cell->value.as.integer += given->as.integer;
	else if (feature->merge == MERGE_MIN ? order < 0 : order > 0)
		cell->value = *given;
	raise_version(cell, version);
}

/* Did the assignment win? Contributions always do, however late: those below
 * the floor never come here. */
static bool assign(const struct feature *feature, struct cell *cell,
	const struct value *given, const struct version *version)
{
	if (feature->merge != MERGE_LAST) {
		accumulate(feature, cell, given, version);
		return true;
	}
	if (cell->value.state != VALUE_UNSET &&
		version_compare(version, &cell->version) <= 0)
		return false;
	*cell = (struct cell){*given, *version};
	return true;
}

static struct merged merge_upsert(const struct view *view, struct row *row,
	const struct update *update, const struct version *version)
{
	struct merged merged = {.disposition = DISPOSITION_SUPERSEDED};
	if (is_below_floor(row, version))
		return merged;
	for (size_t i = 0; i < update->assignment_count; i++) {
		const struct assignment *given = &update->assignments[i];
		if (assign(&view->features[given->feature],
			    &row->cells[given->feature], &given->value,
			    version))
			merged.disposition = DISPOSITION_APPLIED;
	}
	return merged;
}

/* Raise the floor to `version` and unset what is older than it. */
static struct merged merge_delete(
	const struct view *view, struct row *row, const struct version *version)
{
	struct merged merged = {.disposition = DISPOSITION_SUPERSEDED};
	if (row->has_floor && version_compare(version, &row->floor) <= 0)
		return merged;
	merged.disposition = DISPOSITION_APPLIED;
	row->has_floor = true;
	row->floor = *version;
	for (size_t i = 0; i < view->feature_count; i++) {
		struct cell *cell = &row->cells[i];
		if (!outlives(cell, version))
			cell->value.state = VALUE_UNSET;
		else if (view->features[i].merge != MERGE_LAST)
			merged.late_delete = true;
	}
	return merged;
}

/* A delete, then an upsert at the same version, but for accumulated features
 * that stayed whole: they get no contribution. */
static struct merged merge_replace(const struct view *view, struct row *row,
	const struct update *update, const struct version *version)
{
	struct merged merged = merge_delete(view, row, version);
	if (merged.disposition != DISPOSITION_APPLIED)
		return merged;
	for (size_t i = 0; i < update->assignment_count; i++) {
		const struct assignment *given = &update->assignments[i];
		struct cell *cell = &row->cells[given->feature];
		if (cell->value.state == VALUE_UNSET)
			*cell = (struct cell){given->value, *version};
	}
	return merged;
}

struct merged merge(const struct view *view, struct row *row,
	const struct update *update, const struct version *version)
{
	assert(update->reason == REASON_NONE);
	assert(version->log != NULL);
	if (update->operation == OPERATION_DELETE)
		return merge_delete(view, row, version);
	if (update->operation == OPERATION_REPLACE)
		return merge_replace(view, row, update, version);
	const struct assignment *overflow =
		is_below_floor(row, version) ? NULL
					     : find_overflow(view, row, update);
	if (overflow != NULL)
		return (struct merged){DISPOSITION_DEAD, REASON_OVERFLOW,
			overflow->feature, false};
	return merge_upsert(view, row, update, version);
}
