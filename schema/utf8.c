#include "schema/utf8.h"

/* Well-formed sequences of two bytes or more. */
static const struct form {
	unsigned char first, last, next_low, next_high;
	size_t length;
} forms[] = {
	{0xc2, 0xdf, 0x80, 0xbf, 2},
	{0xe0, 0xe0, 0xa0, 0xbf, 3},
	{0xe1, 0xec, 0x80, 0xbf, 3},
	{0xed, 0xed, 0x80, 0x9f, 3},
	{0xee, 0xef, 0x80, 0xbf, 3},
	{0xf0, 0xf0, 0x90, 0xbf, 4},
	{0xf1, 0xf3, 0x80, 0xbf, 4},
	{0xf4, 0xf4, 0x80, 0x8f, 4},
};

static bool follows(
	const struct form *form, const unsigned char *at, size_t length)
{
	if (length < form->length || at[1] < form->next_low ||
		at[1] > form->next_high)
		return false;
	for (size_t i = 2; i < form->length; i++)
		if (at[i] < 0x80 || at[i] > 0xbf)
			return false;
	return true;
}

size_t utf8_character(const unsigned char *at, size_t length)
{
	if (at[0] < 0x80)
		return 1;
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
		if (at[0] >= forms[i].first && at[0] <= forms[i].last)
			return follows(&forms[i], at, length) ? forms[i].length
							      : 0;
	return 0;
}

bool utf8_is(struct slice text)
{
	const unsigned char *at = (const unsigned char *)text.data;
	size_t left = text.length;
	while (left > 0) {
		size_t length = utf8_character(at, left);
		if (length == 0)
			return false;
		at += length;
		left -= length;
	}
	return true;
}
