/*
 * A source around another one, which delivers what that one has as no good
 * source would, or in another order of partitions.
 *
 * Kafka delivers a record again after a restart, after a commit that was lost,
 * after a change of leader; here it is done on purpose, all the time.
 *
 * Threads: as ingest/source.h.
 */
#ifndef HOLDFAST_TESTS_WRAP_SOURCE_H
#define HOLDFAST_TESTS_WRAP_SOURCE_H

#include "ingest/source.h"

enum wrap_mode {
	WRAP_PLAIN, /* changes nothing */
	/* Each record comes twice in a row, and each block of records once
	 * more, from far below the fence. */
	WRAP_TWICE,
	/* The same copies, under offsets of their own: the fence can't know
	 * them again. */
	WRAP_RENUMBERED,
	/* One partition after the other: the next is held back until the one
	 * before was read to its end. */
	WRAP_IN_TURN
};

/* Takes `inner`, also on failure: source_close() closes it. A copy has a
 * timestamp one second later than its record, so that a key window of 0 does
 * not know it again, either. Errors: FAULT_OOM. */
int wrap_source_open(struct source **out, struct source *inner,
	enum wrap_mode mode, struct fault *fault);

#endif
