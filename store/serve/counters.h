/*
 * What the server counted, read by /metrics, /readyz and the page.
 *
 * Each thread that answers counts into a shard of its own, so that counting
 * costs no more than adding; who reads adds the shards up.
 *
 * Threads: a shard is written by its one thread; all else by any number.
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

#define STATUS_CLASSES 6   /* hundreds of the status; [0]: none was sent */
#define LATENCY_BUCKETS 16 /* the last one is +Inf */

struct counters_shard {
	struct counters_shard *next;
	atomic_uint_fast64_t replies[ENDPOINT_COUNT][STATUS_CLASSES];
	/* from the request line to the reply's last byte */
	atomic_uint_fast64_t latency[ENDPOINT_COUNT][LATENCY_BUCKETS];
	atomic_uint_fast64_t latency_sum_us[ENDPOINT_COUNT];
	atomic_uint_fast64_t entities[ENDPOINT_COUNT];
	atomic_uint_fast64_t values[VALUE_STATUS_COUNT];
};

struct counters {
	_Atomic(struct counters_shard *) shards;
	atomic_uint_fast64_t accepted;	  /* connections */
	atomic_uint_fast64_t turned_away; /* 503 or closed at a limit */
	atomic_uint_fast64_t cut_off;	  /* too slow */
	atomic_uint_fast64_t idle_closed; /* idle for too long, or for room */
	/* The client left, or libmicrohttpd refused what is no HTTP. */
	atomic_uint_fast64_t broken_off;
	atomic_int_fast64_t connections; /* now */
	atomic_int_fast64_t waiting;	 /* for `at_least`, now */
	atomic_int_fast64_t started_us;	 /* wall clock */
	/* Wall clock when the store was last seen to have changed: ingest
	 * stores something at least once a second while it lives. 0: never. */
	atomic_int_fast64_t ingest_seen_us;
	atomic_uint_fast64_t damaged;	/* requests that met damage */
	atomic_int_fast64_t damaged_us; /* wall clock, the last; 0: never */
};

/* All shards together, at one moment or nearly so. */
struct counters_total {
	uint64_t replies[ENDPOINT_COUNT][STATUS_CLASSES];
	uint64_t latency[ENDPOINT_COUNT][LATENCY_BUCKETS];
	uint64_t latency_sum_us[ENDPOINT_COUNT];
	uint64_t entities[ENDPOINT_COUNT];
	uint64_t values[VALUE_STATUS_COUNT];
};

/* What became of one request. */
struct counters_reply {
	enum endpoint endpoint;
	unsigned status; /* 0: none was sent */
	int64_t latency_us;
	size_t entities;
	const uint64_t *values; /* values[0..VALUE_STATUS_COUNT) */
};

/* `shard` must outlive `counters`. */
void counters_join(struct counters *counters, struct counters_shard *shard);
void counters_count(
	struct counters_shard *shard, const struct counters_reply *reply);
void counters_sum(const struct counters *counters, struct counters_total *out);

/* Upper bounds of the latency buckets, seconds; INFINITY the last. */
double latency_bound_s(size_t bucket);

#define INGEST_DOWN_US INT64_C(3000000) /* design section 7 */

enum ingest_state {
	INGEST_UP,
	INGEST_UNKNOWN, /* not watched for long enough */
	INGEST_DOWN,	/* the store did not change for INGEST_DOWN_US */
	INGEST_STOPPED	/* nor could it: every partition is stopped */
};

/* As the server saw it up to `now_us`, by the wall clock; never
 * INGEST_STOPPED, which the store knows. */
enum ingest_state counters_ingest(
	const struct counters *counters, int64_t now_us);

/* "/v1/lookup"; for labels. */
const char *endpoint_name(enum endpoint endpoint);

#endif
