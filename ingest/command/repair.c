#include "ingest/command/repair.h"

#include "ingest/clock.h"
#include "ingest/command/say.h"
#include "ingest/command/signals.h"
#include "store/damage.h"
#include "store/store.h"
#include "store/verify.h"

#include <time.h>

int repair_is_needed(const char *path, struct fault *fault)
{
	struct clock *clock = clock_system();
	struct fault found = {0};
	if (store_check_live_damage(path, NULL) == 0) {
		say(SAY_ERROR,
			"ingest met damage, and looks at the whole store: %s",
			fault->text);
		(void)store_examine(
			path, "ingest", clock->wall_us(clock), &found);
	}
	if (store_check_live_damage(path, &found) == 0)
		return 0;
	*fault = found;
	return 1;
}

int repair_await(const char *path, const struct fault *why)
{
	static const struct timespec pause = {
		.tv_nsec = DAMAGE_LOOK_US * 1000L};
	say(SAY_ERROR,
		"nothing is taken until that is repaired, and lookups are "
		"answered from the newest backup, if there is one: %s",
		why->text);
	while (!atomic_load(signals_stop())) {
		if (store_check_live_damage(path, NULL) == 0)
			return 1;
		(void)nanosleep(&pause, NULL);
	}
	return 0;
}
