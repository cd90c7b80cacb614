/*
 * The log read again against an open store: `replay`, and `verify --log`.
 */
#ifndef HOLDFAST_INGEST_COMMAND_REPLAY_H
#define HOLDFAST_INGEST_COMMAND_REPLAY_H

#include "ingest/command/reading.h"

struct replay_request {
	char *file;	    /* instead of the configuration's; with target */
	char *from, *to;    /* NULL: beginning, end */
	char *list;	    /* answers to show */
	bool anew;	    /* don't go on where it was interrupted */
	const char *target; /* "TOPIC[:PARTITION]"; NULL: all */
};

/* Says all that `holdfast replay` says. Returns the exit status.
 * Errors: FAULT_USAGE, those of replay_run(); FAULT_IO when interrupted. */
int replay_answer(struct reading *reading, const struct replay_request *request,
	struct fault *fault);

#endif
