/*
 * Loads: base data out of files, as records of logs of their own.
 *
 * A load's topic is its identity, from the file's content and the view: a name
 * that Kafka does not allow (`:`), so that no topic can be taken for it. Its
 * one partition holds a line's record, in holdfast's own envelope, at the
 * line's position in the file: what was loaded is below the fence, and loading
 * it again is nothing. So its updates need no idempotency keys.
 * Source: design sections 4 and 9.
 */
#ifndef HOLDFAST_SCHEMA_LOAD_H
#define HOLDFAST_SCHEMA_LOAD_H

#include "schema/decode.h"

#define LOAD_PREFIX "load:"
#define LOAD_TOPIC_SIZE 32 /* the prefix, 16 hex digits, NUL */

bool load_is_topic(const char *topic);

/* The topic of a file with this content, loaded into the view. */
void load_topic(
	struct slice content, const char *view, char out[LOAD_TOPIC_SIZE]);

/* decode_record() for a record of such a topic. A feature or key that the view
 * does not have is a dead letter. Errors: FAULT_OOM. */
int load_decode(const struct decoder *decoder, const struct record *record,
	struct arena *arena, struct decoded *out, struct fault *fault);

#endif
