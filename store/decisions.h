/*
 * The operator's hand: what a person decided about partitions, views and
 * letters, each on the record with who, when and why, in the transaction that
 * makes it so.
 *
 * Threads and results: as store/store.h. No SQLite type shows here.
 */
#ifndef HOLDFAST_STORE_DECISIONS_H
#define HOLDFAST_STORE_DECISIONS_H

#include "store/store.h"

#include <string.h>

/* Texts are never NULL; "" where there is nothing to say. */
struct decision {
	int64_t at_us;	     /* wall clock */
	const char *who;     /* the user that asked */
	const char *what;    /* "hold", "release", "pause", "resume", … */
	const char *target;  /* "card:spend", "payments.v1:3", "dead 12" */
	const char *because; /* in the operator's words */
};

/* Letters were retried by force: those of reused keys, too. */
#define DECISION_FORCED "dead retry --force"
#define DECISION_RETRIED "dead retry"

/*
 * A hold: lookups answer `default` or `fail` for a view or one of its features,
 * whatever is stored, until it is released. Readers see it with their next
 * lookup. One on the same target is replaced. `feature` NULL: the whole view.
 * Errors: FAULT_USAGE (no such view or feature), else as store_apply().
 */
int store_hold(struct store *store, const char *view, const char *feature,
	enum choice choice, const struct decision *decision,
	struct fault *fault);

/* End it. 1: there was none. Errors: as store_hold(). */
int store_release(struct store *store, const char *view, const char *feature,
	const struct decision *decision, struct fault *fault);

/* Reasons that last until somebody resumes the partition. All others were found
 * in the log or the store, and are judged anew at each start. */
#define STOP_PAUSED "paused"
#define STOP_FLOOD "dead_letter_flood"
#define STOP_ROLLED_BACK "rolled_back"
/* Those of letters (ingest/keeper.h) are over by themselves, too, when there is
 * room: started before, each start would take some more. */
#define STOP_FULL "parked_full"
#define STOP_DEAD_FULL "dead_letters_full"
/* While a generation is about to take this one's place. */
#define STOP_SWITCHING "switching"
/* What store_accept_gap() and store_new_log() end. */
#define STOP_LOST "records_lost"
#define STOP_CHANGED "log_changed"
/* Of a compacted log: deletes may have left it before they were read. Ends with
 * store_accept_gap(), too. */
#define STOP_DELETES "deletes_lost"
/* Its log is compacted, and what it feeds needs all that compaction removes. */
#define STOP_COMPACTED "not_compaction_safe"

#define LOG_START_UNKNOWN (-1)
/* Found anew, and over by themselves or with `resume`: */
/* The key window is at store.key_window_max_bytes. Partitions whose record time
 * is ahead of the slowest one's wait until that has caught up, or there is room
 * (a quarter of the window). One that nobody is behind stops, since no other
 * can make room, and counts as at its end for the window; it goes on when there
 * is room, and is found anew at each start, which may have another limit.
 * Source: design sections 6 and 8. */
#define STOP_AHEAD "key_window_ahead"
#define STOP_WINDOW "key_window_full"

static inline bool stop_lasts(const char *reason)
{
	return strcmp(reason, STOP_PAUSED) == 0 ||
	       strcmp(reason, STOP_FLOOD) == 0 ||
	       strcmp(reason, STOP_ROLLED_BACK) == 0 ||
	       strcmp(reason, STOP_FULL) == 0 ||
	       strcmp(reason, STOP_DEAD_FULL) == 0;
}

/* Why a partition takes no records: a word ("paused", "log_changed"), and a
 * sentence with what to do. */
struct store_stop {
	const struct log *log;
	const char *reason, *detail;
	int64_t since_us;  /* wall clock */
	int64_t log_start; /* STOP_LOST, STOP_CHANGED: the first offset that the
			      log holds now, LOG_START_UNKNOWN */
};

/*
 * A partition takes no records from now on, also after a restart, until it is
 * resumed. `decision` NULL: nobody's, it was found so.
 * Errors: as store_apply().
 */
int store_stop_partition(struct store *store, const struct store_stop *stop,
	const struct decision *decision, struct fault *fault);

/* It takes records again. 1: it was not stopped. Errors: as store_apply(). */
int store_resume_partition(struct store *store, const struct log *log,
	const struct decision *decision, struct fault *fault);

/* Why a partition is stopped: its word in *reason, in `arena`. 0: it is not.
 * Errors: as store_letter(). */
int store_why_stopped(struct store *store, const struct log *log,
	struct arena *arena, const char **reason, struct fault *fault);

/*
 * Go on behind a gap: of a partition that is stopped for STOP_LOST, next_offset
 * moves to the log's start, and what lies between is counted as lost. Of one
 * that is stopped for STOP_DELETES nothing moves: from now on its log is taken
 * as if its end had been reached now. 1: it is not stopped for either. Errors:
 * as store_apply().
 */
int store_accept_gap(struct store *store, const struct log *log,
	const struct decision *decision, struct fault *fault);

/*
 * Go on with another log: a partition that is stopped for STOP_CHANGED gets a
 * new incarnation, which begins at the start of the present log. What the old
 * one brought stays. 1: it is not stopped for that, or nobody knows where the
 * present log starts. Errors: as store_apply().
 */
int store_new_log(struct store *store, const struct log *log,
	const struct decision *decision, struct fault *fault);

/* Put on the record what was decided, where that changes nothing in this
 * store's tables. Errors: as store_apply(). */
int store_decide(struct store *store, const struct decision *decision,
	struct fault *fault);

/* Dead letters up to `id` are where the export puts them: it goes on behind
 * that, after a restart too, and no later letter has such an id. A smaller one
 * than before changes nothing. Errors: FAULT_USAGE (no letter had that id),
 * else as store_apply(). */
int store_note_export(struct store *store, int64_t id, struct fault *fault);

/*
 * Somebody saw these dead letters: they leave with store_clear_letters(). Those
 * that are no more are left out. Returns how many there were.
 * Errors: as store_apply().
 */
int store_acknowledge(struct store *store, const int64_t *ids, size_t count,
	const struct decision *decision, struct fault *fault);

#endif
