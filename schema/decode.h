/*
 * Decoding: a record in, updates out. Pure: no clock, no I/O, no state.
 *
 * Never fails for what a record holds: what is wrong with it becomes the
 * `reason` of an update. Order of judgement, types, keys, the two forms
 * (mapping and envelope) and the NDJSON line: design section 4.
 */
#ifndef HOLDFAST_SCHEMA_DECODE_H
#define HOLDFAST_SCHEMA_DECODE_H

#include "schema/arena.h"
#include "schema/fault.h"
#include "schema/record.h"
#include "schema/update.h"

#define SECRET_BYTES 16

/* Limits with their defaults; configurable as `ingest.*`. */
/* A value: Kafka's default message.max.bytes. */
#define VALUE_BYTES_MAX ((size_t)1024 * 1024)
#define DEPTH_MAX 64 /* deeper is an attack or an accident */
#define MAX_SKEW_US (3600 * INT64_C(1000000))

struct decoder {
	const struct schema *schema;
	unsigned char secret[SECRET_BYTES]; /* the store's own, for keys */
	size_t value_bytes_max;
	uint32_t depth_max;
	int64_t max_skew_us;
	/* What is only hashed stands here, and is forgotten with the next
	 * record; borrowed. It takes up to 20 times a value's length. NULL: in
	 * the arena of the record. */
	struct arena *scratch;
};

/*
 * Decode `record` of `source`. Everything in *out is in `arena` or borrowed
 * from `record` and `decoder->schema`. A record that can't be decoded gives
 * one update with a reason, place 0 and no key.
 * Errors: FAULT_OOM.
 */
int decode_record(const struct decoder *decoder,
	const struct source_schema *source, const struct record *record,
	struct arena *arena, struct decoded *out, struct fault *fault);

#endif
