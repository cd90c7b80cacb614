#include "schema/bytes.h"

struct byte_reader byte_reader_of(struct slice bytes)
{
	/* Nothing may be added to NULL, 0 neither. */
	const char *data = bytes.data == NULL ? "" : bytes.data;
	const unsigned char *at = (const unsigned char *)data;
	return (struct byte_reader){at, at + bytes.length, false};
}

void put_decimal(struct byte_writer *writer, int64_t number)
{
	unsigned char digits[DECIMAL_CHARACTERS];
	size_t count = 0;
	uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;
	do {
		digits[count++] = (unsigned char)('0' + rest % 10);
		rest /= 10;
	} while (rest > 0);
	if (number < 0)
		put_byte(writer, '-');
	while (count > 0)
		put_byte(writer, digits[--count]);
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
	uint64_t stored = 0;
	if (reader->failed ||
		(size_t)(reader->end - reader->at) < sizeof stored) {
		reader->failed = true;
		return 0;
	}
	memcpy(&stored, reader->at, sizeof stored);
	reader->at += sizeof stored;
	return le64toh(stored);
}

static bool is_digit(const struct byte_reader *reader)
{
	return reader->at != reader->end && *reader->at >= '0' &&
	       *reader->at <= '9';
}

uint32_t get_u32(struct byte_reader *reader)
{
	uint32_t number = 0;
	for (unsigned shift = 0; shift < 32; shift += 8)
		number |= (uint32_t)get_byte(reader) << shift;
	return number;
}

struct slice get_bytes(struct byte_reader *reader, size_t length)
{
	if (reader->failed || (size_t)(reader->end - reader->at) < length) {
		reader->failed = true;
		return (struct slice){NULL, 0};
	}
	struct slice bytes = {(const char *)reader->at, length};
	reader->at += length;
	return bytes;
}

int64_t get_decimal(struct byte_reader *reader)
{
	bool negative = reader->at != reader->end && *reader->at == '-';
	reader->at += negative;
	int64_t number = 0;
	bool overflow = !is_digit(reader);
	while (is_digit(reader)) {
		int digit = *reader->at++ - '0';
		/* Downwards: the smallest number has no positive twin. */
		overflow |= __builtin_mul_overflow(number, 10, &number);
		overflow |= __builtin_sub_overflow(number, digit, &number);
	}
	if (!negative)
		overflow |= __builtin_sub_overflow(0, number, &number);
	reader->failed = reader->failed || overflow;
	return reader->failed ? 0 : number;
}

void expect_byte(struct byte_reader *reader, unsigned char byte)
{
	if (get_byte(reader) != byte)
		reader->failed = true;
}
