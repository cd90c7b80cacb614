/*
 * Rows of a file of base data, as events: NDJSON, an object a line, and CSV
 * with a header (RFC 4180: quoted fields may hold commas, quotes and line
 * ends).
 *
 * A row names the join keys and features of one view, and may have an
 * event_time. It becomes holdfast's own envelope; one that can't stays as it
 * is, to become a dead letter that shows it. Numbers and booleans of CSV are
 * read by the schema's types; an empty field without quotes leaves its feature
 * out. A field is quoted whole or not at all: one with more behind its closing
 * quote makes its row a dead letter.
 */
#ifndef HOLDFAST_INGEST_COMMAND_LOAD_ROWS_H
#define HOLDFAST_INGEST_COMMAND_LOAD_ROWS_H

#include "schema/fault.h"
#include "schema/schema.h"

#include <stddef.h>

struct load_rows {
	const struct view *view;
	struct slice content;	/* the whole file, borrowed */
	const char *event_time; /* of rows without one; NULL: none */
	bool csv;
	size_t at; /* where the next row begins */
	/* CSV: what each column is. */
	struct load_column {
		enum load_role { LOAD_KEY, LOAD_FEATURE, LOAD_TIME } role;
		const char *name;
		const struct type *type; /* NULL of LOAD_TIME */
	} * columns;			 /* owned */
	size_t column_count;
};

struct load_row {
	size_t offset, next_offset; /* in the file */
	char *value;		    /* the event; the caller frees it */
	size_t length;
};

/* Read the header of CSV, and look at all its quotes; of NDJSON at the first
 * row's time. Call load_rows_finish() in any case. Errors: FAULT_USAGE (a
 * column that the view does not have, a join key without column, rows without a
 * time, a quote that nothing closes), FAULT_OOM. */
int load_rows_begin(struct load_rows *rows, struct fault *fault);
void load_rows_finish(struct load_rows *rows);

/* 1: the next row in *out; 0: there is none. Errors: FAULT_OOM. */
int load_rows_next(
	struct load_rows *rows, struct load_row *out, struct fault *fault);

/* The same of the next row that has more than so many bytes in the file. */
int load_rows_next_long(struct load_rows *rows, size_t bytes,
	struct load_row *out, struct fault *fault);

#endif
