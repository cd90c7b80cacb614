/*
 * What the commands that change a running store have in common: options,
 * configuration, the question to the owner, faults told.
 */
#ifndef HOLDFAST_INGEST_COMMAND_OPERATE_H
#define HOLDFAST_INGEST_COMMAND_OPERATE_H

#include "ingest/command/control.h"
#include "ingest/command/options.h"

struct operating {
	const char *action;
	const struct options_spec *spec;
	void *own; /* the struct of spec->fields, or NULL */
	/* What to ask for: put it into `arguments`. Errors: FAULT_USAGE. */
	int (*prepare)(const struct options *options, json_t *arguments,
		struct fault *fault);
	/* The reply, for people; with --json it is printed as it came. */
	void (*tell)(const json_t *reply);
};

/* Parse, ask, tell; returns the exit status. */
int operating_run(const struct operating *operating, int argc, char **argv);

/* "payments.v1:3": the topic, cut off in place, and *partition.
 * Errors: FAULT_USAGE. */
int partition_parse(char *text, int32_t *partition, struct fault *fault);

#endif
