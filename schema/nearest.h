/*
 * The name somebody probably meant: for messages about unknown settings,
 * members, views and features.
 */
#ifndef HOLDFAST_SCHEMA_NEAREST_H
#define HOLDFAST_SCHEMA_NEAREST_H

#include <stddef.h>

/* The one of names[0..count) that differs from `given` by the fewest slips
 * (a character missing, added, changed, or two swapped), the first of equals;
 * NULL when none is so near that it helps to name it. */
const char *nearest_name(
	const char *given, const char *const *names, size_t count);

#endif
