/*
 * JSON pointers. Source: RFC 6901.
 */
#ifndef HOLDFAST_SCHEMA_POINTER_H
#define HOLDFAST_SCHEMA_POINTER_H

#include "schema/arena.h"
#include "schema/schema.h"

#include <jansson.h>

#define POINTER_TOKENS_MAX 64 /* as deep as an event may be */

/*
 * Split and unescape `text` into *out, in `arena`. NULL, or what is wrong with
 * it: "does not start with /". Out of memory is said in the same way.
 */
const char *pointer_parse(
	struct pointer *out, const char *text, struct arena *arena);

/* What the pointer finds, borrowed from `root`; NULL if nothing. */
json_t *pointer_find(const struct pointer *pointer, json_t *root);

#endif
