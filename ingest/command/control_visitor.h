/*
 * A visitor at the control socket: one request, within bounds of size and time.
 *
 * Threads: the server's own.
 */
#ifndef HOLDFAST_INGEST_COMMAND_CONTROL_VISITOR_H
#define HOLDFAST_INGEST_COMMAND_CONTROL_VISITOR_H

#include "ingest/command/control.h"

struct visitor {
	int fd; /* -1: nobody */
	char *line;
	size_t length, capacity;
	int64_t deadline_us; /* monotonic: to have sent it whole */
	char who[CONTROL_WHO_BYTES];
};

/* Take the next one in; without memory it is turned away. */
void visitor_come(struct visitor *visitor, int listener);

/* Hear what is there. 1: the request is whole, line[0..length). 0: not yet, or
 * the visitor left. */
int visitor_listen(struct visitor *visitor);

/* Send a line, within CONTROL_TALK_MS; who does not take it gets none. */
void visitor_reply(struct visitor *visitor, const char *line);

void visitor_leave(struct visitor *visitor);

/* If its time is over. */
void visitor_leave_late(struct visitor *visitor);

/* How long the first of visitors[0..count) has left; -1: nobody is there. */
int visitors_patience_ms(const struct visitor *visitors, size_t count);

#endif
