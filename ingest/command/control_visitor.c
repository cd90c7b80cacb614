#include "ingest/command/control_visitor.h"

#include "ingest/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define FIRST_BYTES 4096

static int64_t now_us(void)
{
	struct clock *clock = clock_system();
	return clock->monotonic_us(clock);
}

void visitor_leave(struct visitor *visitor)
{
	if (visitor->fd >= 0)
		close(visitor->fd);
	free(visitor->line);
	*visitor = (struct visitor){.fd = -1};
}

/* Source: unix(7), SO_PEERCRED: of the process that connected. */
static bool note_who(struct visitor *visitor)
{
	struct ucred peer;
	socklen_t length = sizeof peer;
	if (getsockopt(visitor->fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) <
		0)
		return false;
	control_who(peer.uid, visitor->who);
	return true;
}

/* Without descriptors the next look would find the same at once. */
static void rest(void)
{
	static const struct timespec pause = {0, 100000000};
	if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
		(void)nanosleep(&pause, NULL);
}

void visitor_come(struct visitor *visitor, int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0) {
		rest();
		return;
	}
	*visitor = (struct visitor){.fd = fd,
		.line = malloc(FIRST_BYTES),
		.capacity = FIRST_BYTES,
		.deadline_us = now_us() + CONTROL_TALK_MS * INT64_C(1000)};
	if (visitor->line == NULL || !note_who(visitor))
		visitor_leave(visitor);
}

static bool has_room(struct visitor *visitor)
{
	if (visitor->length < visitor->capacity)
		return true;
	size_t capacity = visitor->capacity * 2;
	char *larger = capacity > CONTROL_LINE_BYTES
			       ? NULL
			       : realloc(visitor->line, capacity);
	if (larger == NULL)
		return false;
	visitor->line = larger;
	visitor->capacity = capacity;
	return true;
}

/* What is wrong with what came, and goodbye. */
static int turn_away(struct visitor *visitor)
{
	struct fault fault;
	int rc = fault_set(&fault, FAULT_USAGE,
		"a request is a line of at most %d bytes", CONTROL_LINE_BYTES);
	char *line = control_encode(rc, NULL, &fault);
	if (line != NULL)
		visitor_reply(visitor, line);
	free(line);
	visitor_leave(visitor);
	return 0;
}

/* What is there of the request. 1: all of it. */
static int listen_once(struct visitor *visitor, bool *more)
{
	*more = false;
	if (!has_room(visitor))
		return turn_away(visitor);
	char *at = visitor->line + visitor->length;
	ssize_t got = recv(visitor->fd, at, visitor->capacity - visitor->length,
		MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (got <= 0) {
		visitor_leave(visitor);
		return 0;
	}
	visitor->length += (size_t)got;
	const char *end = memchr(at, '\n', (size_t)got);
	*more = end == NULL;
	if (end != NULL)
		visitor->length = (size_t)(end - visitor->line);
	return end != NULL;
}

int visitor_listen(struct visitor *visitor)
{
	bool more = true;
	int rc = 0;
	while (rc == 0 && more)
		rc = listen_once(visitor, &more);
	return rc;
}

void visitor_reply(struct visitor *visitor, const char *line)
{
	struct timeval limit = {.tv_sec = CONTROL_TALK_MS / 1000};
	int64_t deadline_us = now_us() + CONTROL_TALK_MS * INT64_C(1000);
	size_t left = strlen(line);
	(void)setsockopt(
		visitor->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	while (left > 0 && now_us() < deadline_us) {
		ssize_t sent = send(visitor->fd, line, left, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return;
		line += sent;
		left -= (size_t)sent;
	}
}

void visitor_leave_late(struct visitor *visitor)
{
	if (visitor->fd >= 0 && now_us() >= visitor->deadline_us)
		visitor_leave(visitor);
}

int visitors_patience_ms(const struct visitor *visitors, size_t count)
{
	int64_t first_us = INT64_MAX;
	for (size_t i = 0; i < count; i++)
		if (visitors[i].fd >= 0 && visitors[i].deadline_us < first_us)
			first_us = visitors[i].deadline_us;
	if (first_us == INT64_MAX)
		return -1;
	int64_t left_us = first_us - now_us();
	return left_us <= 0 ? 0 : (int)(left_us / 1000) + 1;
}
