/* holdfast schema: picks a verb; looks at schema files. */
#include "schema/schema.h"
#include "ingest/command/command.h"
#include "ingest/command/options.h"
#include "ingest/command/say.h"
#include "ingest/command/schema_apply.h"

#include <stdio.h>
#include <string.h>

static const struct options_spec spec = {
	.usage = "schema check|diff|apply FILE",
	.summary = "Check reads a schema file and says what is wrong with it, "
		   "or what it declares. Diff compares it with the\nstore's; "
		   "apply makes it the store's, where that goes in place: "
		   "`schema diff --help` and `schema apply --help`.",
	.arguments_min = 2,
	.arguments_max = 2,
};

static void print_schema(const struct schema *schema, const char *path)
{
	for (size_t i = 0; i < schema->view_count; i++) {
		const struct view *view = &schema->views[i];
		printf("view %s: %zu features of", view->name,
			view->feature_count);
		for (size_t k = 0; k < view->key_count; k++)
			printf("%s %s", k == 0 ? "" : ",", view->keys[k].name);
		puts(view->accumulates ? ", some of them accumulated" : "");
	}
	for (size_t i = 0; i < schema->source_count; i++) {
		const struct source_schema *source = &schema->sources[i];
		if (source->envelope)
			printf("source %s: holdfast's own envelope\n",
				source->topic);
		else
			printf("source %s: up to %zu updates a record\n",
				source->topic, source->update_count);
	}
	for (size_t i = 0; i < schema->service_count; i++)
		printf("service %s: %zu features\n", schema->services[i].name,
			schema->services[i].feature_count);
	printf("%s is a good schema\n", path);
}

static int check(const struct options *options, struct fault *fault)
{
	const char *verb = options->arguments[0];
	const char *path = options->arguments[1];
	if (strcmp(verb, "check") != 0)
		return fault_set(fault, FAULT_USAGE,
			"schema %s: did you mean check, diff or apply?", verb);
	struct schema *schema = NULL;
	int rc = schema_load(&schema, path, fault);
	if (rc == 0)
		print_schema(schema, path);
	schema_free(schema);
	return rc;
}

static int check_file(int argc, char **argv)
{
	struct fault fault = {0};
	struct options options;
	int rc = options_parse(&options, &spec, NULL, argc, argv, &fault);
	if (rc == OPTIONS_GO)
		rc = check(&options, &fault);
	options_finish(&options);
	return rc < 0 ? say_fault(&fault) : STATUS_GOOD;
}

int command_schema(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "diff") == 0)
		return schema_diff_run(argc, argv);
	if (argc > 1 && strcmp(argv[1], "apply") == 0)
		return schema_apply_run(argc, argv);
	return check_file(argc, argv);
}
