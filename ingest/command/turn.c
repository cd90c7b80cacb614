#include "ingest/command/turn.h"

#include "ingest/clock.h"
#include "ingest/command/control_client.h"
#include "ingest/command/ingestion.h"
#include "ingest/command/say.h"
#include "store/decisions.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

json_t *turn_carried(const struct handover *handover)
{
	return json_pack(
		"{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:s}",
		"holds", (json_int_t)handover->holds, "holds_gone",
		(json_int_t)handover->holds_gone, "stops",
		(json_int_t)handover->stops, "stops_gone",
		(json_int_t)handover->stops_gone, "decisions",
		(json_int_t)handover->decisions, "dropped",
		(json_int_t)handover->dropped, "drops_gone",
		(json_int_t)handover->drops_gone, "letters_back",
		(json_int_t)handover->letters_back, "culprits",
		(json_int_t)handover->culprits, "undone", handover->undone,
		"missed", handover->missed);
}

/* The live one can't be opened, and so has no owner who could be asked. */
static int replace(const struct config *config, const struct turn *turn,
	json_t **carried, struct fault *fault)
{
	char who[CONTROL_WHO_BYTES];
	struct clock *clock = clock_system();
	struct handover handover = {0};
	const struct store_options options = store_options_of(config);
	control_who(getuid(), who);
	const struct decision decision = {.at_us = clock->wall_us(clock),
		.who = who,
		.what = turn->what,
		.target = turn->target,
		.because = turn->because};
	const struct store_switch to = {.generation = turn->generation,
		.stop_reason = turn->stop_reason,
		.stop_detail = turn->stop_detail,
		.decision = &decision,
		.handover = &handover};
	int rc = store_replace(&options, &to, fault);
	if (rc == 0)
		*carried = turn_carried(&handover);
	return rc;
}

/* Where the link can't be renamed since an owner runs, or the other one is not
 * fit for it, the owner's own words count. */
int turn_to(const struct config *config, const struct turn *turn,
	json_t **carried, struct fault *fault)
{
	struct fault why = {0};
	json_t *reply = NULL;
	*carried = NULL;
	if (turn->arguments == NULL)
		return fault_set(
			fault, FAULT_USAGE, "names and reasons are UTF-8 text");
	json_t *arguments = json_deep_copy(turn->arguments);
	int rc = arguments == NULL
			 ? fault_set(fault, FAULT_OOM, "out of memory")
			 : control_ask(config, turn->action, arguments, &reply,
				   fault);
	if (rc == 0)
		*carried = json_incref(json_object_get(reply, "carried"));
	json_decref(arguments);
	json_decref(reply);
	if (rc != FAULT_CORRUPT && rc != FAULT_IO && rc != FAULT_REFUSED)
		return rc;
	int replaced = replace(config, turn, carried, &why);
	if (replaced == 0)
		return 0;
	if (replaced == FAULT_REFUSED || replaced == FAULT_LOCKED)
		return rc;
	return fault_set(fault, replaced, "%s", why.text);
}

static int64_t count_of(const json_t *carried, const char *name)
{
	return json_integer_value(json_object_get(carried, name));
}

static const char *text_of(const json_t *carried, const char *name)
{
	const char *text = json_string_value(json_object_get(carried, name));
	return text == NULL ? "" : text;
}

int64_t turn_stops(const json_t *carried)
{
	return count_of(carried, "stops");
}

static void tell_kept(const json_t *carried)
{
	static const struct {
		const char *name, *words;
	} kinds[] = {{"holds", "holds"}, {"stops", "stops"},
		{"dropped", "dropped letters"},
		{"culprits", "records that ended the process"},
		{"decisions", "decisions on the record"}};
	bool any = false;
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		int64_t count = count_of(carried, kinds[i].name);
		if (count == 0)
			continue;
		printf("%s%" PRId64 " %s", any ? ", " : "taken over: ", count,
			kinds[i].words);
		any = true;
	}
	if (any)
		putchar('\n');
}

static void warn_of_counts(const json_t *carried)
{
	static const struct {
		const char *name, *words;
	} kinds[] = {
		{"holds_gone", "holds are on views or features that this "
			       "generation does not have"},
		{"stops_gone", "stopped partitions are new to this generation, "
			       "and run: `holdfast pause` stops them"},
		{"drops_gone", "dropped letters are of records that were not "
			       "taken yet: where they come again, `holdfast "
			       "dead drop` them"},
		{"letters_back", "dead letters that were taken up or had left "
				 "since are there again: `holdfast dead list`"},
	};
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		int64_t count = count_of(carried, kinds[i].name);
		if (count > 0)
			say(SAY_WARNING, "%" PRId64 " %s", count,
				kinds[i].words);
	}
}

void turn_tell(const json_t *carried, bool json)
{
	const char *undone = text_of(carried, "undone");
	const char *missed = text_of(carried, "missed");
	if (!json)
		tell_kept(carried);
	warn_of_counts(carried);
	if (undone[0] != '\0')
		say(SAY_WARNING,
			"decided since, and without effect in it: %s: do that "
			"again where it is wanted",
			undone);
	if (missed[0] != '\0')
		say(SAY_WARNING,
			"what operators decided could not be read whole (%s): "
			"look at `holdfast status`, and hold again what must "
			"not be served",
			missed);
}
