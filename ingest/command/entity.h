/*
 * An entity on the command line: VIEW KEY…, keys in the schema's order.
 */
#ifndef HOLDFAST_INGEST_COMMAND_ENTITY_H
#define HOLDFAST_INGEST_COMMAND_ENTITY_H

#include "schema/fault.h"
#include "schema/schema.h"

/* Errors: FAULT_USAGE, which names the nearest view; FAULT_OOM. */
int entity_find_view(const struct schema *schema, const char *name,
	const struct view **out, struct fault *fault);

/* arguments[0..count) into entity[0..view->key_count), borrowed.
 * Errors: FAULT_USAGE. */
int entity_parse(const struct view *view, char *const *arguments, size_t count,
	struct value *entity, struct fault *fault);

#endif
