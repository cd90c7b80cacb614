/*
 * holdfast restore: the store as a backup has it, as a new generation; ingest
 * goes on from its offsets.
 */
#include "ingest/clock.h"
#include "ingest/command/command.h"
#include "ingest/command/control.h"
#include "ingest/command/elapsed.h"
#include "ingest/command/ingestion.h"
#include "ingest/command/reading.h"
#include "ingest/command/restore_at.h"
#include "ingest/command/say.h"
#include "ingest/command/turn.h"
#include "ingest/command/value_text.h"
#include "schema/rfc3339.h"
#include "store/backups.h"
#include "store/decisions.h"
#include "store/generations.h"
#include "store/verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct restore_options {
	char *because;
	int64_t at_us; /* 0: not asked for */
};

static const struct field fields[] = {
	{"because", FIELD_TEXT, offsetof(struct restore_options, because), NULL,
		0, 0, "TEXT", "why, for the record"},
	{"at", FIELD_TIME, offsetof(struct restore_options, at_us), NULL, 1,
		INT64_MAX, "TIME",
		"the newest backup before, or the log's beginning, then the "
		"log up to there"},
};

static const struct options_spec spec = {
	.usage =
		"restore NAME|FILE [--because TEXT] | restore [NAME|FILE] --at "
		"TIME",
	.summary = "Checks the backup, copies it to a new generation and "
		   "puts that in the live one's place; ingest goes on\nfrom "
		   "the backup's offsets and catches up. Also where the live "
		   "one can't be read any more, and where there is\nno store "
		   "yet. The old one is kept. Holds, pauses and dropped "
		   "letters stay as they are now.\nWith --at the store is "
		   "as it was when each partition's next record was later than "
		   "TIME; no more is\ntaken until `holdfast resume`.",
	.fields = fields,
	.field_count = sizeof fields / sizeof fields[0],
	.arguments_max = 1,
	.configured = true,
	.json = true,
};

struct restore {
	const struct options *options;
	const struct config *config;
	struct arena arena;
	const char *given;		 /* NAME or FILE */
	int64_t at_us;			 /* 0: as the backup is */
	char found[BACKUP_NAME_MAX + 1]; /* for --at */
	char file[PATH_MAX];		 /* the backup */
	char generation[GENERATION_NAME_BYTES];
	struct restore_log *log; /* there is none: from the logs' beginning */
	int64_t made_us;
	struct digest digest;
	json_t *carried; /* as turn_carried(); NULL: there was nothing */
};

#define THE_LOG "the log" /* where a backup's name would stand */

/* Why there is no way to the moment, at all. */
static int refuse(const struct restore *restore, int rc, struct fault *why)
{
	char at[RFC3339_SIZE];
	struct fault text = *why;
	if (rc != FAULT_REFUSED && rc != FAULT_CORRUPT && rc != FAULT_LOG)
		return rc;
	return fault_set(why, rc,
		"no backup holds the store as it was before %s (`holdfast "
		"backup --list` shows which there are), and the log can't "
		"give it: %s",
		rfc3339_print(restore->at_us, at), text.text);
}

/* What was given, or what fits the moment. */
static int choose(struct restore *restore, struct fault *fault)
{
	if (restore->given != NULL)
		return 0;
	restore->given = restore->found;
	if (restore->at_us == 0)
		return fault_set(fault, FAULT_USAGE,
			"name a backup: `holdfast backup --list` lists them");
	int rc = restore_find_before(
		restore->config, restore->at_us, restore->found, fault);
	if (rc != 1)
		return rc;
	restore->given = THE_LOG;
	rc = restore_log_open(&restore->log, restore->config, fault);
	return rc < 0 ? refuse(restore, rc, fault) : 0;
}

/* A name first: one that a file has as well is written ./FILE. */
static int find_file(struct restore *restore, struct fault *fault)
{
	const char *directory = restore->config->store.path;
	if (backup_name_is_good(restore->given) &&
		backups_path(restore->file, directory, restore->given) &&
		access(restore->file, F_OK) == 0)
		return 0;
	if (access(restore->given, F_OK) != 0)
		return fault_set(fault, FAULT_USAGE,
			"there is no backup %s, and no such file: `holdfast "
			"backup --list` lists them",
			restore->given);
	return snprintf(restore->file, PATH_MAX, "%s", restore->given) <
			       PATH_MAX
		       ? 0
		       : fault_set(fault, FAULT_USAGE, "%s: too long",
				 restore->given);
}

static int verify(
	struct restore *restore, struct reader *reader, struct fault *fault)
{
	struct verify_report report;
	int rc = reader_verify(reader, &restore->arena, &report, fault);
	if (rc == 0 && report.problem_count > 0)
		rc = fault_set(fault, FAULT_CORRUPT,
			"%s is damaged, and nothing was changed: %" PRId64
			" of its rows are wrong: %s",
			restore->file, report.problem_count,
			report.problems[0]);
	restore->made_us = reader_backup_made_us(reader);
	restore->digest = report.digest;
	return rc;
}

/* Nothing is changed before it is known to be good. */
static int check(struct restore *restore, struct fault *fault)
{
	struct backup_seal seal;
	struct reader *reader = NULL;
	int rc = reader_open_backup(&reader, restore->file, fault);
	if (rc == 0)
		rc = backup_seal_check(restore->file, &seal, fault);
	if (rc == 0)
		rc = verify(restore, reader, fault);
	reader_close(reader);
	return rc;
}

static struct store_options options_of(const struct restore *restore)
{
	return store_options_of(restore->config);
}

static int check_copy(const struct restore *restore, const struct store *store,
	struct fault *fault)
{
	if (restore->log != NULL ||
		digest_equal(store_digest(store), restore->digest))
		return 0;
	return fault_set(fault, FAULT_IO,
		"the copy of %s is not what was copied: is the disk well?",
		restore->file);
}

static int take_until(
	const struct restore *restore, struct store *store, struct fault *fault)
{
	int rc = restore_take_until(
		store, restore->config, restore->at_us, restore->log, fault);
	return rc < 0 && restore->log != NULL ? refuse(restore, rc, fault) : rc;
}

/* The copy, or an empty one for the log, as a generation that nobody reads yet.
 */
static int build(struct restore *restore, struct fault *fault)
{
	struct store *store = NULL;
	const struct store_options options = options_of(restore);
	const char *origin = restore->log != NULL
				     ? THE_LOG
				     : arena_print(&restore->arena, "backup %s",
					       restore->given);
	const struct store_build build = {
		.base = restore->log != NULL ? NULL : restore->file,
		.origin = origin};
	int rc = store_build(&store, &options, &build, fault);
	if (rc == 0)
		(void)snprintf(restore->generation, sizeof restore->generation,
			"%s", store_generation(store));
	if (rc == 0)
		rc = check_copy(restore, store, fault);
	if (rc == 0 && restore->at_us != 0)
		rc = take_until(restore, store, fault);
	if (rc == 0)
		rc = store_complete(store, fault);
	store_close(store);
	return rc;
}

#define STOP_DETAIL_BYTES 256

/* What comes later is what somebody wants to be without: until resumed. */
static void stop_there(struct store_switch *to, char detail[STOP_DETAIL_BYTES],
	const char *at, const char *who)
{
	(void)snprintf(detail, STOP_DETAIL_BYTES,
		"to where it was at %s, by %s; to go on: holdfast resume", at,
		who);
	to->stop_reason = STOP_ROLLED_BACK;
	to->stop_detail = detail;
}

static json_t *arguments_of(const struct restore *restore)
{
	const struct restore_options *own = restore->options->own;
	char at[RFC3339_SIZE];
	return json_pack("{s:s, s:s, s:s, s:s*}", "generation",
		restore->generation, "backup", restore->given, "because",
		own->because == NULL ? "" : own->because, "at",
		restore->at_us == 0 ? NULL : rfc3339_print(restore->at_us, at));
}

static int turn(struct restore *restore, struct fault *fault)
{
	const struct restore_options *own = restore->options->own;
	char who[CONTROL_WHO_BYTES], at[RFC3339_SIZE];
	char detail[STOP_DETAIL_BYTES];
	struct store_switch stop = {0};
	control_who(getuid(), who);
	if (restore->at_us != 0)
		stop_there(
			&stop, detail, rfc3339_print(restore->at_us, at), who);
	json_t *arguments = arguments_of(restore);
	const struct turn turn = {.action = "restore",
		.arguments = arguments,
		.generation = restore->generation,
		.what = "restore",
		.target = restore->given,
		.because = own->because == NULL ? "" : own->because,
		.stop_reason = stop.stop_reason,
		.stop_detail = stop.stop_detail};
	int rc = turn_to(restore->config, &turn, &restore->carried, fault);
	json_decref(arguments);
	return rc;
}

/* There is none: the backup becomes the first. */
static bool is_first(const struct restore *restore)
{
	return reading_needs_store(restore->config, NULL) < 0;
}

static int found(struct restore *restore, struct fault *fault)
{
	const struct store_options options = options_of(restore);
	memcpy(restore->generation, "g1", sizeof "g1");
	return store_found(&options, restore->file, fault);
}

/* Where ingest goes on. */
static const char *what_next(const struct restore *restore)
{
	if (restore->at_us != 0)
		return ", and the log from there to the time asked for; "
		       "nothing is taken until `holdfast resume`";
	if (turn_stops(restore->carried) > 0)
		return "; ingest goes on from its offsets, but of partitions "
		       "that were stopped before: `holdfast status`";
	return "; ingest goes on from its offsets";
}

static void tell_programs(const struct restore *restore, const char *made)
{
	fputs("{\"backup\": ", stdout);
	if (restore->log != NULL)
		fputs("null", stdout);
	else
		string_print_json(slice_of(restore->given), stdout);
	printf(", \"generation\": \"%s\", \"made\": ", restore->generation);
	if (restore->log != NULL)
		fputs("null", stdout);
	else
		printf("\"%s\"", made);
	fputs(", \"carried\": ", stdout);
	if (restore->carried == NULL)
		fputs("null", stdout);
	else
		(void)json_dumpf(restore->carried, stdout, 0);
	puts("}");
}

static void tell(const struct restore *restore)
{
	char made[RFC3339_SIZE], age[ELAPSED_SIZE];
	struct clock *clock = clock_system();
	rfc3339_print(restore->made_us, made);
	if (restore->options->json)
		tell_programs(restore, made);
	else if (restore->log != NULL)
		printf("restored: generation %s is live, taken from the "
		       "beginning of the log to the time asked for; nothing is "
		       "taken until `holdfast resume`\n",
			restore->generation);
	else
		printf("restored: generation %s is live, as backup %s has it "
		       "(made %s, %s ago)%s\n",
			restore->generation, restore->given, made,
			elapsed_print(
				clock->wall_us(clock) - restore->made_us, age),
			what_next(restore));
	turn_tell(restore->carried, restore->options->json);
}

/* What did not become the live one is of no use to anybody. */
static int build_and_turn(struct restore *restore, struct fault *fault)
{
	int rc = build(restore, fault);
	if (rc == 0)
		rc = turn(restore, fault);
	if (rc < 0 && restore->generation[0] != '\0')
		(void)generation_drop(
			restore->config->store.path, restore->generation, NULL);
	return rc;
}

static int check_backup(struct restore *restore, struct fault *fault)
{
	int rc = find_file(restore, fault);
	if (rc == 0 && restore->at_us != 0)
		rc = restore_check_before(restore->file, restore->at_us, fault);
	return rc < 0 ? rc : check(restore, fault);
}

static int run(struct restore *restore, struct fault *fault)
{
	int rc = choose(restore, fault);
	if (rc == 0 && restore->log == NULL)
		rc = check_backup(restore, fault);
	if (rc == 0)
		rc = is_first(restore) && restore->at_us == 0
			     ? found(restore, fault)
			     : build_and_turn(restore, fault);
	if (rc == 0)
		tell(restore);
	return rc;
}

static int restore_with(const struct options *options, struct fault *fault)
{
	struct config config = {0};
	int rc = options_config(options, &config, fault);
	struct restore restore = {.options = options,
		.config = &config,
		.arena = ARENA_INIT,
		.at_us = ((const struct restore_options *)options->own)->at_us,
		.given = options->argument_count == 0 ? NULL
						      : options->arguments[0]};
	if (rc == 0)
		rc = run(&restore, fault);
	restore_log_close(restore.log);
	json_decref(restore.carried);
	arena_finish(&restore.arena);
	config_finish(&config);
	return rc;
}

int command_restore(int argc, char **argv)
{
	struct fault fault = {0};
	struct options options;
	struct restore_options own = {0};
	int rc = options_parse(&options, &spec, &own, argc, argv, &fault);
	if (rc == OPTIONS_GO)
		rc = restore_with(&options, &fault);
	options_finish(&options);
	return rc < 0 ? say_fault(&fault) : STATUS_GOOD;
}

/* In the owner, or where there is none. */
int control_restore(const struct control *control, const json_t *arguments,
	json_t **reply, struct fault *fault)
{
	const char *generation =
		json_string_value(json_object_get(arguments, "generation"));
	const char *backup =
		json_string_value(json_object_get(arguments, "backup"));
	const char *because =
		json_string_value(json_object_get(arguments, "because"));
	if (generation == NULL || backup == NULL)
		return fault_set(fault, FAULT_USAGE,
			"`generation` and `backup` name what is restored");
	const struct decision decision = {.at_us = control->now_us,
		.who = control->who,
		.what = "restore",
		.target = backup,
		.because = because == NULL ? "" : because};
	char detail[STOP_DETAIL_BYTES];
	const char *at = json_string_value(json_object_get(arguments, "at"));
	struct handover handover = {0};
	struct store_switch to = {.generation = generation,
		.decision = &decision,
		.handover = &handover};
	if (at != NULL)
		stop_there(&to, detail, at, control->who);
	int rc = store_switch(control->owner, &to, fault);
	if (rc == 0)
		*reply =
			json_pack("{s:o*}", "carried", turn_carried(&handover));
	return rc;
}
