/* What a generation begins with: a base, if not nothing, and which schema. */
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

int rebuild_forget(
	struct rebuild *rebuild, const char *go_on, struct fault *fault)
{
	int64_t forgotten = 0;
	int64_t before_us = rebuild->options->forget_before_us;
	if (before_us == 0 || rebuild->forgot)
		return 0;
	int rc = store_forget_deletes(
		rebuild->store, before_us, &forgotten, fault);
	/* What is gone on with may lack some already. */
	rebuild->forgot = forgotten > 0 || go_on != NULL;
	if (rc == 0)
		say(SAY_INFO,
			"generation %s: %" PRId64
			" deletes are forgotten: events older than they are no "
			"longer known to be; its digest is another one",
			rebuild->name, forgotten);
	return rc;
}

int rebuild_note_schema(
	struct rebuild *rebuild, const char *go_on, struct fault *fault)
{
	rebuild->live_schema = NULL;
	if (go_on != NULL)
		return 0;
	rebuild->live_schema = arena_print(
		&rebuild->arena, "%s", reader_schema(rebuild->live)->text);
	return rebuild->live_schema != NULL
		       ? 0
		       : fault_set(fault, FAULT_OOM, "no memory for a schema");
}

/* What was taken over from the live one is not built any more. */
static int check_carried(struct rebuild *rebuild, struct fault *fault)
{
	const char *view = rebuild->options->view;
	const char *carried = "";
	int rc = store_carried_view(
		rebuild->store, &carried, &rebuild->arena, fault);
	if (rc < 0 || carried[0] == '\0' ||
		strcmp(carried, view == NULL ? "" : view) == 0)
		return rc;
	return fault_set(fault, FAULT_USAGE,
		"generation %s has all views but %s from the live one already: "
		"go on with --view %s, or begin anew",
		rebuild->name, carried, carried);
}

/* Others can only be taken over where all views are the same. */
static int check_view(struct rebuild *rebuild, struct fault *fault)
{
	const struct schema *live = reader_schema(rebuild->live);
	const struct schema *built = store_schema(rebuild->store);
	const char *view = rebuild->options->view;
	if (view == NULL)
		return 0;
	if (schema_view(built, slice_of(view)) == NULL)
		return fault_set(fault, FAULT_USAGE,
			"there is no view %s: `holdfast status` lists them",
			view);
	return strcmp(live->text, built->text) == 0
		       ? 0
		       : fault_set(fault, FAULT_USAGE,
				 "generation %s has another schema than the "
				 "live one: --view is for one that has the "
				 "same",
				 rebuild->name);
}

/* Whoever wants another schema says so; it does not come in by what is old:
 * neither by a base, nor by what was begun before the live one's was changed.
 */
static int check_other(
	struct rebuild *rebuild, const char *go_on, struct fault *fault)
{
	const struct rebuild_options *options = rebuild->options;
	const char *live = reader_schema(rebuild->live)->text;
	const char *beside = "";
	if (!rebuild->other_schema || options->diff ||
		options->even_if_different)
		return 0;
	if (go_on == NULL && options->base == NULL)
		return 0;
	int rc = go_on == NULL ? 0
			       : store_build_beside(rebuild->store, &beside,
					 &rebuild->arena, fault);
	if (rc < 0 || strcmp(beside, live) == 0)
		return rc;
	return fault_set(fault, FAULT_REFUSED,
		"generation %s has another schema than the live one, whose own "
		"was changed since: in its place it would undo that: build "
		"one anew from the log, or take it all the same, "
		"--even-if-different",
		rebuild->name);
}

int rebuild_check_schema(
	struct rebuild *rebuild, const char *go_on, struct fault *fault)
{
	rebuild->other_schema =
		strcmp(reader_schema(rebuild->live)->text,
			store_schema(rebuild->store)->text) != 0;
	int rc = check_view(rebuild, fault);
	if (rc == 0 && go_on != NULL && !rebuild->options->roll_back)
		rc = check_carried(rebuild, fault);
	return rc < 0 ? rc : check_other(rebuild, go_on, fault);
}
