/*
 * What the server counted: added to by its threads, read by /metrics.
 *
 * Threads: any number at once.
 */
#ifndef HOLDFAST_STORE_SERVE_COUNTERS_H
#define HOLDFAST_STORE_SERVE_COUNTERS_H

#include "store/terms.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What was asked for, by route. */
enum endpoint {
	ENDPOINT_VIEW,	 /* GET /v1/views/{view}/{key}[/{key}…] */
	ENDPOINT_LOOKUP, /* POST /v1/lookup */
	ENDPOINT_FEAST,	 /* POST /get-online-features */
	ENDPOINT_LIVEZ,
	ENDPOINT_READYZ, /* and /health */
	ENDPOINT_METRICS,
	ENDPOINT_PAGE, /* / */
	ENDPOINT_NONE, /* no route */
	ENDPOINT_COUNT
};

/* Upper bounds of the latency histogram's buckets; the last one is +Inf. */
#define LATENCY_BUCKETS 16

struct counters {
	/* replies by endpoint and hundreds of the status, [5] for 5xx */
	atomic_uint_fast64_t replies[ENDPOINT_COUNT][6];
	atomic_uint_fast64_t latency[ENDPOINT_COUNT][LATENCY_BUCKETS];
	atomic_uint_fast64_t latency_sum_us[ENDPOINT_COUNT];
	atomic_uint_fast64_t entities[ENDPOINT_COUNT];
	atomic_uint_fast64_t values[VALUE_STATUS_COUNT];
	atomic_uint_fast64_t turned_away; /* 503 or closed at a limit */
	atomic_uint_fast64_t cut_off;	  /* too slow, or idle for too long */
	atomic_int_fast64_t connections;  /* now */
	atomic_int_fast64_t waiting;	  /* for `at_least`, now */
	atomic_int_fast64_t started_us;	  /* wall clock */
	/* Wall clock when the store was last seen to have changed: ingest
	 * stores something at least once a second while it lives. 0: never. */
	atomic_int_fast64_t ingest_seen_us;
};

#define INGEST_DOWN_US INT64_C(3000000) /* design section 7 */

enum ingest_state {
	INGEST_UP,
	INGEST_UNKNOWN, /* not watched for long enough */
	INGEST_DOWN	/* the store did not change for INGEST_DOWN_US */
};

/* As the server saw it up to `now_us`, by the wall clock. */
enum ingest_state counters_ingest(
	const struct counters *counters, int64_t now_us);

/* "/v1/lookup"; for labels. */
const char *endpoint_name(enum endpoint endpoint);

#endif
