/*
 * The door: listens, lets connections in or turns them away, and sees to it
 * that nobody stays for too long. One thread of its own.
 *
 * libmicrohttpd could listen as well, but knows one limit only, at which new
 * connections are closed without a word, and stopping it to listen races with
 * its own threads (0.9.75, MHD_quiesce_daemon(): an epoll_ctl() that fails
 * there aborts the process).
 */
#ifndef HOLDFAST_STORE_SERVE_DOOR_H
#define HOLDFAST_STORE_SERVE_DOOR_H

#include "schema/fault.h"
#include "store/serve/connections.h"
#include "store/serve/lingering.h"

#include <sys/socket.h>

struct door_options {
	const char *address;
	uint16_t port;
	int64_t sweep_every_us;
	struct connections *connections;
	struct lingering *lingering;
	struct counters *counters;
	/* Hand a socket on, which is the callee's from then on. */
	void (*admit)(void *payload, int socket, const struct sockaddr *from,
		socklen_t from_size);
	void (*notice)(void *payload, const char *text); /* or NULL */
	void *payload;
};

struct door {
	struct door_options options;
	int listener, wake; /* descriptors */
	uint16_t port;
	/* Accepted, and waits at the door for others to leave; or -1. */
	int held;
	struct sockaddr_storage from;
	socklen_t from_size;
	pthread_t thread;
	bool running, shortage_said;
	atomic_bool stopping;
};

/* Listen. The thread starts with door_start().
 * Errors: FAULT_USAGE (no IP address), FAULT_IO (the port is taken). */
int door_init(struct door *door, const struct door_options *options,
	struct fault *fault);
int door_start(struct door *door, struct fault *fault); /* FAULT_OOM */

/* Let nobody in any more and end the thread. */
void door_stop(struct door *door);
void door_finish(struct door *door);

#endif
