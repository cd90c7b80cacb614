/* Picks a subcommand. */
#include "ingest/command/command.h"
#include "ingest/command/memory.h"
#include "schema/json.h"
#include "schema/nearest.h"
#include "store/process.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	const char *summary;
	int (*run)(int argc, char **argv);
} commands[] = {
	{"run", "stream the schema's topics into the store and answer lookups",
		command_run},
	{"ingest", "the first half alone; of a file too, or until all is taken",
		command_ingest},
	{"serve", "the second half alone: answer lookups over HTTP",
		command_serve},
	{"get", "look one entity up", command_get},
	{"why", "where its features are from, and what acts on them",
		command_why},
	{"status",
		"what the pipeline took, how far behind it is, what is wrong",
		command_status},
	{"pause", "take no records of a partition, or of any, for a while",
		command_pause},
	{"resume", "take them again", command_resume},
	{"hold", "serve a view or a feature as its default, or not at all",
		command_hold},
	{"release", "serve it again", command_release},
	{"dead", "updates that could not be applied: list, show, retry, drop",
		command_dead},
	{"backup", "make a copy of a running store, checked; list them",
		command_backup},
	{"restore", "go back to such a copy, and take the log on from there",
		command_restore},
	{"load", "base data out of a file: NDJSON or CSV", command_load},
	{"verify", "does the store hold what it says it holds?",
		command_verify},
	{"rebuild", "build the store anew from the log, beside the live one",
		command_rebuild},
	{"replay", "does it hold what the log says? read a range of it again",
		command_replay},
	{"generations", "builds of the store: list them, drop one",
		command_generations},
	{"rollback", "go back to an older one", command_rollback},
	{"schema", "check a schema file, compare it with the store's, apply it",
		command_schema},
	{"faults", "every error that can come, and what is done about it",
		command_faults},
	{"produce", "send events to a topic, from a file or generated",
		command_produce},
	{"broker", "a development broker in memory", command_broker},
};
#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

static void help(FILE *out)
{
	fputs("Usage: holdfast COMMAND [OPTION…] [ARGUMENT…]\n\n"
	      "Streams feature events from Kafka into one SQLite store, each "
	      "exactly once in effect,\nand answers lookups from it.\n\n",
		out);
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		fprintf(out, "  %-11s %s\n", commands[i].name,
			commands[i].summary);
	fputs("\n`holdfast COMMAND --help` tells its options, and every "
	      "setting "
	      "with its default.\n"
	      "Exit status: 0 good, 1 failed, 2 usage or configuration, 3 the "
	      "data is wrong, 4 refused.\n",
		out);
}

static int unknown(const char *name)
{
	const char *names[COMMAND_COUNT];
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		names[i] = commands[i].name;
	const char *nearest = nearest_name(name, names, COMMAND_COUNT);
	fprintf(stderr, "holdfast: there is no command %s: ", name);
	if (nearest == NULL)
		fputs("see `holdfast --help`\n", stderr);
	else
		fprintf(stderr, "did you mean %s?\n", nearest);
	return STATUS_USAGE;
}

static int pick(int argc, char **argv)
{
	if (argc < 2) {
		help(stderr);
		return STATUS_USAGE;
	}
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		help(stdout);
		return STATUS_GOOD;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("holdfast " HOLDFAST_VERSION);
		return STATUS_GOOD;
	}
	return unknown(argv[1]);
}

int main(int argc, char **argv)
{
	memory_give_back();
	store_process_init();
	json_process_init();
	int status = pick(argc, argv);
	if (fflush(stdout) == 0 && ferror(stdout) == 0)
		return status;
	fputs("holdfast: the answer could not be written to stdout whole\n",
		stderr);
	return status == STATUS_GOOD ? STATUS_FAILED : status;
}
