/* holdfast rollback: an older generation takes the live one's place. */
#include "ingest/command/command.h"
#include "ingest/command/operate.h"
#include "store/decisions.h"
#include "store/generations.h"

#include <stdio.h>
#include <string.h>

/* Who, why, and what to run, for `status`. */
#define DETAIL_BYTES 512

static void describe(const struct control *control, const char *because,
	char out[DETAIL_BYTES])
{
	(void)snprintf(out, DETAIL_BYTES,
		"from generation %s by %s%s%.300s; to go on: holdfast resume",
		store_generation(control->store), control->who,
		because[0] == '\0' ? "" : ": ", because);
}

/* In the owner, or where there is none. */
int control_rollback(const struct control *control, const json_t *arguments,
	json_t **reply, struct fault *fault)
{
	char detail[DETAIL_BYTES];
	char from[GENERATION_NAME_BYTES];
	const char *generation =
		json_string_value(json_object_get(arguments, "generation"));
	const char *because =
		json_string_value(json_object_get(arguments, "because"));
	if (generation == NULL)
		return fault_set(fault, FAULT_USAGE,
			"`generation` names the one to go back to");
	because = because == NULL ? "" : because;
	describe(control, because, detail);
	(void)snprintf(
		from, sizeof from, "%s", store_generation(control->store));
	const struct decision decision = {.at_us = control->now_us,
		.who = control->who,
		.what = "rollback",
		.target = generation,
		.because = because};
	const struct store_switch to = {.generation = generation,
		.stop_reason = STOP_ROLLED_BACK,
		.stop_detail = detail,
		.decision = &decision};
	int rc = store_switch(control->owner, &to, fault);
	if (rc == 0)
		*reply = json_pack(
			"{s:s, s:s}", "generation", generation, "from", from);
	return rc;
}

struct rollback_options {
	char *because;
	bool now;
};

static const struct field fields[] = {
	{"now", FIELD_FLAG, offsetof(struct rollback_options, now), NULL, 0, 0,
		NULL,
		"at once, with the offsets that it has: lookups go back in "
		"time"},
	{"because", FIELD_TEXT, offsetof(struct rollback_options, because),
		NULL, 0, 0, "TEXT", "why, for the record"},
};

static int prepare(
	const struct options *options, json_t *arguments, struct fault *fault)
{
	const struct rollback_options *own = options->own;
	if (!own->now)
		return fault_set(fault, FAULT_USAGE,
			"say --now: the generation takes the live one's place "
			"as it is, and takes the log on from its own offsets "
			"after `holdfast resume`");
	int failed = json_object_set_new(
		arguments, "generation", json_string(options->arguments[0]));
	if (own->because != NULL)
		failed |= json_object_set_new(
			arguments, "because", json_string(own->because));
	return failed == 0 ? 0
			   : fault_set(fault, FAULT_USAGE,
				     "names and reasons are UTF-8 text");
}

static void tell(const json_t *reply)
{
	printf("rolled back: generation %s is live, %s is kept; nothing is "
	       "taken until `holdfast resume`\n",
		json_string_value(json_object_get(reply, "generation")),
		json_string_value(json_object_get(reply, "from")));
}

int command_rollback(int argc, char **argv)
{
	static const struct options_spec spec = {
		.usage = "rollback NAME --now [--because TEXT]",
		.summary =
			"Puts another generation of the store "
			"(`holdfast generations`) in the live one's place, "
			"which is kept.\nLookups move to it without a "
			"failure. Ingest stays stopped (`rolled_back`), also "
			"after a restart, until\n`holdfast resume`, and then "
			"takes the log on from that generation's offsets. "
			"Works on a running service\nand on a store that "
			"nobody runs.",
		.fields = fields,
		.field_count = sizeof fields / sizeof fields[0],
		.arguments_min = 1,
		.arguments_max = 1,
		.configured = true,
		.json = true,
	};
	struct rollback_options own = {0};
	return operating_run(&(const struct operating){"rollback", &spec, &own,
				     prepare, tell},
		argc, argv);
}
