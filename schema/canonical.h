/*
 * JSON values as bytes that are equal exactly when the values are: numbers by
 * value (1 and 1.0 and 10e-1 are one number), members in bytewise order of
 * their names. For hashes of keys and content, which outlive this process:
 * the form never changes.
 */
#ifndef HOLDFAST_SCHEMA_CANONICAL_H
#define HOLDFAST_SCHEMA_CANONICAL_H

#include "schema/buffer.h"

#include <jansson.h>

/* Append `json`; NULL appends a mark for "not there". */
void canonical_json(struct buffer *out, json_t *json);

/* Append an object as if it had no member `left_out`. */
void canonical_object_without(
	struct buffer *out, json_t *object, const char *left_out);

/* Are both scalars, and the same value? */
bool canonical_same(const json_t *a, const json_t *b);

#endif
