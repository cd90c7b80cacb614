/*
 * Dead letters and parked updates: what could not be applied, whole.
 *
 * The payload stands once a record in `_record`, however many of its updates
 * failed; `_dead` and `_parked` have a row an update.
 */
#ifndef HOLDFAST_STORE_LETTERS_H
#define HOLDFAST_STORE_LETTERS_H

#include "schema/record.h"
#include "schema/update.h"
#include "store/sql.h"

/* Next row numbers; a batch works on a copy until it is durable. */
struct letter_ids {
	int64_t record, dead, parked;
};

struct letters {
	sqlite3_stmt *put_record, *put_dead, *put_parked, *get_dead, *set_dead;
	struct letter_ids next;
};

int letters_init(struct letters *letters, sqlite3 *db, struct fault *fault);
void letters_finish(struct letters *letters);

/* Read the next row numbers from the tables. */
int letters_load(struct letters *letters, sqlite3 *db, struct fault *fault);

/* Keep a record; its row number is letters->next.record before the call. */
int letters_put_record(struct letters *letters, const struct record *record,
	int64_t timestamp_us, struct arena *arena, struct fault *fault);

/* An update that failed, and why. */
struct letter {
	int64_t record; /* its payload's row in _record */
	const struct update *update;
	enum reason reason;
	const char *detail;
	bool overtaken; /* of a dead one: its key went to a correction */
};

/* Keep it. Its row number goes to *out. */
int letters_put_dead(struct letters *letters, const struct letter *letter,
	int64_t *out, struct fault *fault);
int letters_put_parked(struct letters *letters, const struct letter *letter,
	int64_t *out, struct fault *fault);

/* The producer sent a correction: retry must refuse this letter. */
int letters_overtake(struct letters *letters, int64_t dead, struct arena *arena,
	struct fault *fault);

#endif
