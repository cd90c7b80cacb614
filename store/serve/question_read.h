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
	 * that no view asked for has is a mistake. Feast knows lists only,
	 * gives join keys of other views back and passes over the rest. */
	bool feast;
};

/* Fill in the parts' entities and the number of rows. */
int question_read_columns(
	struct question *question, const struct columns *columns);

/* A join key's value in row i: values[i * stride]. */
struct key_column {
	const struct entity_key *key; /* NULL: there is no such join key */
	const struct value *values;
	size_t stride;
};

/* The column of Feast's that has that name: of a view asked for, or of any
 * other. question_read_columns() was there before. */
int question_key_column(struct question *question,
	const struct columns *columns, const char *name,
	struct key_column *out);

#endif
