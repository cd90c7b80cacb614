#include "store/serve/path.h"

#include "schema/fault.h"
#include "schema/utf8.h"

#include <strings.h>

static struct slice skip(struct slice text, size_t length)
{
	return (struct slice){text.data + length, text.length - length};
}

/* "http://host:6566/path" to "/path". */
static struct slice skip_authority(struct slice text)
{
	static const char scheme[] = "http://";
	const size_t length = sizeof scheme - 1;
	if (text.length < length || strncasecmp(text.data, scheme, length) != 0)
		return text;
	text = skip(text, length);
	while (text.length > 0 && text.data[0] != '/' && text.data[0] != '?')
		text = skip(text, 1);
	return text;
}

struct target target_split(struct slice text)
{
	struct target target = {0};
	struct slice rest = skip_authority(text);
	next_piece(&rest, '?', &target.path);
	target.query = rest;
	while (target.path.length > 0 && target.path.data[0] == '/') {
		target.rooted = true;
		target.path = skip(target.path, 1);
	}
	return target;
}

bool next_piece(struct slice *rest, char separator, struct slice *piece)
{
	*piece = *rest;
	if (rest->data == NULL)
		return false;
	const char *end = memchr(rest->data, separator, rest->length);
	if (end == NULL) {
		*rest = (struct slice){NULL, 0};
		return true;
	}
	piece->length = (size_t)(end - rest->data);
	*rest = skip(*rest, piece->length + 1);
	return true;
}

static int hex_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* Decode into `out`, which has room for all of `text`. False: a bad escape. */
static bool decode(struct slice text, char *out, size_t *length)
{
	size_t count = 0;
	for (size_t i = 0; i < text.length; i++) {
		char byte = text.data[i];
		if (byte == '%') {
			if (text.length - i < 3)
				return false;
			int high = hex_digit(text.data[i + 1]);
			int low = hex_digit(text.data[i + 2]);
			if (high < 0 || low < 0)
				return false;
			byte = (char)(high << 4 | low);
			i += 2;
		}
		out[count++] = byte;
	}
	*length = count;
	return true;
}

int percent_decode(struct slice text, struct arena *arena, struct slice *out)
{
	*out = text;
	if (text.length > 0 && memchr(text.data, '%', text.length) != NULL) {
		char *copy = arena_take(arena, text.length + 1);
		if (copy == NULL)
			return FAULT_OOM;
		if (!decode(text, copy, &out->length))
			return DECODING_BAD_ESCAPE;
		copy[out->length] = '\0';
		out->data = copy;
	}
	if (out->length > 0 && memchr(out->data, '\0', out->length) != NULL)
		return DECODING_NUL;
	return utf8_is(*out) ? DECODED : DECODING_NOT_UTF8;
}

const char *decoding_text(int outcome)
{
	switch (outcome) {
	case DECODING_BAD_ESCAPE:
		return "a percent sign without two hexadecimal digits behind "
		       "it: write %25 for the sign itself";
	case DECODING_NUL:
		return "a NUL character, which no name, key or setting has";
	default:
		return "bytes that are not UTF-8";
	}
}
