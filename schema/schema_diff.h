/*
 * What a schema would change in a store that has another one: a pure function,
 * one answer a change.
 *
 * A change is made in place if what the store holds stays what it is: no row,
 * key or version would differ had the new schema been there when the log was
 * taken, but for dead letters that it would have applied, and members and
 * updates that nobody took. All else needs the log to be taken again under it:
 * a rebuild.
 */
#ifndef HOLDFAST_SCHEMA_SCHEMA_DIFF_H
#define HOLDFAST_SCHEMA_SCHEMA_DIFF_H

#include "schema/arena.h"
#include "schema/schema.h"

struct schema_change {
	const char *what; /* "view card: feature limit is new (int64)" */
	const char *why;  /* not in place; NULL: it is */
};

struct schema_diff {
	const struct schema_change *changes; /* changes[0..count) */
	size_t count;
	size_t refused; /* of them not in place */
};

/* From `held`, the store's, to `wanted`, in the order of `wanted`; what is gone
 * comes behind. Texts are in `arena`. Errors: FAULT_OOM. */
int schema_compare(const struct schema *held, const struct schema *wanted,
	struct arena *arena, struct schema_diff *out, struct fault *fault);

/* Has the view's table other columns, or in another order? Both have the same
 * entity. */
bool view_has_other_columns(const struct view *held, const struct view *wanted);

#endif
