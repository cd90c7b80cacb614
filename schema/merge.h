/*
 * The merge: (held row, update) -> (new row, disposition). The one place that
 * knows which update wins. Pure.
 *
 * Source: design section 5. Permuting, splitting and duplicating the upserts
 * of an entity does not change the row; deletes and replaces of accumulated
 * features, and overflow, depend on the order.
 */
#ifndef HOLDFAST_SCHEMA_MERGE_H
#define HOLDFAST_SCHEMA_MERGE_H

#include "schema/disposition.h"
#include "schema/row.h"
#include "schema/update.h"

struct merged {
	enum disposition disposition; /* applied, superseded or dead */
	enum reason reason;	      /* REASON_OVERFLOW when dead */
	size_t feature;		      /* the one that overflowed, when dead */
	bool late_delete; /* a delete left newer accumulated features whole */
};

/*
 * Merge `update` (valid: reason is REASON_NONE) at `version` into `row`.
 * The row changes only when the disposition is applied; values of the update
 * are borrowed into it.
 */
struct merged merge(const struct view *view, struct row *row,
	const struct update *update, const struct version *version);

#endif
