/*
 * The store's network face: HTTP lookups, Feast's contract, health, metrics
 * and a status page, on a pool of threads of its own.
 *
 * Serving needs the store's files and nothing else: it goes on while Kafka or
 * ingest is down, and starts before there is a store (then it answers 503
 * until one appears). Source: design section 7.
 */
#ifndef HOLDFAST_STORE_SERVE_SERVE_H
#define HOLDFAST_STORE_SERVE_SERVE_H

#include "schema/fault.h"

#include <stddef.h>
#include <stdint.h>

struct serve; /* opaque */

/* Every limit has a default in serve_options_default(). */
struct serve_options {
	const char *store_path;
	uint32_t busy_timeout_ms;
	const char *address;	  /* an IP address to listen on */
	uint16_t port;		  /* 0: any free one, see serve_port() */
	unsigned threads;	  /* each with its own read-only connection */
	size_t body_bytes_max;	  /* of a request */
	size_t replies_bytes_max; /* large replies under way, all together */
	size_t entities_max;	  /* rows of a request */
	size_t features_max;	  /* features of a request, over all views */
	size_t connections_max;	  /* at once; more get 503 or are closed */
	int64_t request_time_us;  /* from its line to its reply's last byte,
				   * apart from waiting for `at_least` */
	int64_t idle_time_us; /* a kept-alive connection without a request */
	int64_t wait_time_us; /* longest wait for `at_least` */
	size_t waiting_max;   /* requests that wait for it at once */
	int64_t stop_time_us; /* serve_stop() waits for requests under way */
	int64_t (*wall_us)(void); /* the clock of lag and age */
	/* What an operator should know, one sentence a call; from any thread.
	 * May be NULL. */
	void (*notice)(void *payload, const char *text);
	void *payload;
};

struct serve_options serve_options_default(void);

/*
 * Listen and answer from now on. `options` is copied, its texts must outlive
 * the server. On success the caller owns *out; on failure it is NULL.
 * Errors: FAULT_USAGE (address, limits), FAULT_IO (the port is taken, names
 * it), FAULT_OOM.
 */
int serve_start(struct serve **out, const struct serve_options *options,
	struct fault *fault);

uint16_t serve_port(const struct serve *serve);

/* Take no more connections, finish the requests under way (for stop_time_us at
 * most), end the threads, free. NULL is allowed. */
void serve_stop(struct serve *serve);

#endif
