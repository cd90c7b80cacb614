/*
 * The tables of letters (store/letter.h): the payload stands once a record in
 * `_record`, however many of its updates failed; `_dead` and `_parked` have a
 * row an update.
 */
#ifndef HOLDFAST_STORE_LETTERS_H
#define HOLDFAST_STORE_LETTERS_H

#include "store/letter_bytes.h"
#include "store/partitions.h"
#include "store/sql.h"

/* Next row numbers; a batch works on a copy until it is durable. */
struct letter_ids {
	int64_t record, dead, parked;
};

struct letters {
	sqlite3_stmt *put_record, *get_record, *remove_record;
	sqlite3_stmt *put[2], *get[2], *remove[2]; /* by letter_kind */
	struct letter_ids next;
	struct letter_bytes bytes; /* the writer's alone loads it */
};

int letters_init(struct letters *letters, sqlite3 *db, struct fault *fault);
void letters_finish(struct letters *letters);

/* Read the next row numbers from the tables. */
int letters_load(struct letters *letters, sqlite3 *db, struct fault *fault);

/* Keep a record; its row number is letters->next.record before the call. */
int letters_put_record(struct letters *letters, const struct record *record,
	int64_t timestamp_us, struct arena *arena, struct fault *fault);

/* The record of a letter, in `arena`; its log is one of `logs`, its
 * next_offset is not kept and 1 beyond its offset. Errors: FAULT_CORRUPT when
 * it is not there. */
int letters_get_record(struct letters *letters, int64_t row,
	struct log_table logs, struct arena *arena, struct record *out,
	struct fault *fault);

/* Write it; one without id gets the next. */
int letters_put(
	struct letters *letters, struct letter *letter, struct fault *fault);

/* 1: found, *out is in `arena`. 0: there is none (any more). */
int letters_get(struct letters *letters, enum letter_kind kind, int64_t id,
	struct arena *arena, struct letter *out, struct fault *fault);

/* Take it away, and its record with the last letter of that. */
int letters_remove(struct letters *letters, const struct letter *letter,
	struct fault *fault);

#endif
