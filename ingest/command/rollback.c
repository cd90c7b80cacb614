/* holdfast rollback: an older generation takes the live one's place. */
#include "ingest/command/command.h"
#include "ingest/command/control.h"
#include "ingest/command/options.h"
#include "ingest/command/rebuild.h"
#include "ingest/command/say.h"
#include "ingest/command/signals.h"
#include "ingest/command/turn.h"
#include "store/decisions.h"
#include "store/generations.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Who, why, and what to run, for `status`. */
#define DETAIL_BYTES 512

static void describe(const char *from, const char *who, const char *because,
	char out[DETAIL_BYTES])
{
	(void)snprintf(out, DETAIL_BYTES,
		"from generation %s by %s%s%.300s; to go on: holdfast resume",
		from, who, because[0] == '\0' ? "" : ": ", because);
}

static int roll_back(const struct control *control, const json_t *arguments,
	bool exactly, json_t **reply, struct fault *fault)
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
	(void)snprintf(
		from, sizeof from, "%s", store_generation(control->store));
	describe(from, control->who, because, detail);
	const struct decision decision = {.at_us = control->now_us,
		.who = control->who,
		.what = "rollback",
		.target = generation,
		.because = because};
	struct handover handover = {0};
	const struct store_switch to = {.generation = generation,
		.exactly = exactly,
		.stop_reason = STOP_ROLLED_BACK,
		.stop_detail = detail,
		.decision = &decision,
		.handover = &handover};
	int rc = store_switch(control->owner, &to, fault);
	if (rc == 0)
		*reply = json_pack("{s:s, s:s, s:o*}", "generation", generation,
			"from", from, "carried",
			exactly ? NULL : turn_carried(&handover));
	return rc;
}

/* In the owner, or where there is none. */
int control_rollback(const struct control *control, const json_t *arguments,
	json_t **reply, struct fault *fault)
{
	return roll_back(control, arguments, false, reply, fault);
}

int control_rollback_there(const struct control *control,
	const json_t *arguments, json_t **reply, struct fault *fault)
{
	return roll_back(control, arguments, true, reply, fault);
}

struct rollback_options {
	char *because;
	bool now, when_caught_up;
};

#define OWN(member) offsetof(struct rollback_options, member)

static const struct field fields[] = {
	{"when-caught-up", FIELD_FLAG, OWN(when_caught_up), NULL, 0, 0, NULL,
		"first take the log to where the live one is, beside it (the "
		"default)"},
	{"now", FIELD_FLAG, OWN(now), NULL, 0, 0, NULL,
		"at once, with the offsets that it has: lookups go back in "
		"time"},
	{"because", FIELD_TEXT, OWN(because), NULL, 0, 0, "TEXT",
		"why, for the record"},
};

static const struct options_spec spec = {
	.usage = "rollback NAME [--when-caught-up | --now] [--because TEXT]",
	.summary = "Puts another generation of the store (`holdfast "
		   "generations`) in the live one's place, which is kept.\n"
		   "Lookups move to it without a failure. Ingest stays stopped "
		   "(`rolled_back`), also after a restart, until\n`holdfast "
		   "resume`, and then takes the log on from that generation's "
		   "offsets. Works on a running service\nand on a store that "
		   "nobody runs.",
	.fields = fields,
	.field_count = sizeof fields / sizeof fields[0],
	.arguments_min = 1,
	.arguments_max = 1,
	.configured = true,
	.json = true,
};

/* At once, whatever state the live one is in. */
static int turn_now(const struct config *config, const char *generation,
	const char *because, json_t **carried, struct fault *fault)
{
	char who[CONTROL_WHO_BYTES], detail[DETAIL_BYTES];
	control_who(getuid(), who);
	describe("one that can't be read", who, because, detail);
	json_t *arguments = json_pack(
		"{s:s, s:s}", "generation", generation, "because", because);
	const struct turn turn = {.action = "rollback",
		.arguments = arguments,
		.generation = generation,
		.what = "rollback",
		.target = generation,
		.because = because,
		.stop_reason = STOP_ROLLED_BACK,
		.stop_detail = detail};
	int rc = turn_to(config, &turn, carried, fault);
	json_decref(arguments);
	return rc;
}

/* Where nobody can tell how far the live one is, there is nothing to catch up
 * with. */
static int explain(const struct config *config, const char *generation, int rc,
	struct fault *fault)
{
	struct fault why = {0};
	struct reader *live = NULL;
	struct arena arena = ARENA_INIT;
	struct reader_status status = {0};
	int read =
		reader_open(&live, config->store.path, REBUILD_BUSY_MS, &why);
	if (read == 0)
		read = reader_summary(live, &arena, &status, &why);
	reader_close(live);
	arena_finish(&arena);
	if (read != FAULT_CORRUPT && read != FAULT_IO && read != FAULT_REFUSED)
		return rc;
	return fault_set(fault, FAULT_REFUSED,
		"the live generation can't be read, and nobody knows how far "
		"it is (%.300s): `holdfast rollback %.16s --now` goes back "
		"without it, and `holdfast resume` takes the log from there",
		why.text, generation);
}

static int catch_up(const struct config *config, const char *generation,
	const char *because, struct fault *fault)
{
	int rc = rebuild_roll_back(config, generation, because, fault);
	return rc < 0 ? explain(config, generation, rc, fault) : 0;
}

static void tell(const struct options *options, const json_t *carried)
{
	const char *generation = options->arguments[0];
	if (!options->json) {
		printf("rolled back: generation %s is live, the other is kept; "
		       "nothing is taken until `holdfast resume`\n",
			generation);
	} else {
		printf("{\"generation\": \"%s\", \"carried\": ", generation);
		if (carried == NULL)
			fputs("null", stdout);
		else
			(void)json_dumpf(carried, stdout, 0);
		puts("}");
	}
	turn_tell(carried, options->json);
}

static int run(const struct options *options, struct fault *fault)
{
	const struct rollback_options *own = options->own;
	const char *generation = options->arguments[0];
	const char *because = own->because == NULL ? "" : own->because;
	struct config config = {0};
	json_t *carried = NULL;
	if (own->now && own->when_caught_up)
		return fault_set(fault, FAULT_USAGE,
			"--now or --when-caught-up: one of them");
	int rc = options_config(options, &config, fault);
	if (rc == 0)
		rc = own->now ? turn_now(&config, generation, because, &carried,
					fault)
			      : catch_up(&config, generation, because, fault);
	if (rc == 0)
		tell(options, carried);
	json_decref(carried);
	config_finish(&config);
	return rc;
}

int command_rollback(int argc, char **argv)
{
	struct fault fault = {0};
	struct options options;
	struct rollback_options own = {0};
	int rc = options_parse(&options, &spec, &own, argc, argv, &fault);
	if (rc == OPTIONS_GO)
		rc = signals_install(&fault);
	if (rc == OPTIONS_GO)
		rc = run(&options, &fault);
	options_finish(&options);
	return rc < 0 ? say_fault(&fault) : STATUS_GOOD;
}
