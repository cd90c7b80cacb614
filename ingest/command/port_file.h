/*
 * Where a server listens, in a file: for scripts that let it take any free
 * port.
 */
#ifndef HOLDFAST_INGEST_COMMAND_PORT_FILE_H
#define HOLDFAST_INGEST_COMMAND_PORT_FILE_H

#include "schema/fault.h"

/* Write `listener` ("127.0.0.1:6566") and a newline to `path`, whole or not at
 * all: who waits for the file finds it complete. Errors: FAULT_IO, FAULT_OOM.
 */
int port_file_write(
	const char *path, const char *listener, struct fault *fault);

#endif
