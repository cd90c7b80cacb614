/*
 * What a store lives through, each chapter a few dozen steps from an open
 * directory to a closed one. A chapter played again where it broke off, or was
 * whole, ends well and with the same store.
 */
#ifndef HOLDFAST_TESTS_WALK_CHAPTERS_H
#define HOLDFAST_TESTS_WALK_CHAPTERS_H

#include "tests/walk/stage.h"

struct chapter {
	const char *name;
	/* Make the store it begins with; NULL: there is none. */
	int (*before)(struct stage *stage);
	int (*play)(struct stage *stage);
};

extern const struct chapter chapters[];
extern const int chapter_count;

#endif
