/*
 * Inside decode_record(): what is known of a record while its updates are
 * made, and the judgements that its forms share. Private to schema/decode*.c.
 */
#ifndef HOLDFAST_SCHEMA_DECODING_H
#define HOLDFAST_SCHEMA_DECODING_H

#include "schema/buffer.h"
#include "schema/cloud_event.h"
#include "schema/convert.h"
#include "schema/decode.h"
#include "schema/key.h"

/* The event time that all updates of a record have, or why they have none. */
struct event_time {
	enum reason reason;
	const char *detail;
	int64_t us;
	json_t *json; /* what the event gave; NULL: nothing */
};

struct decoding {
	const struct decoder *decoder;
	const struct source_schema *source;
	struct arena *arena;
	struct record record; /* of a line: what the line says */
	json_t *root;	      /* owned: what was parsed */
	json_t *document;     /* the event; NULL: a null value */
	struct cloud_event cloud;
	struct identity identity;
	struct event_time event_time;
	struct converter converter;
	struct buffer scratch; /* for hashing */
	struct decoded *out;
	bool out_of_memory;
};

/* What an event gives for one feature. */
struct taken {
	size_t feature;
	json_t *json;		      /* NULL: take the constant */
	const struct value *constant; /* of the mapping */
};

/* Memory of the record's arena; NULL is remembered as out of memory. */
void *decoding_take(struct decoding *decoding, size_t size);

/* Room for `count` updates. False: out of memory. */
bool decoding_reserve(struct decoding *decoding, size_t count);

/* The record as a whole is at fault: one update without key. */
void decoding_reject(
	struct decoding *decoding, enum reason reason, const char *detail);

/* The next update, with key and content; the content is what stands in
 * `scratch`. `view_name` is kept as it is. */
struct update *decoding_update(
	struct decoding *decoding, uint32_t place, struct slice view_name);

/* Find the record's event time, once for all its updates. */
void decoding_read_time(struct decoding *decoding);

/* What is wrong with an update. Returns false, so that a chain of judgements
 * ends. A NULL detail is filled in from the reason. */
bool update_blame(
	struct update *update, enum reason reason, const char *detail);

/* The judgements, in the order of design section 4. False: blamed. */
bool judge_entity(struct decoding *decoding, struct update *update,
	json_t *const *entity);
bool judge_time(struct decoding *decoding, struct update *update);
bool judge_features(struct decoding *decoding, struct update *update,
	const struct taken *taken, size_t count);

/* The forms of a record. */
void decode_mapped(struct decoding *decoding);
void decode_envelope(struct decoding *decoding);
void decode_tombstone(struct decoding *decoding);

/* A delete from an envelope topic's key, {"view": …, "entity": {…}}; `key` is
 * NULL where there is none of that shape. */
void decode_envelope_key(struct decoding *decoding, json_t *key);

#endif
