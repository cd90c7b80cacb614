/*
 * A source that another one's progress bounds: of each partition it gives what
 * lies below a limit, which may be raised while it runs.
 *
 * At its limit a partition is held at the source behind, and what it has come
 * to is told at the limit itself: gaps below it are passed. It is a SOURCE_END
 * where its log ends there, too, or where its owner stopped it; else a
 * SOURCE_LIMIT, since who takes that for an end lets keys go which copies in
 * the rest still meet (design section 6, key window).
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
	int64_t as_of_us;    /* what is told there */
	bool stopped;	     /* nothing beyond is taken before a `resume` */
};

/* Set a limit, or raise it; a lower one than before changes nothing. One that
 * stopped meanwhile is told anew.
 * Errors: FAULT_OOM, those of source_pause(). */
int bounded_source_limit(struct bounded_source *bounded,
	const struct source_limit *limit, struct fault *fault);

/* How many offsets, all in all, lie between what was given and the limits, gaps
 * included. A partition that may give everything counts INT64_MAX until the end
 * of its log was told, and nothing from there on. */
int64_t bounded_source_left(const struct bounded_source *bounded);

#endif
