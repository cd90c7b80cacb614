/*
 * Any request, to a small real store: what must be true of every reply.
 *
 * An input is a text: the method and the target on the first line, then the
 * body. Each entity of the store holds its own keys as features, so that a
 * reply with another entity's data gives itself away.
 */
#ifndef HOLDFAST_TESTS_FUZZ_EXCHANGE_H
#define HOLDFAST_TESTS_FUZZ_EXCHANGE_H

#include <stddef.h>
#include <stdint.h>

/* Make the store in a directory of its own; it is gone at exit. */
void fuzz_start(void);

/* Send one input; the process aborts, with a word on stderr, where a reply is
 * not what it must be. */
void fuzz_one(const uint8_t *data, size_t size);

#endif
