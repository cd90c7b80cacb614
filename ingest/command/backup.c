/* holdfast backup: a copy of the store, made while it is written. */
#include "ingest/command/backup_list.h"
#include "ingest/command/command.h"
#include "ingest/command/control_client.h"
#include "ingest/command/elapsed.h"
#include "ingest/command/say.h"
#include "ingest/command/size.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The owner is asked so often how far it is; each time costs it a pause between
 * batches. */
static const struct timespec look_again = {0, 500000000};

/* An owner that ends leaves its lock within that. */
#define LOOKS_AT_BUSY 20

struct backup_options {
	bool list;
	char *because;
};

static const struct field fields[] = {
	{"list", FIELD_FLAG, offsetof(struct backup_options, list), NULL, 0, 0,
		NULL, "show the backups there are; makes none"},
	{"because", FIELD_TEXT, offsetof(struct backup_options, because), NULL,
		0, 0, "TEXT", "why, for the record"},
};

static const struct options_spec spec = {
	.usage = "backup [NAME] [--because TEXT] | backup --list",
	.summary = "Copies the store to NAME (else the time) in its directory "
		   "backups/, while it is written and read, and\nchecks the "
		   "copy as `holdfast verify` does. The offsets are inside: "
		   "`holdfast restore` goes on from there.\nOf those without "
		   "a NAME the newest backup.keep stay.",
	.fields = fields,
	.field_count = sizeof fields / sizeof fields[0],
	.arguments_max = 1,
	.configured = true,
	.json = true,
};

static const char *text_of(const json_t *reply, const char *name)
{
	const char *text = json_string_value(json_object_get(reply, name));
	return text == NULL ? "" : text;
}

static bool is_under_way(const json_t *reply)
{
	const char *state = text_of(reply, "state");
	return strcmp(state, "copying") == 0 || strcmp(state, "checking") == 0;
}

static void show_progress(const json_t *reply, bool last)
{
	if (isatty(STDERR_FILENO) == 0)
		return;
	if (last)
		fputs("\r\033[K", stderr);
	else
		fprintf(stderr, "\r\033[K%s: %s, %3.0f %% copied",
			text_of(reply, "name"), text_of(reply, "state"),
			100 * json_real_value(json_object_get(reply, "share")));
}

/* An owner that ends hears nobody; whoever is it next knows more. */
static int ask_how_far(const struct config *config, json_t *name,
	json_t **reply, struct fault *fault)
{
	int rc = FAULT_BUSY;
	for (int i = 0; rc == FAULT_BUSY && i < LOOKS_AT_BUSY; i++) {
		if (i > 0)
			(void)nanosleep(&look_again, NULL);
		rc = control_ask(config, "backup_state", name, reply, fault);
	}
	return rc;
}

/* Until it has ended; *reply is the last word. */
static int await_end(
	const struct config *config, json_t **reply, struct fault *fault)
{
	int rc = 0;
	while (rc == 0 && is_under_way(*reply)) {
		show_progress(*reply, false);
		(void)nanosleep(&look_again, NULL);
		json_t *name = json_pack(
			"{s:O}", "name", json_object_get(*reply, "name"));
		json_decref(*reply);
		*reply = NULL;
		rc = ask_how_far(config, name, reply, fault);
		json_decref(name);
	}
	show_progress(*reply, true);
	return rc;
}

static int judge(const json_t *reply, struct fault *fault)
{
	if (strcmp(text_of(reply, "state"), "failed") != 0)
		return 0;
	int code = (int)json_integer_value(json_object_get(reply, "code"));
	return fault_set(fault, code < 0 ? code : FAULT_IO,
		"backup %s failed: %s", text_of(reply, "name"),
		text_of(reply, "why"));
}

static int64_t integer_of(const json_t *reply, const char *name)
{
	return json_integer_value(json_object_get(reply, name));
}

static void tell(const json_t *reply, const struct config *config, bool json)
{
	char bytes[SIZE_TEXT], took[ELAPSED_SIZE];
	if (json) {
		(void)json_dumpf(reply, stdout, 0);
		fputc('\n', stdout);
		return;
	}
	printf("%s/backups/%s.db: %s, made and checked in %s\n",
		config->store.path, text_of(reply, "name"),
		size_print(integer_of(reply, "bytes"), bytes),
		elapsed_print(integer_of(reply, "took_ms") * 1000, took));
}

static int ask(const struct options *options, const struct config *config,
	json_t **reply, struct fault *fault)
{
	const struct backup_options *own = options->own;
	json_t *arguments = json_object();
	int failed = arguments == NULL;
	if (options->argument_count > 0)
		failed |= json_object_set_new(
			arguments, "name", json_string(options->arguments[0]));
	if (own->because != NULL)
		failed |= json_object_set_new(
			arguments, "because", json_string(own->because));
	int rc = failed == 0 ? control_ask(config, "backup", arguments, reply,
				       fault)
			     : fault_set(fault, FAULT_USAGE,
				       "names and reasons are UTF-8 text");
	json_decref(arguments);
	return rc;
}

static int make(const struct options *options, struct fault *fault)
{
	struct config config = {0};
	json_t *reply = NULL;
	int rc = options_config(options, &config, fault);
	if (rc == 0)
		rc = ask(options, &config, &reply, fault);
	if (rc == 0)
		rc = await_end(&config, &reply, fault);
	if (rc == 0)
		rc = judge(reply, fault);
	if (rc == 0)
		tell(reply, &config, options->json);
	json_decref(reply);
	config_finish(&config);
	return rc;
}

int command_backup(int argc, char **argv)
{
	struct fault fault = {0};
	struct options options;
	struct backup_options own = {0};
	int status = STATUS_GOOD;
	int rc = options_parse(&options, &spec, &own, argc, argv, &fault);
	if (rc == OPTIONS_GO && own.list)
		status = backup_list_run(&options, false);
	else if (rc == OPTIONS_GO)
		rc = make(&options, &fault);
	options_finish(&options);
	return rc < 0 ? say_fault(&fault) : status;
}
