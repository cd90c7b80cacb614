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
