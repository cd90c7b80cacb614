/* The server: its threads, started and stopped. */
#include "store/serve/descriptors.h"
#include "store/serve/serving.h"
#include "store/serve/time.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How often the keeper looks: at snapshots kept for nobody (READER_REST_US);
 * the same while there are some, since the writer waits for old ones when its
 * WAL is long; whether the store changed; the same while requests wait for
 * that. */
#define KEEP_EVERY_US INT64_C(20000)
#define REST_EVERY_US INT64_C(4000)
#define WATCH_EVERY_US INT64_C(250000)
#define WAIT_EVERY_US INT64_C(2000)

/* Descriptors apart from connections: of each thread (epoll, eventfd, a
 * reader's database, WAL and index, and a reader being opened anew), and of
 * everything else in the process: ingest with its broker connections. */
#define THREAD_DESCRIPTORS 8
#define OTHER_DESCRIPTORS 128

/* Over the time is found out within a quarter of it, within these bounds. */
#define SWEEP_EVERY_MIN_US INT64_C(10000)
#define SWEEP_EVERY_MAX_US INT64_C(1000000)

#define THREADS_MAX 256
#define CONNECTIONS_LIMIT 1000000 /* of serve.connections_max */

static int64_t wall_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

struct serve_options serve_options_default(void)
{
	return (struct serve_options){
		.busy_timeout_ms = 5000,
		.address = "127.0.0.1",
		.port = 6566,
		.threads = 4,
		.body_bytes_max = (size_t)1 << 20,
		.replies_bytes_max = (size_t)256 << 20,
		.entities_max = 10000,
		.features_max = 1900,
		.connections_max = 1000,
		.request_time_us = INT64_C(10) * 1000000,
		.idle_time_us = INT64_C(300) * 1000000,
		.wait_time_us = INT64_C(1) * 1000000,
		.waiting_max = 100,
		.stop_time_us = INT64_C(5) * 1000000,
		.wall_us = wall_us,
	};
}

static int check_options(
	const struct serve_options *options, struct fault *fault)
{
	if (options->threads < 1 || options->threads > THREADS_MAX)
		return fault_set(fault, FAULT_USAGE,
			"serve.threads: %u is not between 1 and %d",
			options->threads, THREADS_MAX);
	if (options->connections_max < 1 ||
		options->connections_max > CONNECTIONS_LIMIT)
		return fault_set(fault, FAULT_USAGE,
			"serve.connections_max: %zu is not between 1 and %d",
			options->connections_max, CONNECTIONS_LIMIT);
	if (options->body_bytes_max < 1 || options->request_time_us < 1 ||
		options->idle_time_us < 1)
		return fault_set(fault, FAULT_USAGE,
			"serve.body_bytes_max, serve.request_time and "
			"serve.idle_time must be more than 0");
	return 0;
}

static void notice(void *payload, const char *text)
{
	const struct serve_options *options =
		&((struct serve *)payload)->options;
	if (options->notice != NULL)
		options->notice(options->payload, text);
}

/* As many connections as the process may open files. */
static size_t limit_connections(struct serve *serve)
{
	const struct serve_options *options = &serve->options;
	char text[256];
	size_t others = LINGERING_MAX + OTHER_DESCRIPTORS +
			(size_t)options->threads * THREAD_DESCRIPTORS;
	size_t wanted = connections_room_for(options->connections_max);
	size_t limit = descriptors_raise(wanted + others);
	if (limit >= wanted + others)
		return options->connections_max;
	size_t room = limit > others ? limit - others : 0;
	size_t max = options->connections_max;
	while (max > 1 && connections_room_for(max) > room)
		max--;
	if (snprintf(text, sizeof text,
		    "the limit of open files, %zu, allows %zu connections at "
		    "once, not serve.connections_max = %zu: raise it (ulimit "
		    "-Hn, LimitNOFILE=)",
		    limit, max, options->connections_max) > 0)
		notice(serve, text);
	return max;
}

/* With the fewest connections. */
static struct worker *least_visited(struct serve *serve)
{
	struct worker *best = &serve->workers[0];
	for (unsigned i = 1; i < serve->options.threads; i++)
		if (atomic_load(&serve->workers[i].visits) <
			atomic_load(&best->visits))
			best = &serve->workers[i];
	return best;
}

static void admit(void *payload, int socket, const struct sockaddr *from,
	socklen_t from_size)
{
	struct serve *serve = payload;
	struct worker *worker = least_visited(serve);
	struct guest *guest =
		connections_expect(&serve->connections, socket, monotonic_us());
	atomic_fetch_add(&worker->visits, 1);
	if (MHD_add_connection(worker->daemon, socket, from, from_size) ==
		MHD_YES)
		return;
	/* It closed the socket. */
	atomic_fetch_sub(&worker->visits, 1);
	if (guest != NULL)
		connections_forget(&serve->connections, guest);
}

/* Returns when to watch the store again. */
/* Returns whether a snapshot is kept. */
static bool keep_once(struct serve *serve, int64_t *watch_due_us)
{
	int64_t now_us = monotonic_us();
	bool keeps = false;
	if (now_us >= *watch_due_us ||
		atomic_load(&serve->counters.waiting) > 0) {
		*watch_due_us = now_us + WATCH_EVERY_US;
		pool_watch(&serve->pool, now_us);
	}
	waiting_wake(&serve->waiting, pool_changes(&serve->pool), now_us);
	for (unsigned i = 0; i < serve->options.threads; i++)
		keeps |= desk_rest(&serve->workers[i].desk, now_us);
	return keeps;
}

static void *keep(void *payload)
{
	struct serve *serve = payload;
	int64_t watch_due_us = 0;
	bool keeps = false;
	do
		keeps = keep_once(serve, &watch_due_us);
	while (waiting_sleep(&serve->waiting,
		keeps ? REST_EVERY_US : KEEP_EVERY_US, WAIT_EVERY_US));
	return NULL;
}

/* Paths are split before they are decoded, so nothing is decoded here. */
static size_t leave_escaped(
	void *cls, struct MHD_Connection *connection, char *text)
{
	(void)cls;
	(void)connection;
	return strlen(text);
}

static int start_worker(
	struct serve *serve, struct worker *worker, struct fault *fault)
{
	worker->serve = serve;
	desk_init(&worker->desk, &serve->pool);
	worker->daemon = MHD_start_daemon(
		MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_TURBO | MHD_USE_ITC |
			MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET,
		0, NULL, NULL, visit_handle, worker,
		MHD_OPTION_URI_LOG_CALLBACK, visit_begin, worker,
		MHD_OPTION_NOTIFY_COMPLETED, visit_complete, worker,
		MHD_OPTION_NOTIFY_CONNECTION, visit_notify, worker,
		MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_BYTES,
		MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)connections_room(&serve->connections),
		/* Times are the sweeper's. */
		MHD_OPTION_CONNECTION_TIMEOUT, 0U, MHD_OPTION_END);
	if (worker->daemon == NULL)
		return fault_set(fault, FAULT_OOM,
			"can't start a thread that answers: %s",
			strerror(errno));
	return 0;
}

static int start_workers(struct serve *serve, struct fault *fault)
{
	int rc = 0;
	unsigned threads = serve->options.threads;
	serve->workers = calloc(threads, sizeof *serve->workers);
	if (serve->workers == NULL)
		return fault_set(fault, FAULT_OOM, "no memory for threads");
	for (unsigned i = 0; rc == 0 && i < threads; i++)
		rc = start_worker(serve, &serve->workers[i], fault);
	return rc;
}

static int start_keeper(struct serve *serve, struct fault *fault)
{
	int error = pthread_create(&serve->keeper, NULL, keep, serve);
	if (error != 0)
		return fault_set(fault, FAULT_OOM, "can't make a thread: %s",
			strerror(error));
	serve->keeping = true;
	return 0;
}

static int64_t sweep_every_us(const struct serve_options *options)
{
	int64_t shorter = options->idle_time_us < options->request_time_us
				  ? options->idle_time_us
				  : options->request_time_us;
	if (shorter / 4 < SWEEP_EVERY_MIN_US)
		return SWEEP_EVERY_MIN_US;
	return shorter / 4 > SWEEP_EVERY_MAX_US ? SWEEP_EVERY_MAX_US
						: shorter / 4;
}

static int open_door(struct serve *serve, struct fault *fault)
{
	const struct serve_options *options = &serve->options;
	return door_init(&serve->door,
		&(struct door_options){
			.address = options->address,
			.port = options->port,
			.sweep_every_us = sweep_every_us(options),
			.connections = &serve->connections,
			.lingering = &serve->lingering,
			.counters = &serve->counters,
			.admit = admit,
			.notice = notice,
			.payload = serve,
		},
		fault);
}

/* The parts in their order, so that serve_stop() can end what there is. */
static int start(struct serve *serve, struct fault *fault)
{
	const struct serve_options *options = &serve->options;
	const struct pool_options pool = {options->store_path,
		options->busy_timeout_ms, options->wall_us, notice, serve,
		&serve->counters};
	atomic_store(&serve->counters.started_us, options->wall_us());
	waiting_init(&serve->waiting, options->waiting_max, &serve->counters);
	lingering_init(&serve->lingering);
	pool_init(&serve->pool, &pool);
	const struct connections_options limits = {limit_connections(serve),
		options->idle_time_us, options->request_time_us,
		&serve->counters};
	int rc = connections_init(&serve->connections, &limits, fault);
	if (rc == 0)
		rc = open_door(serve, fault);
	if (rc == 0)
		rc = start_workers(serve, fault);
	if (rc == 0)
		rc = start_keeper(serve, fault);
	if (rc == 0)
		rc = door_start(&serve->door, fault);
	return rc;
}

int serve_start(struct serve **out, const struct serve_options *options,
	struct fault *fault)
{
	*out = NULL;
	int rc = check_options(options, fault);
	if (rc < 0)
		return rc;
	struct serve *serve = calloc(1, sizeof *serve);
	if (serve == NULL)
		return fault_set(fault, FAULT_OOM, "no memory for the server");
	serve->options = *options;
	serve->door.listener = serve->door.wake = serve->door.held = -1;
	/* Signals are for the threads of others. */
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	rc = start(serve, fault);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc < 0)
		serve_stop(serve);
	else
		*out = serve;
	return rc;
}

uint16_t serve_port(const struct serve *serve)
{
	return serve->door.port;
}

static void stop_worker(struct worker *worker)
{
	MHD_stop_daemon(worker->daemon);
	desk_finish(&worker->desk);
	visits_free(worker->spare);
}

void serve_stop(struct serve *serve)
{
	if (serve == NULL)
		return;
	/* Before the door closes: replies that come later end their
	 * connections. */
	atomic_store(&serve->stopping, true);
	door_stop(&serve->door);
	waiting_stop(&serve->waiting);
	if (serve->keeping)
		pthread_join(serve->keeper, NULL);
	connections_drain(&serve->connections, serve->options.stop_time_us);
	for (unsigned i = 0;
		serve->workers != NULL && i < serve->options.threads; i++)
		stop_worker(&serve->workers[i]);
	free(serve->workers);
	door_finish(&serve->door);
	connections_finish(&serve->connections);
	pool_finish(&serve->pool);
	lingering_finish(&serve->lingering);
	waiting_finish(&serve->waiting);
	free(serve);
}
