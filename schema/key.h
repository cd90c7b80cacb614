/*
 * Idempotency keys: what makes two updates the same event.
 *
 * The first there is of: the header `idempotency-key`, a CloudEvent's source
 * and id, the source's `id` pointers, and, if the source allows it, the
 * record's position. A key counts within its view and place.
 * Source: design section 4, Idempotency key.
 */
#ifndef HOLDFAST_SCHEMA_KEY_H
#define HOLDFAST_SCHEMA_KEY_H

#include "schema/buffer.h"
#include "schema/cloud_event.h"
#include "schema/decode.h"

/* The numbers go into hashes that are stored: they never change. */
enum key_kind {
	KEY_NONE = 0,
	KEY_HEADER = 1,
	KEY_CLOUD_EVENT = 2,
	KEY_ID = 3,
	KEY_POSITION = 4
};

/* What the updates of one record share of their keys. */
struct identity {
	enum key_kind kind;
	struct slice parts; /* canonical, in the arena */
};

/* From the record alone: its header or CloudEvent attributes, or KEY_NONE.
 * `scratch` is overwritten; parts are in its arena. */
struct identity identity_of_record(const struct record *record,
	const struct cloud_event *cloud, struct buffer *scratch);

/* From source->ids: all of them must find a string, number or boolean, else
 * KEY_NONE. An integer that lost digits (`lossy`, json.h) is nobody's id. */
struct identity identity_of_ids(const struct source_schema *source,
	json_t *document, bool lossy, struct buffer *scratch);

/* From topic, partition, incarnation and offset. */
struct identity identity_of_position(
	const struct record *record, struct buffer *scratch);

/* The key of the update at `place` for the view of that name: SipHash-128
 * under `secret`. */
void key_of(const unsigned char *secret, const struct identity *identity,
	struct slice view_name, uint32_t place, struct buffer *scratch,
	unsigned char out[KEY_BYTES]);

#endif
