#include "store/serve/door.h"

#include "store/serve/time.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define BACKLOG 1024	   /* connections the kernel holds before we accept */
#define PAUSE_MS 5	   /* others were told to leave */
#define SHORTAGE_MS 100	   /* no descriptors, no memory */
#define ACCEPT_AT_ONCE 256 /* before the next look at the clock */

static const char turned_away[] =
	"HTTP/1.1 503 Service Unavailable\r\n"
	"Content-Type: application/json\r\n"
	"Content-Length: 96\r\n"
	"Retry-After: 1\r\n"
	"Connection: close\r\n"
	"\r\n"
	"{\"error\":{\"code\":\"overloaded\",\"message\":\"too many "
	"connections at "
	"once; try again in a second\"}}\n";

union address {
	struct sockaddr any;
	struct sockaddr_in four;
	struct sockaddr_in6 six;
};

/* An IP address in numbers; names would have to be asked for. 0: it is none. */
static socklen_t parse_address(
	const char *text, uint16_t port, union address *out)
{
	memset(out, 0, sizeof *out);
	if (inet_pton(AF_INET, text, &out->four.sin_addr) == 1) {
		out->four.sin_family = AF_INET;
		out->four.sin_port = htons(port);
		return sizeof out->four;
	}
	if (inet_pton(AF_INET6, text, &out->six.sin6_addr) == 1) {
		out->six.sin6_family = AF_INET6;
		out->six.sin6_port = htons(port);
		return sizeof out->six;
	}
	return 0;
}

static uint16_t port_of(int socket)
{
	union address bound = {.four = {.sin_port = 0}};
	socklen_t size = sizeof bound;
	if (getsockname(socket, &bound.any, &size) != 0)
		return 0;
	return ntohs(bound.any.sa_family == AF_INET6 ? bound.six.sin6_port
						     : bound.four.sin_port);
}

static int listen_at(struct door *door, const union address *address,
	socklen_t size, struct fault *fault)
{
	const int yes = 1;
	door->listener = socket(address->any.sa_family,
		SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* After a restart connections of the last run linger in the kernel. */
	if (door->listener >= 0 &&
		setsockopt(door->listener, SOL_SOCKET, SO_REUSEADDR, &yes,
			sizeof yes) == 0 &&
		bind(door->listener, &address->any, size) == 0 &&
		listen(door->listener, BACKLOG) == 0) {
		door->port = port_of(door->listener);
		return 0;
	}
	return fault_set(fault, FAULT_IO,
		"can't listen on %s port %d: %s: set serve.address and "
		"serve.port to what is free here",
		door->options.address, door->options.port, strerror(errno));
}

int door_init(struct door *door, const struct door_options *options,
	struct fault *fault)
{
	union address address;
	*door = (struct door){.options = *options, .listener = -1, .held = -1};
	door->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (door->wake < 0)
		return fault_set(fault, FAULT_OOM, "can't make an eventfd: %s",
			strerror(errno));
	socklen_t size =
		parse_address(options->address, options->port, &address);
	if (size == 0)
		return fault_set(fault, FAULT_USAGE,
			"serve.address: %s is no IP address, as 127.0.0.1 or "
			"::1",
			options->address);
	return listen_at(door, &address, size, fault);
}

static void turn_away(struct door *door, int socket)
{
	/* Such a short text fits, or the client is gone. */
	(void)send(socket, turned_away, sizeof turned_away - 1, MSG_NOSIGNAL);
	atomic_fetch_add(&door->options.counters->turned_away, 1);
	lingering_add(door->options.lingering, socket, monotonic_us());
}

static void say_shortage(struct door *door, int error)
{
	char text[160];
	if (!door->shortage_said && door->options.notice != NULL &&
		snprintf(text, sizeof text,
			"can't take connections: %s: raise the limit of open "
			"files, or lower serve.connections_max",
			strerror(error)) > 0)
		door->options.notice(door->options.payload, text);
	door->shortage_said = true;
}

static bool is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS ||
	       error == ENOMEM;
}

/* The next one in line into door->held. Returns how long to pause, in
 * milliseconds; -1: nobody is there. */
static int accept_next(struct door *door)
{
	door->from_size = sizeof door->from;
	door->held = accept4(door->listener, (struct sockaddr *)&door->from,
		&door->from_size, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (door->held >= 0) {
		atomic_fetch_add(&door->options.counters->accepted, 1);
		return 0;
	}
	if (is_shortage(errno)) {
		say_shortage(door, errno);
		return SHORTAGE_MS;
	}
	/* Who gave up before we came is no reason to stop. */
	return errno == EAGAIN || errno == EWOULDBLOCK ? -1 : 0;
}

/* Let the held one in, or turn it away. Returns how long to pause. */
static int let_in(struct door *door)
{
	const struct door_options *options = &door->options;
	int socket = door->held;
	if (socket < 0)
		return 0;
	switch (connections_welcome(options->connections)) {
	case WELCOME_LATER:
		return PAUSE_MS;
	case WELCOME_NOT:
		turn_away(door, socket);
		break;
	case WELCOME_IN:
		options->admit(options->payload, socket,
			(const struct sockaddr *)&door->from, door->from_size);
		break;
	}
	door->held = -1;
	return 0;
}

/* Accept who is waiting. Returns how long to pause; 0: not at all. */
static int accept_some(struct door *door)
{
	for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
		int pause_ms = door->held >= 0 ? 0 : accept_next(door);
		if (pause_ms == 0)
			pause_ms = let_in(door);
		if (pause_ms != 0)
			return pause_ms < 0 ? 0 : pause_ms;
	}
	return 0;
}

/* Returns when to do it again. */
static int64_t sweep(struct door *door)
{
	int64_t now_us = monotonic_us();
	connections_sweep(door->options.connections, now_us);
	(void)lingering_sweep(door->options.lingering, now_us);
	return now_us + door->options.sweep_every_us;
}

static int milliseconds_until(int64_t due_us)
{
	int64_t left_us = due_us - monotonic_us();
	return left_us <= 0 ? 0 : (int)(left_us / 1000) + 1;
}

static void *run(void *payload)
{
	struct door *door = payload;
	int64_t sweep_due_us = sweep(door);
	int pause_ms = 0;
	while (!atomic_load(&door->stopping)) {
		struct pollfd wanted[2] = {{.fd = door->wake, .events = POLLIN},
			{.fd = door->listener, .events = POLLIN}};
		int timeout_ms = milliseconds_until(sweep_due_us);
		if (pause_ms > 0 && pause_ms < timeout_ms)
			timeout_ms = pause_ms;
		(void)poll(wanted, pause_ms > 0 ? 1 : 2, timeout_ms);
		pause_ms = accept_some(door);
		if (monotonic_us() >= sweep_due_us)
			sweep_due_us = sweep(door);
	}
	return NULL;
}

int door_start(struct door *door, struct fault *fault)
{
	int error = pthread_create(&door->thread, NULL, run, door);
	if (error != 0)
		return fault_set(fault, FAULT_OOM, "can't make a thread: %s",
			strerror(error));
	door->running = true;
	return 0;
}

void door_stop(struct door *door)
{
	if (door->running) {
		atomic_store(&door->stopping, true);
		(void)eventfd_write(door->wake, 1);
		pthread_join(door->thread, NULL);
		door->running = false;
	}
	if (door->listener >= 0)
		close(door->listener);
	if (door->held >= 0)
		close(door->held);
	door->listener = door->held = -1;
}

void door_finish(struct door *door)
{
	door_stop(door);
	if (door->wake >= 0)
		close(door->wake);
	door->wake = -1;
}
