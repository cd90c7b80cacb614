/*
 * The pipeline between a scripted source and the store's twin.
 */
#ifndef HOLDFAST_TESTS_PIPELINE_RIG_H
#define HOLDFAST_TESTS_PIPELINE_RIG_H

#include "ingest/pipeline.h"
#include "tests/lib/check.h"
#include "tests/lib/script_source.h"
#include "tests/lib/twin_store.h"

#define PARTITIONS 3
#define RECORDS 100 /* of each partition */

struct rig {
	struct schema *schema;
	struct store *store;
	struct script_clock clock;
	struct script_source script;
	struct source *source; /* the script, or what is wrapped around it */
	struct pipeline_options options;
	struct pipeline_result result;
	struct fault fault;
	atomic_bool stop;
	bool stop_when_told; /* a notice stops the pipeline */
	char told[1024];     /* the first notice */
	size_t notices;
	/* Called for each script_order(), with nothing in flight. */
	int (*attend)(struct rig *rig, int order);
	int attended; /* the order before */
	void *seen;   /* a test's own, for its callbacks */
	bool insists; /* wants something all the time */
};

/* cmocka's: *state is a rig whose pipeline works with threads, or without. */
int rig_setup_threads(void **state);
int rig_setup_plain(void **state);
int rig_teardown(void **state);

/* A test, both ways. */
#define BOTH_WAYS(test)                                                        \
	{#test " (threads)", test, rig_setup_threads, rig_teardown, NULL},     \
	{                                                                      \
#test, test, rig_setup_plain, rig_teardown, NULL               \
	}

/* A new store, a new script; what was there is gone. */
void rig_open_store(struct rig *rig);
void rig_new_script(struct rig *rig);

/* An event that adds `count` to the account `id`, told apart by its number. */
void rig_send(
	struct rig *rig, int32_t partition, int number, int id, int count);

/* RECORDS of each of PARTITIONS: every account gets 1 + 2 + 3. */
void rig_send_all(struct rig *rig);

/* Run the pipeline; rig->fault and rig->result say how it went. */
int rig_run(struct rig *rig);
void rig_run_well(struct rig *rig); /* and fail the test if it did not */

const struct store_accounts *rig_accounts(struct rig *rig, size_t partition);
int64_t rig_count_of(struct rig *rig, int64_t id);

/* What rig_send_all() sent is there once; and committed to its end. */
void rig_check_all(struct rig *rig);
void rig_check_committed(struct rig *rig);

#endif
