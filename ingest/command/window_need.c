#include "ingest/command/window_need.h"

#include "ingest/command/size.h"

#include <inttypes.h>
#include <stdio.h>

/* Warned of while there still is time: three quarters of the room. */
void window_need_print(
	const struct config *config, const struct reader_status *status)
{
	char need[SIZE_TEXT], most[SIZE_TEXT];
	int64_t keys = reader_window_need(status, config->store.key_window_us);
	int64_t room = config->store.key_window_max_bytes;
	if (keys == 0)
		return;
	bool tight = keys * READER_KEY_BYTES > room / 4 * 3;
	printf("a full key window at the present rate: %" PRId64
	       " keys, %s of %s%s\n\n",
		keys, size_print(keys * READER_KEY_BYTES, need),
		size_print(room, most),
		tight ? ": partitions will have to wait or stop; raise "
			"store.key_window_max_bytes or shorten store.key_window"
		      : "");
}
