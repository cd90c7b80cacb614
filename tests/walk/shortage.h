/*
 * Shortage: the n-th request for memory fails, or the n-th call of the disk;
 * that one alone, or all from there on.
 *
 * Memory is what the rooms ask for (the linker leads their malloc() here), and
 * jansson, and SQLite, counted together. The disk is what SQLite asks of its
 * VFS. Files are the rooms' own calls for directories, links, seals and
 * notes, past SQLite: they fail with EIO. Pieces are what the rooms ask of
 * their arenas, once a place in the code (shortage_pieces.h). Rooms is the
 * memory that the rooms alone ask for. Statements are their calls of SQLite
 * that prepare or step one, which its cache and its own memory keep from
 * failing in a small store: once there is no memory for it, for ever nothing
 * can be read. Any thread may ask.
 */
#ifndef HOLDFAST_TESTS_WALK_SHORTAGE_H
#define HOLDFAST_TESTS_WALK_SHORTAGE_H

#include <stdbool.h>

enum shortage {
	SHORTAGE_MEMORY,
	SHORTAGE_DISK,
	SHORTAGE_FILES,
	SHORTAGE_PIECES,
	SHORTAGE_ROOMS,
	SHORTAGE_STATEMENTS,
	SHORTAGE_COUNT
};

/* "memory", "disk", "files", "pieces", "rooms", "statements". */
const char *shortage_name(enum shortage kind);

/* Once, before SQLite or jansson are used. */
void shortage_install(void);

/* Requests of `kind` are counted from here; the n-th one fails, from 1 (0:
 * none does), and with `forever` all behind it. */
void shortage_begin(enum shortage kind, long n, bool forever);

/* Nothing fails any more. Returns how many requests there were. */
long shortage_end(void);

/* The next one is asked: does it fail? */
bool shortage_strikes(enum shortage kind);

/* What fails is all from the n-th one on. */
bool shortage_is_forever(void);

/* Are requests of `kind` counted? Do they all fail by now? */
bool shortage_counts(enum shortage kind);
bool shortage_lasts(enum shortage kind);

/* Blocks of memory that were taken and not given back. */
long shortage_held(void);

#endif
