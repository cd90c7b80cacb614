/*
 * JSON pointers. Source: RFC 6901.
 */
#ifndef HOLDFAST_SCHEMA_POINTER_H
#define HOLDFAST_SCHEMA_POINTER_H

#include "schema/arena.h"
#include "schema/schema.h"

#include <jansson.h>

#define POINTER_TOKENS_MAX 64 /* as deep as an event may be */

enum pointer_outcome { POINTER_GOOD = 0, POINTER_WRONG = 1 };

/*
 * Split and unescape `text` into *out, in `arena`. POINTER_WRONG: it is no
 * pointer, *wrong says why. Errors: FAULT_OOM (without text).
 */
int pointer_parse(struct pointer *out, const char *text, struct arena *arena,
	const char **wrong);

/* What the pointer finds, borrowed from `root`; NULL if nothing. */
json_t *pointer_find(const struct pointer *pointer, json_t *root);

#endif
