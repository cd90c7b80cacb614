/* holdfast generations: which builds of the store there are; one removed. */
#include "store/generations.h"
#include "ingest/command/command.h"
#include "ingest/command/operate.h"
#include "ingest/command/reading.h"
#include "ingest/command/say.h"
#include "ingest/command/size.h"
#include "ingest/command/table.h"
#include "ingest/command/value_text.h"
#include "schema/rfc3339.h"
#include "store/decisions.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DIGEST_TEXT (2 * DIGEST_BYTES + 1)

static const char *or_dash(const char *text)
{
	return text == NULL || text[0] == '\0' ? "-" : text;
}

/* One that was live and is not could not be opened when it was replaced. */
static const char *state_of(const struct generation *one)
{
	if (one->wrong != NULL)
		return "unreadable";
	return one->state == GENERATION_LIVE && !one->live
		       ? "replaced"
		       : generation_state_name(one->state);
}

static const char *digest_of(
	const struct generation *one, char out[DIGEST_TEXT])
{
	if (one->wrong != NULL)
		return "-";
	digest_print(one->digest, out);
	return out;
}

static void add_row(struct table *table, const struct generation *one)
{
	char as_of[RFC3339_SIZE], size[SIZE_TEXT], digest[DIGEST_TEXT];
	table_add(table, "%s", one->name);
	table_add(table, "%s", state_of(one));
	table_add(table, "%s", one->live ? "yes" : "-");
	table_add(table, "%s", or_dash(one->origin));
	table_add(table, "%s",
		one->as_of_us == TIMESTAMP_NONE
			? "-"
			: rfc3339_print(one->as_of_us, as_of));
	table_add(table, "%s", digest_of(one, digest));
	table_add(table, "%s", size_print(one->file_bytes, size));
	table_add(table, "%s", or_dash(one->peer));
}

static int tell_people(
	const struct generation *all, size_t count, struct fault *fault)
{
	static const struct column columns[] = {{"generation", false},
		{"state", false}, {"live", false}, {"built from", false},
		{"as of", false}, {"digest", false}, {"size", true},
		{"peer", false}};
	struct table *table =
		table_new(columns, sizeof columns / sizeof columns[0]);
	for (size_t i = 0; table != NULL && i < count; i++)
		add_row(table, &all[i]);
	bool printed = table != NULL && table_print(table, stdout);
	table_free(table);
	if (!printed)
		return fault_set(fault, FAULT_OOM, "out of memory");
	for (size_t i = 0; i < count; i++) {
		if (all[i].wrong != NULL)
			printf("\n%s can't be read: %s\n", all[i].name,
				all[i].wrong);
		if (all[i].damage != NULL)
			printf("\n%s is damaged, %s\n", all[i].name,
				all[i].damage);
	}
	return 0;
}

static void print_text_or_null(const char *name, const char *text)
{
	printf(", \"%s\": ", name);
	if (text == NULL || text[0] == '\0')
		fputs("null", stdout);
	else
		string_print_json(slice_of(text), stdout);
}

static void one_print_json(const struct generation *one)
{
	char as_of[RFC3339_SIZE], digest[DIGEST_TEXT];
	bool known = one->as_of_us != TIMESTAMP_NONE;
	printf("{\"name\": \"%s\", \"state\": \"%s\", \"live\": %s", one->name,
		state_of(one), one->live ? "true" : "false");
	print_text_or_null("built_from", one->origin);
	print_text_or_null(
		"as_of", known ? rfc3339_print(one->as_of_us, as_of) : NULL);
	print_text_or_null(
		"digest", one->wrong == NULL ? digest_of(one, digest) : NULL);
	printf(", \"bytes\": %" PRId64, one->file_bytes);
	print_text_or_null("peer", one->peer);
	print_text_or_null("wrong", one->wrong);
	print_text_or_null("damage", one->damage);
	fputs("}", stdout);
}

static void tell_programs(const struct generation *all, size_t count)
{
	fputs("{\"generations\": [", stdout);
	for (size_t i = 0; i < count; i++) {
		fputs(i == 0 ? "" : ", ", stdout);
		one_print_json(&all[i]);
	}
	fputs("]}\n", stdout);
}

static int list_with(const struct options *options, struct fault *fault)
{
	struct config config = {0};
	struct arena arena = ARENA_INIT;
	const struct generation *all = NULL;
	size_t count = 0;
	int rc = options_config(options, &config, fault);
	if (rc == 0)
		rc = reading_needs_store(&config, fault);
	if (rc == 0)
		rc = generations_list(
			config.store.path, &arena, &all, &count, fault);
	if (rc == 0 && options->json)
		tell_programs(all, count);
	else if (rc == 0)
		rc = tell_people(all, count, fault);
	arena_finish(&arena);
	config_finish(&config);
	return rc;
}

static int list(int argc, char **argv)
{
	static const struct options_spec spec = {
		.usage = "generations [list]",
		.summary = "Lists the builds of the store, of which one is "
			   "live: what each was built from, the moment up to "
			   "which it\nholds everything, its digest. `holdfast "
			   "rollback` turns to an older one, `generations drop "
			   "NAME` removes one.",
		.arguments_max = 1,
		.configured = true,
		.json = true,
	};
	struct fault fault = {0};
	struct options options;
	int rc = options_parse(&options, &spec, NULL, argc, argv, &fault);
	if (rc == OPTIONS_GO && options.argument_count == 1 &&
		strcmp(options.arguments[0], "list") != 0)
		rc = fault_set(&fault, FAULT_USAGE,
			"generations %s: did you mean list, or drop?",
			options.arguments[0]);
	if (rc == OPTIONS_GO)
		rc = list_with(&options, &fault);
	options_finish(&options);
	return rc < 0 ? say_fault(&fault) : STATUS_GOOD;
}

/* In the owner, or where there is none. It is put on the record first: what is
 * gone for good must not be gone without a word. */
int control_generation_drop(const struct control *control,
	const json_t *arguments, json_t **reply, struct fault *fault)
{
	const char *name =
		json_string_value(json_object_get(arguments, "generation"));
	const char *because =
		json_string_value(json_object_get(arguments, "because"));
	if (name == NULL || because == NULL || because[0] == '\0')
		return fault_set(fault, FAULT_USAGE,
			"say which generation, and why with --because");
	const struct decision decision = {.at_us = control->now_us,
		.who = control->who,
		.what = "drop generation",
		.target = name,
		.because = because};
	const char *path = control->config->store.path;
	int rc = generation_check_drop(path, name, fault);
	if (rc == 0)
		rc = store_decide(control->store, &decision, fault);
	if (rc == 0)
		rc = generation_drop(path, name, fault);
	if (rc == FAULT_IO) /* the live one is well, and its owner goes on */
		rc = fault_wrap(fault, FAULT_BUSY, "dropping it");
	if (rc == 0)
		*reply = json_pack("{s:s}", "dropped", name);
	return rc;
}

struct drop_options {
	char *because;
};

/* "drop NAME" */
static int prepare_drop(
	const struct options *options, json_t *arguments, struct fault *fault)
{
	const struct drop_options *own = options->own;
	if (own->because == NULL || own->because[0] == '\0')
		return fault_set(fault, FAULT_USAGE,
			"say why with --because: it is gone for good");
	return json_object_set_new(arguments, "generation",
		       json_string(options->arguments[1])) == 0 &&
			       json_object_set_new(arguments, "because",
				       json_string(own->because)) == 0
		       ? 0
		       : fault_set(fault, FAULT_USAGE,
				 "names and reasons are UTF-8 text");
}

static void tell_dropped(const json_t *reply)
{
	printf("generation %s is gone\n",
		json_string_value(json_object_get(reply, "dropped")));
}

static int drop(int argc, char **argv)
{
	static const struct field fields[] = {
		{"because", FIELD_TEXT, offsetof(struct drop_options, because),
			NULL, 0, 0, "TEXT", "why: it stays on the record"},
	};
	static const struct options_spec spec = {
		.usage = "generations drop NAME --because TEXT",
		.summary = "Removes a generation for good: never the live one, "
			   "nor one that is being built. Nobody can roll back "
			   "to it\nany more.",
		.fields = fields,
		.field_count = sizeof fields / sizeof fields[0],
		.arguments_min = 2,
		.arguments_max = 2,
		.configured = true,
		.json = true,
	};
	struct drop_options own = {0};
	return operating_run(&(const struct operating){"generation_drop", &spec,
				     &own, prepare_drop, tell_dropped},
		argc, argv);
}

int command_generations(int argc, char **argv)
{
	return argc > 1 && strcmp(argv[1], "drop") == 0 ? drop(argc, argv)
							: list(argc, argv);
}
