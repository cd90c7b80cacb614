/*
 * The server's insides, shared by server.c (start and stop) and visit.c (one
 * request on its way through libmicrohttpd).
 *
 * Every thread that answers is a libmicrohttpd daemon of its own: what a
 * request needs belongs to its thread and is taken without a lock.
 */
#ifndef HOLDFAST_STORE_SERVE_SERVING_H
#define HOLDFAST_STORE_SERVE_SERVING_H

#include "store/serve/connections.h"
#include "store/serve/door.h"
#include "store/serve/exchange.h"
#include "store/serve/lingering.h"
#include "store/serve/pool.h"
#include "store/serve/serve.h"
#include "store/serve/waiting.h"

#include <microhttpd.h>

/* A connection's memory: request line and headers, then the reply's; a body
 * passes through in pieces. libmicrohttpd clears all of it after each request,
 * so more costs speed. */
#define CONNECTION_BYTES ((size_t)16 * 1024)

/* Bytes that one request needs, kept for the next one on the connection. */
struct bytes {
	char *data;
	size_t length, capacity;
};

struct worker;

/* A connection, and the request it is in. */
struct visit {
	struct worker *worker;
	struct guest *guest;
	struct visit *next; /* spare ones */
	struct waiter waiter;
	/* of the request */
	bool headers_seen, lingers;
	enum http_method method;
	struct bytes target, body;
	size_t charged;		    /* of serve->body_bytes */
	int64_t began_us;	    /* monotonic */
	int64_t waiting_since_us;   /* 0: it never had to wait */
	struct desk_memory *memory; /* the reply is there; or NULL */
	size_t reply_charged;	    /* of serve->replies_bytes */
	struct exchange exchange;
};

struct worker {
	struct serve *serve;
	struct MHD_Daemon *daemon;
	struct desk desk;
	struct visit *spare;
	atomic_uint_fast32_t visits; /* connections, now */
};

struct serve {
	struct serve_options options;
	struct counters counters;
	struct pool pool;
	struct connections connections;
	struct lingering lingering;
	struct waiting waiting;
	struct door door;
	struct worker *workers; /* workers[0..options.threads) */
	pthread_t keeper;
	bool keeping;
	atomic_bool stopping;
	/* Held for bodies under way beyond what connections keep anyway. */
	atomic_size_t body_bytes;
	/* Held by replies that are larger than most. */
	atomic_size_t replies_bytes;
};

/* libmicrohttpd's callbacks; `cls` is a worker. */
void visit_notify(void *cls, struct MHD_Connection *connection,
	void **socket_context, enum MHD_ConnectionNotificationCode code);
void *visit_begin(
	void *cls, const char *target, struct MHD_Connection *connection);
enum MHD_Result visit_handle(void *cls, struct MHD_Connection *connection,
	const char *url, const char *method, const char *version,
	const char *data, size_t *data_size, void **context);
void visit_complete(void *cls, struct MHD_Connection *connection,
	void **context, enum MHD_RequestTerminationCode code);

void visits_free(struct visit *spare);

#endif
