/*
 * Sockets that stay open for a moment after the last word was said.
 *
 * Closing a socket while the client still sends resets the connection, and a
 * client may lose a reply it has not read yet. So the direction to the client
 * is shut, and the socket closed a little later, unread.
 * Source: RFC 9112, section 9.6.
 *
 * Threads: any.
 */
#ifndef HOLDFAST_STORE_SERVE_LINGERING_H
#define HOLDFAST_STORE_SERVE_LINGERING_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#define LINGERING_MAX 64 /* more push the oldest out */
#define LINGERING_TIME_US INT64_C(1000000)

struct lingering {
	pthread_mutex_t mutex;
	struct {
		int socket;
		int64_t due_us; /* monotonic */
	} sockets[LINGERING_MAX];
	size_t first, count; /* a ring, oldest first */
};

void lingering_init(struct lingering *lingering);
void lingering_finish(struct lingering *lingering); /* closes all */

/* Take over `socket`; a negative one is allowed. */
void lingering_add(struct lingering *lingering, int socket, int64_t now_us);

/* Close those whose time is over. Returns how many are left. */
size_t lingering_sweep(struct lingering *lingering, int64_t now_us);

#endif
