#include "ingest/command/elapsed.h"
#include "ingest/command/proof_text.h"
#include "ingest/command/table.h"
#include "ingest/command/value_text.h"
#include "ingest/command/why.h"
#include "schema/load.h"
#include "schema/rfc3339.h"
#include "store/terms.h"

#include <inttypes.h>
#include <stdlib.h>

#define PLACE_SIZE 320

/* "flights:0 @4711.1"; "flights:0#2 @…" of a log that was taken anew. */
static const char *place_text(
	const struct version *version, char out[PLACE_SIZE])
{
	char incarnation[16] = "";
	if (version->log->incarnation > 0)
		(void)snprintf(incarnation, sizeof incarnation, "#%" PRIu32,
			version->log->incarnation);
	int length = snprintf(out, PLACE_SIZE,
		"%.250s:%" PRId32 "%s @%" PRId64 ".%" PRIu32,
		version->log->topic, version->log->partition, incarnation,
		version->offset, version->place);
	return length > 0 ? out : "";
}

static const char *time_text(int64_t us, char out[RFC3339_SIZE])
{
	return us == TIMESTAMP_NONE ? "-" : rfc3339_print(us, out);
}

static void add_value(
	struct table *table, const struct type *type, const struct value *value)
{
	char *text = value_text(type, value);
	table_add(table, "%s", text == NULL ? "?" : text);
	free(text);
}

/* What was loaded from a file needs none. */
static const char *state_text(const struct trace_key *key)
{
	if (key->state != NULL)
		return key->state;
	return load_is_topic(key->version.log->topic) ? "-" : "let go";
}

static void add_feature(struct table *table, const struct why *why,
	size_t feature, const struct trace_key *key)
{
	const struct feature *of = &why->view->features[feature];
	const struct value *value = &why->row.cells[feature].value;
	char event[RFC3339_SIZE], record[RFC3339_SIZE], place[PLACE_SIZE];
	table_add(table, "%s", of->name);
	add_value(table, &of->type, value);
	if (key == NULL) {
		for (int i = 0; i < 4; i++)
			table_add(table, "-");
		return;
	}
	table_add(table, "%s", time_text(key->version.event_us, event));
	table_add(table, "%s", place_text(&key->version, place));
	table_add(table, "%s", time_text(key->record_time_us, record));
	table_add(table, "%s", state_text(key));
}

/* The next key is the feature's, where that is set. */
static const struct trace_key *key_of(
	const struct why *why, size_t feature, size_t *next)
{
	if (why->row.cells[feature].value.state == VALUE_UNSET)
		return NULL;
	return &why->keys[(*next)++];
}

static void print_features(const struct why *why)
{
	static const struct column columns[] = {{"feature", false},
		{"value", false}, {"event time", false}, {"from", false},
		{"record time", false}, {"key", false}};
	struct table *table =
		table_new(columns, sizeof columns / sizeof columns[0]);
	size_t next = 0;
	for (size_t i = 0; table != NULL && i < why->view->feature_count; i++)
		if (why_wants(why, i))
			add_feature(table, why, i, key_of(why, i, &next));
	if (table == NULL || !table_print(table, stdout))
		fputs("out of memory\n", stdout);
	table_free(table);
}

static void print_floor(const struct why *why)
{
	char event[RFC3339_SIZE], place[PLACE_SIZE];
	if (why->row.has_floor)
		printf("\ndeleted or replaced at %s by %s: nothing older comes "
		       "back\n",
			time_text(why->row.floor.event_us, event),
			place_text(&why->row.floor, place));
}

static void print_terms(const struct why *why)
{
	struct terms terms = terms_of(why->view);
	char ttl[ELAPSED_SIZE], lag[ELAPSED_SIZE];
	printf("\nterms: ttl %s, then %s; max_lag %s, then %s; missing: %s\n",
		terms.ttl_us == TTL_FOR_EVER ? "none"
					     : elapsed_print(terms.ttl_us, ttl),
		choice_name(terms.when_expired),
		terms.max_lag_us == LAG_ANY
			? "any"
			: elapsed_print(terms.max_lag_us, lag),
		choice_name(terms.when_behind),
		choice_name(terms.when_missing));
	for (size_t i = 0; i < why->hold_count; i++)
		printf("held: %s is answered by %s, because %s\n",
			why->holds[i].target, why->holds[i].choice,
			why->holds[i].because);
}

/* Of a letter whose key went to the producer's correction. */
static bool is_overtaken(const struct letter_whole *one)
{
	return one->letter.kind == LETTER_DEAD &&
	       one->letter.state == LETTER_OVERTAKEN;
}

static void print_letters(const struct why *why)
{
	for (size_t i = 0; i < why->letter_count; i++) {
		const struct letter_whole *one = &why->letters[i];
		printf("%s %" PRId64 ": %s:%" PRId32 " @%" PRId64 ".%" PRIu32
		       ", %s%s\n",
			one->letter.kind == LETTER_DEAD ? "dead letter"
							: "parked update",
			one->letter.id, one->record.log->topic,
			one->record.log->partition, one->record.offset,
			one->letter.place, reason_name(one->letter.reason),
			is_overtaken(one) ? ", overtaken by a correction" : "");
	}
	if (why->letters_more > 0)
		printf("and %" PRId64 " letters more\n", why->letters_more);
	if (why->letters_whole > 0)
		printf("%" PRId64 " records could not be decoded: whether they "
		       "are of it nobody can tell\n",
			why->letters_whole);
}

void why_print(const struct why *why)
{
	printf("%s ", why->view->name);
	entity_print(why->view, why->entity, stdout);
	printf(", generation %s%s\n", why->generation,
		why->found ? "" : ": there is no such entity");
	if (why->found)
		print_features(why);
	print_floor(why);
	print_terms(why);
	print_letters(why);
}

static void print_version_json(const struct version *version)
{
	fputs("\"event_time\": ", stdout);
	time_print_json(version->event_us, stdout);
	printf(", \"topic\": \"%s\", \"partition\": %" PRId32
	       ", \"incarnation\": %" PRIu32 ", \"offset\": %" PRId64
	       ", \"place\": %" PRIu32,
		version->log->topic, version->log->partition,
		version->log->incarnation, version->offset, version->place);
}

static void print_feature_json(const struct why *why, size_t feature,
	const struct trace_key *key, bool first)
{
	const struct feature *of = &why->view->features[feature];
	printf("%s{\"feature\": \"%s\", \"value\": ", first ? "" : ", ",
		of->name);
	value_print_json(&of->type, &why->row.cells[feature].value, stdout);
	if (key != NULL) {
		fputs(", ", stdout);
		print_version_json(&key->version);
		fputs(", \"record_time\": ", stdout);
		time_print_json(key->record_time_us, stdout);
		printf(", \"key\": %s%s%s", key->state == NULL ? "" : "\"",
			key->state == NULL ? "null" : key->state,
			key->state == NULL ? "" : "\"");
	}
	fputc('}', stdout);
}

static void print_features_json(const struct why *why)
{
	size_t next = 0;
	bool first = true;
	fputs(", \"features\": [", stdout);
	for (size_t i = 0; why->found && i < why->view->feature_count; i++) {
		if (!why_wants(why, i))
			continue;
		print_feature_json(why, i, key_of(why, i, &next), first);
		first = false;
	}
	fputc(']', stdout);
}

static void print_holds_json(const struct why *why)
{
	fputs(", \"holds\": [", stdout);
	for (size_t i = 0; i < why->hold_count; i++) {
		printf("%s{\"target\": \"%s\", \"choice\": \"%s\", "
		       "\"because\": ",
			i == 0 ? "" : ", ", why->holds[i].target,
			why->holds[i].choice);
		string_print_json(slice_of(why->holds[i].because), stdout);
		fputc('}', stdout);
	}
	fputc(']', stdout);
}

static void print_letters_json(const struct why *why)
{
	fputs(", \"letters\": [", stdout);
	for (size_t i = 0; i < why->letter_count; i++) {
		const struct letter_whole *one = &why->letters[i];
		printf("%s{\"kind\": \"%s\", \"id\": %" PRId64
		       ", \"topic\": \"%s\", \"partition\": %" PRId32
		       ", \"offset\": %" PRId64 ", \"place\": %" PRIu32
		       ", \"reason\": \"%s\", \"overtaken\": %s}",
			i == 0 ? "" : ", ",
			one->letter.kind == LETTER_DEAD ? "dead" : "parked",
			one->letter.id, one->record.log->topic,
			one->record.log->partition, one->record.offset,
			one->letter.place, reason_name(one->letter.reason),
			is_overtaken(one) ? "true" : "false");
	}
	printf("], \"letters_more\": %" PRId64 ", \"letters_whole\": %" PRId64,
		why->letters_more, why->letters_whole);
}

void why_print_json(const struct why *why)
{
	printf("{\"view\": \"%s\", \"entity\": ", why->view->name);
	entity_print_json(why->view, why->entity, stdout);
	printf(", \"generation\": \"%s\", \"found\": %s", why->generation,
		why->found ? "true" : "false");
	if (why->row.has_floor) {
		fputs(", \"floor\": {", stdout);
		print_version_json(&why->row.floor);
		fputc('}', stdout);
	}
	print_features_json(why);
	print_holds_json(why);
	print_letters_json(why);
}

static const char *const operations[] = {
	[OPERATION_UPSERT] = "upsert",
	[OPERATION_REPLACE] = "replace",
	[OPERATION_DELETE] = "delete",
};

/* What became of one of an event's features. */
enum fate {
	FATE_UNSAID, /* a copy, a letter: it did not get that far; or nothing
			proves it */
	FATE_WON,
	FATE_COUNTED,
	FATE_LOST,
	FATE_DELETED
};

static const char *const fates[] = {
	[FATE_WON] = "won",
	[FATE_COUNTED] = "counted",
	[FATE_LOST] = "lost",
	[FATE_DELETED] = "deleted",
};

static bool was_merged(enum proof_answer answer)
{
	return answer == PROOF_APPLIED || answer == PROOF_SUPERSEDED ||
	       answer == PROOF_HELD;
}

/* *by: LOST, DELETED: to which. */
static enum fate fate_of(const struct why *why,
	const struct replay_update *told, const struct assignment *given,
	const struct version **by)
{
	const struct row *row = &why->row;
	const struct cell *cell = &row->cells[given->feature];
	const struct record *record = &told->record->record;
	const struct version version = {told->update->event_us, record->log,
		record->offset, told->update->place};
	if (!was_merged(told->proof.answer))
		return FATE_UNSAID;
	*by = &row->floor;
	if (row->has_floor && version_compare(&row->floor, &version) > 0)
		return FATE_DELETED;
	if (cell->value.state == VALUE_UNSET)
		return FATE_UNSAID;
	*by = &cell->version;
	int order = version_compare(&cell->version, &version);
	if (why->view->features[given->feature].merge == MERGE_LAST)
		return order == 0  ? FATE_WON
		       : order > 0 ? FATE_LOST
				   : FATE_UNSAID;
	bool proven = order == 0 || told->proof.answer != PROOF_HELD;
	return order >= 0 && proven ? FATE_COUNTED : FATE_UNSAID;
}

static void print_fate(enum fate fate, const struct version *by)
{
	char place[PLACE_SIZE];
	if (fate == FATE_LOST || fate == FATE_DELETED)
		printf(" (%s %s %s)", fates[fate],
			fate == FATE_LOST ? "to" : "by", place_text(by, place));
	else if (fate != FATE_UNSAID)
		printf(" (%s)", fates[fate]);
}

/* What it gives: "    upsert  flights 1 (counted), last_delay 5 (won)". */
static void print_given(const struct why *why, const struct replay_update *told)
{
	const struct update *update = told->update;
	bool first = true;
	printf("            %s", operations[update->operation]);
	for (size_t i = 0; i < update->assignment_count; i++) {
		const struct assignment *given = &update->assignments[i];
		const struct feature *of = &why->view->features[given->feature];
		const struct version *by = NULL;
		if (!why_wants(why, given->feature))
			continue;
		printf("%s%s ", first ? "  " : ", ", of->name);
		value_print(&of->type, &given->value, stdout);
		enum fate fate = fate_of(why, told, given, &by);
		print_fate(fate, by);
		first = false;
	}
	fputc('\n', stdout);
}

static void print_fate_json(enum fate fate, const struct version *by)
{
	if (fate == FATE_UNSAID) {
		fputs(", \"fate\": null", stdout);
		return;
	}
	printf(", \"fate\": \"%s\"", fates[fate]);
	if (fate != FATE_LOST && fate != FATE_DELETED)
		return;
	fputs(", \"by\": {", stdout);
	print_version_json(by);
	fputc('}', stdout);
}

static void print_given_json(
	const struct why *why, const struct replay_update *told)
{
	const struct update *update = told->update;
	bool first = true;
	printf(", \"op\": \"%s\", \"features\": [",
		operations[update->operation]);
	for (size_t i = 0; i < update->assignment_count; i++) {
		const struct assignment *given = &update->assignments[i];
		const struct feature *of = &why->view->features[given->feature];
		const struct version *by = NULL;
		if (!why_wants(why, given->feature))
			continue;
		printf("%s{\"feature\": \"%s\", \"value\": ", first ? "" : ", ",
			of->name);
		value_print_json(&of->type, &given->value, stdout);
		enum fate fate = fate_of(why, told, given, &by);
		print_fate_json(fate, by);
		fputc('}', stdout);
		first = false;
	}
	fputc(']', stdout);
}

void why_print_event(const struct why *why, const struct replay_update *update,
	bool json, bool first)
{
	bool valid = update->update->reason == REASON_NONE;
	if (!json) {
		proof_print(update, stdout);
		if (valid)
			print_given(why, update);
		return;
	}
	fputs(first ? "" : ",\n ", stdout);
	proof_print_json(update, stdout);
	if (valid)
		print_given_json(why, update);
	fputc('}', stdout);
}
