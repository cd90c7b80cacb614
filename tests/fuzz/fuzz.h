/*
 * What is fuzzed: bytes in, and what must be true of whatever comes out.
 *
 * Each target is one file that gives these two functions; target.c hands it
 * libFuzzer's inputs, replay.c the kept ones. Inputs are texts where they can
 * be: the file says how they are read.
 */
#ifndef HOLDFAST_TESTS_FUZZ_FUZZ_H
#define HOLDFAST_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Once, before the first input. What it makes is gone at exit. */
void fuzz_start(void);

/* Try one input; the process aborts, with a word on stderr, where something is
 * not what it must be. Equal inputs do equal things, whatever came before. */
void fuzz_one(const uint8_t *data, size_t size);

#endif
