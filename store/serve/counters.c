#include "store/serve/counters.h"

#include <math.h>

/* A lookup in process takes microseconds, a batch of thousands milliseconds,
 * and what took seconds waited or had a slow client. */
static const int64_t bounds_us[LATENCY_BUCKETS - 1] = {25, 50, 100, 250, 500,
	1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 1000000,
	5000000};

double latency_bound_s(size_t bucket)
{
	return bucket < LATENCY_BUCKETS - 1 ? (double)bounds_us[bucket] / 1e6
					    : INFINITY;
}

const char *endpoint_name(enum endpoint endpoint)
{
	static const char *const names[ENDPOINT_COUNT] = {
		[ENDPOINT_VIEW] = "/v1/views",
		[ENDPOINT_LOOKUP] = "/v1/lookup",
		[ENDPOINT_FEAST] = "/get-online-features",
		[ENDPOINT_LIVEZ] = "/livez",
		[ENDPOINT_READYZ] = "/readyz",
		[ENDPOINT_METRICS] = "/metrics",
		[ENDPOINT_PAGE] = "/",
		[ENDPOINT_NONE] = "none",
	};
	return names[endpoint];
}

/* The thread is the only one that writes there: no locked instruction. */
static void add(atomic_uint_fast64_t *counter, uint64_t number)
{
	uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);
	atomic_store_explicit(counter, value + number, memory_order_relaxed);
}

static uint64_t get(const atomic_uint_fast64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

void counters_join(struct counters *counters, struct counters_shard *shard)
{
	shard->next = atomic_load(&counters->shards);
	while (!atomic_compare_exchange_weak(
		&counters->shards, &shard->next, shard))
		continue;
}

static size_t bucket_of(int64_t latency_us)
{
	size_t bucket = 0;
	while (bucket < LATENCY_BUCKETS - 1 && latency_us > bounds_us[bucket])
		bucket++;
	return bucket;
}

void counters_count(
	struct counters_shard *shard, const struct counters_reply *reply)
{
	enum endpoint endpoint = reply->endpoint;
	unsigned class = reply->status / 100;
	add(&shard->replies[endpoint][class < STATUS_CLASSES ? class : 0], 1);
	add(&shard->latency[endpoint][bucket_of(reply->latency_us)], 1);
	add(&shard->latency_sum_us[endpoint],
		reply->latency_us > 0 ? (uint64_t)reply->latency_us : 0);
	if (reply->entities == 0)
		return;
	add(&shard->entities[endpoint], reply->entities);
	for (size_t i = 0; i < VALUE_STATUS_COUNT; i++)
		if (reply->values[i] != 0)
			add(&shard->values[i], reply->values[i]);
}

static void add_endpoint(const struct counters_shard *shard,
	struct counters_total *out, size_t endpoint)
{
	for (size_t i = 0; i < STATUS_CLASSES; i++)
		out->replies[endpoint][i] += get(&shard->replies[endpoint][i]);
	for (size_t i = 0; i < LATENCY_BUCKETS; i++)
		out->latency[endpoint][i] += get(&shard->latency[endpoint][i]);
	out->latency_sum_us[endpoint] += get(&shard->latency_sum_us[endpoint]);
	out->entities[endpoint] += get(&shard->entities[endpoint]);
}

void counters_sum(const struct counters *counters, struct counters_total *out)
{
	*out = (struct counters_total){0};
	const struct counters_shard *shard = atomic_load(&counters->shards);
	for (; shard != NULL; shard = shard->next) {
		for (size_t i = 0; i < ENDPOINT_COUNT; i++)
			add_endpoint(shard, out, i);
		for (size_t i = 0; i < VALUE_STATUS_COUNT; i++)
			out->values[i] += get(&shard->values[i]);
	}
}

enum ingest_state counters_ingest(
	const struct counters *counters, int64_t now_us)
{
	int64_t seen_us = atomic_load(&counters->ingest_seen_us);
	int64_t since_us =
		seen_us != 0 ? seen_us : atomic_load(&counters->started_us);
	if (now_us - since_us > INGEST_DOWN_US)
		return INGEST_DOWN;
	return seen_us != 0 ? INGEST_UP : INGEST_UNKNOWN;
}
