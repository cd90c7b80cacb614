/*
 * Ask the owner of a store to do something; where nobody owns it, do it.
 */
#ifndef HOLDFAST_INGEST_COMMAND_CONTROL_CLIENT_H
#define HOLDFAST_INGEST_COMMAND_CONTROL_CLIENT_H

#include "ingest/command/control.h"

/* Somebody owns the store, and listens: also where it is not for us to ask it.
 * A command that acts in an owner's place never listens. */
bool control_owner_listens(const struct config *config);

/*
 * Run `action` with `arguments` (borrowed), in the owner of config->store.path
 * or here. *reply is a new reference, {} where there was nothing to say.
 * Errors: those of the action; FAULT_LOCKED, FAULT_REFUSED (a writer that can't
 * be asked),
 * FAULT_BUSY (it is known, or unknown, whether it was done: the text says),
 * FAULT_IO, those of store_open().
 */
int control_ask(const struct config *config, const char *action,
	json_t *arguments, json_t **reply, struct fault *fault);

/*
 * Several requests, one after the other. A store that nobody owns is opened for
 * the first of them and is ours until the end: what needs the key window reads
 * it once.
 */
struct control_session; /* opaque */

/* `config` is borrowed. The caller owns *out. Errors: FAULT_OOM. */
int control_session_open(struct control_session **out,
	const struct config *config, struct fault *fault);

/* As control_ask(). */
int control_session_ask(struct control_session *session, const char *action,
	json_t *arguments, json_t **reply, struct fault *fault);

/* NULL is allowed. */
void control_session_close(struct control_session *session);

#endif
