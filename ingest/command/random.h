/*
 * Random numbers that are the same everywhere for the same seed.
 * Source: splitmix64 by Sebastiano Vigna, prng.di.unimi.it/splitmix64.c.
 */
#ifndef HOLDFAST_INGEST_COMMAND_RANDOM_H
#define HOLDFAST_INGEST_COMMAND_RANDOM_H

#include <stdint.h>

struct random {
	uint64_t state;
};

static inline uint64_t random_next(struct random *random)
{
	uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* The numbers of one thing among many under one seed. */
static inline struct random random_of(uint64_t seed, uint64_t thing)
{
	struct random mixer = {seed};
	mixer.state = random_next(&mixer) ^ thing;
	return (struct random){random_next(&mixer)};
}

/* 0 to below `limit` > 0. The bias of the remainder, limit / 2^64, is far
 * below what a sample of events could show. */
static inline uint64_t random_below(struct random *random, uint64_t limit)
{
	return random_next(random) % limit;
}

/* 0 to below 1, in steps of 2^-53. */
static inline double random_unit(struct random *random)
{
	return (double)(random_next(random) >> 11) * 0x1.0p-53;
}

#endif
