/*
 * What an operator may ask of a store: actions, by name.
 *
 * Only the store's owner writes. While one runs, an action goes to it through
 * `control.sock` in the store's directory (control_server.h) and is run between
 * batches on the thread that owns the store; while none runs, the client takes
 * the lock and runs the very same function (control_client.h).
 *
 * A line of JSON each way, one request a connection:
 *
 *     {"action": "pause", "arguments": {"topic": "payments.v1", "partition":
 * 3}}
 *     {"code": 0, "reply": {…}}      or {"code": -7, "text": "what to do"}
 */
#ifndef HOLDFAST_INGEST_COMMAND_CONTROL_H
#define HOLDFAST_INGEST_COMMAND_CONTROL_H

#include "ingest/command/config.h"
#include "schema/fault.h"
#include "store/store.h"

#include <jansson.h>

#define CONTROL_SOCKET "control.sock"
#define CONTROL_LINE_BYTES (1024 * 1024) /* a request or a reply, at most */
#define CONTROL_TALK_MS 5000  /* to send a request whole, to take a reply */
#define CONTROL_WAIT_MS 30000 /* for the thread that owns the store */
#define CONTROL_WHO_BYTES 64

struct control {
	struct store *store;
	/* Where the owner keeps it: an action that turns to another generation
	 * puts that there, and nobody touches `store` any more. */
	struct store **owner;
	bool alone; /* nobody owns it: no records wait, so take your time */
	const struct config *config; /* of the process that runs the action */
	const char *who;	     /* the user that asked: its name, or uid */
	int64_t now_us;		     /* wall clock */
};

/*
 * Do it, in about a second: records wait meanwhile, so who has more to do says
 * in the reply how far it came, and is asked again. Judges its arguments: they
 * come from outside. *reply is NULL, or a new reference that the caller gives
 * up; it stays NULL where there is nothing to say. Returns 0.
 * A fault is told to who asked. FAULT_IO and FAULT_FENCED are the store's, and
 * end the owner as well: say others of anything else.
 */
typedef int control_action(const struct control *control,
	const json_t *arguments, json_t **reply, struct fault *fault);

/* A request: {"action", "arguments"}. Runs it. *reply as above.
 * Errors: FAULT_USAGE (no such action), those of the action. */
int control_run(const struct control *control, const json_t *request,
	json_t **reply, struct fault *fault);

/* Does it change nothing? Then it needs no word in the log. */
bool control_only_asks(const json_t *request);

/* Does it put another generation in the live one's place, or belong to that?
 * Then it is done although the live one is damaged. */
bool control_turns_away(const json_t *request);

/* The line of a reply, newline included; NULL: out of memory. Owned by the
 * caller. Takes `reply`, which may be NULL, when rc is 0. */
char *control_encode(int rc, json_t *reply, const struct fault *fault);

/* The other way: the action's result, and its fault or *reply.
 * Errors: those of the action; FAULT_INTERNAL (no reply at all). */
int control_decode(
	const char *line, size_t length, json_t **reply, struct fault *fault);

/* Does the owner end for it? */
bool control_ends_owner(int rc);

/* The name of a user; "uid 1000" where it has none. */
void control_who(unsigned uid, char out[CONTROL_WHO_BYTES]);

/* Actions, each in the file of its commands. */
control_action control_pause, control_resume; /* operate_partition.c */
control_action control_hold, control_release; /* operate_hold.c */
/* switch_action.c */
control_action control_switch_begin, control_switch_abandon, control_switch;

/* An owner that stands still for a switch goes on by itself after so long:
 * comparing and taking over are a matter of seconds. */
#define SWITCH_PATIENCE_US (60 * INT64_C(1000000))

/* 1: some partition stands still for a switch. Errors: as store_letter(). */
int switch_stands(struct store *store, struct fault *fault);

/* No partition stands still for a switch any more. Errors: as store_apply(). */
int switch_abandon(struct store *store, struct fault *fault);
control_action control_backup, control_backup_state;	 /* backup_action.c */
control_action control_restore;				 /* restore.c */
control_action control_generation_drop;			 /* generations.c */
control_action control_schema_apply;			 /* schema_apply.c */
control_action control_rollback, control_rollback_there; /* rollback.c */
control_action control_load;				 /* load_action.c */
/* dead_action.c */
control_action control_dead_retry, control_dead_drop, control_dead_exported;

#endif
