/* holdfast why: where an entity's features are from, and what acts on them. */
#include "ingest/command/why.h"
#include "ingest/command/command.h"
#include "ingest/command/entity.h"
#include "ingest/command/reading.h"
#include "ingest/command/replay_range.h"
#include "ingest/command/say.h"
#include "ingest/command/signals.h"
#include "ingest/command/sources.h"
#include "schema/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Around what set the row, as far as --log reads without --from and --to: on
 * Kafka so many records, some seconds' reading; of a file bytes. */
#define AROUND_OFFSETS 100000
#define AROUND_BYTES INT64_C(50000000)

struct why_options {
	bool log;
	char *topic, *from, *to;
};

static const struct field fields[] = {
	{"log", FIELD_FLAG, offsetof(struct why_options, log), NULL, 0, 0, NULL,
		"also read the log: its events, and why some lost"},
	{"topic", FIELD_TEXT, offsetof(struct why_options, topic), NULL, 0, 0,
		"TOPIC[:PARTITION]",
		"of this log; else that of the newest version"},
	{"from", FIELD_TEXT, offsetof(struct why_options, from), NULL, 0, 0,
		"WHERE",
		"from an offset, a record's timestamp, or beginning; else from "
		"somewhat before the row's versions"},
	{"to", FIELD_TEXT, offsetof(struct why_options, to), NULL, 0, 0,
		"WHERE", "likewise, or end; else somewhat behind them"},
};

static const struct options_spec spec = {
	.usage = "why VIEW[:FEATURE] KEY… [--log [--topic TOPIC] [--from "
		 "WHERE] [--to WHERE]]",
	.summary =
		"Says of each feature which update won: its event time, its "
		"record's place and timestamp, and whether its\nkey is "
		"still held; the newest delete; the view's terms and holds; "
		"letters of the entity. With --log the\nevents of the entity "
		"in a range of the log, and why each of them won or lost. "
		"Changes nothing. Exit\nstatus 1 where there is no such "
		"entity.",
	.fields = fields,
	.field_count = sizeof fields / sizeof fields[0],
	.arguments_min = 2,
	.arguments_max = 1 + SCHEMA_KEYS_MAX,
	.configured = true,
	.json = true,
};

struct command {
	struct reading *reading;
	const struct why_options *own;
	struct why why;
	struct value entity[SCHEMA_KEYS_MAX];
	struct trace *trace;
	struct arena scratch;
	bool first; /* event of the log */
};

static int no_memory(struct fault *fault)
{
	return fault_set(fault, FAULT_OOM, "out of memory");
}

/* "route" or "route:flights". */
static int parse_target(
	struct command *command, const char *target, struct fault *fault)
{
	struct why *why = &command->why;
	char view[SCHEMA_NAME_MAX + 1] = "";
	size_t length = strcspn(target, ":");
	if (length < sizeof view)
		memcpy(view, target, length);
	int rc = entity_find_view(reader_schema(command->reading->reader),
		length < sizeof view ? view : target, &why->view, fault);
	if (rc < 0)
		return rc;
	why->feature = why->view->feature_count;
	if (target[length] == '\0')
		return 0;
	int feature = view_feature(why->view, slice_of(target + length + 1));
	if (feature < 0)
		return fault_set(fault, FAULT_USAGE,
			"view %s has no feature \"%s\"", view,
			target + length + 1);
	why->feature = (size_t)feature;
	return 0;
}

static int parse(struct command *command, struct fault *fault)
{
	const struct options *options = &command->reading->options;
	int rc = parse_target(command, options->arguments[0], fault);
	if (rc == 0)
		rc = entity_parse(command->why.view, options->arguments + 1,
			options->argument_count - 1, command->entity, fault);
	command->why.entity = command->entity;
	return rc;
}

/* The versions that won, and when their records came. */
static int find_keys(struct command *command, struct fault *fault)
{
	struct why *why = &command->why;
	size_t count = why->view->feature_count;
	why->keys = arena_take(
		&command->reading->arena, (count + 1) * sizeof *why->keys);
	if (why->keys == NULL)
		return no_memory(fault);
	for (size_t i = 0; i < count; i++)
		if (why_wants(why, i) &&
			why->row.cells[i].value.state != VALUE_UNSET)
			why->keys[why->key_count++].version =
				why->row.cells[i].version;
	if (why->row.has_floor)
		why->keys[why->key_count++].version = why->row.floor;
	return trace_find_keys(
		command->trace, why->keys, why->key_count, fault);
}

static int find_row(struct command *command, struct fault *fault)
{
	struct why *why = &command->why;
	struct reading *reading = command->reading;
	int rc = reader_get(reading->reader, why->view, why->entity,
		&reading->arena, &why->row, fault);
	if (rc < 0)
		return rc;
	why->found = rc == 1;
	why->generation = reader_generation(reading->reader);
	return find_keys(command, fault);
}

/* Those on its view, and on the feature that is asked for. */
static bool acts(const struct why *why, const char *target)
{
	size_t length = strcspn(target, ":");
	if (!slice_equal(
		    (struct slice){target, length}, slice_of(why->view->name)))
		return false;
	if (target[length] == '\0')
		return true;
	int feature = view_feature(why->view, slice_of(target + length + 1));
	return feature >= 0 && why_wants(why, (size_t)feature);
}

static int find_holds(struct command *command, struct fault *fault)
{
	struct why *why = &command->why;
	struct arena *arena = &command->reading->arena;
	struct reader_status status;
	int rc =
		reader_summary(command->reading->reader, arena, &status, fault);
	if (rc < 0)
		return rc;
	struct reader_hold *holds =
		arena_take(arena, (status.hold_count + 1) * sizeof *holds);
	if (holds == NULL)
		return no_memory(fault);
	for (size_t i = 0; i < status.hold_count; i++)
		if (acts(why, status.holds[i].target))
			holds[why->hold_count++] = status.holds[i];
	why->holds = holds;
	return 0;
}

static bool is_it(const struct why *why, const struct update *update)
{
	/* Keys behind one that is at fault were not looked at. */
	if (update->view != why->view || update->entity == NULL ||
		update->reason == REASON_MISSING_ENTITY ||
		update->reason == REASON_BAD_ENTITY)
		return false;
	for (size_t i = 0; i < why->view->key_count; i++)
		if (!value_equal(why->view->keys[i].type.kind,
			    &update->entity[i], &why->entity[i]))
			return false;
	return true;
}

static struct decoder decoder_of(const struct command *command)
{
	const struct config_ingest *ingest = &command->reading->config.ingest;
	struct decoder decoder = {
		.schema = reader_schema(command->reading->reader),
		.value_bytes_max = (size_t)ingest->value_bytes_max,
		.depth_max = (uint32_t)ingest->depth_max,
		.max_skew_us = ingest->max_skew_us,
	};
	memcpy(decoder.secret, trace_secret(command->trace), SECRET_BYTES);
	return decoder;
}

/* 1: the letter is of the entity. */
static int is_of(struct command *command, const struct letter_whole *one,
	struct fault *fault)
{
	struct decoder decoder = decoder_of(command);
	const char *topic = one->record.log->topic;
	const struct source_schema *source =
		schema_source(decoder.schema, topic);
	struct decoded decoded = {0};
	int rc = 0;
	if (one->letter.reason == REASON_CRASH_LOOP)
		return 0; /* decoding it would end this process, too */
	if (load_is_topic(topic))
		rc = load_decode(&decoder, &one->record, &command->scratch,
			&decoded, fault);
	else if (source != NULL)
		rc = decode_record(&decoder, source, &one->record,
			&command->scratch, &decoded, fault);
	for (size_t i = 0; rc == 0 && i < decoded.update_count; i++)
		if (decoded.updates[i].place == one->letter.place &&
			is_it(&command->why, &decoded.updates[i]))
			return 1;
	return rc;
}

static int keep_letter(struct command *command, const struct letter_whole *one,
	struct fault *fault)
{
	struct why *why = &command->why;
	if (why->letter_count == WHY_LETTERS_MAX) {
		why->letters_more++;
		return 0;
	}
	if (why->letters == NULL)
		why->letters = arena_take(&command->reading->arena,
			WHY_LETTERS_MAX * sizeof *why->letters);
	if (why->letters == NULL)
		return no_memory(fault);
	why->letters[why->letter_count++] = *one;
	return 0;
}

/* Letters of one kind, page by page; what is kept of them outlives a page but
 * for texts. */
static int find_letters(
	struct command *command, enum letter_kind kind, struct fault *fault)
{
	struct letter_whole page[LETTER_PAGE_MAX];
	struct arena arena = ARENA_INIT;
	struct letter_filter filter = {.kind = kind,
		.since_us = TIMESTAMP_NONE,
		.until_us = TIMESTAMP_NONE};
	int count;
	int rc = 0;
	do {
		arena_reset(&arena);
		count = reader_letters(command->reading->reader, &filter,
			&arena, page, LETTER_PAGE_MAX, fault);
		rc = count < 0 ? count : 0;
		for (int i = 0; rc >= 0 && i < count; i++) {
			arena_reset(&command->scratch);
			command->why.letters_whole += !page[i].letter.has_key;
			rc = is_of(command, &page[i], fault);
			if (rc == 1)
				rc = keep_letter(command, &page[i], fault);
			filter.after_id = page[i].letter.id;
		}
	} while (rc >= 0 && count > 0);
	arena_finish(&arena);
	return rc;
}

static int gather(struct command *command, struct fault *fault)
{
	int rc = find_row(command, fault);
	if (rc == 0)
		rc = find_holds(command, fault);
	if (rc == 0)
		rc = find_letters(command, LETTER_DEAD, fault);
	if (rc == 0)
		rc = find_letters(command, LETTER_PARKED, fault);
	return rc;
}

static bool touches(const struct why *why, const struct update *update)
{
	if (update->operation != OPERATION_UPSERT)
		return true;
	for (size_t i = 0; i < update->assignment_count; i++)
		if (why_wants(why, update->assignments[i].feature))
			return true;
	return false;
}

static bool wants(void *payload, const struct update *update)
{
	const struct command *command = payload;
	return is_it(&command->why, update) &&
	       (update->reason != REASON_NONE ||
		       touches(&command->why, update));
}

static void told(void *payload, const struct replay_update *update)
{
	struct command *command = payload;
	why_print_event(&command->why, update, command->reading->options.json,
		command->first);
	command->first = false;
}

static void notice(void *payload, const char *text)
{
	(void)payload;
	say(SAY_WARNING, "%s", text);
}

/* Files that were loaded are no logs; and of a topic that was created anew only
 * the newest can be read. */
static bool can_be_read(
	const struct command *command, const struct version *version)
{
	const struct log *log = version->log;
	const struct store_partition *partition =
		trace_partition(command->trace, log->topic, log->partition);
	return !load_is_topic(log->topic) && partition != NULL &&
	       partition->log.id == log->id;
}

/* The log of the newest version, around what set the row; NULL: none. */
static const struct version *newest(const struct command *command)
{
	const struct why *why = &command->why;
	const struct version *found = NULL;
	for (size_t i = 0; i < why->key_count; i++) {
		const struct version *one = &why->keys[i].version;
		if (can_be_read(command, one) &&
			(found == NULL || version_compare(one, found) > 0))
			found = one;
	}
	return found;
}

static void look_around(struct command *command, struct replay_range *range)
{
	const struct why *why = &command->why;
	const struct version *at = newest(command);
	int64_t around = sources_is_file(&command->reading->config)
				 ? AROUND_BYTES
				 : AROUND_OFFSETS;
	int64_t first = INT64_MAX, last = 0;
	for (size_t i = 0; i < why->key_count; i++) {
		const struct version *version = &why->keys[i].version;
		if (version->log != at->log)
			continue;
		first = version->offset < first ? version->offset : first;
		last = version->offset > last ? version->offset : last;
	}
	if (command->own->from == NULL)
		range->from_offset = first > around ? first - around : 0;
	if (command->own->to == NULL)
		range->to_offset = last + around;
}

/* What is given, or around the row; where there is none, all. */
static int find_range(struct command *command, struct replay_range *range,
	struct fault *fault)
{
	const struct why_options *own = command->own;
	const struct version *at = newest(command);
	char target[320] = "";
	bool around = own->topic == NULL && at != NULL;
	if (around)
		(void)snprintf(target, sizeof target, "%.250s:%d",
			at->log->topic, (int)at->log->partition);
	else if (own->topic != NULL)
		(void)snprintf(target, sizeof target, "%.310s", own->topic);
	int rc = replay_range_parse(range, target[0] == '\0' ? NULL : target,
		&(struct replay_bounds){own->from, own->to}, command->reading,
		fault);
	if (rc == 0 && around)
		look_around(command, range);
	return rc;
}

static int read_log(struct command *command, struct fault *fault)
{
	struct replay_range range;
	struct replay_options options = replay_options_default();
	struct source *source = NULL;
	struct replay *replay = NULL;
	int rc = find_range(command, &range, fault);
	if (rc == 0)
		rc = replay_range_open(
			&source, &range, command->reading, fault);
	replay_range_options(&range, command->reading, &options);
	options.source = source;
	options.stop = signals_stop();
	options.wants = wants;
	options.told = told;
	options.notice = notice;
	options.payload = command;
	command->first = true;
	if (rc == 0)
		rc = replay_open(&replay, &options, NULL, fault);
	if (rc == 0)
		rc = replay_run(replay, fault);
	replay_close(replay);
	source_close(source);
	return rc;
}

static int tell(struct command *command, struct fault *fault)
{
	bool json = command->reading->options.json;
	if (json)
		why_print_json(&command->why);
	else
		why_print(&command->why);
	int rc = REPLAY_DONE;
	if (command->own->log) {
		fputs(json ? ", \"log\": [" : "\n", stdout);
		rc = read_log(command, fault);
		fputs(json ? "]" : "", stdout);
	}
	fputs(json ? "}\n" : "", stdout);
	if (rc < 0)
		return rc;
	if (rc != REPLAY_DONE)
		return rc == REPLAY_STOPPED ? STATUS_FAILED : STATUS_REFUSED;
	return command->why.found ? STATUS_GOOD : STATUS_FAILED;
}

static int answer(struct reading *reading, struct fault *fault)
{
	struct command command = {.reading = reading,
		.own = reading->options.own,
		.scratch = ARENA_INIT};
	const struct trace_options options = {
		reading->config.store.key_window_us,
		(uint64_t)reading->config.store.key_window_keys};
	int rc = parse(&command, fault);
	if (rc == 0)
		rc = signals_install(fault);
	if (rc == 0)
		rc = trace_open(
			&command.trace, reading->reader, &options, fault);
	if (rc == 0)
		rc = gather(&command, fault);
	if (rc == 0)
		rc = tell(&command, fault);
	trace_close(command.trace);
	arena_finish(&command.scratch);
	return rc;
}

int command_why(int argc, char **argv)
{
	struct why_options own = {0};
	return reading_run(&spec, &own, argc, argv, answer);
}
