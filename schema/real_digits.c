/*
 * Real numbers as the shortest text that reads back the same.
 *
 * Source: Raffaello Giulietti, "The Schubfach way to render doubles" (2021),
 * in the form of Alexander Bolz' Drachennest, restricted to powers of ten that
 * are exact in 128 bits. These serve numbers between about 1e-38 and 1e17;
 * the rest takes the C library's slow way.
 */
#include "schema/digits.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__extension__ typedef unsigned __int128 wide;

#define POWERS 28
#define POWER_MAX (2 * (POWERS - 1)) /* 5^54 < 2^126 */

static const uint64_t powers_of_five[POWERS] = {1, 5, 25, 125, 625, 3125, 15625,
	78125, 390625, 1953125, 9765625, 48828125, 244140625, 1220703125,
	6103515625, 30517578125, 152587890625, 762939453125, 3814697265625,
	19073486328125, 95367431640625, 476837158203125, 2384185791015625,
	11920928955078125, 59604644775390625, 298023223876953125,
	1490116119384765625, 7450580596923828125};

/* significand * 2^exponent; the neighbour below is half as far as the one
 * above where `close_below`. */
struct binary {
	uint64_t significand;
	int exponent;
	bool close_below;
};

/* digits * 10^exponent */
struct decimal {
	uint64_t digits;
	int exponent;
};

/* 5^power, shifted up until its highest bit is the 128th. */
static wide scaled_power(int power)
{
	int first = power < POWERS ? power : POWERS - 1;
	wide product =
		(wide)powers_of_five[first] * powers_of_five[power - first];
	uint64_t high = (uint64_t)(product >> 64);
	int zeros = high != 0 ? __builtin_clzll(high)
			      : 64 + __builtin_clzll((uint64_t)product);
	return product << zeros;
}

/* power * number / 2^128; the lowest bit says also whether anything is left
 * over ("rounding to odd"). */
static uint64_t scale(wide power, uint64_t number)
{
	wide low = (wide)(uint64_t)power * number;
	wide high =
		(wide)(uint64_t)(power >> 64) * number + (uint64_t)(low >> 64);
	bool rest = (uint64_t)high != 0 || (uint64_t)low != 0;
	return (uint64_t)(high >> 64) | rest;
}

/* floor(log2(10^power)) */
static int log2_of_power(int power)
{
	return (power * 1741647) >> 19;
}

/* The largest k with 10^k at most the distance between neighbours. */
static int spacing(const struct binary *binary)
{
	return (binary->exponent * 1262611 -
		       (binary->close_below ? 524031 : 0)) >>
	       22;
}

/* Of the decimals within the rounding interval [lower, upper] (in quarters of
 * the last digit) the shortest; `value` is the number itself. */
static struct decimal choose(
	uint64_t lower, uint64_t value, uint64_t upper, int exponent)
{
	uint64_t digits = value / 4;
	uint64_t tens = digits / 10;
	bool below = lower <= 40 * tens, above = 40 * tens + 40 <= upper;
	if (tens > 0 && below != above)
		return (struct decimal){tens + above, exponent + 1};
	below = lower <= 4 * digits;
	above = 4 * digits + 4 <= upper;
	if (below != above)
		return (struct decimal){digits + above, exponent};
	uint64_t middle = 4 * digits + 2;
	bool up = value > middle || (value == middle && digits % 2 == 1);
	return (struct decimal){digits + up, exponent};
}

/* False where the power of ten is out of reach. */
static bool shortest(const struct binary *binary, struct decimal *out)
{
	int exponent = spacing(binary);
	int power = -exponent;
	if (power < 0 || power > POWER_MAX)
		return false;
	wide scaled = scaled_power(power);
	int shift = binary->exponent + log2_of_power(power) + 1;
	uint64_t number = 4 * binary->significand;
	uint64_t odd = binary->significand % 2;
	uint64_t lower =
		scale(scaled, (number - 2 + binary->close_below) << shift);
	uint64_t value = scale(scaled, number << shift);
	uint64_t upper = scale(scaled, (number + 2) << shift);
	*out = choose(lower + odd, value, upper - odd, exponent);
	return true;
}

static void strip_zeros(struct decimal *decimal)
{
	static const struct {
		uint64_t factor;
		int zeros;
	} steps[] = {{100000000, 8}, {10000, 4}, {100, 2}, {10, 1}};
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
		if (decimal->digits % steps[i].factor == 0) {
			decimal->digits /= steps[i].factor;
			decimal->exponent += steps[i].zeros;
		}
}

static char *put_zeros(char *at, int count)
{
	for (int i = 0; i < count; i++)
		*at++ = '0';
	return at;
}

/* "d.ddde-05" */
static char *put_exponent(
	char *at, const char *digits, size_t count, int exponent)
{
	*at++ = digits[0];
	if (count > 1) {
		*at++ = '.';
		memcpy(at, digits + 1, count - 1);
		at += count - 1;
	}
	*at++ = 'e';
	*at++ = exponent < 0 ? '-' : '+';
	uint64_t magnitude = (uint64_t)(exponent < 0 ? -exponent : exponent);
	if (magnitude < 10)
		*at++ = '0';
	return digits_put(at, magnitude);
}

/* Where Python's repr() changes to exponents. */
#define POINT_LOWEST (-3)
#define POINT_HIGHEST 16

static char *put_decimal_text(char *at, struct decimal decimal)
{
	char text[DIGITS_MAX];
	strip_zeros(&decimal);
	size_t count = (size_t)(digits_put(text, decimal.digits) - text);
	int point = (int)count + decimal.exponent;
	if (point < POINT_LOWEST || point > POINT_HIGHEST)
		return put_exponent(at, text, count, point - 1);
	if (point <= 0) {
		*at++ = '0';
		*at++ = '.';
		at = put_zeros(at, -point);
		memcpy(at, text, count);
		return at + count;
	}
	size_t whole = (size_t)point < count ? (size_t)point : count;
	memcpy(at, text, whole);
	at = put_zeros(at + whole, point - (int)whole);
	*at++ = '.';
	if (whole == count)
		*at++ = '0';
	memcpy(at, text + whole, count - whole);
	return at + (count - whole);
}

/* What "%.*e" printed: "d.ddde-05", with the locale's point. */
static struct decimal read_exponent_form(const char *text)
{
	struct decimal decimal = {0, 0};
	const char *mark = strchr(text, 'e');
	for (const char *at = text; at < mark; at++)
		if (*at >= '0' && *at <= '9') {
			decimal.digits =
				decimal.digits * 10 + (uint64_t)(*at - '0');
			decimal.exponent -= at != text;
		}
	if (mark != NULL)
		decimal.exponent += (int)strtol(mark + 1, NULL, 10);
	return decimal;
}

/* By the C library: more and more digits until they read back the same. The
 * point, of one or more bytes, takes no part in the digits' count. */
static struct decimal search(double magnitude, bool is_float)
{
	char text[REAL_TEXT_SIZE + 16];
	struct decimal decimal = {0, 0};
	int digits = is_float ? 9 : 17;
	for (int i = 0; i < digits; i++) {
		int length = snprintf(text, sizeof text, "%.*e", i, magnitude);
		if (length < 0)
			break;
		double back = is_float ? (double)strtof(text, NULL)
				       : strtod(text, NULL);
		if (back == magnitude)
			break;
	}
	decimal = read_exponent_form(text);
	return decimal;
}

#define REAL_FRACTION_BITS 52
#define REAL_BIAS 1075 /* of the significand as a whole number */
#define FLOAT_FRACTION_BITS 23
#define FLOAT_BIAS 150

/* From the fields of an IEC 60559 number. */
static struct binary binary_of(
	uint64_t fraction, int field, int fraction_bits, int bias)
{
	if (field == 0)
		return (struct binary){fraction, 1 - bias, false};
	return (struct binary){fraction | UINT64_C(1) << fraction_bits,
		field - bias, fraction == 0 && field > 1};
}

static char *put_magnitude(
	char *at, const struct binary *binary, double magnitude, bool is_float)
{
	struct decimal decimal = {0, 0};
	if (magnitude == 0) {
		*at++ = '0';
		*at++ = '.';
		*at++ = '0';
		return at;
	}
	if (magnitude < 0x1p53 && (double)(uint64_t)magnitude == magnitude)
		decimal.digits = (uint64_t)magnitude;
	else if (!shortest(binary, &decimal))
		decimal = search(magnitude, is_float);
	return put_decimal_text(at, decimal);
}

char *real_put(char *at, double real)
{
	uint64_t bits;
	memcpy(&bits, &real, sizeof bits);
	if (bits >> 63 != 0)
		*at++ = '-';
	struct binary binary =
		binary_of(bits & ((UINT64_C(1) << REAL_FRACTION_BITS) - 1),
			(int)(bits >> REAL_FRACTION_BITS & 0x7ff),
			REAL_FRACTION_BITS, REAL_BIAS);
	return put_magnitude(at, &binary, real < 0 ? -real : real, false);
}

char *float_put(char *at, float real)
{
	uint32_t bits;
	memcpy(&bits, &real, sizeof bits);
	if (bits >> 31 != 0)
		*at++ = '-';
	struct binary binary =
		binary_of(bits & ((UINT32_C(1) << FLOAT_FRACTION_BITS) - 1),
			(int)(bits >> FLOAT_FRACTION_BITS & 0xff),
			FLOAT_FRACTION_BITS, FLOAT_BIAS);
	return put_magnitude(
		at, &binary, (double)(real < 0 ? -real : real), true);
}
