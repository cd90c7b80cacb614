#include "ingest/command/backup_duty.h"

#include "ingest/command/control.h"
#include "ingest/command/elapsed.h"
#include "ingest/command/say.h"
#include "ingest/command/size.h"
#include "store/backup.h"

#include <inttypes.h>

/* At once, while no batches come: records that do wait no longer. */
#define TURN_US 10000
/* One that failed is tried again sooner than it would be due. */
#define AGAIN_US (300 * INT64_C(1000000))

static int64_t wall_us(const struct backup_duty *duty)
{
	return duty->clock->wall_us(duty->clock);
}

void backup_duty_init(struct backup_duty *duty, struct store *store,
	const struct config *config, struct clock *clock)
{
	struct arena arena = ARENA_INIT;
	const struct backup_file *files;
	size_t count;
	*duty = (struct backup_duty){store, config, clock, INT64_MAX};
	/* Only for the eyes: what keeps it from being written, ingest meets
	 * soon enough. */
	(void)store_backup_remember(store, NULL);
	if (config->backup.every_us == 0)
		return;
	duty->due_us = wall_us(duty);
	if (backups_list(config->store.path, &arena, &files, &count, NULL) ==
			0 &&
		count > 0 && files[0].sealed)
		duty->due_us = files[0].seal.made_us + config->backup.every_us;
	arena_finish(&arena);
}

/* Never longer from now than one to the next: then the clock was set back, and
 * nobody knows how old the last one is. */
static bool is_time(const struct backup_duty *duty)
{
	int64_t every_us = duty->config->backup.every_us;
	int64_t now_us = wall_us(duty);
	return every_us != 0 &&
	       (now_us >= duty->due_us || duty->due_us - now_us > every_us);
}

static bool is_due(const struct backup_duty *duty)
{
	return is_time(duty) && store_backup_phase(duty->store) == BACKUP_NONE;
}

bool backup_duty_wants(const struct backup_duty *duty)
{
	return store_backup_wants(duty->store) || is_due(duty);
}

static void put_off(struct backup_duty *duty)
{
	int64_t every_us = duty->config->backup.every_us;
	duty->due_us =
		wall_us(duty) + (every_us < AGAIN_US ? every_us : AGAIN_US);
}

static void tell(const struct backup_report *report)
{
	char bytes[SIZE_TEXT], took[ELAPSED_SIZE];
	if (report->code < 0)
		say(SAY_WARNING, "backup %s failed: %s", report->name,
			report->why);
	else
		say(SAY_INFO, "backup %s made and checked: %s in %s",
			report->name, size_print(report->bytes, bytes),
			elapsed_print(report->took_us, took));
}

/* Is it the store's own end, and not only the backup's? */
static int only_told(int rc, const struct fault *why, struct fault *fault)
{
	if (control_ends_owner(rc))
		return fault_set(fault, rc, "%s", why->text);
	if (rc != 0)
		say(SAY_WARNING, "a backup could not be put on the record: %s",
			why->text);
	return 0;
}

static int end(struct backup_duty *duty, struct fault *fault)
{
	struct fault why = {0};
	struct backup_report report;
	int rc = store_backup_end(duty->store, &report, &why);
	tell(&report);
	if (duty->due_us != INT64_MAX && report.code < 0)
		put_off(duty);
	else if (duty->due_us != INT64_MAX)
		duty->due_us = report.at_us + duty->config->backup.every_us;
	return only_told(rc, &why, fault);
}

static void begin(struct backup_duty *duty)
{
	struct fault why = {0};
	const struct backup_request request = {.at_us = wall_us(duty),
		.keep = (size_t)duty->config->backup.keep};
	if (store_backup_begin(duty->store, &request, &why) == 0)
		return;
	say(SAY_WARNING, "no backup could be begun: %s", why.text);
	put_off(duty);
}

int backup_duty_attend(struct backup_duty *duty, struct fault *fault)
{
	switch (store_backup_phase(duty->store)) {
	case BACKUP_ENDED:
		return end(duty, fault);
	case BACKUP_COPYING:
		store_backup_copy(duty->store, TURN_US);
		return 0;
	case BACKUP_NONE:
		if (is_due(duty))
			begin(duty);
		return 0;
	case BACKUP_CHECKING:
		break;
	}
	return 0;
}
