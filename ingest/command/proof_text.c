#include "ingest/command/proof_text.h"

#include "ingest/command/value_text.h"
#include "schema/rfc3339.h"

#include <inttypes.h>

static const struct type text_type = {.kind = TYPE_STRING};

/* What came with an event, so that it can't talk to the terminal. */
static void plain_print(struct slice text, FILE *out)
{
	const struct value value = {.state = VALUE_SET, .as.bytes = text};
	value_print(&text_type, &value, out);
}

void time_print(int64_t us, FILE *out)
{
	char time[RFC3339_SIZE];
	fputs(us == TIMESTAMP_NONE ? "-" : rfc3339_print(us, time), out);
}

void time_print_json(int64_t us, FILE *out)
{
	char time[RFC3339_SIZE];
	if (us == TIMESTAMP_NONE)
		fputs("null", out);
	else
		fprintf(out, "\"%s\"", rfc3339_print(us, time));
}

void entity_print(
	const struct view *view, const struct value *entity, FILE *out)
{
	for (size_t i = 0; i < view->key_count; i++) {
		fputs(i == 0 ? "" : " ", out);
		value_print(&view->keys[i].type, &entity[i], out);
	}
}

void entity_print_json(
	const struct view *view, const struct value *entity, FILE *out)
{
	for (size_t i = 0; i < view->key_count; i++) {
		fputs(i == 0 ? "{" : ", ", out);
		string_print_json(slice_of(view->keys[i].name), out);
		fputs(": ", out);
		value_print_json(&view->keys[i].type, &entity[i], out);
	}
	fputc('}', out);
}

/* The feature that something is wrong with, or NULL. */
static const char *feature_of(const struct replay_update *update)
{
	enum proof_why why = update->proof.why;
	bool named = why == PROOF_WHY_OLDER || why == PROOF_WHY_OTHER_VALUE;
	return named ? update->update->view->features[update->proof.feature]
			       .name
		     : NULL;
}

/* Its entity is known only where nothing is wrong with it. */
static bool is_valid(const struct update *update)
{
	return update != NULL && update->reason == REASON_NONE;
}

static void print_subject(const struct update *update, FILE *out)
{
	if (update == NULL) {
		fputs("(not decoded: it ended the process)", out);
		return;
	}
	if (update->view_name.data == NULL)
		fputs("(whole record)", out);
	else
		plain_print(update->view_name, out);
	if (!is_valid(update)) {
		fprintf(out, "  %s", reason_name(update->reason));
		return;
	}
	fputc(' ', out);
	entity_print(update->view, update->entity, out);
	fputs("  ", out);
	time_print(update->event_us, out);
}

void proof_print(const struct replay_update *update, FILE *out)
{
	const struct record *record = &update->record->record;
	const char *feature = feature_of(update);
	fprintf(out, "%-10s  %s:%" PRId32 " @%" PRId64 ".%" PRIu32 "  ",
		proof_answer_name(update->proof.answer), record->log->topic,
		record->log->partition, record->offset,
		update->update == NULL ? 0 : update->update->place);
	print_subject(update->update, out);
	fprintf(out, "  %s%s%s%s\n", proof_why_text(update->proof.why),
		feature == NULL ? "" : " (", feature == NULL ? "" : feature,
		feature == NULL ? "" : ")");
}

static void print_update_json(const struct update *update, FILE *out)
{
	fprintf(out, ", \"place\": %" PRIu32, update->place);
	if (update->view_name.data != NULL) {
		fputs(", \"view\": ", out);
		string_print_json(update->view_name, out);
	}
	if (!is_valid(update)) {
		fprintf(out, ", \"reason\": \"%s\"",
			reason_name(update->reason));
		return;
	}
	fputs(", \"entity\": ", out);
	entity_print_json(update->view, update->entity, out);
	fputs(", \"event_time\": ", out);
	time_print_json(update->event_us, out);
}

void proof_print_json(const struct replay_update *update, FILE *out)
{
	const struct record *record = &update->record->record;
	const char *feature = feature_of(update);
	fprintf(out, "{\"answer\": \"%s\", \"why\": \"%s\"",
		proof_answer_name(update->proof.answer),
		proof_why_text(update->proof.why));
	if (feature != NULL)
		fprintf(out, ", \"feature\": \"%s\"", feature);
	fprintf(out,
		", \"topic\": \"%s\", \"partition\": %" PRId32
		", \"offset\": %" PRId64,
		record->log->topic, record->log->partition, record->offset);
	fputs(", \"record_time\": ", out);
	time_print_json(update->record->decoded.timestamp_us, out);
	if (update->update != NULL)
		print_update_json(update->update, out);
}
