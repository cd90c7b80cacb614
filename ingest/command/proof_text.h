/*
 * An update of the log and what the store holds of it, for people and for
 * programs: what `replay` and `why` have in common.
 */
#ifndef HOLDFAST_INGEST_COMMAND_PROOF_TEXT_H
#define HOLDFAST_INGEST_COMMAND_PROOF_TEXT_H

#include "ingest/replay.h"

#include <stdio.h>

/* "missing    flights:0 @4711.0  aircraft N10156  2013-…  the entity has no
 * row" */
void proof_print(const struct replay_update *update, FILE *out);

/* One object up to, not with, its end: more may follow. */
void proof_print_json(const struct replay_update *update, FILE *out);

/* "N10156 7"; control characters as \xNN. */
void entity_print(
	const struct view *view, const struct value *entity, FILE *out);

/* {"tailnum": "N10156", "day": 7} */
void entity_print_json(
	const struct view *view, const struct value *entity, FILE *out);

/* RFC 3339, "-" (JSON: null) for TIMESTAMP_NONE. */
void time_print(int64_t us, FILE *out);
void time_print_json(int64_t us, FILE *out);

#endif
