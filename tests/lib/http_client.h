/*
 * HTTP by hand over loopback: requests as texts, replies taken apart. A reply
 * that does not come within CLIENT_PATIENCE_S fails the test.
 */
#ifndef HOLDFAST_TESTS_HTTP_CLIENT_H
#define HOLDFAST_TESTS_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLIENT_PATIENCE_S 60

struct client {
	int socket;
	char *data; /* received and not yet taken: data[0..length) */
	size_t length, capacity;
	char *body; /* of the last reply */
	bool reset; /* the connection ended with one */
};

struct client_reply {
	unsigned status;
	char head[8192]; /* status line and headers */
	char *body;	 /* valid until the next reply; NUL behind its end */
	size_t body_length;
};

/* To 127.0.0.1. */
void client_open(struct client *client, uint16_t port);
/* False where nobody listens. */
bool client_try_open(struct client *client, uint16_t port);
void client_close(struct client *client);

/* False where the server closed the connection. */
bool client_send_bytes(struct client *client, const char *data, size_t length);
void client_send(struct client *client, const char *text);

/* "GET <target>" with the headers that belong there. */
void client_get(struct client *client, const char *target);
void client_post(struct client *client, const char *target, const char *body);

/* The next reply; false where the connection was closed instead. Of a reply to
 * HEAD there is no body to wait for. */
bool client_reply(struct client *client, struct client_reply *reply);
bool client_reply_head(struct client *client, struct client_reply *reply);

/* Did the server close the connection, with nothing more to say? Waits. */
bool client_closed(struct client *client);

/* The header's value in `out`, or NULL. */
const char *client_header(const struct client_reply *reply, const char *name,
	char *out, size_t size);

/* One request on a connection of its own: its status; the body in `body`. */
unsigned client_ask(uint16_t port, const char *target, char *body, size_t size);

#endif
