#include "ingest/command/control_client.h"

#include "ingest/clock.h"
#include "ingest/command/ingestion.h"
#include "ingest/command/reading.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* An owner that starts or ends holds the lock and does not listen: so often,
 * so long, it is looked for again. */
#define LOOKS 50
#define LOOK_MS 100
/* The owner's patience, and what an action takes. */
#define REPLY_MS (2 * CONTROL_WAIT_MS)

/* 1: connected, *out is the caller's. 0: nobody listens. */
static int connect_owner(
	const struct config *config, int *out, struct fault *fault)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int directory =
		open(config->store.path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return 0;
	*out = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int length = snprintf(address.sun_path, sizeof address.sun_path,
		"/proc/self/fd/%d/" CONTROL_SOCKET, directory);
	int rc = length < 0 || *out < 0
			 ? -1
			 : connect(*out, (const struct sockaddr *)&address,
				   sizeof address);
	int error = errno;
	close(directory);
	if (rc == 0)
		return 1;
	if (*out >= 0)
		close(*out);
	if (error == ENOENT || error == ECONNREFUSED)
		return 0;
	return fault_set(fault, FAULT_REFUSED,
		"%s/" CONTROL_SOCKET ": the store's owner can't be asked: %s",
		config->store.path, strerror(error));
}

bool control_owner_listens(const struct config *config)
{
	int fd = -1;
	int rc = connect_owner(config, &fd, NULL);
	if (rc == 1)
		close(fd);
	return rc != 0;
}

static bool send_whole(int fd, const char *line)
{
	size_t left = strlen(line);
	while (left > 0) {
		ssize_t sent = send(fd, line, left, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return false;
		line += sent;
		left -= (size_t)sent;
	}
	return true;
}

/* Up to a newline: bytes[0..result), which it is behind. 0: there was none. */
static size_t receive_line(int fd, char *bytes, size_t size)
{
	size_t length = 0;
	while (length < size) {
		ssize_t got = recv(fd, bytes + length, size - length, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return 0;
		const char *end = memchr(bytes + length, '\n', (size_t)got);
		if (end != NULL)
			return (size_t)(end - bytes);
		length += (size_t)got;
	}
	return 0;
}

static int talk(int fd, const char *line, json_t **reply, struct fault *fault)
{
	struct timeval patience = {.tv_sec = REPLY_MS / 1000};
	(void)setsockopt(
		fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	char *bytes = malloc(CONTROL_LINE_BYTES);
	if (bytes == NULL)
		return fault_set(fault, FAULT_OOM, "out of memory");
	/* A server that turns a request away has said so all the same. */
	(void)send_whole(fd, line);
	size_t length = receive_line(fd, bytes, CONTROL_LINE_BYTES);
	int rc = length == 0 ? fault_set(fault, FAULT_BUSY,
				       "the store's owner ended, or hung up, "
				       "before it answered: `holdfast status` "
				       "says whether this was done")
			     : control_decode(bytes, length, reply, fault);
	free(bytes);
	return rc;
}

struct control_session {
	const struct config *config;
	struct store *store; /* NULL: not ours */
};

/* It is ours. */
static int act(struct control_session *session, const json_t *request,
	json_t **reply, struct fault *fault)
{
	struct clock *clock = clock_system();
	char who[CONTROL_WHO_BYTES];
	const struct control control = {.store = session->store,
		.owner = &session->store,
		.alone = true,
		.config = session->config,
		.who = who,
		.now_us = clock->wall_us(clock)};
	control_who(getuid(), who);
	int rc = control_run(&control, request, reply, fault);
	if (rc == 0 && *reply == NULL)
		*reply = json_object();
	if (control_ends_owner(rc)) {
		store_close(session->store);
		session->store = NULL;
	}
	return rc;
}

/* Nobody owns the store: it is ours from here on. */
static int open_here(struct control_session *session, const json_t *request,
	struct fault *fault)
{
	struct store_options options = store_options_of(session->config);
	options.damaged_too = control_turns_away(request);
	options.keys_later = true; /* most actions do without */
	return store_open(&session->store, &options, fault);
}

/* 1: the owner answered. 0: it is ours. */
static int reach(struct control_session *session, const json_t *request,
	const char *line, json_t **reply, struct fault *fault)
{
	static const struct timespec pause = {0, LOOK_MS * 1000000L};
	for (int look = 1;; look++) {
		int fd = -1;
		int rc = connect_owner(session->config, &fd, fault);
		if (rc == 1) {
			rc = talk(fd, line, reply, fault);
			close(fd);
			return rc < 0 ? rc : 1;
		}
		if (rc < 0)
			return rc;
		rc = open_here(session, request, fault);
		if (rc != FAULT_LOCKED || look == LOOKS)
			return rc;
		(void)nanosleep(&pause, NULL);
	}
}

static int ask(struct control_session *session, const json_t *request,
	const char *line, json_t **reply, struct fault *fault)
{
	int rc;
	if (session->store == NULL)
		rc = reach(session, request, line, reply, fault);
	else /* as between batches */
		rc = store_checkpoint(session->store, true, fault);
	if (rc == 0)
		rc = act(session, request, reply, fault);
	return rc < 0 ? rc : 0;
}

int control_session_open(struct control_session **out,
	const struct config *config, struct fault *fault)
{
	*out = calloc(1, sizeof **out);
	if (*out == NULL)
		return fault_set(fault, FAULT_OOM, "out of memory");
	(*out)->config = config;
	return 0;
}

void control_session_close(struct control_session *session)
{
	if (session == NULL)
		return;
	store_close(session->store);
	free(session);
}

int control_session_ask(struct control_session *session, const char *action,
	json_t *arguments, json_t **reply, struct fault *fault)
{
	*reply = NULL;
	int rc = reading_needs_store(session->config, fault);
	if (rc < 0)
		return rc;
	json_t *request = json_pack(
		"{s:s, s:O}", "action", action, "arguments", arguments);
	char *text = request == NULL ? NULL : json_dumps(request, JSON_COMPACT);
	char *line = NULL;
	if (text != NULL && asprintf(&line, "%s\n", text) < 0)
		line = NULL;
	if (line == NULL)
		rc = fault_set(fault, FAULT_OOM, "out of memory");
	else if (strlen(line) > CONTROL_LINE_BYTES)
		rc = fault_set(fault, FAULT_USAGE,
			"a request is at most %d bytes: ask for less at once",
			CONTROL_LINE_BYTES);
	else
		rc = ask(session, request, line, reply, fault);
	free(line);
	free(text);
	json_decref(request);
	return rc;
}

int control_ask(const struct config *config, const char *action,
	json_t *arguments, json_t **reply, struct fault *fault)
{
	struct control_session session = {.config = config};
	int rc = control_session_ask(&session, action, arguments, reply, fault);
	store_close(session.store);
	return rc;
}
