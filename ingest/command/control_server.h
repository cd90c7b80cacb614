/*
 * The store owner's ear: `control.sock` in the store's directory.
 *
 * A thread takes requests in and writes replies out; the thread that owns the
 * store runs them, one at a time, when it comes round (pipeline_options.wants
 * and .attend). Clients are the user of the process, and root: the socket is
 * theirs alone (0600). One that sends rubbish, or nothing, or too slowly, keeps
 * nobody else from being heard.
 */
#ifndef HOLDFAST_INGEST_COMMAND_CONTROL_SERVER_H
#define HOLDFAST_INGEST_COMMAND_CONTROL_SERVER_H

#include "ingest/command/control.h"

struct control_server; /* opaque */

/*
 * Listen, beside the open *store, which both outlive: it may become another
 * one by an action (control.h, owner). What a dead owner left
 * there is replaced: whoever holds the store's lock is the only one.
 * Errors: FAULT_IO, FAULT_OOM.
 */
int control_server_open(struct control_server **out, struct store **store,
	const struct config *config, struct fault *fault);

/* Does a request wait? Any thread may ask; costs next to nothing. NULL: no. */
bool control_server_wants(const struct control_server *server);

/* Run it, on the thread that owns the store. Returns 0. Errors: FAULT_IO,
 * FAULT_FENCED, when the action met them. */
int control_server_attend(struct control_server *server, struct fault *fault);

/* Refuse what waits, hang up, remove the socket. NULL is allowed. */
void control_server_close(struct control_server *server);

#endif
