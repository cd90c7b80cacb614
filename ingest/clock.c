#include "ingest/clock.h"

#include <stddef.h>
#include <time.h>

static int64_t read_us(clockid_t id)
{
	struct timespec now;
	if (clock_gettime(id, &now) != 0)
		return 0;
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t system_monotonic_us(struct clock *clock)
{
	(void)clock;
	return read_us(CLOCK_MONOTONIC);
}

static int64_t system_wall_us(struct clock *clock)
{
	(void)clock;
	return read_us(CLOCK_REALTIME);
}

struct clock *clock_system(void)
{
	static struct clock clock = {system_monotonic_us, system_wall_us};
	return &clock;
}
