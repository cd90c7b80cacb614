/*
 * From JSON values to typed ones, without silent coercion: 1.5 or 1.0 is no
 * int64, an integer that a double can't hold is no float64, 12.345 is no
 * decimal(2). Source: design section 4, Types.
 */
#ifndef HOLDFAST_SCHEMA_CONVERT_H
#define HOLDFAST_SCHEMA_CONVERT_H

#include "schema/arena.h"
#include "schema/disposition.h"
#include "schema/schema.h"

#include <jansson.h>
#include <stdbool.h>

struct converter {
	struct arena *arena; /* bytes of values and texts of details */
	bool lossy;	     /* the JSON was read as json.h says */
	const char *detail;  /* what was wrong with the last value refused */
	bool out_of_memory;  /* remembered; values are then unusable */
};

/* A value that is not null. REASON_NONE, TYPE_MISMATCH, OUT_OF_RANGE or
 * WRONG_LENGTH; *out is set with REASON_NONE only. */
enum reason convert_json(struct converter *converter, const struct type *type,
	const json_t *json, struct value *out);

/* Also null, where the feature allows it; the detail names the feature. */
enum reason convert_feature(struct converter *converter,
	const struct feature *feature, const json_t *json, struct value *out);

/* REASON_NONE, or OUT_OF_BOUNDS: beyond minimum, maximum, max_length. */
enum reason convert_bounds(struct converter *converter,
	const struct feature *feature, const struct value *value);

/* One join key: REASON_NONE, MISSING_ENTITY (`json` NULL or null) or
 * BAD_ENTITY. */
enum reason convert_key(struct converter *converter,
	const struct entity_key *key, const json_t *json, struct value *out);

/* An integer as the event wrote it: TYPE_MISMATCH for everything else,
 * OUT_OF_RANGE where digits may be gone. */
enum reason convert_integer(
	struct converter *converter, const json_t *json, int64_t *out);

/* "12.345", "a string", "null": what an event gave, for messages. */
const char *convert_describe(struct arena *arena, const json_t *json);

#endif
