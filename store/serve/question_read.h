/*
 * Reading questions from requests: a path, the body of a lookup, columns of
 * entities. Results: as question.h.
 */
#ifndef HOLDFAST_STORE_SERVE_QUESTION_READ_H
#define HOLDFAST_STORE_SERVE_QUESTION_READ_H

#include "store/serve/question.h"

/* Deeper than any question; jansson recurses. */
#define REQUEST_DEPTH_MAX 32

/* "{view}/{key}[/{key}…]" and the query behind it, both still encoded; `path`
 * is absent where nothing follows the route. */
int question_read_path(
	struct question *question, struct slice path, struct slice query);

/* The body of POST /v1/lookup. */
int question_read_lookup(struct question *question, struct slice body);

/* A body that must be a JSON object. */
struct body {
	json_t *root; /* owned by the caller; NULL unless 0 is returned */
	bool lossy;   /* as json.h says */
};
int question_read_body(
	struct question *question, struct slice text, struct body *out);

/* What `entities` holds: values of join keys by name, one list each. */
struct columns {
	json_t *entities; /* borrowed */
	bool lossy;
	/* Of lookups: single values are broadcast over the lists, and a key
	 * that no view asked for has is a mistake. Feast knows lists only and
	 * passes over such keys. */
	bool feast;
};

/* Fill in the parts' entities and the number of rows. */
int question_read_columns(
	struct question *question, const struct columns *columns);

/* Does a view asked for have a join key of that name? The schema's own copy
 * of it, or NULL. */
const char *question_join_key(
	const struct question *question, const char *name);

#endif
