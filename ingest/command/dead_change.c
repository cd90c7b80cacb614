/* holdfast dead retry, drop: asks the store's owner, some thousand letters at a
 * time. */
#include "ingest/command/command.h"
#include "ingest/command/control_client.h"
#include "ingest/command/dead.h"
#include "ingest/command/reading.h"
#include "ingest/command/say.h"
#include "ingest/command/table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A letter, and where in its log it came. */
struct place {
	int64_t id, offset;
	uint32_t log, place;
};

/* A change under way. */
struct change {
	const char *action;
	struct options options;
	struct dead_options own;
	struct config config;
	struct place *letters; /* owned; letters[0..count), in log order */
	size_t count, capacity;
	json_t *results; /* an array */
	int64_t dropped;
};

/* All of them would be a slip of the hand. */
static int check(const struct change *change, struct fault *fault)
{
	const struct dead_options *own = &change->own;
	bool some = own->reason != NULL || own->view != NULL ||
		    own->topic != NULL || own->since_us != 0 ||
		    own->until_us != 0 || own->ids.count > 0;
	if (some != own->all)
		return 0;
	return fault_set(fault, FAULT_USAGE,
		some ? "--all goes with no other choice of letters"
		     : "say which letters: --id, --reason, --view, --topic, "
		       "--since, --until, or --all");
}

static int note_letters(struct change *change,
	const struct letter_whole *letters, size_t count, struct fault *fault)
{
	if (change->count + count > change->capacity) {
		size_t capacity = 2 * (change->count + count);
		struct place *larger =
			realloc(change->letters, capacity * sizeof *larger);
		if (larger == NULL)
			return fault_set(
				fault, FAULT_OOM, "no memory for letters");
		change->letters = larger;
		change->capacity = capacity;
	}
	for (size_t i = 0; i < count; i++)
		change->letters[change->count++] = (struct place){
			letters[i].letter.id, letters[i].record.offset,
			letters[i].record.log->id, letters[i].letter.place};
	return 0;
}

/* A delete that is retried behind what followed it would be refused. */
static int log_order(const void *left, const void *right)
{
	const struct place *a = left, *b = right;
	if (a->log != b->log)
		return a->log < b->log ? -1 : 1;
	if (a->offset != b->offset)
		return a->offset < b->offset ? -1 : 1;
	if (a->place != b->place)
		return a->place < b->place ? -1 : 1;
	return a->id < b->id ? -1 : a->id > b->id;
}

static int find_pages(struct change *change, struct reader *reader,
	struct letter_filter *filter, struct fault *fault)
{
	struct letter_whole letters[LETTER_PAGE_MAX];
	struct arena arena = ARENA_INIT;
	int rc = 1;
	while (rc > 0) {
		arena_reset(&arena);
		rc = reader_letters(reader, filter, &arena, letters,
			LETTER_PAGE_MAX, fault);
		if (rc <= 0)
			break;
		filter->after_id = letters[rc - 1].letter.id;
		if (note_letters(change, letters, (size_t)rc, fault) < 0)
			rc = FAULT_OOM;
	}
	arena_finish(&arena);
	if (change->count > 0)
		qsort(change->letters, change->count, sizeof *change->letters,
			log_order);
	return rc;
}

/* The letters that fit. The reader is closed before the store may be opened for
 * writing in this very process: its start reads the file behind SQLite's back.
 */
static int find(struct change *change, struct fault *fault)
{
	struct letter_filter filter;
	int64_t ids[TEXTS_MAX];
	struct reader *reader = NULL;
	const struct config_store *store = &change->config.store;
	int rc = dead_filter(&change->own, ids, &filter, fault);
	if (rc == 0)
		rc = reading_needs_store(&change->config, fault);
	if (rc == 0)
		rc = reader_open(&reader, store->path,
			(uint32_t)(store->busy_timeout_us / 1000), fault);
	if (rc == 0)
		rc = find_pages(change, reader, &filter, fault);
	reader_close(reader);
	return rc;
}

static json_t *arguments_of(
	const struct change *change, size_t first, size_t count)
{
	const struct dead_options *own = &change->own;
	json_t *ids = json_array();
	for (size_t i = 0; i < count; i++)
		(void)json_array_append_new(
			ids, json_integer(change->letters[first + i].id));
	return json_pack("{s:o, s:b, s:b, s:b, s:s}", "ids", ids, "parked",
		own->parked, "dry_run", own->dry_run, "force", own->force,
		"because", own->because == NULL ? "" : own->because);
}

static int ask_portion(struct change *change, struct control_session *session,
	size_t first, size_t count, struct fault *fault)
{
	json_t *arguments = arguments_of(change, first, count);
	json_t *reply = NULL;
	if (arguments == NULL)
		return fault_set(fault, FAULT_USAGE,
			"out of memory, or --because is no UTF-8 text");
	int rc = control_session_ask(
		session, change->action, arguments, &reply, fault);
	json_decref(arguments);
	if (rc < 0)
		return rc;
	change->dropped +=
		json_integer_value(json_object_get(reply, "dropped"));
	json_t *results = json_object_get(reply, "results");
	if (results != NULL && json_array_extend(change->results, results) < 0)
		rc = fault_set(fault, FAULT_OOM, "no memory for the answer");
	json_decref(reply);
	return rc;
}

static int ask(struct change *change, struct fault *fault)
{
	struct control_session *session = NULL;
	int rc = control_session_open(&session, &change->config, fault);
	for (size_t at = 0; rc == 0 && at < change->count;) {
		size_t left = change->count - at;
		size_t count = left < DEAD_AT_ONCE ? left : DEAD_AT_ONCE;
		rc = ask_portion(change, session, at, count, fault);
		at += count;
	}
	control_session_close(session);
	return rc;
}

static const char *text_of(const json_t *result, const char *name)
{
	const char *text = json_string_value(json_object_get(result, name));
	return text == NULL ? "" : text;
}

/* How many came to the same: {"applied": 3, "still broken (bad_json)": 1}. */
static json_t *count_results(const json_t *results)
{
	json_t *counts = json_object();
	for (size_t i = 0; i < json_array_size(results); i++) {
		const json_t *one = json_array_get(results, i);
		char name[128];
		const char *reason = text_of(one, "reason");
		(void)snprintf(name, sizeof name, "%s%s%s%s",
			text_of(one, "fate"), reason[0] == '\0' ? "" : " (",
			reason, reason[0] == '\0' ? "" : ")");
		json_int_t count =
			json_integer_value(json_object_get(counts, name));
		(void)json_object_set_new(
			counts, name, json_integer(count + 1));
	}
	return counts;
}

static void tell_retried(const struct change *change)
{
	json_t *counts = count_results(change->results);
	if (change->options.json) {
		json_t *all = json_pack("{s:b, s:O, s:O}", "dry_run",
			change->own.dry_run, "letters", change->results,
			"counts", counts);
		(void)json_dumpf(all, stdout, 0);
		fputc('\n', stdout);
		json_decref(all);
		json_decref(counts);
		return;
	}
	for (size_t i = 0; i < json_array_size(change->results); i++) {
		const json_t *one = json_array_get(change->results, i);
		printf("%8" PRId64 "  %s%s%s\n",
			(int64_t)json_integer_value(json_object_get(one, "id")),
			text_of(one, "fate"),
			text_of(one, "reason")[0] == '\0' ? "" : ": ",
			text_of(one, "reason"));
	}
	const char *name;
	json_t *count;
	printf("%s%zu letters\n", change->own.dry_run ? "if retried: " : "",
		json_array_size(change->results));
	json_object_foreach(counts, name, count) printf("  %-8" PRId64 " %s\n",
		(int64_t)json_integer_value(count), name);
	json_decref(counts);
}

static void tell_dropped(const struct change *change)
{
	if (change->options.json)
		printf("{\"dry_run\": %s, \"dropped\": %" PRId64 "}\n",
			change->own.dry_run ? "true" : "false",
			change->own.dry_run ? (int64_t)change->count
					    : change->dropped);
	else if (change->own.dry_run)
		printf("%zu dead letters would be acknowledged\n",
			change->count);
	else
		printf("%" PRId64 " dead letters acknowledged: they leave "
		       "after ingest.dead_keep\n",
			change->dropped);
}

static int run(struct change *change, const struct options_spec *spec, int argc,
	char **argv)
{
	struct fault fault = {0};
	bool drops = strcmp(change->action, "dead_drop") == 0;
	change->results = json_array();
	int rc = options_parse(
		&change->options, spec, &change->own, argc, argv, &fault);
	bool helped = rc == OPTIONS_HELPED;
	if (rc == OPTIONS_GO)
		rc = check(change, &fault);
	if (rc == 0)
		rc = options_config(&change->options, &change->config, &fault);
	if (rc == 0)
		rc = find(change, &fault);
	if (rc == 0 && !(drops && change->own.dry_run))
		rc = ask(change, &fault);
	if (rc == 0 && drops)
		tell_dropped(change);
	else if (rc == 0)
		tell_retried(change);
	json_decref(change->results);
	free(change->letters);
	config_finish(&change->config);
	options_finish(&change->options);
	if (rc < 0)
		return say_fault(&fault);
	return helped ? STATUS_GOOD : rc;
}

#define ALL_FIELD                                                              \
	{                                                                      \
		"all", FIELD_FLAG, offsetof(struct dead_options, all), NULL,   \
			0, 0, NULL, "every one"                                \
	}
#define DRY_RUN_FIELD                                                          \
	{                                                                      \
		"dry-run", FIELD_FLAG, offsetof(struct dead_options, dry_run), \
			NULL, 0, 0, NULL,                                      \
			"say what would happen, change "                       \
			"nothing"                                              \
	}

int dead_retry(int argc, char **argv)
{
	static const struct field fields[] = {
		DEAD_PARKED_FIELD,
		DEAD_FILTER_FIELDS,
		ALL_FIELD,
		DRY_RUN_FIELD,
		{"force", FIELD_FLAG, offsetof(struct dead_options, force),
			NULL, 0, 0, NULL,
			"also where another event took its idempotency key"},
		{"because", FIELD_TEXT, offsetof(struct dead_options, because),
			NULL, 0, 0, "TEXT", "why, for the record"},
	};
	static const struct options_spec spec = {
		.usage = "dead retry [--dry-run] [--parked] --id ID… | "
			 "--reason REASON … | --all",
		.summary =
			"Reads the records of these letters anew and takes "
			"them up in the order of their logs, at the\nversions "
			"they always had, as if they had come in time. Says "
			"for each: applied, superseded (newer\nvalues stand "
			"there), duplicate (its event came meanwhile), "
			"overtaken (a correction did: refused), or\nstill "
			"broken and why.",
		.fields = fields,
		.field_count = sizeof fields / sizeof fields[0],
		.configured = true,
		.json = true,
	};
	struct change change = {.action = "dead_retry"};
	return run(&change, &spec, argc, argv);
}

int dead_drop(int argc, char **argv)
{
	static const struct field fields[] = {
		DEAD_FILTER_FIELDS,
		ALL_FIELD,
		DRY_RUN_FIELD,
		{"because", FIELD_TEXT, offsetof(struct dead_options, because),
			NULL, 0, 0, "TEXT", "why: it stays on the record"},
	};
	static const struct options_spec spec = {
		.usage = "dead drop [--dry-run] --because TEXT --id ID… | "
			 "--reason REASON … | --all",
		.summary = "Acknowledges these dead letters: somebody saw "
			   "them, and nothing will come of them. They leave\n"
			   "after ingest.dead_keep, counted; until then they "
			   "can be retried.",
		.fields = fields,
		.field_count = sizeof fields / sizeof fields[0],
		.configured = true,
		.json = true,
	};
	struct change change = {.action = "dead_drop"};
	return run(&change, &spec, argc, argv);
}
