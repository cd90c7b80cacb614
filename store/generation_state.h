/*
 * What a generation's own file says of it: state, peer and origin in `_meta`.
 * What store/open.c, generations.c and switch.c share.
 */
#ifndef HOLDFAST_STORE_GENERATION_STATE_H
#define HOLDFAST_STORE_GENERATION_STATE_H

#include "store/generations.h"
#include "store/meta.h"

struct store;
struct place;
struct layout;

#define GENERATION_MOVED 1 /* the live generation is another one */

/* Within the caller's transaction. Errors: as meta_put(). */
int generation_note(sqlite3 *db, enum generation_state state, const char *peer,
	struct fault *fault);

/* A store made before it ever had another generation is live. *peer is in
 * `arena`. Errors: as meta_get(). */
int generation_read(sqlite3 *db, enum generation_state *state,
	const char **peer, struct arena *arena, struct fault *fault);

/* What a reader has to know of its file in each snapshot. */
struct generation_look {
	bool sealed;
	int64_t edition; /* of the schema */
};

/* For readers: a statement that is kept, and what it says. Errors: as
 * sql_fault(). */
int generation_look_prepare(
	sqlite3 *db, sqlite3_stmt **out, struct fault *fault);
int generation_look(sqlite3_stmt *statement, struct generation_look *out,
	struct fault *fault);

/* The names and the lock of one that is not live, made if it is to be.
 * Errors: those of store_build(). */
int generation_find(
	struct store *store, const struct place *place, struct fault *fault);

/* Is it there, and not `live`? Errors: FAULT_REFUSED, FAULT_USAGE. */
int generation_check_there(
	const struct layout *layout, const char *live, struct fault *fault);

/* Within the transaction that raises the epoch: what it is from now on.
 * GENERATION_MOVED: it was sealed, and its successor is ready; the link is to
 * be renamed (generation_follow) and the store to be opened again.
 * Errors: as meta_put(). */
int generation_claim(struct store *store, struct fault *fault);
int generation_follow(struct store *store, struct fault *fault);

#endif
