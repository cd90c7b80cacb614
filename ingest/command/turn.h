/*
 * Another generation takes the live one's place, at its own offsets: by the
 * store's owner, or, where nobody can open the live one any more, here. What
 * restore and rollback have in common.
 */
#ifndef HOLDFAST_INGEST_COMMAND_TURN_H
#define HOLDFAST_INGEST_COMMAND_TURN_H

#include "ingest/command/config.h"
#include "store/generations.h"

#include <jansson.h>

struct turn {
	const char *action;	 /* that the owner is asked for */
	const json_t *arguments; /* its own; NULL: out of memory */
	const char *generation;	 /* to turn to */
	const char *what,
		*target; /* for the record, where no owner writes it */
	const char *because;
	const char *stop_reason, *stop_detail; /* the same; or NULL */
};

/* *carried: as turn_carried(), the caller's; NULL on failure.
 * Errors: those of control_ask() and store_replace(). */
int turn_to(const struct config *config, const struct turn *turn,
	json_t **carried, struct fault *fault);

/* What was decided and what became of it, for programs. NULL: out of memory. */
json_t *turn_carried(const struct handover *handover);

/* For people, on stdout: what was kept. What was not is a warning on stderr,
 * for programs, too. */
void turn_tell(const json_t *carried, bool json);

/* How many partitions are still stopped, as they were. */
int64_t turn_stops(const json_t *carried);

#endif
