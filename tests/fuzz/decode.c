/*
 * Records to the decoder, what they give to the merge.
 *
 * An input is records, with a line "====" between two: a line with the topic
 * and words (line, null, untimed), a line "name: value" for each header
 * (":key" is the record's key), an empty line, the value.
 */
#include "schema/digest.h"
#include "schema/load.h"
#include "schema/merge.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"
#include "tests/lib/decode_rig.h"

#include <stdlib.h>
#include <string.h>

#define RECORDS_MAX 8

/* A record, decoded, and the row that its updates go into. */
static struct rig *rig;
static struct arena again, scratch, rows;
static struct row held[RECORDS_MAX];

static void finish(void)
{
	void *state = rig;
	arena_finish(&again);
	arena_finish(&scratch);
	arena_finish(&rows);
	(void)rig_teardown(&state);
}

void fuzz_start(void)
{
	void *state = NULL;
	(void)rig_setup(&state);
	rig = state;
	rig->decoder.scratch = &scratch;
	(void)atexit(finish);
}

/* The record of an input; false: of no topic that there is. */
static void read_header(struct slice line)
{
	struct slice name = input_cut(&line, ": ");
	if (slice_equal(name, slice_of(":key"))) {
		rig->record.key = line;
		return;
	}
	if (rig->record.header_count < RIG_HEADERS_MAX)
		rig->headers[rig->record.header_count++] =
			(struct header){name, line};
}

static void read_word(struct slice word)
{
	if (slice_equal(word, slice_of("line")))
		rig->record.form = RECORD_LINE;
	else if (slice_equal(word, slice_of("null")))
		rig->record.value = (struct slice){NULL, 0};
	else if (slice_equal(word, slice_of("untimed")))
		rig->record.timestamp_us = TIMESTAMP_NONE;
}

static struct slice read_record(struct slice text)
{
	struct slice line = input_cut(&text, "\n");
	struct slice topic = input_cut(&line, " ");
	rig_plain(rig);
	for (struct slice header = input_cut(&text, "\n"); header.length > 0;
		header = input_cut(&text, "\n"))
		read_header(header);
	rig->record.value = text;
	while (line.length > 0)
		read_word(input_cut(&line, " "));
	if (rig->record.form == RECORD_LINE && rig->record.value.data == NULL)
		rig->record.value = text; /* lines have one */
	return topic;
}

static const struct source_schema *source_of(struct slice topic)
{
	for (size_t i = 0; i < rig->schema->source_count; i++)
		if (slice_equal(slice_of(rig->schema->sources[i].topic), topic))
			return &rig->schema->sources[i];
	return NULL;
}

/* Topics that the schema does not name are loads. */
static void decode(const struct source_schema *source,
	const struct record *record, struct arena *arena, struct decoded *out)
{
	struct fault fault = {0};
	int rc = source == NULL ? load_decode(&rig->decoder, record, arena, out,
					  &fault)
				: decode_record(&rig->decoder, source, record,
					  arena, out, &fault);
	must(rc == 0, "no record makes decoding fail");
}

static void check_valid(const struct update *update, bool load)
{
	must(update->view != NULL && update->detail == NULL, "a whole update");
	must(update->has_key != load, "a key, where it is no load");
	for (size_t i = 0; i < update->view->key_count; i++)
		must(update->entity[i].state == VALUE_SET, "all of the entity");
	for (size_t i = 0; i < update->assignment_count; i++) {
		const struct assignment *one = &update->assignments[i];
		must(one->feature < update->view->feature_count, "a feature");
		must(i == 0 || one->feature > one[-1].feature, "in order");
		must(one->value.state != VALUE_UNSET, "a value");
	}
	must(update->operation != OPERATION_DELETE ||
			update->assignment_count == 0,
		"deletes set nothing");
}

static void check_update(const struct update *update, bool load)
{
	enum reason reason = update->reason;
	if (reason == REASON_NONE) {
		check_valid(update, load);
		return;
	}
	must(reason < REASON_COUNT && reason != REASON_KEY_REUSED &&
			reason != REASON_OVERFLOW &&
			reason != REASON_LATE_DELETE &&
			reason != REASON_CRASH_LOOP,
		"a reason of the decoder's");
	must(update->detail != NULL, "a detail");
	must(update->has_key || update->place == 0, "keys behind the first");
	must(!update->parks || reason == REASON_UNKNOWN_VIEW ||
			reason == REASON_UNKNOWN_FEATURE,
		"parked is what may come");
}

static void must_be_equal(const struct update *a, const struct update *b)
{
	must(a->reason == b->reason && a->parks == b->parks &&
			a->place == b->place && a->has_key == b->has_key,
		"the same judgement");
	must(memcmp(a->key, b->key, KEY_BYTES) == 0 && a->content == b->content,
		"the same key and content");
	if (a->reason != REASON_NONE)
		return;
	must(a->view == b->view && a->operation == b->operation &&
			a->event_us == b->event_us &&
			a->ignored_features == b->ignored_features &&
			a->assignment_count == b->assignment_count,
		"the same update");
	for (size_t i = 0; i < a->view->key_count; i++)
		must(value_equal(a->view->keys[i].type.kind, &a->entity[i],
			     &b->entity[i]),
			"the same entity");
	for (size_t i = 0; i < a->assignment_count; i++) {
		size_t feature = a->assignments[i].feature;
		must(feature == b->assignments[i].feature &&
				value_equal(
					a->view->features[feature].type.kind,
					&a->assignments[i].value,
					&b->assignments[i].value),
			"the same values");
	}
}

static void must_be_the_same(const struct decoded *a, const struct decoded *b)
{
	must(a->update_count == b->update_count, "as many updates");
	must(a->timestamp_us == b->timestamp_us, "the same timestamp");
	for (size_t i = 0; i < a->update_count; i++)
		must_be_equal(&a->updates[i], &b->updates[i]);
}

/* The same JSON, written otherwise: jansson's way. NULL: it can't be told from
 * other JSON so. */
static char *written_anew(struct slice value)
{
	json_t *json = json_loadb(value.data, value.length,
		JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL,
		NULL);
	char *text = json == NULL ? NULL
				  : json_dumps(json, JSON_ENCODE_ANY |
							     JSON_ENSURE_ASCII |
							     JSON_INDENT(1));
	json_decref(json);
	return text;
}

static void check_written_anew(const struct source_schema *source)
{
	struct decoded out;
	struct record record = rig->record;
	char *text = written_anew(record.value);
	if (text == NULL)
		return;
	record.value = slice_of(text);
	decode(source, &record, &again, &out);
	must_be_the_same(&rig->out, &out);
	free(text);
}

/* Through the stored form and back. */
static void check_stored(const struct view *view, const struct value *entity,
	const struct row *row)
{
	static const struct log *logs[RECORDS_MAX];
	struct log_table table = {logs, rig->log.id};
	struct slice versions = {NULL, 0}, floor;
	struct row back = row_empty(view, &again);
	struct version version = {.log = &rig->log};
	logs[rig->log.id - 1] = &rig->log;
	must(row_encode_floor(row, &again, &floor), "memory");
	for (size_t i = 0; i < view->feature_count; i++) {
		back.cells[i].value = row->cells[i].value;
		if (back.cells[i].value.state == VALUE_NULL) /* a column's */
			back.cells[i].value.state = VALUE_UNSET;
	}
	must(row_decode_floor(&back, floor, table, NULL) == 0, "a floor");
	if (row_is_present(view, row)) {
		version = row_version(view, row);
		must(row_encode_versions(view, row, &again, &versions),
			"memory");
		must(row_decode_versions(
			     view, &back, &version, versions, table, NULL) == 0,
			"versions");
	}
	must(digest_equal(row_hash(view, entity, row),
		     row_hash(view, entity, &back)),
		"the same row from its stored form");
}

/* What a decimal's column holds gives it back. */
static void check_decimals(const struct view *view, const struct row *row)
{
	for (size_t i = 0; i < view->feature_count; i++) {
		const struct type *type = &view->features[i].type;
		const struct value *value = &row->cells[i].value;
		must(type->kind != TYPE_DECIMAL || value->state != VALUE_SET ||
				decimal_from_real(
					decimal_to_real(
						value->as.integer, type->scale),
					type->scale) == value->as.integer,
			"a decimal from its column");
	}
}

static void take(const struct update *update, int64_t offset)
{
	const struct view *view = update->view;
	struct row *row = &held[view - rig->schema->views];
	struct version version = {.event_us = update->event_us,
		.log = &rig->log,
		.offset = offset,
		.place = update->place};
	struct digest before = row_hash(view, update->entity, row);
	struct merged merged = merge(view, row, update, &version);
	must(merged.disposition == DISPOSITION_APPLIED ||
			digest_equal(
				before, row_hash(view, update->entity, row)),
		"what is not applied changes nothing");
	must((merged.disposition == DISPOSITION_DEAD) ==
			(merged.reason == REASON_OVERFLOW),
		"merging kills for overflow alone");
	check_stored(view, update->entity, row);
	check_decimals(view, row);
	if (view->accumulates)
		return;
	merged = merge(view, row, update, &version);
	must(merged.disposition == DISPOSITION_SUPERSEDED,
		"an update supersedes itself");
}

static void fuzz_record(struct slice text, int64_t offset)
{
	struct decoded out;
	const struct source_schema *source = source_of(read_record(text));
	rig->record.offset = offset;
	arena_reset(&again);
	decode(source, &rig->record, &rig->arena, &rig->out);
	decode(source, &rig->record, &again, &out);
	must_be_the_same(&rig->out, &out);
	check_written_anew(source);
	for (size_t i = 0; i < rig->out.update_count; i++) {
		check_update(&rig->out.updates[i], source == NULL);
		if (rig->out.updates[i].reason == REASON_NONE)
			take(&rig->out.updates[i], offset);
	}
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct slice copy = input_copy(data, size);
	struct slice rest = copy;
	arena_reset(&rig->arena);
	arena_reset(&rows);
	for (size_t i = 0; i < rig->schema->view_count; i++)
		held[i] = row_empty(&rig->schema->views[i], &rows);
	for (int64_t i = 0; i < RECORDS_MAX && rest.length > 0; i++)
		fuzz_record(input_cut(&rest, "\n====\n"), i);
	free((void *)(uintptr_t)copy.data);
}
