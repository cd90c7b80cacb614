/*
 * File descriptors: how many the process may open.
 */
#ifndef HOLDFAST_STORE_SERVE_DESCRIPTORS_H
#define HOLDFAST_STORE_SERVE_DESCRIPTORS_H

#include <stddef.h>

/* Raise the process's soft limit to `wanted`, as far as its hard limit allows.
 * Returns the limit then, which may be less, or more. */
size_t descriptors_raise(size_t wanted);

#endif
