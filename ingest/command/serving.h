/*
 * The serving half, from configuration to port: what `run` and `serve` have in
 * common.
 */
#ifndef HOLDFAST_INGEST_COMMAND_SERVING_H
#define HOLDFAST_INGEST_COMMAND_SERVING_H

#include "ingest/command/config.h"
#include "store/serve/serve.h"

/*
 * Answer from now on as `config`, which must outlive the server, says; log
 * where. With `port_file` (NULL: none), ADDRESS:PORT is written there. On
 * success the caller ends *out with serve_stop(), on failure it is NULL.
 * Errors: those of serve_start(); FAULT_IO (the file).
 */
int serving_start(struct serve **out, const struct config *config,
	const char *port_file, struct fault *fault);

#endif
