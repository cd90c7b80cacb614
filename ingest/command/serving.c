#include "ingest/command/serving.h"

#include "ingest/clock.h"
#include "ingest/command/port_file.h"
#include "ingest/command/say.h"

#include <stdio.h>
#include <string.h>

#define LISTENER_BYTES 80 /* an IPv6 address with its zone, and a port */

static int64_t wall_us(void)
{
	struct clock *clock = clock_system();
	return clock->wall_us(clock);
}

static void notice(void *payload, const char *text)
{
	(void)payload;
	say(SAY_WARNING, "%s", text);
}

static struct serve_options serve_options_of(const struct config *config)
{
	const struct config_serve *given = &config->serve;
	struct serve_options options = serve_options_default();
	options.store_path = config->store.path;
	options.busy_timeout_ms =
		(uint32_t)(config->store.busy_timeout_us / 1000);
	options.address = given->address;
	options.port = (uint16_t)given->port;
	options.threads = (unsigned)given->threads;
	options.body_bytes_max = (size_t)given->body_bytes_max;
	options.replies_bytes_max = (size_t)given->replies_bytes_max;
	options.entities_max = (size_t)given->entities_max;
	options.features_max = (size_t)given->features_max;
	options.connections_max = (size_t)given->connections_max;
	options.request_time_us = given->request_time_us;
	options.idle_time_us = given->idle_time_us;
	options.wait_time_us = given->wait_time_us;
	options.waiting_max = (size_t)given->waiting_max;
	options.stop_time_us = given->stop_time_us;
	options.wall_us = wall_us;
	options.notice = notice;
	return options;
}

/* "127.0.0.1:6566", "[::1]:6566". */
static const char *listener_text(
	const char *address, uint16_t port, char out[LISTENER_BYTES])
{
	bool colons = strchr(address, ':') != NULL;
	if (snprintf(out, LISTENER_BYTES, "%s%s%s:%u", colons ? "[" : "",
		    address, colons ? "]" : "", (unsigned)port) < 0)
		out[0] = '\0';
	return out;
}

int serving_start(struct serve **out, const struct config *config,
	const char *port_file, struct fault *fault)
{
	struct serve_options options = serve_options_of(config);
	char listener[LISTENER_BYTES];
	int rc = serve_start(out, &options, fault);
	if (rc < 0)
		return rc;
	(void)listener_text(config->serve.address, serve_port(*out), listener);
	say(SAY_INFO, "answering lookups on http://%s from %s", listener,
		config->store.path);
	if (port_file != NULL)
		rc = port_file_write(port_file, listener, fault);
	if (rc < 0) {
		serve_stop(*out);
		*out = NULL;
	}
	return rc;
}
