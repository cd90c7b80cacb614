/*
 * The twin under the names of store/store.h: a test program that links this
 * instead of holdfast::store runs the pipeline without a disk. Here is what
 * that header lacks: failures to order, and a look inside.
 *
 * Of store_options only `schema` and `key_window_us` matter.
 */
#ifndef HOLDFAST_TESTS_TWIN_STORE_H
#define HOLDFAST_TESTS_TWIN_STORE_H

#include "tests/lib/twin.h"

struct twin *twin_of(struct store *store);

/* What the next call of store_apply() does instead of its duty; the calls
 * after it obey further orders, in order. */
enum twin_failure {
	TWIN_BUSY,	   /* FAULT_BUSY, nothing changed */
	TWIN_UNKNOWN_LOST, /* outcome unknown: it is not there */
	TWIN_UNKNOWN_KEPT, /* outcome unknown: it is there */
	TWIN_WINDOW_FULL,
	TWIN_BROKEN /* FAULT_IO */
};
void twin_store_fail(
	struct store *store, enum twin_failure failure, size_t times);

/* Calls of store_apply() so far, failures included. Any thread may ask. */
size_t twin_store_batches(const struct store *store);

/* The durable next_offset of a log. Any thread may ask. */
int64_t twin_store_durable(const struct store *store, const struct log *log);

/* What store_window() says; the twin keeps every key. At first: 0 of 0 bytes,
 * which is no room. */
void twin_store_set_window(struct store *store, struct store_window window);

/* What the next run is to be told of a search for a record that ends the
 * process; and that batches may be larger or smaller from now on. */
void twin_store_suspect(
	struct store *store, const struct store_suspicion *suspicion);

/* The record at this offset of each log ended the process before the store went
 * back. */
void twin_store_convict(struct store *store, int64_t offset);

/* Calls of store_feeds() for a log; offsets[0..result) of store_alone(). */
#define TWIN_ALONE_MAX 1024
/* Of those, so many find the disk full. */
void twin_store_fill_disk(struct store *store, size_t times);
size_t twin_store_fed(const struct store *store, const struct log *log);
size_t twin_store_alone(
	const struct store *store, int64_t offsets[TWIN_ALONE_MAX]);

#endif
