/* rebuild --base: what a new generation begins with, if not with nothing. */
#include "ingest/command/backup_fresh.h"
#include "ingest/command/rebuild.h"
#include "ingest/command/say.h"
#include "store/backups.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BASE_LIVE "live"

/* A name first: one that a file has as well is written ./FILE. */
static int find(struct rebuild *rebuild, struct fault *fault)
{
	const char *given = rebuild->options->base;
	if (backup_name_is_good(given) &&
		backups_path(
			rebuild->base, rebuild->config->store.path, given) &&
		access(rebuild->base, F_OK) == 0)
		return 0;
	int length = snprintf(rebuild->base, PATH_MAX, "%s", given);
	if (length > 0 && length < PATH_MAX && access(given, F_OK) == 0)
		return 0;
	return fault_set(fault, FAULT_USAGE,
		"there is no backup %s, and no such file: `holdfast backup "
		"--list` lists them; `--base live` copies the live generation",
		given);
}

int rebuild_find_base(struct rebuild *rebuild, struct fault *fault)
{
	struct backup_seal seal;
	const char *given = rebuild->options->base;
	if (given == NULL)
		return 0;
	bool live = strcmp(given, BASE_LIVE) == 0;
	int rc = live ? backup_fresh(rebuild->config, "rebuild",
				"rebuild --base live", rebuild->base, fault)
		      : find(rebuild, fault);
	rebuild->base_is_ours = live && rc == 0;
	/* Any flipped byte of it is found by its seal. */
	return rc < 0 ? rc : backup_seal_check(rebuild->base, &seal, fault);
}

void rebuild_drop_base(struct rebuild *rebuild)
{
	if (rebuild->base_is_ours)
		(void)unlink(rebuild->base);
	rebuild->base_is_ours = false;
}

int rebuild_forget(struct rebuild *rebuild, struct fault *fault)
{
	int64_t forgotten = 0;
	int64_t before_us = rebuild->options->forget_before_us;
	if (before_us == 0)
		return 0;
	int rc = store_forget_deletes(
		rebuild->store, before_us, &forgotten, fault);
	rebuild->forgot = forgotten > 0;
	if (rc == 0)
		say(SAY_INFO,
			"generation %s: %" PRId64
			" deletes are forgotten: events older than they are no "
			"longer known to be; its digest is another one",
			rebuild->name, forgotten);
	return rc;
}
