/*
 * Random numbers for spreading waits: like the clock, they come in from
 * outside, so that a test or a simulation repeats.
 */
#ifndef HOLDFAST_INGEST_DICE_H
#define HOLDFAST_INGEST_DICE_H

#include <stdint.h>

struct dice {
	uint64_t state;
};

/* The same rolls for the same seed, everywhere. */
struct dice dice_of(uint64_t seed);

/* 0 to below `limit` > 0. The bias of the remainder, limit / 2^64, is far
 * below what a wait could show. */
uint64_t dice_roll(struct dice *dice, uint64_t limit);

#endif
