/* holdfast hold, release: what is not to be served as it is stored. */
#include "ingest/command/command.h"
#include "ingest/command/operate.h"
#include "store/decisions.h"

#include <stdio.h>
#include <string.h>

static const char *text_of(const json_t *arguments, const char *name)
{
	return json_string_value(json_object_get(arguments, name));
}

static struct decision decision_of(const struct control *control,
	const json_t *arguments, const char *what)
{
	const char *because = text_of(arguments, "because");
	return (struct decision){
		.at_us = control->now_us,
		.who = control->who,
		.what = what,
		.because = because == NULL ? "" : because,
	};
}

/* decision->target in `out`. */
static int name_target(const json_t *arguments, struct decision *decision,
	char out[2 * SCHEMA_NAME_MAX + 2], struct fault *fault)
{
	const char *view = text_of(arguments, "view");
	const char *feature = text_of(arguments, "feature");
	int length = snprintf(out, 2 * SCHEMA_NAME_MAX + 2, "%s%s%s",
		view == NULL ? "" : view, feature == NULL ? "" : ":",
		feature == NULL ? "" : feature);
	decision->target = out;
	if (view != NULL && length > 0 && length < 2 * SCHEMA_NAME_MAX + 2)
		return 0;
	return fault_set(fault, FAULT_USAGE,
		"what to hold is a VIEW or VIEW:FEATURE of the schema");
}

int control_hold(const struct control *control, const json_t *arguments,
	json_t **reply, struct fault *fault)
{
	char target[2 * SCHEMA_NAME_MAX + 2];
	struct decision decision = decision_of(control, arguments, "hold");
	const char *choice = text_of(arguments, "choice");
	bool fails = choice != NULL && strcmp(choice, "fail") == 0;
	int rc = name_target(arguments, &decision, target, fault);
	if (rc < 0)
		return rc;
	if (!fails && (choice == NULL || strcmp(choice, "default") != 0))
		return fault_set(fault, FAULT_USAGE,
			"lookups of what is held answer `default` or `fail`: "
			"say which");
	if (decision.because[0] == '\0')
		return fault_set(fault, FAULT_USAGE,
			"say why with --because: it is shown wherever the hold "
			"is");
	rc = store_hold(control->store, text_of(arguments, "view"),
		text_of(arguments, "feature"),
		fails ? CHOICE_FAIL : CHOICE_DEFAULT, &decision, fault);
	if (rc == 0)
		*reply = json_pack("{s:s, s:s}", "target", target, "state",
			fails ? "lookups fail" : "lookups answer its default");
	return rc;
}

int control_release(const struct control *control, const json_t *arguments,
	json_t **reply, struct fault *fault)
{
	char target[2 * SCHEMA_NAME_MAX + 2];
	struct decision decision = decision_of(control, arguments, "release");
	int rc = name_target(arguments, &decision, target, fault);
	if (rc < 0)
		return rc;
	rc = store_release(control->store, text_of(arguments, "view"),
		text_of(arguments, "feature"), &decision, fault);
	if (rc >= 0)
		*reply = json_pack("{s:s, s:s}", "target", target, "state",
			rc == 1 ? "was not held" : "is served again");
	return rc < 0 ? rc : 0;
}

struct hold_options {
	char *because;
};

static const struct field fields[] = {
	{"because", FIELD_TEXT, offsetof(struct hold_options, because), NULL, 0,
		0, "TEXT", "why, for the record and for who meets the hold"},
};

/* VIEW[:FEATURE], and for a hold the choice. */
static int prepare(
	const struct options *options, json_t *arguments, struct fault *fault)
{
	const struct hold_options *own = options->own;
	char *view = options->arguments[0];
	char *colon = strchr(view, ':');
	int failed = 0;
	if (colon != NULL)
		*colon = '\0';
	failed |= json_object_set_new(arguments, "view", json_string(view));
	if (colon != NULL)
		failed |= json_object_set_new(
			arguments, "feature", json_string(colon + 1));
	if (options->argument_count > 1)
		failed |= json_object_set_new(arguments, "choice",
			json_string(options->arguments[1]));
	if (own->because != NULL)
		failed |= json_object_set_new(
			arguments, "because", json_string(own->because));
	return failed == 0 ? 0
			   : fault_set(fault, FAULT_USAGE,
				     "names and reasons are UTF-8 text");
}

static void tell(const json_t *reply)
{
	printf("%s: %s\n", text_of(reply, "target"), text_of(reply, "state"));
}

int command_hold(int argc, char **argv)
{
	static const struct options_spec spec = {
		.usage = "hold VIEW[:FEATURE] default|fail --because TEXT",
		.summary = "From their next lookup on, all readers answer the "
			   "default of these features, or fail, whatever\nis "
			   "stored, until `holdfast release`: for when what "
			   "comes from upstream is wrong. Updates are\ntaken "
			   "on meanwhile.",
		.fields = fields,
		.field_count = sizeof fields / sizeof fields[0],
		.arguments_min = 2,
		.arguments_max = 2,
		.configured = true,
		.json = true,
	};
	struct hold_options own = {0};
	return operating_run(
		&(const struct operating){"hold", &spec, &own, prepare, tell},
		argc, argv);
}

int command_release(int argc, char **argv)
{
	static const struct options_spec spec = {
		.usage = "release VIEW[:FEATURE] [--because TEXT]",
		.summary = "Serves again what `holdfast hold` held back, as "
			   "it is stored by now.",
		.fields = fields,
		.field_count = sizeof fields / sizeof fields[0],
		.arguments_min = 1,
		.arguments_max = 1,
		.configured = true,
		.json = true,
	};
	struct hold_options own = {0};
	return operating_run(&(const struct operating){"release", &spec, &own,
				     prepare, tell},
		argc, argv);
}
