/*
 * What makes it impossible to say of an update that it is missing, for
 * store/trace.c: deletes that were forgotten, letters that were forced, schemas
 * that were changed in place.
 */
#ifndef HOLDFAST_STORE_TRACE_DOUBTS_H
#define HOLDFAST_STORE_TRACE_DOUBTS_H

#include "schema/record.h"
#include "schema/schema.h"
#include "store/sql.h"

struct trace_doubts {
	int64_t forgotten_before_us; /* TIMESTAMP_NONE: nothing was */
	/* Where each log stood when the schema was last changed, by log id - 1:
	 * offsets[0..count). */
	int64_t *offsets;
	size_t count;
	struct schema **schemas; /* before that: schemas[0..schema_count) */
	size_t schema_count;
};

/* Read them, within the caller's snapshot. Call trace_doubts_finish() in any
 * case. Errors: FAULT_CORRUPT, FAULT_OOM, as sql_fault(). */
int trace_doubts_read(
	struct trace_doubts *out, sqlite3 *db, struct fault *fault);
void trace_doubts_finish(struct trace_doubts *doubts);

/* 1: letters were retried by force. Errors: as sql_fault(). */
int trace_forced(sqlite3 *db, struct fault *fault);

/* Was the record taken before the schema was last changed? */
bool trace_doubts_predates(
	const struct trace_doubts *doubts, const struct record *record);

#endif
