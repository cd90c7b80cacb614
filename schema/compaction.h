/*
 * Does a compacted log lead to the same rows as the whole one? Pure.
 *
 * Compaction keeps of each record key the last record, and deletes after a
 * while. What it removes must not matter to any view the source feeds: every
 * feature is the newest value (a sum needs all its contributions), a record is
 * the whole row of one entity, which is its key, and the last record of a key
 * is its newest. The last three no schema shows: the source says so with
 * `"compacted": true`. Its upserts are taken as replaces then, so that each is
 * the whole row whatever it names.
 * Source: design section 9; kafka.apache.org/documentation/#compaction.
 */
#ifndef HOLDFAST_SCHEMA_COMPACTION_H
#define HOLDFAST_SCHEMA_COMPACTION_H

#include "schema/schema.h"

/* May the source's topic be compacted? Where not, `why` says it: code
 * FAULT_USAGE, what is in the way and what to do. */
bool compaction_safe(const struct schema *schema,
	const struct source_schema *source, struct fault *why);

/* The same, whatever the source says of itself: is there anything in its
 * mapping or views against it? */
bool compaction_possible(const struct schema *schema,
	const struct source_schema *source, struct fault *why);

#endif
