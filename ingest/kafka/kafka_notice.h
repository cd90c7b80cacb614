/*
 * What to tell the operator, kept until it is polled; the same thing not more
 * often than is useful. Internal to ingest/kafka/, and to the polling thread.
 */
#ifndef HOLDFAST_INGEST_KAFKA_KAFKA_NOTICE_H
#define HOLDFAST_INGEST_KAFKA_KAFKA_NOTICE_H

#include "schema/fault.h"

#include <stdbool.h>
#include <stdint.h>

enum kafka_notice_kind {
	NOTICE_ONCE,	   /* the caller sees to that */
	NOTICE_CONNECTION, /* every 10 s */
	NOTICE_WAITING,	   /* for a partition: every 10 s */
	NOTICE_COMMIT,	   /* every minute */
	NOTICE_KINDS
};

struct kafka_notice; /* opaque */

struct kafka_notices {
	struct kafka_notice *first, *last;
	int64_t next_us[NOTICE_KINDS]; /* monotonic: not to be said before */
};

/* Keep it, unless its kind was said lately. */
void kafka_notices_add(struct kafka_notices *notices,
	enum kafka_notice_kind kind, int64_t now_us, const struct fault *text);

/* The oldest one; false: there is none. */
bool kafka_notices_take(struct kafka_notices *notices, struct fault *text);

void kafka_notices_finish(struct kafka_notices *notices);

#endif
