#include "ingest/command/elapsed.h"
#include "ingest/command/proof_text.h"
#include "ingest/command/table.h"
#include "ingest/command/value_text.h"
#include "ingest/command/why.h"
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
	table_add(table, "%s", key->state == NULL ? "let go" : key->state);
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

static void print_letters(const struct why *why)
{
	for (size_t i = 0; i < why->letter_count; i++) {
		const struct letter_whole *one = &why->letters[i];
		printf("%s %" PRId64 ": %s:%" PRId32 " @%" PRId64 ".%" PRIu32
		       ", %s\n",
			one->letter.kind == LETTER_DEAD ? "dead letter"
							: "parked update",
			one->letter.id, one->record.log->topic,
			one->record.log->partition, one->record.offset,
			one->letter.place, reason_name(one->letter.reason));
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
		       ", \"reason\": \"%s\"}",
			i == 0 ? "" : ", ",
			one->letter.kind == LETTER_DEAD ? "dead" : "parked",
			one->letter.id, one->record.log->topic,
			one->record.log->partition, one->record.offset,
			one->letter.place, reason_name(one->letter.reason));
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

/* What became of one of its features: in the row, or lost, and to which. */
static void print_fate(const struct why *why, const struct version *version,
	const struct assignment *given)
{
	const struct cell *cell = &why->row.cells[given->feature];
	const struct feature *of = &why->view->features[given->feature];
	char place[PLACE_SIZE];
	int order = cell->value.state == VALUE_UNSET
			    ? -1
			    : version_compare(&cell->version, version);
	if (why->row.has_floor && version_compare(&why->row.floor, version) > 0)
		printf(" (deleted by %s)", place_text(&why->row.floor, place));
	else if (of->merge != MERGE_LAST)
		fputs(order >= 0 ? " (counted)" : "", stdout);
	else if (order == 0)
		fputs(" (won)", stdout);
	else if (order > 0)
		printf(" (lost to %s)", place_text(&cell->version, place));
}

/* What it gives: "    upsert  flights 1 (counted), last_delay 5 (won)". */
static void print_given(const struct why *why, const struct replay_update *told)
{
	const struct update *update = told->update;
	const struct record *record = &told->record->record;
	struct version version = {
		update->event_us, record->log, record->offset, update->place};
	bool first = true;
	if (update->reason != REASON_NONE)
		return;
	printf("            %s", operations[update->operation]);
	for (size_t i = 0; i < update->assignment_count; i++) {
		const struct assignment *given = &update->assignments[i];
		const struct feature *of = &why->view->features[given->feature];
		if (!why_wants(why, given->feature))
			continue;
		printf("%s%s ", first ? "  " : ", ", of->name);
		value_print(&of->type, &given->value, stdout);
		print_fate(why, &version, given);
		first = false;
	}
	fputc('\n', stdout);
}

void why_print_event(const struct why *why, const struct replay_update *update,
	bool json, bool first)
{
	if (json) {
		fputs(first ? "" : ",\n ", stdout);
		proof_print_json(update, stdout);
		return;
	}
	proof_print(update, stdout);
	print_given(why, update);
}
