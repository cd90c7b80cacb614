/*
 * Damage that was found, remembered: the file g1.db-damaged beside that of a
 * generation. While it is there, ingest does not go on with the generation, and
 * no lookup that it concerns is answered from it.
 *
 * What a lookup finds by itself, a row that fails its checksum or a page that
 * is none, it finds again at each read: that needs no memory. What only a look
 * at the whole file finds does: a key that sorts wrong hides rows that are
 * there, a page of another age gives values that were right once, and the
 * lookup that goes by it notices nothing. So the note is written by whoever
 * looks at the whole file: `holdfast verify`; the owner, when it meets damage,
 * or when the copy that it checks as a backup has some.
 *
 * It concerns the lookups of a view whose rows are wrong; all lookups, where
 * the file's structure is, or what each of them reads, or where two tables
 * contradict each other; and none, where a row of letters, keys or decisions
 * fails its checksum. Ingest reads all of it, and always stops.
 *
 * It ends when another generation takes the place (restore, rebuild, rollback),
 * or when `verify` finds nothing wrong any more: it looks at all that there is,
 * and a bit may have been wrong in memory and never on the disk.
 *
 * A file of its own, not a row: nothing is written into a damaged database, and
 * nothing of a database is opened beside SQLite, which would lose its locks.
 * What counts is that it is there: one that can't be read concerns everything.
 *
 *     found 2026-11-23T19:00:03.884059Z by verify\n
 *     lookups card route\n      or: all, none
 *     wrong: …\n                the first of what was found
 */
#ifndef HOLDFAST_STORE_DAMAGE_H
#define HOLDFAST_STORE_DAMAGE_H

#include "schema/fault.h"

#include <stdbool.h>
#include <stdint.h>

#define DAMAGE_SUFFIX "-damaged"
#define DAMAGE_BY_BYTES 128
#define DAMAGE_VIEWS_BYTES 1024 /* of more, everything is concerned */
#define DAMAGE_TEXT_BYTES 512

/* A reader looks for the note before it answers, unless it did so this short a
 * time ago: a look costs a third of a lookup. An owner looks so often, too. */
#define DAMAGE_LOOK_US 50000

struct damage {
	bool found;
	bool all;			/* lookups: none is answered */
	char views[DAMAGE_VIEWS_BYTES]; /* " card route ": of these, none */
	int64_t at_us; /* wall clock; TIMESTAMP_NONE: unknown */
	char by[DAMAGE_BY_BYTES];
	char text[DAMAGE_TEXT_BYTES];
};

/* More that was found: `text` is kept of the first. */
void damage_add(struct damage *damage, const char *text);
void damage_add_view(struct damage *damage, const char *view);

/* Does it concern lookups of this view? Of any? */
bool damage_concerns(const struct damage *damage, const char *view);
bool damage_concerns_lookups(const struct damage *damage);

/* What is remembered of the file `database`. */
void damage_read(const char *database, struct damage *out);

/* Remember it, durably, and what is remembered already.
 * Errors: file_fault(), FAULT_IO (no sync). */
int damage_write(
	const char *database, const struct damage *damage, struct fault *fault);

/* Forget it. Errors: as damage_write(). */
int damage_forget(const char *database, struct fault *fault);

/* FAULT_CORRUPT: what was found in `what`, and what to do. */
int damage_fault(
	const struct damage *damage, const char *what, struct fault *fault);

#endif
