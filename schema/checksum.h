/*
 * Checksums: SipHash-2-4, 64 bits, under a fixed public key. They find damage,
 * not tampering. Source: design section 6; libsodium crypto_shorthash.
 */
#ifndef HOLDFAST_SCHEMA_CHECKSUM_H
#define HOLDFAST_SCHEMA_CHECKSUM_H

#include "schema/slice.h"

#include <stdint.h>

uint64_t checksum(struct slice bytes);

/* Over the pair (key, value), lengths and absence included: the fingerprint of
 * a log's record. */
uint64_t checksum_record(struct slice key, struct slice value);

#endif
