/*
 * What chapters play on: a store in a directory, a log of events as JSON, and
 * what to look at when it is over.
 */
#ifndef HOLDFAST_TESTS_WALK_STAGE_H
#define HOLDFAST_TESTS_WALK_STAGE_H

#include "schema/decode.h"
#include "store/decisions.h"
#include "store/reader.h"

#define STAGE_TIME_US INT64_C(1795422048000000) /* 2026-11-23T08:20:48Z */
#define STAGE_BATCHES 3
#define STAGE_TOPICS 2
#define STAGE_RECORDS 4 /* of a topic in a batch */

struct stage {
	const char *path; /* the store's directory */
	struct schema *schema;
	struct store_options options;
	struct store *store;   /* NULL: closed */
	struct reader *reader; /* likewise */
	struct arena arena;
	int64_t log_start; /* of partitions that are new */
	bool patient;	   /* what failed for memory is asked for once more */
	struct fault fault;
};

extern const struct decision stage_decision;

/* Parse the schema. Results here and below: 0, or a fault in stage->fault. */
int stage_begin(struct stage *stage, const char *path);
void stage_finish(struct stage *stage); /* closes what is open */

/* Once more? After a first lack of memory. */
bool stage_again(struct stage *stage, int rc);

int stage_open(struct stage *stage);
void stage_close(struct stage *stage);

/* Decode and apply batch number `batch`: what was taken is skipped. */
int stage_take(struct stage *stage, int batch);
int stage_take_all(struct stage *stage);

/* Partition 0 of topic 0 or 1. */
int stage_partition(
	struct stage *stage, int topic, const struct store_partition **out);

/* All that must be equal however it came about. */
struct stage_sum {
	struct digest digest;
	int64_t next_offsets[STAGE_TOPICS];
	int64_t updates[STAGE_TOPICS];
	int64_t problems; /* that verify finds */
	char problem[256];
};
int stage_look(struct stage *stage, struct stage_sum *out);

#endif
