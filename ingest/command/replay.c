/* holdfast replay: does the store hold what the log says? */
#include "ingest/command/replay.h"
#include "ingest/command/command.h"
#include "ingest/command/proof_text.h"
#include "ingest/command/replay_cursor.h"
#include "ingest/command/replay_range.h"
#include "ingest/command/say.h"
#include "ingest/command/signals.h"
#include "ingest/command/table.h"
#include "ingest/command/value_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIST_MAX 1000 /* lines for people; programs get all */
#define BAR_EVERY_US 200000
#define CURSOR_EVERY_US 10000000 /* so much is read twice after SIGKILL */
#define QUESTION_BYTES 1024

static const struct field fields[] = {
	{"from", FIELD_TEXT, offsetof(struct replay_request, from), "beginning",
		0, 0, "WHERE",
		"an offset, a record's timestamp (RFC 3339), or beginning"},
	{"to", FIELD_TEXT, offsetof(struct replay_request, to), "end", 0, 0,
		"WHERE", "likewise, and not further; or end"},
	{"list", FIELD_TEXT, offsetof(struct replay_request, list),
		"missing,unproven", 0, 0, "ANSWER,…",
		"show the updates with these answers; all, none"},
	{"anew", FIELD_FLAG, offsetof(struct replay_request, anew), NULL, 0, 0,
		NULL, "don't go on where the same replay was interrupted"},
	{"file", FIELD_TEXT, offsetof(struct replay_request, file), NULL, 0, 0,
		"FILE",
		"read this NDJSON file, as that TOPIC, instead of Kafka"},
};

static const struct options_spec spec = {
	.usage = "replay [TOPIC[:PARTITION]] [--from WHERE] [--to WHERE] "
		 "[--list ANSWER,…] [--file FILE]",
	.summary =
		"Reads a range of the log again and says of each update what "
		"the store holds of it: applied,\nsuperseded by something "
		"newer, duplicate, parked, dead; held, where it is older than "
		"the key window\nand the row has it or something newer; "
		"ahead, where it is not taken yet; or missing, and why; or "
		"unproven, where what would tell is gone.\n"
		"Changes nothing, in the store or in Kafka, and runs beside "
		"the service. Interrupted, the same command\ngoes on where it "
		"was: that stands in " REPLAY_CURSOR_NAME
		" beside the store. Exit status 3 where updates are missing.",
	.fields = fields,
	.field_count = sizeof fields / sizeof fields[0],
	.arguments_max = 1,
	.configured = true,
	.json = true,
};

struct command {
	struct reading *reading;
	const struct replay_request *request;
	struct replay_range range;
	bool listed[PROOF_ANSWER_COUNT];
	char question[QUESTION_BYTES];
	struct replay *replay;
	struct replay_cursor cursor; /* where it goes on */
	int64_t shown;		     /* lines for people */
	bool bar;		     /* stderr is a terminal */
	int64_t began_us, bar_us, cursor_us;
	int64_t records_before; /* of an interrupted run */
};

static int64_t now_us(void)
{
	struct clock *clock = clock_system();
	return clock->monotonic_us(clock);
}

static int parse_list(
	const char *text, bool listed[PROOF_ANSWER_COUNT], struct fault *fault)
{
	while (*text != '\0') {
		struct slice word = {text, strcspn(text, ",")};
		enum proof_answer answer;
		bool all = slice_equal(word, slice_of("all"));
		for (int i = 0; all && i < PROOF_ANSWER_COUNT; i++)
			listed[i] = true;
		if (proof_answer_parse(word, &answer))
			listed[answer] = true;
		else if (!all && !slice_equal(word, slice_of("none")))
			return fault_set(fault, FAULT_USAGE,
				"--list: there is no answer \"%.*s\": give "
				"applied, superseded, duplicate, parked, dead, "
				"held, ahead, missing, unproven, all or none",
				(int)word.length, word.data);
		text += word.length;
		text += *text == ',';
	}
	return 0;
}

static void clear_bar(const struct command *command)
{
	if (command->bar)
		fputs("\r\033[K", stderr);
}

static void told(void *payload, const struct replay_update *update)
{
	struct command *command = payload;
	bool json = command->reading->options.json;
	if (!command->listed[update->proof.answer])
		return;
	if (json) {
		proof_print_json(update, stdout);
		fputs("}\n", stdout);
		return;
	}
	if (command->shown == LIST_MAX)
		printf("… and more: --json shows all\n");
	if (command->shown++ >= LIST_MAX)
		return;
	clear_bar(command);
	proof_print(update, stdout);
}

static void notice(void *payload, const char *text)
{
	const struct command *command = payload;
	clear_bar(command);
	say(SAY_WARNING, "%s", text);
}

static void draw_bar(
	const struct command *command, int64_t done, int64_t total, int64_t us)
{
	enum { WIDTH = 30 };
	const struct replay_tally *tally = replay_tally(command->replay);
	double share = total > 0 ? (double)done / (double)total : 0;
	double seconds = (double)(us - command->began_us) / 1e6;
	double left = share > 0 ? seconds * (1 - share) / share : 0;
	int filled = (int)(share * WIDTH);
	double rate =
		seconds > 0
			? (double)(tally->records - command->records_before) /
				  seconds
			: 0;
	fprintf(stderr,
		"\r\033[K[%.*s%*s] %3.0f %%  %.0f records/s  %.0f s left  "
		"%" PRId64 " missing",
		filled, "##############################", WIDTH - filled, "",
		share * 100, rate, left, tally->answers[PROOF_MISSING]);
}

static void keep_cursor(struct command *command)
{
	struct fault fault = {0};
	if (replay_cursor_write(command->replay, &command->cursor,
		    command->reading->config.store.path, command->question,
		    &fault) < 0)
		say(SAY_WARNING, "interrupted, this begins again: %s",
			fault.text);
}

static void progress(void *payload, int64_t done, int64_t total)
{
	struct command *command = payload;
	int64_t us = now_us();
	if (us - command->cursor_us >= CURSOR_EVERY_US) {
		command->cursor_us = us;
		keep_cursor(command);
	}
	if (!command->bar || us - command->bar_us < BAR_EVERY_US)
		return;
	command->bar_us = us;
	draw_bar(command, done, total, us);
}

static int tell_people(const struct command *command,
	const struct replay_tally *tally, struct fault *fault)
{
	static const struct column columns[] = {
		{"answer", false}, {"updates", true}};
	struct table *table = table_new(columns, 2);
	for (int i = 0; table != NULL && i < PROOF_ANSWER_COUNT; i++) {
		table_add(table, "%s", proof_answer_name((enum proof_answer)i));
		table_add(table, "%" PRId64, tally->answers[i]);
	}
	if (command->shown > 0)
		fputs("\n", stdout);
	double seconds = (double)(now_us() - command->began_us) / 1e6;
	int64_t judged = tally->records - command->records_before;
	bool printed = table != NULL && table_print(table, stdout);
	table_free(table);
	printf("\n%" PRId64 " records (%.0f a second), %" PRId64
	       " without an update; %" PRId64 " updates\n",
		tally->records, seconds > 0 ? (double)judged / seconds : 0,
		tally->skipped, tally->updates);
	return printed ? 0 : fault_set(fault, FAULT_OOM, "out of memory");
}

static void tell_programs(const struct replay_tally *tally, int outcome)
{
	printf("{\"records\": %" PRId64 ", \"skipped\": %" PRId64
	       ", \"updates\": %" PRId64 ", \"answers\": {",
		tally->records, tally->skipped, tally->updates);
	for (int i = 0; i < PROOF_ANSWER_COUNT; i++)
		printf("%s\"%s\": %" PRId64, i == 0 ? "" : ", ",
			proof_answer_name((enum proof_answer)i),
			tally->answers[i]);
	printf("}, \"whole\": %s}\n",
		outcome == REPLAY_DONE ? "true" : "false");
}

static void tell_missing(const struct replay_tally *tally, int outcome)
{
	printf("%" PRId64 " missing", tally->answers[PROOF_MISSING]);
	if (tally->answers[PROOF_UNPROVEN] > 0)
		printf(", %" PRId64 " of which it can't be said",
			tally->answers[PROOF_UNPROVEN]);
	puts(outcome == REPLAY_PARTLY ? ", but not all could be read: see above"
				      : "");
}

/* The last line says what there is to know. */
static int tell_end(struct command *command, int outcome, struct fault *fault)
{
	const struct replay_tally *tally = replay_tally(command->replay);
	int64_t missing = tally->answers[PROOF_MISSING];
	bool json = command->reading->options.json;
	int rc = 0;
	clear_bar(command);
	if (!reader_is_current(command->reading->reader))
		say(SAY_WARNING,
			"another generation took the place of %s meanwhile: "
			"all this was said of that one",
			reader_generation(command->reading->reader));
	if (json)
		tell_programs(tally, outcome);
	else
		rc = tell_people(command, tally, fault);
	if (rc < 0)
		return rc;
	if (outcome == REPLAY_STOPPED) {
		keep_cursor(command);
		return fault_set(fault, FAULT_IO,
			"interrupted, with %" PRId64
			" missing so far: the same command goes on where it "
			"was",
			missing);
	}
	replay_cursor_remove(command->reading->config.store.path);
	if (!json)
		tell_missing(tally, outcome);
	if (missing > 0)
		return STATUS_WRONG;
	return outcome == REPLAY_PARTLY ? STATUS_REFUSED : STATUS_GOOD;
}

static void go_on(struct command *command)
{
	struct replay_cursor *cursor = &command->cursor;
	const char *directory = command->reading->config.store.path;
	*cursor = (struct replay_cursor){0};
	if (command->request->anew)
		return;
	if (replay_cursor_read(cursor, directory, command->question) == 1)
		say(SAY_INFO,
			"going on where it was interrupted, behind %" PRId64
			" records (--anew begins again)",
			cursor->before.tally.records);
	command->records_before = cursor->before.tally.records;
}

static int run(
	struct command *command, struct source *source, struct fault *fault)
{
	const struct replay_cursor *cursor = &command->cursor;
	struct replay_options options = replay_options_default();
	go_on(command);
	replay_range_options(&command->range, command->reading, &options);
	options.source = source;
	options.places = cursor->places;
	options.place_count = cursor->count;
	options.stop = signals_stop();
	options.told = told;
	options.progress = progress;
	options.notice = notice;
	options.payload = command;
	int rc =
		replay_open(&command->replay, &options, &cursor->before, fault);
	command->began_us = command->cursor_us = now_us();
	if (rc == 0)
		rc = replay_run(command->replay, fault);
	if (rc >= 0)
		rc = tell_end(command, rc, fault);
	else
		clear_bar(command);
	replay_close(command->replay);
	replay_cursor_finish(&command->cursor);
	return rc;
}

/* What is asked: an interrupted replay goes on only with the same. */
static int phrase(struct command *command, struct fault *fault)
{
	const struct reading *reading = command->reading;
	const struct replay_request *request = command->request;
	const char *file = reading->config.file.path;
	int length = snprintf(command->question, QUESTION_BYTES,
		"%s %s of %s, %s from %s to %s",
		reader_store_id(reading->reader),
		reader_generation(reading->reader),
		file == NULL ? "Kafka" : file,
		request->target == NULL ? "all" : request->target,
		request->from == NULL ? "beginning" : request->from,
		request->to == NULL ? "end" : request->to);
	return length > 0 && length < QUESTION_BYTES
		       ? 0
		       : fault_set(fault, FAULT_USAGE, "too long a question");
}

/* `--file FILE TOPIC` is file.path and file.topic. */
static int take_file(struct reading *reading,
	const struct replay_request *request, struct fault *fault)
{
	struct config_file *file = &reading->config.file;
	if (request->file == NULL)
		return 0;
	if (request->target == NULL)
		return fault_set(fault, FAULT_USAGE,
			"--file needs the TOPIC whose records it holds");
	free(file->path);
	free(file->topic);
	file->path = strdup(request->file);
	file->topic = strdup(request->target);
	return file->path != NULL && file->topic != NULL
		       ? 0
		       : fault_set(fault, FAULT_OOM, "out of memory");
}

static int prepare(struct command *command, struct fault *fault)
{
	const struct replay_request *request = command->request;
	int rc = parse_list(request->list, command->listed, fault);
	if (rc == 0)
		rc = take_file(command->reading, request, fault);
	if (rc == 0)
		rc = replay_range_parse(&command->range, request->target,
			&(struct replay_bounds){request->from, request->to},
			command->reading, fault);
	if (rc == 0)
		rc = phrase(command, fault);
	return rc < 0 ? rc : signals_install(fault);
}

int replay_answer(struct reading *reading, const struct replay_request *request,
	struct fault *fault)
{
	struct command command = {.reading = reading,
		.request = request,
		.bar = isatty(STDERR_FILENO) != 0};
	struct source *source = NULL;
	int rc = prepare(&command, fault);
	if (rc == 0)
		rc = replay_range_open(&source, &command.range, reading, fault);
	if (rc == 0)
		rc = run(&command, source, fault);
	source_close(source);
	return rc;
}

static int answer(struct reading *reading, struct fault *fault)
{
	struct replay_request *request = reading->options.own;
	if (reading->options.argument_count > 0)
		request->target = reading->options.arguments[0];
	return replay_answer(reading, request, fault);
}

int command_replay(int argc, char **argv)
{
	struct replay_request own = {0};
	return reading_run(&spec, &own, argc, argv, answer);
}
