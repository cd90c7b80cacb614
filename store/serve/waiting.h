/*
 * Requests that wait for `at_least`: their connections are suspended until the
 * store changes or their time is over, then asked again. A request keeps its
 * place among those that may wait until it has its reply.
 *
 * Threads: any; waiting_wake() is one thread's.
 */
#ifndef HOLDFAST_STORE_SERVE_WAITING_H
#define HOLDFAST_STORE_SERVE_WAITING_H

#include "store/serve/counters.h"

#include <pthread.h>

struct MHD_Connection;

/* One request that waits; belongs to its connection. */
struct waiter {
	struct waiter *previous, *next;
	struct MHD_Connection *connection;
	uint32_t changes; /* pool_changes() before it was asked */
	int64_t due_us;	  /* monotonic: then it is asked for the last time */
	bool has_place;
};

struct waiting {
	pthread_mutex_t mutex;
	pthread_cond_t someone; /* waits, or the stop */
	struct waiter *first;
	size_t suspended, places, max;
	bool stopped;
	struct counters *counters;
};

void waiting_init(
	struct waiting *waiting, size_t max, struct counters *counters);
void waiting_finish(struct waiting *waiting); /* nobody waits any more */

enum waiting_outcome { WAITING_SUSPENDED, WAITING_FULL, WAITING_STOPPED };

/* Suspend waiter->connection, whose handler calls this and returns. */
enum waiting_outcome waiting_add(
	struct waiting *waiting, struct waiter *waiter);

/* The request has its reply: give its place to others, if it had one. */
void waiting_leave(struct waiting *waiting, struct waiter *waiter);

/* Resume those that have a reason to be asked again. */
void waiting_wake(struct waiting *waiting, uint32_t changes, int64_t now_us);

/* Sleep for `idle_us`, or as long as `busy_us` while someone waits; less when
 * the first one comes. False: stopped. */
bool waiting_sleep(struct waiting *waiting, int64_t idle_us, int64_t busy_us);

/* Resume all; nobody waits from now on. */
void waiting_stop(struct waiting *waiting);

#endif
