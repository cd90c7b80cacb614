/*
 * holdfast rebuild: a new generation from the log, beside the live one.
 *
 * It follows the live generation and never runs ahead of it. When it is near,
 * the live one's owner stands still; it takes the log exactly to there, the
 * digests are compared, what the log does not hold is taken over, and it takes
 * the live one's place.
 * Source: design section 9.
 */
#include "ingest/command/rebuild.h"

#include "ingest/command/command.h"
#include "ingest/command/control_client.h"
#include "ingest/command/ingestion.h"
#include "ingest/command/options.h"
#include "ingest/command/say.h"
#include "ingest/command/signals.h"
#include "ingest/command/sources.h"
#include "store/failpoint.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

/* What is live may change between taking it over and the switch, by an
 * operator's hand: so often it is done again. */
#define TRIES 3

int64_t rebuild_now_us(void)
{
	struct clock *clock = clock_system();
	return clock->monotonic_us(clock);
}

int rebuild_look(struct rebuild *rebuild, struct fault *fault)
{
	int rc = 0;
	if (rebuild->live == NULL || reader_has_moved(rebuild->live)) {
		reader_close(rebuild->live);
		rc = reader_open(&rebuild->live, rebuild->config->store.path,
			REBUILD_BUSY_MS, fault);
	}
	if (rc < 0)
		return rc;
	const char *live = reader_generation(rebuild->live);
	if (rebuild->live_name[0] == '\0')
		(void)snprintf(rebuild->live_name, sizeof rebuild->live_name,
			"%s", live);
	return strcmp(live, rebuild->live_name) == 0
		       ? 0
		       : fault_set(fault, FAULT_REFUSED,
				 "generation %s took the place of %s meanwhile",
				 live, rebuild->live_name);
}

/* Of the live one's owner, or in its place for a moment. */
static int ask(const struct rebuild *rebuild, const char *action,
	const char *because, struct fault *fault)
{
	json_t *reply = NULL;
	json_t *arguments = json_pack(
		"{s:s, s:s}", "generation", rebuild->name, "because", because);
	int rc = arguments == NULL
			 ? fault_set(fault, FAULT_OOM, "out of memory")
			 : control_ask(rebuild->config, action, arguments,
				   &reply, fault);
	json_decref(arguments);
	json_decref(reply);
	return rc;
}

/* Where no owner runs, the action opens the store here: the reader is closed
 * before (store/layout.h, layout_drop_cache). */
int rebuild_ask(struct rebuild *rebuild, const char *action,
	const char *because, struct fault *fault)
{
	reader_close(rebuild->live);
	rebuild->live = NULL;
	return ask(rebuild, action, because, fault);
}

int rebuild_go_on(struct rebuild *rebuild, struct fault *fault)
{
	rebuild->course = COURSE_FOLLOWS;
	return ask(rebuild, "switch_abandon", "", fault);
}

/* Twice the live file for a while: the new one, and what is written to it. */
static int check_room(struct rebuild *rebuild, struct fault *fault)
{
	const char *path = rebuild->config->store.path;
	struct reader_status status = {0};
	struct statvfs disk;
	int rc = rebuild_look(rebuild, fault);
	if (rc == 0)
		rc = reader_summary(
			rebuild->live, &rebuild->arena, &status, fault);
	if (rc < 0 || statvfs(path, &disk) != 0)
		return rc;
	int64_t free_bytes = (int64_t)(disk.f_bavail * disk.f_frsize);
	int64_t wanted = status.file_bytes + status.wal_bytes;
	return free_bytes >= wanted
		       ? 0
		       : fault_set(fault, FAULT_REFUSED,
				 "%s: %" PRId64 " MiB are free, and the live "
				 "generation takes %" PRId64
				 ": make room for another one, or drop one "
				 "(`holdfast generations`)",
				 path, free_bytes >> 20, wanted >> 20);
}

/* What it was built from, for people. */
static const char *origin_of(struct rebuild *rebuild)
{
	const char *base = rebuild->options->base;
	const char *log = rebuild->options->partial ? "what is left of the log"
						    : "the log";
	const char *view = rebuild->options->view;
	const char *origin =
		view != NULL ? arena_print(&rebuild->arena,
				       "view %s from the log, the others as "
				       "they were",
				       view)
		: base != NULL
			? arena_print(&rebuild->arena, "%s, and %s", base, log)
			: log;
	return origin == NULL ? "" : origin;
}

static int make_build(
	struct rebuild *rebuild, const char *go_on, struct fault *fault)
{
	struct store_options options = store_options_of(rebuild->config);
	options.schema = rebuild->schema;
	struct store_build what = {.generation = go_on,
		.origin = origin_of(rebuild),
		.beside = rebuild->live_schema,
		.stays_complete = rebuild->options->roll_back};
	int rc = go_on != NULL ? 0 : rebuild_find_base(rebuild, fault);
	if (go_on == NULL && rebuild->options->base != NULL)
		what.base = rebuild->base;
	if (rc == 0)
		rc = store_build(&rebuild->store, &options, &what, fault);
	rebuild_drop_base(rebuild);
	return rc;
}

static int open_build(
	struct rebuild *rebuild, const char *go_on, struct fault *fault)
{
	int rc = rebuild_note_schema(rebuild, go_on, fault);
	reader_close(rebuild->live);
	rebuild->live = NULL;
	if (rc == 0)
		rc = make_build(rebuild, go_on, fault);
	if (rc < 0)
		return rc;
	(void)snprintf(rebuild->name, sizeof rebuild->name, "%s",
		store_generation(rebuild->store));
	failpoint("rebuild_begun");
	rc = rebuild_forget(rebuild, go_on, fault);
	if (rc == 0)
		rc = rebuild_look(rebuild, fault);
	if (rc == 0)
		rc = rebuild_check_schema(rebuild, go_on, fault);
	return rc;
}

/* Positive: they differ. */
static int compare(struct rebuild *rebuild)
{
	char live[2 * DIGEST_BYTES + 1], built[2 * DIGEST_BYTES + 1];
	const char *view = rebuild->options->view;
	struct digest digest =
		view == NULL ? store_digest(rebuild->store)
			     : store_view_digest(rebuild->store, view);
	if (digest_equal(digest, rebuild->digest))
		return 0;
	digest_print(rebuild->digest, live);
	digest_print(digest, built);
	say(SAY_WARNING,
		"generation %s has digest %s, the live one %s at the same "
		"offsets%s%s",
		rebuild->name, built, live, view == NULL ? "" : ", in view ",
		view == NULL ? "" : view);
	return 1;
}

static int judge(struct rebuild *rebuild, struct fault *fault)
{
	if (compare(rebuild) == 0 || rebuild->other_schema || rebuild->forgot ||
		rebuild->options->even_if_different)
		return 0;
	return fault_set(fault, FAULT_CORRUPT,
		"generation %s differs from the live one, and does not take "
		"its place: `holdfast verify` says whether the live one is "
		"damaged; `holdfast rebuild --continue %s "
		"--diff` what differs; with --even-if-different the new one is "
		"taken all the same",
		rebuild->name, rebuild->name);
}

static int take_over(struct rebuild *rebuild, struct fault *fault)
{
	struct carried carried;
	failpoint("rebuild_there");
	int rc = store_carry_others(
		rebuild->store, rebuild->options->view, &carried, fault);
	if (rc < 0)
		return rc;
	if (rebuild->options->view != NULL)
		say(SAY_INFO,
			"of other views: %" PRId64 " rows and %" PRId64
			" letters were others in the log",
			carried.rows, carried.copied + carried.settled);
	say(SAY_INFO,
		"taken over: %" PRId64 " decisions, %" PRId64 " holds, %" PRId64
		" stops, %" PRId64 " letters",
		carried.decisions, carried.holds, carried.stops,
		carried.letters);
	if (carried.damaged > 0)
		say(SAY_WARNING,
			"%" PRId64
			" rows of decisions and letters of %s are damaged, and "
			"are not taken over: such a letter is one that nobody "
			"saw, if the log still has its record",
			carried.damaged, rebuild->live_name);
	if (carried.unsure > 0)
		say(SAY_WARNING,
			"%" PRId64
			" letters that %s had let go or taken up are letters "
			"again: nobody knows which of them were taken up, and "
			"what that changed is in no log: `holdfast dead list`",
			carried.unsure, rebuild->live_name);
	failpoint("rebuild_carried");
	rc = store_complete(rebuild->store, fault);
	failpoint("rebuild_complete");
	return rc;
}

/* Its turn: the builder lets go, the owner takes it up. */
static int turn(struct rebuild *rebuild, struct fault *fault)
{
	store_close(rebuild->store);
	rebuild->store = NULL;
	failpoint("rebuild_closed");
	bool back = rebuild->options->roll_back;
	int rc = rebuild_ask(rebuild, back ? "rollback_there" : "switch",
		back ? rebuild->options->because : "rebuilt from the log",
		fault);
	failpoint("rebuild_switched");
	if (rc == 0)
		say(SAY_INFO,
			"generation %s is live, %s is kept; ingest stood "
			"still for %" PRId64 " ms",
			rebuild->name, rebuild->live_name,
			(rebuild_now_us() - rebuild->stopped_us) / 1000);
	return rc;
}

static int finish(struct rebuild *rebuild, struct fault *fault)
{
	int rc = judge(rebuild, fault);
	if (rc == 0)
		rc = take_over(rebuild, fault);
	return rc < 0 ? rc : turn(rebuild, fault);
}

/* Without taking the live one's place. */
static int show(struct rebuild *rebuild, struct fault *fault)
{
	bool same = compare(rebuild) == 0;
	store_close(rebuild->store);
	rebuild->store = NULL;
	int rc = rebuild_diff(rebuild, fault);
	if (rc == 0)
		say(SAY_INFO,
			"%s: `holdfast rebuild --continue %s` goes on with it, "
			"`holdfast generations drop %s` removes it",
			same ? "no difference" : "nothing was switched",
			rebuild->name, rebuild->name);
	return rc;
}

static int attempt(
	struct rebuild *rebuild, const char *go_on, struct fault *fault)
{
	int rc = open_build(rebuild, go_on, fault);
	if (rc < 0)
		return rc;
	say(SAY_INFO, "building generation %s of %s", rebuild->name,
		rebuild->config->store.path);
	rc = rebuild_follow(rebuild, fault);
	if (rc == 0)
		rc = rebuild->options->diff ? show(rebuild, fault)
					    : finish(rebuild, fault);
	if (rc < 0 && rebuild->course != COURSE_FOLLOWS)
		(void)rebuild_ask(rebuild, "switch_abandon", "", NULL);
	return rc;
}

/* A generation that was refused for good is of no use; what only was not
 * complete can be gone on with. */
static void tell_what_is_left(struct rebuild *rebuild, int rc, bool was_new)
{
	bool useless = (rc == FAULT_REFUSED || rc == FAULT_USAGE) && was_new &&
		       rebuild->course == COURSE_FOLLOWS;
	if (rebuild->name[0] == '\0')
		return;
	store_close(rebuild->store);
	rebuild->store = NULL;
	if (useless && generation_drop(rebuild->config->store.path,
			       rebuild->name, NULL) == 0)
		return;
	if (rc != FAULT_CORRUPT && !rebuild->options->roll_back)
		say(SAY_INFO,
			"generation %s is not live: `holdfast rebuild "
			"--continue %s` goes on with it",
			rebuild->name, rebuild->name);
}

static int build(struct rebuild *rebuild, struct fault *fault)
{
	const char *go_on = rebuild->options->go_on;
	int rc = go_on != NULL ? 0 : check_room(rebuild, fault);
	if (rc < 0)
		return rc;
	for (int tries = 1;; tries++) {
		rc = attempt(rebuild, go_on, fault);
		bool changed =
			rc == FAULT_REFUSED && rebuild->course == COURSE_THERE;
		if (!changed || tries == TRIES)
			break;
		say(SAY_WARNING, "%s: once more", fault->text);
		store_close(rebuild->store);
		rebuild->store = NULL;
		go_on = rebuild->name;
	}
	if (rc < 0)
		tell_what_is_left(rebuild, rc, rebuild->options->go_on == NULL);
	return rc;
}

static void let_go(struct rebuild *rebuild)
{
	reader_close(rebuild->live);
	store_close(rebuild->store);
	schema_free(rebuild->schema);
	culprits_finish(&rebuild->culprits);
	arena_finish(&rebuild->arena);
}

int rebuild_roll_back(const struct config *config, const char *generation,
	const char *because, struct fault *fault)
{
	char name[GENERATION_NAME_BYTES];
	const struct rebuild_options options = {.go_on = name,
		.even_if_different = true,
		.partial = true,
		.roll_back = true,
		.because = because};
	struct rebuild rebuild = {.config = config,
		.options = &options,
		.culprits = CULPRITS_INIT,
		.arena = ARENA_INIT};
	if (snprintf(name, sizeof name, "%s", generation) >= (int)sizeof name)
		return fault_set(fault, FAULT_USAGE,
			"there is no generation %s: `holdfast generations` "
			"lists them",
			generation);
	int rc = sources_check(config, fault);
	if (rc == 0)
		rc = build(&rebuild, fault);
	let_go(&rebuild);
	return rc;
}

#define OWN(member) offsetof(struct rebuild_options, member)

static const struct field fields[] = {
	{"schema", FIELD_TEXT, OWN(schema), NULL, 0, 0, "FILE",
		"under this schema, not the live one's"},
	{"even-if-different", FIELD_FLAG, OWN(even_if_different), NULL, 0, 0,
		NULL, "switch, though what it holds differs"},
	{"base", FIELD_TEXT, OWN(base), NULL, 0, 0, "BACKUP",
		"begin with this backup, or with a copy of the `live` one"},
	{"view", FIELD_TEXT, OWN(view), NULL, 0, 0, "NAME",
		"this one from the log; the others stay as they are"},
	{"forget-deletes-before", FIELD_TIME, OWN(forget_before_us), NULL,
		INT64_MIN, INT64_MAX, "TIME",
		"of the base: as if these entities never had been"},
	{"diff", FIELD_FLAG, OWN(diff), NULL, 0, 0, NULL,
		"print what differs, and do not switch"},
	{"partial", FIELD_FLAG, OWN(partial), NULL, 0, 0, NULL,
		"build it without what the log no longer holds"},
	{"continue", FIELD_TEXT, OWN(go_on), NULL, 0, 0, "NAME",
		"go on with a generation that is not complete"},
};

static const struct options_spec spec = {
	.usage = "rebuild [--schema FILE | --base BACKUP | --view NAME] "
		 "[--diff] "
		 "[--even-if-different] "
		 "[--partial] "
		 "[--continue NAME] [-c FILE]",
	.summary = "Builds a new generation of the store from the log, beside "
		   "the live one, which goes on\ntaking records and answering "
		   "lookups; compares both at the same offsets, and puts it "
		   "in\nthe live one's place. The old one is kept.",
	.fields = fields,
	.field_count = sizeof fields / sizeof fields[0],
	.configured = true,
};

static int check(const struct rebuild_options *options, struct fault *fault)
{
	if (options->schema != NULL && options->go_on != NULL)
		return fault_set(fault, FAULT_USAGE,
			"--schema is for a new generation: that of --continue "
			"has its own");
	if (options->base != NULL &&
		(options->schema != NULL || options->go_on != NULL))
		return fault_set(fault, FAULT_USAGE,
			"--base is for a new generation, under the schema that "
			"the backup has");
	if (options->view != NULL &&
		(options->schema != NULL || options->base != NULL ||
			options->partial))
		return fault_set(fault, FAULT_USAGE,
			"--view is for the whole log under the schema that the "
			"live one has: not with --schema, --base or --partial");
	if (options->forget_before_us != 0 && options->base == NULL &&
		options->go_on == NULL)
		return fault_set(fault, FAULT_USAGE,
			"--forget-deletes-before wants a --base, or what was "
			"begun with one: from the log deletes come again");
	return 0;
}

static int run(struct rebuild *rebuild, struct fault *fault)
{
	const struct rebuild_options *options = rebuild->options;
	int rc = check(options, fault);
	if (rc == 0 && options->schema != NULL)
		rc = schema_load(&rebuild->schema, options->schema, fault);
	if (rc == 0)
		rc = sources_check(rebuild->config, fault);
	return rc < 0 ? rc : build(rebuild, fault);
}

int command_rebuild(int argc, char **argv)
{
	struct fault fault = {0};
	struct options options;
	struct rebuild_options own = {0};
	struct config config = {0};
	int rc = options_parse(&options, &spec, &own, argc, argv, &fault);
	bool helped = rc == OPTIONS_HELPED;
	if (rc == OPTIONS_GO)
		rc = signals_install(&fault);
	if (rc == OPTIONS_GO)
		rc = options_config(&options, &config, &fault);
	struct rebuild rebuild = {.config = &config,
		.options = &own,
		.culprits = CULPRITS_INIT,
		.arena = ARENA_INIT};
	if (rc == OPTIONS_GO && !helped)
		rc = run(&rebuild, &fault);
	let_go(&rebuild);
	config_finish(&config);
	options_finish(&options);
	return rc < 0 ? say_last(&fault) : STATUS_GOOD;
}
