/*
 * How many bytes letters keep, by log and kind: kept up to date with each
 * letter, so that nobody walks through their tables to ask.
 *
 * A record's payload counts once for its parked updates and once for its dead
 * ones, however many they are. A batch works beside what is durable, as
 * store/keys.h says. Internal to store/.
 */
#ifndef HOLDFAST_STORE_LETTER_BYTES_H
#define HOLDFAST_STORE_LETTER_BYTES_H

#include "store/letter.h"
#include "store/sql.h"

/* What rows and indices add to a payload: so many small ones count, too. */
#define LETTER_ROW_BYTES 256

struct letter_weight {
	int64_t bytes[2]; /* by letter_kind */
};

struct letter_bytes {
	sqlite3_stmt *weigh[2];	       /* NULL: nobody asks */
	struct letter_weight *durable; /* durable[0..count), by log id - 1 */
	struct letter_weight *open;    /* what the open batch adds */
	size_t count;
};

/* Prepare, where it was not, and read it from the tables: a walk; forgets an
 * open batch. Errors: FAULT_OOM, as sql_fault(). */
int letter_bytes_load(
	struct letter_bytes *bytes, sqlite3 *db, struct fault *fault);
void letter_bytes_finish(struct letter_bytes *bytes);

/* A letter of that record was just written, or is about to be removed. Errors:
 * as letter_bytes_load(). */
int letter_bytes_add(struct letter_bytes *bytes, enum letter_kind kind,
	int64_t record, struct fault *fault);
int letter_bytes_remove(struct letter_bytes *bytes, enum letter_kind kind,
	int64_t record, struct fault *fault);

/* The batch is durable: what it added, in all / it never was. */
struct letter_weight letter_bytes_settle(struct letter_bytes *bytes);
void letter_bytes_forget(struct letter_bytes *bytes);

int64_t letter_bytes_of(const struct letter_bytes *bytes, const struct log *log,
	enum letter_kind kind);

#endif
