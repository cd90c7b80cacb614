/*
 * The stream of tests/serve/beside.py: record n moves an amount from account
 * n % ACCOUNTS to another one, and says so in two more views. So the newest
 * record that a snapshot holds decides every value in it.
 */
#ifndef HOLDFAST_TESTS_BESIDE_STREAM_H
#define HOLDFAST_TESTS_BESIDE_STREAM_H

#include <stdint.h>

#define ACCOUNTS 1000

/* When the store holds records 0..newest: the last one of `account`, or -1. */
static inline int64_t stream_seq(int64_t newest, int64_t account)
{
	return newest < account ? -1 : newest - (newest - account) % ACCOUNTS;
}

/* And how many of them there are. */
static inline int64_t stream_count(int64_t newest, int64_t account)
{
	return newest < account ? 0 : (newest - account) / ACCOUNTS + 1;
}

#endif
