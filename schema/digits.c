#include "schema/digits.h"

#include <string.h>

static const char pairs[] = "00010203040506070809"
			    "10111213141516171819"
			    "20212223242526272829"
			    "30313233343536373839"
			    "40414243444546474849"
			    "50515253545556575859"
			    "60616263646566676869"
			    "70717273747576777879"
			    "80818283848586878889"
			    "90919293949596979899";

static void put_pair(char *at, uint32_t number)
{
	memcpy(at, pairs + (size_t)2 * number, 2);
}

/* Eight digits: four pairs that don't wait for each other. */
static void put_eight(char *at, uint32_t number)
{
	uint32_t high = number / 10000, low = number % 10000;
	put_pair(at, high / 100);
	put_pair(at + 2, high % 100);
	put_pair(at + 4, low / 100);
	put_pair(at + 6, low % 100);
}

#define EIGHT_DIGITS 100000000

/* Write `number` so that it ends before `end`; returns where it starts. */
static char *put_before(char *end, uint64_t number)
{
	while (number >= EIGHT_DIGITS) {
		end -= 8;
		put_eight(end, (uint32_t)(number % EIGHT_DIGITS));
		number /= EIGHT_DIGITS;
	}
	uint32_t rest = (uint32_t)number;
	while (rest >= 100) {
		end -= 2;
		put_pair(end, rest % 100);
		rest /= 100;
	}
	if (rest < 10) {
		*--end = (char)('0' + rest);
		return end;
	}
	put_pair(end - 2, rest);
	return end - 2;
}

char *digits_put(char *at, uint64_t number)
{
	char text[DIGITS_MAX];
	const char *start = put_before(text + sizeof text, number);
	size_t length = (size_t)(text + sizeof text - start);
	memcpy(at, start, length);
	return at + length;
}

char *digits_put_signed(char *at, int64_t number)
{
	if (number >= 0)
		return digits_put(at, (uint64_t)number);
	*at++ = '-';
	return digits_put(at, 0 - (uint64_t)number);
}

char *digits_put_padded(char *at, uint64_t number, unsigned width)
{
	for (unsigned i = width; i > 0; i--) {
		at[i - 1] = (char)('0' + number % 10);
		number /= 10;
	}
	return at + width;
}

char *decimal_put(char *at, int64_t unscaled, unsigned scale)
{
	uint64_t magnitude =
		unscaled < 0 ? 0 - (uint64_t)unscaled : (uint64_t)unscaled;
	uint64_t factor = 1;
	for (unsigned i = 0; i < scale; i++)
		factor *= 10;
	if (unscaled < 0)
		*at++ = '-';
	at = digits_put(at, magnitude / factor);
	if (scale == 0)
		return at;
	*at++ = '.';
	return digits_put_padded(at, magnitude % factor, scale);
}
