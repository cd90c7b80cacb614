/*
 * A batch under way: working copies of all that its transaction advances.
 *
 * The steps, each a file: batch.c takes records in (fence, accounts), run.c
 * asks the key window and merges, apply.c frames them with the transaction.
 */
#ifndef HOLDFAST_STORE_BATCH_H
#define HOLDFAST_STORE_BATCH_H

#include "store/writer.h"

#define NO_KEY SIZE_MAX

/* One update on its way to a disposition. */
struct item {
	const struct update *update;
	const struct store_record *record;
	struct store_partition *partition; /* the working copy */
	int64_t *record_row;	/* its payload's row, 0 while not written */
	int64_t record_time_us; /* for the key window */
	size_t arrival;		/* order within the batch */
	size_t key;		/* index in keys.fresh, or NO_KEY */
	bool merges;		/* goes through the merge */
	bool overtaken;		/* a later update of the batch took its key */
	bool late_delete;
	enum disposition disposition;
	enum reason reason;
	const char *detail;
};

struct batch {
	struct store *store;
	struct store_partition **partitions; /* copies, by log id - 1; NULL:
						not touched */
	struct partition_mood *moods;
	struct view_totals *totals; /* by view */
	bool *view_touched;
	struct item *items;
	size_t item_count;
	struct store_tally tally;
};

/* Working copies of what `input` may advance, in the store's batch arena, and
 * its records behind the fence as items. Errors: FAULT_OOM. */
int batch_take(struct batch *batch, struct store *store,
	const struct store_batch *input, struct fault *fault);

/* Decide and apply items[0..item_count), then count them.
 * Errors: as sql_fault(). */
int batch_run(struct batch *batch, struct fault *fault);

#endif
