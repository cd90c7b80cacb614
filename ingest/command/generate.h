/*
 * The generator: a stream of events as rough as real ones, the same for the
 * same options. Pure: no clock, no I/O.
 *
 * Lines of NDJSON come out, each a whole record with a key, but where a record
 * is broken so that it can't be one: then the line is its value. A copy of an
 * earlier record differs from it in `attempt` alone, which no schema maps.
 * Every poison record says what is wrong with it in the unmapped member
 * `poison`, as far as it can be read; all of its updates are dead.
 *
 * Event times: record n of the stream (copies not counted) has slot n, 50 ms
 * wide, behind `base_time_us`; a late one has a slot before the newest of its
 * entity. No two records share a time, so the newest is never in doubt.
 */
#ifndef HOLDFAST_INGEST_COMMAND_GENERATE_H
#define HOLDFAST_INGEST_COMMAND_GENERATE_H

#include "schema/fault.h"
#include "schema/slice.h"

#include <stdbool.h>
#include <stdint.h>

#define GENERATE_SLOT_US 50000
#define GENERATE_RECORDS_MAX INT64_C(4000000000) /* serials have 32 bits */
#define GENERATE_ENTITIES_MAX 10000000		 /* 200 MB of state */
#define GENERATE_DISTANCE_MAX 1000000		 /* 130 MB of history */
#define GENERATE_VALUE_BYTES_MAX                                               \
	900000 /* below librdkafka's own limit for a                           \
		  message, message.max.bytes */
#define GENERATE_FEATURES_MAX 100

/* What the records look like: deploy/sample/schema.json, or
 * tests/bench/schema.json. */
enum generate_shape { GENERATE_SAMPLE, GENERATE_BENCH };

struct generate_options {
	enum generate_shape shape;
	int64_t records; /* in all, copies and poison among them */
	int64_t seed;
	int64_t entities;
	double zipf; /* exponent of the entities' popularity; 0: all alike */
	double duplicates;	    /* share: copies of earlier records */
	int64_t duplicate_distance; /* half of them from further back */
	double disorder;     /* share: an event time below an earlier one of the
				same entity */
	double broken;	     /* share: poison */
	double deletes;	     /* share; the sample only */
	int64_t value_bytes; /* at least so long */
	int64_t features, sums; /* the bench only */
	int64_t base_time_us;	/* event times begin here */
};

/* How a record is broken: every reason that a mapped record can die for, but
 * `too_long`, which Kafka refuses first, and `overflow`, which depends on the
 * row. */
enum poison {
	POISON_NONE,
	POISON_BAD_JSON,
	POISON_BAD_UTF8,
	POISON_DUPLICATE_MEMBER,
	POISON_TOO_DEEP,
	POISON_NO_KEY,
	POISON_KEY_REUSED,
	POISON_MISSING_ENTITY,
	POISON_BAD_ENTITY,
	POISON_EVENT_TIME_UNREADABLE,
	POISON_EVENT_TIME_IMPLAUSIBLE,
	POISON_EVENT_TIME_IN_FUTURE,
	POISON_TYPE_MISMATCH,
	POISON_OUT_OF_RANGE,
	POISON_WRONG_LENGTH,  /* the sample only */
	POISON_OUT_OF_BOUNDS, /* the sample only */
	POISON_COUNT
};

/* The reason it dies for, as reason_name() has it. */
const char *poison_name(enum poison poison);

struct generator; /* opaque */

/* On success the caller owns *out. Errors: FAULT_OOM, FAULT_USAGE (options that
 * do not fit each other). */
int generator_open(struct generator **out,
	const struct generate_options *options, struct fault *fault);

/* The next line, without newline, borrowed until the next call. False: that
 * was all. */
bool generator_next(struct generator *generator, struct slice *line);

/* How long event times go on behind the base. */
int64_t generate_span_us(const struct generate_options *options);

void generator_close(struct generator *generator); /* NULL is allowed */

#endif
