/*
 * Borrowed bytes, by value: not NUL-terminated, never owned.
 */
#ifndef HOLDFAST_SCHEMA_SLICE_H
#define HOLDFAST_SCHEMA_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
	const char *data; /* NULL: absent, which differs from empty */
	size_t length;
};

static inline struct slice slice_of(const char *text)
{
	return (struct slice){text, text == NULL ? 0 : strlen(text)};
}

static inline bool slice_equal(struct slice a, struct slice b)
{
	return a.length == b.length &&
	       (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

/* Bytewise order, as Kafka's and SQLite's BINARY: <0, 0, >0. */
static inline int slice_compare(struct slice a, struct slice b)
{
	size_t shared = a.length < b.length ? a.length : b.length;
	int order = shared == 0 ? 0 : memcmp(a.data, b.data, shared);
	if (order != 0)
		return order;
	return a.length < b.length ? -1 : a.length > b.length;
}

#endif
