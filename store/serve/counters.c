#include "store/serve/counters.h"

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
