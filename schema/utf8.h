/*
 * What is UTF-8 and what is not. Source: RFC 3629, section 4.
 */
#ifndef HOLDFAST_SCHEMA_UTF8_H
#define HOLDFAST_SCHEMA_UTF8_H

#include "schema/slice.h"

/* The length of the character at at[0..length), length > 0; 0 where there is
 * none: a stray or missing byte, overlong, a surrogate, beyond U+10FFFF. */
size_t utf8_character(const unsigned char *at, size_t length);

/* Is all of it UTF-8? */
bool utf8_is(struct slice text);

#endif
