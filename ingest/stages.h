/*
 * The stages behind polling: decode, then apply, batch by batch in order.
 *
 * FLIGHTS batches go round: one is filled by the poller, the others are on
 * their way. With threads each stage has one of its own, else a batch goes
 * through both when it is sent. A batch that can't be applied stops the stages:
 * none behind it is applied, since its records would look like a gap, until all
 * are abandoned.
 *
 * Threads: every function here is for the polling thread.
 */
#ifndef HOLDFAST_INGEST_STAGES_H
#define HOLDFAST_INGEST_STAGES_H

#include "ingest/caution.h"
#include "ingest/flight.h"
#include "ingest/pipeline.h"

#define FLIGHTS 3 /* polled, decoded, applied: one each */

struct stages; /* opaque */

/* On success the caller owns *out; `caution` is borrowed until stages_close().
 * Errors: FAULT_OOM, FAULT_IO (no thread). */
int stages_open(struct stages **out, const struct pipeline_options *options,
	const struct caution *caution, struct fault *fault);

/* Stop the threads after the batch they are at, and free. NULL is allowed. */
void stages_close(struct stages *stages);

/* Records of `log` are decoded as `source` says. While nothing is in flight. */
int stages_add_log(struct stages *stages, const struct log *log,
	const struct source_schema *source, struct fault *fault);

/* A record of `log` holds no more updates. */
size_t stages_updates_most(const struct stages *stages, const struct log *log);

/* The batch to fill, or NULL while all are in flight. The same one until it is
 * sent. */
struct flight *stages_filling(struct stages *stages);

/* Send the batch being filled on its way; store_batch's `to_the_brim` as it
 * is. */
void stages_send(struct stages *stages, bool to_the_brim);

/* Forget every batch that was sent or is being filled, applied or not, after
 * one that could not be: its records must be taken again. Waits until the
 * batches are decoded. */
void stages_abandon(struct stages *stages);

/* The next batch that went through all stages, in order; NULL: none yet. It
 * is the caller's until stages_release(). */
struct flight *stages_landed(struct stages *stages);
void stages_release(struct stages *stages);

/* Why a batch can't be applied yet: once each, for the operator. */
bool stages_trouble(struct stages *stages, struct fault *out);

/* How many batches were sent and not released. */
size_t stages_in_flight(struct stages *stages);

/* Wait until one more batch has landed, at most `timeout_ms`. */
void stages_wait(struct stages *stages, uint32_t timeout_ms);

#endif
