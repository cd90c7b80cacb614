/*
 * Writing and reading compact binary columns.
 *
 * A writer fills a buffer that is known to be large enough (asserted); a reader
 * turns `failed` at the first byte that isn't there and gives zeros from then
 * on, so a decoder needs one check at its end.
 */
#ifndef HOLDFAST_SCHEMA_BYTES_H
#define HOLDFAST_SCHEMA_BYTES_H

#include "schema/slice.h"

#include <stdint.h>

#define VARINT_BYTES_MAX 10

struct byte_writer {
	unsigned char *at, *end;
};

struct byte_reader {
	const unsigned char *at, *end;
	bool failed;
};

struct byte_reader byte_reader_of(struct slice bytes);

void put_byte(struct byte_writer *writer, unsigned char byte);
void put_bytes(struct byte_writer *writer, struct slice bytes);
void put_u64(
	struct byte_writer *writer, uint64_t number); /* 8, little-endian */
void put_varint(struct byte_writer *writer, uint64_t number); /* LEB128 */
void put_signed(struct byte_writer *writer, int64_t number);  /* zigzag */

unsigned char get_byte(struct byte_reader *reader);
uint64_t get_u64(struct byte_reader *reader);
uint64_t get_varint(struct byte_reader *reader);
int64_t get_signed(struct byte_reader *reader);

#endif
