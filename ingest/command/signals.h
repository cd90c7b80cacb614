/*
 * Signals: SIGTERM and SIGINT ask the program to stop; a second one ends it at
 * once, which the store survives.
 *
 * SIGPIPE and SIGXFSZ are ignored: a closed pipe and a file at its limit come
 * back as errors of the write (the latter kills by default).
 */
#ifndef HOLDFAST_INGEST_COMMAND_SIGNALS_H
#define HOLDFAST_INGEST_COMMAND_SIGNALS_H

#include "schema/fault.h"

#include <stdatomic.h>
#include <stdbool.h>

/* Once, before any thread. Errors: FAULT_INTERNAL. */
int signals_install(struct fault *fault);

/* SIGHUP from now on asks for the schema file, where it would end the process.
 * Errors: FAULT_INTERNAL. */
int signals_install_reload(struct fault *fault);

/* Did one come? Until it is said to be taken up, before which the file is not
 * read: one that comes later asks again. */
bool signals_reload(void);
void signals_reload_taken(void);

/* True from the first SIGTERM or SIGINT on. */
const atomic_bool *signals_stop(void);

/* Sleep until then. */
void signals_wait(void);

#endif
