/*
 * What store/reader.c, status.c and verify.c share: the reader's insides.
 */
#ifndef HOLDFAST_STORE_READER_INSIDE_H
#define HOLDFAST_STORE_READER_INSIDE_H

#include "store/layout.h"
#include "store/meta.h"
#include "store/partitions.h"
#include "store/reader.h"
#include "store/view_rows.h"

struct reader {
	struct layout layout;
	sqlite3 *db;
	struct identity identity;
	struct partitions partitions;
	struct view_rows *views; /* by index in the schema */
	struct arena memory;	 /* lives as long as the reader */
};

/* One snapshot from here to reader_end(), partitions as it has them.
 * Errors: as sql_fault(). */
int reader_begin(struct reader *reader, struct fault *fault);
void reader_end(struct reader *reader);

#endif
