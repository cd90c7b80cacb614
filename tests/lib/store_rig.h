/*
 * A real store in a directory of its own, for tests of single behaviours.
 */
#ifndef HOLDFAST_TESTS_STORE_RIG_H
#define HOLDFAST_TESTS_STORE_RIG_H

#include "store/writer.h"
#include "tests/lib/directory.h"

/* Record timestamps and event times count from here. */
#define STORE_RIG_TIME_US INT64_C(1795422048000000)
#define SECOND_US INT64_C(1000000)

struct store_rig {
	struct directory directory;
	struct schema *schema;
	struct store_options options;
	struct store *store; /* NULL while closed */
	struct arena arena;
};

/* cmocka's setup and teardown: *state is a rig with an open store whose views
 * are `account` (id: int64; count: sum, label: last) and `pair` (shop: string,
 * item: int64; low: min), with topics `alpha` and `beta`. */
int store_rig_setup(void **state);
int store_rig_teardown(void **state);
#define WITH_STORE(test)                                                       \
	cmocka_unit_test_setup_teardown(                                       \
		test, store_rig_setup, store_rig_teardown)

void store_rig_close(struct store_rig *rig);
void store_rig_open(struct store_rig *rig); /* fails the test if it can't */

/* The log of alpha:number, made at offset 0. */
const struct store_partition *store_rig_partition(
	struct store_rig *rig, int32_t number);

/* What a record of one update holds. */
struct store_rig_event {
	int32_t partition;
	int64_t offset;
	int64_t record_s; /* record timestamp, seconds from the rig's time */
	unsigned key;	  /* 0: none */
	uint64_t content;
	int64_t id; /* entity of `account` */
	int64_t count;
	enum reason reason; /* dead for it, or parked as unknown view or for
			       ending the process */
};

/* Records and marks for store_rig_apply(), in the rig's arena. */
struct store_record store_rig_record(
	struct store_rig *rig, const struct store_rig_event *event);

/* Apply one record; fails the test unless it is durable. */
struct store_tally store_rig_take(
	struct store_rig *rig, const struct store_rig_event *event);

/* Say that alpha:number was read to its end. */
void store_rig_mark(struct store_rig *rig, int32_t number);

/* The first column of the first row of `sql`, asked of the file from outside.
 */
int64_t store_rig_ask(const struct store_rig *rig, const char *sql);

/* Do something to the file from outside. */
void store_rig_tamper(const struct store_rig *rig, const char *sql);

#endif
