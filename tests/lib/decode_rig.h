/*
 * A decoder with a schema to try records on. JSON in tests is written with
 * single quotes for double ones.
 */
#ifndef HOLDFAST_TESTS_DECODE_RIG_H
#define HOLDFAST_TESTS_DECODE_RIG_H

#include "schema/decode.h"

#define RIG_HEADERS_MAX 8

/* 2026-11-23T08:20:48Z, the timestamp of the rig's records. */
#define RIG_TIME_US INT64_C(1795422048000000)

struct rig {
	struct schema *schema;
	struct decoder decoder;
	struct arena arena;
	struct log log;
	struct header headers[RIG_HEADERS_MAX];
	struct record record; /* what the next rig_decode() decodes */
	struct decoded out;
};

/* cmocka's setup and teardown: *state is a rig. */
int rig_setup(void **state);
int rig_teardown(void **state);
#define WITH_RIG(test)                                                         \
	cmocka_unit_test_setup_teardown(test, rig_setup, rig_teardown)

/* `text` with double quotes, in the rig's arena. */
struct slice rig_json(struct rig *rig, const char *text);

/* Give the record one more header. A NULL value is null. */
void rig_header(struct rig *rig, const char *name, const char *value);

/* No headers, no key, a message, the rig's timestamp. */
void rig_plain(struct rig *rig);

/* Decode the record as one of `topic` with this value (NULL: a null value).
 * Returns the first update; NULL if there is none. */
const struct update *rig_decode(
	struct rig *rig, const char *topic, const char *value);

/* The same for a line of a file. */
const struct update *rig_decode_line(
	struct rig *rig, const char *topic, const char *line);

#endif
