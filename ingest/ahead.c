#include "ingest/ahead.h"

int64_t slowest_us(const struct runner *runners, size_t count)
{
	int64_t slowest = INT64_MAX;
	for (size_t i = 0; i < count; i++)
		if (!runners[i].at_end && runners[i].record_time_us < slowest)
			slowest = runners[i].record_time_us;
	return slowest;
}
