/*
 * Who is connected, since when, and at what: so that nobody stays for too
 * long, and those who ask something find room.
 *
 * libmicrohttpd knows inactivity only: a client that sends one byte a second
 * is never inactive. Here each connection has one clock: since its request
 * began, or since its last reply was sent. Who is over the time is cut off by
 * shutting its socket down, which libmicrohttpd's thread then notices and
 * closes. It says so before it closes the socket (MHD_OPTION_NOTIFY_CONNECTION,
 * libmicrohttpd 0.9.75 and 1.0.1, MHD_cleanup_connections()), so under the
 * mutex no socket is touched that may belong to somebody else by now.
 *
 * Threads: any.
 */
#ifndef HOLDFAST_STORE_SERVE_CONNECTIONS_H
#define HOLDFAST_STORE_SERVE_CONNECTIONS_H

#include "schema/fault.h"
#include "store/serve/counters.h"

#include <pthread.h>

enum guest_state {
	GUEST_NOBODY,
	GUEST_EXPECTED, /* accepted, on its way to a thread */
	GUEST_THERE
};

/* One connection. */
struct guest {
	/* Monotonic: busy with a request since, or, negative, idle since;
	 * INT64_MAX: waits for the store. */
	atomic_int_fast64_t since_us;
	int socket;
	unsigned char state; /* enum guest_state */
	unsigned char told;  /* to leave: how often */
};

struct connections_options {
	size_t max;
	int64_t idle_time_us, request_time_us;
	struct counters *counters;
};

struct connections {
	struct connections_options options;
	pthread_mutex_t mutex;
	pthread_cond_t left;  /* somebody did */
	struct guest *guests; /* guests[0..room), in use below `high` */
	uint32_t *spare;      /* spare[0..spare_count): indices not in use */
	size_t room, high, spare_count;
	size_t told; /* guests that were told to leave and are still here */
};

/* Errors: FAULT_OOM. */
int connections_init(struct connections *connections,
	const struct connections_options *options, struct fault *fault);
void connections_finish(struct connections *connections);

/* How many sockets may be open at once: beyond `max` there is a little room
 * for those who come while others are still leaving. */
size_t connections_room_for(size_t max);
size_t connections_room(const struct connections *connections);

enum welcome {
	WELCOME_IN,
	WELCOME_LATER, /* others were told to leave: in a moment */
	WELCOME_NOT    /* all are busy */
};

/* May another one come in? At the limit the one that is idle for longest is
 * told to leave. */
enum welcome connections_welcome(struct connections *connections);

/* One comes: `socket` is about to be handed to a thread. NULL: no room. */
struct guest *connections_expect(
	struct connections *connections, int socket, int64_t now_us);
/* It did not get there. */
void connections_forget(struct connections *connections, struct guest *guest);

/* The one that was expected is there. NULL: it was not expected. */
struct guest *connections_arrive(struct connections *connections, int socket);
/* It leaves; its socket is closed after this. */
void connections_leave(struct connections *connections, struct guest *guest);

/* A request began, its reply is out: by the thread that answers. */
static inline void guest_busy(struct guest *guest, int64_t now_us)
{
	atomic_store_explicit(&guest->since_us, now_us, memory_order_relaxed);
}
/* It waits for the store: that is not its client's slowness. */
static inline void guest_waits(struct guest *guest)
{
	atomic_store_explicit(
		&guest->since_us, INT64_MAX, memory_order_relaxed);
}
static inline void guest_idle(struct guest *guest, int64_t now_us)
{
	atomic_store_explicit(&guest->since_us, -now_us, memory_order_relaxed);
}

/* Tell everyone to leave who is over the time; call it now and then. */
void connections_sweep(struct connections *connections, int64_t now_us);

/* Tell everyone to leave as soon as they are idle; return when nobody is left
 * who is busy, or when `time_us` is over. */
void connections_drain(struct connections *connections, int64_t time_us);

#endif
