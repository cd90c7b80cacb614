/*
 * Writing and reading compact columns.
 *
 * A writer fills a buffer that is known to be large enough (asserted); a reader
 * turns `failed` at the first byte that isn't there and gives zeros from then
 * on, so a decoder needs one check at its end.
 */
#ifndef HOLDFAST_SCHEMA_BYTES_H
#define HOLDFAST_SCHEMA_BYTES_H

#include "schema/slice.h"

#include <assert.h>
#include <endian.h>
#include <stdint.h>

#define DECIMAL_CHARACTERS 20 /* of an int64, sign included */

struct byte_writer {
	unsigned char *at, *end;
};

struct byte_reader {
	const unsigned char *at, *end;
	bool failed;
};

struct byte_reader byte_reader_of(struct slice bytes);

/* Inline, since every column of every row passes through them. */
static inline void put_byte(struct byte_writer *writer, unsigned char byte)
{
	assert(writer->at < writer->end);
	*writer->at++ = byte;
}

static inline void put_bytes(struct byte_writer *writer, struct slice bytes)
{
	assert((size_t)(writer->end - writer->at) >= bytes.length);
	if (bytes.length > 0)
		memcpy(writer->at, bytes.data, bytes.length);
	writer->at += bytes.length;
}

/* 8 bytes, little-endian. */
static inline void put_u64(struct byte_writer *writer, uint64_t number)
{
	uint64_t stored = htole64(number);
	assert((size_t)(writer->end - writer->at) >= sizeof stored);
	memcpy(writer->at, &stored, sizeof stored);
	writer->at += sizeof stored;
}

void put_decimal(struct byte_writer *writer, int64_t number);

unsigned char get_byte(struct byte_reader *reader);
uint64_t get_u64(struct byte_reader *reader);
uint32_t get_u32(struct byte_reader *reader);
/* The next bytes, borrowed. */
struct slice get_bytes(struct byte_reader *reader, size_t length);
int64_t get_decimal(struct byte_reader *reader);
void expect_byte(struct byte_reader *reader, unsigned char byte);

#endif
