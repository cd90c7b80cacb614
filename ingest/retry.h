/*
 * Letters taken up again: their records are decoded anew, as if they came now,
 * and their updates go to the store at the versions they always had.
 *
 * For the retry queue (ingest/retry_queue.h) and for `holdfast dead`. Knows
 * neither SQLite nor Kafka.
 */
#ifndef HOLDFAST_INGEST_RETRY_H
#define HOLDFAST_INGEST_RETRY_H

#include "ingest/dice.h"
#include "store/store.h"

/* The wait before the next attempt doubles from the first to the last, plus up
 * to a quarter, so that what was parked together does not come back together.
 */
#define RETRY_FIRST_US (60 * INT64_C(1000000))
#define RETRY_LAST_US (3600 * INT64_C(1000000))

/* Before the attempt behind `attempts` >= 0 others. */
int64_t retry_wait_us(int64_t attempts, struct dice *dice);

struct retry_request {
	struct store *store;
	struct decoder decoder; /* the limits; schema and secret are the
				   store's */
	enum letter_kind kind;
	const int64_t *ids; /* ids[0..count), in the order to take them; each
			       once */
	size_t count;
	struct store_retry_options how;
	/* What stays parked was not tried: it keeps attempts and time. Else it
	 * waits from now_us, the wall clock, on. */
	bool uncounted;
	int64_t now_us;
	struct dice *dice; /* needed unless `uncounted` */
};

struct retry_result {
	int64_t id;
	bool found; /* there was such a letter */
	struct retry_verdict verdict;
};

/*
 * Take letters up, up to 5,000 or 16 MiB of them a transaction;
 * results[0..count) say what became of each, or would. In a dry run each of
 * these portions is judged for itself.
 * Returns 0, or STORE_OUTCOME_UNKNOWN; on that and on errors the portions
 * before are durable, and asking again is safe: what is settled is not found.
 * Errors: those of store_letter() and store_retry().
 */
int retry_letters(const struct retry_request *request,
	struct retry_result *results, struct fault *fault);

#endif
