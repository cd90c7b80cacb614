/*
 * What operators decided on the generation that was live, kept by the one that
 * takes its place at other offsets: a rollback, a restore. (One that stands
 * exactly where the live one stands has it all: store/carry.h.) Internal to
 * store/.
 *
 * A hold, a pause and a dropped letter are a person's, and that a record ends
 * the process took many starts to find; going back to older data must not undo
 * them without a word. What the other one holds of them is as old as its data:
 * where the live one can be read, its word counts alone, also for what was
 * released since. Where it can't be, or not whole, what can be read of it joins
 * what the other one has: rather a hold too many.
 */
#ifndef HOLDFAST_STORE_HANDOVER_H
#define HOLDFAST_STORE_HANDOVER_H

#include "store/carry.h"

struct handover_source {
	sqlite3 *db; /* the live one; NULL: it can't be opened, see `why` */
	/* Of one that its owner could open, and that nobody found damaged;
	 * NULL: of what it holds a part may be gone. */
	const struct schema *schema;
	const char *why;
};

/* Under way, in the successor's open transaction. */
struct handover_work {
	struct carry carry; /* the live one's partitions and the successor's */
	const struct handover_source *from;
	struct handover *out;
};

/*
 * Within the successor's open transaction. What of the live one can't be read
 * is told in out->missed, and no error.
 * Errors: as sql_fault() of the successor, FAULT_OOM.
 */
int handover_take(struct store *successor, const struct handover_source *from,
	struct handover *out, struct fault *fault);

/* Its part that is about letters (handover_letters.c). */
int handover_letters(struct handover_work *work, struct fault *fault);

/* And about what ended the process (handover_culprits.c). */
int handover_culprits(struct handover_work *work, struct fault *fault);

/* Reading `what` of the live one ended with `why`: note that. 0, or FAULT_OOM,
 * which says nothing of it. */
int handover_missed(struct handover_work *work, const char *what,
	const struct fault *why, struct fault *fault);

#endif
