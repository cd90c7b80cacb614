#include "ingest/command/options.h"

#include "schema/nearest.h"

#include <assert.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIELDS_MAX 40 /* options of one command, shared ones among them */

static const struct field shared[] = {
	{"config", FIELD_TEXT, offsetof(struct options, config), NULL, 0, 0,
		"FILE", "the configuration; -c for short"},
	{"set", FIELD_TEXTS, offsetof(struct options, sets), NULL, 0, 0,
		"NAME=VALUE", "override a setting; may be given again"},
	{"json", FIELD_FLAG, offsetof(struct options, json), NULL, 0, 0, NULL,
		"answer in JSON, for programs"},
	{"help", FIELD_FLAG, offsetof(struct options, help), NULL, 0, 0, NULL,
		"show this; -h for short"},
};
#define SHARED_COUNT (sizeof shared / sizeof shared[0])
enum { SHARED_CONFIG, SHARED_SET, SHARED_JSON, SHARED_HELP };

/* The options of a command, and where each writes to. */
struct rows {
	const struct field *fields[FIELDS_MAX];
	void *bases[FIELDS_MAX];
	const char *names[FIELDS_MAX];
	struct option options[FIELDS_MAX + 1];
	size_t count;
};

static void add_row(struct rows *rows, const struct field *field, void *base)
{
	assert(rows->count < FIELDS_MAX);
	rows->fields[rows->count] = field;
	rows->bases[rows->count] = base;
	rows->names[rows->count] = field->name;
	rows->options[rows->count] = (struct option){.name = field->name,
		.has_arg = field->kind == FIELD_FLAG ? no_argument
						     : required_argument};
	rows->count++;
}

static struct rows rows_of(struct options *options)
{
	const struct options_spec *spec = options->spec;
	struct rows rows = {.count = 0};
	for (size_t i = 0; i < spec->field_count; i++)
		add_row(&rows, &spec->fields[i], options->own);
	if (spec->configured) {
		add_row(&rows, &shared[SHARED_CONFIG], options);
		add_row(&rows, &shared[SHARED_SET], options);
	}
	if (spec->json)
		add_row(&rows, &shared[SHARED_JSON], options);
	add_row(&rows, &shared[SHARED_HELP], options);
	return rows;
}

static void print_help(const struct options_spec *spec)
{
	printf("Usage: holdfast %s\n\n%s\n\nOptions:\n", spec->usage,
		spec->summary);
	fields_help(spec->fields, spec->field_count, "--", stdout);
	for (size_t i = 0; i < SHARED_COUNT; i++) {
		bool configuring = i == SHARED_CONFIG || i == SHARED_SET;
		if ((configuring && !spec->configured) ||
			(i == SHARED_JSON && !spec->json))
			continue;
		fields_help(&shared[i], 1, "--", stdout);
	}
	if (spec->configured)
		config_help(stdout);
}

static int refuse(const struct rows *rows, const struct options_spec *spec,
	const char *given, struct fault *fault)
{
	size_t dashes = strspn(given, "-");
	const char *nearest =
		nearest_name(given + dashes, rows->names, rows->count);
	int command = (int)strcspn(spec->usage, " ");
	if (dashes == 1)
		return fault_set(fault, FAULT_USAGE,
			"unknown option %s: what begins with - and is no "
			"option comes after --",
			given);
	if (nearest != NULL)
		return fault_set(fault, FAULT_USAGE,
			"unknown option %s: did you mean --%s?", given,
			nearest);
	return fault_set(fault, FAULT_USAGE,
		"unknown option %s: see `holdfast %.*s --help`", given, command,
		spec->usage);
}

/* The row of a letter or of a long option's index. */
static size_t row_of(const struct rows *rows, int letter, int index)
{
	if (letter == 0)
		return (size_t)index;
	const char *name = letter == 'c' ? "config" : "help";
	size_t row = 0;
	while (row < rows->count && strcmp(rows->names[row], name) != 0)
		row++;
	return row;
}

static int parse(struct options *options, struct rows *rows, int argc,
	char **argv, struct fault *fault)
{
	int letter = 0, index = 0;
	const char *letters = options->spec->configured ? ":c:h" : ":h";
	opterr = 0;
	optind = 0; /* glibc: start anew */
	while ((letter = getopt_long(
			argc, argv, letters, rows->options, &index)) != -1) {
		/* Words of a bundle of letters aside, it stands before. */
		const char *given = argv[optind - 1];
		if (letter == '?')
			return refuse(rows, options->spec, given, fault);
		if (letter == ':')
			return fault_set(
				fault, FAULT_USAGE, "%s needs a value", given);
		size_t row = row_of(rows, letter, index);
		assert(row < rows->count);
		int rc = field_set(rows->fields[row], rows->bases[row], optarg,
			"command line", fault);
		if (rc < 0)
			return rc;
	}
	options->arguments = argv + optind;
	options->argument_count = (size_t)(argc - optind);
	return 0;
}

int options_parse(struct options *out, const struct options_spec *spec,
	void *own, int argc, char **argv, struct fault *fault)
{
	*out = (struct options){.spec = spec, .own = own};
	struct rows rows = rows_of(out);
	int rc = fields_default(spec->fields, spec->field_count, own, fault);
	if (rc == 0)
		rc = parse(out, &rows, argc, argv, fault);
	if (rc < 0)
		return rc;
	if (out->help) {
		print_help(spec);
		return OPTIONS_HELPED;
	}
	if (out->argument_count < spec->arguments_min ||
		out->argument_count > spec->arguments_max)
		return fault_set(
			fault, FAULT_USAGE, "usage: holdfast %s", spec->usage);
	return OPTIONS_GO;
}

int options_config(const struct options *options, struct config *config,
	struct fault *fault)
{
	return config_load(config,
		&(struct config_request){
			.file = options->config,
			.environment = (const char *const *)environ,
			.sets = options->sets.items,
			.set_count = options->sets.count,
		},
		fault);
}

int options_set(struct options *options, const char *name, const char *value,
	struct fault *fault)
{
	char *set = NULL;
	if (asprintf(&set, "%s=%s", name, value) < 0)
		return fault_set(fault, FAULT_OOM, "out of memory");
	int rc = field_set(
		&shared[SHARED_SET], options, set, "command line", fault);
	free(set);
	return rc;
}

void options_finish(struct options *options)
{
	fields_finish(shared, SHARED_COUNT, options);
	if (options->spec != NULL)
		fields_finish(options->spec->fields, options->spec->field_count,
			options->own);
}
