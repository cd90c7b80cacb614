/*
 * The retry queue: parked letters are taken up in log order when they are due,
 * some hundred at a time, between batches; events never wait for one.
 *
 * One that still can't be applied waits longer each time (ingest/retry.h), and
 * is dead after its last attempt. At a start all are looked at without that
 * counting as an attempt, since the schema may know more than before.
 *
 * Threads: the store's owner.
 */
#ifndef HOLDFAST_INGEST_RETRY_QUEUE_H
#define HOLDFAST_INGEST_RETRY_QUEUE_H

#include "ingest/retry.h"

struct retry_queue_options {
	struct store *store;
	struct decoder decoder; /* as retry_request's */
	int64_t attempts_max;
	uint64_t seed; /* of the dice */
};

struct retry_queue; /* opaque */

/* On success the caller owns *out, on failure it is NULL. Errors: FAULT_OOM. */
int retry_queue_open(struct retry_queue **out,
	const struct retry_queue_options *options, struct fault *fault);
void retry_queue_close(struct retry_queue *queue); /* NULL is allowed */

/* Something is due at this wall clock. Asks no store. */
bool retry_queue_is_due(const struct retry_queue *queue, int64_t now_us);

/* Letters were parked meanwhile, to be tried at `due_us` first. */
void retry_queue_expect(struct retry_queue *queue, int64_t due_us);

/* Take up some of what is due. Results and errors: retry_letters(); asking
 * again is safe. */
int retry_queue_turn(
	struct retry_queue *queue, int64_t now_us, struct fault *fault);

#endif
