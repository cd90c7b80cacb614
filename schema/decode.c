#include "schema/decode.h"

#include "schema/checksum.h"
#include "schema/decoding.h"
#include "schema/json.h"
#include "schema/line.h"
#include "schema/pointer.h"

/* Of memory for hashing, from record to record: a longer one pays for it. */
#define SCRATCH_KEPT_BYTES ((size_t)1 << 20)

void *decoding_take(struct decoding *decoding, size_t size)
{
	void *memory = arena_take(decoding->arena, size);
	decoding->out_of_memory |= memory == NULL;
	return memory;
}

bool decoding_reserve(struct decoding *decoding, size_t count)
{
	decoding->out->updates =
		decoding_take(decoding, count * sizeof(struct update));
	return decoding->out->updates != NULL;
}

void decoding_reject(
	struct decoding *decoding, enum reason reason, const char *detail)
{
	decoding->out->update_count = 0;
	if (!decoding_reserve(decoding, 1))
		return;
	decoding->out->updates[0] = (struct update){0};
	decoding->out->update_count = 1;
	update_blame(&decoding->out->updates[0], reason, detail);
}

struct update *decoding_update(
	struct decoding *decoding, uint32_t place, struct slice view_name)
{
	struct update *update =
		&decoding->out->updates[decoding->out->update_count++];
	*update = (struct update){
		.place = place,
		.has_key = true,
		.content = checksum(buffer_content(&decoding->scratch)),
		.view_name = view_name,
	};
	key_of(decoding->decoder->secret, &decoding->identity, view_name, place,
		&decoding->scratch, update->key);
	return update;
}

/* Read the value as JSON, and what stands around it in a line. False: the
 * record was rejected, or memory is out. */
static bool open_json(struct decoding *decoding)
{
	const struct decoder *decoder = decoding->decoder;
	bool is_line = decoding->record.form == RECORD_LINE;
	struct json_text json;
	if (decoding->record.value.length > decoder->value_bytes_max) {
		decoding_reject(decoding, REASON_TOO_LONG,
			arena_print(decoding->arena,
				"%zu bytes, the limit is %zu",
				decoding->record.value.length,
				decoder->value_bytes_max));
		return false;
	}
	/* In a line, the object around the value is one bracket more. */
	if (json_read(decoding->record.value, decoder->depth_max + is_line,
		    decoding->arena, &json) < 0) {
		decoding->out_of_memory = true;
		return false;
	}
	decoding->root = json.root;
	decoding->document = json.root;
	decoding->converter.lossy = json.lossy;
	bool whole = is_line && line_is_whole_record(json.root);
	if (json.root != NULL && !whole && json.depth > decoder->depth_max)
		json.reason = REASON_TOO_DEEP;
	if (json.reason != REASON_NONE) {
		decoding_reject(decoding, json.reason, json.detail);
		return false;
	}
	const char *wrong = NULL;
	if (whole && line_open(json.root, decoding->arena, &decoding->record,
			     &decoding->document, &wrong) < 0)
		decoding->out_of_memory = true;
	if (wrong != NULL)
		decoding_reject(decoding, REASON_BAD_EVENT, wrong);
	return wrong == NULL && !decoding->out_of_memory;
}

/* Everything that the updates of the record share. */
static bool open_record(struct decoding *decoding)
{
	if (decoding->record.value.data != NULL && !open_json(decoding))
		return false;
	const char *wrong = cloud_event_read(
		&decoding->record, &decoding->document, &decoding->cloud);
	if (wrong == NULL && decoding->source->envelope &&
		decoding->document != NULL &&
		!json_is_object(decoding->document))
		wrong = "the envelope must be an object";
	if (wrong != NULL) {
		decoding_reject(decoding, REASON_BAD_EVENT, wrong);
		return false;
	}
	return true;
}

/* A delete is idempotent by its version: without a key of its own its position
 * will do, whatever the source wants of others. */
static void identify(struct decoding *decoding)
{
	const struct source_schema *source = decoding->source;
	struct buffer *scratch = &decoding->scratch;
	struct identity *identity = &decoding->identity;
	*identity = identity_of_record(
		&decoding->record, &decoding->cloud, scratch);
	if (identity->kind == KEY_NONE && decoding->document != NULL)
		*identity = identity_of_ids(source, decoding->document,
			decoding->converter.lossy, scratch);
	if (identity->kind == KEY_NONE &&
		(decoding->document == NULL ||
			source->missing_key == MISSING_KEY_POSITION))
		*identity = identity_of_position(&decoding->record, scratch);
}

static void decode_form(struct decoding *decoding)
{
	if (decoding->document == NULL)
		decode_tombstone(decoding);
	else if (decoding->source->envelope)
		decode_envelope(decoding);
	else
		decode_mapped(decoding);
	/* A record that updates nothing needs no key. */
	if (decoding->identity.kind == KEY_NONE &&
		decoding->out->update_count > 0)
		decoding_reject(decoding, REASON_NO_KEY, NULL);
}

/* A line without timestamp takes its event's. */
static int64_t timestamp_of(const struct decoding *decoding)
{
	if (decoding->record.timestamp_us != TIMESTAMP_NONE ||
		decoding->record.form != RECORD_LINE ||
		decoding->event_time.reason != REASON_NONE)
		return decoding->record.timestamp_us;
	return decoding->event_time.us;
}

int decode_record(const struct decoder *decoder,
	const struct source_schema *source, const struct record *record,
	struct arena *arena, struct decoded *out, struct fault *fault)
{
	struct arena *scratch =
		decoder->scratch != NULL ? decoder->scratch : arena;
	if (decoder->scratch != NULL)
		arena_shrink(scratch, SCRATCH_KEPT_BYTES);
	struct decoding decoding = {
		.decoder = decoder,
		.source = source,
		.arena = arena,
		.record = *record,
		.converter = {.arena = arena},
		.scratch = BUFFER_INIT(scratch),
		.event_time = {.reason = REASON_NO_EVENT_TIME},
		.out = out,
	};
	*out = (struct decoded){.timestamp_us = record->timestamp_us};
	if (open_record(&decoding)) {
		identify(&decoding);
		decoding_read_time(&decoding);
		decode_form(&decoding);
	}
	out->timestamp_us = timestamp_of(&decoding);
	json_decref(decoding.root);
	if (decoding.out_of_memory || decoding.converter.out_of_memory ||
		decoding.scratch.failed)
		return fault_set(fault, FAULT_OOM, "out of memory");
	return 0;
}
