#include "ingest/dice.h"

struct dice dice_of(uint64_t seed)
{
	return (struct dice){seed};
}

/* Source: splitmix64 by Sebastiano Vigna, prng.di.unimi.it/splitmix64.c. */
uint64_t dice_roll(struct dice *dice, uint64_t limit)
{
	uint64_t z = dice->state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (z ^ (z >> 31)) % limit;
}
