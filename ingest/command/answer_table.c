#include "ingest/command/answer_table.h"

#include "ingest/command/elapsed.h"
#include "ingest/command/table.h"
#include "ingest/command/value_text.h"
#include "schema/rfc3339.h"

#include <stdlib.h>

/* "fresh", "default (ttl)"; a missing value is missing, without more. */
static void add_verdict(struct table *table, struct verdict verdict)
{
	const char *status = value_status_name(verdict.status);
	if (verdict.reason == VALUE_REASON_NONE ||
		(verdict.status == VALUE_MISSING &&
			verdict.reason == VALUE_REASON_MISSING))
		table_add(table, "%s", status);
	else
		table_add(table, "%s (%s)", status,
			value_reason_name(verdict.reason));
}

static void add_times(struct table *table, int64_t event_us, int64_t now_us)
{
	char time[RFC3339_SIZE], age[ELAPSED_SIZE];
	bool none = event_us == TIMESTAMP_NONE;
	table_add(table, "%s", none ? "-" : rfc3339_print(event_us, time));
	table_add(table, "%s",
		none ? "-" : elapsed_print(now_us - event_us, age));
}

static void add_part(struct table *table,
	const struct lookup_part_answer *answer, int64_t now_us)
{
	const struct lookup_part *part = answer->part;
	for (size_t i = 0; i < part->feature_count; i++) {
		const struct feature *feature =
			&part->view->features[part->features[i]];
		const struct lookup_value *value = &answer->values[i];
		char *text = value_text(&feature->type, &value->value);
		table_add(table, "%s", feature->name);
		table_add(table, "%s", text == NULL ? "?" : text);
		add_verdict(table, value->verdict);
		add_times(table, value->event_time_us, now_us);
		free(text);
	}
}

static void print_head(const struct lookup_answer *answer, FILE *out)
{
	char time[RFC3339_SIZE], lag[ELAPSED_SIZE];
	fprintf(out, "generation %s, ", answer->generation);
	if (answer->as_of_us == TIMESTAMP_NONE)
		fputs("as of never, lag unknown: what feeds this view was not "
		      "read whole yet\n",
			out);
	else
		fprintf(out, "as of %s, lag %s\n",
			rfc3339_print(answer->as_of_us, time),
			elapsed_print(answer->lag_us, lag));
}

int answer_print(const struct lookup_answer *answer, int64_t now_us, FILE *out,
	struct fault *fault)
{
	static const struct column columns[] = {{"feature", false},
		{"value", false}, {"status", false}, {"event_time", false},
		{"age", true}};
	struct table *table = table_new(columns, 5);
	if (table == NULL)
		return fault_set(fault, FAULT_OOM, "out of memory");
	for (size_t i = 0; i < answer->part_count; i++)
		add_part(table, &answer->parts[i], now_us);
	print_head(answer, out);
	bool printed = table_print(table, out);
	table_free(table);
	return printed ? 0 : fault_set(fault, FAULT_OOM, "out of memory");
}

static void print_refused(
	const struct lookup_part_answer *answer, size_t *printed, FILE *out)
{
	const struct lookup_part *part = answer->part;
	size_t count = part->entity_count * part->feature_count;
	for (size_t i = 0; i < count; i++) {
		struct verdict verdict = answer->values[i].verdict;
		size_t feature = part->features[i % part->feature_count];
		if (verdict.status != VALUE_REFUSED)
			continue;
		fprintf(out, "%s%s (%s)", (*printed)++ == 0 ? "" : ", ",
			part->view->features[feature].name,
			value_reason_name(verdict.reason));
	}
}

void refused_print(const struct lookup_answer *answer, FILE *out)
{
	size_t printed = 0;
	for (size_t i = 0; i < answer->part_count; i++)
		print_refused(&answer->parts[i], &printed, out);
}
