/*
 * What the pipeline does while the store searches for a record that ends the
 * process (store/store.h, struct store_suspicion): smaller batches, one record
 * at a time where that is all, and the one that was found parked unseen.
 *
 * Threads: the polling thread's, caution_is() and caution_park() apart.
 */
#ifndef HOLDFAST_INGEST_CAUTION_H
#define HOLDFAST_INGEST_CAUTION_H

#include "ingest/flight.h"

struct caution {
	struct store *store;
	struct store_suspicion found; /* at the start */
	size_t batch_records;	      /* a batch holds no more, now */
	/* As in ingest/pipeline.h; NULL: nobody is known to. */
	bool (*convicted)(void *payload, const struct record *record);
	void *payload;
	bool *fed; /* by log id - 1: the store knows that it is taken up */
	size_t fed_count;
};

/* Suspects nothing that the store does not. */
void caution_init(struct caution *caution, struct store *store);
void caution_finish(struct caution *caution);

/* A record of `log` is about to be taken up. Errors: FAULT_OOM, those of
 * store_feeds() but a full disk: that is tried again with the next record. */
int caution_feed(
	struct caution *caution, const struct log *log, struct fault *fault);

/* Is a record at a time all that may be in flight? */
bool caution_alone(const struct caution *caution);

/* `flight` is about to be sent: where it is alone, its record is noted.
 * Errors: those of store_alone() but a full disk. */
int caution_note(struct caution *caution, const struct flight *flight,
	struct fault *fault);

/* Is this the record that was found, here or by others? Any thread. */
bool caution_is(const struct caution *caution, const struct record *record);

/* Its decoded form, without a look at it: one update, parked as crash_loop, in
 * `arena`. Any thread. Errors: FAULT_OOM. */
int caution_park(const struct caution *caution, const struct record *record,
	struct arena *arena, struct decoded *out, struct fault *fault);

/* What there is to say, for the operator: at the start, and after `flight` has
 * landed. False: nothing. */
bool caution_tell_start(const struct caution *caution, struct fault *out);
bool caution_tell_landed(struct caution *caution, const struct flight *flight,
	struct fault *out);

#endif
