/*
 * An update: one change of one entity in one view. What a record decodes into.
 *
 * Decoding judges in the order of design section 4, but the key window stands
 * in the middle of that order and belongs to the store. So an update carries
 * its key and, if its content is at fault, the first thing wrong with it
 * (`reason`): the store asks the window first, then looks at `reason`.
 */
#ifndef HOLDFAST_SCHEMA_UPDATE_H
#define HOLDFAST_SCHEMA_UPDATE_H

#include "schema/disposition.h"
#include "schema/schema.h"
#include "schema/value.h"

#include <stdbool.h>
#include <stdint.h>

#define KEY_BYTES 16 /* SipHash-128 under the store's secret */

struct assignment {
	size_t feature; /* index in the view; each at most once, ascending */
	struct value value; /* VALUE_SET or VALUE_NULL */
};

struct update {
	uint32_t place;
	bool has_key; /* false only where the record itself is at fault */
	unsigned char key[KEY_BYTES];
	uint64_t content; /* hash of the JSON values it takes */

	enum reason reason; /* REASON_NONE: everything below is valid */
	bool parks;	    /* `reason` parks it instead of killing it */
	const char *detail; /* what was wrong and where; NULL without reason */
	struct slice view_name; /* as given; absent when unknown */

	const struct view *view; /* NULL when unknown */
	enum operation operation;
	struct value *entity; /* entity[0..view->key_count), all set */
	int64_t event_us;
	struct assignment *assignments;
	size_t assignment_count;
	uint32_t ignored_features; /* members the view does not have */
};

/* All that one record carries. */
struct decoded {
	int64_t timestamp_us; /* the record's, or its event time for a line
				 without one; TIMESTAMP_NONE if neither */
	struct update *updates;
	size_t update_count; /* 0: the record counts as skipped */
};

#endif
