/*
 * holdfast rebuild: a new generation from the log, beside the live one.
 *
 * It follows the live generation and never runs ahead of it. When it is near,
 * the live one's owner stands still; it takes the log exactly to there, the
 * digests are compared, and it takes the live one's place.
 * Source: design section 9.
 */
#include "ingest/bounded_source.h"
#include "ingest/command/command.h"
#include "ingest/command/control_client.h"
#include "ingest/command/ingestion.h"
#include "ingest/command/options.h"
#include "ingest/command/say.h"
#include "ingest/command/signals.h"
#include "ingest/command/sources.h"
#include "store/generations.h"
#include "store/reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LOOK_EVERY_US INT64_C(200000)
#define READER_BUSY_MS 5000
/* So near, the live one is asked to stand still: about a second's work. */
#define NEAR_RECORDS 20000

enum course { COURSE_FOLLOWS, COURSE_LAST_PART, COURSE_THERE };

struct rebuild {
	const struct config *config;
	struct store *store; /* being built */
	struct reader *live;
	struct bounded_source *source;
	struct arena arena;
	enum course course;
	int64_t looked_us;    /* monotonic */
	int64_t stopped_us;   /* monotonic: when the owner was asked to */
	struct digest digest; /* of the live one where it stands */
};

static int64_t now_us(void)
{
	struct clock *clock = clock_system();
	return clock->monotonic_us(clock);
}

static void notice(void *payload, const char *text)
{
	(void)payload;
	say(SAY_WARNING, "%s", text);
}

static bool wants(void *payload)
{
	const struct rebuild *rebuild = payload;
	return now_us() - rebuild->looked_us >= LOOK_EVERY_US;
}

/* Ask the live one's owner, or be it for a moment. */
static int ask(struct rebuild *rebuild, const char *action, struct fault *fault)
{
	json_t *reply = NULL;
	json_t *arguments = json_pack(
		"{s:s}", "generation", store_generation(rebuild->store));
	int rc = arguments == NULL
			 ? fault_set(fault, FAULT_OOM, "out of memory")
			 : control_ask(rebuild->config, action, arguments,
				   &reply, fault);
	json_decref(arguments);
	json_decref(reply);
	return rc;
}

static const struct store_partition *find_built(
	const struct rebuild *rebuild, const struct log *log)
{
	for (size_t i = store_partition_count(rebuild->store); i-- > 0;) {
		const struct store_partition *one =
			store_partition_at(rebuild->store, i);
		if (one->log.partition == log->partition &&
			strcmp(one->log.topic, log->topic) == 0)
			return one;
	}
	return NULL;
}

/* Where the live one is bounds this one. How many offsets lie between, in
 * *behind. */
static int follow(struct rebuild *rebuild, int64_t *behind, struct fault *fault)
{
	struct reader_status status = {0};
	arena_reset(&rebuild->arena);
	int rc = reader_summary(rebuild->live, &rebuild->arena, &status, fault);
	*behind = 0;
	for (size_t i = 0; rc == 0 && i < status.partition_count; i++) {
		const struct store_partition *live = &status.partitions[i];
		const struct store_partition *built =
			find_built(rebuild, &live->log);
		const struct source_limit limit = {.topic = live->log.topic,
			.partition = live->log.partition,
			.next_offset = live->accounts.next_offset,
			.as_of_us = live->as_of_us};
		rc = bounded_source_limit(rebuild->source, &limit, fault);
		*behind += limit.next_offset -
			   (built != NULL ? built->accounts.next_offset
					  : live->accounts.first_offset);
	}
	rebuild->digest = status.digest;
	return rc;
}

/* With nothing in flight. */
static int attend(void *payload, struct fault *fault)
{
	struct rebuild *rebuild = payload;
	int64_t behind = 0;
	rebuild->looked_us = now_us();
	int rc = follow(rebuild, &behind, fault);
	if (rc == 0 && rebuild->course == COURSE_FOLLOWS &&
		behind <= NEAR_RECORDS) {
		rebuild->stopped_us = now_us();
		rebuild->course = COURSE_LAST_PART;
		rc = ask(rebuild, "switch_begin", fault);
		/* What it took until it stood. */
		if (rc == 0)
			rc = follow(rebuild, &behind, fault);
	}
	if (rc < 0 || rebuild->course != COURSE_LAST_PART || behind > 0)
		return rc;
	rebuild->course = COURSE_THERE;
	return PIPELINE_LEAVE;
}

static int compare(struct rebuild *rebuild, struct fault *fault)
{
	char live[2 * DIGEST_BYTES + 1], built[2 * DIGEST_BYTES + 1];
	struct digest digest = store_digest(rebuild->store);
	if (digest_equal(digest, rebuild->digest))
		return 0;
	digest_print(rebuild->digest, live);
	digest_print(digest, built);
	return fault_set(fault, FAULT_CORRUPT,
		"generation %s has digest %s, the live one %s at the same "
		"offsets: it does not take its place; `holdfast verify` says "
		"whether the live one is damaged",
		store_generation(rebuild->store), built, live);
}

static int fill(struct rebuild *rebuild, struct fault *fault)
{
	struct source *inner = NULL;
	const struct sources_options from = {.config = rebuild->config,
		.store = rebuild->store,
		.group_suffix = "-rebuild"};
	int rc = sources_open(&inner, &from, fault);
	if (rc == 0)
		rc = bounded_source_open(&rebuild->source, inner, fault);
	if (rc < 0)
		return rc;
	struct pipeline_options options =
		sources_pipeline_options(rebuild->config, rebuild->store);
	options.source = bounded_source_of(rebuild->source);
	options.stop = signals_stop();
	options.notice = notice;
	options.wants = wants;
	options.attend = attend;
	options.payload = rebuild;
	rc = pipeline_run(&options, NULL, fault);
	source_close(options.source);
	if (rc == 0)
		rc = fault_set(fault, FAULT_BUSY,
			"generation %s is not complete: `holdfast rebuild "
			"--continue %s` goes on with it",
			store_generation(rebuild->store),
			store_generation(rebuild->store));
	return rc < 0 ? rc : 0;
}

/* Its turn: the builder lets go, the owner takes it up. */
static int turn(struct rebuild *rebuild, struct fault *fault)
{
	char name[GENERATION_NAME_BYTES];
	(void)snprintf(
		name, sizeof name, "%s", store_generation(rebuild->store));
	int rc = store_complete(rebuild->store, fault);
	if (rc < 0)
		return rc;
	store_close(rebuild->store);
	rebuild->store = NULL;
	json_t *reply = NULL;
	json_t *arguments = json_pack("{s:s, s:s}", "generation", name,
		"because", "rebuilt from the log");
	rc = control_ask(rebuild->config, "switch", arguments, &reply, fault);
	json_decref(arguments);
	json_decref(reply);
	if (rc == 0)
		say(SAY_INFO,
			"generation %s is live; ingest stood still for %" PRId64
			" ms",
			name, (now_us() - rebuild->stopped_us) / 1000);
	return rc;
}

static int build(
	struct rebuild *rebuild, const char *go_on, struct fault *fault)
{
	struct store_options options = store_options_of(rebuild->config);
	const struct store_build what = {
		.generation = go_on, .origin = "the log"};
	int rc = reader_open(
		&rebuild->live, options.path, READER_BUSY_MS, fault);
	if (rc == 0)
		rc = store_build(&rebuild->store, &options, &what, fault);
	if (rc < 0)
		return rc;
	say(SAY_INFO, "building generation %s of %s",
		store_generation(rebuild->store), options.path);
	rc = fill(rebuild, fault);
	if (rc == 0)
		rc = compare(rebuild, fault);
	if (rc == 0)
		rc = turn(rebuild, fault);
	if (rc < 0 && rebuild->course != COURSE_FOLLOWS) {
		json_t *reply = NULL, *nothing = json_object();
		(void)control_ask(rebuild->config, "switch_abandon", nothing,
			&reply, NULL);
		json_decref(reply);
		json_decref(nothing);
	}
	return rc;
}

struct rebuild_options {
	char *go_on;
};

static const struct field fields[] = {
	{"continue", FIELD_TEXT, offsetof(struct rebuild_options, go_on), NULL,
		0, 0, "NAME", "go on with a generation that is not complete"},
};

static const struct options_spec spec = {
	.usage = "rebuild [--continue NAME] [-c FILE]",
	.summary = "Builds a new generation of the store from the log, beside "
		   "the live one, which goes on\ntaking records and answering "
		   "lookups; compares both at the same offsets, and puts it "
		   "in\nthe live one's place. The old one is kept.",
	.fields = fields,
	.field_count = sizeof fields / sizeof fields[0],
	.configured = true,
};

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
	if (rc == OPTIONS_GO && !helped)
		rc = sources_check(&config, &fault);
	struct rebuild rebuild = {.config = &config, .arena = ARENA_INIT};
	if (rc == OPTIONS_GO && !helped)
		rc = build(&rebuild, own.go_on, &fault);
	reader_close(rebuild.live);
	store_close(rebuild.store);
	arena_finish(&rebuild.arena);
	config_finish(&config);
	options_finish(&options);
	return rc < 0 ? say_last(&fault) : STATUS_GOOD;
}
