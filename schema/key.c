#include "schema/key.h"

#include "schema/canonical.h"
#include "schema/json.h"
#include "schema/pointer.h"

#include <assert.h>
#include <math.h>
#include <sodium.h>

static_assert(crypto_shorthash_siphashx24_BYTES == KEY_BYTES, "SipHash-128");
static_assert(crypto_shorthash_siphashx24_KEYBYTES == SECRET_BYTES, "its key");

static struct identity identity(enum key_kind kind, struct buffer *scratch)
{
	struct slice parts = buffer_content(scratch);
	if (kind == KEY_NONE)
		return (struct identity){KEY_NONE, {NULL, 0}};
	parts = arena_copy(scratch->arena, parts);
	scratch->failed |= parts.data == NULL;
	return (struct identity){kind, parts};
}

/* The IETF's draft has a structured string, in quotes; many send it bare. Both
 * name the same event. Source: draft-ietf-httpapi-idempotency-key-header. */
static struct slice unquoted(struct slice text)
{
	if (text.length >= 2 && text.data[0] == '"' &&
		text.data[text.length - 1] == '"')
		return (struct slice){text.data + 1, text.length - 2};
	return text;
}

struct identity identity_of_record(const struct record *record,
	const struct cloud_event *cloud, struct buffer *scratch)
{
	struct slice header =
		unquoted(record_header(record, "idempotency-key"));
	enum key_kind kind = KEY_NONE;
	scratch->length = 0;
	if (header.length > 0) {
		kind = KEY_HEADER;
		buffer_slice(scratch, header);
	} else if (cloud->identified) {
		kind = KEY_CLOUD_EVENT;
		buffer_slice(scratch, cloud->source);
		buffer_slice(scratch, cloud->id);
	}
	return identity(kind, scratch);
}

static bool is_id(const json_t *json, bool lossy)
{
	if (lossy && json_is_real(json) &&
		fabs(json_real_value(json)) >= JSON_LOSSY_FROM)
		return false;
	return json_is_string(json) || json_is_number(json) ||
	       json_is_boolean(json);
}

struct identity identity_of_ids(const struct source_schema *source,
	json_t *document, bool lossy, struct buffer *scratch)
{
	scratch->length = 0;
	for (size_t i = 0; i < source->id_count; i++) {
		json_t *id = pointer_find(&source->ids[i], document);
		if (!is_id(id, lossy))
			return identity(KEY_NONE, scratch);
		canonical_json(scratch, id);
	}
	return identity(source->id_count == 0 ? KEY_NONE : KEY_ID, scratch);
}

struct identity identity_of_position(
	const struct record *record, struct buffer *scratch)
{
	scratch->length = 0;
	buffer_slice(scratch, slice_of(record->log->topic));
	buffer_u32(scratch, (uint32_t)record->log->partition);
	buffer_u32(scratch, record->log->incarnation);
	buffer_u64(scratch, (uint64_t)record->offset);
	return identity(KEY_POSITION, scratch);
}

void key_of(const unsigned char *secret, const struct identity *identity,
	struct slice view_name, uint32_t place, struct buffer *scratch,
	unsigned char out[KEY_BYTES])
{
	scratch->length = 0;
	buffer_byte(scratch, (unsigned char)identity->kind);
	buffer_slice(scratch, view_name);
	buffer_u32(scratch, place);
	buffer_bytes(scratch, identity->parts.data, identity->parts.length);
	struct slice bytes = buffer_content(scratch);
	crypto_shorthash_siphashx24(
		out, (const unsigned char *)bytes.data, bytes.length, secret);
}
