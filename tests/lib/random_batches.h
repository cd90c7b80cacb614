/*
 * Batches by chance: records of a few logs, in order within each, some of them
 * delivered again, with gaps, marks and record timestamps that go forward or
 * wild.
 */
#ifndef HOLDFAST_TESTS_RANDOM_BATCHES_H
#define HOLDFAST_TESTS_RANDOM_BATCHES_H

#include "store/store.h"
#include "tests/lib/random_updates.h"

#define RANDOM_PARTITIONS_MAX 6
#define RANDOM_FIRST_OFFSET 100
#define RANDOM_WINDOW_US (60 * INT64_C(1000000))

/* How record timestamps go. */
enum random_clocks {
	/* As logs have them: each partition's go forward, those of one that
	 * was at its end go on at the present. Keys may be let go. */
	CLOCKS_FORWARD,
	/* To and fro, beyond the window: which only a window that lets no key
	 * go can judge. */
	CLOCKS_WILD
};

struct random_partition {
	struct log log; /* under the number that stores give it: index + 1 */
	int64_t next_offset;
	int64_t clock_us;
	bool at_end;
	bool slow;    /* stays far behind the others */
	bool stopped; /* gives no more records */
};

struct random_batches {
	enum random_clocks clocks;
	struct chance chance;
	struct schema *schema; /* random_schema() */
	struct random_updates updates;
	struct arena events; /* of all updates */
	struct arena arena;  /* of the last batch */
	struct random_partition partitions[RANDOM_PARTITIONS_MAX];
	size_t partition_count;
	int64_t now_us;
};

void random_batches_init(struct random_batches *random,
	enum random_clocks clocks, uint64_t seed);
void random_batches_finish(struct random_batches *random);

/* One more log; at most RANDOM_PARTITIONS_MAX. */
void random_partition_add(struct random_batches *random);

/*
 * The next batch, valid until the next call. Its logs and views are the
 * generator's own: random_aim() makes a copy, valid as long, that names those
 * of a store, given by its schema and logs[0..partition_count).
 */
struct store_batch random_batch(struct random_batches *random);
struct store_batch random_aim(struct random_batches *random,
	const struct store_batch *batch, const struct schema *schema,
	const struct log *const *logs);

#endif
