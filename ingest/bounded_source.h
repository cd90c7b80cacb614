/*
 * A source that another one's progress bounds: of each partition it gives what
 * lies below a limit, which may be raised while it runs.
 *
 * At its limit a partition is held at the source behind, and the end it has
 * come to is told as SOURCE_END at the limit itself: gaps below it are passed.
 * A partition without a limit gives nothing yet; one of a topic that is free
 * gives everything. Nothing is committed. So a generation is built that never
 * runs ahead of the live one.
 *
 * Threads: as ingest/source.h.
 */
#ifndef HOLDFAST_INGEST_BOUNDED_SOURCE_H
#define HOLDFAST_INGEST_BOUNDED_SOURCE_H

#include "ingest/source.h"

struct bounded_source; /* opaque */

/* `inner` is owned from here on, on failure too. The caller owns *out and
 * closes it by bounded_source_of() and source_close(). Errors: FAULT_OOM. */
int bounded_source_open(
	struct bounded_source **out, struct source *inner, struct fault *fault);

/* The same as a source: valid as long as that. */
struct source *bounded_source_of(struct bounded_source *bounded);

struct source_limit {
	const char *topic;
	int32_t partition;
	int64_t next_offset; /* records below; INT64_MAX: all */
	int64_t as_of_us;    /* what SOURCE_END says there */
};

/* Set a limit, or raise it; a lower one than before changes nothing.
 * Errors: FAULT_OOM, those of source_pause(). */
int bounded_source_limit(struct bounded_source *bounded,
	const struct source_limit *limit, struct fault *fault);

/* How many offsets, all in all, lie between what was given and the limits, gaps
 * included. A partition that may give everything counts INT64_MAX until the end
 * of its log was told, and nothing from there on. */
int64_t bounded_source_left(const struct bounded_source *bounded);

#endif
