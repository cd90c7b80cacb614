/* What the key window needs, for people. */
#ifndef HOLDFAST_INGEST_COMMAND_WINDOW_NEED_H
#define HOLDFAST_INGEST_COMMAND_WINDOW_NEED_H

#include "ingest/command/config.h"
#include "store/reader.h"

/* To stdout: the keys and bytes of a full window at the present rate, and a
 * warning where these will not fit. Nothing where no rate is known. */
void window_need_print(
	const struct config *config, const struct reader_status *status);

#endif
