/*
 * A request's target, taken apart: path, segments, query; percent-decoding.
 *
 * Split first, decoded afterwards, so that an encoded slash, comma or
 * ampersand is part of a key and never a separator. Plus is a plus.
 * Source: RFC 3986, sections 2.4 and 3.4.
 */
#ifndef HOLDFAST_STORE_SERVE_PATH_H
#define HOLDFAST_STORE_SERVE_PATH_H

#include "schema/arena.h"
#include "schema/slice.h"

struct target {
	struct slice path;  /* without the slashes it starts with */
	struct slice query; /* behind the first '?'; absent without one */
	bool rooted;	    /* did it start with a slash? */
};

/* Borrows from `text`: "/path?query", or with "http://authority" before it
 * (RFC 9112, section 3.2.2). */
struct target target_split(struct slice text);

/* Cut the first piece off *rest, up to `separator`. Empty pieces are pieces;
 * an absent slice has none, an empty one has one. Returns whether there was
 * one. */
bool next_piece(struct slice *rest, char separator, struct slice *piece);

enum decoding {
	DECODED = 0,
	DECODING_BAD_ESCAPE = 1, /* '%' without two hexadecimal digits */
	DECODING_NUL = 2,
	DECODING_NOT_UTF8 = 3
};

/* *out is in `arena`, with a NUL behind it, or `text` itself where it has
 * nothing to decode. Errors: FAULT_OOM (without text). */
int percent_decode(struct slice text, struct arena *arena, struct slice *out);

/* What is wrong, for a message. */
const char *decoding_text(int outcome);

#endif
