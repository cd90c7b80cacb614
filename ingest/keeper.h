/*
 * The keeper of letters: what has to be done about parked updates and dead
 * letters while records are taken. Between batches it
 *
 * - takes up parked updates that are due (ingest/retry_queue.h);
 * - stops a partition that brings too many dead letters, `dead_letter_flood`,
 *   until somebody resumes it (ingest/breaker.h);
 * - stops the partitions that bring more while a topic has as many parked
 *   updates as it may, or bytes of them, `parked_full`, or bytes of dead
 *   letters, `dead_letters_full`, until there is room again;
 * - clears dead letters that somebody acknowledged `dead_keep` ago, or, where
 *   these are full, at all.
 *
 * keeper_wants() and keeper_attend() are what the pipeline asks by its `wants`
 * and `attend`, keeper_landed() what it tells by `landed`.
 *
 * Threads: all on the polling thread.
 */
#ifndef HOLDFAST_INGEST_KEEPER_H
#define HOLDFAST_INGEST_KEEPER_H

#include "ingest/clock.h"
#include "ingest/letter_load.h"
#include "ingest/retry_queue.h"

/* A day: an update that comes before its view finds it where schemas are
 * deployed daily. Attempt 6 is 63 minutes after the record, then one an hour.
 */
#define KEEPER_RETRY_ATTEMPTS 30
/* Of a topic; with values of 1 kB some 150 MB of the store's file. */
#define KEEPER_PARKED_MAX 100000
/* Of a topic: as many of 10 kB each; with the largest values 1,000 of them. */
#define KEEPER_PARKED_MAX_BYTES (INT64_C(1) << 30)
/* Of a topic: what the key window may take, too. */
#define KEEPER_DEAD_MAX_BYTES (INT64_C(8) << 30)
#define KEEPER_DEAD_KEEP_US (30 * 24 * INT64_C(3600000000))
/* Half: a producer whose every record is broken trips it within 5,000 records,
 * one broken kind of event out of several does not. */
#define KEEPER_DEAD_SHARE_MAX 0.5

struct keeper_options {
	struct store *store;
	struct decoder decoder; /* as retry_request's */
	struct clock *clock;
	uint64_t seed; /* of the dice */
	int64_t retry_attempts;
	/* Of a topic; passed by batches under way. */
	struct letter_limits limits;
	int64_t dead_keep_us;  /* acknowledged letters leave after */
	double dead_share_max; /* 1: partitions never stop for it */
	bool until_end; /* nobody waits: a partition that stops is a fault */
	/* Told of partitions that stop or go on. */
	void (*notice)(void *payload, const char *text);
	void *payload;
};

/* The defaults above; store, decoder, clock, seed and notice are left to the
 * caller. */
struct keeper_options keeper_options_default(void);

struct keeper; /* opaque */

/* On success the caller owns *out, on failure it is NULL.
 * Errors: FAULT_OOM, those of store_letter(). */
int keeper_open(struct keeper **out, const struct keeper_options *options,
	struct fault *fault);
void keeper_close(struct keeper *keeper); /* NULL is allowed */

/* A batch is durable. */
void keeper_landed(struct keeper *keeper, const struct store_tally *tally);

/* Is there something to do? Asks no store. */
bool keeper_wants(const struct keeper *keeper);

/* Do some of it, in well under a second; the store is the caller's meanwhile.
 * What a full disk or a busy store keeps it from is tried again a second later.
 * Returns 0. Errors: FAULT_LOG with `until_end`, those of store_retry() that
 * waiting does not heal. */
int keeper_attend(struct keeper *keeper, struct fault *fault);

#endif
