#include "tests/lib/http_client.h"

#include "tests/lib/check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

void client_close(struct client *client)
{
	if (client->socket >= 0)
		close(client->socket);
	free(client->data);
	free(client->body);
	*client = (struct client){.socket = -1};
}

bool client_try_open(struct client *client, uint16_t port)
{
	const struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const struct timeval patience = {.tv_sec = CLIENT_PATIENCE_S};
	*client = (struct client){
		.socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	assert_true(client->socket >= 0);
	assert_int_equal(setsockopt(client->socket, SOL_SOCKET, SO_RCVTIMEO,
				 &patience, sizeof patience),
		0);
	assert_int_equal(setsockopt(client->socket, SOL_SOCKET, SO_SNDTIMEO,
				 &patience, sizeof patience),
		0);
	if (connect(client->socket, (const struct sockaddr *)&address,
		    sizeof address) == 0)
		return true;
	/* Reset: the listener was closed meanwhile. */
	assert_true(errno == ECONNREFUSED || errno == ECONNRESET);
	client_close(client);
	return false;
}

void client_open(struct client *client, uint16_t port)
{
	assert_true(client_try_open(client, port));
}

bool client_send_bytes(struct client *client, const char *data, size_t length)
{
	while (length > 0) {
		ssize_t sent = send(client->socket, data, length, MSG_NOSIGNAL);
		if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
			return false;
		assert_true(sent > 0);
		data += sent;
		length -= (size_t)sent;
	}
	return true;
}

void client_send(struct client *client, const char *text)
{
	assert_true(client_send_bytes(client, text, strlen(text)));
}

void client_get(struct client *client, const char *target)
{
	char text[4096];
	int length = snprintf(text, sizeof text,
		"GET %s HTTP/1.1\r\nHost: test\r\n\r\n", target);
	assert_true(length > 0 && (size_t)length < sizeof text);
	client_send(client, text);
}

void client_post(struct client *client, const char *target, const char *body)
{
	char text[4096];
	int length = snprintf(text, sizeof text,
		"POST %s HTTP/1.1\r\nHost: test\r\nContent-Length: "
		"%zu\r\n\r\n%s",
		target, strlen(body), body);
	assert_true(length > 0 && (size_t)length < sizeof text);
	client_send(client, text);
}

/* False: the connection is closed. */
static bool receive(struct client *client)
{
	if (client->capacity - client->length < 65536) {
		client->capacity = client->capacity * 2 + 131072;
		client->data = realloc(client->data, client->capacity + 1);
		assert_non_null(client->data);
	}
	ssize_t got = recv(client->socket, client->data + client->length,
		client->capacity - client->length, 0);
	client->reset = got < 0 && errno == ECONNRESET;
	if (got == 0 || client->reset)
		return false;
	assert_true(got > 0);
	client->length += (size_t)got;
	client->data[client->length] = '\0';
	return true;
}

const char *client_header(const struct client_reply *reply, const char *name,
	char *out, size_t size)
{
	size_t length = strlen(name);
	const char *line = strstr(reply->head, "\r\n");
	while (line != NULL) {
		line += 2;
		if (strncasecmp(line, name, length) == 0 &&
			line[length] == ':') {
			const char *value = line + length + 1;
			value += strspn(value, " ");
			size_t value_length = strcspn(value, "\r");
			assert_true(value_length < size);
			memcpy(out, value, value_length);
			out[value_length] = '\0';
			return out;
		}
		line = strstr(line, "\r\n");
	}
	return NULL;
}

static void drop(struct client *client, size_t length)
{
	client->length -= length;
	memmove(client->data, client->data + length, client->length + 1);
}

static bool take_head(struct client *client, struct client_reply *reply)
{
	const char *end = NULL;
	while (client->length == 0 ||
		(end = strstr(client->data, "\r\n\r\n")) == NULL)
		if (!receive(client))
			return false;
	size_t length = (size_t)(end - client->data) + 4;
	assert_true(length < sizeof reply->head);
	memcpy(reply->head, client->data, length);
	reply->head[length] = '\0';
	assert_int_equal(
		sscanf(reply->head, "HTTP/1.1 %u ", &reply->status), 1);
	drop(client, length);
	return true;
}

bool client_reply_head(struct client *client, struct client_reply *reply)
{
	*reply = (struct client_reply){0};
	return take_head(client, reply);
}

static void take_body(struct client *client, struct client_reply *reply)
{
	client->body = realloc(client->body, reply->body_length + 1);
	assert_non_null(client->body);
	if (reply->body_length > 0) {
		memcpy(client->body, client->data, reply->body_length);
		drop(client, reply->body_length);
	}
	client->body[reply->body_length] = '\0';
	reply->body = client->body;
}

bool client_reply(struct client *client, struct client_reply *reply)
{
	char length[32];
	*reply = (struct client_reply){0};
	do {
		if (!take_head(client, reply))
			return false;
	} while (reply->status == 100);
	assert_non_null(
		client_header(reply, "Content-Length", length, sizeof length));
	reply->body_length = strtoul(length, NULL, 10);
	while (client->length < reply->body_length)
		if (!receive(client))
			return false;
	take_body(client, reply);
	return true;
}

bool client_closed(struct client *client)
{
	return client->length == 0 && !receive(client);
}

unsigned client_ask(uint16_t port, const char *target, char *body, size_t size)
{
	struct client client;
	struct client_reply reply = {0};
	client_open(&client, port);
	client_get(&client, target);
	assert_true(client_reply(&client, &reply));
	if (body != NULL && reply.body != NULL) {
		assert_true(reply.body_length < size);
		memcpy(body, reply.body, reply.body_length + 1);
	}
	client_close(&client);
	return reply.status;
}
