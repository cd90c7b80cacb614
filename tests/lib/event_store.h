/*
 * A real store in a directory of its own that takes events as they come, in
 * JSON. JSON in tests is written with single quotes for double ones.
 */
#ifndef HOLDFAST_TESTS_EVENT_STORE_H
#define HOLDFAST_TESTS_EVENT_STORE_H

#include "schema/decode.h"
#include "store/store.h"
#include "tests/lib/directory.h"

struct event_store {
	struct directory directory;
	struct schema *schema;
	struct store *store;
	struct decoder decoder;
	struct arena arena; /* of the event under way */
};

/* Make a store of that schema, in a new directory. Fails the test if it can't,
 * as all of these do. */
void event_store_make(struct event_store *store, const char *schema);

/* Close it and remove the directory. */
void event_store_remove(struct event_store *store);

/* The wall clock. */
int64_t event_store_now_us(void);

/* Take a record of partition 0 of `topic` whose timestamp is now; its one
 * update must be applied, by an upsert, replace or delete. */
void event_store_take(
	struct event_store *store, const char *topic, const char *value);

/* Partition 0 of `topic` was read to its end at `as_of_us`. */
void event_store_mark(
	struct event_store *store, const char *topic, int64_t as_of_us);

#endif
