/*
 * What the reading commands have in common: options, configuration, the store
 * opened for reading, faults told.
 */
#ifndef HOLDFAST_INGEST_COMMAND_READING_H
#define HOLDFAST_INGEST_COMMAND_READING_H

#include "ingest/command/options.h"
#include "store/reader.h"

struct reading {
	struct options options;
	struct config config;
	struct reader *reader;
	struct arena arena; /* for what the answer needs */
};

/* Returns the exit status, or a fault. */
typedef int reading_answer(struct reading *reading, struct fault *fault);

/*
 * `own` is the struct of spec->fields, or NULL if it has none.
 * Parse, load, open, answer, close; returns the exit status. Where there is no
 * store that is 1, and a message what to do.
 */
int reading_run(const struct options_spec *spec, void *own, int argc,
	char **argv, reading_answer *answer);

/* The same where the store can't even be opened, FAULT_CORRUPT: `damaged` is
 * told why first, with the reading as it would be but for its reader. */
typedef void reading_damaged(struct reading *reading, const struct fault *why);
int reading_run_or(const struct options_spec *spec, void *own, int argc,
	char **argv, reading_answer *answer, reading_damaged *damaged);

/* Errors: FAULT_IO: there is no store where the configuration says. */
int reading_needs_store(const struct config *config, struct fault *fault);

#endif
