/*
 * The ballast: a file of real blocks in the store's directory that is given up
 * first when the disk is full, so that the WAL can be copied into the file and
 * emptied (a checkpoint needs room before it makes any), and operators' words
 * and status go on. Ingest waits until there is room to make it again: going
 * on before would use up the last room there is.
 *
 * It is a help, never a condition: where there is no room for it, or no
 * allocating, the store works without.
 * Source: design section 8; faults.md S11.
 */
#ifndef HOLDFAST_STORE_BALLAST_H
#define HOLDFAST_STORE_BALLAST_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#define BALLAST_NAME "ballast"

struct ballast {
	char path[PATH_MAX];
	uint64_t bytes; /* 0: none is wanted */
	bool given_up;	/* the disk was full, and it is not made again */
};

/* Of the store in `directory`; makes nothing. */
void ballast_init(
	struct ballast *ballast, const char *directory, uint64_t bytes);

/* Have it there, if it is wanted and half as much again stays free beside it.
 * One of another size, or unwanted, leaves. True: it is there. */
bool ballast_make(struct ballast *ballast);

/* The disk is full. True: it was there and its room is free now. */
bool ballast_give_up(struct ballast *ballast);

/* So much must be free before it is made. */
uint64_t ballast_room(const struct ballast *ballast);

/* Bytes that the file in `directory` holds on disk; 0: there is none. */
int64_t ballast_held(const char *directory);

#endif
