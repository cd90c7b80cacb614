/*
 * What became of an update, and why: the words of design section 2 in the one
 * spelling that code, tables, metrics and commands share.
 */
#ifndef HOLDFAST_SCHEMA_DISPOSITION_H
#define HOLDFAST_SCHEMA_DISPOSITION_H

#include "schema/policy.h"
#include "schema/slice.h"

enum disposition {
	DISPOSITION_APPLIED,	/* changed the row */
	DISPOSITION_SUPERSEDED, /* newer features or a newer floor stood there
				 */
	DISPOSITION_DUPLICATE,	/* its key was taken by the same event */
	DISPOSITION_PARKED,	/* can't be applied yet */
	DISPOSITION_DEAD,	/* can't be applied: kept as a dead letter */
	DISPOSITION_COUNT
};

enum reason {
	REASON_NONE,
	/* of the record: judged first, one dead letter for the whole record */
	REASON_BAD_JSON,	 /* the value is not JSON */
	REASON_BAD_UTF8,	 /* the value is not UTF-8 */
	REASON_DUPLICATE_MEMBER, /* an object names a member twice */
	REASON_TOO_DEEP,	 /* nested beyond the limit */
	REASON_TOO_LONG,	 /* longer than the limit */
	REASON_BAD_EVENT,	 /* not an event: wrong shape, op or members */
	REASON_NO_KEY,		 /* no idempotency key under `reject` */
	/* of the update, by the key window */
	REASON_KEY_REUSED, /* the key was taken by another event */
	/* of the update, by its content, in the order they are judged */
	REASON_UNKNOWN_VIEW,   /* parks */
	REASON_MISSING_ENTITY, /* no value for an entity key */
	REASON_BAD_ENTITY,     /* an entity key of the wrong type */
	REASON_EVENT_TIME_UNREADABLE,
	REASON_EVENT_TIME_IMPLAUSIBLE, /* before the year 2000 */
	REASON_EVENT_TIME_IN_FUTURE,   /* beyond max_skew */
	REASON_NO_EVENT_TIME,	       /* neither in event nor record */
	REASON_UNKNOWN_FEATURE,	       /* under `reject`; under `park`: parks */
	REASON_TYPE_MISMATCH,
	REASON_OUT_OF_RANGE,  /* an integer the type can't hold */
	REASON_WRONG_LENGTH,  /* a vector of another length */
	REASON_OUT_OF_BOUNDS, /* beyond minimum, maximum, max_length */
	REASON_OVERFLOW,      /* a sum the type can't hold */
	REASON_LATE_DELETE,   /* by retry: newer sums would stay whole */
	REASON_CRASH_LOOP,    /* parks: taking it ended the process */
	REASON_COUNT
};

/* "applied", "key_reused"; stable: stored and shown. */
const char *disposition_name(enum disposition disposition);
const char *reason_name(enum reason reason);

/* The reason of that name; REASON_NONE if there is none. */
enum reason reason_parse(struct slice name);

/* What the reason means and what to do, one sentence for an operator. */
const char *reason_advice(enum reason reason);

/*
 * The decoder's table: POLICY_DEAD, or POLICY_PARK for what may yet be applied
 * as it is. An unknown feature parks only under that setting of its source,
 * which the decoder knows (update->parks).
 */
enum policy reason_policy(enum reason reason);
const struct policy_family *reason_codes(void);

#endif
