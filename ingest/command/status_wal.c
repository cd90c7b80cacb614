#include "ingest/command/status_wal.h"

#include "ingest/command/value_text.h"
#include "store/wal_readers.h"

#include <stdio.h>

#define NAMES_BYTES 512 /* of processes */

/* Beyond its limit: who keeps the WAL from being begun anew? "": nobody. */
static void find(const struct config *config,
	const struct reader_status *status, char names[NAMES_BYTES])
{
	names[0] = '\0';
	if (status->wal_bytes > config->store.wal_max_bytes)
		(void)wal_readers_of(config->store.path, names, NAMES_BYTES);
}

void wal_readers_print(
	const struct config *config, const struct reader_status *status)
{
	char names[NAMES_BYTES];
	find(config, status, names);
	if (names[0] != '\0')
		printf("the WAL is beyond store.wal_max_bytes and can't be "
		       "begun anew while it is read: %s\n\n",
			names);
}

void wal_readers_print_json(
	const struct config *config, const struct reader_status *status)
{
	char names[NAMES_BYTES];
	find(config, status, names);
	fputs("\"wal_readers\": ", stdout);
	string_print_json(slice_of(names), stdout);
	fputs(", ", stdout);
}
