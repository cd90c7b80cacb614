/*
 * Inside the schema loader: where in the file we are, and the checks that
 * every part of it shares. Private to schema/schema*.c.
 */
#ifndef HOLDFAST_SCHEMA_SCHEMA_READ_H
#define HOLDFAST_SCHEMA_SCHEMA_READ_H

#include "schema/arena.h"
#include "schema/schema.h"

#include <stdbool.h>

struct reader {
	struct schema *schema; /* being filled */
	struct arena *arena;   /* its memory */
	const char *name;      /* of the file */
	struct fault *fault;
};

/* A place in the file, as a chain towards the root; made on the stack. */
struct place {
	const struct place *above; /* NULL: the root */
	const char *member;	   /* NULL: an array's element */
	size_t index;
};

/* A list of names: the members an object may have. */
struct names {
	const char *const *list;
	size_t count;
};

#define NAMES_OF(array)                                                        \
	((struct names){(array), sizeof(array) / sizeof *(array)})

/* FAULT_USAGE: "<file>: <pointer to the place>: <what is wrong>". */
int reader_refuse(const struct reader *reader, const struct place *place,
	const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Zeroed memory in the schema's arena; NULL with FAULT_OOM set. */
void *reader_take(const struct reader *reader, size_t size);

/* `json` must be an object and have no other members than these; with no
 * names, any. */
int reader_object(const struct reader *reader, const struct place *place,
	json_t *json, struct names members);

/* A name that may stand for a table or a column. */
int reader_name(const struct reader *reader, const struct place *place,
	const char *name);

/* The index of the member's text in `choices`; `otherwise` where there is no
 * such member. Negative: a fault. */
int reader_choice(const struct reader *reader, const struct place *object_place,
	const json_t *object, const char *member, struct names choices,
	int otherwise);

/* The member's text; *out stays as it is where there is none. */
int reader_text(const struct reader *reader, const struct place *object_place,
	const json_t *object, const char *member, const char **out);

/* The member as a duration above zero; *out_us stays where there is none. */
int reader_duration(const struct reader *reader,
	const struct place *object_place, const json_t *object,
	const char *member, int64_t *out_us);

/* `text`, or the string that `json` must be, as an RFC 6901 pointer. */
int reader_pointer(const struct reader *reader, const struct place *place,
	const char *text, struct pointer *out);
int reader_json_pointer(const struct reader *reader, const struct place *place,
	const json_t *json, struct pointer *out);

/* Refuse a name that `what` does not have, naming the nearest of `known`. */
int reader_unknown(const struct reader *reader, const struct place *place,
	const char *what, const char *name, struct names known);

/* The names of things[0..count), views, features or keys: `size` bytes each,
 * beginning with the name. */
int reader_names(const struct reader *reader, const void *things, size_t count,
	size_t size, struct names *out);

/* The parts of the file. Errors: FAULT_USAGE, FAULT_OOM. */
int read_views(struct reader *reader, const struct place *place, json_t *json);
int read_sources(
	struct reader *reader, const struct place *place, json_t *json);
int read_services(
	struct reader *reader, const struct place *place, json_t *json);

#endif
