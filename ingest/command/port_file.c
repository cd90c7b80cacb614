#include "ingest/command/port_file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* By way of a second name. */
int port_file_write(const char *path, const char *listener, struct fault *fault)
{
	char *next = NULL;
	if (asprintf(&next, "%s.new", path) < 0)
		return fault_set(fault, FAULT_OOM, "out of memory");
	FILE *file = fopen(next, "we");
	bool good = file != NULL && fprintf(file, "%s\n", listener) > 0;
	if (file != NULL)
		good = fclose(file) == 0 && good;
	if (good)
		good = rename(next, path) == 0;
	int rc = 0;
	if (!good)
		rc = fault_set(fault, FAULT_IO, "%s can't be written: %s", path,
			strerror(errno));
	free(next);
	return rc;
}
