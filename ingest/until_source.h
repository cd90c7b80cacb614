/*
 * A source that ends at a moment: of each partition it gives what comes before
 * the first record whose timestamp is later, and says that this is its end;
 * also when it is started anew. So a store is taken to where it was at that
 * time. Nothing is committed. A record of which nobody knows a time is as old
 * as the one before it.
 *
 * Threads: as ingest/source.h.
 */
#ifndef HOLDFAST_INGEST_UNTIL_SOURCE_H
#define HOLDFAST_INGEST_UNTIL_SOURCE_H

#include "ingest/source.h"

struct until_options {
	int64_t until_us;
	/* Of a record that its log gives no timestamp, as a line of a file has
	 * none; TIMESTAMP_NONE: nobody knows. Fails with FAULT_OOM. NULL:
	 * nobody knows of any. */
	int (*time_of)(void *payload, const struct record *record,
		int64_t *time_us, struct fault *fault);
	void *payload;
	/* Of a partition that was found: may it be taken? A fault ends the
	 * source. NULL: any may. */
	int (*found)(void *payload, const struct source_event *event,
		struct fault *fault);
	/* Of one that is started: what else its log is known by, borrowed
	 * during the call. NULL: nothing. */
	void (*know)(void *payload, struct source_position *position);
	void *log_payload; /* of these two */
};

/* `inner` is owned from here on, on failure too. The caller owns *out and
 * closes it by source_close(). Errors: FAULT_OOM. */
int until_source_open(struct source **out, struct source *inner,
	const struct until_options *options, struct fault *fault);

#endif
