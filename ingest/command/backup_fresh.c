#include "ingest/command/backup_fresh.h"

#include "ingest/clock.h"
#include "ingest/command/control_client.h"
#include "store/backups.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

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

int backup_fresh(const struct config *config, const char *suffix,
	const char *because, char file[PATH_MAX], struct fault *fault)
{
	struct clock *clock = clock_system();
	char name[BACKUP_NAME_MAX + 1];
	json_t *reply = NULL;
	backup_name_of_time(clock->wall_us(clock), name);
	size_t length = strlen(name);
	(void)snprintf(name + length, sizeof name - length, "-%s", suffix);
	json_t *asked =
		json_pack("{s:s, s:s}", "name", name, "because", because);
	int rc = asked == NULL
			 ? fault_set(fault, FAULT_OOM, "out of memory")
			 : control_ask(config, "backup", asked, &reply, fault);
	while (rc == 0 && is_under_way(reply)) {
		(void)nanosleep(&look_again, NULL);
		json_decref(reply);
		reply = NULL;
		rc = control_ask(config, "backup_state", asked, &reply, fault);
	}
	if (rc == 0)
		rc = judge(reply, fault);
	json_decref(asked);
	json_decref(reply);
	if (rc == 0 && !backups_path(file, config->store.path, name))
		rc = fault_set(fault, FAULT_USAGE, "store.path is too long");
	return rc;
}
