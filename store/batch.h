/*
 * A batch under way: working copies of all that its transaction advances.
 *
 * The steps, each a file: batch.c takes records in (fence, accounts), window.c
 * asks the key window, run.c merges, settle.c writes letters, keys and
 * counters, apply.c frames them with the transaction.
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
	int64_t due_us;		/* wall clock: of what is parked */
	size_t arrival;		/* order within the batch */
	size_t key;		/* index in keys.fresh, or NO_KEY */
	bool merges;		/* goes through the merge */
	bool overtaken;		/* a later update of the batch took its key */
	bool late_delete;
	const struct letter *letter; /* what is retried; NULL: it is new */
	bool left_alone;	     /* a letter that stays as it is */
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
	int64_t due_us;				 /* of what the records park */
	const struct store_retry_options *retry; /* NULL: records are taken */
	const struct decision *decision;	 /* noted with it; NULL: none */
};

/* Working copies of what `input` may advance, in the store's batch arena, and
 * its records behind the fence as items. Errors: FAULT_OOM. */
int batch_take(struct batch *batch, struct store *store,
	const struct store_batch *input, struct fault *fault);

/* Working copies and the letters to retry as items, in order.
 * Errors: FAULT_OOM. */
int batch_take_letters(struct batch *batch, struct store *store,
	const struct store_retry *retries, size_t count, struct fault *fault);

/* Ask the key window about one item, which then has a disposition or is to be
 * merged. WINDOW_ENDS_RUN: not before what came before is merged.
 * Errors: FAULT_OOM, FAULT_CORRUPT, as sql_fault(). */
enum window_verdict { WINDOW_DECIDED, WINDOW_ENDS_RUN };
int window_ask(struct batch *batch, struct item *item, struct fault *fault);

/* Write and count what became of an item. Errors: as window_ask(). */
int item_settle(struct batch *batch, struct item *item, struct fault *fault);

/* Decide and apply items[0..item_count), then count them.
 * Errors: as sql_fault(). */
int batch_run(struct batch *batch, struct fault *fault);

#endif
