/*
 * Letters that only one of two generations has, though both took the same log:
 * what became of these updates is not the same in both.
 */
#ifndef HOLDFAST_INGEST_COMMAND_REBUILD_LETTERS_H
#define HOLDFAST_INGEST_COMMAND_REBUILD_LETTERS_H

#include "store/letter_list.h"

/* Of each generation the first so many are looked at: 100 MB or so. */
#define LONE_LETTERS_MAX 1000000

struct lone_letter {
	enum letter_kind kind;
	int64_t id;
};

struct lone_letters {
	struct lone_letter *items; /* items[0..count), by kind and id */
	size_t count;
};

/*
 * Which letters of `one` are none of `other`'s: neither in the same place of
 * the log, nor, where copies of an event came in two partitions, under the same
 * key. How old a log is counts from the newest one, since a generation from the
 * log knows no older one. The caller frees out->items.
 * Errors: as reader_letters(), FAULT_OOM.
 */
int lone_letters_find(struct reader *one, struct reader *other,
	struct lone_letters *out, struct fault *fault);

/* How many logs of its partition are newer. */
int64_t log_age(const struct reader_status *status, const struct log *log);

#endif
