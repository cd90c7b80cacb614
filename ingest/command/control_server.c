#include "ingest/command/control_server.h"

#include "ingest/clock.h"
#include "ingest/command/control_visitor.h"
#include "ingest/command/say.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define VISITORS 8 /* at once; more wait in the kernel's queue */
#define BACKLOG 64

/* A request on its way to the thread that owns the store. */
enum errand { ERRAND_NONE, ERRAND_WAITS, ERRAND_RUNS, ERRAND_DONE };

struct control_server {
	struct control control;
	int directory, listener, closing_event;
	struct visitor visitors[VISITORS];
	pthread_t thread;
	bool thread_runs;

	atomic_bool wanted;
	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t changed;
	enum errand errand;
	const json_t *request;
	const char *who;
	int rc;
	json_t *reply;
	struct fault fault;
	bool closing;
};

static struct timespec after_ms(uint32_t ms)
{
	struct timespec at;
	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += ms / 1000;
	at.tv_nsec += (long)(ms % 1000) * 1000000;
	if (at.tv_nsec >= 1000000000) {
		at.tv_nsec -= 1000000000;
		at.tv_sec++;
	}
	return at;
}

/* Wait for the errand's end. Nobody came to it: it is withdrawn, not done. One
 * that runs is waited for, whatever it takes. */
static int await(struct control_server *server)
{
	struct timespec deadline = after_ms(CONTROL_WAIT_MS);
	int rc = 0;
	while (server->errand == ERRAND_RUNS ||
		(server->errand == ERRAND_WAITS && !server->closing && rc == 0))
		rc = server->errand == ERRAND_RUNS
			     ? pthread_cond_wait(
				       &server->changed, &server->mutex)
			     : pthread_cond_timedwait(&server->changed,
				       &server->mutex, &deadline);
	if (server->errand == ERRAND_DONE)
		return server->rc;
	if (server->closing)
		return fault_set(&server->fault, FAULT_BUSY,
			"the store's owner is ending, and this was not done: "
			"try again");
	return fault_set(&server->fault, FAULT_BUSY,
		"the store's owner did not come to it within %d s, and it was "
		"not done: `holdfast status` and its log say what it waits for",
		CONTROL_WAIT_MS / 1000);
}

/* The line that answers a request; NULL: out of memory. */
static char *serve(
	struct control_server *server, const json_t *request, const char *who)
{
	pthread_mutex_lock(&server->mutex);
	server->request = request;
	server->who = who;
	server->reply = NULL;
	server->errand = ERRAND_WAITS;
	atomic_store(&server->wanted, true);
	int rc = await(server);
	server->errand = ERRAND_NONE;
	atomic_store(&server->wanted, false);
	char *line = control_encode(rc, server->reply, &server->fault);
	pthread_mutex_unlock(&server->mutex);
	return line;
}

static void answer(struct control_server *server, struct visitor *visitor)
{
	struct fault fault = {0};
	json_error_t error;
	json_t *request = json_loadb(
		visitor->line, visitor->length, JSON_REJECT_DUPLICATES, &error);
	char *line = NULL;
	if (request != NULL)
		line = serve(server, request, visitor->who);
	else
		line = control_encode(
			fault_set(&fault, FAULT_USAGE,
				"a request is a line of JSON: %s", error.text),
			NULL, &fault);
	if (line != NULL)
		visitor_reply(visitor, line);
	free(line);
	json_decref(request);
	visitor_leave(visitor);
}

static struct visitor *free_place(struct control_server *server)
{
	for (size_t i = 0; i < VISITORS; i++)
		if (server->visitors[i].fd < 0)
			return &server->visitors[i];
	return NULL;
}

/* One look at whoever is there: until something comes, somebody's time is over
 * or the server closes. False: it does. */
static bool look(struct control_server *server)
{
	struct pollfd polls[VISITORS + 2];
	polls[0] =
		(struct pollfd){.fd = server->closing_event, .events = POLLIN};
	polls[1] = (struct pollfd){
		.fd = free_place(server) == NULL ? -1 : server->listener,
		.events = POLLIN};
	for (size_t i = 0; i < VISITORS; i++)
		polls[i + 2] = (struct pollfd){
			.fd = server->visitors[i].fd, .events = POLLIN};
	(void)poll(polls, VISITORS + 2,
		visitors_patience_ms(server->visitors, VISITORS));
	if (polls[0].revents != 0)
		return false;
	for (size_t i = 0; i < VISITORS; i++) {
		struct visitor *visitor = &server->visitors[i];
		if (visitor->fd < 0)
			continue;
		/* Also who said nothing yet when this look began: others were
		 * answered since, which takes its time. */
		if (visitor_listen(visitor) == 1)
			answer(server, visitor);
		visitor_leave_late(visitor);
	}
	if (polls[1].revents != 0)
		visitor_come(free_place(server), server->listener);
	return true;
}

static void *loop(void *payload)
{
	struct control_server *server = payload;
	while (look(server))
		;
	return NULL;
}

/* The path by the directory's descriptor: the real one may be longer than a
 * socket's address holds. */
static struct sockaddr_un address_of(int directory)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int length = snprintf(address.sun_path, sizeof address.sun_path,
		"/proc/self/fd/%d/" CONTROL_SOCKET, directory);
	assert(length > 0 && (size_t)length < sizeof address.sun_path);
	return address;
}

static int socket_fault(
	const struct config *config, const char *what, struct fault *fault)
{
	return fault_set(fault, FAULT_IO, "%s/" CONTROL_SOCKET ": %s: %s",
		config->store.path, what, strerror(errno));
}

static int listen_there(struct control_server *server, struct fault *fault)
{
	const struct config *config = server->control.config;
	server->directory =
		open(config->store.path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (server->directory < 0)
		return socket_fault(config, "open the directory", fault);
	server->closing_event = eventfd(0, EFD_CLOEXEC);
	server->listener =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (server->closing_event < 0 || server->listener < 0)
		return socket_fault(config, "make a socket", fault);
	struct sockaddr_un address = address_of(server->directory);
	if (unlinkat(server->directory, CONTROL_SOCKET, 0) < 0 &&
		errno != ENOENT)
		return socket_fault(config, "remove the old one", fault);
	/* Before it has a name: nobody else ever finds it open. */
	if (fchmod(server->listener, 0600) < 0 ||
		bind(server->listener, (const struct sockaddr *)&address,
			sizeof address) < 0 ||
		listen(server->listener, BACKLOG) < 0)
		return socket_fault(config, "listen", fault);
	return 0;
}

int control_server_open(struct control_server **out, struct store **store,
	const struct config *config, struct fault *fault)
{
	*out = NULL;
	struct control_server *server = calloc(1, sizeof *server);
	if (server == NULL)
		return fault_set(fault, FAULT_OOM, "out of memory");
	server->control = (struct control){.owner = store, .config = config};
	server->directory = server->listener = server->closing_event = -1;
	for (size_t i = 0; i < VISITORS; i++)
		server->visitors[i].fd = -1;
	pthread_mutex_init(&server->mutex, NULL);
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&server->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	int rc = listen_there(server, fault);
	if (rc == 0 && pthread_create(&server->thread, NULL, loop, server) != 0)
		rc = fault_set(fault, FAULT_IO, "can't start a thread");
	server->thread_runs = rc == 0;
	if (rc < 0)
		control_server_close(server);
	else
		*out = server;
	return rc;
}

bool control_server_wants(const struct control_server *server)
{
	return server != NULL &&
	       atomic_load_explicit(&server->wanted, memory_order_relaxed);
}

int control_server_attend(struct control_server *server, struct fault *fault)
{
	pthread_mutex_lock(&server->mutex);
	bool waits = server->errand == ERRAND_WAITS;
	if (waits)
		server->errand = ERRAND_RUNS;
	atomic_store(&server->wanted, false);
	pthread_mutex_unlock(&server->mutex);
	if (!waits) /* it was withdrawn */
		return 0;
	struct clock *clock = clock_system();
	struct control control = server->control;
	struct fault why = {0};
	json_t *reply = NULL;
	control.store = *control.owner;
	control.who = server->who;
	control.now_us = clock->wall_us(clock);
	int rc = control_run(&control, server->request, &reply, &why);
	const char *action =
		json_string_value(json_object_get(server->request, "action"));
	if (rc < 0 || !control_only_asks(server->request))
		say(rc < 0 ? SAY_WARNING : SAY_INFO, "%s asked to %.64s%s%s",
			control.who, action == NULL ? "do nothing" : action,
			rc < 0 ? ", in vain: " : "", why.text);
	pthread_mutex_lock(&server->mutex);
	server->rc = rc;
	server->reply = reply;
	server->fault = why;
	server->errand = ERRAND_DONE;
	pthread_cond_broadcast(&server->changed);
	pthread_mutex_unlock(&server->mutex);
	return control_ends_owner(rc) ? fault_set(fault, rc, "%s", why.text)
				      : 0;
}

void control_server_close(struct control_server *server)
{
	if (server == NULL)
		return;
	pthread_mutex_lock(&server->mutex);
	server->closing = true;
	pthread_cond_broadcast(&server->changed);
	pthread_mutex_unlock(&server->mutex);
	if (server->thread_runs) {
		(void)eventfd_write(server->closing_event, 1);
		pthread_join(server->thread, NULL);
	}
	for (size_t i = 0; i < VISITORS; i++)
		visitor_leave(&server->visitors[i]);
	if (server->listener >= 0) {
		(void)unlinkat(server->directory, CONTROL_SOCKET, 0);
		close(server->listener);
	}
	if (server->closing_event >= 0)
		close(server->closing_event);
	if (server->directory >= 0)
		close(server->directory);
	pthread_cond_destroy(&server->changed);
	pthread_mutex_destroy(&server->mutex);
	free(server);
}
