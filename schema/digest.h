/*
 * The digest: what a view holds, in 128 bits that add up.
 *
 * The digest of a view is the sum modulo 2^128 of the BLAKE2b-128 hashes of
 * its rows, so it can be kept up to date row by row and recomputed in any
 * order. Hashed are entity, event time of the floor and, in name order, name,
 * value and event time of each present feature: never coordinates, since
 * another copy of an event may have won. Source: design section 6.
 */
#ifndef HOLDFAST_SCHEMA_DIGEST_H
#define HOLDFAST_SCHEMA_DIGEST_H

#include "schema/row.h"

#include <stdint.h>

#define DIGEST_BYTES 16

struct digest {
	uint64_t low, high;
};

#define DIGEST_ZERO ((struct digest){0, 0})

/* The hash of one row; zero for a row that is neither present nor has a floor,
 * so an entity never seen counts nothing. */
struct digest row_hash(const struct view *view, const struct value *entity,
	const struct row *row);

struct digest digest_add(struct digest a, struct digest b);
struct digest digest_subtract(struct digest a, struct digest b);
bool digest_equal(struct digest a, struct digest b);

/* 32 lower-case hexadecimal digits, most significant first, and a NUL. */
void digest_print(struct digest digest, char out[2 * DIGEST_BYTES + 1]);

#endif
