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

/* Once, before any thread. Errors: FAULT_INTERNAL. */
int signals_install(struct fault *fault);

/* True from the first SIGTERM or SIGINT on. */
const atomic_bool *signals_stop(void);

/* Sleep until then. */
void signals_wait(void);

#endif
