#include "tests/fuzz/input.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct slice input_copy(const uint8_t *data, size_t size)
{
	char *copy = malloc(size > 0 ? size : 1);
	must(copy != NULL, "memory for an input");
	if (size > 0)
		memcpy(copy, data, size);
	return (struct slice){copy, size};
}

struct slice input_cut(struct slice *rest, const char *separator)
{
	struct slice piece = *rest;
	size_t length = strlen(separator);
	const char *end = memmem(rest->data, rest->length, separator, length);
	size_t skipped = 0;
	if (end != NULL) {
		piece.length = (size_t)(end - rest->data);
		skipped = length;
	}
	rest->data += piece.length + skipped;
	rest->length -= piece.length + skipped;
	return piece;
}

void must(bool holds, const char *what)
{
	if (holds)
		return;
	(void)fprintf(stderr, "not so: %s\n", what);
	abort();
}
