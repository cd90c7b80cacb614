/*
 * The command line of a subcommand: options it shares with others, options of
 * its own, arguments. Both kinds of options are tables of fields.
 */
#ifndef HOLDFAST_INGEST_COMMAND_OPTIONS_H
#define HOLDFAST_INGEST_COMMAND_OPTIONS_H

#include "ingest/command/config.h"
#include "ingest/command/field.h"

struct options_spec {
	const char *usage;	    /* "get VIEW KEY…" */
	const char *summary;	    /* sentences for --help */
	const struct field *fields; /* of its own */
	size_t field_count;
	size_t arguments_min, arguments_max;
	bool configured; /* takes -c and --set; --help lists the settings */
	bool json;	 /* takes --json */
};

/* What all may have; an option that a command does not take stays unset. */
struct options {
	char *config;
	struct texts sets; /* "name=value" */
	bool json, help;
	char *const *arguments; /* borrowed; arguments[0..argument_count) */
	size_t argument_count;
	const struct options_spec *spec;
	void *own; /* the struct of spec->fields; owned by the caller */
};

enum options_outcome { OPTIONS_GO = 0, OPTIONS_HELPED = 1 };

/*
 * Parse argv (argv[0] is the subcommand). `own` is the zeroed struct of
 * spec->fields, or NULL if it has none. The caller calls options_finish() in
 * any case. OPTIONS_HELPED: --help was asked for and given.
 * Errors: FAULT_USAGE, FAULT_OOM.
 */
int options_parse(struct options *out, const struct options_spec *spec,
	void *own, int argc, char **argv, struct fault *fault);

/* Load the configuration that these options name. Errors: config_load(). */
int options_config(const struct options *options, struct config *config,
	struct fault *fault);

/* Add "name=value" to the sets. Errors: FAULT_OOM, FAULT_USAGE (too many). */
int options_set(struct options *options, const char *name, const char *value,
	struct fault *fault);

void options_finish(struct options *options);

#endif
