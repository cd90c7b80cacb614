/* rebuild --base: what a new generation begins with, if not with nothing. */
#include "ingest/clock.h"
#include "ingest/command/control_client.h"
#include "ingest/command/rebuild.h"
#include "ingest/command/say.h"
#include "store/backups.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BASE_LIVE "live"

static const struct timespec look_again = {0, 100000000};

static bool is_under_way(const json_t *reply)
{
	const char *state = json_string_value(json_object_get(reply, "state"));
	return state != NULL && (strcmp(state, "copying") == 0 ||
					strcmp(state, "checking") == 0);
}

static int judge(const json_t *reply, struct fault *fault)
{
	const char *state = json_string_value(json_object_get(reply, "state"));
	const char *why = json_string_value(json_object_get(reply, "why"));
	if (state != NULL && strcmp(state, "made") == 0)
		return 0;
	return fault_set(fault, FAULT_IO,
		"the live generation could not be copied: %s",
		why == NULL ? "nobody knows why" : why);
}

/* A backup as any other, by the owner between batches; it leaves when it is
 * copied. */
static int copy_live(struct rebuild *rebuild, struct fault *fault)
{
	struct clock *clock = clock_system();
	char name[BACKUP_NAME_MAX + 1];
	json_t *reply = NULL;
	backup_name_of_time(clock->wall_us(clock), name);
	(void)strncat(name, "-rebuild", BACKUP_NAME_MAX - strlen(name));
	json_t *asked = json_pack(
		"{s:s, s:s}", "name", name, "because", "rebuild --base live");
	int rc = control_ask(rebuild->config, "backup", asked, &reply, fault);
	while (rc == 0 && is_under_way(reply)) {
		(void)nanosleep(&look_again, NULL);
		json_decref(reply);
		reply = NULL;
		rc = control_ask(
			rebuild->config, "backup_state", asked, &reply, fault);
	}
	if (rc == 0)
		rc = judge(reply, fault);
	json_decref(asked);
	json_decref(reply);
	rebuild->base_is_ours = rc == 0;
	if (rc == 0 &&
		!backups_path(rebuild->base, rebuild->config->store.path, name))
		rc = fault_set(fault, FAULT_USAGE, "store.path is too long");
	return rc;
}

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
	int rc = strcmp(given, BASE_LIVE) == 0 ? copy_live(rebuild, fault)
					       : find(rebuild, fault);
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
