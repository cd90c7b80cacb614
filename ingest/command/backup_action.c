/* What the owner does for `holdfast backup`: begins one, says how far it is. */
#include "ingest/clock.h"
#include "ingest/command/control.h"
#include "store/backup.h"

#include <time.h>

/* Nobody waits for the store: it is copied in such pieces. */
#define PIECE_US 1000000

static const char *text_of(const json_t *arguments, const char *name)
{
	return json_string_value(json_object_get(arguments, name));
}

static json_t *how_far(const struct backup_progress *progress)
{
	return json_pack("{s:s, s:s, s:f}", "name", progress->name, "state",
		progress->phase == BACKUP_COPYING ? "copying" : "checking",
		"share", progress->share);
}

static json_t *how_it_ended(const struct backup_report *report)
{
	if (report->code < 0)
		return json_pack("{s:s, s:s, s:i, s:s}", "name", report->name,
			"state", "failed", "code", report->code, "why",
			report->why);
	return json_pack("{s:s, s:s, s:I, s:I, s:I}", "name", report->name,
		"state", "made", "bytes", (json_int_t)report->bytes, "took_ms",
		(json_int_t)(report->took_us / 1000), "copied_ms",
		(json_int_t)(report->copied_us / 1000));
}

static void await_check(struct store *store)
{
	static const struct timespec pause = {0, 10000000};
	struct backup_progress progress;
	for (;;) {
		store_backup_progress(store, &progress);
		if (progress.phase != BACKUP_CHECKING)
			return;
		(void)nanosleep(&pause, NULL);
	}
}

/* All of it: no records wait. */
static int finish(struct store *store, json_t **reply, struct fault *fault)
{
	struct backup_progress progress;
	struct backup_report report;
	store_backup_progress(store, &progress);
	while (progress.phase == BACKUP_COPYING) {
		store_backup_copy(store, PIECE_US);
		store_backup_progress(store, &progress);
	}
	await_check(store);
	int rc = store_backup_end(store, &report, fault);
	if (rc == 0)
		*reply = how_it_ended(&report);
	return rc;
}

int control_backup(const struct control *control, const json_t *arguments,
	json_t **reply, struct fault *fault)
{
	const char *because = text_of(arguments, "because");
	const struct decision decision = {
		.at_us = control->now_us,
		.who = control->who,
		.what = "backup",
		.target = "",
		.because = because == NULL ? "" : because,
	};
	const struct backup_request request = {
		.name = text_of(arguments, "name"),
		.at_us = control->now_us,
		.keep = (size_t)control->config->backup.keep,
		.decision = &decision,
	};
	int rc = store_backup_begin(control->store, &request, fault);
	if (rc < 0)
		return rc;
	if (control->alone)
		return finish(control->store, reply, fault);
	struct backup_progress progress;
	store_backup_progress(control->store, &progress);
	*reply = how_far(&progress);
	return 0;
}

int control_backup_state(const struct control *control, const json_t *arguments,
	json_t **reply, struct fault *fault)
{
	struct backup_progress progress;
	const char *name = text_of(arguments, "name");
	const struct backup_report *last = store_backup_last(control->store);
	store_backup_progress(control->store, &progress);
	if (name == NULL)
		return fault_set(fault, FAULT_USAGE, "name a backup");
	if (progress.phase != BACKUP_NONE && strcmp(progress.name, name) == 0)
		*reply = how_far(&progress);
	else if (strcmp(last->name, name) == 0)
		*reply = how_it_ended(last);
	else
		return fault_set(fault, FAULT_REFUSED,
			"backup %s was given up: another process, another "
			"generation or another schema took over; try again",
			name);
	return 0;
}
