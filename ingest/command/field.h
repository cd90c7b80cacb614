/*
 * Fields: what can be set, described once. A table of fields parses texts into
 * a struct, checks bounds, fills defaults in, frees, and prints the help.
 *
 * Settings of the configuration (config.c) and options of the command line
 * (options.c) are both tables of fields.
 */
#ifndef HOLDFAST_INGEST_COMMAND_FIELD_H
#define HOLDFAST_INGEST_COMMAND_FIELD_H

#include "schema/fault.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define TEXTS_MAX 64 /* one option given so often is a script gone wrong */

struct texts {
	char *items[TEXTS_MAX];
	size_t count;
};

/* What a field's place in the struct holds. */
enum field_kind {
	FIELD_FLAG,	/* bool; options only */
	FIELD_TEXT,	/* char *, owned; NULL while unset */
	FIELD_TEXTS,	/* struct texts, owned: may be given again */
	FIELD_COUNT,	/* int64_t: a plain whole number */
	FIELD_DURATION, /* int64_t microseconds: a number and a unit */
	FIELD_SIZE,	/* int64_t bytes: a number and a unit */
	FIELD_SHARE,	/* double: 0 to 1 */
	FIELD_NUMBER,	/* double: 0 to `maximum` */
	FIELD_TIME	/* int64_t microseconds since 1970: RFC 3339 */
};

struct field {
	const char *name; /* "store.path"; an option's without its dashes */
	enum field_kind kind;
	size_t offset;	      /* offsetof() its place in the struct */
	const char *fallback; /* the default, as text; NULL: unset or zero */
	int64_t minimum, maximum; /* of numbers, in the place's unit */
	const char *argument;	  /* what the help calls the value */
	const char *help;
};

/* Fill `base`, a zeroed struct, with all defaults. Errors: FAULT_OOM. */
int fields_default(const struct field *fields, size_t count, void *base,
	struct fault *fault);

/*
 * Parse `text` (ignored for a flag) into the field's place. `where` says who
 * gave it, for messages: "holdfast.json", "--set". Errors: FAULT_USAGE,
 * FAULT_OOM; then the place keeps its value.
 */
int field_set(const struct field *field, void *base, const char *text,
	const char *where, struct fault *fault);

/* Free what the fields of `base` own. */
void fields_finish(const struct field *fields, size_t count, void *base);

/* NULL when there is none of that name. */
const struct field *field_find(
	const struct field *fields, size_t count, const char *name);

/* One field a line, with its default; `prefix` comes before each name. */
void fields_help(const struct field *fields, size_t count, const char *prefix,
	FILE *out);

#endif
