#include "ingest/command/elapsed.h"

#include <inttypes.h>
#include <stdio.h>

const char *elapsed_print(int64_t us, char out[ELAPSED_SIZE])
{
	double seconds = us < 0 ? 0 : (double)us / 1e6;
	int64_t minutes = (int64_t)(seconds / 60), hours = minutes / 60;
	int length = 0;
	if (seconds < 1)
		length = snprintf(out, ELAPSED_SIZE, "%.0f ms", seconds * 1e3);
	else if (minutes < 1)
		length = snprintf(out, ELAPSED_SIZE, "%.1f s", seconds);
	else if (hours < 1)
		length =
			snprintf(out, ELAPSED_SIZE, "%" PRId64 " min", minutes);
	else if (hours < 48)
		length = snprintf(out, ELAPSED_SIZE, "%" PRId64 " h", hours);
	else
		length = snprintf(
			out, ELAPSED_SIZE, "%" PRId64 " d", hours / 24);
	return length < 0 ? "?" : out;
}
