/*
 * Lines of NDJSON: a record's value, or an object that is a whole record.
 *
 * An object with the member `value` and none but `key`, `headers`,
 * `timestamp`, `value` is a whole record: a key that is a string stands for
 * its bytes, any other for its compact JSON; headers are an object of strings;
 * the timestamp is milliseconds or RFC 3339; a null value is a delete.
 * Source: design section 4.
 */
#ifndef HOLDFAST_SCHEMA_LINE_H
#define HOLDFAST_SCHEMA_LINE_H

#include "schema/arena.h"
#include "schema/fault.h"
#include "schema/record.h"

#include <jansson.h>
#include <stdbool.h>

bool line_is_whole_record(const json_t *line);

/*
 * Put key, headers and timestamp of a whole record into *record in place of
 * what it has (but a timestamp only if there is one), in `arena`, and its value
 * into *value, borrowed from `line`; NULL for a null one. *wrong says what is
 * wrong with it, NULL if nothing. Errors: FAULT_OOM (without text).
 */
int line_open(json_t *line, struct arena *arena, struct record *record,
	json_t **value, const char **wrong);

/*
 * Read one line as the record to send for it: form RECORD_MESSAGE, no log, no
 * offset. The value is borrowed from `line`, the rest is in `arena`.
 * Errors: FAULT_USAGE (not JSON, wrong members), FAULT_OOM.
 */
int line_parse(struct slice line, struct arena *arena, struct record *out,
	struct fault *fault);

#endif
