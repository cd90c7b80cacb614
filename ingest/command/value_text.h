/*
 * Values as people and programs read them.
 */
#ifndef HOLDFAST_INGEST_COMMAND_VALUE_TEXT_H
#define HOLDFAST_INGEST_COMMAND_VALUE_TEXT_H

#include "schema/slice.h"
#include "schema/value.h"

#include <stdbool.h>
#include <stdio.h>

/*
 * Print for people: times as RFC 3339, decimals with their scale, bytes as
 * base64, vectors as JSON arrays, "-" for unset, "null". Control characters of
 * strings are shown as \xNN, so that no value can talk to the terminal.
 */
void value_print(const struct type *type, const struct value *value, FILE *out);

/* The same as a JSON value; unset is null, too. */
void value_print_json(
	const struct type *type, const struct value *value, FILE *out);

/* A JSON string, quotes included. */
void string_print_json(struct slice text, FILE *out);

/* value_print() to a text of its own, freed by the caller; NULL when out of
 * memory. */
char *value_text(const struct type *type, const struct value *value);

/* The int64 that `text` is, and nothing but; a minus is allowed. */
bool int64_parse(const char *text, int64_t *out);

#endif
