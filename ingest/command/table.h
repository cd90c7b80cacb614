/*
 * Aligned tables for people.
 */
#ifndef HOLDFAST_INGEST_COMMAND_TABLE_H
#define HOLDFAST_INGEST_COMMAND_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct table; /* opaque */

struct column {
	const char *heading; /* borrowed for the table's life */
	bool right;	     /* numbers: aligned at their end */
};

/* A table without rows, owned by the caller; NULL when out of memory. */
struct table *table_new(const struct column *columns, size_t count);

/* The next cell, row by row, left to right. Out of memory is remembered, and
 * reported by table_print(). */
void table_add(struct table *table, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Two spaces between columns, each line without spaces at its end. The last row
 * must be full. False when a cell was lost for want of memory: then nothing is
 * printed. */
bool table_print(const struct table *table, FILE *out);

void table_free(struct table *table); /* NULL is allowed */

#endif
