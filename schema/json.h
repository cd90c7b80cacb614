/*
 * JSON as this house reads it: strict, bounded, and by one policy for events,
 * keys and the schema file.
 *
 * UTF-8 only, no member twice, nothing behind the value, no deeper than a
 * limit. A number beyond int64 fails jansson's whole parse, and the event may
 * not even need it: then all integers are read as reals instead (`lossy`), and
 * whoever takes one beyond 2^53 must refuse it, since digits may be gone. A
 * real beyond double (1e999) can't be read by jansson at all: bad_json.
 * Source: design section 4; jansson 2.14 documentation, "Decoding" (measured:
 * JSON_DECODE_INT_AS_REAL does not help with 1e999).
 */
#ifndef HOLDFAST_SCHEMA_JSON_H
#define HOLDFAST_SCHEMA_JSON_H

#include "schema/arena.h"
#include "schema/disposition.h"
#include "schema/slice.h"

#include <jansson.h>
#include <stdbool.h>

/* From here on a double may stand for several integers. */
#define JSON_LOSSY_FROM 9007199254740992.0 /* 2^53 */

struct json_text {
	json_t *root; /* owned by the caller; NULL with a reason */
	size_t depth; /* at most so deep: brackets within brackets */
	bool lossy;   /* integers were read as reals */
	enum reason reason;
	const char *detail; /* in the arena, plain ASCII; NULL if none */
};

/*
 * What a program that owns its process calls once, before any JSON is read:
 * json_read() then knows of each request for memory that failed. jansson 2.14
 * does not: where the buffer of a token can't grow it drops a byte and goes on
 * (load.c, lex_save). Not for a library, whose host may use jansson, too.
 */
void json_process_init(void);

/*
 * Read `text`. What is wrong with it is *out's reason: BAD_JSON, BAD_UTF8,
 * DUPLICATE_MEMBER, TOO_DEEP. Errors: FAULT_OOM (without text).
 */
int json_read(struct slice text, size_t depth_max, struct arena *arena,
	struct json_text *out);

/* Drop every member whose name starts with two slashes, at any depth. */
void json_strip_comments(json_t *json);

/* Compact text of `json`, NUL-terminated; absent when out of memory. */
struct slice json_print(const json_t *json, struct arena *arena);

#endif
