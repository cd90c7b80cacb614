/*
 * Damage of the store (store/damage.h), for a process that goes on without
 * ingest until the store is repaired.
 */
#ifndef HOLDFAST_INGEST_COMMAND_REPAIR_H
#define HOLDFAST_INGEST_COMMAND_REPAIR_H

#include "schema/fault.h"

/* Ingest ended with *fault, FAULT_CORRUPT, and closed the store in directory
 * `path`. Where nothing is remembered of it yet, all of the store is looked at
 * now. 1: damage is remembered, and *fault says it. 0: none is, *fault is as it
 * was. */
int repair_is_needed(const char *path, struct fault *fault);

/* Wait until no damage of the live generation is remembered any more; the
 * store's lock is free meanwhile, for whoever puts another one in its place.
 * 1: so it is. 0: told to stop. */
int repair_await(const char *path, const struct fault *why);

#endif
