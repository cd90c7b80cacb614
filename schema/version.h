/*
 * Versions: the total order in which updates of one feature win.
 *
 * A version is (event_time, topic, partition, incarnation, offset, place),
 * compared in that order, topics bytewise. Equal versions are the same update.
 * Source: design section 5.
 */
#ifndef HOLDFAST_SCHEMA_VERSION_H
#define HOLDFAST_SCHEMA_VERSION_H

#include <stdbool.h>
#include <stdint.h>

/* One incarnation of one partition's log. Interned by the store: two versions
 * of the same log share the pointer, and `id` names it in stored rows. */
struct log {
	const char *topic;
	int32_t partition;
	uint32_t incarnation; /* 0 for the first, +1 by `resume --new-log` */
	uint32_t id;	      /* the store's number for it, from 1 */
};

struct version {
	int64_t event_us; /* event time */
	const struct log *log;
	int64_t offset;
	uint32_t place; /* index of the update within its record */
};

/* -1, 0, 1. */
int version_compare(const struct version *a, const struct version *b);

#endif
