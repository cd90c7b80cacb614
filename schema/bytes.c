#include "schema/bytes.h"

#include <assert.h>

struct byte_reader byte_reader_of(struct slice bytes)
{
	const unsigned char *at = (const unsigned char *)bytes.data;
	return (struct byte_reader){at, at + bytes.length, false};
}

void put_byte(struct byte_writer *writer, unsigned char byte)
{
	assert(writer->at < writer->end);
	*writer->at++ = byte;
}

void put_bytes(struct byte_writer *writer, struct slice bytes)
{
	assert((size_t)(writer->end - writer->at) >= bytes.length);
	if (bytes.length > 0)
		memcpy(writer->at, bytes.data, bytes.length);
	writer->at += bytes.length;
}

void put_u64(struct byte_writer *writer, uint64_t number)
{
	for (int i = 0; i < 8; i++)
		put_byte(writer, (unsigned char)(number >> (i * 8)));
}

void put_varint(struct byte_writer *writer, uint64_t number)
{
	while (number >= 0x80) {
		put_byte(writer, (unsigned char)(number | 0x80));
		number >>= 7;
	}
	put_byte(writer, (unsigned char)number);
}

void put_signed(struct byte_writer *writer, int64_t number)
{
	uint64_t sign = number < 0 ? UINT64_MAX : 0;
	put_varint(writer, (uint64_t)number << 1 ^ sign);
}

unsigned char get_byte(struct byte_reader *reader)
{
	if (reader->failed || reader->at == reader->end) {
		reader->failed = true;
		return 0;
	}
	return *reader->at++;
}

uint64_t get_u64(struct byte_reader *reader)
{
	uint64_t number = 0;
	for (int i = 0; i < 8; i++)
		number |= (uint64_t)get_byte(reader) << (i * 8);
	return number;
}

uint64_t get_varint(struct byte_reader *reader)
{
	uint64_t number = 0;
	for (int i = 0; i < VARINT_BYTES_MAX; i++) {
		unsigned char byte = get_byte(reader);
		number |= (uint64_t)(byte & 0x7f) << (i * 7);
		if (byte < 0x80)
			return number;
	}
	reader->failed = true;
	return 0;
}

int64_t get_signed(struct byte_reader *reader)
{
	uint64_t coded = get_varint(reader);
	uint64_t sign = (coded & 1) != 0 ? UINT64_MAX : 0;
	return (int64_t)(coded >> 1 ^ sign);
}
