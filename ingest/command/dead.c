/* holdfast dead: picks a verb, and reads which letters are meant. */
#include "ingest/command/dead.h"

#include "ingest/command/command.h"
#include "ingest/command/say.h"
#include "ingest/command/value_text.h"
#include "schema/nearest.h"

#include <string.h>

static const struct {
	const char *name, *summary;
	int (*run)(int argc, char **argv);
} verbs[] = {
	{"list", "which dead letters there are, a line each", dead_list},
	{"show", "all that is kept of some, with their records", dead_show},
	{"retry", "take them up again, as if they came in time", dead_retry},
	{"drop", "acknowledge them: they leave after ingest.dead_keep",
		dead_drop},
	{"export", "send them to a Kafka topic", dead_export},
};
#define VERB_COUNT (sizeof verbs / sizeof verbs[0])

static void help(FILE *out)
{
	fputs("Usage: holdfast dead VERB [OPTION…]\n\n"
	      "Dead letters are updates that could not be applied, kept whole "
	      "with why and where they came from.\nParked ones wait for what "
	      "they need: a view that the schema does not have yet.\n\n",
		out);
	for (size_t i = 0; i < VERB_COUNT; i++)
		fprintf(out, "  %-6s %s\n", verbs[i].name, verbs[i].summary);
	fputs("\n`holdfast dead VERB --help` tells its options.\n", out);
}

static int unknown(const char *name)
{
	const char *names[VERB_COUNT];
	for (size_t i = 0; i < VERB_COUNT; i++)
		names[i] = verbs[i].name;
	const char *nearest = nearest_name(name, names, VERB_COUNT);
	fprintf(stderr, "holdfast: dead %s: did you mean %s?\n", name,
		nearest == NULL ? names[0] : nearest);
	return STATUS_USAGE;
}

int command_dead(int argc, char **argv)
{
	if (argc < 2) {
		help(stderr);
		return STATUS_USAGE;
	}
	for (size_t i = 0; i < VERB_COUNT; i++)
		if (strcmp(argv[1], verbs[i].name) == 0)
			return verbs[i].run(argc - 1, argv + 1);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		help(stdout);
		return STATUS_GOOD;
	}
	return unknown(argv[1]);
}

static int find_reason(const char *name, enum reason *out, struct fault *fault)
{
	const char *names[REASON_COUNT];
	*out = reason_parse(slice_of(name));
	if (*out != REASON_NONE)
		return 0;
	for (int i = REASON_NONE + 1; i < REASON_COUNT; i++)
		names[i - 1] = reason_name((enum reason)i);
	const char *nearest = nearest_name(name, names, REASON_COUNT - 1);
	return fault_set(fault, FAULT_USAGE, "there is no reason %s%s%s%s",
		name,
		nearest == NULL ? ": `holdfast status` shows those there are"
				: ": did you mean ",
		nearest == NULL ? "" : nearest, nearest == NULL ? "" : "?");
}

int dead_ids(
	char *const *texts, size_t count, int64_t *ids, struct fault *fault)
{
	for (size_t i = 0; i < count; i++)
		if (!int64_parse(texts[i], &ids[i]) || ids[i] < 1)
			return fault_set(fault, FAULT_USAGE,
				"%s is no id of a letter: `holdfast dead list` "
				"shows them",
				texts[i]);
	return 0;
}

int dead_filter(const struct dead_options *options, int64_t *ids,
	struct letter_filter *out, struct fault *fault)
{
	*out = (struct letter_filter){
		.kind = options->parked ? LETTER_PARKED : LETTER_DEAD,
		.view = options->view,
		.topic = options->topic,
		.since_us = options->since_us == 0 ? TIMESTAMP_NONE
						   : options->since_us,
		.until_us = options->until_us == 0 ? TIMESTAMP_NONE
						   : options->until_us,
		.ids = ids,
		.id_count = options->ids.count,
		.after_id = options->after,
	};
	int rc = options->reason == NULL
			 ? 0
			 : find_reason(options->reason, &out->reason, fault);
	return rc < 0 ? rc
		      : dead_ids(options->ids.items, options->ids.count, ids,
				fault);
}
