/*
 * Generations: builds of one store beside each other in its directory, one of
 * them live. All have the store's id and secret, so that keys, Kafka's group
 * and positions mean the same in each.
 *
 * A generation is built while the live one goes on (store_build), told to be
 * complete (store_complete), and takes the live one's place (store_switch):
 * it is marked ready for it; one transaction seals the live one; the link is
 * renamed and the directory synced. A crash leaves the old one or the new:
 * whoever opens the store next completes the rename if the sealed generation
 * has a ready successor, else it lifts the seal. Readers see the seal in their
 * own snapshot and look at the link again (store/reader.h, reader_has_moved).
 * Nothing comes back by itself: a sealed generation is only opened again by
 * store_switch() or store_build().
 *
 * Threads and results: as store/store.h. Source: design section 9.
 */
#ifndef HOLDFAST_STORE_GENERATIONS_H
#define HOLDFAST_STORE_GENERATIONS_H

#include "store/store.h"

#define GENERATION_NAME_BYTES 16 /* "g12", NUL included */

struct store_build {
	/* Go on with this one, whatever it was before; NULL: a new one. */
	const char *generation;
	/* Of a new one: a closed store's file, as a backup is, which is copied;
	 * its schema rules. NULL: it is empty, and so the log is taken from its
	 * start, under the options' schema, or else the live one's. */
	const char *base;
	const char *origin; /* of a new one, for people: "the log" */
	/* Of a new one: the text of the live one's schema, as it is now; for
	 * store_build_beside(). Or NULL. */
	const char *beside;
	/* One that is complete stays so while it takes more: whatever comes of
	 * that, it is fit for a rollback. */
	bool stays_complete;
};

/*
 * Open a generation that is not live for writing, beside the owner of the live
 * one, if there is one: a store like any other to every function, that nobody
 * reads yet. One at a time in a directory. The ballast is not its own.
 * Errors: FAULT_REFUSED (somebody else builds; it is live; a base of another
 * store), FAULT_USAGE (no such generation), those of store_open().
 */
int store_build(struct store **out, const struct store_options *options,
	const struct store_build *build, struct fault *fault);

/*
 * Where there is no store yet: make one of a closed store's file, as a backup
 * is, which becomes its first generation.
 * Errors: FAULT_REFUSED (there is one), those of store_open().
 */
int store_found(const struct store_options *options, const char *base,
	struct fault *fault);

/*
 * Under which schema the live one was when `store`, a build, was begun, in
 * `arena`: its place is not to be taken by what was begun before it had the
 * present one. Where nobody noted it: its own schema.
 * Errors: as store_apply().
 */
int store_build_beside(struct store *store, const char **out,
	struct arena *arena, struct fault *fault);

/* "g2". Borrowed until store_close(). */
const char *store_generation(const struct store *store);

/* Of its owner: higher each time that this generation is opened for writing. */
int64_t store_epoch(const struct store *store);

/* What store_carry() took over. */
struct carried {
	int64_t decisions, holds, stops;
	int64_t letters; /* that both have, and those copied */
	int64_t copied;	 /* of them: none was built, as where the log no longer
			    holds their records */
	int64_t cleared; /* the live one let them go: here, too */
	int64_t unsure;	 /* it let some of them go, and took others up: all are
			    letters here */
	int64_t damaged; /* rows of these there, which can't be taken over */
	int64_t rows;	 /* of other views, that were others here */
	int64_t settled; /* letters of other views, that are none there */
};

/*
 * Take over from the live generation, as of one snapshot of it, what the log
 * does not hold: decisions, holds, stops that last, how far letters were
 * exported, ids and fates of letters, letters whose records the log no longer
 * holds. Once more is as if only once. A store_switch() that is `exactly`
 * wants that nothing of it changed since. `out` may be NULL.
 * Errors: as store_apply().
 */
int store_carry(struct store *store, struct carried *out, struct fault *fault);

/*
 * The same where `view`, one of the schema's, alone is to be as it was built:
 * rows and letters of all others become the live one's, too, and what was
 * loaded into these comes along. Keys are of all views, as built; the accounts
 * of a partition follow its letters. Both must have the same schema and stand
 * at the same offsets. NULL: as store_carry().
 * Errors: as there; FAULT_CORRUPT (another view of the live one is damaged),
 * FAULT_REFUSED (part of one is of a log that is gone).
 */
int store_carry_others(struct store *store, const char *view,
	struct carried *out, struct fault *fault);

/* For which view that was done to `store`, a build, in `arena`: of what the log
 * gives, it alone is left. "": for none. Errors: as store_apply(). */
int store_carried_view(struct store *store, const char **out,
	struct arena *arena, struct fault *fault);

/*
 * Deletes and replaces with an event time before `before_us` are forgotten, in
 * a generation that is being built: an event that is older than one of them
 * counts again if it comes, and the digest is another one. *forgotten: how many
 * entities that concerned. Errors: as store_apply().
 */
int store_forget_deletes(struct store *store, int64_t before_us,
	int64_t *forgotten, struct fault *fault);

/* It holds all that it was built for: only such a one takes the live one's
 * place. What a build goes on with is incomplete again, unless it stays so.
 * Errors: as store_apply(). */
int store_complete(struct store *store, struct fault *fault);

#define HANDOVER_TEXT_BYTES 512

/*
 * What operators decided on the generation that was live, and what became of
 * it in the one that takes its place at other offsets. Where the live one could
 * not be opened, or not all of it be read, what can be read of it joins what
 * the other one has, and `missed` says the rest.
 */
struct handover {
	int64_t holds;	      /* in force here, as they were there */
	int64_t holds_gone;   /* on what this schema does not have */
	int64_t stops;	      /* paused, flooded, rolled back: still stopped */
	int64_t stops_gone;   /* of partitions that it never took: they run */
	int64_t decisions;    /* that join the record */
	int64_t dropped;      /* dead letters that were dropped since */
	int64_t drops_gone;   /* of letters that come again, if they do */
	int64_t letters_back; /* letters again, which were taken up, or had
				 left, since */
	int64_t culprits; /* records and letters that ended the process: nobody
			     looks into them */
	/* Decisions whose effect it has not: "2 load, 1 schema apply"; or "".
	 */
	char undone[HANDOVER_TEXT_BYTES];
	/* What of the live one can't be read, and why; or "". */
	char missed[HANDOVER_TEXT_BYTES];
};

struct store_switch {
	const char *generation;
	/* Whether it must stand exactly where the live one stands, in every
	 * partition that both have, and hold what that decided (store_carry()):
	 * not for a rollback or a restore. */
	bool exactly;
	/* Its partitions take no records until they are resumed, for this
	 * reason, with these words (store/decisions.h). NULL: they go on. */
	const char *stop_reason, *stop_detail;
	const struct decision *decision; /* on its record; or NULL */
	/* Filled in unless it is `exactly`; or NULL. */
	struct handover *handover;
};

/*
 * The owner turns to another generation: *store is closed, and then that one,
 * under the same lock. On failure *store goes on as it was, but after FAULT_IO:
 * exit, the next start knows which of the two it is.
 * Errors: FAULT_USAGE (no such generation, or it is the live one),
 * FAULT_REFUSED (incomplete; stands elsewhere; still being built), those of
 * store_open().
 */
int store_switch(struct store **store, const struct store_switch *to,
	struct fault *fault);

/*
 * The same where the live generation can't be opened any more: the link is
 * renamed, nothing is sealed. No owner may run. What operators decided is read
 * out of the live one's file as far as that goes. Errors: as store_switch().
 */
int store_replace(const struct store_options *options,
	const struct store_switch *to, struct fault *fault);

/*
 * Close *store and open the same generation again, under the same lock: after
 * its schema was changed. On failure it is NULL, and the lock is given up.
 * Errors: those of store_open().
 */
int store_reopen(struct store **store, struct fault *fault);

enum generation_state {
	GENERATION_LIVE,
	GENERATION_BUILDING,
	GENERATION_COMPLETE, /* built, not yet live */
	GENERATION_READY,    /* for its peer's place: a crash away from live */
	GENERATION_SEALED    /* its peer took its place */
};
const char *generation_state_name(enum generation_state state);

struct generation {
	char name[GENERATION_NAME_BYTES];
	enum generation_state state;
	bool live;	    /* the link leads to it */
	const char *peer;   /* of SEALED and READY, else "" */
	const char *origin; /* what it was built from */
	const char *wrong;  /* why it can't be read; NULL: it can */
	const char *damage; /* that is remembered of it: "as verify found at
			       …: …"; NULL: none */
	int64_t as_of_us;   /* up to here all is taken; TIMESTAMP_NONE */
	struct digest digest;
	int64_t file_bytes; /* its WAL included */
};

/* All that there are, by number, in `arena`; beside an owner, if there is one.
 * Errors: FAULT_REFUSED (no store), FAULT_IO, FAULT_OOM. */
int generations_list(const char *path, struct arena *arena,
	const struct generation **out, size_t *count, struct fault *fault);

/* Would generation_drop() be refused? Errors: as there. */
int generation_check_drop(
	const char *path, const char *generation, struct fault *fault);

/*
 * Remove a generation that is neither live nor being built, for good.
 * Errors: FAULT_USAGE (no such one), FAULT_REFUSED (live, or being built),
 * FAULT_IO.
 */
int generation_drop(
	const char *path, const char *generation, struct fault *fault);

#endif
