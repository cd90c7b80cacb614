/* The part of a rebuild that takes time: the log, behind the live one. */
#include "ingest/command/ingestion.h"
#include "ingest/command/rebuild.h"
#include "ingest/command/say.h"
#include "ingest/command/signals.h"
#include "ingest/command/sources.h"
#include "schema/load.h"
#include "store/decisions.h"
#include "store/failpoint.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Each look waits for what is in flight, some tenths of a second: so the live
 * one is only looked at when what it had taken at the last look is nearly
 * there, and now and then besides. */
#define LOOK_FAR_US INT64_C(5000000)
#define LOOK_NEAR_US INT64_C(200000)
#define LOOK_STANDING_US INT64_C(10000) /* while it stands still */
/* So near, the live one is asked to stand still: about a second's work. */
#define NEAR_RECORDS 20000
#define TELL_EVERY_US INT64_C(10000000)
#define BAR_CELLS 30
#define BAR_EVERY_US INT64_C(200000)
/* A topic that only the new schema takes, and that is not there after so long,
 * is taken when it comes. */
#define TOPIC_WAIT_US INT64_C(10000000)

static void notice(void *payload, const char *text)
{
	(void)payload;
	say(SAY_WARNING, "%s", text);
}

static bool same_partition(const struct log *a, const struct log *b)
{
	return a->partition == b->partition && strcmp(a->topic, b->topic) == 0;
}

static const struct store_partition *find_built(
	const struct rebuild *rebuild, const struct log *log)
{
	for (size_t i = store_partition_count(rebuild->store); i-- > 0;) {
		const struct store_partition *one =
			store_partition_at(rebuild->store, i);
		if (same_partition(&one->log, log))
			return one;
	}
	return NULL;
}

static bool is_older(const struct reader_status *status, size_t index)
{
	const struct log *log = &status->partitions[index].log;
	for (size_t i = index + 1; i < status->partition_count; i++)
		if (same_partition(&status->partitions[i].log, log))
			return true;
	return false;
}

/* Is it of a log that is gone, and that a base did not bring? */
static bool is_beyond_reach(const struct rebuild *rebuild,
	const struct reader_status *status, size_t index)
{
	const struct log *newest = &status->partitions[index].log;
	if (!is_older(status, index))
		return false;
	for (size_t i = index + 1; i < status->partition_count; i++)
		if (same_partition(&status->partitions[i].log, newest))
			newest = &status->partitions[i].log;
	const struct store_partition *built = find_built(rebuild, newest);
	return built != NULL && built->log.incarnation != newest->incarnation;
}

/* Of an older log, or of a topic that nobody takes? */
static int check_reach(const struct rebuild *rebuild,
	const struct reader_status *status, size_t index, struct fault *fault)
{
	const struct log *log = &status->partitions[index].log;
	const struct config *config = rebuild->config;
	if (status->partitions[index].accounts.taken == 0)
		return 0;
	if (rebuild->options->view != NULL && load_is_topic(log->topic))
		return 0; /* it comes with the rows (store_carry_others()) */
	if (is_beyond_reach(rebuild, status, index))
		return fault_set(fault, FAULT_REFUSED,
			"%s:%" PRId32 ": part of it came from an older log, "
			"which is gone: --partial builds a generation without, "
			"--base live one with it",
			log->topic, log->partition);
	if (schema_source(store_schema(rebuild->store), log->topic) != NULL &&
		(!sources_is_file(config) ||
			strcmp(config->file.topic, log->topic) == 0))
		return 0;
	return fault_set(fault, FAULT_REFUSED,
		"%s:%" PRId32 ": the live generation took it, and this one "
		"would not: --partial builds it without",
		log->topic, log->partition);
}

/* Does the log still hold all that the live one took, and go on? */
static int check_built(const struct rebuild *rebuild,
	const struct store_partition *live, const struct store_partition *built,
	struct fault *fault)
{
	struct arena arena = ARENA_INIT;
	const char *reason = "";
	int rc = store_why_stopped(
		rebuild->store, &built->log, &arena, &reason, fault);
	/* Ahead of the slowest it waits, and goes on by itself. */
	if (rc == 1 && strcmp(reason, STOP_AHEAD) == 0)
		rc = 0;
	if (rc == 1)
		rc = fault_set(fault, FAULT_LOG,
			"%s:%" PRId32 ": %s: the log can't be taken to where "
			"the live generation is",
			live->log.topic, live->log.partition, reason);
	arena_finish(&arena);
	if (rc < 0 || rebuild->options->partial ||
		built->accounts.first_offset <= live->accounts.first_offset)
		return rc;
	return fault_set(fault, FAULT_REFUSED,
		"%s:%" PRId32 ": the log begins at offset %" PRId64
		" now, the live generation began at %" PRId64
		": --partial builds one without what is gone",
		live->log.topic, live->log.partition,
		built->accounts.first_offset, live->accounts.first_offset);
}

/* Does the live one take none of it until somebody resumes it? Who only waits
 * for the slowest goes on by itself. */
static bool is_stopped(
	const struct reader_status *status, const struct log *log)
{
	for (size_t i = 0; i < status->stop_count; i++)
		if (same_partition(status->stops[i].log, log))
			return strcmp(status->stops[i].reason, STOP_AHEAD) != 0;
	return false;
}

/* One partition's limit; how many offsets lie between, onto *behind. */
static int follow_one(struct rebuild *rebuild,
	const struct reader_status *status, size_t index, int64_t *behind,
	struct fault *fault)
{
	const struct store_partition *live = &status->partitions[index];
	const struct store_partition *built = find_built(rebuild, &live->log);
	const struct source_limit limit = {.topic = live->log.topic,
		.partition = live->log.partition,
		.next_offset = live->accounts.next_offset,
		.as_of_us = live->as_of_us,
		.stopped = is_stopped(status, &live->log)};
	if (schema_source(store_schema(rebuild->store), live->log.topic) ==
		NULL)
		return 0; /* --partial */
	int rc = built == NULL ? 0 : check_built(rebuild, live, built, fault);
	if (rc == 0)
		rc = bounded_source_limit(rebuild->source, &limit, fault);
	*behind += limit.next_offset -
		   (built != NULL ? built->accounts.next_offset
				  : live->accounts.first_offset);
	return rc;
}

static bool knows_topic(const struct reader_status *status, const char *topic)
{
	for (size_t i = 0; i < status->partition_count; i++)
		if (strcmp(status->partitions[i].log.topic, topic) == 0)
			return true;
	return false;
}

static bool is_found(const struct rebuild *rebuild, const char *topic)
{
	for (size_t i = 0; i < store_partition_count(rebuild->store); i++)
		if (strcmp(store_partition_at(rebuild->store, i)->log.topic,
			    topic) == 0)
			return true;
	return false;
}

/* Is there a topic that only the new schema takes, and that Kafka was not yet
 * heard of? */
static bool awaits_topic(
	const struct rebuild *rebuild, const struct reader_status *status)
{
	const struct schema *schema = store_schema(rebuild->store);
	if (sources_is_file(rebuild->config) ||
		rebuild_now_us() - rebuild->began_us > TOPIC_WAIT_US)
		return false;
	for (size_t i = 0; i < schema->source_count; i++) {
		const char *topic = schema->sources[i].topic;
		if (!knows_topic(status, topic) && !is_found(rebuild, topic))
			return true;
	}
	return false;
}

/* What only the new schema takes has no bound but the log's end, which is to be
 * reached before the live one stands still, not while it does. */
static int follow_new_topics(struct rebuild *rebuild,
	const struct reader_status *status, int64_t *behind,
	struct fault *fault)
{
	int rc = 0;
	if (rebuild->course == COURSE_FOLLOWS && awaits_topic(rebuild, status))
		*behind += NEAR_RECORDS + 1;
	for (size_t i = 0; rc == 0 && i < store_partition_count(rebuild->store);
		i++) {
		const struct log *log =
			&store_partition_at(rebuild->store, i)->log;
		const struct source_limit limit = {.topic = log->topic,
			.partition = log->partition,
			.next_offset = INT64_MAX,
			.as_of_us = TIMESTAMP_NONE};
		if (knows_topic(status, log->topic))
			continue;
		rc = bounded_source_limit(rebuild->source, &limit, fault);
		if (rebuild->course == COURSE_FOLLOWS &&
			!store_at_end(rebuild->store, log))
			*behind += NEAR_RECORDS + 1;
	}
	return rc;
}

static struct digest digest_of(
	const struct rebuild *rebuild, const struct reader_status *status)
{
	const char *view = rebuild->options->view;
	for (size_t i = 0; view != NULL && i < status->view_count; i++)
		if (strcmp(status->views[i].name, view) == 0)
			return status->views[i].digest;
	return status->digest;
}

/* Where the live one is bounds this one. */
static int follow(struct rebuild *rebuild, int64_t *behind, struct fault *fault)
{
	struct reader_status status = {0};
	arena_reset(&rebuild->arena);
	*behind = 0;
	int rc = rebuild_look(rebuild, fault);
	if (rc == 0)
		rc = reader_summary(
			rebuild->live, &rebuild->arena, &status, fault);
	if (rc == 0) /* all those that lie before where it was just then */
		rc = culprits_read(&rebuild->culprits, rebuild->live, fault);
	for (size_t i = 0; rc == 0 && i < status.partition_count; i++) {
		if (!rebuild->options->partial)
			rc = check_reach(rebuild, &status, i, fault);
		if (rc == 0 && !is_older(&status, i))
			rc = follow_one(rebuild, &status, i, behind, fault);
	}
	if (rc == 0)
		rc = follow_new_topics(rebuild, &status, behind, fault);
	rebuild->digest = digest_of(rebuild, &status);
	return rc;
}

static void print_bar(const char *name, int64_t behind, double share,
	double rate, double left_s)
{
	char cells[BAR_CELLS + 1];
	for (int i = 0; i < BAR_CELLS; i++)
		cells[i] = i < share * BAR_CELLS ? '#' : '.';
	cells[BAR_CELLS] = '\0';
	(void)fprintf(stderr,
		"\r%s [%s] %3.0f %%, %.0f records/s, %" PRId64
		" to go, %.0f s left \033[K%s",
		name, cells, share * 100, rate, behind, left_s,
		behind == 0 ? "\n" : "");
}

/* How far it is: on a terminal as a bar, in a log now and then. */
static void tell(struct rebuild *rebuild, int64_t behind)
{
	int64_t now_us = rebuild_now_us();
	bool bar = isatty(STDERR_FILENO) == 1;
	if (rebuild->first_behind < 0)
		rebuild->first_behind = behind;
	bool last = bar && behind == 0;
	int64_t every_us = bar ? BAR_EVERY_US : TELL_EVERY_US;
	if (!last && now_us - rebuild->told_us < every_us)
		return;
	rebuild->told_us = now_us;
	double elapsed_s = (double)(now_us - rebuild->began_us) / 1e6;
	double whole = (double)rebuild->first_behind;
	double done = whole - (double)behind;
	double rate = elapsed_s > 0 && done > 0 ? done / elapsed_s : 0;
	double left_s = rate > 0 ? (double)behind / rate : 0;
	if (bar)
		print_bar(rebuild->name, behind, whole > 0 ? done / whole : 1,
			rate, left_s);
	else
		say(SAY_INFO,
			"generation %s: %" PRId64
			" offsets behind, %.0f a second, %.0f s left",
			rebuild->name, behind, rate, left_s);
}

/* The live one's owner ended by it: this process would, too. */
static bool convicted(void *payload, const struct record *record)
{
	const struct rebuild *rebuild = payload;
	return culprits_hold(&rebuild->culprits, record);
}

/* When what the live one had taken at the last look is nearly there. */
static bool wants(void *payload)
{
	struct rebuild *rebuild = payload;
	int64_t now_us = rebuild_now_us();
	if (now_us - rebuild->wanted_us < LOOK_STANDING_US)
		return false; /* what follows is not for each record */
	rebuild->wanted_us = now_us;
	int64_t left = bounded_source_left(rebuild->source);
	bool follows = rebuild->course == COURSE_FOLLOWS;
	bool near = left <= (follows ? NEAR_RECORDS : 0);
	int64_t every_us = !near     ? LOOK_FAR_US
			   : follows ? LOOK_NEAR_US
				     : LOOK_STANDING_US;
	if (rebuild->first_behind > left && left > 0)
		tell(rebuild, left);
	return now_us - rebuild->looked_us >= every_us;
}

/* With nothing in flight. */
static int attend(void *payload, struct fault *fault)
{
	struct rebuild *rebuild = payload;
	int64_t behind = 0;
	rebuild->looked_us = rebuild_now_us();
	int rc = follow(rebuild, &behind, fault);
	if (rc == 0 && rebuild->course == COURSE_FOLLOWS &&
		behind <= NEAR_RECORDS) {
		failpoint("rebuild_near");
		rebuild->stopped_us = rebuild_now_us();
		rebuild->course = COURSE_LAST_PART;
		rc = rebuild_ask(rebuild, "switch_begin", "", fault);
		rebuild->asking_us += rebuild_now_us() - rebuild->stopped_us;
		failpoint("rebuild_stands");
		/* What it took until it stood. */
		if (rc == 0)
			rc = follow(rebuild, &behind, fault);
	}
	if (rc == 0)
		tell(rebuild, behind);
	if (rc < 0 || rebuild->course != COURSE_LAST_PART || behind > 0)
		return rc;
	rebuild->course = COURSE_THERE;
	return PIPELINE_LEAVE;
}

/* What an earlier attempt took over or found. */
static int resume_all(struct store *store, struct fault *fault)
{
	int rc = 0;
	for (size_t i = 0; rc >= 0 && i < store_partition_count(store); i++)
		rc = store_resume_partition(
			store, &store_partition_at(store, i)->log, NULL, fault);
	return rc < 0 ? rc : 0;
}

static int run(struct rebuild *rebuild, struct fault *fault)
{
	struct pipeline_options options =
		sources_pipeline_options(rebuild->config, rebuild->store);
	struct pipeline_result result = {0};
	options.source = bounded_source_of(rebuild->source);
	options.stop = signals_stop();
	options.notice = notice;
	options.convicted = convicted;
	options.wants = wants;
	options.attend = attend;
	options.payload = rebuild;
	int rc = pipeline_run(&options, &result, fault);
	/* Where nobody owns the store, asking it is to open it. */
	int64_t elapsed_us = rebuild_now_us() - rebuild->began_us;
	double elapsed_s = (double)(elapsed_us - rebuild->asking_us) / 1e6;
	if (rc == PIPELINE_LEAVE)
		say(SAY_INFO,
			"generation %s is where the live one stands: %" PRId64
			" records in %.1f s, %.0f a second",
			rebuild->name, result.tally.records, elapsed_s,
			(double)result.tally.records / elapsed_s);
	if (rc == 0)
		rc = fault_set(fault, FAULT_BUSY,
			"stopped before generation %s was complete",
			rebuild->name);
	return rc < 0 ? rc : 0;
}

int rebuild_follow(struct rebuild *rebuild, struct fault *fault)
{
	struct source *inner = NULL;
	const struct sources_options from = {.config = rebuild->config,
		.store = rebuild->store,
		.group_suffix = "-rebuild"};
	rebuild->course = COURSE_FOLLOWS;
	rebuild->began_us = rebuild->told_us = rebuild_now_us();
	rebuild->looked_us = rebuild->wanted_us = rebuild->asking_us = 0;
	rebuild->first_behind = -1;
	int rc = resume_all(rebuild->store, fault);
	if (rc == 0)
		rc = sources_open(&inner, &from, fault);
	if (rc == 0)
		rc = bounded_source_open(&rebuild->source, inner, fault);
	if (rc < 0)
		return rc;
	rc = run(rebuild, fault);
	source_close(bounded_source_of(rebuild->source));
	rebuild->source = NULL;
	return rc;
}
